//! When a failed attempt is followed by another.

use std::time::Duration;

use super::definition::{Retry, RetryPolicy};
use super::work::Failure;
use crate::events::problem::Class;

impl Retry {
    /// The class of a failure, including what the step declares to be transient.
    pub fn class_of(&self, failure: &Failure) -> Class {
        let listed = failure.exit_code.is_some_and(|code| self.exit_codes.contains(&code))
            || self.messages.iter().any(|part| failure.message.contains(part.as_str()));
        if listed { Class::Transient } else { failure.class }
    }

    /// How long to wait after failed attempt number `failures`, from 1; none if there are no more attempts.
    ///
    /// The jitter follows from `seed`, which may be any number. No delay is longer than `max`; delays
    /// that jitter would make longer are spread below it, so that attempts that failed together do
    /// not come back together.
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
        let plain = plain.min(max);
        let (shortest, longest) = (plain * (1.0 - self.jitter), (plain * (1.0 + self.jitter)).min(max));
        let jittered = shortest + (longest - shortest) * part(seed);
        Some(Duration::from_secs_f64(jittered.clamp(0.0, max)))
    }
}

/// The seed of the delay after an attempt. Attempts that fail at the same time have different seeds, whatever
/// runs they belong to, and the delay after one attempt is the same however often it is computed.
pub(crate) fn seed(idempotency_key: &str, attempt: u32) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(idempotency_key.as_bytes()).update(&attempt.to_le_bytes());
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// A number from 0 to 1 that depends only on the seed.
///
/// The finaliser of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
fn part(seed: u64) -> f64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> 11) as f64 / (1_u64 << 53) as f64
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
    fn jitter_at_the_maximum_spreads_the_delays_below_it() {
        // Every delay that jitter made longer than the maximum was cut to exactly the maximum, half of all.
        let retry = Retry { jitter: 0.25, ..retry(RetryPolicy::Exponential) };
        let delays: std::collections::BTreeSet<_> =
            (0..1000).map(|seed| retry.delay(4, seed).unwrap()).collect();
        assert!(delays.len() > 990, "{} different ones", delays.len());
        assert!(*delays.last().unwrap() <= retry.max);
        assert!(*delays.first().unwrap() >= Duration::from_millis(3750));
        assert!(delays.iter().filter(|delay| **delay > Duration::from_millis(4375)).count() > 400);
    }

    #[test]
    fn seeds_follow_from_the_key_and_the_attempt() {
        assert_eq!(seed("k", 1), seed("k", 1));
        assert_ne!(seed("k", 1), seed("k", 2));
        assert_ne!(seed("k", 1), seed("l", 1));
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
