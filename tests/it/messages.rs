//! Messages between agents, with the real binary: sent by lines, given on stdin, shown, and after their process was killed.

use serde_json::{Value, json};

use crate::support::{Ended, Sandbox, wait_until};

/// A workflow in whose folder there are these agents, each with more of its file. A step of theirs writes the lines that are
/// there for it, and answers its document.
fn sandbox(agents: &[(&str, &str)], steps: &str, lines: &[(&str, &[&str])]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("agent.sh", "test -e lines-$REENACT_STEP && cat lines-$REENACT_STEP\ncat\n");
    for (name, more) in agents {
        let file = format!("---\nname: {name}\ndescription: Answers\ncommand: [sh, agent.sh]\n{more}---\n");
        sandbox.write(&format!("agents/{name}.md"), file);
    }
    for (step, lines) in lines {
        let sent: String = lines.iter().map(|line| format!("SEND: {line}\n")).collect();
        sandbox.write(&format!("lines-{step}"), sent);
    }
    sandbox.write("w.yaml", format!("name: w\nsteps:\n{steps}"));
    sandbox
}

fn lines(ended: &Ended) -> Vec<Value> {
    assert_eq!(ended.code(), Some(0), "{ended}");
    ended.json_lines()
}

fn messages(sandbox: &Sandbox, arguments: &[&str]) -> Vec<Value> {
    lines(&sandbox.reenact(&[&["--json", "messages"], arguments].concat()))
}

/// Of each message: its id, state, sender, address.
fn told(messages: &[Value]) -> Vec<String> {
    let word = |message: &Value, key: &str| message[key].as_str().unwrap().to_owned();
    let line = |message: &Value| ["id", "state", "from", "to"].map(|key| word(message, key)).join(" ");
    messages.iter().map(line).collect()
}

const ASKS: &[&str] = &[
    r#"{"to": "bob", "kind": "request", "body": {"n": 123456789012345678901}, "correlation": "c1", "priority": "high"}"#,
    r#"{"to": "topic:build.done", "kind": "notice", "deadline": "1h"}"#,
    r#"{"to": "*", "kind": "control", "body": "all"}"#,
    r#"{"to": "bobb", "kind": "task"}"#,
];

#[test]
fn what_a_program_sends_others_get_in_their_documents_and_it_is_shown() {
    let sandbox = sandbox(
        &[("ada", ""), ("bob", ""), ("cyd", "subscribes: [build.*]\n")],
        "  - {id: ask, agent: ada}\n  - {id: answer, agent: Bob}\n  - {id: hear, agent: cyd}\n",
        &[("ask", ASKS), ("answer", &[r#"{"to": "ada", "kind": "response", "correlation": "c1"}"#])],
    );
    let report = sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    let given = &report["steps"][1]["output"]["messages"];
    let ids: Vec<_> = given.as_array().unwrap().iter().map(|given| given["id"].clone()).collect();
    assert_eq!(ids, [json!("r/1"), json!("r/3")], "{given}");
    let mut first = given[0].clone();
    assert!(first["at"].take().is_string());
    let expected = json!({
        "id": "r/1", "from": "ada", "to": "bob", "kind": "request", "type_name": null, "priority": "high",
        "correlation": "c1", "causation": null, "deadline": null, "at": null, "body": {"n": 123456789012345678901f64},
    });
    assert_eq!(first, expected);
    assert!(
        sandbox.reenact(&["--json", "status", "r"]).stdout.contains("123456789012345678901"),
        "its digits stay"
    );
    let heard = &report["steps"][2]["output"]["messages"];
    assert_eq!((&heard[0]["to"], &heard[1]["to"]), (&json!("topic:build.done"), &json!("*")));
    assert!(heard[0]["deadline"].is_string());

    let all = messages(&sandbox, &["r"]);
    assert_eq!(
        told(&all),
        [
            "r/1 handled ada bob",
            "r/2 handled ada topic:build.done",
            "r/3 handled ada *",
            "r/4 dead ada bobb",
            "r/5 dead bob ada"
        ]
    );
    assert_eq!(all[4]["causation"], "r/1", "it answers what has the same correlation");
    assert_eq!(all[4]["receivers"][0]["why"], "the run has ended");
    let why = all[3]["receivers"][0]["why"].as_str().unwrap();
    assert!(why.contains("RE-1510") && why.contains("did you mean `bob`?"), "{why}");
    for key in ["id", "at", "run", "from", "to", "kind", "priority", "correlation", "state", "body"] {
        assert!(all[0].get(key).is_some(), "{key}");
    }
    let ids = |arguments: &[&str]| -> Vec<String> {
        messages(&sandbox, arguments)
            .iter()
            .map(|message| message["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&["--dead"]), ["r/4", "r/5"]);
    assert_eq!(ids(&["r", "--agent", "BOB_agent"]), ["r/1", "r/3", "r/5"]);
    assert_eq!(ids(&["r", "--kind", "task"]), ["r/4"]);
    assert_eq!(ids(&["r", "--correlation", "c1"]), ["r/1", "r/5"]);
    assert_eq!(ids(&["--limit", "2"]), ["r/4", "r/5"]);
    assert_eq!(ids(&["--since", "1h"]).len(), 5);
    assert_eq!(ids(&["--since", "2100-01-01T00:00:00Z"]).len(), 0);
    let table = sandbox.reenact(&["messages", "r"]).stdout;
    assert!(table.starts_with("MESSAGE  AT"), "{table}");
    assert!(table.contains("request (high)  handled"), "{table}");
    assert!(
        table.contains("\n  bobb: RE-1510: the run has no agent `bobb`; did you mean `bob`?\n"),
        "{table}"
    );
    let why = sandbox.reenact(&["why", "r", "answer"]).stdout;
    assert!(why.contains("`ask` sent message 1 (request) to bob: {\"n\": 123456789012345678901}"), "{why}");
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

#[test]
fn what_cannot_be_sent_fails_its_step_with_a_code_and_nothing_is_sent() {
    for (line, code, says) in [
        (r#"{"to":"bob"}"#, "RE-1501", "missing field `kind`"),
        (r#"{"to":"bob","kind":"gossip"}"#, "RE-1502", "task, result, request"),
        (r#"{"to":"bob","kind":"task","deadline":"whenever"}"#, "RE-1506", "neither a duration nor a moment"),
        (r#"{"to":"topic:**","kind":"task"}"#, "RE-1507", "say `*` as the whole address"),
    ] {
        let sandbox = sandbox(
            &[("ada", ""), ("bob", "")],
            "  - {id: a, agent: ada, on_error: continue}\n  - {id: b, agent: bob}\n",
            &[("a", &[r#"{"to":"bob","kind":"task"}"#, line])],
        );
        let report = sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
        let error = &report["steps"][0]["error"];
        assert_eq!((&error["code"], &error["class"]), (&json!(code), &json!("validation")), "{report}");
        assert!(error["message"].as_str().unwrap().contains(says), "{error}");
        assert_eq!(
            report["steps"][1]["output"]["messages"],
            json!([]),
            "all or nothing, and the run goes on"
        );
        assert!(messages(&sandbox, &["r"]).is_empty());
    }
}

#[test]
fn a_flood_of_lines_and_a_long_body_are_refused_and_the_process_goes_on() {
    let sandbox = Sandbox::new();
    let line = r#"SEND: {"to":"shell","kind":"task"}"#;
    let long = r#"SEND: {"to":"shell","kind":"task","body":"%s"}"#;
    sandbox.write(
        "w.yaml",
        format!(
            "name: w\nsteps:\n  - id: flood\n    run: |\n      yes '{line}' | head -n 1001\n    on_error: continue\n  - id: long\n    run: |\n      printf '{long}\\n' \"$(head -c 65536 /dev/zero | tr '\\0' x)\"\n    on_error: continue\n  - {{id: most, run: \"yes '{}' | head -n 1000\"}}\n",
            line.replace('"', "\\\"")
        ),
    );
    let report = sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(report["steps"][0]["error"]["code"], "RE-1504", "{report}");
    assert_eq!(report["steps"][1]["error"]["code"], "RE-1503", "{report}");
    assert_eq!(sandbox.count("r", "message_sent", Some("most")), 1000);
    assert_eq!(messages(&sandbox, &["r", "--limit", "5000"]).len(), 1000);
}

#[test]
fn a_pattern_that_would_match_every_topic_is_an_error_of_the_agents_file() {
    let sandbox = sandbox(&[("ada", "subscribes: [\"**\"]\n")], "  - {id: a, agent: ada}\n", &[]);
    let error = sandbox.json(2, &["run", "w.yaml"])["error"].clone();
    assert_eq!(error["code"], "RE-1302", "{error}");
    assert!(error["message"].as_str().unwrap().contains("names no word of a topic"), "{error}");
    assert_eq!(error["at"]["line"], 5);
}

/// The process died when its program had got the message: the next is given the same.
#[test]
fn after_a_crash_what_was_not_handled_is_given_again_under_the_same_id() {
    let sandbox = Sandbox::new();
    sandbox.write("agents/bob.md", "---\nname: bob\ndescription: Dies once\ncommand: [sh, bob.sh]\n---\n");
    sandbox.write(
        "bob.sh",
        "cat > got\necho 'SEND: {\"to\": \"bob\", \"kind\": \"result\"}'\ntest -e again && { cat got; exit 0; }\ntouch again\nsleep 60\n",
    );
    sandbox.write(
        "w.yaml",
        "name: w\nsteps:\n  - id: a\n    run: |\n      echo 'SEND: {\"to\": \"bob\", \"kind\": \"task\", \"body\": 7}'\n  - {id: b, agent: bob}\n",
    );
    let run = sandbox.spawn(&["--json", "run", "w.yaml", "--id", "r"]);
    wait_until("it was given the message", || sandbox.work("again").exists());
    run.kill();
    assert_eq!(told(&messages(&sandbox, &["r"])), ["r/1 sent shell bob"], "it has sent nothing");
    let report = sandbox.json(0, &["resume", "r"]);
    assert_eq!(report["steps"][1]["output"]["messages"][0]["id"], "r/1");
    assert_eq!(sandbox.count("r", "message_handled", None), 1);
    assert_eq!(told(&messages(&sandbox, &["r"])), ["r/1 handled shell bob", "r/2 dead bob bob"]);
}

#[test]
fn what_is_dead_is_sent_again_and_nothing_else_is() {
    let sandbox = sandbox(
        &[("ada", ""), ("bob", "")],
        "  - {id: a, agent: ada}\n  - {id: gate, agent: ada, approve: before}\n  - {id: b, agent: bob}\n",
        &[("a", &[r#"{"to": "zoe", "kind": "task"}"#, r#"{"to": "bob", "kind": "task", "deadline": "0s"}"#])],
    );
    sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(told(&messages(&sandbox, &["--dead"])), ["r/1 dead ada zoe", "r/2 expired ada bob"]);
    let recorded = sandbox.json(0, &["messages", "resend", "r/2", "--by", "eve"]);
    assert_eq!((&recorded["run"], &recorded["status"]), (&json!("r"), &json!("waiting")));
    for (id, code) in [
        ("r/1", "RE-1510"),
        ("r/2", "RE-1509"),
        ("r/3", "RE-1509"),
        ("r/9", "RE-1508"),
        ("s/1", "RE-1003"),
        ("r2", "RE-1001"),
    ] {
        assert_eq!(sandbox.json(2, &["messages", "resend", id])["error"]["code"], code, "{id}");
    }
    let report = sandbox.json(0, &["approve", "r", "--resume"]);
    assert_eq!(report["steps"][2]["output"]["messages"][0]["id"], "r/3", "{report}");
    let all = messages(&sandbox, &["r"]);
    assert_eq!(told(&all), ["r/1 dead ada zoe", "r/2 expired ada bob", "r/3 handled ada bob"]);
    assert_eq!((&all[2]["causation"], &all[2]["by"]), (&json!("r/2"), &json!("eve")));
    assert_eq!(sandbox.json(2, &["messages", "resend", "r/1"])["error"]["code"], "RE-2001", "it has ended");
}

#[test]
fn where_there_is_nothing_there_are_no_messages_and_no_folder_is_made() {
    let sandbox = Sandbox::new();
    assert!(messages(&sandbox, &[]).is_empty());
    assert_eq!(sandbox.json(2, &["messages", "r"])["error"]["code"], "RE-1003");
    assert_eq!(sandbox.json(2, &["messages", "resend", "r/1"])["error"]["code"], "RE-1003");
    assert!(!sandbox.data().exists());
    for wrong in [
        &["messages", "--kind", "gossip"][..],
        &["messages", "--limit", "0"],
        &["messages", "--since", "then"],
    ] {
        assert_eq!(sandbox.json(2, wrong)["error"]["code"], "RE-1001", "{wrong:?}");
    }
}
