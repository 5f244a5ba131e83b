//! The lock and the socket of a data folder.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::{open, start_gated};
use crate::support::{Sandbox, wait_until};

const HELD_WAIT: Duration = Duration::from_secs(5);

#[test]
fn only_its_owner_may_use_the_socket() {
    let sandbox = Sandbox::new();
    let holder = start_gated(&sandbox, "holder");
    let mode = fs::metadata(sandbox.data().join("control.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    open(&sandbox, "holder");
    assert_eq!(holder.wait().code(), Some(0));
    assert!(!sandbox.data().join("control.sock").exists());
    assert_eq!(fs::read_to_string(sandbox.data().join(".gitignore")).unwrap(), "*\n!agents/\n!agents/**\n");
}

#[test]
fn a_socket_that_a_killed_process_left_is_removed() {
    let sandbox = Sandbox::new();
    start_gated(&sandbox, "holder").kill();
    assert!(sandbox.data().join("control.sock").exists(), "nothing was left: the test shows nothing");
    assert_eq!(sandbox.status("holder")["status"], "running");
    assert!(!sandbox.data().join("control.sock").exists());
}

#[test]
fn a_lock_without_a_socket_is_waited_for_and_then_its_holder_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("a.yaml", "name: a\nsteps:\n  - id: a\n    run: echo\n");
    sandbox.json(0, &["run", "a.yaml", "--id", "a"]);
    let mut lock = File::options().write(true).truncate(true).open(sandbox.data().join("lock")).unwrap();
    lock.lock().unwrap();
    write!(lock, "4711\nsomebody --else\n").unwrap();
    let since = Instant::now();
    let ended = sandbox.reenact(&["--json", "status", "a"]);
    assert!(since.elapsed() >= HELD_WAIT, "it waited for {:?} only", since.elapsed());
    assert_eq!(ended.code(), Some(7), "{ended}");
    let error = &ended.json()["error"];
    assert_eq!(error["code"], "RE-4002");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("4711") && message.contains("somebody --else"), "{message}");
    // Let go of in time, it is no matter.
    let waiting = sandbox.spawn(&["--json", "status", "a"]);
    lock.unlock().unwrap();
    assert_eq!(waiting.wait().code(), Some(0));
}

/// The kernel connects clients to a process that is stopped; only an answer tells that somebody is there.
#[test]
fn a_holder_that_does_not_answer_is_named() {
    let sandbox = Sandbox::new();
    let holder = start_gated(&sandbox, "holder");
    holder.freeze();
    let since = Instant::now();
    let ended = sandbox.reenact(&["--json", "status", "holder"]);
    assert!(since.elapsed() >= HELD_WAIT, "it waited for {:?} only", since.elapsed());
    assert_eq!(ended.code(), Some(7), "{ended}");
    let message = ended.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&holder.pid().to_string()) && message.contains("holder.yaml"), "{message}");
}

#[test]
fn a_data_folder_may_have_a_path_too_long_for_a_socket() {
    let sandbox = Sandbox::new();
    let data = sandbox.root().join("d".repeat(90)).join("e".repeat(90));
    sandbox.write("gate.yaml", super::gated("gate"));
    let with_data = |arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        command.env("REENACT_DATA", &data);
        sandbox.start(command)
    };
    let holder = with_data(&["run", "gate.yaml", "--id", "gate"]);
    wait_until("the step runs", || super::starts(&sandbox, "gate") == 1);
    assert_eq!(fs::metadata(data.join("control.sock")).unwrap().permissions().mode() & 0o777, 0o600);
    let seen = with_data(&["--json", "status", "gate"]).wait();
    assert_eq!(seen.code(), Some(0), "{seen}");
    assert_eq!(seen.json()["driven"], true, "{seen}");
    open(&sandbox, "gate");
    assert_eq!(holder.wait().code(), Some(0));
}
