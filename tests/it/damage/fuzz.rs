//! Whatever is done to a store's files, `verify` answers with a report, and nothing is written to what it finds damaged.
//!
//! `REENACT_DAMAGE_SEEDS=FROM..TO` tries those seeds, instead of the few that fit into a run of all tests. A seed says
//! which files are damaged, and how: it can be repeated alone.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reenact::testing::Dice;

use crate::support::{Ended, Sandbox, copy_folder};

/// How much address space `verify` may take, in KiB: far more than it needs, and far less than a length that a changed bit
/// makes up.
const SPACE_KIB: u64 = 4 * 1024 * 1024;

/// How long a file becomes that is to be very long: nobody may read it into memory.
const LONG_BYTES: u64 = 5 << 30;

/// The seeds that are tried where nobody names others.
const SEEDS: std::ops::Range<u64> = 0..14;

fn seeds() -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("REENACT_DAMAGE_SEEDS") else { return SEEDS };
    let (from, to) = text.split_once("..").expect("REENACT_DAMAGE_SEEDS=FROM..TO");
    from.parse().unwrap()..to.parse().unwrap()
}

/// A store with something of everything: short and long commits, blobs in the tree and in files, snapshots, read models,
/// and a run that waits.
fn whole_store(sandbox: &Sandbox) {
    sandbox.write("waits.yaml", "name: waits\nsteps: [{id: w, wait_for: go}]");
    sandbox.write("small.yaml", "name: small\nsteps: [{id: a, for_each: [1, 2, 3], run: 'true'}]");
    sandbox.write("wide.yaml", "name: wide\nsteps: [{id: a, for_each: range(400), sleep: 1ms}]");
    let long = "x".repeat(200);
    sandbox.write("long.yaml", format!("name: long\nsteps: [{{id: a, run: 'for i in 1 2 3 4; do echo {long}; done'}}, {{id: b, run: 'head -c 100000 /dev/zero | tr \"\\0\" y'}}]"));
    sandbox.json(4, &["run", "waits.yaml", "--id", "waits"]);
    for workflow in ["small.yaml", "wide.yaml", "long.yaml", "small.yaml"] {
        sandbox.json(0, &["run", workflow]);
    }
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

/// The files of a kind in a data folder, in an order of their own.
fn files(data: &Path, folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![data.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// Does something to one file; answers what.
fn damage(data: &Path, dice: &mut Dice) -> String {
    let file = match dice.below(12) {
        0..=6 => data.join("events/db"),
        7 => pick(&files(data, "events"), dice),
        8 => pick(&files(data, "blobs"), dice),
        9 => pick(&files(data, "snapshots"), dice),
        10 => data.join("mark"),
        _ => pick(&[files(data, "blobs"), files(data, "events")].concat(), dice),
    };
    if !file.exists() || file.metadata().unwrap().len() >= LONG_BYTES / 16 {
        return "what is gone or very long is left as it is".to_owned();
    }
    let mut bytes = fs::read(&file).unwrap();
    // sled makes its file longer than what is in it.
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
    let at = dice.below(used);
    let length = (1 << dice.below(17)).min(used - at);
    let what = match dice.below(9) {
        0..=2 => {
            bytes[at] ^= 1 << dice.below(8);
            "a bit is changed"
        }
        3 => {
            bytes[at..at + length].fill(0);
            "zeros"
        }
        4 => {
            bytes[at..at + length].fill_with(|| dice.roll() as u8);
            "noise"
        }
        5 => {
            bytes.truncate(at);
            "cut off"
        }
        6 => {
            let piece = bytes[at..at + length].to_vec();
            let to = dice.below(used - length + 1);
            bytes[to..to + length].copy_from_slice(&piece);
            "a piece comes twice"
        }
        7 => {
            // sled looks at every part of its own file.
            let length = if file.ends_with("events/db") { LONG_BYTES / 16 } else { LONG_BYTES };
            OpenOptions::new().write(true).open(&file).unwrap().set_len(length).unwrap();
            return format!("{}: very long", file.display());
        }
        _ => {
            fs::remove_file(&file).unwrap();
            return format!("{}: gone", file.display());
        }
    };
    fs::write(&file, bytes).unwrap();
    format!("{}: {what} at {at}, {length} bytes", file.display())
}

fn pick(files: &[PathBuf], dice: &mut Dice) -> PathBuf {
    files[dice.below(files.len())].clone()
}

/// Runs a verb that may take so much memory and no more.
fn bounded(sandbox: &Sandbox, arguments: &[&str]) -> Ended {
    let verb = sandbox.command(arguments);
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("ulimit -v {SPACE_KIB}; exec \"$0\" \"$@\""));
    shell.arg(verb.get_program()).args(verb.get_args());
    shell.current_dir(verb.get_current_dir().unwrap()).env_clear().stdin(Stdio::null());
    shell.envs(verb.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = sandbox.start(shell).wait();
    assert!(!ended.stderr.contains("panicked"), "{ended}");
    ended
}

/// Looks at a damaged store with every kind of verb.
fn look(sandbox: &Sandbox, did: &str) {
    let verified = bounded(sandbox, &["--json", "verify"]);
    let report = verified.json();
    let problems = report["problems"].as_array().unwrap();
    assert_eq!(report["ok"], problems.is_empty(), "{did}: {report}");
    assert_eq!(verified.code(), Some(i32::from(!problems.is_empty())), "{did}: {verified}");
    let is_cache = |what: &str| what.contains("it is dropped");
    let is_damaged = problems.iter().any(|problem| !is_cache(problem["what"].as_str().unwrap()));
    if !is_damaged {
        assert_eq!(sandbox.json(0, &["verify"])["ok"], true, "{did}: {report}");
        sandbox.json(0, &["run", "small.yaml"]);
        assert_eq!(sandbox.json(0, &["verify"])["ok"], true, "{did}: {report}");
        return;
    }
    for verb in [["run", "small.yaml"].as_slice(), &["signal", "waits", "go"]] {
        let refused = bounded(sandbox, &[&["--json"], verb].concat());
        assert_eq!(refused.code(), Some(7), "{did}: {refused}");
        assert_eq!(refused.json()["error"]["code"], "RE-4001", "{did}");
    }
    let listed = bounded(sandbox, &["--json", "list"]);
    if report["events"] != 0 {
        assert_eq!(listed.code(), Some(0), "{did}: {report}\n{listed}");
        assert_ne!(listed.json()["runs"].as_array().unwrap().len(), 0, "{did}: {report}\n{listed}");
    }
    let again = bounded(sandbox, &["--json", "verify"]);
    assert_eq!(again.code(), Some(1), "{did}: {report}, then {again}");
}

#[test]
fn whatever_is_done_to_a_store_verify_reports_it_and_nothing_is_written_to_what_is_damaged() {
    let sandbox = Sandbox::new();
    whole_store(&sandbox);
    let (good, data) = (sandbox.root().join("good"), sandbox.data());
    fs::rename(&data, &good).unwrap();
    // What is looked at need not survive a power cut.
    sandbox.write("reenact.toml", "[store]\ndurability = \"process\"\n");
    for seed in seeds() {
        let _ = fs::remove_dir_all(&data);
        copy_folder(&good, &data);
        let mut dice = Dice::of(seed);
        let did: Vec<_> = (0..1 + dice.below(2)).map(|_| damage(&data, &mut dice)).collect();
        eprintln!("seed {seed}: {did:?}");
        look(&sandbox, &format!("seed {seed}: {did:?}"));
    }
}
