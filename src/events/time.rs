//! Moments and lengths of time, as events and files write them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment: microseconds since 1970-01-01T00:00:00Z. Events keep the number, people read RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment that is `length` later.
    #[must_use]
    pub fn after(self, length: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(length.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Reads a moment as it is shown; none if that is no moment.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|moment| Self(moment.as_microsecond()))
    }

    /// How long it is from `earlier` to this moment; zero if `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// A length of time as events hold it, in µs; one that is longer than they can hold is the longest.
pub fn micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(moment) => write!(f, "{moment:.6}"),
            Err(_) => write!(f, "{} µs", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return i64::deserialize(deserializer).map(Self);
        }
        let text = String::deserialize(deserializer)?;
        let moment: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(moment.as_microsecond()))
    }
}

/// The longest duration that a file may say. A moment in µs is good until the year 294,247, so that this much
/// may be added to any moment; a hundred years is more than any run needs.
pub const DURATION_MAX: Duration = Duration::from_secs(100 * 366 * 86_400);

/// Why a text is not a usable duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDuration {
    /// It is not written like a duration; the text says how one is written.
    #[error("{0}")]
    NotOne(String),
    /// It is longer than [`DURATION_MAX`].
    #[error("`{0}` is longer than the limit of {limit}", limit = format_duration(DURATION_MAX))]
    TooLong(String),
}

/// Reads a duration as files write it: `500ms`, `10s`, `1h30m`, `7d`. Units are `ms`, `s`, `m`, `h` and `d`,
/// each at most once and falling in size; a number may have a decimal point.
///
/// # Errors
/// What is wrong with the text, in a sentence.
pub fn parse_duration(text: &str) -> Result<Duration, BadDuration> {
    const UNITS: [(&str, f64); 5] = [("d", 86_400e3), ("h", 3_600e3), ("m", 60e3), ("s", 1e3), ("ms", 1.0)];
    let hint = "a duration is a number and a unit, as in `500ms`, `10s`, `1h30m` or `7d`";
    let none = || BadDuration::NotOne(format!("`{text}` is not a duration: {hint}"));
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(BadDuration::NotOne(format!("it is empty: {hint}")));
    }
    let (mut millis, mut allowed) = (0.0, UNITS.as_slice());
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let number: f64 = number.parse().map_err(|_| none())?;
        let place = allowed.iter().position(|(name, _)| *name == unit);
        let Some((factor, smaller)) = place.and_then(|at| Some((allowed.get(at)?.1, allowed.get(at + 1..)?)))
        else {
            return Err(none());
        };
        millis += number * factor;
        (allowed, rest) = (smaller, tail);
    }
    if millis > DURATION_MAX.as_millis() as f64 {
        return Err(BadDuration::TooLong(text.to_owned()));
    }
    Ok(Duration::from_micros((millis * 1e3).round() as u64))
}

/// Writes a duration as [`parse_duration`] reads it.
pub fn format_duration(length: Duration) -> String {
    let mut left = length.as_millis();
    if left == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if left >= size {
            text.push_str(&format!("{}{unit}", left / size));
            left %= size;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_alike() {
        for (text, millis) in
            [("500ms", 500), ("10s", 10_000), ("1h30m", 5_400_000), ("7d", 604_800_000), ("1m1s1ms", 61_001)]
        {
            assert_eq!(parse_duration(text).unwrap(), Duration::from_millis(millis));
            assert_eq!(format_duration(Duration::from_millis(millis)), text);
        }
        assert_eq!(parse_duration("1.5s").unwrap(), Duration::from_millis(1500));
    }

    #[test]
    fn a_broken_duration_is_refused() {
        for text in ["", "10", "s", "1x", "1s1m", "1s 2", "-1s", "1..2s", "1s1s", "99999999d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_moment_reads_as_rfc_3339() {
        assert_eq!(Timestamp(1_795_219_200_000_001).to_string(), "2026-11-21T00:00:00.000001Z");
    }
}
