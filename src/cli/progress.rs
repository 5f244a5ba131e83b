//! What runs, line by line, on a terminal; quiet where there is none.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use indicatif::style::ProgressTracker;
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use super::arguments::Show;
use super::say::Say;
use super::text::{Text, name, terminal};
use crate::api::protocol::{Live, LiveAttempt};
use crate::events::ids::Fence;
use crate::events::time::{Timestamp, format_duration};

/// The time after which the clocks move on, though nothing was sent.
const TICK: Duration = Duration::from_millis(200);

/// How many attempts have a line of their own: what leaves room for the last line on a small terminal.
const LINES_MAX: usize = 12;

/// A line for each attempt that runs, and one for all of it.
pub(super) struct ProgressLines<'s> {
    lines: Option<&'s MultiProgress>,
    sum: ProgressBar,
    attempts: HashMap<Fence, ProgressBar>,
}

impl<'s> ProgressLines<'s> {
    /// Lines on stderr, if that is a terminal and a person reads who wants them.
    pub(super) fn new(say: &'s Say, show: Show) -> Self {
        let lines = Some(say).filter(|_| show == Show::Live).and_then(Say::lines);
        let sum = lines.map_or_else(ProgressBar::hidden, |lines| lines.add(ProgressBar::no_length()));
        Self { lines, sum, attempts: HashMap::new() }
    }

    /// Whether anybody sees it.
    pub(super) const fn is_shown(&self) -> bool {
        self.lines.is_some()
    }

    /// Shows how far a run is.
    pub(super) fn show(&mut self, live: &Live) {
        let Some(lines) = self.lines else { return };
        let shown = live.running.get(..LINES_MAX).unwrap_or(&live.running);
        self.attempts.retain(|fence, line| {
            let runs = shown.iter().any(|attempt| attempt.fence == *fence);
            if !runs {
                line.finish_and_clear();
            }
            runs
        });
        for attempt in shown {
            let line = self.attempts.entry(attempt.fence).or_insert_with(|| {
                let line = lines.insert_before(&self.sum, ProgressBar::no_length());
                line.set_style(style("{spinner} {prefix}  {clock}  {wide_msg}", Clock::Since(attempt.since)));
                line.set_prefix(who(attempt).as_str().to_owned());
                line.enable_steady_tick(TICK);
                line
            });
            line.set_message(how_far(attempt).as_str().to_owned());
        }
        let mut sum = format!("{} of {} steps done", live.done, live.total);
        if live.running.len() > shown.len() {
            sum.push_str(&format!(", {} running", live.running.len()));
        }
        match live.wakes_at {
            Some(at) => self.sum.set_style(style("{msg}, goes on in {clock}", Clock::Until(at))),
            None => self.sum.set_style(style("{msg}", Clock::Until(Timestamp(0)))),
        }
        self.sum.set_message(sum);
        self.sum.enable_steady_tick(TICK);
    }

    /// Takes all lines away.
    pub(super) fn clear(&mut self) {
        self.attempts.drain().for_each(|(_, line)| line.finish_and_clear());
        self.sum.finish_and_clear();
    }
}

/// A time that moves while nothing is sent.
#[derive(Clone)]
enum Clock {
    /// The time since that moment.
    Since(Timestamp),
    /// The time until that moment.
    Until(Timestamp),
}

impl ProgressTracker for Clock {
    fn clone_box(&self) -> Box<dyn ProgressTracker> {
        Box::new(self.clone())
    }

    fn tick(&mut self, _: &ProgressState, _: std::time::Instant) {}

    fn reset(&mut self, _: &ProgressState, _: std::time::Instant) {}

    fn write(&self, _: &ProgressState, line: &mut dyn std::fmt::Write) {
        let system_time =
            |at: &Timestamp| SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(at.0).unwrap_or(0));
        let now = SystemTime::now();
        let length = match self {
            Self::Since(at) => now.duration_since(system_time(at)),
            Self::Until(at) => system_time(at).duration_since(now),
        };
        // Whole seconds; a line that cannot be written is not worth a word.
        let _ = line.write_str(&format_duration(Duration::from_secs(length.unwrap_or_default().as_secs())));
    }
}

fn style(template: &str, clock: Clock) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    style.with_key("clock", clock)
}

fn who(attempt: &LiveAttempt) -> Text {
    let what = if attempt.undoes { "undo " } else { "" };
    let (step, agent) = (name(attempt.step.as_str()), name(attempt.agent.as_str()));
    let who = terminal!("{}{}  {}", what, step, agent);
    match attempt.attempt {
        1 => who,
        again => who.and(terminal!("  attempt {}", again)),
    }
}

fn how_far(attempt: &LiveAttempt) -> Text {
    if attempt.percent == 0 && attempt.text.is_empty() {
        return Text::default();
    }
    terminal!("{}% {}", attempt.percent, attempt.text)
}

/// A text that takes the place of the one before it, on a terminal; elsewhere each follows the other.
pub(super) struct Screen<'s> {
    say: &'s Say,
    line: Option<ProgressBar>,
}

impl<'s> Screen<'s> {
    pub(super) fn new(say: &'s Say) -> Self {
        let bar = |lines: &MultiProgress| {
            lines.add(ProgressBar::no_length()).with_style(style("{msg}", Clock::Until(Timestamp(0))))
        };
        Self { say, line: say.lines().map(bar) }
    }

    pub(super) fn show(&mut self, text: &Text) {
        match &self.line {
            Some(line) => line.set_message(text.as_str().to_owned()),
            None => self.say.show(text),
        }
    }

    pub(super) fn clear(&mut self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }
}
