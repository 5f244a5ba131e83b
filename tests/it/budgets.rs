//! Limits of what runs spend, with the real binary: a run that waits at one, is let go on, fails at one, and is killed.

use serde_json::{Value, json};

use crate::support::Sandbox;

/// A step that adds a line to `calls`, and reports what it used up.
const STEP: &str =
    "echo x >> calls; echo 'USAGE: {\"calls\":1,\"input_tokens\":100,\"output_tokens\":50,\"usd\":0.25}'";

fn workflow(head: &str, steps: usize) -> String {
    let step = |n| format!("  - {{id: s{n}, run: {}}}\n", json!(STEP));
    format!("name: dear\n{head}steps:\n{}", (0..steps).map(step).collect::<String>())
}

fn calls(sandbox: &Sandbox) -> usize {
    std::fs::read_to_string(sandbox.work("calls")).unwrap_or_default().lines().count()
}

fn code(refused: &Value) -> &str {
    refused["error"]["code"].as_str().unwrap()
}

#[test]
fn a_run_waits_at_its_limit_and_goes_on_when_somebody_raises_it() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", workflow("limits: {calls: 2}\n", 4));
    let waits = sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    assert_eq!((calls(&sandbox), &waits["status"]), (2, &json!("waiting")));
    let waiting = &waits["waiting_for"][0];
    assert_eq!(
        (&waiting["kind"], &waiting["id"], &waiting["step"]),
        (&json!("spend"), &json!("calls"), &json!("s2"))
    );
    let limit = json!({"of": "run", "kind": "calls", "used": 2, "reserved": 0, "wanted": 1, "limit": 2});
    assert_eq!(waiting["limit"], limit);
    assert_eq!(waits["usage"], json!({"calls": 2, "input_tokens": 200, "output_tokens": 100, "usd": 0.5}));
    assert_eq!(waits["spend"][0]["agent"], "shell");
    let told = sandbox.reenact(&["status", "r"]);
    assert!(
        told.stdout.contains("limit met: 2 calls used of 2 calls, and the next attempt wants 1 call"),
        "{told}"
    );
    assert!(told.stdout.contains("reenact budget raise r --calls 4"), "{told}");
    assert_eq!(sandbox.json(4, &["resume", "r"])["status"], "waiting", "it is not overspent by trying again");
    assert_eq!(calls(&sandbox), 2);
    let raised = sandbox.json(0, &["budget", "raise", "r", "--calls", "3", "--reason", "worth it"]);
    assert_eq!(raised["run"], "r");
    assert_eq!(sandbox.json(4, &["resume", "r"])["status"], "waiting");
    assert_eq!(calls(&sandbox), 3);
    let done = sandbox.json(0, &["budget", "raise", "r", "--calls", "9", "--resume"]);
    assert_eq!((calls(&sandbox), &done["status"]), (4, &json!("completed")));
    let shown = sandbox.json(0, &["budget", "show", "r"]);
    assert_eq!(
        shown["budget"],
        json!({
            "limits": {"calls": 9, "tokens": null, "usd": null},
            "used": {"calls": 4, "tokens": 600, "usd": 1.0},
            "reserved": {"calls": 0, "tokens": 0, "usd": 0.0},
            "on_limit": "wait",
        })
    );
    assert_eq!(shown["exhausted"], Value::Null);
    let told = sandbox.reenact(&["budget", "show"]);
    assert!(told.stdout.contains("4 of 9 calls"), "{told}");
    assert!(told.stdout.contains("shell  4 calls, 400 tokens in, 200 out, $1.00"), "{told}");
}

#[test]
fn what_is_used_is_told_as_it_is_by_now() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "limits: {calls: 2}\nsteps: [{id: a, for_each: [1, 2, 3], run: 'true'}]");
    let waits = sandbox.json(4, &["run", "w.yaml"]);
    let limit = &waits["waiting_for"][0]["limit"];
    assert_eq!(
        (&limit["used"], &limit["reserved"]),
        (&json!(2), &json!(0)),
        "both were open when it was met"
    );
}

#[test]
fn tokens_and_money_stop_the_next_attempt() {
    for head in ["limits: {tokens: 300}\n", "limits: {usd: 0.50}\n"] {
        let sandbox = Sandbox::new();
        sandbox.write("w.yaml", workflow(head, 4));
        assert_eq!(sandbox.json(4, &["run", "w.yaml"])["status"], "waiting");
        assert_eq!(calls(&sandbox), 2, "{head}");
    }
}

#[test]
fn a_run_may_fail_at_its_limit_and_is_tried_again_when_it_is_raised() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", workflow("limits: {usd: 0.3}\non_limit: fail\n", 3));
    let failed = sandbox.json(1, &["run", "w.yaml", "--id", "r"]);
    assert_eq!((failed["status"].as_str(), code(&failed)), (Some("failed"), "RE-3060"));
    let says = "the run's limit of $0.30 does not allow step `s2`: $0.50 used";
    assert_eq!(failed["error"]["message"], says);
    assert!(failed["error"]["hint"].as_str().unwrap().contains("reenact budget show r"), "{failed}");
    sandbox.json(0, &["budget", "raise", "r", "--usd", "2.5"]);
    assert_eq!(sandbox.json(0, &["retry", "r"])["status"], "completed");
    assert_eq!(calls(&sandbox), 3);
}

#[test]
fn what_cannot_be_raised_is_refused_and_changes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", workflow("limits: {calls: 1}\n", 2));
    let version = sandbox.json(4, &["run", "w.yaml", "--id", "r"])["version"].clone();
    for (arguments, refused) in [
        (&["r", "--calls", "1"][..], "RE-2041"),
        (&["r", "--tokens", "100"], "RE-2041"),
        (&["nobody", "--calls", "5"], "RE-1003"),
        (&["r"], "RE-1001"),
        (&["r", "--calls", "-5"], "RE-1001"),
        (&["r", "--calls", "0"], "RE-1001"),
        (&["r", "--calls", "many"], "RE-1001"),
        (&["r", "--tokens", "9999999999999999"], "RE-1001"),
        (&["r", "--usd", "-1"], "RE-1001"),
        (&["r", "--usd", "NaN"], "RE-1001"),
        (&["r", "--usd", "5 EUR"], "RE-1001"),
        (&["r", "--usd", "0.0000000001"], "RE-1001"),
        (&["r", "--usd", "1e30"], "RE-1001"),
        (&["r", "--eur", "5"], "RE-1001"),
    ] {
        let told = sandbox.json(2, &[&["budget", "raise"], arguments].concat());
        assert_eq!(code(&told), refused, "{arguments:?}: {told}");
    }
    assert_eq!(sandbox.json(0, &["status", "r"])["version"], version);
    sandbox.json(0, &["budget", "raise", "r", "--calls", "2"]);
    let twice = sandbox.json(2, &["budget", "raise", "r", "--calls", "2"]);
    assert_eq!(code(&twice), "RE-2041", "a second raise to the same");
    sandbox.json(0, &["resume", "r"]);
    assert_eq!(code(&sandbox.json(2, &["budget", "raise", "r", "--calls", "9"])), "RE-2001", "it has ended");
}

#[test]
fn nonsense_that_a_program_reports_fails_its_step() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "steps: [{id: a, run: 'echo USAGE: {\\\"usd\\\": -1}'}]");
    let failed = sandbox.json(1, &["run", "w.yaml"]);
    assert_eq!(code(&failed), "RE-3061", "{failed}");
}

#[test]
fn a_run_that_is_killed_again_and_again_makes_no_more_calls_than_it_may() {
    let sandbox = Sandbox::new();
    // Its first three attempts kill who runs it.
    let killer = "echo x >> calls; [ $(wc -l < calls) -le 3 ] && { kill -9 $PPID; sleep 60; } || true";
    let steps =
        format!("steps:\n  - {{id: a, run: {}}}\n  - {{id: b, run: {}}}\n", json!(killer), json!(STEP));
    sandbox.write("w.yaml", format!("name: dear\nlimits: {{calls: 5, lost: 9}}\n{steps}"));
    let killed = sandbox.reenact(&["run", "w.yaml", "--id", "r"]);
    assert_eq!(killed.code(), None, "{killed}");
    for _ in 0..2 {
        assert_eq!(sandbox.reenact(&["resume", "r"]).code(), None);
    }
    let done = sandbox.json(0, &["resume", "r"]);
    assert_eq!(done["status"], "completed", "{done}");
    let shown = sandbox.json(0, &["budget", "show", "r"]);
    assert_eq!((calls(&sandbox), &shown["budget"]["used"]["calls"]), (5, &json!(5)), "each lost one counts");
}

#[test]
fn a_limit_may_be_given_to_one_run() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", workflow("limits: {calls: 3}\n", 4));
    let waits = sandbox.json(4, &["run", "w.yaml", "--id", "r", "--limit", "calls=1", "--limit", "usd=9.5"]);
    assert_eq!(
        (calls(&sandbox), &waits["budget"]["limits"]),
        (1, &json!({"calls": 1, "tokens": null, "usd": 9.5}))
    );
    for limit in [
        "calls",
        "calls=0",
        "calls=-1",
        "tokens=1.5",
        "usd=NaN",
        "usd=-1",
        "usd=0",
        "eur=5",
        "calls=99999999999",
    ] {
        let refused = sandbox.json(2, &["run", "w.yaml", "--limit", limit]);
        assert_eq!(code(&refused), "RE-1001", "{limit}: {refused}");
    }
    let other = sandbox.json(2, &["run", "w.yaml", "--id", "r", "--limit", "calls=2"]);
    assert_eq!(code(&other), "RE-1005", "another limit is another run");
    assert_eq!(
        sandbox.json(4, &["run", "w.yaml", "--id", "r", "--limit", "calls=1", "--limit", "usd=9.5"])["status"],
        "waiting"
    );
}

#[test]
fn the_workflow_and_the_agent_of_the_page_are_what_they_are_said_to_be() {
    let page = include_str!("../../docs/budgets.md");
    let block = |language: &str| {
        let rest = page.split(&format!("```{language}\n")).nth(1).unwrap();
        rest.split("```").next().unwrap().to_owned()
    };
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", block("yaml"));
    sandbox.write("agents/judge.md", block("markdown"));
    sandbox.write("agents/reader.md", block("markdown").replace("judge", "reader"));
    assert_eq!(sandbox.json(0, &["agents", "validate", "agents"])["ok"], true);
    let found = sandbox.json(0, &["validate", "w.yaml"]);
    assert_eq!((&found["files"][0]["errors"], &found["files"][0]["warnings"]), (&json!([]), &json!([])));
    sandbox.write(
        "said.yaml",
        format!(
            "steps: [{{id: a, run: {}}}]",
            json!(page.split("```sh\n").nth(2).unwrap().split("```").next().unwrap())
        ),
    );
    let ran = sandbox.json(0, &["run", "said.yaml"]);
    assert_eq!(ran["usage"], json!({"calls": 1, "input_tokens": 1200, "output_tokens": 300, "usd": 0.0123}));
}
