//! What a killed process left running: it has to go before anything comes after it.

use std::fs;

use super::{RUN, group_lives, patient};
use crate::support::{Ended, Sandbox, wait_until};

/// A shell command that writes its process group into the file `group` and leaves a process that ignores TERM; while
/// that lives it adds a line to the file `work`, again and again.
const STUBBORN: &str = "echo $$ > group.new; mv group.new group
      (trap '' TERM; for _ in $(seq 3000); do echo at work >> work; sleep 0.01; done) & wait";

/// A program that dies with its process at the step `stubborn`, and what it left.
struct Killed {
    sandbox: Sandbox,
    group: String,
}

impl Killed {
    /// Runs these steps, and kills the process at the stubborn one.
    fn at(steps: &str) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("leftover.yaml", format!("name: leftover\nsteps:\n{steps}"));
        let process = sandbox.start(patient(&sandbox, &["run", "leftover.yaml", "--id", RUN]));
        wait_until("the stubborn one is at work", || sandbox.work("work").exists());
        let group = fs::read_to_string(sandbox.work("group")).unwrap().trim().to_owned();
        process.kill();
        let killed = Self { sandbox, group };
        assert!(killed.lives(), "nothing was left: the test shows nothing");
        killed
    }

    fn lives(&self) -> bool {
        group_lives(&self.group)
    }

    fn reenact(&self, arguments: &[&str]) -> Ended {
        self.sandbox.start(patient(&self.sandbox, arguments)).wait()
    }

    /// Runs a command to its end, which must be `code`; then nothing of the killed process runs any more.
    fn ends(&self, code: i32, arguments: &[&str]) {
        let ended = self.reenact(arguments);
        assert_eq!(ended.code(), Some(code), "{ended}");
        assert!(!self.lives(), "group {} lives on", self.group);
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        // A test that failed leaves nothing running either.
        if let Some(group) = self.group.parse().ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

/// One step, which another attempt survives.
fn one() -> String {
    format!("  - id: one\n    run: |\n      [ $REENACT_ATTEMPT = 1 ] || exit 0\n      {STUBBORN}\n")
}

/// The shell of the attempt dies with the terminal, what it started ignores TERM: all of it has to go.
#[test]
fn it_is_ended_before_the_next_attempt() {
    Killed::at(&one()).ends(0, &["resume", RUN]);
}

/// A run that was interrupted and then cancelled has no next attempt that would end it.
#[test]
fn it_is_ended_when_the_run_is_cancelled() {
    let killed = Killed::at(&one());
    killed.ends(0, &["cancel", RUN]);
    assert_eq!(killed.sandbox.status(RUN)["status"], "cancelled");
}

/// It is ended before its loss is recorded: who dies in between leaves that to the next, not to nobody.
#[test]
fn it_is_ended_although_the_process_that_cancels_is_killed_too() {
    let killed = Killed::at(&one());
    let mut command = killed.sandbox.command(&["cancel", RUN]);
    // It waits for the stubborn one when it is killed.
    command.env("REENACT_PROCESS__GRACE", "1h");
    let cancels = killed.sandbox.start(command);
    let events = || killed.sandbox.count(RUN, "attempt_lost", None);
    wait_until("the shell has got its TERM", || !is_shell(&killed.group));
    cancels.kill();
    assert!(killed.lives(), "it had an hour");
    assert_eq!(events(), 0, "it is lost when it is gone");
    killed.ends(0, &["cancel", RUN]);
    assert_eq!(events(), 1);
}

/// Whether the first process of the group has not ended.
fn is_shell(group: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{group}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// A step that is started once only has no next attempt either: it has failed, and the others are undone.
#[test]
fn nothing_is_compensated_beside_it() {
    let counts = "wc -l < work >> counts; sleep 0.1; wc -l < work >> counts";
    let killed = Killed::at(&format!(
        "  - id: other\n    run: 'true'\n    compensate: {{run: {counts}}}\n  \
           - id: one\n    at_most_once: true\n    run: |\n      {STUBBORN}\n"
    ));
    let ended = killed.reenact(&["resume", RUN]);
    assert_eq!(ended.code(), Some(3), "{ended}");
    let counts = fs::read_to_string(killed.sandbox.work("counts")).unwrap();
    let counts: Vec<_> = counts.lines().collect();
    assert_eq!((counts.len(), counts[0]), (2, counts[1]), "it was at work during the compensation");
    assert!(!killed.lives());
}

/// Looking changes nothing, not even that.
#[test]
fn it_is_left_alone_by_who_only_looks() {
    let killed = Killed::at(&one());
    for verb in ["status", "history", "replay"] {
        let ended =
            killed.reenact(&["--json", verb, RUN, "--at", "1"][..if verb == "replay" { 5 } else { 3 }]);
        assert_eq!(ended.code(), Some(0), "{ended}");
    }
    assert!(killed.lives());
}
