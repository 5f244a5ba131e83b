//! Who answers what a run waits for can go on with it at once, and need not say what can only be one thing.

use serde_json::json;

use crate::support::Sandbox;

fn started(file: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", file);
    sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    sandbox
}

#[test]
fn the_only_request_of_a_run_need_not_be_named_and_with_resume_the_run_is_seen_through() {
    let sandbox = started(
        "{name: w, steps: [{id: a, run: echo done, approve: before}], output: '{{ steps.a.output.stdout }}'}",
    );
    let ended = sandbox.json(0, &["approve", "last", "--resume"]);
    assert_eq!(
        (&ended["run"], &ended["status"], &ended["output"]),
        (&json!("r"), &json!("completed"), &json!("done"))
    );
    let refused = sandbox.json(2, &["approve", "r"]);
    assert_eq!(refused["error"]["code"], "RE-2013", "{refused}");
    assert_eq!(sandbox.json(0, &["status"])["run"], "r", "the last one is meant");
    assert_eq!(sandbox.reenact(&["history"]).stdout, sandbox.reenact(&["history", "r"]).stdout);
}

#[test]
fn of_several_requests_one_has_to_be_named() {
    let sandbox = started(
        "{name: w, steps: [{id: a, run: 'true', approve: before}, {id: b, run: 'true', needs: [], approve: before}]}",
    );
    let refused = sandbox.json(2, &["reject", "r", "--reason", "no"]);
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("`a`") && message.contains("`b`"), "{message}");
    sandbox.json(4, &["approve", "r", "b", "--resume"]);
    let rejected = sandbox.json(1, &["reject", "r", "--reason", "no", "--resume"]);
    assert_eq!(rejected["error"]["step"], "a");
}

#[test]
fn a_point_that_is_ticked_leaves_the_run_waiting_also_with_resume() {
    let sandbox = started("{name: w, steps: [{id: a, run: 'true', approve: before, checklist: [one, two]}]}");
    let waits = sandbox.json(4, &["approve", "r", "--check", "1", "--resume"]);
    assert_eq!(waits["waiting_for"][0]["step"], "a");
}

#[test]
fn a_signal_and_the_end_of_a_pause_let_a_run_go_on_at_once() {
    let sandbox = started("{name: w, steps: [{id: a, wait_for: go}], output: '{{ steps.a.output }}'}");
    assert_eq!(sandbox.json(0, &["signal", "r", "go", "7", "--resume"])["output"], 7);

    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "{name: w, steps: [{id: a, run: 'true'}, {id: b, run: 'true'}]}");
    sandbox.json(4, &["run", "w.yaml", "--id", "r", "--until", "a"]);
    assert_eq!(sandbox.json(0, &["unpause", "r", "--resume"])["status"], "completed");
}

#[test]
fn a_run_goes_on_phase_by_phase() {
    let sandbox = Sandbox::new();
    let file = "{name: w, steps: [{id: a, run: 'true', phase: one}, {id: b, run: 'true', phase: two}, {id: c, run: 'true'}]}";
    sandbox.write("w.yaml", file);
    sandbox.json(4, &["run", "w.yaml", "--id", "r", "--detach"]);
    let done = |arguments: &[&str]| sandbox.json(4, arguments)["progress"]["done"].clone();
    assert_eq!(done(&["resume", "r", "--until", "next"]), 1);
    assert_eq!(done(&["unpause", "r", "--until", "next", "--resume"]), 2);
    let refused = sandbox.json(2, &["unpause", "r", "--until", "next"]);
    assert_eq!(refused["error"]["code"], "RE-2009", "{refused}");
    let refused = sandbox.json(2, &["resume", "r", "--until", "no"]);
    assert_eq!(refused["error"]["code"], "RE-2009", "{refused}");
    assert_eq!(sandbox.json(0, &["unpause", "r", "--until", "c", "--resume"])["status"], "completed");
}

#[test]
fn a_compensation_that_is_settled_lets_the_rollback_go_on_at_once() {
    let sandbox = Sandbox::new();
    let file = "{name: w, on_failure: rollback, steps: [{id: a, run: 'true', compensate: {run: exit 78}}, {id: b, run: exit 1}]}";
    sandbox.write("w.yaml", file);
    sandbox.json(5, &["run", "w.yaml", "--id", "r"]);
    let args = ["rollback", "resolve", "r", "a", "--done", "--reason", "by hand", "--resume"];
    assert_eq!(sandbox.json(3, &args)["status"], "compensated");
}
