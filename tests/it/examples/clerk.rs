//! `clerk.yaml`: an agent that uses tools has nothing put up that nobody has allowed, and what it had put up can be taken down.

use serde_json::{Value, json};

use super::{Board, sandbox};
use crate::support::Sandbox;

const FILE: &str = "examples/clerk.yaml";
const FOUND: [&str; 2] = ["data/white rabbit.txt", "The White Rabbit runs close by Alice."];

fn board(sandbox: &Sandbox) -> Board {
    Board::read_in(&sandbox.tmp())
}

fn hangs(sandbox: &Sandbox) -> bool {
    board(sandbox).notices.get("finds").is_some_and(|notice| notice.contains(FOUND[1]))
}

/// The run, which asks whether a call may be made.
fn asking(sandbox: &Sandbox, run: &str) -> Value {
    let report = sandbox.json(4, &["run", FILE, "--id", run]);
    assert_eq!(report["waiting_for"][0]["step"], "tell/turn[3]/tool[1]", "{report}");
    report
}

#[test]
fn a_call_that_was_allowed_is_made_and_a_rollback_undoes_it() {
    let sandbox = sandbox();
    asking(&sandbox, "r");
    assert!(!hangs(&sandbox), "nobody has allowed it");
    let report = sandbox.json(0, &["approve", "r", "--resume"]);
    assert_eq!(
        (&report["output"], &report["degraded"]),
        (&json!({ "file": FOUND[0], "line": 1 }), &json!(false))
    );
    assert!(hangs(&sandbox));
    let ids: Vec<_> = report["steps"].as_array().unwrap().iter().map(|step| step["id"].clone()).collect();
    assert_eq!(ids.len(), 9, "{ids:?}");
    let rolled_back = sandbox.json(3, &["rollback", "r"]);
    assert_eq!(rolled_back["status"], "compensated");
    assert_eq!(board(&sandbox), Board::default(), "the tool that put it up has taken it down");
}

#[test]
fn what_is_not_allowed_the_agent_is_told_and_an_earlier_answer_is_taken() {
    let sandbox = sandbox();
    let first = asking(&sandbox, "a");
    assert_eq!(first["steps"][0]["cached"], false);
    let report = sandbox.json(0, &["reject", "a", "--reason", "not now", "--resume"]);
    assert_eq!((&report["status"], &report["degraded"]), (&json!("completed"), &json!(false)));
    assert!(!hangs(&sandbox));
    let second = asking(&sandbox, "b");
    assert_eq!(second["steps"][0]["cached"], true);
}

#[test]
fn turns_and_calls_are_spent() {
    let sandbox = sandbox();
    let report = sandbox.json(4, &["run", FILE, "--id", "r", "--limit", "calls=3"]);
    assert_eq!(report["waiting_for"][0]["kind"], "spend", "{report}");
    let report = sandbox.json(4, &["budget", "raise", "r", "--calls", "20", "--resume"]);
    assert_eq!(report["waiting_for"][0]["step"], "tell/turn[3]/tool[1]", "{report}");
}
