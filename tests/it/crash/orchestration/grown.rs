//! Loops and plans.

use serde_json::json;

use super::{RUN, Scene, step};

#[test]
fn a_loop_goes_on_with_the_round_that_it_was_in() {
    let mut scene = Scene::of(
        "name: loop
steps:
  - id: poll
    run: [./hangs, sh, -c, 'echo x >> rounds; echo \"{\\\"n\\\": $(wc -l < rounds)}\"']
    repeat: {until: output.n >= 6, max: 5}
  - {id: after, run: [./hangs, echo, '{{ steps.poll.output.n }}']}
output: '{{ steps.after.output.stdout }}'
",
    );
    let report = scene.survive(0);
    // Each round was done twice, for it was killed once: after the third `rounds` has six lines.
    assert_eq!(report["output"], "6");
    scene.check(&["poll#1", "poll#2", "poll#3", "after"]);
    assert_eq!(scene.count("step_added", Some("poll#3")), 1);
    assert_eq!(scene.count("step_added", Some("poll#4")), 0);
}

#[test]
fn a_loop_whose_rounds_are_used_up_is_undone() {
    let mut scene = Scene::of(
        "name: loop
steps:
  - id: poll
    run: [./hangs, echo, '{}']
    repeat: {until: 'false', max: 1}
    compensate: {run: [./hangs, 'true']}
",
    );
    let report = scene.survive(3);
    assert_eq!((&report["error"]["step"], &report["error"]["code"]), (&json!("poll"), &json!("RE-3021")));
    scene.check(&["poll#1", "undo:poll#1"]);
}

/// `plan` thinks of two steps; the second thinks of one more.
const PLANS: &str = r#"name: plans
steps:
  - {id: plan, run: [./hangs, cat, plan.json], compensate: {run: [./hangs, 'true']}}
  - {id: after, run: [./hangs, sh, -c, 'exit $(cat exit)']}
output: "{{ steps['plan/more/deep'].output.stdout }}"
"#;

const PLAN: &str = r#"{"add_steps": [
  {"id": "one", "run": ["./hangs", "echo", "{\"n\": 1}"], "compensate": {"run": ["./hangs", "true"]}},
  {"id": "more", "run": ["./hangs", "cat", "more.json"]}
]}"#;

const MORE: &str = r#"{"add_steps": [
  {"id": "deep", "run": ["./hangs", "echo", "{{ steps['plan/one'].output.n }}"],
   "compensate": {"run": ["./hangs", "true"]}}
]}"#;

fn plans(exit: &str) -> Scene {
    Scene::of(PLANS).with("plan.json", PLAN).with("more.json", MORE).with("exit", exit)
}

const DONE: [&str; 5] = ["plan", "plan/one", "plan/more", "plan/more/deep", "after"];

#[test]
fn a_plan_that_grew_goes_on_with_its_steps() {
    let mut scene = plans("0");
    let report = scene.survive(0);
    assert_eq!(report["output"], "1");
    scene.check(&DONE);
    for grown in &DONE[1..4] {
        assert_eq!(scene.count("step_added", Some(grown)), 1);
        assert_eq!(step(&report, grown)["status"], "completed");
    }
}

/// What a plan was is recorded: its file may change, and the steps that it thought of stay as they are.
#[test]
fn a_plan_is_read_once() {
    let mut scene = plans("0");
    let process = scene.spawn(&["run", "w.yaml", "--id", RUN]);
    scene.kill_when_it_hangs(process);
    let process = scene.spawn(&["resume", RUN]);
    scene.kill_when_it_hangs(process);
    assert_eq!(scene.done(), ["plan", "plan/one"]);
    scene.sandbox.write("plan.json", r#"{"add_steps": [{"id": "other", "run": "false"}]}"#);
    scene.survive_from(&["resume", RUN], 0);
    scene.check(&DONE);
}

#[test]
fn what_a_plan_added_is_undone_before_what_it_was_added_to() {
    let mut scene = plans("65");
    let report = scene.survive(3);
    assert_eq!((&report["status"], &report["error"]["step"]), (&json!("compensated"), &json!("after")));
    scene.check(&[&DONE[..], &["undo:plan/more/deep", "undo:plan/one", "undo:plan"]].concat());
}
