//! The holder goes: in order, or killed.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use super::{open, start_gated, starts};
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

/// The next holder is asked anew, and answers from the beginning: the first events were printed twice.
#[test]
fn a_history_whose_holder_goes_in_the_middle_is_told_once() {
    let sandbox = Sandbox::new();
    sandbox.write("a.yaml", "name: a\nsteps:\n  - id: a\n    run: echo\n");
    sandbox.json(0, &["run", "a.yaml", "--id", "a"]);
    let history = sandbox.history("a");
    let lock = File::options().write(true).open(sandbox.data().join("lock")).unwrap();
    lock.lock().unwrap();
    let listener = UnixListener::bind(sandbox.data().join("control.sock")).unwrap();
    let client = sandbox.spawn(&["--json", "history", "a"]);
    let (mut connection, _) = listener.accept().unwrap();
    let mut requests = BufReader::new(connection.try_clone().unwrap()).lines();
    assert_eq!(requests.next().unwrap().unwrap(), "\"hello\"");
    writeln!(connection, "{{\"response\":\"done\"}}").unwrap();
    assert!(requests.next().unwrap().unwrap().contains("history"));
    for event in &history[..2] {
        writeln!(connection, "{{\"event\":{event}}}").unwrap();
    }
    wait_until("two events are told", || client.stdout().lines().count() == 2);
    drop((requests, connection, listener));
    lock.unlock().unwrap();
    let ended = client.wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert_eq!(ended.json_lines(), history);
}

/// Its first step waits for a file, its second says that it ran.
fn two_steps(name: &str) -> String {
    super::gated(name) + "  - id: then\n    run: echo $REENACT_ATTEMPT >> second\n"
}
