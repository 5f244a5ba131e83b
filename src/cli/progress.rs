//! What runs, line by line, on a terminal; quiet where there is none.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::say::stderr_is_terminal;
use crate::api::protocol::{Live, LiveAttempt};
use crate::events::ids::Fence;
use crate::events::time::format_duration;

/// How often the clock of a line moves.
const TICK: Duration = Duration::from_millis(200);

/// A line for each attempt that runs, and one for all of it.
pub(super) struct Progress {
    lines: Option<MultiProgress>,
    sum: ProgressBar,
    attempts: HashMap<Fence, ProgressBar>,
}

impl Progress {
    /// Lines on stderr, if that is a terminal and a person reads.
    pub(super) fn new(is_json: bool) -> Self {
        let shown = !is_json && stderr_is_terminal();
        let lines = shown.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)));
        let sum = match &lines {
            Some(lines) => lines.add(ProgressBar::no_length().with_style(style("{prefix} {msg}"))),
            None => ProgressBar::hidden(),
        };
        Self { lines, sum, attempts: HashMap::new() }
    }

    /// Whether anybody sees it.
    pub(super) const fn is_shown(&self) -> bool {
        self.lines.is_some()
    }

    /// Shows how far a run is.
    pub(super) fn show(&mut self, live: &Live) {
        let Some(lines) = &self.lines else { return };
        self.attempts.retain(|fence, line| {
            let runs = live.running.iter().any(|attempt| attempt.fence == *fence);
            if !runs {
                line.finish_and_clear();
            }
            runs
        });
        for attempt in &live.running {
            let line = self.attempts.entry(attempt.fence).or_insert_with(|| {
                let line = lines.insert_before(&self.sum, ProgressBar::no_length());
                line.set_style(style("{spinner} {msg}"));
                line.enable_steady_tick(TICK);
                line
            });
            line.set_message(attempt_text(attempt));
        }
        self.sum.set_message(format!("{} of {} steps done", live.done, live.total));
    }

    /// Takes all lines away.
    pub(super) fn clear(&mut self) {
        self.attempts.drain().for_each(|(_, line)| line.finish_and_clear());
        self.sum.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn attempt_text(attempt: &LiveAttempt) -> String {
    let mut text = format!("{}  {}", attempt.step, attempt.agent);
    if attempt.attempt > 1 {
        text.push_str(&format!("  attempt {}", attempt.attempt));
    }
    let since = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(attempt.since.0).unwrap_or(0));
    let seconds = since.elapsed().unwrap_or_default().as_secs();
    text.push_str(&format!("  {}", format_duration(Duration::from_secs(seconds))));
    if attempt.percent > 0 || !attempt.text.is_empty() {
        text.push_str(&format!("  {}% {}", attempt.percent, attempt.text));
    }
    text
}

/// A text that takes the place of the one before it, on a terminal; elsewhere each follows the other.
pub(super) struct Screen {
    line: Option<ProgressBar>,
}

impl Screen {
    pub(super) fn new(is_json: bool) -> Self {
        let shown = !is_json && stderr_is_terminal();
        Self { line: shown.then(|| ProgressBar::no_length().with_style(style("{msg}"))) }
    }

    pub(super) fn show(&mut self, text: &str) {
        match &self.line {
            Some(line) => line.set_message(text.to_owned()),
            None => super::say::out(text),
        }
    }

    pub(super) fn clear(&mut self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }
}
