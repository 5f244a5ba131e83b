//! Agents that are stuck: real programs, a manager that is asked, and what people and programs see of it.

use serde_json::{Value, json};

use crate::support::{Sandbox, wait_until};

/// An agent that runs this under a shell.
fn agent(sandbox: &Sandbox, name: &str, script: &str) {
    let command = serde_json::to_string(&["sh", "-c", script]).unwrap();
    let text = format!("---\nname: {name}\ndescription: x\nexecutor: subprocess\ncommand: {command}\n---\n");
    sandbox.write(&format!("agents/{name}.md"), text);
}

const LOOP: &str = "name: w\non_failure: stop\nsteps:\n  - {id: draft, agent: writer, prompt: write it, repeat: {until: output.done, max: 9}}\n";

/// An agent that always answers the same, until its prompt holds what a manager says; then it is done.
const WRITER: &str =
    r#"grep -q 'use the other door' && echo '{"done": true}' || echo '{"done": false, "text": "not yet"}'"#;

/// The document that it got, and what to do.
const BOSS: &str = "cat >asked.json; echo use the other door";

fn statuses(report: &Value) -> Vec<(String, String)> {
    let steps = report["steps"].as_array().unwrap().iter();
    steps
        .map(|step| (step["id"].as_str().unwrap().to_owned(), step["status"].as_str().unwrap().to_owned()))
        .collect()
}

#[test]
fn an_agent_that_always_answers_the_same_is_told_by_its_manager_what_to_do() {
    let sandbox = Sandbox::new();
    agent(&sandbox, "writer", WRITER);
    agent(&sandbox, "boss", BOSS);
    sandbox.write("reenact.toml", "[stuck]\nmanager = \"Boss-Agent\"\n");
    sandbox.write("w.yaml", LOOP);
    let ran = sandbox.reenact(&["run", "w.yaml", "--id", "r"]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    assert!(
        ran.stderr.contains("draft#4: is stuck, boss is asked: `writer` gave the same answer 4 times"),
        "{ran}"
    );
    let report = sandbox.json(0, &["status", "r"]);
    let last = statuses(&report).pop().unwrap();
    assert_eq!(last, ("draft#4/guidance[1]".to_owned(), "completed".to_owned()), "{report:#}");
    assert_eq!(
        (&report["escalations"][0]["step"], &report["escalations"][0]["to"]),
        (&json!("draft#4"), &json!("boss"))
    );
    let asked: Value =
        serde_json::from_str(&std::fs::read_to_string(sandbox.work("asked.json")).unwrap()).unwrap();
    let input = &asked["input"];
    assert_eq!(
        (&input["step"], &input["agent"], &input["task"]),
        (&json!("draft#4"), &json!("writer"), &json!("write it"))
    );
    assert_eq!(input["answered"]["output"], json!({"done": false, "text": "not yet"}));
    assert!(asked["prompt"].as_str().unwrap().contains("does not get on"), "{asked}");
    let escalated = sandbox.history("r").into_iter().find(|event| event["type"] == "escalated").unwrap();
    let data = &escalated["data"];
    assert_eq!(
        (&data["step"], &data["attempt"], &data["within"], &data["to"]),
        (&json!("draft#4"), &json!(1), &json!("draft"), &json!("boss"))
    );
    assert_eq!(
        (&data["why"]["answer"]["agent"], &data["why"]["answer"]["times"]),
        (&json!("writer"), &json!(4))
    );
    let why = sandbox.reenact(&["why", "r", "draft#4"]);
    assert!(why.stdout.contains("boss was asked about `draft#4`, which is stuck"), "{why}");
}

#[test]
fn a_program_finds_what_the_manager_said_in_its_document() {
    let sandbox = Sandbox::new();
    agent(
        &sandbox,
        "writer",
        r#"cat >document.json; grep -q '"guidance":{"by":"boss"' document.json && echo '{"done": true}' || echo '{"done": false}'"#,
    );
    agent(&sandbox, "boss", r#"echo '{"do": ["a", "b"]}'"#);
    sandbox.write("reenact.toml", "[stuck]\nanswers = 1\nmanager = \"boss\"\n");
    sandbox.write("w.yaml", LOOP);
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    let document = std::fs::read_to_string(sandbox.work("document.json")).unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["guidance"]["answer"], json!({"do": ["a", "b"]}));
    assert!(document["prompt"].as_str().unwrap().starts_with("write it\n\n## Guidance\n"), "{document}");
}

#[test]
fn who_is_stuck_again_or_has_no_manager_fails_fatally_and_says_what_was_seen() {
    let sandbox = Sandbox::new();
    agent(&sandbox, "writer", r#"echo '{"done": false}'"#);
    agent(&sandbox, "boss", "echo try harder");
    sandbox.write("w.yaml", LOOP);
    let report = sandbox.json(1, &["run", "w.yaml", "--id", "alone"]);
    let error = &report["error"];
    assert_eq!(
        (&error["code"], &error["class"], &error["step"]),
        (&json!("RE-3038"), &json!("fatal"), &json!("draft#4"))
    );
    let message = error["message"].as_str().unwrap();
    assert_eq!(
        message,
        "it is stuck: `writer` gave the same answer 4 times, and no more than 3 may be: {\"done\": false}"
    );
    sandbox.write("reenact.toml", "[stuck]\nanswers = 2\nmanager = \"boss\"\n");
    let report = sandbox.json(1, &["run", "w.yaml", "--id", "again"]);
    let message = report["error"]["message"].as_str().unwrap();
    assert!(message.contains("4 times") && message.contains("`boss` was asked before"), "{message}");
    let why = sandbox.reenact(&["why", "again"]);
    for said in ["it is stuck", "answered {\"stdout\":\"try harder\"}", "boss was asked about `draft#3`"] {
        assert!(why.stdout.contains(said), "{said}: {why}");
    }
    sandbox.write("reenact.toml", "[stuck]\nanswers = 0\n");
    let report = sandbox.json(1, &["run", "w.yaml", "--id", "off"]);
    assert_eq!(report["error"]["code"], "RE-3021", "{}", report["error"]);
}

/// What polls is never stuck, however often it finds the same.
#[test]
fn polls_go_on_as_long_as_they_may() {
    const LOOK: &str = r#"echo x >>looked; if test $(wc -l <looked) -lt 9; then echo '{"done": false}'; else rm looked; echo '{"done": true}'; fi"#;
    let sandbox = Sandbox::new();
    agent(&sandbox, "looker", LOOK);
    sandbox.write("look", LOOK);
    for (id, does) in [("shell", "run: sh look"), ("agent", "agent: looker")] {
        let step = format!("{{id: poll, {does}, repeat: {{until: output.done, max: 20}}}}");
        sandbox.write("w.yaml", format!("name: w\nsteps: [{step}]"));
        let report = sandbox.json(0, &["run", "w.yaml", "--id", id]);
        assert_eq!(report["steps"].as_array().unwrap().len(), 10, "{report:#}");
    }
}

#[test]
fn two_agents_that_hand_over_back_and_forth_are_stuck_whatever_they_tell_each_other() {
    let sandbox = Sandbox::new();
    let hands_over = |to: &str| {
        format!(
            "cat >doc; if grep -q 'do it yourself' doc; then echo done; else n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) >n; printf 'HANDOFF DECLARATION:\\nTo: {to}\\nReason: no idea\\nContext:\\n- Round: %s\\n' $n; fi"
        )
    };
    agent(&sandbox, "a", &hands_over("b"));
    agent(&sandbox, "b", &hands_over("a"));
    agent(&sandbox, "boss", "echo do it yourself");
    sandbox.write("w.yaml", "name: w\nsteps: [{id: s, agent: a, prompt: x}]");
    let report = sandbox.json(1, &["run", "w.yaml", "--id", "alone"]);
    let message = report["error"]["message"].as_str().unwrap();
    assert_eq!((&report["error"]["code"], &report["error"]["class"]), (&json!("RE-3038"), &json!("fatal")));
    assert!(message.ends_with("a → b → a → b → a → b"), "{message}");
    sandbox.write("reenact.toml", "[stuck]\nmanager = \"boss\"\n");
    let report = sandbox.json(0, &["run", "w.yaml", "--id", "asked"]);
    assert_eq!(report["steps"][0]["output"]["stdout"], "done", "{report:#}");
    assert_eq!(sandbox.count("asked", "escalated", Some("s/handoff[4]")), 1);
}

#[test]
fn an_attempt_that_does_not_end_is_stopped_and_the_manager_is_asked() {
    let sandbox = Sandbox::new();
    agent(&sandbox, "slow", "grep -q hurry && echo fine || sleep 60");
    agent(&sandbox, "boss", "echo hurry");
    sandbox.write("reenact.toml", "[stuck]\ntime = \"400ms\"\nmanager = \"boss\"\n");
    sandbox.write("w.yaml", "name: w\nsteps: [{id: s, agent: slow}]");
    let report = sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(report["steps"][0]["output"]["stdout"], "fine", "{report:#}");
    let seen = report["escalations"][0]["seen"].as_str().unwrap();
    assert_eq!(seen, "`slow` did not come to an end within 400ms");
}

/// What is recorded of a question to a manager is one commit, and whoever goes on after a crash asks once.
#[test]
fn a_crash_while_the_manager_thinks_loses_neither_the_question_nor_the_answer() {
    let sandbox = Sandbox::new();
    agent(&sandbox, "writer", WRITER);
    agent(&sandbox, "boss", "echo x >>asked; until test -e go; do sleep 0.01; done; echo use the other door");
    sandbox.write("reenact.toml", "[stuck]\nanswers = 1\nmanager = \"boss\"\n");
    sandbox.write("w.yaml", LOOP);
    let run = sandbox.spawn(&["run", "w.yaml", "--id", "r"]);
    wait_until("the manager is asked", || sandbox.work("asked").exists());
    run.kill();
    let why = sandbox.reenact(&["why", "r"]);
    assert!(why.stdout.contains("boss was asked about `draft#2`"), "{why}");
    // Another manager is not this run's.
    sandbox.write("reenact.toml", "[stuck]\nmanager = \"writer\"\n");
    sandbox.write("go", "");
    let report = sandbox.json(0, &["resume", "r"]);
    assert_eq!(report["status"], "completed");
    assert_eq!(sandbox.count("r", "escalated", None), 1);
    assert_eq!(sandbox.count("r", "attempt_lost", Some("draft#2/guidance[1]")), 1);
}

#[test]
fn a_manager_that_is_not_there_keeps_runs_with_agents_from_starting_and_the_doctor_says_so() {
    let sandbox = Sandbox::new();
    agent(&sandbox, "writer", WRITER);
    sandbox.write("reenact.toml", "[stuck]\nmanager = \"bos\"\n");
    sandbox.write("w.yaml", LOOP);
    let refused = sandbox.reenact(&["run", "w.yaml"]);
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(refused.stderr.contains("`stuck.manager` in the configuration"), "{refused}");
    let doctor = sandbox.reenact(&["doctor"]);
    assert!(doctor.stdout.contains("`stuck.manager`"), "{doctor}");
    sandbox.write("w.yaml", "name: w\nsteps: [{id: s, run: 'true'}]");
    sandbox.json(0, &["run", "w.yaml"]);
}
