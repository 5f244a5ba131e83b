//! The time, as something that a test can hold in its hand.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

use crate::events::time::{Timestamp, format_duration};
use crate::executors;
use crate::kernel::{Due, Now};

/// Tells the time, and waits for it.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// The time now, by both clocks.
    fn now(&self) -> Now;

    /// Ends when that is due, perhaps earlier: who waits looks again. Never, where it never is.
    async fn wait_until(&self, due: Due);
}

/// The machine's clocks. The steady one counts the time in which the machine sleeps, where the system tells that.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// How long nobody looks whether the wall clock was set, in which case what is waited for may be due sooner, or whether the
/// machine slept.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// A jump of the wall clock is told when it is longer than this, in µs. Less is what a service that keeps it does now and then.
const JUMP_US: i64 = 5_000_000;

/// One that counts while the machine sleeps.
#[cfg(any(target_os = "linux", target_os = "android"))]
const STEADY: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const STEADY: ClockId = ClockId::Monotonic;

/// What the steady clock shows more than the machine's: with it, both clocks showed the same when this process first looked.
static AHEAD_US: LazyLock<i64> = LazyLock::new(|| executors::now().0.saturating_sub(running_us()));

/// How far the wall clock was known to have been set since then, in µs.
static SET_BY_US: AtomicI64 = AtomicI64::new(0);

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Now {
        let now = look();
        // Between its looks at the two clocks this thread may have been stopped: what is told was seen twice.
        if jump_us(&SET_BY_US, now).is_some()
            && let Some(by_us) = jumped(&SET_BY_US, look())
        {
            tell_jump(by_us);
        }
        now
    }

    async fn wait_until(&self, due: Due) {
        match due.since(self.now()) {
            Some(left) => tokio::time::sleep(left.min(LOOK_AGAIN)).await,
            None => std::future::pending().await,
        }
    }
}

fn look() -> Now {
    let steady = AHEAD_US.saturating_add(running_us());
    Now { steady: Timestamp(steady), wall: executors::now() }
}

/// How far the wall clock was set since that was last told of, in µs; none if that is not worth telling.
fn jump_us(set_by_us: &AtomicI64, now: Now) -> Option<i64> {
    let set = now.wall.0.saturating_sub(now.steady.0);
    let by_us = set.saturating_sub(set_by_us.load(Ordering::Relaxed));
    (by_us.saturating_abs() > JUMP_US).then_some(by_us)
}

/// The same, to whoever is to tell it: of all who look at once, one.
fn jumped(set_by_us: &AtomicI64, now: Now) -> Option<i64> {
    let by_us = jump_us(set_by_us, now)?;
    let set = now.wall.0.saturating_sub(now.steady.0);
    let known = set.saturating_sub(by_us);
    set_by_us.compare_exchange(known, set, Ordering::Relaxed, Ordering::Relaxed).is_ok().then_some(by_us)
}

fn tell_jump(by_us: i64) {
    let by = format_duration(Duration::from_secs((by_us.unsigned_abs() + 500_000) / 1_000_000));
    let way = if by_us < 0 { "back" } else { "forward" };
    tracing::warn!(
        "the machine's clock was set {way} by {by}: what is to last so long (sleeps, retries, timeouts, limits) goes on \
         as if it had not been, what expires at a time of day follows it, and until this process ends it records events \
         by the time that it began with"
    );
}

/// The time for which the machine has been running, in µs.
fn running_us() -> i64 {
    let time = clock_gettime(STEADY);
    time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_nsec / 1_000)
}

/// Clocks that stand still until they are set.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<watch::Sender<Now>>);

impl ManualClock {
    /// Clocks that show `now`, both.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(watch::Sender::new(Now::at(now))))
    }

    /// Lets so much time pass.
    pub fn advance(&self, length: Duration) {
        self.0.send_modify(|now| *now = now.after(length));
    }

    /// Sets the wall clock, while no time passes.
    pub fn set_wall(&self, wall: Timestamp) {
        self.0.send_modify(|now| now.wall = wall);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Now {
        *self.0.borrow()
    }

    async fn wait_until(&self, due: Due) {
        let mut now = self.0.subscribe();
        // An error means that the clock is gone, and with it whoever could wait for it.
        let _ = now.wait_for(|now| due.has_come(*now)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_agree_until_somebody_sets_one_and_the_steady_one_never_goes_back() {
        let mut before = SystemClock.now();
        assert!((before.wall.0 - before.steady.0).abs() < JUMP_US);
        for _ in 0..1_000 {
            let now = SystemClock.now();
            assert!(now.steady >= before.steady);
            before = now;
        }
    }

    #[test]
    fn that_the_wall_clock_was_set_is_told_once_and_by_how_much() {
        let (set_by_us, steady) = (AtomicI64::new(0), Timestamp(1_000_000_000_000));
        let look = |ahead_us| jumped(&set_by_us, Now { steady, wall: Timestamp(steady.0 + ahead_us) });
        assert_eq!([look(0), look(JUMP_US), look(-JUMP_US)], [None; 3], "a clock is put right now and then");
        let hours_us = 7_200_000_000;
        assert_eq!([look(-hours_us), look(-hours_us), look(-hours_us - 1)], [Some(-hours_us), None, None]);
        assert_eq!([look(0), look(0)], [Some(hours_us), None], "it was set forward again");
    }
}
