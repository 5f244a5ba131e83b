//! A damaged store is never taken for a whole one.
//!
//! sled takes a damaged end of its log for a write that a crash cut short: it drops it and opens without a word. With
//! that, a changed byte once made `verify` call a store whole that had lost its last third.

mod fuzz;

use std::fs;
use std::path::Path;

use crate::support::{Sandbox, copy_folder};

#[test]
fn wherever_a_byte_changes_verify_says_so_or_nothing_is_missing() {
    let sandbox = Sandbox::new();
    let (good, data) = (sandbox.root().join("good"), sandbox.data());
    sandbox.write("w.yaml", "steps: [{id: a, for_each: [1, 2, 3], run: 'true'}, {id: b, run: 'true'}]");
    for _ in 0..3 {
        sandbox.json(0, &["run", "w.yaml"]);
    }
    let whole = sandbox.json(0, &["verify"]);
    fs::rename(&data, &good).unwrap();
    let events = whole["events"].as_u64().unwrap();
    let bytes = fs::read(good.join("events/db")).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let mut damages = 0;
    for (number, place) in (0..=end).step_by(end / 40).enumerate() {
        let _ = fs::remove_dir_all(&data);
        copy_folder(&good, &data);
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x55;
        fs::write(data.join("events/db"), damaged).unwrap();
        if number % 2 == 1 {
            // Without its snapshot sled reads the log from the beginning, and stops where it is bad.
            for entry in fs::read_dir(data.join("events")).unwrap().map(Result::unwrap) {
                if entry.file_name().to_string_lossy().starts_with("snap") {
                    fs::remove_file(entry.path()).unwrap();
                }
            }
        }
        let verified = sandbox.reenact(&["verify", "--json"]);
        let report = verified.json();
        if report["ok"] == true {
            // The byte was not in use.
            assert_eq!(report["events"], events, "byte {place}: {report}");
            continue;
        }
        damages += 1;
        assert_eq!(verified.code(), Some(1), "byte {place}: {report}");
        let position = report["problems"][0]["position"].as_u64().unwrap();
        let missing = report["events"].as_u64().unwrap() < events;
        assert_eq!(missing, (1..=events).contains(&position), "byte {place}: {report}");
        let refused = sandbox.json(7, &["run", "w.yaml"]);
        assert_eq!(refused["error"]["code"], "RE-4001");
    }
    assert!(damages > 10, "only {damages} of the changed bytes mattered");
}

/// The files of snapshots in a data folder.
fn snapshots(data: &Path) -> Vec<std::path::PathBuf> {
    let folders = fs::read_dir(data.join("snapshots")).unwrap().map(|entry| entry.unwrap().path());
    folders.flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_bad_snapshot_is_named_once_and_dropped_and_the_run_is_what_it_was() {
    let sandbox = Sandbox::new();
    let items: Vec<_> = (0..400).map(|item| item.to_string()).collect();
    let items = items.join(", ");
    sandbox.write("w.yaml", format!("steps: [{{id: a, for_each: [{items}], sleep: 1ms}}]"));
    let run = sandbox.json(0, &["run", "w.yaml"]);
    let files = snapshots(&sandbox.data());
    assert!(!files.is_empty(), "{} events deserve a snapshot", run["version"]);
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
    for file in &files {
        let mut bytes = fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(file, bytes).unwrap();
    }
    let found = sandbox.json(1, &["verify"]);
    let problems = found["problems"].as_array().unwrap();
    assert_eq!(problems.len(), files.len(), "{found}");
    assert!(problems[0]["what"].as_str().unwrap().contains("it is dropped"), "{found}");
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true, "a cache that is gone is no damage");
    assert_eq!(snapshots(&sandbox.data()), [] as [std::path::PathBuf; 0]);
    let status = sandbox.json(0, &["status", "last"]);
    assert_eq!(status["steps"], run["steps"]);
}

/// The file of the one long output in a data folder. What was said is another long blob.
fn blob_file(data: &Path) -> std::path::PathBuf {
    let mut files = fs::read_dir(data.join("blobs")).unwrap().map(|entry| entry.unwrap().path());
    let is_output = |file: &std::path::PathBuf| fs::read(file).unwrap().ends_with(b"yyy\"}");
    files.find(is_output).unwrap()
}

const LONG: &str = "head -c 100000 /dev/zero | tr -c x y";

/// Whoever met damage once went away with it, and the next one wrote on.
#[test]
fn damage_that_a_run_meets_stops_whatever_would_write_until_verify_finds_the_store_whole() {
    let sandbox = Sandbox::new();
    let steps = format!(
        "- {{id: a, run: \"{LONG}\"}}\n- {{id: w, wait_for: go}}\n- {{id: b, run: \"true\", if: steps.a.output.stdout | length > 9}}"
    );
    sandbox.write("w.yaml", format!("name: w\nsteps:\n{steps}\n"));
    sandbox.write("other.yaml", "name: other\nsteps: [{id: a, run: 'true'}]");
    sandbox.json(4, &["run", "w.yaml", "--id", "met"]);
    let blob = blob_file(&sandbox.data());
    let whole = fs::read(&blob).unwrap();
    let mut damaged = whole.clone();
    damaged[50_000] ^= 1;
    fs::write(&blob, damaged).unwrap();
    sandbox.json(0, &["signal", "met", "go"]);
    sandbox.json(7, &["resume", "met"]);
    for verb in
        [["run", "other.yaml"].as_slice(), &["cancel", "met"], &["resume", "--all"], &["pause", "met"]]
    {
        let refused = sandbox.json(7, verb);
        assert_eq!(refused["error"]["code"], "RE-4001", "{verb:?}: {refused}");
        assert!(refused["error"]["hint"].as_str().unwrap().contains("reenact verify"), "{refused}");
    }
    assert_eq!(sandbox.json(0, &["list"])["runs"][0]["run"], "met");
    assert_eq!(sandbox.count("met", "signal_received", None), 1);
    assert_eq!(sandbox.json(1, &["verify"])["problems"].as_array().unwrap().len(), 1);
    sandbox.json(7, &["run", "other.yaml"]);

    fs::write(&blob, whole).unwrap();
    sandbox.json(7, &["run", "other.yaml"]);
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
    sandbox.json(0, &["run", "other.yaml"]);
    assert_eq!(sandbox.json(0, &["resume", "met"])["status"], "completed");
}

/// A damaged file may say that it is longer than there is memory.
#[test]
fn a_blob_that_grew_beyond_all_bounds_is_a_finding() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", format!("name: w\nsteps:\n- {{id: a, run: \"{LONG}\"}}\n"));
    sandbox.json(0, &["run", "w.yaml"]);
    let blob = fs::OpenOptions::new().write(true).open(blob_file(&sandbox.data())).unwrap();
    for bytes in [200 << 20, 1_u64 << 40] {
        blob.set_len(bytes).unwrap();
        assert_eq!(sandbox.json(1, &["verify"])["problems"].as_array().unwrap().len(), 1);
    }
}
