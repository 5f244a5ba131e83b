//! What decides how a program ended, and who may stop it.

use std::fs;

use crate::support::{Process, Sandbox, wait_until};

const RUN: &str = "ended";

/// A program that was done in time was recorded as timed out, tried again and undone, because a process that it had left in the
/// background kept its pipe open past the deadline.
#[test]
fn a_program_that_ends_in_time_has_ended_whoever_keeps_its_pipe_open() {
    let sandbox = Sandbox::new();
    let text = "name: drain
steps:
  - id: x
    run: |
      sleep 20 &
      sleep 0.8
      echo done >> log
      echo done
    timeout: 1s
    retry: {attempts: 2, initial: 10ms}
    compensate: {run: echo undone >> log}
";
    sandbox.write("workflow.yaml", text);
    let report = sandbox.json(0, &["run", "workflow.yaml", "--id", RUN]);
    assert_eq!((&report["status"], &report["steps"][0]["attempts"]), (&"completed".into(), &1.into()));
    assert_eq!(report["steps"][0]["output"]["stdout"], "done");
    assert_eq!(fs::read_to_string(sandbox.work("log")).unwrap(), "done\n");
}

/// The whole ended with 7 and "the store does not answer": it had waited for the program no longer than for the store.
#[test]
fn an_interrupted_program_that_outlives_the_grace_of_the_store_leaves_a_run_that_goes_on() {
    let sandbox = Sandbox::new();
    let text = "name: stubborn
steps:
  - id: a
    run: |
      [ $REENACT_ATTEMPT = 1 ] || exit 0
      trap '' TERM
      echo up >> log
      for _ in $(seq 60); do sleep 1; done
";
    sandbox.write("workflow.yaml", text);
    let mut command = sandbox.command(&["run", "workflow.yaml", "--id", RUN]);
    command.env("REENACT_SHUTDOWN__GRACE", "10ms").env("REENACT_PROCESS__GRACE", "2500ms");
    let process = sandbox.start(command);
    wait_until("it is at work", || sandbox.work("log").exists());
    process.interrupt();
    let ended = process.wait();
    assert_eq!(ended.code(), Some(130), "{ended}");
    assert!(ended.stderr.contains(&format!("reenact resume {RUN}")), "{ended}");
    assert_eq!(sandbox.status(RUN)["steps"][0]["status"], "pending");
    assert_eq!(sandbox.json(0, &["resume", RUN])["status"], "completed");
}

/// A step that cannot be undone, which ends when the file `go` is there, and one beside it.
const IRREVERSIBLE: &str = "name: irreversible
steps:
  - id: publish
    needs: []
    irreversible: true
    run: trap 'echo stopped >> log' TERM; echo publish >> log; until [ -e go ]; do sleep 0.01; done; echo published >> log
  - id: beside
    needs: []
    run: echo beside >> log; sleep 30
";

fn log(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.work("log")).unwrap_or_default()
}

fn publishing(sandbox: &Sandbox, grace: &str) -> Process {
    sandbox.write("workflow.yaml", IRREVERSIBLE);
    let mut command = sandbox.command(&["run", "workflow.yaml", "--id", RUN]);
    command.env("REENACT_SHUTDOWN__GRACE", grace).env("REENACT_PROCESS__GRACE", "100ms");
    let process = sandbox.start(command);
    wait_until("both are at work", || log(sandbox).lines().count() == 2);
    process
}

/// Waits until what is beside the irreversible step was stopped, then lets that end.
fn outcome_is_awaited(sandbox: &Sandbox, mut process: Process) {
    wait_until("it says what it waits for", || process.stderr().contains("its outcome is awaited"));
    process.interrupt();
    process.terminate();
    assert!(process.is_running());
    sandbox.write("go", "");
    let ended = process.wait();
    assert_eq!(ended.code(), Some(130), "{ended}");
    assert!(log(sandbox).ends_with("published\n") && !log(sandbox).contains("stopped"), "{}", log(sandbox));
    let report = sandbox.status(RUN);
    assert_eq!(report["steps"][0]["status"], "completed", "{report}");
    assert_eq!(report["steps"][1]["status"], "pending");
    assert_eq!(sandbox.count(RUN, "attempt_lost", Some("publish")), 0);
    assert_eq!(sandbox.count(RUN, "attempt_lost", Some("beside")), 1);
}

#[test]
fn two_interrupts_do_not_stop_an_irreversible_attempt() {
    let sandbox = Sandbox::new();
    let process = publishing(&sandbox, "1h");
    process.interrupt();
    wait_until("it says so", || process.stderr().contains("what runs may end"));
    process.interrupt();
    outcome_is_awaited(&sandbox, process);
}

#[test]
fn the_end_of_the_grace_does_not_stop_an_irreversible_attempt() {
    let sandbox = Sandbox::new();
    let process = publishing(&sandbox, "50ms");
    process.terminate();
    outcome_is_awaited(&sandbox, process);
}
