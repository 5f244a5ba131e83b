//! An assistant is the agent: it takes tasks and answers them, and answers what people are asked.

use serde_json::{Value, json};

use super::client::Client;
use crate::support::{Sandbox, wait_until};

const CHAIN: &str = "\
name: chain
steps:
  - {id: draft, agent: writer, prompt: 'Write about {{ input.topic }}'}
  - {id: check, agent: writer, prompt: 'Check this: {{ steps.draft.output.text }}', schema: {type: object, required: [ok]}}
output: '{{ steps.check.output.ok }}'
";

const WRITER: &str = "---\nname: writer\ndescription: Writes\nexecutor: external\n---\nYou write.\n";

const GATES: &str = "\
name: gates
steps:
  - {id: one, run: [echo, one], approve: before}
  - {id: two, wait_for: go}
  - {id: three, run: [echo, three], approve: before, approvers: [ada]}
";

pub(super) fn chain(sandbox: &Sandbox) {
    sandbox.write("agents/writer.md", WRITER);
    sandbox.write("chain.yaml", CHAIN);
}

fn start(client: &mut Client, file: &str, id: &str) -> Value {
    client.call("run_start", json!({"file": file, "id": id, "inputs": {"topic": "rust"}, "wait_seconds": 60}))
}

#[test]
fn an_assistant_does_the_steps_of_a_chain_while_another_process_watches() {
    let sandbox = Sandbox::new();
    chain(&sandbox);
    for newest in [false, true] {
        let mut client = if newest { Client::newest(&sandbox) } else { Client::start(&sandbox) };
        let id = if newest { "n" } else { "r" };
        let report = start(&mut client, "chain.yaml", id);
        assert_eq!(report["status"], "waiting", "{report}");
        assert_eq!(report["waiting_for"][0]["kind"], "task");
        let watcher = sandbox.spawn(&["--json", "run", "chain.yaml", "--input", "topic=rust", "--id", id]);
        let task = client.call("task_next", json!({ "agent": "writer", "wait_seconds": 60 }));
        assert_eq!((&task["step"], &task["prompt"]), (&json!("draft"), &json!("Write about rust")), "{task}");
        assert_eq!(task["system"], "You write.", "{task}");
        let seen = sandbox.json(0, &["tasks", "--agent", "writer"]);
        assert!(seen["tasks"][0]["by"].as_str().unwrap().starts_with("probe for "), "{seen}");
        client.call("task_heartbeat", json!({ "id": task["id"], "percent": 40, "text": "half a page" }));
        assert_eq!(sandbox.json(0, &["tasks"])["tasks"][0]["percent"], 40);
        let recorded = client.call("task_complete", json!({ "id": task["id"], "answer": "A haiku." }));
        assert_eq!(recorded["run"], id);
        // It went on for the client, so it goes on by itself.
        let task = client.call("task_next", json!({ "agent": "writer", "wait_seconds": 60 }));
        assert_eq!(
            (&task["step"], &task["prompt"]),
            (&json!("check"), &json!("Check this: A haiku.")),
            "{task}"
        );
        assert_eq!(task["schema"]["required"][0], "ok");
        client.call("task_complete", json!({ "id": task["id"], "answer": {"ok": true} }));
        let report = client.call("run_wait", json!({ "run": id, "wait_seconds": 60 }));
        assert_eq!((&report["status"], &report["output"]), (&json!("completed"), &json!(true)), "{report}");
        let watched = watcher.wait();
        // It ended when the run waited for somebody, or saw its end.
        assert!(matches!(watched.code(), Some(0 | 4)), "{watched}");
        assert_eq!(client.end(), Some(0));
        let by = sandbox.events(id, "task_taken")[0]["data"]["by"].clone();
        assert!(by.as_str().unwrap().starts_with("probe for "), "{by}");
    }
}

#[test]
fn tasks_are_given_up_and_refused_as_with_the_command_line() {
    let sandbox = Sandbox::new();
    chain(&sandbox);
    let mut client = Client::start(&sandbox);
    assert_eq!(
        client.call("task_next", json!({ "agent": "writer" })),
        json!({ "id": null, "paused": false })
    );
    assert!(!sandbox.data().exists());
    start(&mut client, "chain.yaml", "r");
    let next = json!({ "agent": "writer", "by": "ada", "lease_seconds": 3600 });
    let task = client.call("task_next", next);
    let id = task["id"].as_str().unwrap().to_owned();
    assert_eq!(client.call("task_next", json!({ "agent": "writer" }))["id"], Value::Null, "it is taken");
    assert_eq!(client.refused("task_heartbeat", json!({"id": id, "lease_seconds": 0}))["code"], "RE-1806");
    let unleased = id.rsplit_once('/').unwrap().0;
    assert_eq!(client.refused("task_complete", json!({"id": unleased, "answer": "x"}))["code"], "RE-1801");
    let twice = client.refused("task_complete", json!({"id": id, "answer": "{\"a\":1,\"a\":2}"}));
    assert_eq!(twice["code"], "RE-3030");
    client.call("task_fail", json!({ "id": id, "reason": "no ink", "class": "validation" }));
    let report = client.call("run_wait", json!({ "run": "r", "wait_seconds": 60 }));
    assert_eq!(report["status"], "failed", "{report}");
    assert!(report["error"]["message"].as_str().unwrap().contains("no ink"), "{report}");
    client.refused("task_complete", json!({ "id": id, "answer": "late" }));
    assert_eq!(sandbox.count("r", "step_completed", None), 0);
}

#[test]
fn a_run_of_somebody_else_goes_on_only_if_the_client_says_so() {
    let sandbox = Sandbox::new();
    chain(&sandbox);
    let ended = sandbox.reenact(&["run", "chain.yaml", "--input", "topic=rust", "--id", "r"]);
    assert_eq!(ended.code(), Some(4), "{ended}");
    let mut client = Client::start(&sandbox);
    let task = client.call("task_next", json!({ "agent": "writer" }));
    client.call("task_complete", json!({ "id": task["id"], "answer": "one" }));
    // Nobody drives it, so the second step is not begun.
    let report = client.call("run_status", json!({ "run": "r" }));
    assert_eq!(report["interrupted"], true, "{report}");
    let report = client.call("resume", json!({ "run": "r", "wait_seconds": 60 }));
    assert_eq!((&report["status"], &report["waiting_for"][0]["step"]), (&json!("waiting"), &json!("check")));
    let task = client.call("task_next", json!({ "agent": "writer" }));
    client.call("task_complete", json!({ "id": task["id"], "answer": {"ok": 1} }));
    assert_eq!(client.call("run_wait", json!({ "run": "r", "wait_seconds": 60 }))["status"], "completed");
}

#[test]
fn what_runs_ask_people_is_told_and_answered_in_the_name_that_is_said() {
    let sandbox = Sandbox::new();
    sandbox.write("gates.yaml", GATES);
    let mut client = Client::start(&sandbox);
    assert_eq!(client.call("approvals", json!({})), json!({ "approvals": [], "next": null }));
    let report = start(&mut client, "gates.yaml", "r");
    let asked = client.call("approvals", json!({}))["approvals"][0].clone();
    assert_eq!((&asked["run"], &asked["step"]), (&json!("r"), &json!("one")), "{asked}");
    assert_eq!(asked["hash"], report["waiting_for"][0]["hash"]);
    assert_eq!(client.call("approvals", json!({ "run": "r" }))["approvals"][0], asked);
    let other = client.refused("approve", json!({ "run": "r", "hash": "0123456789abcdef" }));
    assert_eq!(other["code"], "RE-2018");
    let recorded = client.call("approve", json!({ "run": "r", "hash": asked["hash"], "note": "fine" }));
    assert_eq!(recorded["run"], "r");
    let by = sandbox.events("r", "approval_granted")[0]["data"]["by"].clone();
    assert!(by.as_str().unwrap().starts_with("probe for "), "{by}");
    let waits_for = |kind: &str| sandbox.status("r")["waiting_for"][0]["kind"] == kind;
    wait_until("it waits for the signal", || waits_for("signal"));
    client.call("signal", json!({ "run": "r", "name": "go", "data": {"price": 3} }));
    wait_until("it asks again", || waits_for("approval"));
    // An assistant is nobody's approver, unless it says for whom it answers.
    assert_eq!(client.refused("approve", json!({ "run": "r" }))["code"], "RE-2015");
    client.call("approve", json!({ "run": "r", "request": "three", "by": "ada" }));
    let report = client.call("run_wait", json!({ "run": "r", "wait_seconds": 60 }));
    assert_eq!(report["status"], "completed", "{report}");
    assert_eq!(report["steps"][1]["output"], json!({"price": 3}));
    // Refused, and cancelled.
    start(&mut client, "gates.yaml", "no");
    client.call("reject", json!({ "run": "no", "reason": "not on a Friday", "by": "ada" }));
    let report = client.call("run_wait", json!({ "run": "no", "wait_seconds": 60 }));
    assert_eq!(report["status"], "failed", "{report}");
    start(&mut client, "gates.yaml", "off");
    assert_eq!(client.call("cancel", json!({ "run": "off", "reason": "enough" }))["status"], "cancelled");
}
