//! What a program starts that leaves its process group: it is ended when its attempt is stopped or lost, and stays when that
//! succeeded.

use std::fs;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Ended, Process, Sandbox, wait_for, wait_until};

const RUN: &str = "strays";

/// Forks twice, begins a session, clears its environment, keeps no pipe open, and ignores TERM.
const DAEMON: &str = r#"(env -i setsid sh -c 'trap "" TERM; echo $$ >pid.new; mv pid.new pid; while :; do sleep 0.05; done' </dev/null >/dev/null 2>&1 &)"#;

/// A process that a test looks for, killed with the test.
struct Stray(Pid);

impl Stray {
    /// The process whose number stands in the file `pid`.
    fn of(sandbox: &Sandbox) -> Self {
        let pid = wait_for("the stray process is there", || {
            fs::read_to_string(sandbox.work("pid")).ok()?.trim().parse().ok()
        });
        let stray = Self(Pid::from_raw(pid).unwrap());
        assert!(stray.lives(), "it is gone: the test shows nothing");
        stray
    }

    fn lives(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.as_raw_nonzero())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    }
}

impl Drop for Stray {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
    }
}

fn command(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = sandbox.command(arguments);
    command.env("REENACT_PROCESS__GRACE", "200ms");
    command
}

fn end(sandbox: &Sandbox, arguments: &[&str]) -> Ended {
    sandbox.start(command(sandbox, arguments)).wait()
}

/// Starts a run of one step, whose first attempt runs this and whose others do nothing.
fn start(sandbox: &Sandbox, script: &str, keys: &str) -> Process {
    let text = format!(
        "name: strays\nsteps:\n  - id: one\n{keys}    run: |\n      [ $REENACT_ATTEMPT = 1 ] || exit 0\n      {script}\n"
    );
    sandbox.write("workflow.yaml", text);
    sandbox.start(command(sandbox, &["run", "workflow.yaml", "--id", RUN]))
}

#[test]
fn a_daemon_that_cleared_all_is_ended_when_its_attempt_times_out() {
    let sandbox = Sandbox::new();
    let process = start(&sandbox, &format!("{DAEMON}; sleep 30"), "    timeout: 1s\n");
    let daemon = Stray::of(&sandbox);
    let ended = process.wait();
    assert_eq!(ended.code(), Some(1), "{ended}");
    assert!(!daemon.lives());
}

#[test]
fn a_daemon_that_cleared_all_is_ended_when_its_run_is_cancelled() {
    let sandbox = Sandbox::new();
    let process = start(&sandbox, &format!("{DAEMON}; sleep 30"), "");
    let daemon = Stray::of(&sandbox);
    let ended = end(&sandbox, &["cancel", RUN]);
    assert_eq!(ended.code(), Some(0), "{ended}");
    let ended = process.wait();
    assert_eq!(ended.code(), Some(6), "{ended}");
    assert!(!daemon.lives());
}

#[test]
fn a_daemon_that_cleared_all_is_ended_when_its_program_fails() {
    let sandbox = Sandbox::new();
    let process = start(&sandbox, &format!("{DAEMON}; until [ -e pid ]; do sleep 0.01; done; exit 3"), "");
    let ended = process.wait();
    assert_eq!(ended.code(), Some(1), "{ended}");
    let pid = fs::read_to_string(sandbox.work("pid")).unwrap().trim().parse().unwrap();
    assert!(!Stray(Pid::from_raw(pid).unwrap()).lives());
}

#[test]
fn what_a_program_left_behind_that_succeeded_stays() {
    let sandbox = Sandbox::new();
    let wait = "until [ -e pid ]; do sleep 0.01; done";
    let text = format!(
        "name: left\nsteps:\n  - id: server\n    run: |\n      {DAEMON}; {wait}\n  - id: fails\n    run: sleep 0.3; exit 1\n    \
         retry: {{attempts: 2, initial: 1ms}}\n"
    );
    sandbox.write("workflow.yaml", text);
    let ended = end(&sandbox, &["run", "workflow.yaml", "--id", RUN]);
    assert_eq!(ended.code(), Some(1), "{ended}");
    assert!(Stray::of(&sandbox).lives(), "the failure of a later step ended it");
}

/// Two at once: whose it is, nobody can know. What is not known is left alone.
#[test]
fn an_orphan_that_either_of_two_attempts_can_have_started_is_left_alone() {
    let sandbox = Sandbox::new();
    let text = format!(
        "name: two\nsteps:\n  - id: daemon\n    needs: []\n    run: |\n      {DAEMON}; until [ -e go ]; do sleep 0.01; done\n  \
         - id: fails\n    needs: []\n    run: until [ -e pid ]; do sleep 0.01; done; exit 1\n"
    );
    sandbox.write("workflow.yaml", text);
    let process = sandbox.start(command(&sandbox, &["run", "workflow.yaml", "--id", RUN]));
    let daemon = Stray::of(&sandbox);
    wait_until("the other has failed", || sandbox.count(RUN, "attempt_failed", Some("fails")) == 1);
    assert!(daemon.lives(), "the daemon of one step was ended with another");
    sandbox.write("go", "");
    assert_eq!(process.wait().code(), Some(1));
    assert!(daemon.lives(), "what an attempt left that succeeded stays");
}

/// The process dies while its program is at work, and what that started is ended before the next attempt.
fn is_ended_after_a_kill(sandbox: &Sandbox, process: Process, stray: &Stray) {
    process.kill();
    assert!(stray.lives(), "it died with its process: the test shows nothing");
    let ended = end(sandbox, &["resume", RUN]);
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert!(!stray.lives(), "it is at work beside the next attempt");
}

/// A step that was interrupted left a process in a session of its own, which went on beside the next attempt.
#[test]
fn what_left_its_session_is_ended_at_the_next_start() {
    let sandbox = Sandbox::new();
    let script = "setsid sh -c 'echo $$ >pid; sleep 300; sleep 1' </dev/null >/dev/null 2>&1 & sleep 30";
    let process = start(&sandbox, script, "");
    let stray = Stray::of(&sandbox);
    is_ended_after_a_kill(&sandbox, process, &stray);
}

#[test]
fn what_cleared_its_environment_is_ended_at_the_next_start_by_a_pipe_that_it_holds() {
    let sandbox = Sandbox::new();
    let script = "(env -i setsid sh -c 'echo $$ >pid; exec sleep 300' &); sleep 30";
    let process = start(&sandbox, script, "");
    let stray = Stray::of(&sandbox);
    is_ended_after_a_kill(&sandbox, process, &stray);
}

#[test]
fn a_daemon_that_cleared_all_is_ended_at_the_next_start_once_it_was_written_down() {
    let sandbox = Sandbox::new();
    let process = start(&sandbox, &format!("{DAEMON}; sleep 30"), "");
    let daemon = Stray::of(&sandbox);
    let number = daemon.0.as_raw_nonzero().get();
    wait_until("it is written down", || {
        let table = fs::read_to_string(sandbox.data().join("processes/running")).unwrap_or_default();
        let first: Option<Value> = table.lines().next().and_then(|line| serde_json::from_str(line).ok());
        let strays = first.and_then(|written| written["strays"].as_array().cloned()).unwrap_or_default();
        strays.iter().any(|stray| stray["pid"] == number)
    });
    is_ended_after_a_kill(&sandbox, process, &daemon);
}

/// Adopted processes that end are taken off the kernel's list, and nobody else's children are.
#[test]
fn orphans_that_end_leave_no_zombies_while_a_program_works() {
    let sandbox = Sandbox::new();
    let orphan = "until [ -e end ]; do sleep 0.02; done";
    let script = format!(
        "for n in 1 2 3 4 5; do (setsid sh -c 'echo up >>up; {orphan}; echo ended >>ended' &); done; \
         until [ -e go ]; do sleep 0.05; done"
    );
    let process = start(&sandbox, &script, "");
    let lines = |name: &str| fs::read_to_string(sandbox.work(name)).map_or(0, |text| text.lines().count());
    wait_until("they are up", || lines("up") == 5);
    sandbox.write("end", "");
    wait_until("they have ended", || lines("ended") == 5);
    let holder = process.pid().to_string();
    let zombies = || {
        let all = fs::read_dir("/proc").unwrap().flatten();
        let stats = all.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
        let is_zombie = |stat: &String| {
            let fields: Vec<_> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
            fields.first() == Some(&"Z") && fields.get(1) == Some(&&*holder)
        };
        stats.filter(is_zombie).count()
    };
    wait_until("they are taken off the list", || zombies() == 0);
    sandbox.write("go", "");
    assert_eq!(process.wait().code(), Some(0));
}
