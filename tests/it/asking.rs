//! `ask`: an agent does something without a workflow file, in a run like any other, with the real binary.

use serde_json::{Value, json};

use crate::support::{Sandbox, wait_until};

/// An agent that keeps the document that it was given in `got`, and answers with what the file `answer` holds; one that
/// fails, and one that waits for the file `go`.
fn machine() -> Sandbox {
    let sandbox = Sandbox::new();
    let agent = |name: &str, program: &str| {
        let command = serde_json::to_string(&["sh", "-c", program]).unwrap();
        let text = format!("---\nname: {name}\ndescription: x\ncommand: {command}\n---\nYou are {name}.\n");
        sandbox.write(&format!("agents/{name}.md"), text);
    };
    agent("helper", "cat > got; cat answer");
    agent("grump", "echo no >&2; exit 65");
    agent("sleeper", "echo started >> log; for _ in $(seq 3000); do [ -e go ] && break; sleep 0.01; done");
    sandbox.write("answer", "{\"answer\": 42}");
    sandbox
}

fn got(sandbox: &Sandbox) -> Value {
    serde_json::from_slice(&std::fs::read(sandbox.work("got")).unwrap()).unwrap()
}

fn code(refused: &Value) -> &str {
    refused["error"]["code"].as_str().unwrap()
}

#[test]
fn an_agent_that_is_asked_gets_the_query_as_it_stands_and_its_answer_is_the_output() {
    let sandbox = machine();
    let query = "What is {{ input.secret }}, {% if x %} {name} or\n\"this\" ${HOME} `id`?";
    let report =
        sandbox.json(0, &["ask", "--agent", "Helper Agent", query, "--id", "r", "--tag", "team=blue"]);
    assert_eq!(
        (&report["status"], &report["workflow"], &report["output"]),
        (&"completed".into(), &"ask".into(), &json!({"answer": 42}))
    );
    let step = &report["steps"][0];
    assert_eq!((&step["id"], &step["agent"]), (&"ask".into(), &"helper".into()));
    let got = got(&sandbox);
    assert_eq!((&got["prompt"], &got["input"]), (&query.into(), &json!({"query": query})));
    assert_eq!(got["agent"]["system"], "You are helper.");
    let listed = sandbox.json(0, &["list", "--workflow", "ask", "--tag", "team=blue"]);
    assert_eq!(listed["runs"][0]["run"], "r");
    let shown = sandbox.json(0, &["status", "r", "-v"]);
    assert_eq!(shown["input"], json!({"query": query}));
}

#[test]
fn what_is_given_beside_the_query_reaches_the_agent_with_it() {
    let sandbox = machine();
    sandbox.write("more.yaml", "log: build.log\nlines: 7\n");
    let arguments = ["--input", "lines:=12345678901234567890", "--input", "who.first=Ann {{ x }}"];
    let query = ["ask", "--agent", "helper", "why?", "--input-file", "more.yaml"];
    sandbox.json(0, &[&query[..], &arguments].concat());
    let input = &got(&sandbox)["input"];
    assert_eq!(
        (&input["query"], &input["log"], &input["who"]["first"]),
        (&"why?".into(), &"build.log".into(), &"Ann {{ x }}".into())
    );
    let text = std::fs::read_to_string(sandbox.work("got")).unwrap();
    assert!(text.contains("12345678901234567890"), "numbers keep their digits: {text}");
    for given in ["query=other", "query:=1", "query.x=1"] {
        let refused = sandbox.json(2, &["ask", "--agent", "helper", "why?", "--input", given]);
        assert_eq!(code(&refused), "RE-1203", "{refused}");
    }
    sandbox.write("list.yaml", "[1]\n");
    let refused = sandbox.json(2, &["ask", "--agent", "helper", "why?", "--input-file", "list.yaml"]);
    assert_eq!(code(&refused), "RE-1203", "{refused}");
}

#[test]
fn nobody_is_asked_unless_somebody_says_whom() {
    let sandbox = machine();
    let refused = sandbox.json(2, &["ask", "why?"]);
    assert_eq!(code(&refused), "RE-1311");
    let hint = refused["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("--agent") && hint.contains("default_agent"), "{refused}");
    let refused = sandbox.json(2, &["ask", "--agent", "hepler", "why?"]);
    assert_eq!(code(&refused), "RE-1301");
    assert!(refused["error"]["hint"].as_str().unwrap().contains("`helper`"), "{refused}");
    for built_in in ["shell", "Workflow"] {
        let refused = sandbox.json(2, &["ask", "--agent", built_in, "rm -r ."]);
        assert!(refused["error"]["message"].as_str().unwrap().contains("built in"), "{refused}");
    }
    assert_eq!(sandbox.reenact(&["ask", "--agent", "helper", ""]).code(), Some(2), "an empty query");
    assert!(!sandbox.data().exists(), "nothing was started");
    sandbox.write("reenact.toml", "default_agent = \"HELPER\"\n");
    assert_eq!(sandbox.json(0, &["ask", "why?"])["steps"][0]["agent"], "helper");
    assert_eq!(
        sandbox.json(1, &["ask", "--agent", "grump", "why?"])["status"],
        "failed",
        "who is named is nearer"
    );
    sandbox.write("reenact.toml", "default_agent = \"hepler\"\n");
    assert_eq!(code(&sandbox.json(2, &["ask", "why?"])), "RE-1301");
    sandbox.write("reenact.toml", "default_agent = 3\n");
    assert_eq!(code(&sandbox.json(2, &["ask", "why?"])), "RE-5001");
}

#[test]
fn it_ends_as_run_does_and_can_be_recorded_only() {
    let sandbox = machine();
    let failed = sandbox.json(1, &["ask", "--agent", "grump", "why?"]);
    assert_eq!(failed["error"]["class"], "validation", "{failed}");
    sandbox.json(0, &["agents", "pause", "helper"]);
    assert_eq!(sandbox.json(4, &["ask", "--agent", "helper", "why?", "--id", "w"])["status"], "waiting");
    sandbox.json(0, &["agents", "unpause", "helper"]);
    assert_eq!(
        sandbox.json(4, &["ask", "--agent", "helper", "how?", "--id", "d", "--detach"])["status"],
        "pending"
    );
    assert!(!sandbox.work("got").exists());
    assert_eq!(sandbox.json(0, &["resume", "d"])["output"], json!({"answer": 42}));
    assert_eq!(got(&sandbox)["prompt"], "how?");
    // Again, it is the same run; something else of that id is not.
    sandbox.write("answer", "{}");
    let again = sandbox.json(0, &["ask", "--agent", "helper", "how?", "--id", "d"]);
    assert_eq!(again["output"], json!({"answer": 42}));
    assert_eq!(sandbox.reenact(&["ask", "--agent", "helper", "else?", "--id", "d"]).code(), Some(2));
    assert_eq!(sandbox.reenact(&["ask", "--agent", "grump", "how?", "--id", "d"]).code(), Some(2));
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

#[test]
fn a_run_of_it_that_was_killed_is_resumed() {
    let sandbox = machine();
    let asked = sandbox.spawn(&["ask", "--agent", "sleeper", "sleep", "--id", "r"]);
    wait_until("it is at work", || sandbox.work("log").exists());
    asked.kill();
    sandbox.write("go", "");
    let report = sandbox.json(0, &["resume", "r"]);
    assert_eq!((&report["status"], &report["steps"][0]["attempts"]), (&"completed".into(), &2.into()));
    assert_eq!(std::fs::read_to_string(sandbox.work("log")).unwrap(), "started\nstarted\n");
}

#[test]
fn who_is_asked_may_hand_over_to_those_that_the_body_of_its_file_declares() {
    let sandbox = machine();
    let declare = |to: &str| {
        let says = format!(
            "HANDOFF DECLARATION:\nTo: {to}\nReason: it is not mine\nContext:\n  - Key data: {{\"n\": 1}}\n"
        );
        sandbox.write("says", says);
    };
    // A file of another tool: whom it names in its body are the only ones to whom it may hand over.
    sandbox.write(
        "agents/clerk.md",
        "# Clerk\n\n**Handoff Triggers**:\n- Hand off to **Helper Agent** when: it is a question\n",
    );
    sandbox.configure("[agents.clerk]\ncommand = [\"cat\", \"says\"]\n");
    declare("HELPER");
    let report = sandbox.json(0, &["ask", "--agent", "clerk", "what {{ now }}?"]);
    assert_eq!(
        (&report["handoffs"]["chain"], &report["output"]),
        (&json!(["clerk", "helper"]), &json!({"answer": 42}))
    );
    assert!(got(&sandbox)["prompt"].as_str().unwrap().contains("what {{ now }}?"));
    sandbox.json(0, &["ask", "--agent", "clerk", "again?"]);
    let listed = sandbox.json(0, &["agents", "list", "--handoffs"]);
    assert_eq!(listed["handoffs"], json!([{"from": "clerk", "to": "helper", "known": true, "count": 2}]));
    let people = sandbox.reenact(&["agents", "list", "--handoffs"]).stdout;
    assert!(people.contains("→ helper 2×"), "{people}");
    declare("grump");
    let report = sandbox.json(1, &["ask", "--agent", "clerk", "what?"]);
    assert_eq!(report["error"]["class"], "validation", "{report}");
    assert_eq!(report["handoffs"]["total"], 0);
}
