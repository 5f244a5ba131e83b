//! One machine tries to do a step and to undo it, and what is counted for one is not for the other.

use std::time::Duration;

use super::exit;
use super::play::{Play, order};
use crate::aggregates::run::kin::Wants;
use crate::aggregates::run::{Ask, RunEffect, RunStatus};
use crate::events::ids::{StreamId, Version};
use crate::events::problem::Class;
use crate::events::run::{AttemptLost, AttemptStarted, Purpose, Resolution, RunEvent};
use crate::kernel::{Aggregate, At, EffectChanges};
use crate::testing::MemoryBlobs;
use crate::workflow::work::{Failure, Stop};

const YAML: &str = "
name: w
steps:
  - id: a
    run: 'true'
    retry: {attempts: 2, initial: 1s, jitter: 0}
    compensate: {run: undo, retry: {attempts: 2, initial: 1s, jitter: 0}}
  - {id: b, run: 'true'}";

/// A run in which `a` is tried for that purpose, for the first time.
fn trying(purpose: Purpose) -> Play {
    let mut play = Play::start(YAML);
    if purpose == Purpose::Compensate {
        play.complete("a", "1");
        play.fail("b", exit(Class::Validation));
        play.ask(Ask::Go);
    }
    assert_eq!((play.open("a").purpose, play.open("a").attempt), (purpose, 1));
    play
}

#[test]
fn attempts_that_are_lost_use_up_none_and_have_a_limit_of_their_own() {
    for purpose in [Purpose::Do, Purpose::Compensate] {
        let mut play = trying(purpose);
        play.recover();
        assert!(play.fail("a", exit(Class::Transient))[1].starts_with("retry_scheduled"), "{purpose:?}");
        play.sleep(Duration::from_secs(2));
        play.recover();
        // An orderly end is nobody's fault.
        play.ask(Ask::Interrupt);
        play.ask(Ask::Go);
        assert_eq!(play.open("a").attempt, 5, "{purpose:?}");
        let limit = play.recover();
        assert!(limit[1].ends_with("failed a"), "the third process died with it: {purpose:?} {limit:?}");
    }
}

#[test]
fn what_fails_as_often_as_its_policy_allows_has_failed_for_good_and_counts_afresh_when_it_is_tried_again() {
    for purpose in [Purpose::Do, Purpose::Compensate] {
        let mut play = trying(purpose);
        for _ in 0..2 {
            play.fail("a", exit(Class::Transient));
            assert!(play.state().open_timers().len() == 1, "{purpose:?}");
            assert!(play.sleep(Duration::from_secs(2))[0].starts_with("timer_fired"), "{purpose:?}");
            assert!(play.state().open_timers().is_empty(), "{purpose:?}");
            let last = play.fail("a", exit(Class::Transient));
            assert!(last[1].ends_with("failed a"), "{purpose:?}: {last:?}");
            match purpose {
                Purpose::Do => drop(play.retry()),
                Purpose::Compensate => drop(play.resolve("a", Resolution::Retry)),
            }
            play.ask(Ask::Go);
        }
        assert_eq!(play.open("a").attempt, 5, "{purpose:?}");
    }
}

#[test]
fn failures_at_doing_a_step_leave_all_attempts_to_undoing_it() {
    let mut play = Play::start(YAML);
    play.fail("a", exit(Class::Transient));
    play.sleep(Duration::from_secs(2));
    play.complete("a", "1");
    play.fail("b", exit(Class::Validation));
    play.ask(Ask::Go);
    assert_eq!(play.fail("a", exit(Class::Transient)), ["attempt_failed undo a", "retry_scheduled undo a"]);
    play.sleep(Duration::from_secs(2));
    assert_eq!(play.complete("a", "1"), ["step_compensated a", "run_compensated"]);
}

#[test]
fn attempts_at_undoing_are_numbered_on_in_the_next_generation() {
    let mut play = Play::start(
        &format!("{YAML}\n  - {{id: c, run: 'true'}}")
            .replace("steps:", "steps:\n  - {id: first, run: 'true'}"),
    );
    play.complete("first", "1");
    for generation in 1..=2 {
        play.complete("a", "1");
        assert_eq!(play.open("b").generation, 1);
        play.roll_back(Some("first"));
        play.fail("b", Failure::stopped(Stop::Cancelled));
        let undo = play.open("a");
        assert_eq!(
            (undo.purpose, undo.generation, undo.attempt),
            (Purpose::Compensate, generation, generation)
        );
        play.complete("a", "1");
        assert_eq!(play.state().status(), RunStatus::Paused);
        play.ask(Ask::Unpause(order()));
        play.ask(Ask::Go);
        assert_eq!(play.open("a").generation, generation + 1);
    }
}

#[test]
fn a_child_that_takes_too_long_is_to_undo_itself_also_when_its_parent_is_cancelled_meanwhile() {
    let mut play = Play::start("name: w\nsteps: [{id: c, workflow: child.yaml, timeout: 10s}]");
    play.sleep(Duration::from_secs(11));
    play.ask(Ask::Cancel { order: order(), rollback: false });
    let stop = play.state().open().into_iter().find(|effect| matches!(effect, RunEffect::Stop { .. }));
    let message = play.state().message(&stop.unwrap()).unwrap();
    match (message.write)(&MemoryBlobs::default()).unwrap().command().unwrap() {
        Ask::ForParent(asked) => assert!(matches!(asked.wants, Wants::Cancelled { rollback: true })),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_lost_too_often_may_be_lost_as_often_again_when_somebody_has_it_tried_again() {
    let mut play = trying(Purpose::Compensate);
    for _ in 0..3 {
        play.recover();
    }
    assert_eq!(play.state().status(), RunStatus::Stuck);
    play.resolve("a", Resolution::Retry);
    play.ask(Ask::Go);
    assert_eq!(play.recover(), ["attempt_lost undo a", "attempt_started undo a"]);
}

#[test]
fn no_attempt_starts_or_ends_but_the_one_whose_turn_it_is() {
    for purpose in [Purpose::Do, Purpose::Compensate] {
        let mut play = trying(purpose);
        let open = play.open("a");
        let lost = |attempt| AttemptLost { purpose, step: open.step.clone(), attempt, interrupted: false };
        let (its, another) = (lost(open.attempt), lost(open.attempt + 1));
        assert!(follows(&play, &its.into()) && !follows(&play, &another.into()), "{purpose:?}");
        play.ask(Ask::Interrupt);
        let fence = play.state().fence().next();
        let started = |attempt| AttemptStarted { attempt, fence, ..(*open).clone() };
        assert!(follows(&play, &started(open.attempt + 1).into()), "{purpose:?}");
        assert!(!follows(&play, &started(open.attempt + 2).into()), "{purpose:?}");
    }
}

fn follows(play: &Play, event: &RunEvent) -> bool {
    let (stream, mut run) = (StreamId::new("run", "r"), play.state().clone());
    let at = At { stream: &stream, version: Version(1_000), time: play.now };
    run.evolve(event, &at, &mut EffectChanges::default()).is_ok()
}
