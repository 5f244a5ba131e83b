//! What a step's `output` makes of what the step answered.

use super::people::edit;
use super::play::{Play, order};
use crate::aggregates::run::{Ask, RunStatus};
use crate::events::json::Payload;
use crate::events::problem::{Class, Code};
use crate::events::run::*;

/// The output with which a step completed last.
fn output(play: &Play, step: &str) -> String {
    let completed = play.log.iter().rev().find_map(|event| match event {
        RunEvent::StepCompleted(done) if done.step.as_str() == step => Some(&done.output),
        _ => None,
    });
    match completed {
        Some(Payload::Inline(json)) => json.text().to_owned(),
        other => panic!("{other:?}"),
    }
}

fn failure(play: &Play) -> &AttemptFailed {
    let failed = play.log.iter().rev().find_map(|event| match event {
        RunEvent::AttemptFailed(failed) => Some(failed),
        _ => None,
    });
    failed.unwrap()
}

#[test]
fn the_output_is_made_of_the_answer_and_of_what_the_work_may_use() {
    let mut play = Play::start_with(
        "
name: w
input: {properties: {who: {type: string}}}
steps:
  - {id: a, run: x}
  - {id: b, run: y, output: output.stdout | fromjson, schema: {type: object, required: [n]}}
  - {id: c, run: z, output: {n: '{{ steps.b.output.n }}', said: '{{ output }} to {{ input.who }}', list: ['{{ steps.a.output }}']}}
  - {id: d, run: 'w {{ steps.c.output.said }}'}",
        r#"{"who": "ada"}"#,
        16,
    );
    play.complete("a", "1");
    play.complete("b", r#"{"stdout": "{\"n\": 1.10}"}"#);
    play.complete("c", "\"hi\"");
    assert_eq!(output(&play, "b"), r#"{"n": 1.10}"#);
    assert_eq!(output(&play, "c"), r#"{"n":1.10,"said":"hi to ada","list":[1]}"#);
    assert_eq!(play.work("d")["run"], "w 'hi to ada'");
}

#[test]
fn the_schema_is_that_of_what_was_made() {
    let yaml = "name: w\nsteps: [{id: a, run: x, output: output.n, schema: {type: integer}}]";
    let mut play = Play::start(yaml);
    assert_eq!(play.complete("a", r#"{"n": 1}"#), ["step_completed a", "run_completed"]);
    let mut play = Play::start(yaml);
    assert_eq!(play.complete("a", r#"{"n": "x"}"#)[..2], ["attempt_failed a", "step_failed a"]);
    assert_eq!((failure(&play).code, &failure(&play).answered), (Code::OutputSchema, &None));
}

const UNDONE: &str = "
name: w
steps:
  - id: a
    agent: x
    retry: {attempts: 5, messages: [output]}
    fallback: {agent: y}
    output: output.n.m
    compensate: {run: 'undo {{ output.id }} {{ outcome }}'}";

#[test]
fn where_it_cannot_be_made_the_work_counts_as_done_and_is_undone_as_such() {
    let mut play = Play::eager(UNDONE);
    let happened = play.complete("a", r#"{"id": 7}"#);
    assert_eq!(
        happened,
        [
            "attempt_failed a",
            "step_failed a",
            "rollback_started",
            "compensation_started a",
            "attempt_started undo a"
        ],
        "it is neither tried again nor left to another agent"
    );
    assert_eq!((failure(&play).class, failure(&play).code), (Class::Validation, Code::ExpressionFailed));
    assert!(failure(&play).message.contains("its `output` cannot be made"), "{}", failure(&play).message);
    assert_eq!(play.work("a")["run"], "undo '7' 'completed'");
    play.recover();
    play.ask(Ask::Go);
    play.complete("a", "null");
    assert_eq!(play.state().status(), RunStatus::Compensated);
}

#[test]
fn where_it_cannot_be_made_of_what_cannot_be_undone_nothing_before_it_is_undone() {
    let mut play = Play::start(
        "
name: w
steps:
  - {id: a, run: x, compensate: {run: undo}}
  - {id: b, run: y, irreversible: true, output: output.n.m}",
    );
    play.complete("a", "1");
    assert_eq!(play.complete("b", "{}"), ["attempt_failed b", "step_failed b", "run_stuck b"]);
}

#[test]
fn a_failure_to_make_it_may_be_tolerated_and_is_undone_all_the_same() {
    let mut play = Play::eager(
        "
name: w
steps:
  - {id: a, run: x, on_error: retry_then_skip, output: output.n.m, compensate: {run: undo}}
  - {id: b, run: y}",
    );
    assert_eq!(play.complete("a", "{}"), ["attempt_failed a", "step_skipped a", "attempt_started b"]);
    play.complete("b", "1");
    assert_eq!(play.result(), (RunStatus::Completed, true));
    assert_eq!(
        play.roll_back(None),
        ["rollback_started", "compensation_started a", "attempt_started undo a"]
    );
}

#[test]
fn after_a_retry_the_work_is_done_again_and_undone_once() {
    let mut play = Play::eager(
        "
name: w
on_failure: stop
steps: [{id: a, run: x, output: output.n, compensate: {run: 'undo {{ output }}'}}]",
    );
    play.complete("a", "{}");
    assert_eq!(play.state().status(), RunStatus::Failed);
    assert_eq!(play.retry(), ["retry_requested", "attempt_started a"]);
    assert_eq!(play.complete("a", r#"{"n": 2}"#), ["step_completed a", "run_completed"]);
    play.roll_back(None);
    assert_eq!(play.work("a")["run"], "undo '2'");
    assert_eq!(play.complete("a", "1"), ["step_compensated a", "run_compensated"]);
}

#[test]
fn what_may_be_started_once_is_not_done_again_because_nothing_was_made_of_its_answer() {
    let mut play = Play::start(
        "name: w\non_failure: stop\nsteps: [{id: a, run: x, at_most_once: true, output: output.n}]",
    );
    play.complete("a", "{}");
    let retry = Ask::Retry { order: order(), step: None };
    assert_eq!(play.refused(retry), Code::CannotRetry);
}

#[test]
fn each_item_and_each_round_has_its_own() {
    let mut play = Play::eager(
        "
name: w
steps:
  - {id: a, for_each: [x, y], run: 'p {{ item }}', output: {of: '{{ item }}', at: '{{ index }}', n: '{{ output }}'}}
  - {id: b, run: q, repeat: {until: output > 1, max: 3}, output: output.n}",
    );
    play.complete("a[0]", "1");
    play.complete("a[1]", "2");
    let whole = r#"[{"of":"x","at":0,"n":1},{"of":"y","at":1,"n":2}]"#;
    assert_eq!(output(&play, "a"), whole);
    play.complete("b#1", r#"{"n": 1}"#);
    play.complete("b#2", r#"{"n": 2}"#);
    assert_eq!(output(&play, "b"), "2");
    assert_eq!(play.state().status(), RunStatus::Completed);
}

#[test]
fn people_are_asked_about_what_was_made_and_change_that() {
    let mut play =
        Play::start("name: w\nsteps: [{id: a, run: x, output: {n: '{{ output.stdout }}'}, approve: after}]");
    play.complete("a", r#"{"stdout": "1"}"#);
    assert_eq!(output(&play, "a"), r#"{"n":"1"}"#);
    assert_eq!(play.state().status(), RunStatus::Waiting);
    play.ask(edit("a", "ada", r#"{"n": "2"}"#));
    assert_eq!(play.state().status(), RunStatus::Completed);
    let done = play.state().nodes().iter().next().and_then(|node| node.output().cloned());
    assert!(matches!(&done, Some(Payload::Inline(json)) if json.text() == r#"{"n":"2"}"#), "{done:?}");
}

#[test]
fn a_plan_is_what_was_made_and_another_agent_has_its_answer_made_too() {
    let mut play =
        Play::eager("name: w\nsteps: [{id: a, agent: x, fallback: {agent: y}, output: output.plan}]");
    play.fail("a", super::exit(Class::Validation));
    let grown = play.complete("a", r#"{"plan": {"add_steps": [{"id": "one", "run": "x"}]}}"#);
    assert!(grown.contains(&"step_added a/one".to_owned()), "{grown:?}");
}
