//! What the generated crash test found, each as the smallest story that shows it.

use super::exit;
use super::people::{approve, reject};
use super::play::{Play, order};
use crate::aggregates::run::{Ask, RunEffect, RunStatus};
use crate::events::problem::{Class, Code};
use crate::events::run::{Resolution, RunEvent};
use crate::kernel::Aggregate;

/// Whether people are asked anything.
fn asks(play: &Play) -> bool {
    play.state().open().iter().any(|effect| matches!(effect, RunEffect::Ask { .. }))
}

/// A compensation was given null for `{{ output }}` where people had refused what the step answered.
#[test]
fn what_undoes_a_refused_answer_is_told_that_answer() {
    let mut play = Play::start(
        "name: w\nsteps: [{id: a, agent: x, approve: after, compensate: {agent: x, with: {undo: '{{ output }}'}}}]",
    );
    play.complete("a", "{\"x\": 1}");
    play.ask(reject("a"));
    assert_eq!(play.work("a"), serde_json::json!({ "with": { "undo": { "x": 1 } } }));
}

/// A step that came through while its run was about to fail asked for approval of what it answered, and went on asking
/// when the run had ended: a grant was no legal event then.
#[test]
fn nobody_is_asked_about_the_answer_of_a_step_whose_run_is_about_to_end() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: a, run: 'true', needs: []}, {id: b, run: 'true', needs: [], approve: after}]",
    );
    play.fail("a", exit(Class::Validation));
    assert_eq!(play.complete("b", "1"), ["approval_requested b", "step_completed b", "run_failed a"]);
    assert!(!asks(&play));
    assert_eq!(play.refused(approve("b", "ada")), Code::RequestClosed);
    assert_eq!(play.retry(), ["retry_requested", "approval_requested b", "attempt_started a"]);
    assert_eq!(play.ask(approve("b", "ada")), ["approval_granted"]);
}

/// A step that was told to stop by a rollback and came through all the same was never undone if there was more to be
/// said or done about it.
#[test]
fn what_comes_through_while_the_run_is_undone_is_undone_whatever_is_open_about_it() {
    for (approve, output) in
        [("approve: after, ", "1"), ("", "{\"add_steps\": [{\"id\": \"p\", \"run\": \"true\"}]}")]
    {
        let step = format!("{{id: a, run: 'true', {approve}compensate: {{run: undo}}}}");
        let mut play = Play::start(&format!("name: w\nsteps: [{step}]"));
        play.roll_back(None);
        play.complete("a", output);
        assert!(matches!(play.log.last(), Some(RunEvent::AttemptStarted(_))), "{output}: {:?}", play.log);
        assert_eq!(play.complete("a", "1"), ["step_compensated a", "run_compensated"]);
        assert!(!asks(&play));
        assert_eq!(play.state().status(), RunStatus::Compensated);
    }
}

/// Who had answered could not be asked again: the run took a retry for another start of the step.
#[test]
fn a_retry_asks_again_about_a_refused_answer_of_a_step_that_may_be_started_once() {
    let mut play = Play::eager("name: w\nsteps: [{id: a, run: 'true', approve: after, at_most_once: true}]");
    play.complete("a", "1");
    play.ask(reject("a"));
    assert_eq!(play.retry(), ["retry_requested", "approval_requested a"]);
    assert_eq!(play.ask(approve("a", "ada")), ["approval_granted", "run_completed"]);
}

/// What a plan says of a step was looked up in the file, which has no such step.
#[test]
fn what_a_plan_adds_may_be_started_once_only_if_the_plan_says_so() {
    let mut play = Play::eager("name: w\nsteps: [{id: a, run: 'true'}]");
    play.complete("a", r#"{"add_steps": [{"id": "p", "run": "true", "at_most_once": true}]}"#);
    play.fail("a/p", exit(Class::Validation));
    assert_eq!(play.refused(Ask::Retry { order: order(), step: None }), Code::CannotRetry);
}

/// A rollback to a phase of several steps undid the items of a fan-out that it kept, where that comes after another
/// step of the phase.
#[test]
fn a_rollback_to_a_phase_keeps_what_grew_in_its_steps() {
    let mut play = Play::eager(
        "name: w
steps:
  - {id: a, run: 'true', phase: p}
  - {id: b, run: 'true', phase: p, for_each: [1], compensate: {run: undo}}
  - {id: c, run: 'true', compensate: {run: undo}}",
    );
    play.complete_all(&["a", "b[0]", "c"]);
    play.roll_back(Some("p"));
    assert_eq!(play.complete("c", "1"), ["step_compensated c", "run_paused"]);
    assert_eq!(play.status("b[0]"), "completed");
}

/// After a retry an item whose plan was still being followed took no place of its fan-out, and another started beside it.
#[test]
fn an_item_takes_its_place_in_a_fan_out_until_its_plan_is_done() {
    let mut play = Play::eager("name: w\nsteps: [{id: a, run: 'true', for_each: [1, 2], max_parallel: 1}]");
    play.complete("a[0]", r#"{"add_steps": [{"id": "p", "run": "true"}]}"#);
    play.fail("a[0]/p", exit(Class::Validation));
    assert_eq!(play.retry(), ["retry_requested", "attempt_started a[0]/p"]);
    assert_eq!(play.complete("a[0]/p", "1"), ["step_completed a[0]/p", "attempt_started a[1]"]);
}

/// The plan of a loop's last round joined the graph twice: with the round, and when the loop's output was granted.
#[test]
fn what_the_last_round_of_a_loop_plans_is_done_once() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: a, run: 'true', repeat: {until: round > 0, max: 1}, approve: after}]",
    );
    play.complete("a#1", r#"{"add_steps": [{"id": "p", "run": "true"}]}"#);
    assert_eq!(
        play.complete("a#1/p", "1"),
        ["step_completed a#1/p", "approval_requested a", "step_completed a"]
    );
    assert_eq!(play.ask(approve("a", "ada")), ["approval_granted", "run_completed"]);
}

/// What was granted to the agent that stands in was done by the first agent after a retry, unasked.
#[test]
fn a_grant_for_who_stands_in_holds_for_nobody_else() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: a, agent: x, prompt: p, approve: before, fallback: {agent: y, prompt_suffix: s}}]",
    );
    play.ask(approve("a", "ada"));
    assert_eq!(
        play.fail("a", exit(Class::Validation)),
        ["attempt_failed a", "fallback_engaged a", "approval_requested a"]
    );
    play.ask(approve("a", "ada"));
    play.fail("a", exit(Class::Validation));
    assert_eq!(play.retry(), ["retry_requested", "approval_requested a"]);
    play.ask(approve("a", "ada"));
    assert_eq!((play.open("a").agent.as_str(), &play.work("a")["prompt"]), ("x", &serde_json::json!("p")));
}

/// A run that was stuck in a partial rollback took an answer, which was no legal event then.
#[test]
fn a_run_that_is_stuck_takes_no_answers() {
    let mut play = Play::eager(
        "name: w
steps:
  - {id: a, run: 'true', needs: []}
  - {id: b, run: 'true', needs: [a], compensate: {run: undo, retry: {attempts: 1}}}
  - {id: c, run: 'true', needs: [], approve: before}",
    );
    play.complete_all(&["a", "b"]);
    play.roll_back(Some("a"));
    play.fail("b", exit(Class::Validation));
    assert_eq!(play.state().status(), RunStatus::Stuck);
    assert_eq!(play.refused(approve("c", "ada")), Code::RunEnded);
    play.resolve("b", Resolution::Skip);
    assert_eq!(play.ask(approve("c", "ada")), ["approval_granted"]);
}

/// Of a phase whose steps ask different people, points were recorded for the first before the second refused.
#[test]
fn points_of_several_requests_are_recorded_together_or_not_at_all() {
    let mut play = Play::eager(
        "name: w
steps:
  - {id: a, run: 'true', needs: [], phase: p, approve: before, checklist: [one]}
  - {id: b, run: 'true', needs: [], phase: p, approve: before, checklist: [one], approvers: [bob]}",
    );
    let check = |by: &str| Ask::Check { request: "p".to_owned(), by: by.into(), points: vec![1] };
    let before = play.log.len();
    assert_eq!(play.refused(check("ada")), Code::NotAnApprover);
    assert_eq!(play.log.len(), before);
    assert_eq!(play.ask(check("bob")), ["approval_checked", "approval_checked"]);
}
