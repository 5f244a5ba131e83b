//! Whether the machine's clock tells the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Check;
use crate::events::time::{Timestamp, format_duration};

const NAME: &str = "clock";

/// No build of this version is older: 2026-01-01.
const EARLIEST: Duration = Duration::from_secs(1_767_225_600);

/// No battery lasts so long: 2100-01-01. A clock that shows more was never set.
const LATEST: Duration = Duration::from_secs(4_102_444_800);

/// How long both clocks are watched.
const WATCHED: Duration = Duration::from_millis(50);

/// How far they may go apart meanwhile. A clock that is being adjusted does so by half a thousandth at most.
const APART_MAX: Duration = Duration::from_millis(10);

/// How far a moment that was recorded may lie in the future: two machines with one store need not agree to the second.
const AHEAD_MAX: Duration = Duration::from_secs(60);

/// Looks at the clock, given the newest moment that is recorded.
pub(super) fn check(newest: Option<Timestamp>) -> Check {
    let told = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Timestamp(i64::try_from(told.as_micros()).unwrap_or(i64::MAX));
    let set = "set it, or let a service like `systemd-timesyncd` or `chrony` do so";
    if !(EARLIEST..=LATEST).contains(&told) {
        return Check::wrong(NAME, format!("it shows {now}"), set);
    }
    let ahead = newest.map(|newest| newest.since(now)).unwrap_or_default();
    if ahead > AHEAD_MAX {
        let says =
            format!("it shows {now}, and the store has an event that is {} later", format_duration(ahead));
        return Check::warning(NAME, says, format!("{set}; what is due at a moment comes late until then"));
    }
    let apart = apart();
    if apart > APART_MAX {
        let says = format!(
            "it was set by {} while it was watched for {}",
            format_duration(apart),
            format_duration(WATCHED)
        );
        return Check::warning(NAME, says, "see which service sets it, and why so often");
    }
    Check::good(NAME, format!("it shows {now}, and goes steadily"))
}

/// How far the wall clock goes from one that nobody can set, for certain: between the looks at the two of them this thread may
/// be stopped.
fn apart() -> Duration {
    let look = || {
        let steady = Instant::now();
        (SystemTime::now(), steady, steady.elapsed())
    };
    let (wall, steady, unsure) = look();
    std::thread::sleep(WATCHED);
    let (wall_then, steady_then, unsure_then) = look();
    let by_steady = steady_then.duration_since(steady);
    let apart = match wall_then.duration_since(wall) {
        Ok(by_wall) => by_wall.abs_diff(by_steady),
        Err(backwards) => backwards.duration() + by_steady,
    };
    apart.saturating_sub(unsure + unsure_then)
}
