//! What happens when somebody sets the wall clock while runs go on.

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
