//! Notices: others are told of events at least once, from the log.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::folders::{LOOKS, code_of_look};
use crate::looks::terminal::Terminal;
use crate::support::{Sandbox, wait_until};

const GOOD: &str = "name: good\nsteps:\n  - {id: a, run: 'true'}\n";
const BAD: &str = "name: bad\nsteps:\n  - {id: a, run: 'exit 65'}\n";

const NOTICE: &str = "[[notify]]\non = ['run_completed', 'run_failed']\ncommand = ['./tell', 'ops']\n";

/// A machine with both workflows and a notice that is done by this script.
fn machine(script: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("good.yaml", GOOD);
    sandbox.write("bad.yaml", BAD);
    sandbox.configure(NOTICE);
    tells(&sandbox, script);
    sandbox
}

fn tells(sandbox: &Sandbox, script: &str) {
    let script = sandbox.write("tell", format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What was told, in order.
fn told(sandbox: &Sandbox) -> Vec<Value> {
    let text = fs::read_to_string(sandbox.work("told")).unwrap_or_default();
    // What it tells at this moment is not whole yet.
    let whole = text.rsplit_once('\n').map(|(whole, _)| whole).unwrap_or_default();
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn runs(sandbox: &Sandbox) -> Vec<String> {
    told(sandbox).iter().map(|told| told["run"].as_str().unwrap().to_owned()).collect()
}

fn run(sandbox: &Sandbox, file: &str, id: &str) -> Option<i32> {
    sandbox.reenact(&["run", file, "--id", id]).code()
}

/// Holds the store for a moment, by a verb that does more than look: what is pending is told.
fn tell(sandbox: &Sandbox) -> Option<i32> {
    sandbox.reenact(&["resume", "--all"]).code()
}

const TAKE_DOWN: &str = "cat >> told; echo >> told";

#[test]
fn a_program_is_told_of_what_it_is_to_be_told_with_all_that_happened() {
    let sandbox = machine(&format!("echo \"$1 $0 ${{SECRET-unset}}\" >> called; {TAKE_DOWN}"));
    let mut command = sandbox.command(&["run", "good.yaml", "--id", "one"]);
    command.env("SECRET", "hunter2");
    assert_eq!(sandbox.start(command).wait().code(), Some(0));
    assert_eq!(run(&sandbox, "bad.yaml", "two"), Some(1));
    assert_eq!(runs(&sandbox), ["one", "two"]);
    let last = sandbox.history("two").pop().unwrap();
    let expected = serde_json::json!({
        "run": "two", "type": "run_failed", "version": last["version"], "position": last["position"],
        "at": last["at"], "data": last["data"],
    });
    assert_eq!(told(&sandbox)[1], expected);
    let called = fs::read_to_string(sandbox.work("called")).unwrap();
    assert!(called.lines().all(|line| line.starts_with("ops ") && line.ends_with(" unset")), "{called}");
}

/// The process dies when the program has taken the notice and nobody has written down that it has.
#[test]
fn a_notice_whose_delivery_was_not_written_down_is_delivered_again() {
    let sandbox =
        machine(&format!("{TAKE_DOWN}\nif [ ! -e died ]; then touch died; kill -9 $PPID; exit 1; fi"));
    assert_eq!(run(&sandbox, "bad.yaml", "one"), None, "it was killed");
    assert_eq!(runs(&sandbox), ["one"]);
    assert_eq!(run(&sandbox, "good.yaml", "two"), Some(0));
    assert_eq!(runs(&sandbox), ["one", "one", "two"]);
    assert_eq!(tell(&sandbox), Some(0));
    assert_eq!(runs(&sandbox).len(), 3, "what is written down is not told again");
}

#[test]
fn a_notice_that_was_not_delivered_when_the_process_died_is_delivered_by_the_next() {
    let sandbox =
        machine(&format!("if [ ! -e died ]; then touch died; kill -9 $PPID; exit 1; fi\n{TAKE_DOWN}"));
    // It dies in its last moments, when the run is over.
    assert_eq!(run(&sandbox, "bad.yaml", "one"), None, "it was killed");
    fs::remove_file(sandbox.work("told")).ok();
    wait_until("the next process tells", || {
        assert_eq!(tell(&sandbox), Some(0));
        runs(&sandbox) == ["one"]
    });
}

/// `list` in a clone ran the program that the clone's own configuration named.
#[test]
fn who_only_looks_tells_nobody() {
    let sandbox = machine("exit 1");
    assert_eq!(run(&sandbox, "bad.yaml", "one"), Some(1));
    tells(&sandbox, TAKE_DOWN);
    for verb in LOOKS {
        let ended = sandbox.reenact(verb);
        assert_eq!(ended.code(), code_of_look(verb), "{ended}");
        assert_eq!(runs(&sandbox), [] as [String; 0], "{verb:?}");
    }
    assert_eq!(tell(&sandbox), Some(0));
    assert_eq!(runs(&sandbox), ["one"]);
}

/// Somebody who looks holds the store, and what another process asks of it is recorded there: it is told all the same.
#[test]
fn what_others_record_through_who_only_looks_is_told() {
    let sandbox = machine(TAKE_DOWN);
    sandbox.write("waits.yaml", "name: waits\nsteps:\n  - {id: a, wait_for: go}\n");
    assert_eq!(run(&sandbox, "waits.yaml", "waits"), Some(4));
    let look = Terminal::start(&sandbox, 120, &["replay", "waits"]);
    look.until("it looks", |screen| screen.concat().contains("waits"));
    assert!(sandbox.data().join("control.sock").exists());
    assert_eq!(run(&sandbox, "bad.yaml", "one"), Some(1));
    wait_until("it is told", || runs(&sandbox) == ["one"]);
    look.interrupt();
    assert_eq!(look.wait().0, Some(130));
}

#[test]
fn a_new_notice_begins_at_the_end_and_one_with_a_name_keeps_its_place() {
    let sandbox = machine(TAKE_DOWN);
    let named = |on: &str| format!("[[notify]]\nname = 'ops'\non = ['{on}']\ncommand = ['./tell']\n");
    sandbox.configure("");
    assert_eq!(run(&sandbox, "bad.yaml", "before"), Some(1));
    sandbox.configure(&named("run_failed"));
    assert_eq!(run(&sandbox, "bad.yaml", "told"), Some(1));
    assert_eq!(runs(&sandbox), ["told"]);
    sandbox.configure("");
    assert_eq!(run(&sandbox, "good.yaml", "meanwhile"), Some(0));
    sandbox.configure(&named("run_completed"));
    assert_eq!(tell(&sandbox), Some(0));
    assert_eq!(runs(&sandbox), ["told", "meanwhile"], "it goes on where it was");
}

#[test]
fn a_notice_that_nobody_takes_holds_up_no_run_and_is_not_lost() {
    let sandbox = machine("echo x >> tried; exit 1");
    let ended = sandbox.reenact(&["run", "bad.yaml", "--id", "one"]);
    assert_eq!(ended.code(), Some(1), "{ended}");
    assert!(ended.stderr.contains("a notice is not delivered"), "{ended}");
    assert_eq!(run(&sandbox, "good.yaml", "two"), Some(0));
    tells(&sandbox, TAKE_DOWN);
    assert_eq!(tell(&sandbox), Some(0));
    assert_eq!(runs(&sandbox), ["one", "two"], "in order, and none is left out");
}

/// Answers one request after the other with these statuses, and hands out what came: the head, and the body.
fn server(statuses: &'static [&'static str]) -> (String, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hooks?key=geheim", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for status in statuses {
            let (stream, _) = listener.accept().unwrap();
            let (mut reader, mut head) = (BufReader::new(stream), String::new());
            while !head.ends_with("\r\n\r\n") {
                assert!(reader.read_line(&mut head).unwrap() > 0);
            }
            let length = head.to_lowercase();
            let length =
                length.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\nlocation: /x\r\n\r\n"
            );
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
            let _ = sender.send((head, String::from_utf8(body).unwrap()));
        }
    });
    (url, requests)
}

#[test]
fn a_url_is_told_with_its_token_until_it_says_that_it_has_it() {
    let (url, requests) = server(&["500 No", "302 Elsewhere", "204 Yes"]);
    let sandbox = machine("");
    sandbox.configure(&format!("[[notify]]\non = ['run_failed']\nurl = '{url}'\ntoken_env = 'TOKEN'\n"));
    let mut said = String::new();
    for id in ["one", "two"] {
        let file = if id == "one" { "bad.yaml" } else { "good.yaml" };
        let mut command = sandbox.command(&["run", file, "--id", id]);
        command.env("TOKEN", "sesame").env("REENACT_LOG__LEVEL", "trace");
        let ended = sandbox.start(command).wait();
        said.push_str(&format!("{}{}", ended.stdout, ended.stderr));
    }
    let next = || requests.recv_timeout(Duration::from_secs(60)).expect("it is told no more");
    let requests = [next(), next(), next()];
    for (head, body) in &requests {
        assert!(head.starts_with("POST /hooks?key=geheim HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("authorization: Bearer sesame\r\n"), "{head}");
        assert!(head.contains("content-type: application/json\r\n"), "{head}");
        let document: Value = serde_json::from_str(body).unwrap();
        assert_eq!((document["run"].as_str(), document["type"].as_str()), (Some("one"), Some("run_failed")));
    }
    assert!(!said.contains("sesame") && !said.contains("geheim"), "a secret is in a log: {said}");
}

#[test]
fn a_notice_whose_token_is_not_set_says_so_and_waits() {
    let sandbox = machine("");
    sandbox.configure("[[notify]]\non = ['run_failed']\nurl = 'https://127.0.0.1:9/'\ntoken_env = 'TOKEN'\n");
    let ended = sandbox.reenact(&["run", "bad.yaml"]);
    assert_eq!(ended.code(), Some(1), "{ended}");
    assert!(ended.stderr.contains("`TOKEN` is not set"), "{ended}");
}

/// What proves a damaged store must not be kept from it by somebody who is to be told of things.
#[test]
fn verify_works_on_a_damaged_store_with_notices() {
    let sandbox = machine(TAKE_DOWN);
    assert_eq!(run(&sandbox, "good.yaml", "one"), Some(0));
    let log = sandbox.data().join("events/db");
    let mut bytes = fs::read(&log).unwrap();
    let half = bytes.len() / 2;
    bytes[half..half + 64].fill(0xa5);
    fs::write(&log, bytes).unwrap();
    let ended = sandbox.reenact(&["verify"]);
    assert!(matches!(ended.code(), Some(0 | 1 | 7)), "{ended}");
    assert!(!ended.stderr.contains("a commit"), "{ended}");
}
