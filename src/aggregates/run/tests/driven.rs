//! Each moment comes by its own clock, and the time of a run counts only while somebody drives it.

use std::time::Duration;

use super::family::{ended, hear};
use super::people::{approve, reject, signal};
use super::play::{Play, order};
use super::{A_THEN_B, exit};
use crate::aggregates::run::{Ask, Run, RunStatus};
use crate::events::ids::TimerId;
use crate::events::problem::{Class, Code};
use crate::events::run::{DrivingBegan, RunEvent, StepFailed, TimerFired};
use crate::events::time::Timestamp;
use crate::testing::given;
use crate::workflow::work::{Failure, Stop};

const HOUR_US: i64 = 3_600_000_000;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A run with ten seconds.
fn limited(yaml: &str) -> Play {
    Play::start_limited(yaml, secs(10))
}

/// How often somebody began to drive it after nobody did.
fn begun(play: &Play) -> usize {
    play.log.iter().filter(|event| matches!(event, RunEvent::DrivingBegan(_))).count()
}

/// An attempt was started and killed at once: the limit had passed while nobody drove the run.
#[test]
fn time_in_which_nobody_drives_a_run_does_not_count() {
    let mut play = limited(A_THEN_B);
    play.sleep(secs(3));
    play.complete("a", "1");
    play.leave(secs(3_600));
    assert_eq!(play.recover(), ["driving_began", "attempt_lost b", "attempt_started b"]);
    assert_eq!(play.sleep(secs(6)), [""; 0], "seven of ten seconds were left");
    assert_eq!(play.sleep(secs(1)), ["timer_fired"]);
    let happened = play.fail("b", Failure::stopped(Stop::Cancelled));
    assert_eq!(happened, ["attempt_failed b", "step_cancelled b", "run_failed"]);
    assert_eq!(begun(&play), 1);
}

#[test]
fn a_run_that_was_only_recorded_has_all_its_time_when_somebody_drives_it() {
    let mut play = Play::start_as(A_THEN_B, |start| {
        (start.duration_limit, start.drive) = (Some(secs(10)), false);
    });
    play.leave(secs(60));
    assert_eq!(play.recover(), ["driving_began", "attempt_started a"]);
    assert_eq!(play.sleep(secs(9)), [""; 0]);
    assert_eq!(play.sleep(secs(1)), ["timer_fired"]);
}

#[test]
fn what_people_say_while_nobody_drives_a_run_takes_none_of_its_time() {
    let asks = "{id: a, run: x, approve: before, needs: []}, {id: b, run: y, approve: before, needs: []}";
    let mut play = limited(&format!("name: w\nsteps: [{asks}]"));
    play.driven_since = None;
    play.sleep(secs(100));
    assert_eq!(play.ask(approve("a", "ada")), ["approval_granted"], "`a` could start from here on");
    play.sleep(secs(100));
    assert_eq!(play.ask(approve("b", "ada")), ["approval_granted"]);
    play.sleep(secs(100));
    play.ask(Ask::Pause(order()));
    play.ask(Ask::Unpause(order()));
    play.leave(secs(100));
    assert_eq!(play.recover(), ["driving_began", "attempt_started a", "attempt_started b"]);
    assert_eq!(play.sleep(secs(9)), [""; 0], "all ten seconds were left");
    assert_eq!(play.sleep(secs(1)), ["timer_fired"]);
}

#[test]
fn time_counts_up_to_the_last_event_of_whoever_drove_the_run() {
    let mut play = limited(A_THEN_B);
    play.sleep(secs(4));
    // It was made four seconds more, and nothing was recorded of that before the process was killed.
    play.now = play.now.after(secs(4));
    play.leave(secs(100));
    play.recover();
    assert_eq!(play.sleep(secs(9)), [""; 0]);
    // Who ends in order tells until when it was driven.
    assert_eq!(play.ask(Ask::Interrupt), ["attempt_lost a"]);
    play.leave(secs(100));
    play.recover();
    assert_eq!(play.sleep(secs(1)), ["timer_fired"]);
    assert_eq!(begun(&play), 2);
}

/// Who sleeps is put away, and all that could be put away are driven by whoever drives all.
#[test]
fn time_counts_from_when_somebody_drives_the_run_be_it_that_nothing_is_recorded_at_once() {
    let mut play = limited("name: w\nsteps: [{id: a, sleep: 1h}]");
    play.leave(secs(100));
    let began = play.now;
    // The limit that was recorded has passed long ago, and is none.
    assert_eq!(play.sleep(Duration::ZERO), ["driving_began"]);
    play.now = began.after(secs(4));
    assert_eq!(play.ask(Ask::Go), [""; 0], "it is recorded once");
    let mut late = limited("name: w\nsteps: [{id: a, sleep: 5s}, {id: b, run: x}]");
    late.leave(secs(100));
    let since = late.now;
    late.now = since.after(secs(2));
    assert_eq!(
        late.sleep(secs(1)),
        ["driving_began", "timer_fired", "step_completed a", "attempt_started b"]
    );
    assert!(late.log.contains(&RunEvent::from(DrivingBegan { since })));
    assert_eq!(late.sleep(secs(6)), [""; 0]);
    assert_eq!(late.sleep(secs(1)), ["timer_fired"], "it has been driven for ten seconds");
}

/// What a child tells is recorded also while nobody drives its parent: that took all the time from the parent that the child had
/// used.
#[test]
fn a_child_that_ends_while_nobody_drives_its_parent_takes_none_of_its_time() {
    let steps = "{id: c, workflow: child.yaml, retry: {attempts: 2, initial: 1s}}, {id: z, run: x}";
    for (status, told) in [
        (RunStatus::Completed, &["child_ended c", "step_completed c"][..]),
        (RunStatus::Failed, &["child_ended c", "attempt_failed c", "retry_scheduled c"]),
    ] {
        let mut play = limited(&format!("name: w\nsteps: [{steps}]"));
        play.driven_since = None;
        play.sleep(secs(100));
        let failure = (status == RunStatus::Failed).then_some((Class::Transient, "no"));
        assert_eq!(hear(&mut play, ended(status, failure)), told);
        play.leave(secs(100));
        assert_eq!(play.recover()[0], "driving_began");
        play.sleep(secs(9));
        let is_over = |play: &Play| play.log.contains(&TimerFired { timer: TimerId::duration() }.into());
        assert!(!is_over(&play), "{status:?}: all ten seconds were left");
        play.sleep(secs(1));
        assert!(is_over(&play), "{status:?}");
    }
}

#[test]
fn the_time_of_a_child_counts_while_somebody_drives_its_parent() {
    let mut play =
        limited("name: w\nsteps: [{id: c, workflow: child.yaml}, {id: z, run: x, approve: before}]");
    play.sleep(secs(6));
    let told = hear(&mut play, ended(RunStatus::Completed, None));
    assert_eq!(told, ["child_ended c", "step_completed c", "approval_requested z"]);
    play.driven_since = None;
    play.sleep(secs(100));
    play.ask(approve("z", "ada"));
    play.leave(secs(100));
    assert_eq!(play.recover(), ["driving_began", "attempt_started z"]);
    assert_eq!(play.sleep(secs(3)), [""; 0]);
    assert_eq!(play.sleep(secs(1)), ["timer_fired"]);
}

#[test]
fn a_run_without_a_limit_does_not_tell_who_drives_it() {
    let mut play = Play::start(A_THEN_B);
    play.leave(secs(100));
    assert_eq!(play.recover(), ["attempt_lost a", "attempt_started a"]);
    let folded = given::<Run>("run/r").events(play.log.clone());
    assert!(folded.fold(&DrivingBegan { since: Timestamp(0) }.into()).is_err(), "nor could it");
}

#[test]
fn after_the_wall_clock_was_set_back_another_process_knows_that_it_is_another() {
    let mut play = limited(A_THEN_B);
    play.sleep(secs(3));
    play.complete("a", "1");
    (play.now, play.driven_since) = (Timestamp(1), Some(Timestamp(1)));
    assert_eq!(play.recover(), ["driving_began", "attempt_lost b", "attempt_started b"]);
    assert_eq!(play.sleep(secs(6)), [""; 0]);
    assert_eq!(play.sleep(secs(1)), ["timer_fired"]);
}

#[test]
fn a_run_that_is_tried_again_has_all_its_time_also_if_nobody_drives_it_at_once() {
    let mut play = limited("name: w\nsteps: [{id: a, run: 'true', retry: {attempts: 1}}]");
    play.sleep(secs(9));
    play.fail("a", exit(Class::Unknown));
    assert_eq!(play.state().status(), RunStatus::Failed);
    play.driven_since = None;
    play.sleep(secs(100));
    play.retry();
    play.leave(secs(100));
    assert_eq!(play.recover(), ["driving_began", "attempt_started a"]);
    assert_eq!(play.sleep(secs(9)), [""; 0]);
    assert_eq!(play.sleep(secs(1)), ["timer_fired"]);
}

/// A history without `driving_began` is folded as it always was: all that lies between its events has counted.
#[test]
fn what_was_recorded_before_is_folded_as_it_was() {
    let mut play = limited(A_THEN_B);
    let started = play.log.clone();
    play.sleep(secs(4));
    play.ask(Ask::Pause(order()));
    let folded = given::<Run>("run/r").at(Timestamp(1_000_000)).events(started);
    let folded = folded.at(Timestamp(5_000_000)).events([play.log.last().unwrap().clone()]);
    assert_eq!(folded.state().time_left_us, Some(6_000_000));
    assert_eq!(folded.state(), play.state());
}

#[test]
fn where_the_time_is_over_nothing_is_started_first() {
    let mut play =
        limited("name: w\nsteps: [{id: a, run: 'true'}, {id: b, run: 'true'}, {id: c, run: 'true'}]");
    play.now = play.now.after(secs(10));
    let happened = play.complete("a", "1");
    assert_eq!(happened[..2], ["step_completed a", "timer_fired"]);
    assert_eq!(happened.last().unwrap(), "run_failed");
    assert!(!happened.contains(&"attempt_started b".to_owned()), "{happened:?}");
    let mut play = limited("name: w\nsteps: [{id: a, run: 'true'}]");
    play.now = play.now.after(secs(10));
    assert_eq!(
        play.complete("a", "1"),
        ["step_completed a", "run_completed"],
        "there is nothing more to start"
    );
}

/// It was started, and stopped at once because nobody had answered in time.
#[test]
fn where_people_were_to_answer_in_time_and_did_not_nothing_is_started_first() {
    for waits in ["wait_for: go, timeout: 5s", "run: x, approve: before, expires: 5s"] {
        let steps = format!(
            "[{{id: a, {waits}, needs: []}}, {{id: b, run: y, needs: []}}, {{id: c, run: z, needs: [b]}}]"
        );
        let mut play = Play::start(&format!("name: w\nsteps: {steps}"));
        play.leave(secs(60));
        let happened = play.recover();
        assert!(!happened.iter().any(|word| word.starts_with("attempt_started")), "{waits}: {happened:?}");
        assert_eq!(happened.last().unwrap(), "run_failed a", "{waits}");
    }
}

#[test]
fn what_is_to_last_so_long_lasts_so_long_however_the_wall_clock_is_set() {
    let steps = "[{id: a, sleep: 60s, needs: []}, {id: b, run: x, retry: {attempts: 2, initial: 30s, jitter: 0}, needs: []}]";
    for set_by_us in [-2 * HOUR_US, 2 * HOUR_US] {
        let mut play = Play::start(&format!("name: w\nsteps: {steps}"));
        play.fail("b", exit(Class::Transient));
        play.wall_set_by_us = set_by_us;
        assert_eq!(play.sleep(secs(29)), [""; 0], "{set_by_us}");
        assert_eq!(play.sleep(secs(1)), ["timer_fired", "attempt_started b"], "{set_by_us}");
        play.complete("b", "1");
        assert_eq!(play.sleep(secs(29)), [""; 0], "{set_by_us}");
        assert_eq!(play.sleep(secs(1)), ["timer_fired", "step_completed a", "run_completed"], "{set_by_us}");
    }
}

#[test]
fn what_people_are_to_say_in_time_goes_by_the_clock_that_they_see() {
    for waits in ["wait_for: go, timeout: 1h", "run: x, approve: before, expires: 1h"] {
        let answers = || [approve("a", "ada"), reject("a"), signal("go", "1")];
        let yaml = format!("name: w\nsteps: [{{id: a, {waits}}}]");
        let mut back = Play::start(&yaml);
        back.wall_set_by_us = -HOUR_US;
        assert_eq!(back.sleep(secs(7_199)), [""; 0], "{waits}: by its clock not an hour has passed");
        let wanted = back.state().open_timers();
        assert_eq!(wanted.len(), 1, "{waits}");
        assert!(!back.sleep(secs(1)).is_empty(), "{waits}");
        assert_eq!(back.state().status(), RunStatus::Failed, "{waits}");

        let mut forward = Play::start(&yaml);
        (forward.wall_set_by_us, forward.driven_since) = (HOUR_US, None);
        let refusals = answers().map(|ask| forward.refusal(&ask).map(|problem| problem.code));
        assert!(refusals.contains(&Some(Code::RequestClosed)), "{waits}: {refusals:?}");
        forward.driven_since = Some(forward.now);
        let failed = forward.sleep(Duration::ZERO);
        assert_eq!(forward.state().status(), RunStatus::Failed, "{waits}: {failed:?}");
        let codes = [Code::SignalMissed, Code::ApprovalExpired];
        let of_people = |event: &RunEvent| matches!(event, RunEvent::StepFailed(StepFailed { code, .. }) if codes.contains(code));
        assert!(forward.log.iter().any(of_people), "{waits}");
    }
}
