//! A client that was not answered asks again, whoever holds the store by then.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use serde_json::Value;

use super::{open, start_gated};
use crate::support::{Ended, Process, Sandbox};

/// Between a client and the holder: passes on what both say, up to the answer to what a person wants. That it swallows, when
/// it has done `then`, and hangs up.
fn swallow_the_answer(listener: &UnixListener, holder: UnixStream, then: impl FnOnce()) -> Value {
    let (mut client, _) = listener.accept().unwrap();
    let (mut questions, mut frames) = (BufReader::new(client.try_clone().unwrap()), BufReader::new(&holder));
    loop {
        let mut question = String::new();
        questions.read_line(&mut question).unwrap();
        (&holder).write_all(question.as_bytes()).unwrap();
        let is_wanted = question.contains("\"control\"") || question.contains("\"next\"");
        loop {
            let mut line = String::new();
            frames.read_line(&mut line).unwrap();
            let frame: Value = serde_json::from_str(&line).unwrap();
            let is_last = frame.get("response").or(frame.get("problem")).is_some();
            if is_wanted && is_last {
                then();
                return frame;
            }
            client.write_all(line.as_bytes()).unwrap();
            if is_last {
                break;
            }
        }
    }
}

/// A client whose answer was lost.
struct Lost {
    /// What came of it all the same.
    ended: Ended,
    /// The answer that never came.
    lost: Value,
    /// The process that held the store, if it was not killed.
    holder: Option<Process>,
}

/// Wants something of a process that holds the store, which records it; its answer is lost, and it goes on or is killed.
fn asks_and_loses_the_answer(sandbox: &Sandbox, wants: &[&str], is_killed: bool) -> Lost {
    let mut holder = Some(start_gated(sandbox, "holder"));
    let (socket, moved) = (sandbox.data().join("control.sock"), sandbox.data().join("control.moved"));
    fs::rename(&socket, &moved).unwrap();
    let listener = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, Permissions::from_mode(0o600)).unwrap();
    let client = sandbox.spawn(wants);
    let lost = swallow_the_answer(&listener, UnixStream::connect(&moved).unwrap(), || {
        fs::rename(&moved, &socket).unwrap();
        if is_killed {
            holder.take().unwrap().kill();
        }
    });
    let ended = client.wait();
    assert_eq!(ended.code(), Some(0), "killed: {is_killed}: {ended}");
    Lost { ended, lost, holder }
}

/// Lets the process end that holds the store, if it lives.
fn let_end(sandbox: &Sandbox, holder: Option<Process>) {
    open(sandbox, "holder");
    if let Some(holder) = holder {
        assert_eq!(holder.wait().code(), Some(0));
    }
}

/// The holder records what is wanted, and its answer never comes: it goes on, or it was killed. Granting a request twice is
/// refused, and this is granted once.
#[test]
fn what_a_person_wants_is_one_also_where_the_answer_was_lost() {
    for is_killed in [false, true] {
        let sandbox = Sandbox::new();
        sandbox.write("asks.yaml", "name: asks\nsteps:\n  - id: a\n    run: 'true'\n    approve: before\n");
        sandbox.json(4, &["run", "asks.yaml", "--id", "asks"]);
        let approve = ["--json", "approve", "asks", "a", "--by", "ada"];
        let Lost { ended: _, lost, holder } = asks_and_loses_the_answer(&sandbox, &approve, is_killed);
        assert!(lost["response"]["recorded"].is_object(), "{lost}");
        assert_eq!(sandbox.count("asks", "approval_granted", None), 1);
        assert_eq!(sandbox.reenact(&approve).code(), Some(2), "whoever asks anew is refused");
        let_end(&sandbox, holder);
    }
}

/// Somebody takes a task, and the answer that says which is lost with its holder: asked again, it is the same one. Without that it
/// would be nobody's until its lease is over.
#[test]
fn a_task_is_taken_once_also_where_the_answer_was_lost() {
    for is_killed in [false, true] {
        let sandbox = Sandbox::new();
        sandbox.write("agents/clerk.md", "---\nname: clerk\ndescription: x\nexecutor: external\n---\n");
        let file = "name: two\nsteps: [{id: all, agent: clerk, for_each: [1, 2], with: {n: '{{ item }}'}}]\n";
        sandbox.write("two.yaml", file);
        sandbox.json(4, &["run", "two.yaml", "--id", "two"]);
        let next = ["--json", "tasks", "next", "--agent", "clerk", "--by", "ada"];
        let Lost { ended, lost, holder } = asks_and_loses_the_answer(&sandbox, &next, is_killed);
        let (given, lost) = (ended.json(), &lost["response"]["task_taken"]["task"]);
        assert_eq!((&given["id"], &given["input"]), (&lost["id"], &lost["input"]), "{given} {lost}");
        assert_eq!(sandbox.count("two", "task_taken", None), 1);
        // Who asks anew gets another.
        let other = sandbox.json(0, &["tasks", "next", "--agent", "clerk", "--by", "ada"]);
        assert_ne!(given["step"], other["step"]);
        let_end(&sandbox, holder);
    }
}
