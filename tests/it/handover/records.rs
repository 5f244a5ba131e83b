//! Runs that nobody drives: detached ones, and those whose process was killed.

use super::{open, start_gated, starts, status};
use crate::support::Sandbox;

#[test]
fn a_detached_run_is_only_recorded_until_somebody_resumes_it() {
    let sandbox = Sandbox::new();
    let holder = start_gated(&sandbox, "holder");
    sandbox.write("later.yaml", "name: later\nsteps:\n  - id: a\n    run: echo 1 >> later.log\n");
    let recorded = sandbox.json(4, &["run", "later.yaml", "--id", "later", "--detach"]);
    assert_eq!((&recorded["status"], &recorded["driven"]), (&"pending".into(), &false.into()));
    // A run of another process that holds the store does not drive it.
    sandbox.json(0, &["list"]);
    assert_eq!((status(&sandbox, "later"), starts(&sandbox, "later")), ("pending".to_owned(), 0));
    open(&sandbox, "holder");
    assert_eq!(holder.wait().code(), Some(0));
    assert_eq!((status(&sandbox, "later"), starts(&sandbox, "later")), ("pending".to_owned(), 0));
    let resumed = sandbox.reenact(&["--json", "resume", "--all"]);
    assert_eq!(resumed.code(), Some(0), "{resumed}");
    assert_eq!(resumed.json()["run"], "later");
    assert_eq!(starts(&sandbox, "later"), 1);
}

#[test]
fn a_detached_run_is_recorded_without_a_holder_too() {
    let sandbox = Sandbox::new();
    sandbox.write("later.yaml", "name: later\nsteps:\n  - id: a\n    run: echo 1 >> later.log\n");
    assert_eq!(sandbox.json(4, &["run", "later.yaml", "--detach"])["status"], "pending");
    assert_eq!(starts(&sandbox, "later"), 0);
    assert_eq!(sandbox.json(0, &["resume"])["status"], "completed");
}

#[test]
fn a_run_whose_process_was_killed_says_how_to_go_on() {
    let sandbox = Sandbox::new();
    start_gated(&sandbox, "one").kill();
    let report = sandbox.status("one");
    assert_eq!((&report["status"], &report["driven"]), (&"running".into(), &false.into()));
    let shown = sandbox.reenact(&["status", "one"]);
    assert!(shown.stdout.contains("interrupted: reenact resume one"), "{shown}");
    assert_eq!(sandbox.count("one", "attempt_lost", None), 0, "looking on has recorded something");
    open(&sandbox, "one");
    assert_eq!(sandbox.json(0, &["resume"])["status"], "completed");
}

#[test]
fn resume_takes_the_one_interrupted_run_and_lists_several() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.json(2, &["resume"])["error"]["code"], "RE-1006");
    assert!(!sandbox.data().exists(), "a data folder was made");
    start_gated(&sandbox, "one").kill();
    start_gated(&sandbox, "two").kill();
    let several = sandbox.json(2, &["resume"]);
    let message = several["error"]["message"].as_str().unwrap();
    assert!(message.contains("one") && message.contains("two"), "{message}");
    open(&sandbox, "one");
    open(&sandbox, "two");
    assert_eq!(sandbox.json(0, &["resume", "one"])["run"], "one");
    assert_eq!(sandbox.json(0, &["resume"])["run"], "two");
    assert_eq!(sandbox.json(0, &["resume", "two"])["status"], "completed", "it answers with its result");
    assert_eq!(sandbox.json(2, &["resume"])["error"]["code"], "RE-1006");
}

#[test]
fn resuming_all_goes_on_with_all_and_tells_of_each() {
    let sandbox = Sandbox::new();
    for run in ["one", "two", "three"] {
        start_gated(&sandbox, run).kill();
        open(&sandbox, run);
    }
    sandbox.write("bad.yaml", "name: bad\nsteps:\n  - id: a\n    run: exit 65\n");
    sandbox.json(4, &["run", "bad.yaml", "--id", "bad", "--detach"]);
    let all = sandbox.reenact(&["--json", "resume", "--all"]);
    assert_eq!(all.code(), Some(1), "one failed: {all}");
    let mut ended: Vec<_> =
        all.json_lines().iter().map(|report| format!("{} {}", report["run"], report["status"])).collect();
    ended.sort();
    let expected =
        [r#""bad" "failed""#, r#""one" "completed""#, r#""three" "completed""#, r#""two" "completed""#];
    assert_eq!(ended, expected);
    assert_eq!(sandbox.reenact(&["resume", "--all"]).code(), Some(0));
}
