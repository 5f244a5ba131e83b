//! Whoever pauses or cancels a run that another process drives is told who ends it; and who sees it through, by whom.

use serde_json::json;

use super::{gated, open, start_gated, starts, status};
use crate::support::{Process, Sandbox, wait_until};

/// Starts a run that a person looks at, of [`gated`] with a step behind it, and waits until the first runs.
fn start_seen(sandbox: &Sandbox, name: &str) -> Process {
    sandbox.write(&format!("{name}.yaml"), format!("{}  - {{id: after, run: 'true'}}\n", gated(name)));
    let process = sandbox.spawn(&["run", &format!("{name}.yaml"), "--id", name]);
    wait_until(&format!("{name} runs"), || starts(sandbox, name) == 1);
    process
}

#[test]
fn who_cancels_a_run_is_told_which_process_ends_it_and_who_sees_it_by_whom() {
    let sandbox = Sandbox::new();
    let holder = start_seen(&sandbox, "one");
    let pid = holder.pid();
    let cancelled = sandbox.reenact(&["cancel", "one", "--by", "ada", "--reason", "the wrong one"]);
    assert_eq!(cancelled.code(), Some(0), "{cancelled}");
    let said = format!("process {pid} drives it, and ends it: what runs of it is stopped\n");
    assert!(cancelled.stdout.contains(&said), "{cancelled}");
    let seen = holder.wait();
    assert_eq!(seen.code(), Some(6), "{seen}");
    assert!(seen.stdout.contains("cancelled by ada: the wrong one\n"), "{seen}");
    let order = json!({"by": "ada", "reason": "the wrong one"});
    assert_eq!(sandbox.status("one")["stopped"], order);
    // Nobody drives it any more.
    assert_eq!(sandbox.json(0, &["cancel", "one"]).get("driven_by"), None);
}

#[test]
fn who_pauses_a_run_is_told_which_process_does_and_who_sees_it_by_whom() {
    let sandbox = Sandbox::new();
    let holder = start_seen(&sandbox, "one");
    let (pid, client) = (holder.pid(), start_seen(&sandbox, "two"));
    // The holder drives the run of its client, too.
    let paused = sandbox.json(0, &["pause", "two", "--by", "bob"]);
    assert_eq!(paused["driven_by"], pid);
    let paused = sandbox.reenact(&["pause", "one", "--by", "ada", "--reason", "lunch"]);
    let said = format!("process {pid} drives it, and pauses it: what runs of it is let end");
    assert!(paused.stdout.contains(&said), "{paused}");
    open(&sandbox, "one");
    open(&sandbox, "two");
    let (one, two) = (holder.wait(), client.wait());
    for (ended, said) in [(one, "paused by ada: lunch\n"), (two, "paused by bob\n")] {
        assert_eq!(ended.code(), Some(4), "{ended}");
        assert!(ended.stdout.contains(said), "{ended}");
    }
    assert_eq!(sandbox.status("one")["stopped"], json!({"by": "ada", "reason": "lunch"}));
    // Going on, it is paused by nobody.
    sandbox.json(0, &["unpause", "one", "--resume"]);
    assert_eq!(sandbox.status("one").get("stopped"), None);
}

#[test]
fn a_run_that_nobody_drives_is_ended_by_who_says_so() {
    let sandbox = Sandbox::new();
    start_gated(&sandbox, "one").kill();
    let cancelled = sandbox.reenact(&["cancel", "one"]);
    assert!(!cancelled.stdout.contains("drives it"), "{cancelled}");
    assert_eq!(status(&sandbox, "one"), "cancelled");
}

// A second terminal was told that what runs may end and that ctrl-c again stops it, which was true of the first one only.
#[test]
fn who_leaves_a_run_that_another_process_goes_on_with_is_told_so() {
    let sandbox = Sandbox::new();
    let holder = start_seen(&sandbox, "one");
    let driver = format!("process {} goes on with it; see it again with `reenact ", holder.pid());
    for verb in [&["run", "one.yaml", "--id", "one"][..], &["resume", "one"]] {
        let second = sandbox.spawn(verb);
        wait_until("it sees the run through", || hears_interrupts(&second) && second_is_there(&second));
        second.interrupt();
        let ended = second.wait();
        assert_eq!(ended.code(), Some(130), "{ended}");
        assert!(
            ended.stderr.contains("interrupted: letting go of it") && ended.stderr.contains(&driver),
            "{ended}"
        );
        assert!(
            !ended.stderr.contains("stop it at once") && !ended.stderr.contains("go on with `"),
            "{ended}"
        );
    }
    assert_eq!(sandbox.status("one")["driven"], true);
    // The one that drives it says what is true of it, as does one whose run nobody else sees through.
    sandbox.write("two.yaml", gated("two"));
    let alone = sandbox.spawn(&["run", "two.yaml", "--id", "two"]);
    wait_until("two runs", || starts(&sandbox, "two") == 1);
    alone.interrupt();
    let ended = alone.wait();
    assert!(
        ended.stderr.contains("interrupted: go on with `reenact ") && ended.code() == Some(130),
        "{ended}"
    );
    assert_eq!(sandbox.count("two", "attempt_lost", None), 1);
    open(&sandbox, "one");
    assert_eq!(holder.wait().code(), Some(0));
}

/// Whether a process does something of its own when it is interrupted.
fn hears_interrupts(process: &Process) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // SIGINT is signal 2.
    caught.is_some_and(|mask| mask & 0b10 != 0)
}

/// Whether a process has connected to the one that holds the store, as far as its open files tell.
fn second_is_there(process: &Process) -> bool {
    let files = std::fs::read_dir(format!("/proc/{}/fd", process.pid())).into_iter().flatten().flatten();
    let sockets = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    // Two of them are its own, for signals.
    sockets.filter(|target| target.to_string_lossy().starts_with("socket:")).count() > 2
}

// It told all that had happened, in lines that read as if it happened now.
#[test]
fn who_comes_to_a_run_that_has_ended_is_told_its_result_and_nothing_old() {
    let sandbox = Sandbox::new();
    let holder = start_seen(&sandbox, "one");
    open(&sandbox, "one");
    let first = holder.wait();
    assert!(first.code() == Some(0) && first.stderr.contains("work: started"), "{first}");
    let beside = start_seen(&sandbox, "two");
    for _ in 0..2 {
        let again = sandbox.reenact(&["run", "one.yaml", "--id", "one"]);
        assert_eq!(again.code(), Some(0), "{again}");
        assert_eq!(again.stderr, "run one, which was there already\n", "{again}");
        assert!(again.stdout.contains("completed"), "{again}");
        open(&sandbox, "two");
        wait_until("nobody holds the store", || !sandbox.data().join("control.sock").exists());
    }
    assert_eq!(beside.wait().code(), Some(0));
}
