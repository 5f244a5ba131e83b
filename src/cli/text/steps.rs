//! The steps of a run, in a line each.

use super::colour::{self, Tone};
use super::terminal::{Text, name, terminal};
use super::{cut, took};
use crate::events::problem::Problem;
use crate::views::presenters::report::{RunReport, StepReport};

/// The lines of the steps.
pub(super) fn lines(report: &RunReport) -> Vec<Text> {
    let width = report.steps.iter().map(|step| name(step.id.as_str()).width()).max().unwrap_or(0);
    report.steps.iter().map(|step| line(step, width, report.error.as_ref())).collect()
}

/// A step in a line. Why it failed stands there, unless that is told below, of the run.
fn line(step: &StepReport, width: usize, of_run: Option<&Problem>) -> Text {
    let sign = match step.status.as_str() {
        "completed" => '✓',
        "failed" => '✗',
        "running" => '▸',
        "skipped" | "cancelled" => '-',
        "compensating" => '◂',
        "compensated" => '↩',
        "retrying" | "waiting" => '…',
        _ => ' ',
    };
    let tone = Tone::of_status(&step.status);
    let id = name(step.id.as_str()).padded(width);
    let mut line =
        terminal!("  {} {}  {}", tone.of(&terminal!("{}", sign)), id, colour::status(&step.status));
    line = line.and(step.tolerated.then(|| Tone::Warning.of(&terminal!(", tolerated"))));
    if let (Some(from), Some(to)) = (step.started_at, step.ended_at) {
        line = line.and(Tone::Minor.of(&terminal!("  {}", took(to.since(from)))));
    }
    if step.attempts > 1 {
        line = line.and(terminal!("  {} attempts", step.attempts));
    }
    if let (Some(primary), Some(agent)) = (&step.primary_agent, &step.agent) {
        line = line.and(Tone::Warning.of(&terminal!("  by {} instead of {}", name(agent), name(primary))));
    }
    let far = step.progress.as_ref();
    line = line.and(far.map(|far| terminal!("  {}% {}", far.percent, cut(&far.text)).trimmed()));
    let error = step.error.as_ref().filter(|error| !is_told(step, error, of_run));
    line.and(error.map(|error| terminal!("  {}: {}", error.code, cut(&error.message))))
}

/// Whether what a step failed with is told of the run: it fails with what failed in it.
fn is_told(step: &StepReport, error: &Problem, of_run: Option<&Problem>) -> bool {
    let told = of_run.and_then(|told| Some((told, told.step.as_ref()?)));
    told.is_some_and(|(told, inner)| {
        let is_within = inner.as_str().starts_with(step.id.as_str());
        is_within && error.code == told.code && error.message.ends_with(&told.message)
    })
}
