//! Leaves a provider alone for a while that does not answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How the providers are that this process asks.
#[derive(Debug, Clone, Default)]
pub(super) struct Breakers(Arc<Mutex<HashMap<Arc<str>, Breaker>>>);

#[derive(Debug, Default)]
struct Breaker {
    /// How many calls failed one after the other.
    failures: u32,
    /// Until when nobody calls; none as long as everybody may.
    open_until: Option<Instant>,
    /// Whether somebody finds out, after that moment, how the provider is.
    on_trial: bool,
}

/// When a provider is left alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// After so many calls that failed one after the other; 0 for never.
    pub(super) failures: u32,
    /// For so long.
    pub(super) pause: Duration,
}

/// The right to one call.
#[derive(Debug)]
pub(super) struct Pass {
    breakers: Breakers,
    provider: Arc<str>,
    on_trial: bool,
}

impl Breakers {
    /// Asks for the right to call a provider at that moment.
    ///
    /// # Errors
    /// How long it is left alone yet.
    pub(super) fn enter(&self, provider: &Arc<str>, now: Instant) -> Result<Pass, Duration> {
        let mut all = self.all();
        let breaker = all.entry(Arc::clone(provider)).or_default();
        let pass = |on_trial| Pass { breakers: self.clone(), provider: Arc::clone(provider), on_trial };
        match breaker.open_until {
            None => Ok(pass(false)),
            Some(until) if now < until => Err(until.saturating_duration_since(now)),
            // What comes of the one that is let through says how it is for the others.
            Some(_) if breaker.on_trial => Err(Duration::ZERO),
            Some(_) => {
                breaker.on_trial = true;
                Ok(pass(true))
            }
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Arc<str>, Breaker>> {
        // Nothing that is done under the lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// The provider has answered, be it that it refuses what it is asked.
    pub(super) fn answered(self) {
        if let Some(breaker) = self.breakers.all().get_mut(&self.provider) {
            (breaker.failures, breaker.open_until) = (0, None);
        }
    }

    /// It did not answer, or said that it cannot.
    pub(super) fn failed(self, patience: Patience, now: Instant) {
        if let Some(breaker) = self.breakers.all().get_mut(&self.provider) {
            breaker.failures = breaker.failures.saturating_add(1);
            let is_too_much = patience.failures > 0 && breaker.failures >= patience.failures;
            if self.on_trial || is_too_much {
                breaker.open_until = now.checked_add(patience.pause);
            }
        }
    }
}

impl Drop for Pass {
    /// Whoever finds out how a provider is may be stopped before they know.
    fn drop(&mut self) {
        if self.on_trial
            && let Some(breaker) = self.breakers.all().get_mut(&self.provider)
        {
            breaker.on_trial = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { failures: 2, pause: Duration::from_secs(30) };

    struct Asked {
        breakers: Breakers,
        provider: Arc<str>,
        began: Instant,
    }

    impl Asked {
        fn new() -> Self {
            Self { breakers: Breakers::default(), provider: "p".into(), began: Instant::now() }
        }

        fn at(&self, seconds: u64) -> Result<Pass, Duration> {
            self.breakers.enter(&self.provider, self.began + Duration::from_secs(seconds))
        }

        fn fails(&self, seconds: u64) {
            self.at(seconds).unwrap().failed(PATIENCE, self.began + Duration::from_secs(seconds));
        }
    }

    #[test]
    fn a_provider_that_fails_again_and_again_is_left_alone_and_then_tried_by_one() {
        let asked = Asked::new();
        asked.fails(0);
        asked.fails(1);
        assert_eq!(asked.at(2).unwrap_err(), Duration::from_secs(29));
        let trial = asked.at(31).unwrap();
        assert_eq!(asked.at(31).unwrap_err(), Duration::ZERO, "one finds out");
        drop(trial);
        asked.fails(32);
        assert_eq!(asked.at(33).unwrap_err(), Duration::from_secs(29), "one failure on trial is enough");
        asked.at(62).unwrap().answered();
        asked.fails(63);
        asked.at(64).unwrap().answered();
        asked.fails(65);
        assert!(asked.at(66).is_ok(), "what comes between begins the count anew");
        assert!(asked.breakers.enter(&"q".into(), asked.began).is_ok(), "others are not concerned");
    }
}
