//! What `reenact why` says of what people and programs outside did, and of plans that were sent back.

use serde_json::Value;

use super::command::{chain, kinds, says};
use crate::support::Sandbox;

const AGENT: &str = "---\nname: clerk\ndescription: Does it\nexecutor: external\n---\n";

fn sandbox(step: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("agents/clerk.md", AGENT);
    let file = format!(
        "name: w\non_failure: stop\nsteps:\n  - {{id: b, run: 'echo 5'}}\n  - {{id: a, agent: clerk, with: {{n: '{{{{ steps.b.output.stdout }}}}'}}{step}}}\n"
    );
    sandbox.write("w.yaml", file);
    sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    sandbox
}

fn take(sandbox: &Sandbox, by: &str, lease: &str) -> String {
    let task = sandbox.json(0, &["tasks", "next", "--agent", "clerk", "--by", by, "--lease", lease]);
    task["id"].as_str().unwrap().to_owned()
}

#[test]
fn why_says_who_was_to_take_a_task_who_took_it_and_who_was_too_late() {
    let sandbox = sandbox("");
    let open = chain(&sandbox, &["r"]);
    assert_eq!(kinds(&open), ["task_offered", "attempt_started", "step_completed"]);
    assert!(says(&open, "task_offered").starts_with("attempt 1 at `a` is a task for clerk, open since 20"));
    // Who is too late is told by the next who takes it.
    take(&sandbox, "bob", "1ms");
    assert!(says(&chain(&sandbox, &["r"]), "task_taken").starts_with("bob took attempt 1 at `a`, until 20"));
    let id = take(&sandbox, "ada", "1h");
    let taken = chain(&sandbox, &["r"]);
    assert_eq!(
        kinds(&taken),
        ["task_taken", "task_lapsed", "task_taken", "attempt_started", "step_completed"]
    );
    assert!(taken[2]["says"].as_str().unwrap().starts_with("bob took"), "{taken:#?}");
    assert!(says(&taken, "task_taken").starts_with("ada took attempt 1 at `a`, as number 2, until 20"));
    let lapsed = says(&taken, "task_lapsed");
    assert_eq!(lapsed, "who had attempt 1 at `a` did not answer in time: anybody may take it");
    sandbox.json(0, &["tasks", "heartbeat", &id, "--progress", "40", "half of it"]);
    let goes_on = chain(&sandbox, &["r"]);
    assert_eq!(kinds(&goes_on)[..2], ["task_progressed", "task_taken"]);
    assert!(says(&goes_on, "task_progressed").ends_with(": 40 %: half of it"), "{goes_on:#?}");
    sandbox.json(0, &["tasks", "fail", &id, "--reason", "no ink"]);
    sandbox.json(1, &["resume", "r"]);
    let failed = chain(&sandbox, &["r"]);
    let wanted = [
        "run_failed",
        "step_failed",
        "attempt_failed",
        "task_taken",
        "task_lapsed",
        "attempt_started",
        "step_completed",
    ];
    assert_eq!(kinds(&failed), wanted);
    assert!(says(&failed, "attempt_failed").ends_with("no ink"), "{failed:#?}");
}

#[test]
fn why_says_who_answered_a_task_and_who_let_pass_what_may_be_begun_once() {
    let answered = sandbox("");
    let id = take(&answered, "ada", "1h");
    let mut complete = answered.command(&["tasks", "complete", &id, "--resume"]);
    complete.stdin(std::process::Stdio::null());
    assert_eq!(answered.start(complete).wait().code(), Some(0));
    let done = chain(&answered, &["r"]);
    assert_eq!(
        kinds(&done),
        ["run_completed", "step_completed", "task_taken", "attempt_started", "step_completed"]
    );
    let once = sandbox(", at_most_once: true");
    take(&once, "bob", "1ms");
    once.json(1, &["resume", "r"]);
    let failed = chain(&once, &["r"]);
    assert_eq!(kinds(&failed)[2..5], ["attempt_failed", "task_lapsed", "task_taken"], "{failed:#?}");
}

#[test]
fn why_says_that_a_plan_was_to_be_mended_and_what_was_wrong_with_it() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "agents/boss.md",
        "---\nname: boss\ndescription: Plans\nexecutor: scripted\nscript: answers.yaml\n---\n",
    );
    sandbox.write(
        "agents/answers.yaml",
        "- {step: plan, attempt: 1, output: {tasks: []}}\n- {step: plan, output: nothing}\n",
    );
    sandbox
        .write("w.yaml", "name: w\nsteps: [{id: plan, agent: boss, prompt: Plan it, plan: {repairs: 1}}]\n");
    sandbox.json(1, &["run", "w.yaml", "--id", "r"]);
    let failed: Vec<Value> = chain(&sandbox, &["r", "plan"]);
    let mended = says(&failed, "repair_asked");
    assert!(
        mended.starts_with("`plan` was asked to mend its plan: ") && mended.contains("there are none"),
        "{mended}"
    );
}
