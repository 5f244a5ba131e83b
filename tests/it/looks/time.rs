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
