//! How the graph of a run grows: rounds of a loop, steps of a plan; and stand-ins, phases, children.

use std::time::Duration;

use super::exit;
use super::people::edit;
use super::play::{Play, order, word};
use crate::aggregates::run::child::child_id;
use crate::aggregates::run::{Ask, RunStatus};
use crate::events::ids::{RunId, StepId, Version};
use crate::events::json::Json;
use crate::events::problem::{Class, Code};
use crate::events::run::RunEvent;
use crate::workflow::work::{Child, Failure, Output, Stop};

#[test]
fn a_loop_goes_round_until_it_is_over() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: poll, run: x, repeat: {until: output.ready and round > 1, max: 3}}, {id: b, run: 'y {{ steps.poll.output.n }}'}]",
    );
    assert_eq!(play.log.last().map(super::play::word).unwrap(), "attempt_started poll#1");
    let again = ["step_completed poll#1", "step_added poll#2", "attempt_started poll#2"];
    assert_eq!(play.complete("poll#1", r#"{"ready": true}"#), again);
    play.recover();
    let over = ["step_completed poll#2", "step_completed poll", "attempt_started b"];
    assert_eq!(play.complete("poll#2", r#"{"ready": true, "n": 7}"#), over);
    assert_eq!(play.work("b")["run"], "y '7'");
}

#[test]
fn a_loop_that_is_never_over_fails_and_a_retry_goes_round_again() {
    let mut play = Play::eager("name: w\nsteps: [{id: poll, run: x, repeat: {until: output, max: 2}}]");
    play.complete("poll#1", "false");
    let used_up = play.complete("poll#2", "false");
    assert_eq!(used_up, ["step_completed poll#2", "step_failed poll", "run_failed poll"]);
    let again = play.retry();
    assert_eq!(again, ["retry_requested", "step_added poll#3", "attempt_started poll#3"]);
    play.complete("poll#3", "false");
    assert_eq!(
        play.complete("poll#4", "true"),
        ["step_completed poll#4", "step_completed poll", "run_completed"]
    );
}

#[test]
fn a_round_whose_failure_is_tolerated_is_not_the_last() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: poll, run: x, on_error: continue, repeat: {until: output, max: 2}}]",
    );
    let failed = play.fail("poll#1", exit(Class::Transient));
    assert_eq!(
        failed,
        ["attempt_failed poll#1", "step_failed poll#1", "step_added poll#2", "attempt_started poll#2"]
    );
    play.complete("poll#2", "true");
    assert_eq!(play.result(), (RunStatus::Completed, true));
}

const STANDS_IN: &str = "name: w\nsteps: [{id: a, agent: x, prompt: p, retry: {attempts: 2, initial: 1s, jitter: 0}, fallback: {agent: y, prompt_suffix: ' only'}}]";

#[test]
fn another_agent_stands_in_when_the_first_has_failed_for_good() {
    let mut play = Play::eager(STANDS_IN);
    let key = play.open("a").idempotency_key.clone();
    play.fail("a", exit(Class::Transient));
    play.sleep(Duration::from_secs(1));
    let fallen = play.fail("a", exit(Class::Transient));
    assert_eq!(fallen, ["attempt_failed a", "fallback_engaged a", "attempt_started a"]);
    let open = play.open("a");
    assert_eq!((open.agent.as_str(), open.attempt, &open.idempotency_key), ("y", 3, &key));
    assert_eq!(play.work("a")["prompt"], "p only");
    play.recover();
    assert_eq!(play.open("a").agent.as_str(), "y", "a crash does not bring the first one back");
    play.complete("a", "1");
    assert_eq!(play.result(), (RunStatus::Completed, true));
}

#[test]
fn a_stand_in_is_tried_so_often_and_no_more_and_a_fatal_failure_needs_none() {
    let mut play = Play::eager(&STANDS_IN.replace("attempts: 2", "attempts: 9"));
    let mut failures = 0;
    while play.state().status() == RunStatus::Running {
        play.fail("a", exit(Class::Transient));
        play.sleep(Duration::from_secs(600));
        failures += 1;
    }
    assert_eq!(failures, 9 + 2, "of the first, and of its stand-in");
    let mut play = Play::eager(STANDS_IN);
    assert_eq!(play.fail("a", exit(Class::Fatal)), ["attempt_failed a", "step_failed a", "run_failed a"]);
}

#[test]
fn what_may_be_left_out_is_when_its_stand_in_fails_too() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: a, agent: x, optional: true, fallback: {agent: y}}, {id: b, run: z}]",
    );
    play.fail("a", exit(Class::Validation));
    let skipped = play.fail("a", exit(Class::Validation));
    assert_eq!(skipped, ["attempt_failed a", "step_skipped a", "attempt_started b"]);
    play.complete("b", "1");
    assert_eq!(play.result(), (RunStatus::Completed, true));
}

#[test]
fn an_output_that_is_not_what_its_schema_says_is_a_failure() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: a, agent: x, retry: {attempts: 3}, fallback: {agent: y}, schema: {type: object, required: [n]}}]",
    );
    assert_eq!(play.complete("a", "{}"), ["attempt_failed a", "fallback_engaged a", "attempt_started a"]);
    assert_eq!(play.complete("a", "{\"n\": 1}"), ["step_completed a", "run_completed"]);
}

fn plan(steps: &str) -> String {
    format!(r#"{{"add_steps": [{steps}], "why": "thought"}}"#)
}

const PLANS: &str =
    "name: w\nsteps: [{id: plan, agent: planner}, {id: last, run: 'z {{ steps.plan.output.why }}'}]";

#[test]
fn the_steps_of_a_plan_join_the_graph_and_what_needs_it_waits_for_them() {
    let mut play = Play::eager(PLANS);
    let steps = r#"{"id": "one", "run": "x"}, {"id": "two", "run": "y {{ steps.one.output }} {{ steps.plan.status }}"}, {"id": "beside", "agent": "a", "needs": []}"#;
    let grown = play.complete("plan", &plan(steps));
    let wanted = [
        "step_added plan/one",
        "step_added plan/two",
        "step_added plan/beside",
        "step_completed plan",
        "attempt_started plan/beside",
        "attempt_started plan/one",
    ];
    assert_eq!(sorted(&grown), sorted(&wanted.map(str::to_owned)));
    play.recover();
    assert_eq!(play.complete("plan/one", "5"), ["step_completed plan/one", "attempt_started plan/two"]);
    assert_eq!(play.work("plan/two")["run"], "y '5' 'completed'");
    play.complete("plan/two", "6");
    assert_eq!(play.status("last"), "pending", "it waits for all inside");
    assert_eq!(play.complete("plan/beside", "7"), ["step_completed plan/beside", "attempt_started last"]);
    assert_eq!(play.work("last")["run"], "z 'thought'");
}

fn sorted(words: &[String]) -> Vec<String> {
    let mut words = words.to_vec();
    words.sort();
    words
}

#[test]
fn a_plan_that_cannot_join_is_a_failure_of_validation() {
    let refused = |steps: &str| {
        let mut play = Play::eager(PLANS);
        play.complete("plan", &plan(steps));
        let nodes = play.state().nodes();
        assert_eq!(nodes.len(), 2, "nothing joined: {steps}");
        let error = nodes.iter().next().and_then(|node| node.doing.error.clone()).unwrap();
        assert_eq!((error.class, play.state().status()), (Class::Validation, RunStatus::Failed), "{steps}");
        error.code
    };
    assert_eq!(refused(r#"{"id": "last", "run": "x"}"#), Code::BadPlan, "the run has a step of that id");
    assert_eq!(refused(r#"{"id": "a", "run": "x"}, {"id": "a", "run": "x"}"#), Code::BadPlan);
    let circle = r#"{"id": "a", "run": "x", "needs": ["b"]}, {"id": "b", "run": "x", "needs": ["a"]}"#;
    assert_eq!(refused(circle), Code::BadPlan);
    assert_eq!(refused(r#"{"id": "a", "run": "x {{ steps.nobody.output }}"}"#), Code::BadPlan);
    assert_eq!(refused(r#"{"id": "a"}"#), Code::BadPlan);
    assert_eq!(refused(r#"{"id": "a", "workflow": "x.yaml"}"#), Code::BadPlan);
    let mut play = Play::start("name: w\nsteps: [{id: plan, run: x}]");
    play.complete("plan", &plan(r#"{"id": "a", "agent": "nobody"}"#));
    let error = play.state().nodes().iter().next().and_then(|node| node.doing.error.clone()).unwrap();
    assert_eq!(error.code, Code::BadPlan, "the run knows no such agent: {}", error.message);
    let many: Vec<_> = (0..101).map(|n| format!(r#"{{"id": "s{n}", "run": "x"}}"#)).collect();
    assert_eq!(refused(&many.join(",")), Code::PlanTooLarge);
}

#[test]
fn plans_inside_plans_are_bounded_in_depth() {
    let mut play = Play::eager("name: w\nsteps: [{id: next, agent: planner}]");
    let mut place = "next".to_owned();
    for _ in 0..3 {
        let grown = play.complete(&place, &plan(r#"{"id": "more", "agent": "planner"}"#));
        place.push_str("/more");
        assert!(grown.contains(&format!("attempt_started {place}")), "{grown:?}");
    }
    play.complete(&place, &plan(r#"{"id": "more", "agent": "planner"}"#));
    assert_eq!(play.state().status(), RunStatus::Failed);
}

#[test]
fn a_plan_can_be_approved_and_changed_before_it_is_followed() {
    let mut play = Play::eager("name: w\nsteps: [{id: plan, agent: planner, approve: after}]");
    play.complete("plan", &plan(r#"{"id": "one", "run": "x"}"#));
    assert_eq!(play.state().nodes().len(), 1);
    assert_eq!(play.refused(edit("plan", "ada", r#"{"add_steps": 3}"#)), Code::BadPlan);
    let granted = play.ask(edit("plan", "ada", r#"{"add_steps": [{"id": "other", "run": "y"}]}"#));
    assert_eq!(granted, ["step_added plan/other", "approval_granted", "attempt_started plan/other"]);
    assert_eq!(play.complete("plan/other", "1"), ["step_completed plan/other", "run_completed"]);
}

#[test]
fn what_a_plan_added_is_undone_before_the_plan() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: plan, agent: planner, compensate: {run: undo}}, {id: last, run: z}]",
    );
    let steps = r#"{"id": "one", "run": "x", "compensate": {"run": "undo"}}, {"id": "each", "for_each": [1], "run": "y", "compensate": {"run": "undo {{ output }}"}}"#;
    play.complete("plan", &plan(steps));
    play.complete("plan/one", "1");
    play.complete("plan/each[0]", "9");
    play.fail("last", exit(Class::Validation));
    play.ask(Ask::Go);
    assert_eq!(play.work("plan/each[0]")["run"], "undo '9'");
    play.complete("plan/each[0]", "1");
    play.complete("plan/one", "1");
    play.complete("plan", "1");
    assert_eq!(play.state().status(), RunStatus::Compensated);
}

#[test]
fn a_failure_inside_a_plan_fails_the_run_and_a_retry_goes_on_inside() {
    let mut play = Play::eager(&format!("{PLANS}\non_failure: stop"));
    play.complete("plan", &plan(r#"{"id": "one", "run": "x"}, {"id": "two", "run": "y"}"#));
    play.fail("plan/one", exit(Class::Validation));
    assert_eq!((play.state().status(), play.status("plan")), (RunStatus::Failed, "completed"));
    assert_eq!(play.retry(), ["retry_requested", "attempt_started plan/one"]);
    play.complete("plan/one", "1");
    assert_eq!(play.complete("plan/two", "1"), ["step_completed plan/two", "attempt_started last"]);
}

#[test]
fn phases_name_groups_of_steps_for_people() {
    let text = "name: w\non_failure: stop\nsteps: [{id: a, run: x, phase: one, compensate: {run: undo}}, {id: b, run: x, phase: one}, {id: c, run: x, phase: two, compensate: {run: undo}}, {id: d, run: x, phase: two}]";
    let mut play = Play::start_until(text, "one");
    play.eager = true;
    play.complete("a", "1");
    assert_eq!(play.complete("b", "1"), ["step_completed b", "run_paused"]);
    play.ask(Ask::Unpause(order()));
    play.complete("c", "1");
    play.fail("d", exit(Class::Validation));
    let retry = |step: &str| Ask::Retry { order: order(), step: Some(step.into()) };
    assert_eq!(play.refused(retry("one")), Code::CannotRetry);
    assert_eq!(play.refused(retry("three")), Code::NoSuchStep);
    assert_eq!(play.ask(retry("two")), ["retry_requested two", "attempt_started d"]);
    play.fail("d", exit(Class::Validation));
    let back = play.roll_back(Some("one"));
    assert_eq!(back, ["rollback_started", "compensation_started c", "attempt_started undo c"]);
    assert_eq!(play.complete("c", "1"), ["step_compensated c", "run_paused"]);
    assert_eq!(play.state().rolled_back_to().map(|kept| &**kept), Some("one"));
}

fn child(status: RunStatus, past_return: bool) -> Option<Child> {
    Some(Child { status, version: Version(9), past_return, degraded: false })
}

const PARENT: &str = "name: w\nsteps: [{id: test, workflow: test.yaml, with: {n: 1}}, {id: b, run: x}]";

#[test]
fn a_child_run_is_seen_through_by_an_attempt_and_rolled_back_by_a_compensation() {
    let mut play = Play::eager(PARENT);
    let words: Vec<_> = play.log.iter().map(super::play::word).collect();
    assert_eq!(words.last().unwrap(), "child_started test");
    let known = play.state().node(&StepId::grown("test")).unwrap().1.child.clone().unwrap();
    let (run, ended) = (&known.run, known.ended.map(|ended| ended.version));
    assert_eq!(
        (run.clone(), ended),
        (child_id(&RunId::parse("r").unwrap(), &StepId::grown("test"), 1, None), None)
    );
    for _ in 0..9 {
        play.recover();
    }
    assert_eq!(play.status("test"), "running", "a child is not what ends its parent's process");
    let output = Output {
        output: Json::parse("5").unwrap(),
        child: child(RunStatus::Completed, false),
        ..Output::default()
    };
    let (step, fence) = (StepId::grown("test"), play.open("test").fence);
    let done = play.ask(Ask::Completed { step, fence, output });
    assert_eq!(done, ["child_ended test", "step_completed test", "attempt_started b"]);
    let failed = play.fail("b", exit(Class::Validation));
    assert_eq!(failed[2..], ["rollback_started", "compensation_started test", "attempt_started undo test"]);
}

#[test]
fn what_becomes_of_a_child_is_its_parents_concern() {
    let ended = |status, past_return, code: Code| {
        let mut play = Play::eager(PARENT);
        play.fail("test", Failure { child: child(status, past_return), ..Failure::new(code, "no") });
        play
    };
    let play = ended(RunStatus::Compensated, false, Code::ChildFailed);
    assert_eq!(play.state().status(), RunStatus::Failed, "the child has undone itself: nothing is owed");
    let play = ended(RunStatus::Failed, false, Code::ChildFailed);
    assert_eq!(play.state().status(), RunStatus::Compensating, "it may have left something");
    let play = ended(RunStatus::Stuck, false, Code::ChildStuck);
    assert_eq!(play.state().status(), RunStatus::Stuck);
    let mut play = ended(RunStatus::Failed, true, Code::ChildFailed);
    assert_eq!(play.state().status(), RunStatus::Stuck, "nothing before it can be undone");
    assert_eq!(play.refused(Ask::Rollback { order: order(), to: None }), Code::PastNoReturn);
    assert_eq!(play.retry()[..2], ["retry_requested", "attempt_started test"]);
}

#[test]
fn a_plan_that_is_made_anew_may_name_its_steps_in_any_order() {
    let mut play = Play::eager(
        "name: w\non_failure: stop\nsteps: [{id: first, run: x}, {id: plan, agent: planner}, {id: last, run: z}]",
    );
    let steps = plan(r#"{"id": "b", "run": "y", "needs": ["a"]}, {"id": "a", "run": "x", "needs": []}"#);
    for generation in 1..=2 {
        if generation == 1 {
            play.complete("first", "1");
        }
        assert!(play.complete("plan", &steps).contains(&"attempt_started plan/a".to_owned()));
        let next = play.complete("plan/a", "1");
        assert_eq!(next, ["step_completed plan/a", "attempt_started plan/b"], "generation {generation}");
        play.complete("plan/b", "1");
        play.fail("last", exit(Class::Validation));
        play.roll_back(Some("first"));
        assert_eq!(play.state().status(), RunStatus::Paused);
        play.retry();
    }
}

#[test]
fn what_a_round_has_planned_is_not_planned_again_when_the_loop_is_approved() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: think, agent: planner, approve: after, repeat: {until: output.ready, max: 2}}]",
    );
    play.complete("think#1", r#"{"ready": true, "add_steps": [{"id": "one", "run": "x"}]}"#);
    play.complete("think#1/one", "1");
    assert_eq!(play.ask(super::people::approve("think", "ada")), ["approval_granted", "run_completed"]);
}

#[test]
fn nothing_is_undone_when_a_child_comes_past_its_point_of_no_return_while_its_parent_is_cancelled() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: a, run: x, needs: [], compensate: {run: undo}}, {id: test, workflow: test.yaml, needs: []}]",
    );
    play.complete("a", "1");
    play.ask(Ask::Cancel { order: order(), rollback: true });
    let failure = Failure { child: child(RunStatus::Cancelled, true), ..Failure::stopped(Stop::Cancelled) };
    let ended = play.fail("test", failure);
    assert_eq!(ended, ["child_ended test", "attempt_failed test", "step_cancelled test", "run_stuck test"]);
    assert_eq!(play.status("a"), "completed");
}

/// A plan of five fan-outs, an answer of 660 bytes, once made a commit that was written and could never be read.
#[test]
fn fan_outs_add_so_many_steps_to_a_run_and_no_more() {
    let play = Play::eager(
        "name: w\nsteps:\n- {id: a, for_each: range(600), max_parallel: 1, sleep: 1h}\n- {id: b, needs: [], on_error: continue, for_each: range(401), run: x}\n- {id: c, needs: [b], for_each: range(400), max_parallel: 1, run: x}",
    );
    assert_eq!((play.status("a"), play.status("b"), play.status("c")), ("running", "failed", "running"));
    let failed = play.log.iter().find_map(|event| match event {
        RunEvent::StepFailed(failed) => Some((failed.class, failed.code, failed.message.clone())),
        _ => None,
    });
    let message =
        "1001 steps would be added by all fan-outs of the run together, and no more than 1000 may be";
    assert_eq!(failed, Some((Class::Validation, Code::TooManyItems, message.to_owned())));
}

#[test]
fn a_fan_out_that_is_too_wide_fails_its_run_and_nobody_is_asked_about_it() {
    let mut play = Play::eager(
        "name: w\nsteps: [{id: a, for_each: range(1001), run: x, approve: before, retry: {attempts: 3}}]",
    );
    assert_eq!(play.log.iter().skip(2).map(word).collect::<Vec<_>>(), ["step_failed a", "run_failed a"]);
    assert_eq!(play.result(), (RunStatus::Failed, false));
    assert_eq!(play.retry(), ["retry_requested", "step_failed a", "run_failed a"]);
}

#[test]
fn items_that_come_back_after_a_rollback_are_not_counted_twice() {
    let mut play = Play::start(
        "name: w\non_failure: stop\nsteps:\n- {id: a, run: x}\n- {id: b, for_each: range(600), max_parallel: 1, run: y, compensate: {run: z}}",
    );
    play.complete_all(&["a", "b[0]"]);
    play.fail("b[1]", exit(Class::Fatal));
    play.roll_back(Some("a"));
    play.complete("b[0]", "null");
    play.ask(Ask::Unpause(order()));
    play.ask(Ask::Go);
    assert_eq!((play.status("b"), play.status("b[0]")), ("running", "running"));
}

/// Few items make a commit that is too long, if they are long.
#[test]
fn fan_outs_that_would_not_fit_into_a_commit_fail() {
    let items: Vec<_> = (0..10).map(|_| "x".repeat(11_000_000)).collect();
    let input = Json::of(&serde_json::json!({ "items": items })).unwrap();
    let yaml = "name: w\nsteps:\n- {id: a, on_error: continue, for_each: input.items, run: x}\n- {id: b, for_each: [1], run: x}";
    let play = Play::start_with(yaml, input.text(), 1);
    let failed = play.log.iter().find_map(|event| match event {
        RunEvent::StepFailed(failed) => Some(failed.message.clone()),
        _ => None,
    });
    assert!(failed.is_some_and(|message| message.contains("bytes at once")));
    assert_eq!(play.status("b[0]"), "running");
}
