//! SIGINT and SIGTERM: nothing new starts, what runs gets a grace, what is over is stopped, nothing is lost.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::crash::group_lives;
use crate::support::{Process, Sandbox, wait_for, wait_until};

const RUN: &str = "interrupted";

/// Two steps side by side and one after them, each of which says that it starts. The first of them is done when the
/// file `go` is there.
const WORKFLOW: &str = "name: interrupted
steps:
  - id: first
    run: echo first >> log; for _ in $(seq 1000); do [ -e go ] && break; sleep 0.01; done; echo first-done >> log
  - id: second
    run: echo second >> log
";

/// One whose only step, and what it starts, ignores TERM.
const STUBBORN: &str = "name: stubborn
steps:
  - id: stubborn
    run: |
      trap '' TERM
      if [ $REENACT_ATTEMPT = 1 ]; then
        (for _ in $(seq 30); do sleep 1; done) &
        echo $$ >> group
        for _ in $(seq 30); do sleep 1; done
      fi
";

fn start(sandbox: &Sandbox, text: &str, grace: &str) -> Process {
    sandbox.write("workflow.yaml", text);
    sandbox.start(with_grace(sandbox.command(&["run", "workflow.yaml", "--id", RUN]), grace))
}

fn with_grace(mut command: Command, grace: &str) -> Command {
    command.env("REENACT_SHUTDOWN__GRACE", grace).env("REENACT_PROCESS__GRACE", "100ms");
    command
}

fn log(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.work("log")).unwrap_or_default()
}

fn lost_in_order(sandbox: &Sandbox) -> usize {
    let history = sandbox.history(RUN);
    history
        .iter()
        .filter(|event| event["type"] == "attempt_lost" && event["data"]["interrupted"] == true)
        .count()
}

#[test]
fn what_runs_may_end_within_the_grace_and_nothing_new_starts() {
    let sandbox = Sandbox::new();
    let mut process = start(&sandbox, WORKFLOW, "30s");
    wait_until("the first step runs", || log(&sandbox) == "first\n");
    process.terminate();
    wait_until("it says so", || process.stderr().contains("what runs may end"));
    assert!(process.is_running());
    sandbox.write("go", "");
    let ended = process.wait();
    assert_eq!(ended.code(), Some(130), "{ended}");
    assert!(ended.stderr.contains(&format!("reenact resume {RUN}")), "{ended}");
    assert_eq!(log(&sandbox), "first\nfirst-done\n");
    let report = sandbox.status(RUN);
    assert_eq!((&report["status"], &report["driven"]), (&"running".into(), &false.into()));
    let of_steps: Vec<_> =
        report["steps"].as_array().unwrap().iter().map(|step| step["status"].clone()).collect();
    assert_eq!(of_steps, ["completed", "pending"]);
    assert_eq!(sandbox.json(0, &["resume", RUN])["status"], "completed");
    assert_eq!(log(&sandbox), "first\nfirst-done\nsecond\n");
    assert_eq!(sandbox.count(RUN, "attempt_lost", None), 0);
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

#[test]
fn what_is_not_done_after_the_grace_is_stopped_with_all_that_it_started() {
    let sandbox = Sandbox::new();
    let process = start(&sandbox, STUBBORN, "100ms");
    // A file is there before anything is in it.
    let group = wait_for("the stubborn step runs", || {
        fs::read_to_string(sandbox.work("group")).ok().filter(|group| group.ends_with('\n'))
    });
    assert!(group_lives(group.trim()));
    process.interrupt();
    let ended = process.wait();
    assert_eq!(ended.code(), Some(130), "{ended}");
    assert!(!group_lives(group.trim()), "it left a process behind");
    assert_eq!(lost_in_order(&sandbox), 1);
    assert_eq!(sandbox.status(RUN)["steps"][0]["status"], "pending");
    assert_eq!(sandbox.json(0, &["resume", RUN])["status"], "completed");
    assert_eq!(sandbox.count(RUN, "attempt_started", None), 2);
}

#[test]
fn a_program_is_told_how_an_interrupted_run_was_left() {
    let sandbox = Sandbox::new();
    sandbox.write("workflow.yaml", WORKFLOW);
    let command = sandbox.command(&["--json", "run", "workflow.yaml", "--id", RUN]);
    let process = sandbox.start(with_grace(command, "100ms"));
    wait_until("the first step runs", || log(&sandbox) == "first\n");
    process.terminate();
    let ended = process.wait();
    assert_eq!(ended.code(), Some(130), "{ended}");
    let report = ended.json();
    assert_eq!((&report["run"], &report["driven"]), (&RUN.into(), &false.into()));
    assert_eq!(report["steps"][0]["status"], "pending");
}

#[test]
fn a_second_signal_ends_the_grace() {
    let sandbox = Sandbox::new();
    let process = start(&sandbox, WORKFLOW, "1h");
    wait_until("the first step runs", || log(&sandbox) == "first\n");
    process.interrupt();
    wait_until("it says so", || process.stderr().contains("what runs may end"));
    let since = Instant::now();
    process.interrupt();
    let ended = process.wait();
    assert_eq!(ended.code(), Some(130), "{ended}");
    assert!(since.elapsed() < Duration::from_secs(10), "it took {:?}", since.elapsed());
    assert_eq!(lost_in_order(&sandbox), 1);
    sandbox.write("go", "");
    assert_eq!(sandbox.json(0, &["resume", RUN])["status"], "completed");
}

#[test]
fn a_process_that_is_interrupted_between_attempts_leaves_a_run_that_goes_on() {
    let sandbox = Sandbox::new();
    let text =
        "name: asleep\nsteps:\n  - id: nap\n    sleep: 400ms\n  - id: after\n    run: echo after >> log\n";
    let process = start(&sandbox, text, "1h");
    wait_until("somebody holds the store", || sandbox.data().join("control.sock").exists());
    wait_until("it sleeps", || sandbox.reenact(&["--json", "history", RUN]).stdout.contains("timer_set"));
    process.interrupt();
    assert_eq!(process.wait().code(), Some(130));
    assert_eq!(log(&sandbox), "");
    assert_eq!(sandbox.json(0, &["resume", RUN])["status"], "completed");
    assert_eq!((log(&sandbox).as_str(), sandbox.count(RUN, "timer_fired", None)), ("after\n", 1));
}

/// Deploys during a long step are no reason to give it up.
#[test]
fn interruptions_do_not_count_as_losses() {
    let sandbox = Sandbox::new();
    let text = format!("limits: {{lost: 2}}\n{WORKFLOW}");
    for times in 1..=5 {
        let process = match times {
            1 => start(&sandbox, &text, "1ms"),
            _ => sandbox.start(with_grace(sandbox.command(&["resume", RUN]), "1ms")),
        };
        wait_until("the first step runs", || log(&sandbox).lines().count() == times);
        process.interrupt();
        assert_eq!(process.wait().code(), Some(130));
    }
    assert_eq!(lost_in_order(&sandbox), 5);
    sandbox.write("go", "");
    assert_eq!(sandbox.json(0, &["resume", RUN])["status"], "completed");
}
