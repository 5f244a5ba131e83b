//! Pausing, going on, and ending.

use std::process::Command;

use serde_json::json;

use super::{log, open, said, start, status, steps, version, with_sale};
use crate::support::Sandbox;

#[test]
fn a_paused_run_lets_what_runs_end_and_starts_nothing() {
    let sandbox = with_sale();
    let run = start(&sandbox);
    let paused = sandbox.json(0, &["pause", "r", "--by", "ada", "--reason", "lunch"]);
    assert_eq!((&paused["run"], &paused["status"]), (&json!("r"), &json!("paused")));
    assert_eq!(paused["version"], version(&sandbox, "r"));
    assert_eq!(said(&sandbox, "r", "run_paused"), json!({"by": "ada", "reason": "lunch"}));
    let again = sandbox.json(0, &["pause", "r"]);
    assert_eq!(again, paused, "paused again it is as it was");
    open(&sandbox);
    let ended = run.wait();
    assert_eq!(ended.code(), Some(4), "{ended}");
    assert_eq!(steps(&ended.json()), ["completed", "completed", "pending"]);
    assert_eq!(status(&sandbox, "r"), ("paused".to_owned(), true), "it needs nobody but who unpauses it");
    assert_eq!(sandbox.json(4, &["resume", "r"])["status"], "paused");
    assert_eq!(sandbox.json(2, &["resume"])["error"]["code"], "RE-1006", "a paused run is not interrupted");
    assert_eq!(sandbox.reenact(&["--json", "resume", "--all"]).stdout, "");
    let unpaused = sandbox.json(0, &["unpause", "r"]);
    assert_eq!(unpaused["status"], "running");
    assert_eq!(status(&sandbox, "r"), ("running".to_owned(), false), "unpausing drives nothing");
    assert_eq!(sandbox.json(0, &["unpause", "r"])["version"], unpaused["version"]);
    assert_eq!(log(&sandbox), ["before", "work"]);
    assert_eq!(sandbox.json(0, &["resume"])["status"], "completed");
    assert_eq!(log(&sandbox), ["before", "work", "after"]);
}

#[test]
fn a_run_that_is_let_go_on_before_it_rests_goes_on_by_itself() {
    let sandbox = with_sale();
    let run = start(&sandbox);
    sandbox.json(0, &["pause", "r"]);
    assert_eq!(sandbox.json(0, &["unpause", "r"])["status"], "running");
    open(&sandbox);
    let ended = run.wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert_eq!(log(&sandbox), ["before", "work", "after"]);
}

#[test]
fn who_wants_something_is_the_user_of_the_operating_system_unless_it_is_said() {
    let sandbox = with_sale();
    open(&sandbox);
    sandbox.json(4, &["run", "sale.yaml", "--id", "r", "--detach"]);
    sandbox.json(0, &["pause", "r"]);
    let who = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    assert_eq!(said(&sandbox, "r", "run_paused"), json!({"by": who.trim(), "reason": null}));
}

#[test]
fn a_cancelled_run_stops_what_runs_and_ends() {
    let sandbox = with_sale();
    let run = start(&sandbox);
    sandbox.json(0, &["cancel", "r", "--reason", "a bad idea"]);
    let ended = run.wait();
    assert_eq!(ended.code(), Some(6), "{ended}");
    let report = ended.json();
    assert_eq!(report["status"], "cancelled");
    assert_eq!(steps(&report), ["completed", "cancelled", "pending"]);
    assert!(report["ended_at"].is_string(), "{report}");
    let cancelled = version(&sandbox, "r");
    assert_eq!(sandbox.json(0, &["cancel", "r"])["version"], cancelled, "cancelled again it is as it was");
    assert_eq!(sandbox.json(6, &["resume", "r"])["version"], cancelled);
    assert_eq!(log(&sandbox), ["before", "work"], "nothing is undone");
    assert_eq!(sandbox.json(0, &["list", "--status", "cancelled"])["runs"][0]["run"], "r");
}

#[test]
fn a_run_whose_process_was_killed_is_cancelled_at_once() {
    let sandbox = with_sale();
    start(&sandbox).kill();
    let cancelled = sandbox.json(0, &["cancel", "r"]);
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(sandbox.count("r", "attempt_lost", Some("work")), 1);
    assert_eq!(log(&sandbox), ["before", "work"]);
}

#[test]
fn a_run_that_is_cancelled_with_rollback_is_undone_by_who_drives_it() {
    let sandbox = with_sale();
    let run = start(&sandbox);
    sandbox.json(0, &["cancel", "r", "--rollback"]);
    let ended = run.wait();
    assert_eq!(ended.code(), Some(3), "{ended}");
    assert_eq!(steps(&ended.json()), ["compensated", "compensated", "pending"]);
    assert_eq!(log(&sandbox), ["before", "work", "undo work", "undo before"]);
    assert_eq!(sandbox.json(0, &["cancel", "r", "--rollback"])["status"], "compensated");
}

#[test]
fn a_run_that_nobody_drives_is_undone_when_somebody_resumes_it() {
    let sandbox = with_sale();
    start(&sandbox).kill();
    assert_eq!(sandbox.json(0, &["cancel", "r", "--rollback"])["status"], "compensating");
    assert_eq!(status(&sandbox, "r"), ("compensating".to_owned(), false));
    assert_eq!(log(&sandbox), ["before", "work"], "nobody drives it");
    assert_eq!(sandbox.json(0, &["list"])["runs"][0]["status"], "compensating");
    // Also while it is paused it is in the middle of being undone.
    assert_eq!(sandbox.json(0, &["pause", "r"])["status"], "paused");
    assert_eq!(sandbox.json(0, &["list"])["runs"][0]["status"], "paused");
    assert_eq!(sandbox.json(0, &["unpause", "r"])["status"], "compensating");
    assert_eq!(sandbox.json(0, &["list"])["runs"][0]["status"], "compensating");
    assert_eq!(sandbox.json(3, &["resume"])["status"], "compensated");
    assert_eq!(log(&sandbox), ["before", "work", "undo work", "undo before"]);
    assert_eq!(sandbox.json(0, &["list"])["runs"][0]["status"], "compensated");
}

#[test]
fn a_run_pauses_when_the_step_is_done_that_it_was_to_reach() {
    let sandbox = with_sale();
    open(&sandbox);
    let refused = sandbox.json(2, &["run", "sale.yaml", "--until", "wrok"]);
    assert_eq!(refused["error"]["code"], "RE-2009");
    assert_eq!(refused["error"]["hint"], "did you mean `work`?");
    assert!(!sandbox.data().exists(), "nothing was started");
    let report = sandbox.json(4, &["run", "sale.yaml", "--id", "r", "--until", "work"]);
    assert_eq!(report["status"], "paused");
    assert_eq!(steps(&report), ["completed", "completed", "pending"]);
    sandbox.json(0, &["unpause", "r"]);
    assert_eq!(sandbox.json(0, &["resume", "r"])["status"], "completed");
}

#[test]
fn a_run_that_takes_longer_than_its_time_fails_and_is_undone() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "slow.yaml",
        "name: slow
limits: {duration: 1h}
steps:
  - {id: a, run: echo a >> log, compensate: {run: echo undo a >> log}}
  - {id: b, run: sleep 600}
",
    );
    assert_eq!(sandbox.json(2, &["run", "slow.yaml", "--timeout", "soon"])["error"]["code"], "RE-1001");
    let mut command = sandbox.command(&["--json", "run", "slow.yaml", "--timeout", "500ms"]);
    command.env("REENACT_PROCESS__GRACE", "100ms");
    let ended = sandbox.start(command).wait();
    assert_eq!(ended.code(), Some(3), "{ended}");
    assert_eq!(ended.json()["error"]["code"], "RE-3016", "{ended}");
    assert_eq!(log(&sandbox), ["a", "undo a"]);
}
