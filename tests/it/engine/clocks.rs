//! What happens when somebody sets the wall clock while runs go on, and to the time of a run that nobody drives.

use std::sync::Arc;
use std::time::Duration;

use reenact::actors::clock::ManualClock;
use reenact::actors::system::System;
use reenact::aggregates::run::{Ask, RunStatus, StartRun};
use reenact::events::ids::RunId;
use reenact::events::problem::Code;
use reenact::events::run::RunEvent;
use reenact::events::time::Timestamp;

use super::kit::{Kit, id, on_actix, start_of, status};

const HOUR: Duration = Duration::from_secs(3_600);

/// How the wall clock may be set: hours ahead of what it showed.
const SET_BY_HOURS: [i64; 2] = [-2, 2];

fn set_wall(kit: &Kit, hours: i64) {
    let steady = kit.clock.now().steady;
    kit.hand.set_wall(Timestamp(steady.0 + hours * HOUR.as_micros() as i64));
}

/// Ends when the engine has decided all that it has heard of a run by now.
async fn settled(system: &System, run: &RunId) {
    for _ in 0..100 {
        tokio::task::yield_now().await;
        system
            .ask(run, Ask::Signal { name: "nobody-waits".into(), data: Default::default(), by: "ada".into() })
            .await
            .unwrap();
    }
}

/// When each event of a run was recorded.
async fn is_in_order(kit: &Kit, run: &RunId) {
    let events = kit.events(run).await;
    assert!(events.is_sorted_by_key(|(recorded, _)| recorded.header.recorded_at));
}

/// The same store in the hands of the next process so much later, which begins with what the wall clock shows. The one before
/// is as gone as after kill -9: its time stands still.
fn next(kit: &Kit, later: Duration) -> Kit {
    let hand = ManualClock::at(kit.clock.now().wall.after(later));
    let fresh = Kit { hand: hand.clone(), clock: Arc::new(hand), ..Kit::new() };
    Kit { store: Arc::clone(&kit.store), functions: kit.functions.clone(), ..fresh }
}

fn limited(limit: Duration, steps: &str) -> StartRun {
    StartRun { duration_limit: Some(limit), ..start_of(steps) }
}

fn is_begun(event: &RunEvent) -> bool {
    matches!(event, RunEvent::DrivingBegan(_))
}

/// Whether that step begins to sleep, of two.
fn is_set(event: &RunEvent, nap: usize) -> bool {
    let step = ["a", "b"][nap - 1];
    matches!(event, RunEvent::TimerSet(set) if set.step.as_str() == step)
}

fn is_started(event: &RunEvent) -> bool {
    matches!(event, RunEvent::AttemptStarted(_))
}

/// A timeout of two seconds did not come at all after the clock was set back.
#[test]
fn an_attempt_times_out_after_so_long_however_the_wall_clock_is_set() {
    for hours in SET_BY_HOURS {
        on_actix(async {
            let (kit, run) = (Kit::new(), id("r"));
            let gate = kit.gated("slow");
            let system = kit.start();
            system.begin(&run, start_of("[{id: a, agent: slow, timeout: 10s}]")).await.unwrap();
            gate.called(1).await;
            set_wall(&kit, hours);
            kit.hand.advance(Duration::from_micros(9_999_999));
            settled(&system, &run).await;
            let failed = |event: &RunEvent| matches!(event, RunEvent::AttemptFailed(failed) if failed.code == Code::TimedOut);
            assert_eq!(kit.count(&run, failed).await, 0, "{hours}: it is early");
            kit.hand.advance(Duration::from_micros(1));
            assert_eq!(status(system.ended(&run).await), RunStatus::Failed, "{hours}");
            assert_eq!(kit.count(&run, failed).await, 1, "{hours}");
            is_in_order(&kit, &run).await;
        });
    }
}

#[test]
fn a_run_that_sleeps_sleeps_so_long_however_the_wall_clock_is_set_and_whoever_wakes_it() {
    let cases = SET_BY_HOURS.into_iter().flat_map(|hours| [(hours, false), (hours, true)]);
    for (hours, by_all) in cases {
        on_actix(async {
            let kit = Kit { passivate_after: Duration::from_millis(10), ..Kit::new() };
            let run = id("r");
            let system = kit.start();
            let start = start_of("[{id: a, sleep: 1h}]");
            system.begin(&run, StartRun { drive: !by_all, ..start }).await.unwrap();
            let _rested = by_all.then(|| system.drive_all());
            kit.until(&run, |event| matches!(event, RunEvent::TimerSet(_))).await;
            set_wall(&kit, hours);
            kit.hand.advance(HOUR - Duration::from_micros(1));
            settled(&system, &run).await;
            assert_eq!(system.fold(&run).await.unwrap().0.status(), RunStatus::Running, "{hours} {by_all}");
            kit.hand.advance(Duration::from_micros(1));
            kit.until(&run, |event| matches!(event, RunEvent::RunCompleted(_))).await;
            is_in_order(&kit, &run).await;
        });
    }
}

#[test]
fn a_request_expires_when_the_wall_clock_says_so() {
    for by_all in [false, true] {
        on_actix(async {
            let kit = Kit { passivate_after: Duration::from_millis(10), ..Kit::new() };
            let run = id("r");
            kit.gated("x");
            let system = kit.start();
            // While one branch sleeps, the run is driven.
            let start = start_of(
                "[{id: nap, sleep: 10h}, {id: a, agent: x, approve: before, expires: 1h, optional: true, needs: []}]",
            );
            system.begin(&run, StartRun { drive: !by_all, ..start }).await.unwrap();
            let _rested = by_all.then(|| system.drive_all());
            kit.until(&run, |event| matches!(event, RunEvent::ApprovalRequested(_))).await;
            let expired = |event: &RunEvent| matches!(event, RunEvent::ApprovalExpired(_));
            set_wall(&kit, -2);
            kit.hand.advance(2 * HOUR);
            settled(&system, &run).await;
            assert_eq!(kit.count(&run, expired).await, 0, "{by_all}: its moment has not come");
            set_wall(&kit, -1);
            kit.until(&run, expired).await;
            assert_eq!(
                kit.count(&run, |event| matches!(event, RunEvent::TimerFired(_))).await,
                1,
                "{by_all}"
            );
            is_in_order(&kit, &run).await;
        });
    }
}

#[test]
fn what_a_process_before_left_is_due_by_the_wall_clock_that_the_next_one_finds() {
    on_actix(async {
        let (kit, run) = (Kit::new(), id("r"));
        let first = kit.start();
        first.begin(&run, start_of("[{id: a, sleep: 3h}]")).await.unwrap();
        kit.until(&run, |event| matches!(event, RunEvent::TimerSet(_))).await;
        std::mem::forget(first);
        set_wall(&kit, 2);
        let kit = next(&kit, Duration::ZERO);
        let system = kit.start();
        system.drive(&run).await;
        kit.hand.advance(HOUR - Duration::from_micros(1));
        settled(&system, &run).await;
        assert_eq!(system.fold(&run).await.unwrap().0.status(), RunStatus::Running);
        kit.hand.advance(Duration::from_micros(1));
        assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
    });
}

/// An attempt was started and killed at once: the limit had passed while nobody drove the run.
#[test]
fn a_run_that_was_killed_goes_on_with_the_time_that_it_had_left() {
    for by_all in [false, true] {
        on_actix(async {
            let (kit, run) = (Kit::new(), id("r"));
            let gate = kit.gated("slow");
            let first = kit.start();
            first.begin(&run, limited(HOUR, "[{id: a, agent: slow}, {id: b, agent: slow}]")).await.unwrap();
            gate.called(1).await;
            kit.hand.advance(HOUR / 2);
            gate.open(1);
            gate.called(2).await;
            std::mem::forget(first);
            let kit = next(&kit, 10 * HOUR);
            let system = kit.start();
            let _rested = if by_all { Some(system.drive_all()) } else { None };
            if !by_all {
                system.drive(&run).await;
            }
            gate.called(3).await;
            kit.hand.advance(HOUR / 2 - Duration::from_micros(1));
            settled(&system, &run).await;
            assert_eq!(
                kit.count(&run, |event| matches!(event, RunEvent::TimerFired(_))).await,
                0,
                "{by_all}"
            );
            kit.hand.advance(Duration::from_micros(1));
            kit.until(
                &run,
                |event| matches!(event, RunEvent::RunFailed(failed) if failed.code == Code::DurationExceeded),
            )
            .await;
            assert_eq!(
                (kit.count(&run, is_begun).await, kit.count(&run, is_started).await),
                (1, 3),
                "{by_all}"
            );
        });
    }
}

/// It is put away while it sleeps, and its process drives it all the same.
#[test]
fn the_time_of_a_run_that_sleeps_counts_whoever_drives_it() {
    for by_all in [false, true] {
        on_actix(async {
            let kit = Kit { passivate_after: Duration::from_millis(10), ..Kit::new() };
            let run = id("r");
            let system = kit.start();
            let start = limited(HOUR, "[{id: a, sleep: 30m}, {id: b, sleep: 40m}]");
            system.begin(&run, StartRun { drive: !by_all, ..start }).await.unwrap();
            // It was left alone for an hour before somebody drove it.
            if by_all {
                kit.hand.advance(HOUR);
            }
            let _rested = by_all.then(|| system.drive_all());
            for nap in 1..=2 {
                kit.until(&run, |event| is_set(event, nap)).await;
                kit.hand.advance(Duration::from_secs(1));
                if !by_all {
                    let mut seen = system.watch(&run);
                    while seen.changed().await.is_ok() {}
                }
                kit.hand.advance(HOUR / 2);
            }
            let took_too_long = |event: &RunEvent| matches!(event, RunEvent::RunFailed(failed) if failed.code == Code::DurationExceeded);
            kit.until(&run, took_too_long).await;
            assert_eq!(kit.count(&run, is_begun).await, usize::from(by_all), "{by_all}");
        });
    }
}

#[test]
fn the_time_in_which_a_process_only_records_for_a_run_does_not_count() {
    on_actix(async {
        let (kit, run) = (Kit::new(), id("r"));
        let gate = kit.gated("work");
        gate.open(2);
        let system = kit.start();
        let start = limited(HOUR, "[{id: a, wait_for: go}, {id: b, agent: work}]");
        system.begin(&run, start).await.unwrap();
        assert_eq!(status(system.ended(&run).await), RunStatus::Waiting);
        system
            .ask(&run, Ask::Signal { name: "go".into(), data: Default::default(), by: "ada".into() })
            .await
            .unwrap();
        kit.hand.advance(2 * HOUR);
        system.drive(&run).await;
        assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
        assert_eq!(kit.count(&run, is_begun).await, 1);
    });
}
