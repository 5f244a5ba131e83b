//! A server beside other processes at the same store, and many requests at once.

use std::fs;

use serde_json::json;

use super::client::Client;
use crate::support::{Sandbox, wait_for, wait_until};

const GATED: &str = "\
name: gated
steps:
  - {id: first, run: 'echo x >> first.txt; touch began; for _ in $(seq 6000); do [ -e on ] && break; sleep 0.01; done'}
  - {id: second, run: 'echo x >> second.txt'}
";

#[test]
fn a_process_that_holds_the_store_does_what_the_client_asks() {
    let sandbox = Sandbox::new();
    sandbox.write("gated.yaml", GATED);
    let holder = sandbox.holder();
    let mut client = Client::start(&sandbox);
    let report = client.call("run_start", json!({ "file": "gated.yaml", "id": "r" }));
    assert_eq!((&report["status"], &report["driven"]), (&json!("running"), &json!(true)), "{report}");
    wait_until("it runs", || sandbox.work("began").exists());
    assert_eq!(client.call("run_status", json!({ "run": "h" }))["status"], "running");
    // The holder ends its own run, and goes when the attempt is over that it makes for the client, which takes the store.
    sandbox.write("go", "");
    sandbox.write("on", "");
    let report = client.call("run_wait", json!({ "run": "r", "wait_seconds": 60 }));
    assert_eq!(holder.wait().code(), Some(0));
    let report = if report["status"] == "completed" {
        report
    } else {
        client.call("run_wait", json!({ "run": "r", "wait_seconds": 60 }))
    };
    assert_eq!(report["status"], "completed", "{report}");
    for step in ["first.txt", "second.txt"] {
        assert_eq!(fs::read_to_string(sandbox.work(step)).unwrap(), "x\n");
    }
    assert_eq!(client.end(), Some(0));
}

#[test]
fn a_server_that_holds_the_store_does_what_other_processes_ask() {
    let sandbox = Sandbox::new();
    sandbox.write("gated.yaml", GATED);
    sandbox.write("quick.yaml", "name: quick\nsteps:\n  - {id: a, run: [echo, a]}\n");
    let mut client = Client::start(&sandbox);
    client.call("run_start", json!({ "file": "gated.yaml", "id": "r" }));
    wait_until("it runs", || sandbox.work("began").exists());
    let lock = || fs::read_to_string(sandbox.data().join("lock")).unwrap();
    assert!(lock().starts_with(&format!("{}\n", client.pid())), "{}", lock());
    let report = sandbox.json(0, &["run", "quick.yaml", "--id", "q"]);
    assert_eq!(report["status"], "completed");
    // Questions that come meanwhile are no reason to let go of the store.
    for _ in 0..5 {
        assert_eq!(client.call("run_status", json!({ "run": "r" }))["driven"], true);
    }
    assert!(lock().starts_with(&format!("{}\n", client.pid())), "{}", lock());
    sandbox.write("on", "");
    let report = client.call("run_wait", json!({ "run": "r", "wait_seconds": 60 }));
    assert_eq!(report["status"], "completed", "{report}");
    // At rest it holds nothing: another takes the store at once.
    let taken = sandbox.json(0, &["run", "quick.yaml", "--id", "q2"]);
    assert_eq!(taken["status"], "completed");
    assert!(!lock().starts_with(&format!("{}\n", client.pid())), "{}", lock());
    assert_eq!(fs::read_to_string(sandbox.work("first.txt")).unwrap(), "x\n");
}

#[test]
fn a_server_ends_though_another_process_waits_for_its_client() {
    let sandbox = Sandbox::new();
    let mut holder = sandbox.holder();
    let mut client = Client::start(&sandbox);
    client.send_call("task_next", json!({ "agent": "writer", "wait_seconds": 600 }));
    // One after the other is answered, so that one has been asked when this is.
    assert_eq!(client.call("run_status", json!({ "run": "h" }))["status"], "running");
    client.terminate();
    let (code, _) = client.ended();
    assert_eq!(code, Some(130), "{}", client.stderr());
    assert!(holder.is_running(), "the holder goes on");
    sandbox.write("go", "");
    assert_eq!(holder.wait().code(), Some(0));
}

#[test]
fn requests_at_once_have_a_bound_and_those_that_are_cancelled_make_room() {
    let sandbox = Sandbox::new();
    sandbox.write("gated.yaml", GATED);
    let mut client = Client::start(&sandbox);
    client.call("run_start", json!({ "file": "gated.yaml", "id": "r" }));
    wait_until("it runs", || sandbox.work("began").exists());
    let waits: Vec<u64> =
        (0..64).map(|_| client.send_call("run_wait", json!({ "run": "r", "wait_seconds": 600 }))).collect();
    let busy = client.refused("run_status", json!({ "run": "r" }));
    assert_eq!(busy["code"], "RE-2003", "{busy}");
    for wait in &waits[8..] {
        let cancel = json!({ "requestId": wait, "reason": "enough" });
        let cancelled = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancel });
        client.write(&cancelled.to_string());
    }
    let status = wait_for("there is room again", || {
        let id = client.send_call("run_status", json!({ "run": "r" }));
        let answer = client.answer(id);
        (answer["result"]["isError"] == false).then(|| answer["result"]["structuredContent"].clone())
    });
    assert_eq!(status["status"], "running");
    sandbox.write("on", "");
    for wait in &waits[..8] {
        assert_eq!(client.called(*wait)["status"], "completed");
    }
    assert_eq!(client.end(), Some(0));
}

#[test]
fn a_server_that_is_asked_much_keeps_nothing_of_it() {
    let sandbox = Sandbox::new();
    sandbox.write("quick.yaml", "name: quick\nsteps:\n  - {id: a, run: [echo, a]}\n");
    let mut client = Client::start(&sandbox);
    let has = |client: &Client| {
        let proc = format!("/proc/{}", client.pid());
        (
            fs::read_dir(format!("{proc}/task")).unwrap().count(),
            fs::read_dir(format!("{proc}/fd")).unwrap().count(),
        )
    };
    let round = |client: &mut Client, round: usize| {
        let id = format!("r{round}");
        client.call("run_start", json!({ "file": "quick.yaml", "id": id, "wait_seconds": 60 }));
        client.call("run_status", json!({ "run": id }));
    };
    round(&mut client, 0);
    // What holds the store has threads and files, which go away with it; some threads for what blocks are kept for a while.
    wait_until("it has let go of the store", || !sandbox.data().join("control.sock").exists());
    let (threads, files) = has(&client);
    for number in 1..=30 {
        round(&mut client, number);
    }
    wait_until("it has no more threads and files than after one", || {
        let (threads_now, files_now) = has(&client);
        threads_now <= threads + 20 && files_now <= files + 6
    });
}
