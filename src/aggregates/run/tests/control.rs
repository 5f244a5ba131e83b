//! What people do to a run.

use std::time::Duration;

use super::exit;
use super::play::{Play, order};
use crate::aggregates::run::{Ask, RunEffect, RunStatus};
use crate::events::ids::{StepId, TimerId};
use crate::events::problem::{Class, Code};
use crate::events::run::Resolution;
use crate::kernel::Aggregate;
use crate::workflow::work::{Failure, Stop};

const A_THEN_B: &str =
    "name: w\nsteps: [{id: a, run: 'true', compensate: {run: undo}}, {id: b, run: 'true'}]";

fn cancel(rollback: bool) -> Ask {
    Ask::Cancel { order: order(), rollback }
}

#[test]
fn a_paused_run_lets_what_runs_end_and_starts_nothing() {
    let mut play = Play::start(A_THEN_B);
    assert_eq!(play.ask(Ask::Pause(order())), ["run_paused"]);
    assert_eq!(play.ask(Ask::Pause(order())), [""; 0], "again: nothing happens");
    assert_eq!(play.state().status(), RunStatus::Paused);
    assert_eq!(play.complete("a", "1"), ["step_completed a"]);
    assert_eq!(play.ask(Ask::Go), [""; 0]);
    assert_eq!(play.ask(Ask::Unpause(order())), ["run_unpaused", "attempt_started b"]);
    assert_eq!(play.ask(Ask::Unpause(order())), [""; 0]);
    play.complete("b", "1");
    assert_eq!(play.refused(Ask::Pause(order())), Code::RunEnded);
    assert_eq!(play.refused(Ask::Unpause(order())), Code::RunEnded);
}

#[test]
fn a_pause_while_undoing_starts_no_compensation() {
    let mut play = Play::start(
        "name: w\nsteps: [{id: a, run: 'true', compensate: {run: undo}}, {id: b, run: 'true', compensate: {run: undo}}, {id: c, run: 'true'}]",
    );
    play.complete("a", "1");
    play.complete("b", "1");
    play.fail("c", exit(Class::Unknown));
    play.ask(Ask::Go);
    play.ask(Ask::Pause(order()));
    assert_eq!(play.refused(cancel(false)), Code::Compensating);
    assert_eq!(play.complete("b", "1"), ["step_compensated b"]);
    assert_eq!(play.state().status(), RunStatus::Paused);
    assert_eq!(
        play.ask(Ask::Unpause(order())),
        ["run_unpaused", "compensation_started a", "attempt_started undo a"]
    );
    assert_eq!(play.state().status(), RunStatus::Compensating);
}

#[test]
fn a_cancelled_run_ends_when_what_it_was_told_to_stop_has() {
    let mut play = Play::start(A_THEN_B);
    play.complete("a", "1");
    assert_eq!(play.ask(cancel(false)), ["cancel_requested"]);
    assert!(play.changes.last().unwrap().0.iter().any(|effect| matches!(effect, RunEffect::Stop { .. })));
    assert_eq!(play.ask(cancel(false)), [""; 0], "again: nothing happens");
    assert_eq!(play.refused(cancel(true)), Code::Conflicting);
    assert_eq!(
        play.fail("b", Failure::stopped(Stop::Cancelled)),
        ["attempt_failed b", "step_cancelled b", "run_cancelled"]
    );
    assert_eq!(play.state().status(), RunStatus::Cancelled);
    assert_eq!(play.ask(cancel(false)), [""; 0]);
    assert_eq!(play.refused(Ask::Retry { order: order(), step: None }), Code::CannotRetry);
}

#[test]
fn a_cancelled_run_that_is_to_be_rolled_back_ends_compensated() {
    let mut play = Play::start(A_THEN_B);
    play.complete("a", "1");
    play.ask(cancel(true));
    play.fail("b", Failure::stopped(Stop::Cancelled));
    play.ask(Ask::Go);
    assert_eq!(play.complete("a", "1"), ["step_compensated a", "run_compensated"]);
    assert_eq!(play.ask(cancel(true)), [""; 0]);
}

#[test]
fn a_run_of_which_nothing_runs_is_cancelled_at_once() {
    let mut play = Play::start("name: w\nsteps: [{id: a, sleep: 1h}, {id: b, run: 'true'}]");
    assert_eq!(play.ask(cancel(false)), ["cancel_requested", "step_cancelled a", "run_cancelled"]);
}

#[test]
fn a_cancel_waits_for_an_irreversible_attempt() {
    let mut play =
        Play::start("name: w\nsteps: [{id: send, run: 'true', irreversible: true}, {id: b, run: 'true'}]");
    assert_eq!(play.refused(cancel(true)), Code::PastNoReturn);
    play.ask(cancel(false));
    assert!(!play.changes.last().unwrap().0.iter().any(|effect| matches!(effect, RunEffect::Stop { .. })));
    assert_eq!(play.complete("send", "1"), ["step_completed send", "run_cancelled"]);
}

#[test]
fn a_retry_tries_again_what_failed_or_was_cancelled_with_fresh_attempts_and_the_same_key() {
    let mut play = Play::start(
        "
name: w
steps:
  - {id: a, needs: [], run: 'true', retry: {attempts: 2, initial: 1s, jitter: 0}}
  - {id: b, needs: [], run: 'true'}
  - {id: c, needs: [a, b], run: 'true'}",
    );
    let first = play.open("a");
    play.fail("a", exit(Class::Transient));
    play.sleep(Duration::from_secs(1));
    play.fail("a", exit(Class::Transient));
    assert_eq!(play.fail("b", Failure::stopped(Stop::Cancelled)).last().unwrap(), "run_failed a");
    assert_eq!(play.retry(), ["retry_requested"]);
    assert_eq!(play.ask(Ask::Go), ["attempt_started a", "attempt_started b"]);
    let again = play.open("a");
    assert_eq!((again.attempt, again.generation), (3, 1));
    assert_eq!(again.idempotency_key, first.idempotency_key);
    assert_eq!(play.fail("a", exit(Class::Transient))[1], "retry_scheduled a", "attempts are fresh");
    play.sleep(Duration::from_secs(1));
    play.complete_all(&["a", "b", "c"]);
    assert_eq!(play.state().status(), RunStatus::Completed);
    assert_eq!(play.refused(Ask::Retry { order: order(), step: None }), Code::CannotRetry);
}

#[test]
fn a_retry_of_a_fan_out_keeps_the_items_that_are_done() {
    let mut play = Play::start(
        "name: w\nsteps: [{id: copy, for_each: [1, 2, 3], max_parallel: 1, run: 'true'}, {id: b, run: 'true'}]",
    );
    play.complete("copy[0]", "10");
    assert_eq!(play.fail("copy[1]", exit(Class::Unknown)).last().unwrap(), "run_failed copy[1]");
    play.retry();
    assert_eq!(play.ask(Ask::Go), ["attempt_started copy[1]"], "one at a time");
    play.complete("copy[1]", "11");
    assert_eq!(
        play.complete("copy[2]", "12"),
        ["step_completed copy[2]", "step_completed copy", "attempt_started b"]
    );
    play.complete("b", "1");
    assert_eq!(play.state().status(), RunStatus::Completed);
}

#[test]
fn a_retry_leaves_the_parts_of_a_fan_out_that_is_done() {
    let mut play = Play::start(
        "
name: w
on_failure: stop
steps:
  - {id: a, run: 'true', on_error: continue}
  - {id: each, for_each: [1], run: 'echo {{ steps.a.output }}'}
  - {id: b, run: 'true'}",
    );
    let skipped = ["step_skipped each[0]", "step_completed each", "attempt_started b"];
    assert_eq!(play.fail("a", exit(Class::Unknown))[3..], skipped);
    play.fail("b", exit(Class::Unknown));
    play.retry();
    play.ask(Ask::Go);
    assert_eq!(play.complete("b", "1"), ["step_completed b", "run_completed"]);
}

fn pause_after(until: &str) -> Ask {
    Ask::PauseAfter { order: order(), until: until.into() }
}

#[test]
fn a_run_that_goes_on_is_paused_after_the_step_that_somebody_names_meanwhile() {
    let mut play = Play::start(A_THEN_B);
    assert_eq!(play.ask(pause_after("a")), ["pause_planned"]);
    assert_eq!(play.ask(pause_after("a")), [""; 0], "it is planned already");
    assert_eq!(play.refused(pause_after("nobody")), Code::NoSuchStep);
    assert_eq!(play.complete("a", "1"), ["step_completed a", "run_paused"]);
    assert_eq!(play.refused(pause_after("a")), Code::NoSuchStep, "it is done with already");
    assert_eq!(play.refused(pause_after("next")), Code::NoSuchStep, "there are no phases");
    play.ask(Ask::Unpause(order()));
    play.complete("b", "1");
    assert_eq!(play.refused(pause_after("b")), Code::RunEnded);
}

#[test]
fn the_next_phase_is_the_first_that_is_not_done_with() {
    let mut play = Play::start(
        "name: w\nsteps: [{id: a, run: x, phase: one}, {id: b, run: x, phase: two}, {id: c, run: x, phase: three}]",
    );
    play.ask(pause_after("next"));
    assert_eq!(play.complete("a", "1"), ["step_completed a", "run_paused"]);
    play.ask(pause_after("next"));
    play.ask(Ask::Unpause(order()));
    assert_eq!(play.complete("b", "1"), ["step_completed b", "run_paused"]);
}

#[test]
fn a_run_pauses_after_the_step_until_which_it_was_to_go() {
    let mut play = Play::start_until(A_THEN_B, "a");
    assert_eq!(play.complete("a", "1"), ["step_completed a", "run_paused"]);
    assert_eq!(play.ask(Ask::Unpause(order())), ["run_unpaused", "attempt_started b"]);
    play.complete("b", "1");
    assert_eq!(play.state().status(), RunStatus::Completed);
}

#[test]
fn a_pause_before_the_step_until_which_a_run_was_to_go_does_not_let_it_go_further() {
    let mut play = Play::start_until(A_THEN_B, "a");
    play.ask(Ask::Pause(order()));
    play.ask(Ask::Unpause(order()));
    assert_eq!(play.complete("a", "1"), ["step_completed a", "run_paused"]);

    let mut play = Play::start_until(A_THEN_B, "a");
    play.ask(Ask::Pause(order()));
    assert_eq!(play.complete("a", "1"), ["step_completed a"], "it is paused where it was to");
    assert_eq!(play.ask(Ask::Unpause(order())), ["run_unpaused", "attempt_started b"]);
}

#[test]
fn a_run_that_took_too_long_has_its_time_again_when_it_goes_forward_again() {
    let yaml = "name: w\non_failure: stop\nsteps: [{id: a, run: 'true'}, {id: b, run: 'true', compensate: {run: undo}}]";
    let retry = || Ask::Retry { order: order(), step: None };
    for again in [Ask::Unpause(order()), retry()] {
        let mut play = Play::start_limited(yaml, Duration::from_secs(10));
        play.complete("a", "1");
        play.sleep(Duration::from_secs(10));
        assert_eq!(play.fail("b", Failure::stopped(Stop::Cancelled)).last().unwrap(), "run_failed");
        play.roll_back(Some("a"));
        play.complete("b", "1");
        play.ask(again);
        play.ask(Ask::Go);
        assert_eq!(play.sleep(Duration::from_secs(9)), [""; 0]);
        assert_eq!(play.complete("b", "1"), ["step_completed b", "run_completed"]);
    }
}

#[test]
fn a_run_that_takes_too_long_ends_as_by_a_fatal_failure() {
    let mut play = Play::start_limited(A_THEN_B, Duration::from_secs(10));
    play.complete("a", "1");
    play.sleep(Duration::from_secs(4));
    play.ask(Ask::Pause(order()));
    play.sleep(Duration::from_secs(100));
    play.ask(Ask::Unpause(order()));
    assert_eq!(play.sleep(Duration::from_secs(5)), [""; 0], "a pause does not count");
    assert_eq!(play.sleep(Duration::from_secs(1)), ["timer_fired"]);
    let happened = play.fail("b", Failure::stopped(Stop::Cancelled));
    assert_eq!(happened[..3], ["attempt_failed b", "step_cancelled b", "rollback_started"]);
    assert_eq!(play.state().open_timers(), []);
}

#[test]
fn a_run_that_paused_where_it_was_to_goes_on_to_its_end_when_it_is_done_anew() {
    let mut play = Play::start_until(A_THEN_B, "a");
    play.complete("a", "1");
    play.ask(Ask::Unpause(order()));
    play.fail("b", exit(Class::Unknown));
    play.ask(Ask::Go);
    play.complete("a", "1");
    assert_eq!(play.state().status(), RunStatus::Compensated);

    let mut play = Play::start_until(
        "name: w\nsteps: [{id: a, run: 'true'}, {id: b, run: 'true'}, {id: c, run: 'true'}]",
        "b",
    );
    play.complete_all(&["a", "b"]);
    play.ask(Ask::Unpause(order()));
    play.complete("c", "1");
    assert_eq!(play.roll_back(Some("a")), ["rollback_started", "run_paused"], "nothing is owed");
    play.ask(Ask::Unpause(order()));
    play.ask(Ask::Go);
    assert_eq!(play.complete("b", "1"), ["step_completed b", "attempt_started c"]);
}

#[test]
fn what_may_be_started_once_only_is_not_done_anew_unless_it_is_undone() {
    for undo in ["", ", compensate: {run: undo}"] {
        let mut play = Play::start(&format!(
            "name: w\nsteps: [{{id: a, run: 'true'}}, {{id: once, run: 'true', at_most_once: true{undo}}}, {{id: c, run: 'true'}}]"
        ));
        play.complete_all(&["a", "once", "c"]);
        play.roll_back(Some("a"));
        if undo.is_empty() {
            assert_eq!(play.refused(Ask::Unpause(order())), Code::CannotRetry);
            assert_eq!(play.refused(Ask::Retry { order: order(), step: None }), Code::CannotRetry);
        } else {
            play.complete("once", "1");
            play.ask(Ask::Unpause(order()));
            play.ask(Ask::Go);
            assert_eq!(play.open("once").generation, 2);
        }
    }
}

#[test]
fn a_retry_does_not_forget_what_an_earlier_attempt_may_have_left() {
    let mut play =
        Play::start("name: w\non_failure: stop\nsteps: [{id: a, run: 'true', compensate: {run: undo}}]");
    play.fail("a", Failure::stopped(Stop::TimedOut));
    play.retry();
    play.ask(Ask::Go);
    play.fail("a", exit(Class::Unknown));
    assert_eq!(play.roll_back(None)[1], "compensation_started a", "the first attempt may have done it");
}

#[test]
fn what_failed_beside_a_partial_rollback_and_may_be_started_once_only_keeps_the_run_from_going_on() {
    let mut play = Play::start(
        "
name: w
on_failure: stop
steps:
  - {id: a, run: 'true'}
  - {id: b, run: 'true', compensate: {run: undo}}
  - {id: once, needs: [], run: 'true', at_most_once: true}",
    );
    play.complete_all(&["a", "b"]);
    play.fail("once", exit(Class::Unknown));
    play.roll_back(Some("a"));
    play.complete("b", "1");
    assert_eq!(play.state().status(), RunStatus::Paused);
    assert_eq!(play.refused(Ask::Unpause(order())), Code::CannotRetry);
    assert_eq!(play.refused(Ask::Retry { order: order(), step: None }), Code::CannotRetry);
}

#[test]
fn what_was_told_to_stop_is_done_after_all_when_the_run_goes_on_before_it_has() {
    for once in ["", ", at_most_once: true"] {
        let mut play = Play::start(&format!(
            "
name: w
steps:
  - {{id: a, run: 'true'}}
  - {{id: b, needs: [], run: 'true'{once}}}
  - {{id: c, needs: [], run: 'true', on_error: fail_fast}}"
        ));
        play.complete("a", "1");
        play.fail("c", exit(Class::Unknown));
        assert_eq!(play.roll_back(Some("a")), ["rollback_started", "run_paused"], "b is being stopped");
        play.ask(Ask::Unpause(order()));
        play.ask(Ask::Go);
        play.complete("c", "1");
        let happened = play.fail("b", Failure::stopped(Stop::Cancelled));
        if once.is_empty() {
            assert_eq!(happened, ["attempt_lost b"]);
            assert_eq!(play.ask(Ask::Go), ["attempt_started b"]);
            play.complete("b", "1");
            assert_eq!(play.state().status(), RunStatus::Completed);
        } else {
            assert_eq!(happened, ["attempt_lost b", "step_failed b", "run_failed b"]);
        }
    }
}

#[test]
fn a_cancel_with_rollback_asked_again_while_it_undoes_is_the_same_one() {
    let mut play = Play::start(A_THEN_B);
    play.complete("a", "1");
    play.ask(cancel(true));
    play.fail("b", Failure::stopped(Stop::Cancelled));
    assert_eq!(play.state().status(), RunStatus::Compensating);
    assert_eq!(play.ask(cancel(true)), ["attempt_started undo a"], "no cancel_requested");
    assert_eq!(play.refused(cancel(false)), Code::Compensating);
}

#[test]
fn the_condition_of_a_step_is_judged_anew_when_what_it_asks_about_is_done_anew() {
    let mut play = Play::start(
        "
name: w
on_failure: stop
steps:
  - {id: a, run: 'true'}
  - {id: b, run: 'true', compensate: {run: undo}}
  - {id: c, run: 'true', if: steps.b.output == 1}",
    );
    play.complete_all(&["a", "b"]);
    play.fail("c", exit(Class::Unknown));
    play.roll_back(Some("a"));
    play.complete("b", "null");
    play.ask(Ask::Unpause(order()));
    play.ask(Ask::Go);
    assert_eq!(play.complete("b", "2"), ["step_completed b", "step_skipped c", "run_completed"]);
}

#[test]
fn what_goes_off_beside_a_partial_rollback_that_is_stuck_waits_until_that_is_settled() {
    let mut play = Play::start(
        "
name: w
steps:
  - {id: a, run: 'true'}
  - {id: b, run: 'true', compensate: {run: undo}}
  - {id: beside, needs: [], run: 'true', retry: {attempts: 3, initial: 1s, jitter: 0}}
  - {id: c, needs: [b, beside], run: 'true'}",
    );
    play.complete_all(&["a", "b"]);
    play.fail("beside", exit(Class::Transient));
    play.roll_back(Some("a"));
    assert_eq!(play.fail("b", exit(Class::Fatal)).last().unwrap(), "run_stuck b");
    assert_eq!(play.state().open(), [], "a run that is stuck waits for people only");
    play.now = play.now.after(Duration::from_secs(2));
    let retry = TimerId::retry(&StepId::grown("beside"), 1);
    assert_eq!(play.ask(Ask::Due { timer: retry.clone() }), [""; 0], "it was on its way");
    assert_eq!(play.resolve("b", Resolution::Done), ["compensation_resolved b", "run_paused"]);
    assert_eq!(play.ask(Ask::Due { timer: retry }), ["timer_fired"]);
    play.ask(Ask::Unpause(order()));
    play.ask(Ask::Go);
    play.complete_all(&["beside", "b", "c"]);
    assert_eq!(play.state().status(), RunStatus::Completed);
}

#[test]
fn a_run_that_is_being_cancelled_is_not_kept_in_part() {
    let mut play = Play::start(A_THEN_B);
    play.complete("a", "1");
    play.ask(cancel(true));
    let to_a = Ask::Rollback { order: order(), to: Some("a".into()) };
    assert_eq!(play.refused(to_a), Code::Conflicting);
    play.roll_back(None);
    assert_eq!(play.state().status(), RunStatus::Compensating, "all of it is what was wanted");
}
