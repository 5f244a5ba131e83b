//! Whoever pauses or cancels a run that another process drives is told who ends it; and who sees it through, by whom.

use serde_json::json;

use super::{gated, open, start_gated, starts, status};
use crate::support::{Sandbox, wait_until};

/// Starts a run that a person looks at, of [`gated`] with a step behind it, and waits until the first runs.
fn start_seen(sandbox: &Sandbox, name: &str) -> crate::support::Process {
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
