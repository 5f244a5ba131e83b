//! The steps of a run, in a line each. A fan-out of which each item would have a line is told in one, with how many of its
//! items are how, and those that somebody may want to look at.

use std::collections::HashMap;

use super::colour::{self, Tone};
use super::moments::step_worked_and_waited;
use super::terminal::{Call, Text, name, terminal};
use super::{cut, waiting};
use crate::events::problem::Problem;
use crate::events::run::Resolution;
use crate::views::presenters::report::{RunReport, SettledReport, StepReport, sign};

/// How many items of a fan-out have lines at most, of those that somebody may want to look at.
const ITEMS_SHOWN: usize = 20;

/// How the steps of a run are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Steps {
    /// Fan-outs in a line.
    Collapsed,
    /// Each in a line.
    Each,
}

/// The statuses of items, as they are counted: the sign, or the word, behind the number.
const COUNTED: &[(&str, &str)] = &[
    ("completed", "✓"),
    ("failed", "✗"),
    ("running", "▸"),
    ("retrying", "retrying"),
    ("waiting", "waiting"),
    ("compensating", "◂"),
    ("compensated", "↩"),
    ("skipped", "skipped"),
    ("cancelled", "cancelled"),
    ("pending", "pending"),
];

/// The lines of the steps. What can be seen of those that have none is named, unless no command is.
pub(super) fn lines(report: &RunReport, how: Steps, call: Option<&Call>) -> Vec<Text> {
    let fan_outs = if how == Steps::Collapsed { fan_outs(&report.steps) } else { HashMap::new() };
    let mut left: HashMap<&str, usize> = HashMap::new();
    let mut rows = Vec::new();
    for step in &report.steps {
        if let Some(fan_out) = fan_out_of(step).filter(|id| fan_outs.contains_key(id)) {
            let left = left.entry(fan_out).or_insert(ITEMS_SHOWN);
            if !is_of_note(step) || *left == 0 {
                continue;
            }
            *left -= 1;
        }
        rows.push(step);
    }
    let width = rows.iter().map(|step| name(step.id.as_str()).width()).max().unwrap_or(0);
    let late = waiting::in_vain(report);
    let mut lines = Vec::with_capacity(rows.len());
    for (place, step) in rows.iter().enumerate() {
        let fan_out = fan_outs.get(step.id.as_str());
        let line = line(step, width, late.contains(&step.id), report.error.as_ref());
        lines.push(line.and(fan_out.map(|fan_out| terminal!("  {}", fan_out.counts()))));
        let of = fan_out_of(step).and_then(|id| Some((id, fan_outs.get(id)?)));
        let next = rows.get(place + 1).and_then(|next| fan_out_of(next));
        if let Some((id, fan_out)) = of.filter(|(id, _)| next != Some(*id))
            && fan_out.of_note > ITEMS_SHOWN
        {
            let more = fan_out.of_note - ITEMS_SHOWN;
            let all =
                call.map(|call| terminal!(": {}", call.command(["status", report.run.as_str(), "--all"])));
            let words = terminal!("    … {} more of {}", more, name(id)).and(all);
            lines.push(Tone::Minor.of(&words));
        }
    }
    lines
}

/// The items of a fan-out, by how they are.
#[derive(Default)]
struct FanOut<'a> {
    by_status: HashMap<&'a str, usize>,
    degraded: usize,
    of_note: usize,
}

impl FanOut<'_> {
    fn counts(&self) -> Text {
        let count = |(status, sign): &(&str, &str)| {
            let count = self.by_status.get(status)?;
            Some(Tone::of_status(status).of(&terminal!("{} {}", count, sign)))
        };
        let counts = Text::joined(COUNTED.iter().filter_map(count), "  ");
        let degraded =
            (self.degraded > 0).then(|| Tone::Warning.of(&terminal!("  {} degraded", self.degraded)));
        counts.and(degraded)
    }
}

/// All fan-outs that have items, by the ids of their steps.
fn fan_outs(steps: &[StepReport]) -> HashMap<&str, FanOut<'_>> {
    let mut fan_outs: HashMap<&str, FanOut<'_>> = HashMap::new();
    for step in steps {
        let Some(id) = fan_out_of(step) else { continue };
        let fan_out = fan_outs.entry(id).or_default();
        *fan_out.by_status.entry(step.status.as_str()).or_default() += 1;
        fan_out.degraded += usize::from(step.degraded);
        fan_out.of_note += usize::from(is_of_note(step));
    }
    fan_outs
}

/// The id of the fan-out whose item the step is for; none if it is for none.
fn fan_out_of(step: &StepReport) -> Option<&str> {
    let (fan_out, item) = step.id.as_str().strip_suffix(']')?.rsplit_once('[')?;
    item.bytes().all(|byte| byte.is_ascii_digit()).then_some(fan_out)
}

/// Whether somebody may want to look at an item: it failed, was left out for that, waits, or is on its way.
fn is_of_note(step: &StepReport) -> bool {
    match step.status.as_str() {
        "failed" | "waiting" | "retrying" | "running" | "compensating" => true,
        "skipped" => step.error.is_some(),
        _ => false,
    }
}

/// A step in a line. Why it failed stands there, unless that is told below, of the run.
fn line(step: &StepReport, width: usize, is_late: bool, of_run: Option<&Problem>) -> Text {
    let is_kept = step.settled.as_ref().is_some_and(|said| said.how == Resolution::Skip);
    let sign = if is_kept { '=' } else { sign(&step.status) };
    let tone = Tone::of_status(&step.status);
    let id = name(step.id.as_str()).padded(width);
    let status = step.settled.as_ref().map_or_else(|| colour::status(&step.status), settled);
    let mut line = terminal!("  {} {}  {}", tone.of(&terminal!("{}", sign)), id, status);
    line = line.and(step.tolerated.then(|| Tone::Warning.of(&terminal!(", tolerated"))));
    line = line.and(is_late.then(|| Tone::Warning.of(&terminal!(", in vain"))));
    line = line.and(step_worked_and_waited(step).map(|time| Tone::Minor.of(&terminal!("  {}", time))));
    if step.attempts > 1 {
        line = line.and(terminal!("  {} attempts", step.attempts));
    }
    if let (Some(primary), Some(agent)) = (&step.primary_agent, &step.agent) {
        line = line.and(Tone::Warning.of(&terminal!("  by {} instead of {}", name(agent), name(primary))));
    }
    let far = step.progress.as_ref();
    line = line.and(far.map(|far| terminal!("  {}% {}", far.percent, cut(&far.text)).trimmed()));
    // What a person said of it is all that there is left to say.
    let error = step.error.as_ref().filter(|error| step.settled.is_none() && !is_told(step, error, of_run));
    line.and(error.map(|error| terminal!("  {}: {}", error.code, cut(&error.message))))
}

/// How a step is whose compensation a person has settled.
fn settled(settled: &SettledReport) -> Text {
    let how = if settled.how == Resolution::Skip { "kept" } else { "undone by hand" };
    terminal!("{} ({}: {})", how, name(&settled.by), cut(&settled.reason))
}

/// Whether what a step failed with is told of the run: it fails with what failed in it.
fn is_told(step: &StepReport, error: &Problem, of_run: Option<&Problem>) -> bool {
    let told = of_run.and_then(|told| Some((told, told.step.as_ref()?)));
    told.is_some_and(|(told, inner)| {
        let is_within = inner.as_str().starts_with(step.id.as_str());
        is_within && error.code == told.code && error.message.ends_with(&told.message)
    })
}
