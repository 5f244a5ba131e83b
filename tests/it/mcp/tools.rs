//! The tools that start runs and look at them: each does what its verb does, and answers with what that prints.

use serde_json::{Value, json};

use super::client::Client;
use crate::support::Sandbox;

const GREET: &str = "\
name: greet
input: {type: object, required: [name], properties: {name: {type: string}}}
steps:
  - {id: hello, run: [echo, 'hello {{ input.name }}']}
  - {id: again, run: [echo, again]}
output: '{{ steps.hello.output.stdout }}'
";

const FAILS: &str = "name: fails\nsteps:\n  - {id: bad, run: 'exit 65'}\n";

/// The report of a run as the command line prints it.
fn printed(sandbox: &Sandbox, words: &[&str]) -> Value {
    sandbox.json(0, words)
}

#[test]
fn a_run_is_started_and_looked_at_as_with_the_command_line() {
    let sandbox = Sandbox::new();
    sandbox.write("greet.yaml", GREET);
    let mut client = Client::start(&sandbox);
    let start = json!({
        "file": "greet.yaml", "inputs": {"name": "Ada"}, "id": "r", "tags": {"team": "docs"}, "wait_seconds": 60,
    });
    let report = client.call("run_start", start.clone());
    assert_eq!(
        (&report["status"], &report["output"]),
        (&json!("completed"), &json!("hello Ada")),
        "{report}"
    );
    // Again with the same it is the same run.
    assert_eq!(client.call("run_start", start)["version"], report["version"]);
    for (tool, arguments, verb) in [
        ("run_status", json!({"run": "last"}), &["status", "r"][..]),
        ("run_status", json!({"run": "r", "inputs": true}), &["status", "r", "-v"]),
        ("run_wait", json!({"run": "r"}), &["status", "r"]),
        ("resume", json!({"run": "r", "wait_seconds": 60}), &["status", "r"]),
        ("runs_list", json!({"tags": {"team": "docs"}}), &["list", "--tag", "team=docs"]),
        ("runs_list", json!({"status": "interrupted"}), &["list", "--status", "interrupted"]),
        ("replay_at", json!({"run": "r", "version": 4}), &["replay", "r", "--at", "4"]),
        ("why", json!({"run": "r", "step": "again"}), &["why", "r", "again"]),
        ("tasks_list", json!({"agent": "nobody"}), &["tasks", "--agent", "nobody"]),
    ] {
        assert_eq!(client.call(tool, arguments.clone()), printed(&sandbox, verb), "{tool} {arguments}");
    }
    assert_eq!(client.end(), Some(0));
}

#[test]
fn a_history_is_told_part_by_part() {
    let sandbox = Sandbox::new();
    sandbox.write("greet.yaml", GREET);
    let mut client = Client::start(&sandbox);
    client.call(
        "run_start",
        json!({"file": "greet.yaml", "inputs": {"name": "A"}, "id": "r", "wait_seconds": 60}),
    );
    let all = sandbox.history("r");
    let (mut told, mut from) = (Vec::new(), json!(1));
    while !from.is_null() {
        let part = client.call("history", json!({"run": "r", "from": from, "limit": 3}));
        let events = part["events"].as_array().unwrap();
        assert!(events.len() == 3 || part["next"].is_null(), "{part}");
        told.extend(events.iter().cloned());
        from = part["next"].clone();
    }
    assert_eq!(told, all);
    let part = client.call("history", json!({"run": "r", "from": 2, "to": 3}));
    assert_eq!((&part["events"], &part["next"]), (&json!(all[1..3]), &Value::Null));
    let resource = client.read("reenact://runs/r/history");
    assert_eq!((&resource["events"], &resource["next"]), (&json!(all), &Value::Null));
}

#[test]
fn a_history_that_is_too_long_for_one_answer_goes_on_where_it_says() {
    let sandbox = Sandbox::new();
    let long = "head -c 300000 /dev/zero | tr '\\\\0' x";
    let steps: Vec<String> = (0..6).map(|n| format!("  - {{id: s{n}, run: \"{long}\"}}")).collect();
    sandbox.write("long.yaml", format!("name: long\nsteps:\n{}\n", steps.join("\n")));
    let mut client = Client::start(&sandbox);
    let report = client.call("run_start", json!({"file": "long.yaml", "id": "r", "wait_seconds": 60}));
    assert_eq!(report["status"], "completed", "{report}");
    // Six outputs of 300 kB are more than an answer has room for.
    assert!(report["left_out"]["steps"].as_u64().unwrap() > 1_800_000, "{report}");
    assert!(report.get("steps").is_none());
    let resource = client.read("reenact://runs/r");
    assert_eq!(resource["left_out"], report["left_out"]);
}

#[test]
fn resources_are_the_runs_and_their_histories() {
    let sandbox = Sandbox::new();
    sandbox.write("greet.yaml", GREET);
    let mut client = Client::start(&sandbox);
    let of = |client: &mut Client| {
        let listed = client.ask("resources/list", json!({}));
        let listed = listed["result"]["resources"].as_array().unwrap().clone();
        listed.iter().map(|resource| resource["uri"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(of(&mut client), ["reenact://runs"]);
    client.call(
        "run_start",
        json!({"file": "greet.yaml", "inputs": {"name": "A"}, "id": "r", "wait_seconds": 60}),
    );
    assert_eq!(of(&mut client), ["reenact://runs", "reenact://runs/r"]);
    let templates = client.ask("resources/templates/list", json!({}));
    assert_eq!(templates["result"]["resourceTemplates"].as_array().unwrap().len(), 2, "{templates}");
    assert_eq!(client.read("reenact://runs"), printed(&sandbox, &["list"]));
    assert_eq!(client.read("reenact://runs/r"), sandbox.status("r"));
    for uri in ["reenact://runs/nobody", "reenact://runs/nobody/history"] {
        let answer = client.ask("resources/read", json!({ "uri": uri }));
        assert_eq!(answer["error"]["code"], -32002, "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().starts_with("RE-1003 "), "{answer}");
    }
}

#[test]
fn what_a_tool_does_not_do_it_tells_with_a_code_and_starts_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("greet.yaml", GREET);
    sandbox.write("odd.yaml", "name: odd\nsteps:\n  - {id: a, runs: [true]}\n");
    let mut client = Client::start(&sandbox);
    let run = || json!({ "run": "nobody" });
    let reject = || json!({ "run": "nobody", "reason": "no" });
    for (tool, arguments) in [
        ("run_status", run()),
        ("run_wait", run()),
        ("resume", run()),
        ("approvals", run()),
        ("approve", run()),
        ("reject", reject()),
        ("cancel", run()),
        ("signal", json!({ "run": "nobody", "name": "go" })),
        ("replay_at", run()),
        ("why", run()),
        ("history", run()),
        ("runs_list", json!({ "after": "nobody" })),
        ("task_fail", json!({ "id": "nobody/1/1", "reason": "no" })),
        ("task_heartbeat", json!({ "id": "nobody/1/1" })),
        ("task_complete", json!({ "id": "nobody/1/1", "answer": "x" })),
    ] {
        assert_eq!(client.refused(tool, arguments)["code"], "RE-1003", "{tool}");
    }
    assert!(!sandbox.data().exists());
    for (tool, arguments, code) in [
        ("run_start", json!({"file": "none.yaml"}), "RE-1101"),
        ("run_start", json!({"file": "odd.yaml"}), "RE-1103"),
        ("run_start", json!({"file": "greet.yaml"}), "RE-1203"),
        ("run_start", json!({"file": "greet.yaml", "inputs": {"name": "A"}, "id": "last"}), "RE-1002"),
        ("runs_list", json!({"status": "done"}), "RE-1104"),
        ("task_next", json!({"agent": ""}), "RE-1104"),
        ("task_complete", json!({"id": "r", "answer": "x"}), "RE-1801"),
        ("route", json!({"query": " "}), "RE-1902"),
    ] {
        let error = client.refused(tool, arguments.clone());
        assert_eq!(error["code"], code, "{tool} {arguments} {error}");
    }
    let error = client.refused("run_start", json!({"file": "odd.yaml"}));
    assert_eq!(error["at"]["line"], 3, "{error}");
    assert!(error["hint"].as_str().unwrap().contains("run"), "{error}");
    assert!(!sandbox.data().exists());
    // The same where there is a store.
    sandbox.write("fails.yaml", FAILS);
    let report = client.call("run_start", json!({"file": "fails.yaml", "id": "f", "wait_seconds": 60}));
    assert_eq!(report["status"], "failed", "{report}");
    for (tool, arguments, code) in [
        ("run_status", run(), "RE-1003"),
        ("replay_at", json!({"run": "f", "version": 999}), "RE-2010"),
        ("why", json!({"run": "f", "step": "none"}), "RE-2009"),
        ("approve", json!({"run": "f"}), "RE-2013"),
        ("cancel", json!({"run": "f"}), "RE-2001"),
        ("signal", json!({"run": "f", "name": "go"}), "RE-2001"),
        ("run_start", json!({"file": "greet.yaml", "inputs": {"name": "A"}, "id": "f"}), "RE-1005"),
    ] {
        let error = client.refused(tool, arguments.clone());
        assert_eq!(error["code"], code, "{tool} {arguments} {error}");
    }
}

#[test]
fn where_a_request_would_go_is_told_as_by_the_command_line() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "agents/dns.md",
        "---\nname: dns\ndescription: Configures DNS records and zones\nmodel: m\n---\nYou configure DNS.\n",
    );
    let mut client = Client::start(&sandbox);
    let query = "help me configure DNS records";
    let route = client.call("route", json!({ "query": query }));
    assert_eq!(route, printed(&sandbox, &["route", query]));
    assert_eq!(route["agents"][0]["name"], "dns", "{route}");
    let explained = client.call("route", json!({ "query": query, "explain": true }));
    assert_eq!(explained, printed(&sandbox, &["route", query, "--explain"]));
}
