//! Fallbacks, scripted agents and transcripts.

use serde_json::json;

use super::{RUN, Scene, step};
use crate::support::wait_until;

/// An agent that fails at once, and one that stands in for it and hangs.
const FALLBACK: &str = "name: fallback
steps:
  - id: work
    agent: primary
    prompt: Do it.
    retry: {attempts: 2, initial: 1ms}
    fallback: {agent: stand_in, prompt_suffix: ' Carefully.'}
    compensate: {agent: stand_in}
  - {id: after, run: [./hangs, sh, -c, 'exit $(cat exit)']}
output: '{{ steps.work.output.prompt }}'
";

fn fallback(exit: &str) -> Scene {
    let agent = |name: &str, command: &str| {
        format!("---\nname: {name}\ndescription: d\nexecutor: subprocess\ncommand: {command}\n---\n")
    };
    Scene::of(FALLBACK)
        .with("agents/primary.md", &agent("primary", "[sh, -c, 'echo tried >> primary; exit 75']"))
        .with("agents/stand_in.md", &agent("stand_in", "[./hangs, cat]"))
        .with("exit", exit)
}

#[test]
fn a_fallback_stays_engaged() {
    let mut scene = fallback("0");
    let report = scene.survive(0);
    assert_eq!(report["output"], "Do it. Carefully.");
    scene.check(&["work", "after"]);
    let work = step(&report, "work");
    assert_eq!((&work["agent"], &work["primary_agent"]), (&json!("stand_in"), &json!("primary")));
    assert_eq!((&work["degraded"], &report["degraded"]), (&json!(true), &json!(true)));
    assert_eq!(scene.count("fallback_engaged", None), 1);
    let tried = std::fs::read_to_string(scene.sandbox.work("primary")).unwrap();
    assert_eq!(tried.lines().count(), 2, "the primary is not tried again after a kill");
}

#[test]
fn what_a_fallback_did_is_undone() {
    let mut scene = fallback("65");
    let report = scene.survive(3);
    assert_eq!(report["status"], "compensated");
    scene.check(&["work", "after", "undo:work"]);
}

#[test]
fn what_was_said_is_readable_and_a_lost_attempt_said_nothing() {
    let mut scene = Scene::of("name: w\nsteps: [{id: a, run: [./hangs, echo, said]}]");
    scene.survive(0);
    scene.check(&["a"]);
    let lost = scene.sandbox.json(0, &["transcript", RUN, "a", "--attempt", "1"]);
    assert_eq!((&lost["status"], &lost["stdout"]), (&json!("lost"), &json!(null)), "{lost}");
    let last = scene.sandbox.json(0, &["transcript", RUN, "a"]);
    assert_eq!((&last["attempt"], &last["stdout"]), (&json!(2), &json!("said\n")), "{last}");
}

/// What was said before a kill is read after it by whoever looks, while the run is interrupted.
#[test]
fn what_earlier_steps_said_is_readable_while_a_run_is_interrupted() {
    let mut scene =
        Scene::of("name: w\nsteps: [{id: a, run: echo said}, {id: b, run: [./hangs, echo, more]}]");
    let process = scene.spawn(&["run", "w.yaml", "--id", RUN]);
    scene.kill_when_it_hangs(process);
    assert_eq!(scene.sandbox.json(0, &["transcript", RUN, "a"])["stdout"], "said\n");
    let open = scene.sandbox.json(0, &["transcript", RUN, "b"]);
    assert_eq!((&open["status"], &open["stdout"]), (&json!("running"), &json!(null)), "{open}");
}

const SCRIPTED: &str = "---
name: model
description: d
executor: scripted
script: answers.yaml
---
";

#[test]
fn a_scripted_agent_answers_what_was_written_when_the_run_started() {
    let scene = Scene::of(
        "name: dry
steps:
  - {id: ask, agent: model, prompt: 'How many?'}
  - {id: sum, agent: model, prompt: 'More than {{ steps.ask.output.n }}?'}
output: '{{ steps.sum.output.n }}'
",
    )
    .with("agents/model.md", SCRIPTED)
    .with(
        "agents/answers.yaml",
        "- {step: ask, attempt: 1, delay: 10m, output: {n: 1}}
- {step: ask, attempt: 2, output: {n: 2}}
- {prompt: 'than 2?', output: {n: 3}}
",
    );
    let process = scene.spawn(&["run", "w.yaml", "--id", RUN]);
    wait_until("the agent thinks", || {
        let ended = scene.sandbox.reenact(&["--json", "status", RUN]);
        ended.code() == Some(0) && ended.json()["steps"][0]["status"] == "running"
    });
    process.kill();
    scene.sandbox.write("agents/answers.yaml", "- {output: {n: 100}}\n");
    let report = scene.sandbox.json(0, &["resume", RUN]);
    assert_eq!(report["output"], 3);
    assert_eq!(step(&report, "ask")["attempts"], 2);
    assert_eq!(scene.sandbox.json(0, &["transcript", RUN, "sum"])["prompt"], "More than 2?");
}
