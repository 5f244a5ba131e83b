//! How a server ends: its client goes, somebody tells it to, or it is killed. What it drove can be resumed, and nothing is done
//! twice.

use std::fs;

use serde_json::json;

use super::client::Client;
use crate::support::{Sandbox, wait_until};

const GATED: &str = "\
name: gated
steps:
  - {id: first, run: 'echo x >> first.txt'}
  - {id: second, run: 'echo x >> second.txt; for _ in $(seq 6000); do [ -e on ] && break; sleep 0.01; done'}
  - {id: third, run: 'echo x >> third.txt'}
";

fn started(sandbox: &Sandbox) -> Client {
    sandbox.write("gated.yaml", GATED);
    // The grace of attempts is for programs that end by themselves; this one does not.
    sandbox.configure("[shutdown]\ngrace = '100ms'\n[process]\ngrace = '100ms'\n");
    let mut client = Client::start(sandbox);
    client.call("run_start", json!({ "file": "gated.yaml", "id": "r" }));
    wait_until("its second step runs", || sandbox.work("second.txt").exists());
    client
}

/// The run goes on where it was.
fn resumed(sandbox: &Sandbox) {
    let report = sandbox.status("r");
    assert_eq!((&report["status"], &report["interrupted"]), (&json!("running"), &json!(true)), "{report}");
    sandbox.write("on", "");
    assert_eq!(sandbox.json(0, &["resume", "r"])["status"], "completed");
    for (step, times) in [("first", "x\n"), ("third", "x\n"), ("second", "x\nx\n")] {
        assert_eq!(fs::read_to_string(sandbox.work(&format!("{step}.txt"))).unwrap(), times, "{step}");
    }
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

#[test]
fn a_client_that_goes_ends_the_server_well_and_the_run_can_be_resumed() {
    let sandbox = Sandbox::new();
    let client = started(&sandbox);
    assert_eq!(client.end(), Some(0));
    resumed(&sandbox);
}

#[test]
fn what_was_asked_before_the_client_went_is_answered() {
    let sandbox = Sandbox::new();
    sandbox.write("quick.yaml", "name: quick\nsteps:\n  - {id: a, run: [echo, a]}\n");
    let mut client = Client::start(&sandbox);
    let id = client.send_call("run_start", json!({ "file": "quick.yaml", "id": "q" }));
    client.close();
    assert_eq!(client.called(id)["run"], "q");
    let (code, rest) = client.ended();
    assert_eq!((code, rest), (Some(0), Vec::new()));
}

#[test]
fn a_signal_ends_the_server_and_the_run_can_be_resumed() {
    for interrupt in [false, true] {
        let sandbox = Sandbox::new();
        let mut client = started(&sandbox);
        let wait = client.send_call("run_wait", json!({ "run": "r", "wait_seconds": 600 }));
        if interrupt {
            client.interrupt();
        } else {
            client.terminate();
        }
        let (code, rest) = client.ended();
        assert_eq!(code, Some(130), "{}", client.stderr());
        assert!(rest.iter().all(|message| message["id"] == wait), "{rest:?}");
        resumed(&sandbox);
    }
}

#[test]
fn a_signal_before_a_client_began_ends_the_server() {
    let sandbox = Sandbox::new();
    let mut client = Client::of(sandbox.command(&["mcp"]), &sandbox);
    wait_until("it listens to signals", || {
        let status = fs::read_to_string(format!("/proc/{}/status", client.pid())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned();
        // SIGTERM is signal 15.
        u64::from_str_radix(&caught, 16).unwrap() & (1 << 14) != 0
    });
    client.terminate();
    assert_eq!(client.ended(), (Some(130), Vec::new()));
}

#[test]
fn a_server_that_is_killed_loses_nothing_and_another_goes_on() {
    let sandbox = Sandbox::new();
    let client = started(&sandbox);
    client.kill();
    let mut client = Client::start(&sandbox);
    let report = client.call("run_status", json!({ "run": "r" }));
    assert_eq!((&report["status"], &report["interrupted"]), (&json!("running"), &json!(true)), "{report}");
    sandbox.write("on", "");
    let report = client.call("resume", json!({ "run": "r", "wait_seconds": 60 }));
    assert_eq!(report["status"], "completed", "{report}");
    assert_eq!(fs::read_to_string(sandbox.work("first.txt")).unwrap(), "x\n");
    assert_eq!(sandbox.count("r", "attempt_lost", Some("second")), 1);
    assert_eq!(client.end(), Some(0));
}
