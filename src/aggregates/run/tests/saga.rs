//! How a run is undone.

use std::time::Duration;

use super::exit;
use super::play::{Play, order};
use crate::aggregates::run::{Ask, RunStatus};
use crate::events::ids::StepId;
use crate::events::problem::{Class, Code};
use crate::events::run::*;
use crate::workflow::work::{Failure, Stop};

const THREE: &str = "
name: w
steps:
  - {id: a, run: 'true', compensate: {run: undo a}}
  - {id: b, run: 'true', compensate: {run: undo b}}
  - {id: c, run: 'true', compensate: {run: undo c}}";

fn failed_at_c(yaml: &str) -> Play {
    let mut play = Play::start(yaml);
    play.complete("a", "1");
    play.complete("b", "2");
    play
}

#[test]
fn a_failed_run_undoes_what_was_done_dependents_first() {
    let mut play = failed_at_c(THREE);
    let happened = play.fail("c", exit(Class::Unknown));
    let begun = ["attempt_failed c", "step_failed c", "rollback_started", "compensation_started b"];
    assert_eq!(happened[..4], begun, "c failed and said so: it owes nothing");
    play.ask(Ask::Go);
    assert_eq!(play.state().status(), RunStatus::Compensating);
    assert_eq!(play.status("b"), "compensating");
    assert_eq!(
        play.complete("b", "1"),
        ["step_compensated b", "compensation_started a", "attempt_started undo a"]
    );
    assert_eq!(play.complete("a", "1"), ["step_compensated a", "run_compensated"]);
    assert_eq!(play.state().status(), RunStatus::Compensated);
    assert_eq!((play.status("a"), play.status("c")), ("compensated", "failed"));
}

#[test]
fn independent_branches_are_undone_at_the_same_time_and_before_what_they_need() {
    let mut play = Play::start(
        "
name: w
steps:
  - {id: a, run: 'true', compensate: {run: undo}}
  - {id: b, needs: [a], run: 'true', compensate: {run: undo}}
  - {id: c, needs: [a], run: 'true', compensate: {run: undo}}
  - {id: quiet, needs: [c], run: 'true'}
  - {id: d, needs: [b, quiet], run: 'true'}",
    );
    play.complete_all(&["a", "b", "c", "quiet"]);
    play.fail("d", exit(Class::Unknown));
    play.ask(Ask::Go);
    play.open("b");
    play.open("c");
    assert_eq!(play.complete("c", "1"), ["step_compensated c"], "a waits for b too");
    assert_eq!(play.complete("b", "1")[1], "compensation_started a");
}

#[test]
fn a_step_without_a_compensation_holds_up_what_it_needs_until_its_dependents_are_undone() {
    let mut play = Play::start(
        "
name: w
steps:
  - {id: a, run: 'true', compensate: {run: undo}}
  - {id: quiet, run: 'true'}
  - {id: c, run: 'true', compensate: {run: undo}}
  - {id: d, run: 'true'}",
    );
    play.complete_all(&["a", "quiet", "c"]);
    play.fail("d", exit(Class::Unknown));
    play.ask(Ask::Go);
    assert_eq!(play.status("a"), "completed");
    assert_eq!(play.complete("c", "1")[1], "compensation_started a");
}

#[test]
fn what_nobody_knows_the_outcome_of_is_undone_and_told_so() {
    for lost in [false, true] {
        let mut play = failed_at_c(THREE);
        if lost {
            play.recover();
            play.recover();
            play.recover();
        } else {
            play.fail("c", Failure::stopped(Stop::TimedOut));
        }
        play.ask(Ask::Go);
        let started = play.log.iter().find_map(|event| match event {
            RunEvent::CompensationStarted(started) => Some((started.step.as_str(), started.outcome)),
            _ => None,
        });
        assert_eq!(started, Some(("c", Undoes::Unknown)), "lost: {lost}");
    }
}

#[test]
fn a_step_that_failed_is_undone_if_its_compensation_is_for_what_was_attempted() {
    let yaml = THREE.replace("{run: undo c}", "{run: undo c, when: attempted}");
    let mut play = failed_at_c(&yaml);
    assert!(play.fail("c", exit(Class::Unknown)).contains(&"compensation_started c".to_owned()));
}

#[test]
fn a_run_that_owes_nothing_fails() {
    let mut play = Play::start("name: w\nsteps: [{id: a, run: 'true', compensate: {run: undo}}]");
    assert_eq!(play.fail("a", exit(Class::Unknown)), ["attempt_failed a", "step_failed a", "run_failed a"]);
}

#[test]
fn on_failure_stop_leaves_the_rollback_to_a_person() {
    let mut play = failed_at_c(&THREE.replace("steps:", "on_failure: stop\nsteps:"));
    assert_eq!(play.fail("c", exit(Class::Unknown)).last().unwrap(), "run_failed c");
    assert_eq!(
        play.roll_back(None),
        ["rollback_started", "compensation_started b", "attempt_started undo b"]
    );
    play.complete("b", "1");
    play.complete("a", "1");
    assert_eq!(play.state().status(), RunStatus::Compensated);
    assert_eq!(play.refused(Ask::Rollback { order: order(), to: None }), Code::RunEnded);
}

#[test]
fn a_completed_run_can_be_rolled_back() {
    let mut play = failed_at_c(THREE);
    play.complete("c", "3");
    assert_eq!(play.state().status(), RunStatus::Completed);
    play.roll_back(None);
    for step in ["c", "b", "a"] {
        play.complete(step, "1");
    }
    assert_eq!(play.state().status(), RunStatus::Compensated);
}

#[test]
fn a_rollback_cancels_what_runs_and_undoes_it_too() {
    let mut play = failed_at_c(THREE);
    assert_eq!(play.roll_back(None), ["rollback_started"]);
    let stopped =
        play.changes.last().unwrap().0.iter().any(|effect| matches!(effect, super::RunEffect::Stop { .. }));
    assert!(stopped);
    assert_eq!(
        play.fail("c", Failure::stopped(Stop::Cancelled)),
        ["attempt_failed c", "step_cancelled c", "compensation_started c", "attempt_started undo c"]
    );
}

#[test]
fn a_step_that_completes_before_it_could_be_stopped_is_undone() {
    let mut play = failed_at_c(THREE);
    play.roll_back(None);
    assert_eq!(
        play.complete("c", "1"),
        ["step_completed c", "compensation_started c", "attempt_started undo c"]
    );
}

#[test]
fn a_compensation_is_tried_again_and_its_tries_have_a_key_and_numbers_of_their_own() {
    let mut play = failed_at_c(THREE);
    let done = play.log.iter().find_map(|event| match event {
        RunEvent::AttemptStarted(started) if started.step.as_str() == "b" => {
            Some(started.idempotency_key.clone())
        }
        _ => None,
    });
    play.fail("c", exit(Class::Unknown));
    play.ask(Ask::Go);
    let first = play.open("b");
    assert_eq!((first.attempt, first.purpose), (1, Purpose::Compensate));
    assert_ne!(Some(&first.idempotency_key), done.as_ref());
    assert_eq!(play.fail("b", exit(Class::Transient)), ["attempt_failed undo b", "retry_scheduled undo b"]);
    assert_eq!(play.sleep(Duration::from_secs(2)), ["timer_fired", "attempt_started undo b"]);
    play.recover();
    let third = play.open("b");
    assert_eq!((third.attempt, &third.idempotency_key), (3, &first.idempotency_key));
    play.complete("b", "1");
    play.complete("a", "1");
    assert_eq!(play.state().status(), RunStatus::Compensated);
}

/// A run that is stuck: b cannot be undone.
fn stuck() -> Play {
    let mut play = failed_at_c(THREE);
    play.fail("c", exit(Class::Unknown));
    play.ask(Ask::Go);
    assert_eq!(
        play.fail("b", exit(Class::Fatal)),
        ["attempt_failed undo b", "compensation_failed b", "run_stuck b"]
    );
    assert_eq!(play.state().status(), RunStatus::Stuck);
    play
}

#[test]
fn a_compensation_that_keeps_failing_leaves_the_run_stuck_until_somebody_settles_it() {
    for how in [Resolution::Skip, Resolution::Done] {
        let mut play = stuck();
        assert_eq!(play.refused(Ask::Retry { order: order(), step: None }), Code::CannotRetry);
        assert_eq!(play.resolve("b", how)[..2], ["compensation_resolved b", "compensation_started a"]);
        play.ask(Ask::Go);
        assert_eq!(play.complete("a", "1"), ["step_compensated a", "run_compensated"]);
        let status = if how == Resolution::Skip { "completed" } else { "compensated" };
        assert_eq!(play.status("b"), status);
    }
    let mut play = stuck();
    play.resolve("b", Resolution::Retry);
    play.ask(Ask::Go);
    assert_eq!(play.open("b").attempt, 2);
    play.complete("b", "1");
    play.complete("a", "1");
    assert_eq!(play.state().status(), RunStatus::Compensated);
}

#[test]
fn a_rollback_of_a_run_that_is_stuck_tries_again_what_failed() {
    let mut play = stuck();
    play.roll_back(None);
    play.ask(Ask::Go);
    assert_eq!(play.open("b").attempt, 2);
    let opened = play.log.iter().filter(|event| matches!(event, RunEvent::CompensationStarted(_))).count();
    assert_eq!(opened, 1, "a compensation is opened once");
}

#[test]
fn branches_that_do_not_depend_on_a_stuck_one_are_undone() {
    let mut play = Play::start(
        "
name: w
steps:
  - {id: a, needs: [], run: 'true', compensate: {run: undo}}
  - {id: b, needs: [], run: 'true', compensate: {run: undo}}
  - {id: c, needs: [a, b], run: 'true'}",
    );
    play.complete("a", "1");
    play.complete("b", "1");
    play.fail("c", exit(Class::Unknown));
    play.ask(Ask::Go);
    assert_eq!(play.fail("a", exit(Class::Fatal)), ["attempt_failed undo a", "compensation_failed a"]);
    assert_eq!(play.state().status(), RunStatus::Compensating);
    assert_eq!(play.complete("b", "1"), ["step_compensated b", "run_stuck a"]);
    assert_eq!(play.resolve("a", Resolution::Done), ["compensation_resolved a", "run_compensated"]);
}

#[test]
fn compensations_that_lose_their_process_too_often_are_stuck() {
    let mut play = failed_at_c(THREE);
    play.fail("c", exit(Class::Unknown));
    play.ask(Ask::Go);
    play.recover();
    play.recover();
    assert_eq!(play.recover(), ["attempt_lost undo b", "compensation_failed b", "run_stuck b"]);
}

#[test]
fn the_items_of_a_fan_out_are_undone_one_by_one() {
    let mut play = Play::start(
        "
name: w
steps:
  - {id: a, run: 'true', compensate: {run: undo}}
  - id: copy
    for_each: [x, y]
    run: 'true'
    compensate: {run: ['undo', '{{ item }}', '{{ output }}', '{{ outcome }}']}
  - {id: c, run: 'true'}",
    );
    play.complete("a", "1");
    play.complete("copy[0]", "\"X\"");
    play.complete("copy[1]", "\"Y\"");
    play.fail("c", exit(Class::Unknown));
    play.ask(Ask::Go);
    assert_eq!(play.work("copy[1]")["run"], serde_json::json!(["undo", "y", "Y", "completed"]));
    play.complete("copy[0]", "1");
    assert_eq!(play.complete("copy[1]", "1")[1], "compensation_started a");
}

const IRREVERSIBLE: &str = "
name: w
steps:
  - {id: a, run: 'true', compensate: {run: undo}}
  - {id: send, run: 'true', irreversible: true}
  - {id: b, run: 'true', compensate: {run: undo}}
  - {id: c, run: 'true'}";

#[test]
fn after_an_irreversible_step_a_failure_leaves_the_run_stuck_and_a_retry_goes_forward() {
    let mut play = Play::start(IRREVERSIBLE);
    play.complete_all(&["a", "send", "b"]);
    assert_eq!(play.fail("c", exit(Class::Unknown)), ["attempt_failed c", "step_failed c", "run_stuck c"]);
    assert_eq!(play.refused(Ask::Rollback { order: order(), to: None }), Code::PastNoReturn);
    let to_a = Ask::Rollback { order: order(), to: Some("a".into()) };
    assert_eq!(play.refused(to_a), Code::PastNoReturn);
    assert_eq!(play.retry(), ["retry_requested"]);
    play.ask(Ask::Go);
    play.complete("c", "1");
    assert_eq!(play.state().status(), RunStatus::Completed);
}

#[test]
fn a_rollback_may_go_back_to_an_irreversible_step_and_not_over_it() {
    let mut play = Play::start(IRREVERSIBLE);
    play.complete_all(&["a", "send", "b"]);
    play.fail("c", exit(Class::Unknown));
    play.roll_back(Some("send"));
    play.ask(Ask::Go);
    assert_eq!(play.complete("b", "1"), ["step_compensated b", "run_paused"]);
    assert_eq!(play.state().rolled_back_to().map(|kept| &**kept), Some("send"));
}

#[test]
fn an_irreversible_step_that_failed_and_said_so_lifts_the_point_of_no_return() {
    let mut play = Play::start(IRREVERSIBLE);
    play.complete("a", "1");
    assert!(play.fail("send", exit(Class::Unknown)).contains(&"rollback_started".to_owned()));
    let mut play = Play::start(IRREVERSIBLE);
    play.complete("a", "1");
    let happened = play.fail("send", Failure::stopped(Stop::TimedOut));
    assert_eq!(happened.last().unwrap(), "run_stuck send", "it may have been sent");
}

#[test]
fn a_failure_beside_an_irreversible_attempt_waits_for_its_outcome_and_does_not_stop_it() {
    let yaml = "
name: w
steps:
  - {id: a, needs: [], run: 'true', compensate: {run: undo}}
  - {id: send, needs: [a], run: 'true', irreversible: true}
  - {id: b, needs: [a], run: 'true', on_error: fail_fast}";
    for sent in [true, false] {
        let mut play = Play::start(yaml);
        play.complete("a", "1");
        assert_eq!(play.fail("b", exit(Class::Unknown)), ["attempt_failed b", "step_failed b"]);
        let stopped = &play.changes.last().unwrap().0;
        assert!(!stopped.iter().any(|effect| matches!(effect, super::RunEffect::Stop { .. })));
        if sent {
            assert_eq!(play.complete("send", "1"), ["step_completed send", "run_stuck b"]);
        } else {
            assert_eq!(play.fail("send", exit(Class::Unknown))[2], "rollback_started");
        }
    }
}

#[test]
fn a_step_that_may_be_started_once_only_fails_when_its_process_dies() {
    let mut play =
        Play::start("name: w\nsteps: [{id: a, run: 'true', at_most_once: true, compensate: {run: undo}}]");
    let happened = play.recover();
    assert_eq!(
        happened[..4],
        ["attempt_lost a", "step_failed a", "rollback_started", "compensation_started a"]
    );
    let starts = |play: &Play| {
        let starts = |event: &&RunEvent| matches!(event, RunEvent::AttemptStarted(started) if started.purpose == Purpose::Do);
        play.log.iter().filter(starts).count()
    };
    assert_eq!(starts(&play), 1);
    let mut play = Play::start("name: w\nsteps: [{id: a, run: 'true', at_most_once: true}]");
    play.recover();
    assert_eq!(play.state().status(), RunStatus::Failed);
    assert_eq!(play.refused(Ask::Retry { order: order(), step: None }), Code::CannotRetry);
}

#[test]
fn a_partial_rollback_keeps_a_step_and_going_forward_again_is_a_new_generation() {
    let mut play = failed_at_c(THREE);
    let before = play.log.iter().find_map(|event| match event {
        RunEvent::AttemptStarted(started) if started.step.as_str() == "b" => {
            Some(started.idempotency_key.clone())
        }
        _ => None,
    });
    play.complete("c", "3");
    play.roll_back(Some("a"));
    play.complete("c", "1");
    assert_eq!(play.complete("b", "1"), ["step_compensated b", "run_paused"]);
    assert_eq!(play.state().status(), RunStatus::Paused);
    assert_eq!((play.status("a"), play.status("b")), ("completed", "compensated"));
    assert_eq!(play.ask(Ask::Unpause(order())), ["run_unpaused"]);
    assert_eq!(play.ask(Ask::Go), ["attempt_started b"]);
    let open = play.open("b");
    assert_eq!((open.generation, open.attempt), (2, 2));
    assert_ne!(before.as_ref(), Some(&open.idempotency_key));
    play.complete("b", "1");
    play.complete("c", "1");
    assert_eq!(play.state().status(), RunStatus::Completed);
    play.roll_back(None);
    for step in ["c", "b", "a"] {
        play.complete(step, "1");
    }
    assert_eq!(play.state().status(), RunStatus::Compensated);
}

#[test]
fn a_fan_out_that_is_done_anew_grows_anew() {
    let mut play = Play::start_with(
        "
name: w
steps:
  - {id: a, run: 'true'}
  - {id: list, run: 'true', compensate: {run: undo}}
  - {id: copy, for_each: steps.list.output, run: 'true', compensate: {run: undo}}
  - {id: c, run: 'true'}",
        "{}",
        16,
    );
    play.complete("a", "1");
    play.complete("list", "[1, 2, 3]");
    for item in 0..3 {
        play.complete(&format!("copy[{item}]"), "1");
    }
    play.roll_back(Some("a"));
    play.fail("c", Failure::stopped(Stop::Cancelled));
    for item in 0..3 {
        play.complete(&format!("copy[{item}]"), "1");
    }
    play.complete("list", "1");
    play.ask(Ask::Unpause(order()));
    play.ask(Ask::Go);
    play.complete("list", "[1, 2]");
    assert_eq!(play.state().progress(), (2, 6), "a, list, copy with two items, c");
    assert_eq!(play.open("copy[1]").generation, 2);
    play.complete("copy[0]", "1");
    play.complete("copy[1]", "1");
    play.complete("c", "1");
    assert_eq!(play.state().status(), RunStatus::Completed);
}

#[test]
fn a_rollback_to_a_step_that_is_not_done_is_refused() {
    let mut play = failed_at_c(THREE);
    let refused = |to: &str| play.refused(Ask::Rollback { order: order(), to: Some(to.into()) });
    assert_eq!(refused("c"), Code::CannotRollBack);
    assert_eq!(refused("nobody"), Code::NoSuchStep);
    play.roll_back(None);
    assert_eq!(play.refused(Ask::Rollback { order: order(), to: None }), Code::Compensating);
}

#[test]
fn the_plan_of_a_rollback_is_the_order_in_which_it_happens() {
    let play = Play::start(
        "
name: w
steps:
  - {id: a, run: 'true', compensate: {run: undo}}
  - {id: b, needs: [a], run: 'true', compensate: {run: undo}}
  - {id: c, needs: [a], run: 'true', compensate: {run: undo}}
  - {id: d, needs: [b, c], run: 'true'}
  - {id: e, run: 'true', compensate: {run: undo}}",
    );
    let mut play = play;
    play.complete_all(&["a", "b", "c", "d"]);
    let plan = play.state().rollback_plan(None).unwrap();
    let order: Vec<Vec<&str>> =
        plan.order.iter().map(|group| group.iter().map(StepId::as_str).collect()).collect();
    assert_eq!(order, [vec!["e"], vec!["b", "c"], vec!["a"]], "e runs, and would be cancelled");
    assert_eq!(plan.cannot.iter().map(|cannot| cannot.step.as_str()).collect::<Vec<_>>(), ["d"]);
    let back = play.state().rollback_plan(Some("b")).unwrap();
    assert_eq!(back.order, [[StepId::grown("e")]]);
}

#[test]
fn what_has_nothing_to_undo_is_no_part_of_a_plan_to_undo() {
    let text = "name: w\nsteps:\n  - {id: a, run: x}\n  - {id: b, run: x, compensate: none}\n  - {id: c, run: x, needs: [b]}";
    let mut play = Play::start(text);
    play.complete_all(&["a", "b"]);
    let plan = play.state().rollback_plan(None).unwrap();
    let cannot: Vec<&str> = plan.cannot.iter().map(|cannot| cannot.step.as_str()).collect();
    assert_eq!(cannot, ["a", "c"], "c runs: nobody would know how far it came");
}
