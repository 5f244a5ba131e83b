//! What is said before any tool is used, in both protocols; and what is no message.

use serde_json::{Value, json};

use super::client::{Client, NEWEST, WITH_HANDSHAKE};
use crate::support::Sandbox;

/// The tools. Their names stay.
const TOOLS: [&str; 19] = [
    "approvals",
    "approve",
    "cancel",
    "history",
    "reject",
    "replay_at",
    "resume",
    "route",
    "run_start",
    "run_status",
    "run_wait",
    "runs_list",
    "signal",
    "task_complete",
    "task_fail",
    "task_heartbeat",
    "task_next",
    "tasks_list",
    "why",
];

fn names(listed: &Value) -> Vec<&str> {
    let tools = listed["result"]["tools"].as_array().unwrap_or_else(|| panic!("{listed}"));
    let mut names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_client_of_the_protocol_with_a_handshake_is_told_the_tools() {
    let sandbox = Sandbox::new();
    let mut client = Client::of(sandbox.command(&["mcp"]), &sandbox);
    let hello = client.shake_hands(WITH_HANDSHAKE);
    assert_eq!(hello["protocolVersion"], WITH_HANDSHAKE);
    assert_eq!(hello["serverInfo"]["name"], "reenact");
    assert!(hello["instructions"].as_str().unwrap().contains("run_start"));
    let listed = client.ask("tools/list", json!({}));
    assert_eq!(names(&listed), TOOLS);
    let does = |name: &str, hint: &str| {
        let tools = listed["result"]["tools"].as_array().unwrap();
        tools.iter().find(|tool| tool["name"] == name).unwrap()["annotations"][hint].clone()
    };
    assert_eq!((does("why", "readOnlyHint"), does("run_start", "readOnlyHint")), (json!(true), json!(false)));
    assert_eq!(
        (does("task_next", "destructiveHint"), does("cancel", "destructiveHint")),
        (json!(false), json!(true))
    );
    assert_eq!(client.call("runs_list", json!({})), json!({ "runs": [], "next": null }));
    assert_eq!(client.end(), Some(0));
    assert!(!sandbox.data().exists(), "who only looks makes no data folder");
}

#[test]
fn a_client_of_the_newest_protocol_begins_with_whatever_it_wants() {
    let sandbox = Sandbox::new();
    let mut client = Client::newest(&sandbox);
    let found = client.ask("server/discover", json!({}));
    let versions = found["result"]["supportedVersions"].as_array().unwrap_or_else(|| panic!("{found}"));
    assert!(versions.contains(&json!(NEWEST)) && versions.contains(&json!(WITH_HANDSHAKE)), "{found}");
    assert_eq!(names(&client.ask("tools/list", json!({}))), TOOLS);
    assert_eq!(client.call("tasks_list", json!({})), json!({ "tasks": [] }));
    assert_eq!(client.end(), Some(0));
    // Without any question before it, too.
    let mut client = Client::newest(&sandbox);
    assert_eq!(client.call("runs_list", json!({})), json!({ "runs": [], "next": null }));
}

#[test]
fn what_is_no_request_of_a_tool_is_an_error_of_the_protocol() {
    let sandbox = Sandbox::new();
    let mut client = Client::start(&sandbox);
    for (tool, arguments, says) in [
        ("run_stop", json!({}), "there is no tool `run_stop`"),
        ("run_status", json!({}), "missing field `run`"),
        ("run_status", json!({"run": "r", "verbose": true}), "unknown field `verbose`"),
        ("run_wait", json!({"run": "r", "wait_seconds": 601}), "a wait is 600 seconds long at most"),
        ("run_start", json!({"file": "a.yaml", "inputs": [1]}), "expected a map"),
        ("task_complete", json!({"id": "r/1/1", "answer": 7}), "TaskAnswer"),
    ] {
        let answer = client.ask("tools/call", json!({ "name": tool, "arguments": arguments }));
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(says), "{answer}");
    }
    let answer = client.ask("tools/stop", json!({}));
    assert_eq!(answer["error"]["code"], -32601, "{answer}");
    let answer = client.ask("resources/read", json!({ "uri": "file:///etc/passwd" }));
    assert_eq!(answer["error"]["code"], -32002, "{answer}");
}

#[test]
fn what_is_no_message_is_left_out_or_refused_and_the_next_is_answered() {
    let sandbox = Sandbox::new();
    let mut client = Client::start(&sandbox);
    for garbage in ["", "{", "not json", "\u{0}\u{1b}[2J", "{\"jsonrpc\":\"2.0\",\"id\":1", "\"text\""] {
        client.write(garbage);
    }
    client.write("{\"jsonrpc\":\"1.0\",\"id\":77,\"odd\":true}");
    let deep = "[".repeat(100_000);
    client.write(&deep);
    client.write(&format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/list\",\"params\":{{\"x\":\"{}\"}}}}",
        "x".repeat(17 << 20)
    ));
    let id = client.send_call("runs_list", json!({}));
    let answer = loop {
        let message = client.hear();
        match message["id"].as_u64() {
            Some(answered) if answered == id => break message,
            _ => assert!(message["error"]["code"].is_i64(), "{message}"),
        }
    };
    assert_eq!(answer["result"]["structuredContent"]["runs"], json!([]));
    assert_eq!(client.end(), Some(0));
}

#[test]
fn who_begins_otherwise_is_told_so_and_one_who_goes_at_once_is_no_error() {
    let sandbox = Sandbox::new();
    let mut client = Client::of(sandbox.command(&["mcp"]), &sandbox);
    client.write("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
    let (code, said) = client.ended();
    assert_eq!((code, said), (Some(2), Vec::new()));
    assert!(client.stderr().contains("RE-1011"), "{}", client.stderr());
    let ended = sandbox.reenact(&["mcp"]);
    assert_eq!((ended.code(), ended.stdout.as_str()), (Some(0), ""), "{ended}");
}

#[test]
fn programs_that_a_folder_names_are_run_only_if_somebody_said_so() {
    let sandbox = Sandbox::new();
    sandbox.write("reenact.toml", "[[notify]]\non = ['run_failed']\ncommand = ['true']\n");
    let ended = sandbox.reenact(&["mcp"]);
    assert_eq!((ended.code(), ended.stdout.as_str()), (Some(2), ""), "{ended}");
    assert!(ended.stderr.contains("RE-5002"), "{ended}");
    assert_eq!(sandbox.reenact(&["trust"]).code(), Some(0));
    assert_eq!(sandbox.reenact(&["mcp"]).code(), Some(0));
}
