//! What nobody answers in time is refused, late rather than never, and keeps no process waiting.

use super::{log, step, with};
use crate::support::{Sandbox, wait_for};

/// A request that expires so soon that a test need not wait for long, and so late that the run rests before it does.
fn expired(workflow: &str) -> Sandbox {
    let sandbox = with(workflow);
    let report = sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    let expires = report["waiting_for"][0]["expires"].as_str().unwrap().to_owned();
    // Time passes, and nobody drives the run: nothing happens by itself.
    wait_for("its time is over", || {
        let now = std::process::Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%S"]).output().unwrap();
        (String::from_utf8(now.stdout).unwrap().trim() > &expires[..19]).then_some(())
    });
    assert_eq!(sandbox.status("r")["status"], "waiting");
    sandbox
}

#[test]
fn a_request_that_nobody_answered_is_refused_when_the_run_is_next_driven() {
    let sandbox = expired(
        "name: w\non_failure: stop\nsteps: [{id: a, run: echo a >> log, approve: before, expires: 300ms}]",
    );
    let text = sandbox.reenact(&["status", "r"]).stdout;
    assert!(
        text.contains("  … a  waiting, in vain\n") && text.contains("waited in vain for the approval"),
        "{text}"
    );
    let report = sandbox.json(1, &["resume", "r"]);
    assert_eq!(step(&report, "a")["error"]["code"], "RE-3019", "{report:#}");
    assert_eq!(sandbox.count("r", "approval_expired", None), 1);
    assert_eq!(sandbox.json(2, &["approve", "r", "a"])["error"]["code"], "RE-2014");
    assert_eq!(log(&sandbox), [""; 0]);
    // Asked again, there is time again.
    let again = sandbox.json(4, &["retry", "r"]);
    assert_eq!(again["waiting_for"][0]["kind"], "approval");
}

#[test]
fn all_runs_are_resumed_that_wait_in_vain() {
    let sandbox =
        expired("name: w\non_failure: stop\nsteps: [{id: a, run: 'true', approve: before, expires: 300ms}]");
    let ended = sandbox.reenact(&["--json", "resume", "--all"]);
    assert_eq!(ended.code(), Some(1), "{ended}");
    assert_eq!(ended.json()["status"], "failed");
}

#[test]
fn a_signal_that_does_not_come_in_time_fails_its_step_and_the_run_goes_on_without_it() {
    let sandbox = expired(
        "name: w
steps:
  - {id: a, wait_for: go, timeout: 300ms, on_error: continue}
  - {id: b, run: echo b >> log}
",
    );
    let report = sandbox.json(0, &["resume", "r"]);
    assert_eq!(step(&report, "a")["error"]["code"], "RE-3020", "{report:#}");
    assert_eq!((&report["degraded"], log(&sandbox)), (&true.into(), vec!["b".to_owned()]));
}

#[test]
fn a_late_answer_is_refused_also_while_nobody_has_recorded_that() {
    let sandbox = expired("name: w\nsteps: [{id: a, run: echo a >> log, approve: before, expires: 300ms}]");
    let version = sandbox.status("r")["version"].clone();
    let refused = sandbox.json(2, &["approve", "r", "a"]);
    assert_eq!(refused["error"]["code"], "RE-2014", "{refused}");
    assert!(refused["error"]["message"].as_str().unwrap().contains("expired"), "{refused}");
    assert_eq!(sandbox.status("r")["version"], version, "nothing has changed");
    assert_eq!(sandbox.json(1, &["resume", "r"])["status"], "failed");
    assert_eq!(sandbox.count("r", "approval_expired", None), 1);
}

#[test]
fn a_late_signal_is_refused_also_while_nobody_has_recorded_that() {
    let sandbox = expired("name: w\nsteps: [{id: a, wait_for: go, timeout: 300ms}]");
    let version = sandbox.status("r")["version"].clone();
    let refused = sandbox.json(2, &["signal", "r", "go", "1"]);
    assert_eq!(refused["error"]["code"], "RE-2014", "{refused}");
    assert_eq!(sandbox.status("r")["version"], version, "nothing has changed");
    let report = sandbox.json(1, &["resume", "r"]);
    assert_eq!(report["error"]["code"], "RE-3020", "{report:#}");
}
