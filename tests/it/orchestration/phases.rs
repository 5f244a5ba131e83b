//! A phase stands for its steps: for what is shown, tried again, kept, and paused after.

use serde_json::{Value, json};

use super::{log, with};

const PHASED: &str = "name: phased
on_failure: stop
steps:
  - {id: a, run: echo a >> log, phase: first, compensate: {run: echo undo a >> log}}
  - {id: b, run: echo b >> log, phase: first, compensate: {run: echo undo b >> log}}
  - {id: c, run: 'echo c >> log; [ -e works ]', phase: second, compensate: {run: echo undo c >> log}}
  - {id: d, run: echo d >> log, phase: second, compensate: {run: echo undo d >> log}}
";

/// Name, status, and how far each phase is.
fn phases(report: &Value) -> Vec<(String, String, u64, u64)> {
    let text = |phase: &Value, key: &str| phase[key].as_str().unwrap().to_owned();
    let number = |phase: &Value, key: &str| phase[key].as_u64().unwrap();
    let phases = report["phases"].as_array().unwrap().iter();
    let all = phases.map(|phase| {
        (text(phase, "name"), text(phase, "status"), number(phase, "done"), number(phase, "total"))
    });
    all.collect()
}

fn phase(name: &str, status: &str, done: u64) -> (String, String, u64, u64) {
    (name.to_owned(), status.to_owned(), done, 2)
}

#[test]
fn a_run_pauses_after_a_phase_and_says_how_far_each_is() {
    let sandbox = with(PHASED);
    sandbox.write("works", "");
    let report = sandbox.json(4, &["run", "w.yaml", "--id", "r", "--until", "first"]);
    assert_eq!(report["status"], "paused");
    assert_eq!(phases(&report), [phase("first", "completed", 2), phase("second", "pending", 0)]);
    assert_eq!(report["steps"][0]["phase"], "first");
    let shown = sandbox.reenact(&["status", "r"]).stdout;
    assert!(shown.contains("phases: first completed (2 of 2), second pending (0 of 2)"), "{shown}");
    sandbox.json(0, &["unpause", "r"]);
    let report = sandbox.json(0, &["resume", "r"]);
    assert_eq!(phases(&report), [phase("first", "completed", 2), phase("second", "completed", 2)]);
}

#[test]
fn a_phase_is_tried_again_and_kept_by_its_name() {
    let sandbox = with(PHASED);
    let failed = sandbox.json(1, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(phases(&failed), [phase("first", "completed", 2), phase("second", "failed", 0)]);
    let error = sandbox.json(2, &["retry", "r", "--step", "first"])["error"].clone();
    assert_eq!(error["code"], "RE-2007", "nothing of it failed: {error}");
    sandbox.write("works", "");
    sandbox.json(0, &["retry", "r", "--step", "second"]);
    let plan = sandbox.json(0, &["rollback", "r", "--to", "first", "--dry-run"]);
    assert_eq!(plan["order"], json!([["d"], ["c"]]));
    let back = sandbox.json(3, &["rollback", "r", "--to", "first"]);
    assert_eq!(
        (&back["rolled_back_to"], phases(&back)[1].clone()),
        (&"first".into(), phase("second", "compensated", 2))
    );
    assert_eq!(log(&sandbox), ["a", "b", "c", "c", "d", "undo d", "undo c"]);
}

#[test]
fn a_phase_that_is_not_there_starts_nothing() {
    let sandbox = with(PHASED);
    let error = sandbox.json(2, &["run", "w.yaml", "--until", "frist"])["error"].clone();
    assert_eq!((&error["code"], &error["hint"]), (&"RE-2009".into(), &"did you mean `first`?".into()));
    assert_eq!(log(&sandbox), [""; 0]);
}
