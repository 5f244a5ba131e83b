//! `long-sleep.yaml`: a sleep that outlives its process.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::sandbox;
use crate::support::{Process, Sandbox, wait_until};

const FILE: &str = "examples/long-sleep.yaml";

/// The example with a shorter sleep.
fn sandbox_with_a_sleep_of(length: &str) -> Sandbox {
    let sandbox = sandbox();
    let text = fs::read_to_string(sandbox.work(FILE)).unwrap();
    assert!(text.contains("sleep: 30s"));
    sandbox.write(FILE, text.replace("sleep: 30s", &format!("sleep: {length}")));
    sandbox
}

/// Starts the run `nap`, and waits until it sleeps.
fn asleep(sandbox: &Sandbox) -> Process {
    let process = sandbox.spawn(&["run", FILE, "--id", "nap"]);
    wait_until("it sleeps", || {
        let looked = sandbox.reenact(&["--json", "history", "nap"]);
        looked.code() == Some(0) && looked.stdout.contains("\"timer_set\"")
    });
    process
}

/// Starts the run `nap` and kills its process while it sleeps. Answers when the sleep is to end.
fn killed_asleep(sandbox: &Sandbox) -> Timestamp {
    asleep(sandbox).kill();
    let report = sandbox.status("nap");
    assert_eq!((&report["status"], &report["driven"]), (&Value::from("running"), &Value::from(false)));
    moment(&report["waiting_for"][0]["expires"])
}

fn moment(text: &Value) -> Timestamp {
    text.as_str().unwrap().parse().unwrap()
}

#[test]
fn a_sleep_goes_on_after_a_kill_and_ends_when_it_was_to_end() {
    let sandbox = sandbox_with_a_sleep_of("2s");
    let due = killed_asleep(&sandbox);
    let report = sandbox.json(0, &["resume", "nap"]);
    let ended = moment(&report["steps"][1]["ended_at"]);
    assert!(ended >= due, "it ended at {ended}, before {due}");
    assert!(ended < due + SignedDuration::from_secs(2), "it slept anew: until {ended} instead of {due}");
    assert_eq!(sandbox.count("nap", "timer_set", None), 1);
    assert_eq!(sandbox.count("nap", "timer_fired", None), 1);
    assert_eq!(sandbox.count("nap", "attempt_started", Some("before")), 1, "what was done is not done again");
    let slept = report["output"]["slept"].as_str().unwrap();
    assert!(["2 seconds", "3 seconds", "4 seconds"].contains(&slept), "{slept}");
}

#[test]
fn whoever_resumes_after_the_time_does_not_wait() {
    let sandbox = sandbox_with_a_sleep_of("1s");
    let due = killed_asleep(&sandbox);
    wait_until("the time has come", || Timestamp::now() > due);
    let resumed = Timestamp::now();
    let report = sandbox.json(0, &["resume", "nap"]);
    let ended = moment(&report["ended_at"]);
    assert!(ended < resumed + SignedDuration::from_secs(1), "it slept anew: until {ended}");
}

#[test]
fn a_signal_ends_the_process_and_not_the_run() {
    let sandbox = sandbox_with_a_sleep_of("10m");
    let process = asleep(&sandbox);
    process.interrupt();
    let ended = process.wait();
    assert_eq!(ended.code(), Some(130), "{ended}");
    assert!(ended.stderr.contains("reenact resume nap"), "{ended}");
    let process = sandbox.spawn(&["resume", "nap"]);
    wait_until("it sleeps again", || sandbox.status("nap")["driven"] == true);
    process.terminate();
    let ended = process.wait();
    assert_eq!(ended.code(), Some(130), "{ended}");
    let report = sandbox.status("nap");
    assert_eq!((&report["status"], &report["driven"]), (&"running".into(), &false.into()));
    assert_eq!(report["steps"][1]["status"], "waiting");
}
