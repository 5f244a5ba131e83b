//! Promise 11: a timer fires once, late rather than never, and never early; who sleeps costs nothing.

use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Duration;

use async_trait::async_trait;
use reenact::actors::clock::{Clock, ManualClock};
use reenact::aggregates::run::RunStatus;
use reenact::events::problem::Code;
use reenact::events::run::RunEvent;
use reenact::kernel::{Due, Now};

use super::kit::{Kit, id, on_actix, start_of, status};

const SLEEPER: &str = "[{id: a, sleep: 10s}]";

fn is_set(event: &RunEvent) -> bool {
    matches!(event, RunEvent::TimerSet(_))
}

fn is_fired(event: &RunEvent) -> bool {
    matches!(event, RunEvent::TimerFired(_))
}

/// When each timer was set for, and when it fired.
async fn check_times(kit: &Kit, run: &str) {
    let events = kit.events(&id(run)).await;
    let due = events.iter().filter_map(|(_, event)| match event {
        RunEvent::TimerSet(set) => Some(set.at),
        _ => None,
    });
    let due: Vec<_> = due.collect();
    let fired = events.iter().filter(|(_, event)| is_fired(event)).map(|(at, _)| at.header.recorded_at);
    let fired: Vec<_> = fired.collect();
    assert_eq!(fired.len(), due.len(), "each fires once");
    assert!(fired.iter().zip(&due).all(|(fired, due)| fired >= due), "{fired:?} {due:?}");
}

#[test]
fn a_timer_fires_once_when_its_moment_has_come_and_not_before() {
    on_actix(async {
        let (kit, run) = (Kit::new(), id("r"));
        let system = kit.start();
        system.begin(&run, start_of(SLEEPER)).await.unwrap();
        kit.hand.advance(Duration::from_micros(9_999_999));
        // Asked the same again, it answers when all that it heard before is decided.
        system.begin(&run, start_of(SLEEPER)).await.unwrap();
        assert_eq!(kit.count(&run, is_fired).await, 0, "it fired early");
        kit.hand.advance(Duration::from_micros(1));
        assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
        kit.hand.advance(Duration::from_secs(100));
        system.shut_down(std::future::pending()).await.unwrap();
        check_times(&kit, "r").await;
    });
}

#[test]
fn a_timer_that_came_due_while_no_process_lived_fires_late() {
    on_actix(async {
        let (kit, run) = (Kit::new(), id("r"));
        let first = kit.start();
        first.begin(&run, start_of(SLEEPER)).await.unwrap();
        kit.until(&run, is_set).await;
        // It is as gone as after kill -9: nobody lets it end in order.
        std::mem::forget(first);
        kit.hand.advance(Duration::from_secs(3600));
        let second = Kit { hand: ManualClock::at(kit.clock.now().wall), ..Kit::new() };
        let second = Kit { store: Arc::clone(&kit.store), clock: Arc::new(second.hand.clone()), ..second };
        let system = second.start();
        system.drive(&run).await;
        assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
    });
}

/// The clock of a machine that is set back after a timer went off, and before it is decided that it did: to the timer's
/// thread it is a minute later than to all others.
struct SetBack {
    hand: ManualClock,
    ahead: ThreadId,
}

#[async_trait]
impl Clock for SetBack {
    fn now(&self) -> Now {
        let is_ahead = std::thread::current().id() == self.ahead;
        self.hand.now().after(if is_ahead { Duration::from_secs(60) } else { Duration::ZERO })
    }

    async fn wait_until(&self, due: Due) {
        self.hand.wait_until(due).await;
    }
}

/// Such a timer was forgotten, and the run slept until the process was started again.
#[test]
fn a_clock_that_is_set_back_makes_a_timer_neither_early_nor_forgotten() {
    on_actix(async {
        let kit = Kit::new();
        let clock = Arc::new(SetBack { hand: kit.hand.clone(), ahead: std::thread::current().id() });
        let (kit, run) = (Kit { clock, ..kit }, id("r"));
        let system = kit.start();
        system.begin(&run, start_of(SLEEPER)).await.unwrap();
        for _ in 0..100 {
            tokio::task::yield_now().await;
            system.begin(&run, start_of(SLEEPER)).await.unwrap();
        }
        assert_eq!(kit.count(&run, is_fired).await, 0, "it fired early");
        kit.hand.advance(Duration::from_secs(10));
        assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
        system.shut_down(std::future::pending()).await.unwrap();
        check_times(&kit, "r").await;
    });
}

/// More timers were due at once than an inbox held; the rest was turned away, and never fired.
#[test]
fn thousands_of_timers_of_one_run_that_are_due_at_once_all_fire() {
    on_actix(async {
        let (kit, run) = (Kit::new(), id("r"));
        let items: Vec<_> = (0..3000).map(|item| item.to_string()).collect();
        let system = kit.start();
        let steps = format!("[{{id: a, for_each: [{}], sleep: 10s}}]", items.join(", "));
        system.begin(&run, start_of(&steps)).await.unwrap();
        kit.hand.advance(Duration::from_secs(10));
        assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
        check_times(&kit, "r").await;
    });
}

#[test]
fn a_sleeping_run_is_put_away_and_wakes() {
    on_actix(async {
        let kit = Kit { passivate_after: Duration::from_millis(10), ..Kit::new() };
        let run = id("r");
        let system = kit.start();
        system.begin(&run, start_of("[{id: a, sleep: 7d}]")).await.unwrap();
        let mut live_state = system.watch(&run);
        kit.hand.advance(Duration::from_secs(1));
        while live_state.changed().await.is_ok() {}
        assert!(system.is_driven(&run), "who sleeps goes on by itself");
        kit.hand.advance(Duration::from_secs(7 * 24 * 3600));
        kit.until(&run, |event| matches!(event, RunEvent::RunCompleted(_))).await;
        check_times(&kit, "r").await;
    });
}

#[test]
fn an_attempt_that_is_not_done_at_its_deadline_has_timed_out() {
    on_actix(async {
        let (kit, run) = (Kit::new(), id("r"));
        let gate = kit.gated("slow");
        let system = kit.start();
        system.begin(&run, start_of("[{id: a, agent: slow, timeout: 10s}]")).await.unwrap();
        gate.called(1).await;
        kit.hand.advance(Duration::from_secs(10));
        assert_eq!(status(system.ended(&run).await), RunStatus::Failed);
        let timed_out = |event: &RunEvent| matches!(event, RunEvent::AttemptFailed(failed) if failed.code == Code::TimedOut);
        assert_eq!(kit.count(&run, timed_out).await, 1);
    });
}
