//! What an older version wrote, this version reads, tells as it was told then, and goes on with.
//!
//! `tests/fixtures/store-0.1` is a data folder that the build of that version made, killed in the middle of what it did,
//! with what its `status` and `replay --at` told of each run. It is never made anew.

mod large;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::Sandbox;

/// What depends on when it is asked, on who holds the store meanwhile, or on where the data folder is.
const OF_THE_MOMENT: &[&str] = &["duration_ms", "driven", "waiting_ms", "file", "rollback_file"];

/// A sandbox whose data folder is the older version's, as another machine finds it: a copy.
fn older() -> Sandbox {
    let sandbox = Sandbox::new();
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store-0.1/store.tar.gz");
    let unpacked = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(sandbox.root()).status();
    assert!(unpacked.unwrap().success());
    sandbox
}

/// What the older version told of its runs: which run, at which version, and what.
fn told(sandbox: &Sandbox) -> Vec<(String, Option<String>, Value)> {
    let mut told: Vec<PathBuf> =
        fs::read_dir(sandbox.root().join("told")).unwrap().map(|entry| entry.unwrap().path()).collect();
    told.sort();
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (run, at) = match name.split_once('@') {
            Some((run, at)) => (run.to_owned(), Some(at.to_owned())),
            None => (name, None),
        };
        (run, at, serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
    };
    told.into_iter().map(read).collect()
}

/// Where what is told now lacks something of what was told then, or says something else. More may be told now.
fn differences(at: &str, then: &Value, now: &Value, found: &mut Vec<String>) {
    match (then, now) {
        (Value::Object(then), Value::Object(now)) => {
            for (name, then) in then.iter().filter(|(name, _)| !OF_THE_MOMENT.contains(&name.as_str())) {
                differences(&format!("{at}.{name}"), then, now.get(name).unwrap_or(&Value::Null), found);
            }
        }
        (Value::Array(then), Value::Array(now)) if then.len() == now.len() => {
            // What would be done next is a set.
            let sorted = |list: &[Value]| {
                let mut list = list.to_vec();
                list.sort_by_key(
                    |item| if at.ends_with(".effects") { item.to_string() } else { String::new() },
                );
                list
            };
            let (then, now) = (sorted(then), sorted(now));
            for (place, (then, now)) in then.iter().zip(&now).enumerate() {
                differences(&format!("{at}[{place}]"), then, now, found);
            }
        }
        _ if then == now => {}
        // Where an agent would stand that is none, but a run of its own.
        _ if at.ends_with(".agent") && *then == "workflow" && now.is_null() => {}
        // That was said also where nothing had been written; now a command is named that shows something.
        _ if at.ends_with(".error.hint") && *then == "see what it wrote to stderr" => {}
        _ => found.push(format!("{at} was {then} and is {now}")),
    }
}

#[test]
fn each_run_is_told_as_it_was_told_then_now_and_in_the_middle() {
    let sandbox = older();
    let (mut found, mut seen) = (Vec::new(), 0);
    for (run, at, then) in told(&sandbox) {
        let now = match &at {
            None => sandbox.status(&run),
            Some(at) => sandbox.json(0, &["replay", &run, "--at", at]),
        };
        differences(&run, &then, &now, &mut found);
        seen += 1;
    }
    assert!(seen >= 40, "{seen}");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_store_is_whole_and_every_run_is_listed() {
    let sandbox = older();
    let verified = sandbox.json(0, &["verify"]);
    assert_eq!(
        (verified["ok"].as_bool(), verified["events"].as_u64()),
        (Some(true), Some(1470)),
        "{verified}"
    );
    let listed = sandbox.json(0, &["list", "--limit", "100"]);
    let status = |run: &str| {
        let rows = listed["runs"].as_array().unwrap();
        rows.iter()
            .find(|row| row["run"] == run)
            .map(|row| row["status"].as_str().unwrap().to_owned())
            .unwrap()
    };
    for (run, at, then) in told(&sandbox) {
        // A parent whose child waits was listed as `running` then.
        if at.is_none() && run != "parent-waits" {
            assert_eq!(status(&run), then["status"], "{run}");
        }
    }
}

#[test]
fn rounds_whose_undoing_had_begun_all_at_once_go_on_so() {
    let sandbox = older();
    fs::write(sandbox.tmp().join("let-go"), "").unwrap();
    let run = sandbox.json(3, &["resume", "rounds"]);
    assert_eq!(run["status"], "compensated");
    let undone = fs::read_to_string(sandbox.tmp().join("rounds")).unwrap();
    let mut undone: Vec<_> = undone.lines().collect();
    undone.sort_unstable();
    // The other two were undone by the older version.
    assert_eq!(undone, ["undo poll#2", "undo poll#3"]);
    assert_eq!(sandbox.count("rounds", "attempt_lost", None), 2);
}

#[test]
fn what_waited_for_people_goes_on_with_their_answers() {
    let sandbox = older();
    sandbox.json(0, &["approve", "asks", "plan", "--set", "n:=5", "--by", "ada"]);
    sandbox.json(0, &["approve", "asks", "ship", "--by", "bob"]);
    sandbox.json(0, &["signal", "asks", "go", "\"now\""]);
    let run = sandbox.json(0, &["resume", "asks"]);
    assert_eq!(run["output"], "now", "{run}");
    assert_eq!(fs::read_to_string(sandbox.tmp().join("shipped")).unwrap(), "ship\n");
    // Of the two grants that `ship` needs, the older version recorded one.
    assert_eq!(sandbox.count("asks", "approval_granted", None), 3);
}

#[test]
fn what_was_killed_in_the_middle_goes_on_there() {
    let sandbox = older();
    fs::write(sandbox.tmp().join("let-go"), "").unwrap();
    let run = sandbox.json(0, &["resume", "plans-killed"]);
    assert_eq!((run["output"].as_str(), run["status"].as_str()), (Some("2"), Some("completed")), "{run}");
    let child = sandbox.status("parent-waits")["children"][0]["run"].as_str().unwrap().to_owned();
    sandbox.json(0, &["signal", &child, "go"]);
    let parent = sandbox.json(0, &["resume", "parent-waits"]);
    assert_eq!(parent["output"], "got child 2", "{parent}");
    assert_eq!(sandbox.json(0, &["resume", "pending"])["status"], "completed");
    sandbox.json(0, &["unpause", "paused"]);
    assert_eq!(sandbox.json(0, &["resume", "paused"])["status"], "completed");
}

#[test]
fn what_had_ended_is_undone_retried_and_settled() {
    let sandbox = older();
    fs::write(sandbox.tmp().join("let-go"), "").unwrap();
    sandbox.json(0, &["rollback", "resolve", "stuck", "a", "--retry", "--reason", "mended"]);
    assert_eq!(sandbox.json(3, &["resume", "stuck"])["status"], "compensated");
    assert_eq!(sandbox.json(3, &["rollback", "parent-done"])["status"], "compensated");
    let undone = fs::read_to_string(sandbox.tmp().join("child")).unwrap();
    assert_eq!(undone, "undo child\nundo before\n");
    assert_eq!(sandbox.json(3, &["rollback", "failed"])["status"], "compensated");
    assert_eq!(sandbox.json(0, &["retry", "back"])["status"], "completed");
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}
