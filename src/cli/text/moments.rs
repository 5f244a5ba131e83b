//! Moments and lengths of time, as people read them.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::events::time::{Timestamp, format_duration};
use crate::views::presenters::report::{RunReport, StepReport};

/// A wait that is shorter goes unsaid.
const WAIT_SAID: Duration = Duration::from_millis(100);

/// A moment in UTC, to the second: `--json` has the microseconds.
pub(in crate::cli) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

/// A moment by the clock where the user is: to the second, or `short`, without the year, to the minute.
pub(in crate::cli) fn local(at: Timestamp, short: bool) -> String {
    let form = if short { "%m-%d %H:%M" } else { "%Y-%m-%d %H:%M:%S" };
    let there = jiff::Timestamp::from_microsecond(at.0).ok();
    let there = there.map(|at| at.to_zoned(TimeZone::system()).strftime(form).to_string());
    there.unwrap_or_else(|| moment(at))
}

/// How long something took, to be read: to the millisecond below a second, to the tenth of one below a minute.
pub(in crate::cli) fn took(length: Duration) -> String {
    match length.as_secs() {
        0 => format_duration(length),
        1..60 => format!("{:.1}s", length.as_secs_f64()),
        seconds => format_duration(Duration::from_secs(seconds)),
    }
}

/// How long a run worked, and how long it waited for somebody, if it did.
pub(in crate::cli) fn worked_and_waited(report: &RunReport) -> String {
    told_apart(Duration::from_millis(report.duration_ms), report.waiting_ms)
}

/// The same of a step that is done with; none of another.
pub(super) fn step_worked_and_waited(step: &StepReport) -> Option<String> {
    let (from, to) = step.started_at.zip(step.ended_at)?;
    Some(told_apart(to.since(from), step.waiting_ms))
}

fn told_apart(all: Duration, waiting_ms: u64) -> String {
    let waited = Duration::from_millis(waiting_ms);
    let worked = took(all.saturating_sub(waited));
    if waited < WAIT_SAID { worked } else { format!("{worked} (waited {})", took(waited)) }
}
