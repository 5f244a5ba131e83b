//! How fast an agent starts attempts, where that is limited: so many at once, and as time passes as many again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter, clock};

use crate::actors::clock::Clock;
use crate::events::agent::Rate;
use crate::events::time::Timestamp;

/// The pace of an agent: how many attempts it starts in a given time.
pub(super) struct Pace {
    rate: Rate,
    clock: Steady,
    limiter: RateLimiter<NotKeyed, InMemoryState, Steady, NoOpMiddleware<Nanos>>,
    /// The number of turns that were taken and not used.
    returned: u32,
    /// The moment until which they count: by then the limiter has made up for them.
    returned_until: Timestamp,
}

/// The steady clock, as the limiter reads it.
#[derive(Clone)]
struct Steady(Arc<dyn Clock>);

impl Steady {
    fn time(&self) -> Timestamp {
        self.0.now().steady
    }
}

impl clock::Clock for Steady {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let micros = u64::try_from(self.time().0).unwrap_or(0);
        Nanos::new(micros.saturating_mul(1_000))
    }
}

impl Pace {
    /// All turns of the rate are there.
    pub(super) fn of(rate: Rate, clock: &Arc<dyn Clock>) -> Self {
        let clock = Steady(Arc::clone(clock));
        let each = (rate.per.length() / rate.count.get()).max(Duration::from_nanos(1));
        // A length of time that is not zero makes a quota.
        let quota = Quota::with_period(each).unwrap_or(Quota::per_second(rate.count));
        let limiter = RateLimiter::direct_with_clock(quota.allow_burst(rate.count), clock.clone());
        Self { rate, clock, limiter, returned: 0, returned_until: Timestamp(0) }
    }

    pub(super) const fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes a turn.
    ///
    /// # Errors
    /// When there may be one.
    pub(super) fn take(&mut self) -> Result<(), Timestamp> {
        let Err(not_until) = self.limiter.check() else { return Ok(()) };
        if self.returned > 0 && self.clock.time() < self.returned_until {
            self.returned -= 1;
            return Ok(());
        }
        self.returned = 0;
        let micros = not_until.earliest_possible().as_u64().div_ceil(1_000);
        Err(Timestamp(i64::try_from(micros).unwrap_or(i64::MAX)))
    }

    /// A turn was not used.
    pub(super) fn put_back(&mut self) {
        self.returned += 1;
        self.returned_until = self.clock.time().after(self.rate.per.length());
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pace").field(&self.rate.to_string()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::clock::ManualClock;

    fn pace(rate: &str) -> (Pace, ManualClock) {
        let hand = ManualClock::at(Timestamp(1_700_000_000_000_000));
        let clock: Arc<dyn Clock> = Arc::new(hand.clone());
        (Pace::of(Rate::try_from(rate.to_owned()).unwrap(), &clock), hand)
    }

    /// The number of turns that there are now, up to a thousand.
    fn turns(pace: &mut Pace) -> usize {
        std::iter::from_fn(|| pace.take().ok()).take(1_000).count()
    }

    #[test]
    fn there_are_as_many_turns_as_the_rate_says_and_as_time_passes_as_many_again() {
        for (rate, each) in [("10/s", 100_000), ("6/m", 10_000_000), ("4/h", 900_000_000)] {
            let (mut pace, hand) = pace(rate);
            let count = pace.rate().count.get() as usize;
            assert_eq!(turns(&mut pace), count, "{rate}");
            let next = pace.take().unwrap_err();
            assert_eq!(next.0 - pace.clock.time().0, each, "{rate}");
            hand.advance(Duration::from_micros(each as u64 - 1));
            assert_eq!(turns(&mut pace), 0, "{rate}");
            hand.advance(Duration::from_micros(1));
            assert_eq!(turns(&mut pace), 1, "{rate}");
            hand.advance(pace.rate().per.length() * 5);
            assert_eq!(turns(&mut pace), count, "{rate}: what was not used is not saved up");
        }
    }

    #[test]
    fn a_turn_that_was_not_used_is_there_for_the_next_and_no_longer_than_that_matters() {
        let (mut pace, hand) = pace("3/s");
        assert_eq!(turns(&mut pace), 3);
        pace.put_back();
        pace.put_back();
        assert_eq!(turns(&mut pace), 2);
        pace.put_back();
        hand.advance(Duration::from_secs(1));
        assert_eq!(turns(&mut pace), 3);
    }
}
