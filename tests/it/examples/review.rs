//! `review.yaml`: a dry run, with an agent whose answers were written down before.

use std::fs;

use serde_json::json;

use super::sandbox;

const FILE: &str = "examples/review.yaml";

#[test]
fn a_dry_run_answers_what_is_written() {
    let sandbox = sandbox();
    let report = sandbox.json(0, &["run", FILE, "--id", "dry"]);
    let summary = "Good to go, with one remark on the migration guide.";
    assert_eq!(report["output"], json!({"grades": ["A", "B"], "summary": summary}));
    assert_eq!(sandbox.count("dry", "attempt_failed", Some("review[0]")), 1);
    let said = sandbox.json(0, &["transcript", "dry", "summary"]);
    assert_eq!(said["prompt"], "Sum up: A, B");
    assert!(said["stdout"].as_str().unwrap().starts_with("PROGRESS: 50 reading"), "{said}");
}

/// What a run is started with is recorded with it: changing a file changes later runs.
#[test]
fn a_run_that_goes_on_answers_what_was_written_when_it_started() {
    let sandbox = sandbox();
    sandbox.json(4, &["run", FILE, "--id", "early", "--detach"]);
    let answers = sandbox.work("examples/agents/reviewer.answers.yaml");
    fs::write(answers, "- step: review\n  output: {grade: D}\n").unwrap();
    let early = sandbox.json(0, &["resume", "early"]);
    assert_eq!(early["output"]["grades"], json!(["A", "B"]));
    let late = sandbox.json(1, &["run", FILE, "--id", "late"]);
    assert_eq!((&late["error"]["code"], &late["error"]["step"]), (&json!("RE-3027"), &json!("summary")));
    assert!(late["error"]["message"].as_str().unwrap().contains("`Sum up: D, D`"), "{}", late["error"]);
}

#[test]
fn a_script_that_is_wrong_starts_nothing_and_says_where() {
    let sandbox = sandbox();
    let answers = sandbox.work("examples/agents/reviewer.answers.yaml");
    fs::write(&answers, "- step: review\n  outptu: {grade: D}\n").unwrap();
    let refused = sandbox.json(2, &["run", FILE]);
    let error = &refused["error"];
    assert_eq!((&error["code"], &error["hint"]), (&json!("RE-1103"), &json!("did you mean `output`?")));
    assert_eq!((&error["at"]["line"], &error["at"]["column"]), (&json!(2), &json!(3)));
    assert!(error["at"]["file"].as_str().unwrap().ends_with("reviewer.answers.yaml"));
    fs::remove_file(&answers).unwrap();
    assert_eq!(sandbox.json(2, &["run", FILE])["error"]["code"], "RE-1101");
}
