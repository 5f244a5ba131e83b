//! A phase stands for its steps: for what is shown, tried again, kept, and paused after.

use serde_json::{Value, json};

use super::{first, log, step, waiting, with};

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

const ASKED: &str = "name: asked
phases: {make: {approve: after, approvers: [ada], checklist: [It runs]}}
steps:
  - {id: a, run: 'echo a >> log; echo \"one | two\"', phase: make, compensate: {run: echo undo a >> log}}
  - {id: b, for_each: [1, 2], run: 'echo b >> log', phase: make, compensate: {run: echo undo b >> log}}
  - {id: c, run: echo c >> log}
";

#[test]
fn a_whole_phase_is_asked_about_once_and_its_page_tells_of_all_its_steps() {
    let (sandbox, report) = waiting(ASKED);
    let waits = &report["waiting_for"];
    assert_eq!(waits.as_array().unwrap().len(), 1, "{waits:#}");
    assert_eq!((&waits[0]["kind"], &waits[0]["phase"]), (&"approval".into(), &"make".into()));
    assert_eq!(phases(&report), [phase("make", "waiting", 2)]);
    assert_eq!(step(&report, "c")["status"], "pending");
    let steps: Vec<_> = report["steps"].as_array().unwrap().iter().map(|step| step["id"].clone()).collect();
    assert_eq!(steps, ["a", "b", "b[0]", "b[1]", "c"], "what asks is no step of the report");
    assert_eq!(report["progress"], json!({"done": 4, "total": 5, "percent": 80}));
    let page = std::fs::read_to_string(waits[0]["file"].as_str().unwrap()).unwrap();
    assert!(page.contains("phase `make`: it is done"), "{page}");
    for row in
        [r"| `a` | completed | `shell` | 1 | `{", "| `b[1]` | completed | `shell` | 1 |", r"one \| two"]
    {
        assert!(page.contains(row), "{row}\n{page}");
    }
    assert!(!page.contains("--set"), "nothing of a phase can be set: {page}");
    let shown = sandbox.reenact(&["status", "r"]).stdout;
    assert!(shown.contains("waits for an approval of the phase `make` by ada"), "{shown}");

    let error = sandbox.json(2, &["approve", "r", "make", "--by", "ada", "--set", "x=1"])["error"].clone();
    assert_eq!(error["code"], "RE-2016", "{error}");
    sandbox.json(0, &["approve", "r", "make", "--by", "ada", "--check", "1"]);
    sandbox.json(0, &["approve", "r", "make", "--by", "ada"]);
    let report = sandbox.json(0, &["resume", "r"]);
    assert_eq!(report["waiting_for"], json!([]));
    assert_eq!(log(&sandbox), ["a", "b", "b", "c"]);
}

#[test]
fn a_phase_that_is_refused_undoes_all_of_it() {
    let (sandbox, report) = waiting(ASKED);
    sandbox.json(0, &["reject", "r", &first(&report), "--by", "ada", "--reason", "not like this"]);
    let report = sandbox.json(3, &["resume", "r"]);
    assert_eq!(report["status"], "compensated");
    let error = &report["error"];
    assert_eq!((&error["class"], &error["step"]), (&"validation".into(), &"phase:make".into()), "{error}");
    assert_eq!(log(&sandbox), ["a", "b", "b", "undo b", "undo b", "undo a"]);
}

#[test]
fn before_a_phase_nothing_of_it_starts_until_it_is_granted() {
    let (sandbox, report) = waiting(&ASKED.replace("after", "before"));
    assert_eq!(log(&sandbox), [""; 0]);
    let page = std::fs::read_to_string(report["waiting_for"][0]["file"].as_str().unwrap()).unwrap();
    assert!(page.contains("phase `make`: may it start?") && page.contains("| `a` | pending |"), "{page}");
    assert!(page.contains("echo a >> log"), "what is known of it is told: {page}");
    sandbox.json(0, &["approve", "r", "make", "--by", "ada"]);
    sandbox.json(0, &["resume", "r"]);
    assert_eq!(log(&sandbox), ["a", "b", "b", "c"]);
}

#[test]
fn a_phase_that_no_step_has_is_an_error_that_starts_nothing() {
    let sandbox = with(&ASKED.replace("phases: {make:", "phases: {mkae:"));
    let error = sandbox.json(2, &["run", "w.yaml"])["error"].clone();
    assert_eq!((&error["code"], &error["hint"]), (&"RE-1118".into(), &"did you mean `make`?".into()));
    assert_eq!(log(&sandbox), [""; 0]);
}
