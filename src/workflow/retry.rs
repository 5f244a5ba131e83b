//! When a failed attempt is followed by another.

use std::time::Duration;

use super::definition::{Retry, RetryPolicy};
use super::work::Failure;
use crate::events::problem::Class;

impl Retry {
    /// The class of a failure, given what the step says is transient too.
    pub fn class_of(&self, failure: &Failure) -> Class {
        let listed = failure.exit_code.is_some_and(|code| self.exit_codes.contains(&code))
            || self.messages.iter().any(|part| failure.message.contains(part.as_str()));
        if listed { Class::Transient } else { failure.class }
    }

    /// How long to wait after the `failures`-th failed attempt, from 1; none if there is no further one.
    ///
    /// `seed` is any number; from it the jitter follows.
    pub fn delay(&self, failures: u32, seed: u64) -> Option<Duration> {
        if self.policy == RetryPolicy::None || failures >= self.attempts {
            return None;
        }
        let initial = self.initial.as_secs_f64();
        let plain = match self.policy {
            RetryPolicy::None => return None,
            RetryPolicy::Fixed => initial,
            RetryPolicy::Linear => initial * f64::from(failures),
            RetryPolicy::Exponential => {
                let power = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
                initial * self.multiplier.powi(power)
            }
        };
        let max = self.max.as_secs_f64();
        let jittered = plain.min(max) * (1.0 + self.jitter * spread(seed));
        Some(Duration::from_secs_f64(jittered.clamp(0.0, max)))
    }
}

/// A number from -1 to 1 that depends on nothing but the seed.
///
/// The finaliser of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
fn spread(seed: u64) -> f64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::problem::Code;

    fn retry(policy: RetryPolicy) -> Retry {
        Retry { policy, attempts: 5, jitter: 0.0, max: Duration::from_secs(5), ..Retry::default() }
    }

    fn seconds(policy: RetryPolicy) -> Vec<u64> {
        (1..6).map_while(|n| retry(policy).delay(n, 0)).map(|delay| delay.as_secs()).collect()
    }

    #[test]
    fn delays_follow_the_policy_up_to_the_maximum() {
        assert_eq!(seconds(RetryPolicy::None), [0_u64; 0]);
        assert_eq!(seconds(RetryPolicy::Fixed), [1, 1, 1, 1]);
        assert_eq!(seconds(RetryPolicy::Linear), [1, 2, 3, 4]);
        assert_eq!(seconds(RetryPolicy::Exponential), [1, 2, 4, 5]);
    }

    #[test]
    fn jitter_stays_in_its_bounds_and_follows_from_the_seed() {
        let retry = Retry { jitter: 0.5, max: Duration::from_secs(100), ..retry(RetryPolicy::Fixed) };
        let delays: Vec<_> = (0..1000).map(|seed| retry.delay(1, seed).unwrap().as_secs_f64()).collect();
        assert!(delays.iter().all(|delay| (0.5..=1.5).contains(delay)));
        assert!(delays.iter().any(|delay| *delay < 0.6) && delays.iter().any(|delay| *delay > 1.4));
        assert_eq!(retry.delay(1, 7), retry.delay(1, 7));
    }

    #[test]
    fn listed_exit_codes_and_messages_are_transient_too() {
        let retry = Retry { exit_codes: vec![65], messages: vec!["busy".into()], ..Retry::default() };
        let failure = Failure { exit_code: Some(65), ..Failure::new(Code::ExitValidation, "no") };
        assert_eq!(retry.class_of(&failure), Class::Transient);
        let failure = Failure::new(Code::ExitValidation, "the registry is busy");
        assert_eq!(retry.class_of(&failure), Class::Transient);
        assert_eq!(retry.class_of(&Failure::new(Code::ExitValidation, "no")), Class::Validation);
    }
}
