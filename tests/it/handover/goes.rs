//! The holder goes: in order, or killed.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use super::{open, start_gated, starts, status};
use crate::support::{Sandbox, wait_until};

#[test]
fn a_holder_prints_its_result_at_once_and_goes_when_what_runs_for_others_has_ended() {
    let sandbox = Sandbox::new();
    let mut holder = start_gated(&sandbox, "holder");
    sandbox.write("two.yaml", two_steps("two"));
    let client = sandbox.spawn(&["--json", "run", "two.yaml", "--id", "two"]);
    wait_until("the client's step runs", || starts(&sandbox, "two") == 1);
    open(&sandbox, "holder");
    wait_until("the holder has printed its result", || holder.stdout().contains("\"completed\""));
    assert!(holder.is_running(), "it left an attempt behind that it makes for another");
    open(&sandbox, "two");
    let (held, ended) = (holder.wait(), client.wait());
    assert_eq!(held.code(), Some(0), "{held}");
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert_eq!(ended.json()["status"], "completed");
    assert_eq!(starts(&sandbox, "two"), 1);
    assert_eq!(std::fs::read_to_string(sandbox.work("second")).unwrap(), "1\n");
    assert_eq!(sandbox.count("two", "attempt_lost", None), 0);
}

/// Between two steps nothing is in flight but the commit that says that the next one starts: a holder that looked only
/// for attempts went at that moment, and took the step that had just begun with it.
#[test]
fn a_holder_that_goes_loses_no_attempt_of_a_run_of_many_short_steps() {
    let sandbox = Sandbox::new();
    let steps: String = (0..60)
        .map(|step| format!("  - id: s{step}\n    run: [sh, '-c', 'echo {step} >> steps']\n"))
        .collect();
    sandbox.write("many.yaml", format!("name: many\nsteps:\n{steps}"));
    sandbox.write("short.yaml", "name: short\nsteps:\n  - id: a\n    run: [sleep, '0.05']\n");
    let first = sandbox.spawn(&["run", "short.yaml"]);
    wait_until("somebody holds the store", || sandbox.data().join("control.sock").exists());
    let client = sandbox.spawn(&["run", "many.yaml", "--id", "many"]);
    first.wait();
    // Each of these holds the store for a moment, and the long run with it.
    while status(&sandbox, "many") != "completed" {
        sandbox.json(0, &["run", "short.yaml"]);
    }
    assert_eq!(client.wait().code(), Some(0));
    assert_eq!(sandbox.count("many", "attempt_lost", None), 0);
    let done = std::fs::read_to_string(sandbox.work("steps")).unwrap();
    assert_eq!(done.lines().count(), 60, "{done}");
}

#[test]
fn a_client_whose_holder_is_killed_takes_over() {
    let sandbox = Sandbox::new();
    let holder = start_gated(&sandbox, "holder");
    let first = start_gated(&sandbox, "first");
    let second = start_gated(&sandbox, "second");
    holder.kill();
    // One of them holds the store now, the other is its client.
    wait_until("both steps run again", || starts(&sandbox, "first") == 2 && starts(&sandbox, "second") == 2);
    open(&sandbox, "first");
    open(&sandbox, "second");
    let ended = [first.wait(), second.wait()];
    assert!(ended.iter().all(|ended| ended.code() == Some(0)), "{}{}", ended[0], ended[1]);
    for run in ["first", "second"] {
        assert_eq!(sandbox.count(run, "attempt_started", None), 2, "{run}");
        assert_eq!(sandbox.count(run, "attempt_lost", None), 1, "{run}");
    }
    assert_eq!(sandbox.status("holder")["driven"], false);
}

/// Whoever pipes a long history into a pager keeps the socket full for as long as the pager is open: the holder waited
/// for that, and never went.
#[test]
fn a_client_that_does_not_read_keeps_no_holder() {
    let sandbox = Sandbox::new();
    let items: Vec<_> = (0..2000).map(|item| item.to_string()).collect();
    let text =
        format!("name: wide\nsteps:\n  - id: a\n    for_each: [{}]\n    sleep: 1ms\n", items.join(","));
    sandbox.write("wide.yaml", text);
    sandbox.json(0, &["run", "wide.yaml", "--id", "wide"]);
    let holder = start_gated(&sandbox, "holder");
    let mut pager = UnixStream::connect(sandbox.data().join("control.sock")).unwrap();
    pager.write_all(b"{\"history\":{\"run\":\"wide\",\"from\":null,\"to\":null}}\n").unwrap();
    let mut first = String::new();
    BufReader::with_capacity(64, &pager).read_line(&mut first).unwrap();
    assert!(first.contains("run_started"), "{first}");
    open(&sandbox, "holder");
    assert_eq!(holder.wait().code(), Some(0));
}

/// Its first step waits for a file, its second says that it ran.
fn two_steps(name: &str) -> String {
    super::gated(name) + "  - id: then\n    run: echo $REENACT_ATTEMPT >> second\n"
}
