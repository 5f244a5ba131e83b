//! Time in which a run worked, and time in which it waited for somebody.

use std::time::Duration;

use reenact::events::time::Timestamp;
use serde_json::Value;

use super::waiting;
use crate::support::Sandbox;

/// When the first event of a type was recorded.
fn at(history: &[Value], kind: &str) -> Timestamp {
    let event = history.iter().find(|event| event["type"] == kind).unwrap();
    Timestamp::parse(event["at"].as_str().unwrap()).unwrap()
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap()
}

#[test]
fn time_in_which_somebody_was_waited_for_is_told_apart_and_follows_from_the_events() {
    let sandbox = Sandbox::new();
    waiting(&sandbox, "r");
    sleep_for(&sandbox, 100);
    let so_far = sandbox.status("r")["waiting_ms"].as_u64().unwrap();
    sandbox.json(0, &["signal", "r", "go"]);
    // It was sent, and nobody drives the run: nothing of it runs yet.
    assert!(sandbox.status("r")["waiting_ms"].as_u64().unwrap() >= so_far);
    let report = sandbox.json(0, &["resume", "r"]);
    let history = sandbox.history("r");
    let waited = at(&history, "attempt_started").since(at(&history, "signal_awaited"));
    let all = at(&history, "run_completed").since(at(&history, "run_started"));
    assert_eq!(report["waiting_ms"], millis(waited), "{report:#}");
    assert_eq!(report["duration_ms"], millis(all));
    assert_eq!(sandbox.status("r")["waiting_ms"], millis(waited), "it has ended");
    let then = sandbox.json(0, &["replay", "r", "--at", &version(&history, "signal_received").to_string()]);
    let by_then = at(&history, "signal_received").since(at(&history, "signal_awaited"));
    assert_eq!(then["waiting_ms"], millis(by_then), "as it was");
    let text = sandbox.reenact(&["status", "r"]).stdout;
    assert!(waited >= Duration::from_millis(100), "too fast to be told: {waited:?}");
    assert!(text.lines().next().unwrap().contains(" (waited "), "{text}");
}

/// A step looked as if it had worked all the time in which a person thought about it.
#[test]
fn of_each_step_too_it_is_told_apart_how_long_its_run_waited() {
    let sandbox = Sandbox::new();
    let text = "name: w\nsteps:\n  - {id: a, run: 'test -e ok'}\n  - {id: b, run: 'true', approve: after}\n  - {id: c, run: 'true'}\n";
    sandbox.write("w.yaml", text);
    sandbox.json(1, &["run", "w.yaml", "--id", "r"]);
    sandbox.write("ok", "");
    sleep_for(&sandbox, 300);
    sandbox.json(4, &["retry", "r"]);
    sleep_for(&sandbox, 300);
    sandbox.json(0, &["approve", "r", "b"]);
    let report = sandbox.json(0, &["resume", "r"]);
    let history = sandbox.history("r");
    let step = |place: usize| report["steps"][place].clone();
    let retried = at(&history, "retry_requested").since(at(&history, "run_failed"));
    let granted = at(&history, "approval_granted").since(at(&history, "approval_requested"));
    assert!(retried >= Duration::from_millis(300) && granted >= Duration::from_millis(300));
    for (step, waited) in [(step(0), retried), (step(1), granted)] {
        let of_step = step["waiting_ms"].as_u64().unwrap();
        assert!(of_step.abs_diff(millis(waited)) <= 100, "{waited:?}: {step:#}");
    }
    assert!(step(2)["waiting_ms"].is_null(), "{report:#}");
    let text = sandbox.reenact(&["status", "r"]).stdout;
    for line in text.lines().skip(1).take(2) {
        assert!(line.contains("ms (waited ") || line.contains("s (waited "), "{text}");
    }
}

/// Time passes in which nobody does anything.
fn sleep_for(sandbox: &Sandbox, ms: u64) {
    let text = format!("name: nap\nsteps: [{{id: nap, sleep: {ms}ms}}]\n");
    sandbox.write("nap.yaml", text);
    sandbox.json(0, &["run", "nap.yaml"]);
}

fn version(history: &[Value], kind: &str) -> u64 {
    history.iter().find(|event| event["type"] == kind).unwrap()["version"].as_u64().unwrap()
}

#[test]
fn a_run_that_only_works_has_not_waited() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "name: w\nsteps: [{id: a, run: 'true'}, {id: b, sleep: 150ms}, {id: c, run: 'true'}]",
    );
    let report = sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(report["waiting_ms"], 0, "{report:#}");
    assert!(!sandbox.reenact(&["status", "r"]).stdout.contains("waited"));
}
