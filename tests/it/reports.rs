//! What agents say of their work in their answers, as people and programs see it.

use serde_json::{Value, json};

use crate::support::Sandbox;

const TEXT: &str = "The audit is done.

## Summary
Two zones are open.

Created: `out/audit.md`

## Metrics
- toolCalls: 5
- files read: 12

```json
{\"open\": [\"a.example\", \"b.example\"]}
```

Status: completed with errors
";

const WORKFLOW: &str = "
name: audit
steps:
  - id: look
    agent: auditor
    schema: {type: object, required: [open]}
  - id: count
    run: 'echo {{ steps.look.output.open | length }}'
";

/// The step of that id.
fn step<'a>(report: &'a Value, id: &str) -> &'a Value {
    report["steps"].as_array().unwrap().iter().find(|step| step["id"] == id).unwrap()
}

fn auditor(sandbox: &Sandbox, answer: &str) {
    sandbox.write("answer.txt", answer);
    let command = json!(["cat", sandbox.work("answer.txt")]);
    sandbox.write(
        "agents/auditor.md",
        format!("---\nname: auditor\ndescription: Looks at zones\ncommand: {command}\n---\nLook."),
    );
    sandbox.write("w.yaml", WORKFLOW);
}

#[test]
fn a_text_answer_is_read_for_its_report_and_its_last_json_block_is_the_output() {
    let sandbox = Sandbox::new();
    auditor(&sandbox, TEXT);
    let report = sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    let look = step(&report, "look");
    assert_eq!(look["output"], json!({"open": ["a.example", "b.example"]}));
    assert_eq!(look["summary"], "Two zones are open.");
    assert_eq!(look["artifacts"], json!(["out/audit.md"]));
    assert_eq!(look["metrics"], json!({"toolCalls": 5, "filesRead": 12}));
    assert_eq!((&look["degraded"], &report["degraded"]), (&json!(true), &json!(true)));
    let count = step(&report, "count");
    assert_eq!((&count["output"], &count["summary"]), (&json!({"stdout": "2"}), &json!("2")));
    assert_eq!(count["metrics"], json!({}), "what is not reported is not there");

    let shown = sandbox.reenact(&["status", "r", "-v"]).stdout;
    assert!(shown.contains("Two zones are open.") && shown.contains("toolCalls"), "{shown}");
    let at = sandbox.json(0, &["replay", "r", "--at", &report["version"].to_string()]);
    assert_eq!(step(&at, "look")["summary"], look["summary"], "it is recorded");
}

#[test]
fn an_answer_that_says_that_it_failed_fails_its_step() {
    let sandbox = Sandbox::new();
    auditor(
        &sandbox,
        r#"{"status": "failed", "summary": "no access to the zone", "metrics": {"toolCalls": 1}}"#,
    );
    let report = sandbox.json(1, &["run", "w.yaml"]);
    let look = step(&report, "look");
    assert_eq!((&look["status"], &look["error"]["code"]), (&json!("failed"), &json!("RE-3040")));
    assert!(look["error"]["message"].as_str().unwrap().contains("no access to the zone"), "{look:#}");
    // Where it says why, that is the message.
    let sandbox = Sandbox::new();
    auditor(&sandbox, r#"{"status": "failed", "summary": "I looked", "error": "the zone is locked"}"#);
    let report = sandbox.json(1, &["run", "w.yaml"]);
    assert!(report["error"]["message"].as_str().unwrap().contains("the zone is locked"), "{report:#}");
}
