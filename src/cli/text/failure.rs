//! What a run failed with, told once: what went wrong, where that stands, what was to be done with which values, and what
//! makes sense next.

use super::colour::Tone;
use super::terminal::{Call, Text, terminal};
use super::{from_here, hint};
use crate::events::problem::{Problem, Remedy, SourceLocation};
use crate::events::run::Purpose;
use crate::events::text::shortened;
use crate::views::presenters::report::{FailureReport, RunReport};
use crate::views::presenters::why::Used;

/// How many of the lines of a message are shown, and of a command or a prompt. `--json` has all of them.
const LINES_SHOWN: usize = 12;

/// How much of a line is shown, in characters.
const LINE_CHARS: usize = 400;

/// What a run failed with. Of a run in the past no command is named: without a `call`.
pub(super) fn text(report: &RunReport, error: &Problem, call: Option<&Call>) -> Text {
    let step = error.step.as_ref().map(|step| terminal!(" in `{}`", step));
    let mut message = error.message.lines();
    let first = message.next().unwrap_or_default();
    let what = Tone::Bad.of(&terminal!("error[{}]{}:", error.code, step.unwrap_or_default()));
    let mut lines = vec![terminal!("{} {}", what, first)];
    lines.extend(some("  ", message));
    let failure = report.failure.as_ref();
    lines.extend(failure.filter(|failure| !is_told(failure, error)).into_iter().flat_map(stderr));
    lines.extend(error.at.as_ref().map(place));
    lines.extend(failure.into_iter().flat_map(work));
    let usual = Call::default();
    let call_or_usual = call.unwrap_or(&usual);
    lines.push(hint(error, call_or_usual));
    // The hint may say so already.
    let call = call.filter(|_| !error.remedies.all.contains(&Remedy::LookAtWhy));
    lines.extend(call.map(|call| terminal!("why: {}", call.command(["why", report.run.as_str()]))));
    Text::lines(lines)
}

fn place(at: &SourceLocation) -> Text {
    terminal!("  at {}:{}:{}", from_here(&at.file), at.line, at.column)
}

/// Whether the message has the last lines of stderr already.
fn is_told(failure: &FailureReport, error: &Problem) -> bool {
    let printable = |line: &str| line.chars().filter(|character| !character.is_control()).collect::<String>();
    failure.stderr.last().is_none_or(|last| error.message.contains(printable(last).trim()))
}

fn stderr(failure: &FailureReport) -> Vec<Text> {
    let lines = some("    ", failure.stderr.iter().map(String::as_str));
    std::iter::once(terminal!("  stderr:")).chain(lines).collect()
}

/// What was to be done, and with which values.
fn work(failure: &FailureReport) -> Vec<Text> {
    let mut work = failure.work.lines();
    let mut lines = Vec::new();
    if let Some(first) = work.next() {
        let first = Text::of_medium(shortened(first, LINE_CHARS).into_owned());
        let what = if failure.purpose == Purpose::Compensate { "undoing it, " } else { "" };
        lines.push(terminal!("  {}attempt {} by {}: {}", what, failure.attempt, failure.agent, first));
        lines.extend(some("    ", work));
    }
    lines.extend(failure.used.iter().map(|Used { path, step, value }| {
        let value = value.as_ref().map(|value| terminal!(" = {}", value));
        let of = step.as_ref().map(|step| terminal!(", of `{}`", step));
        terminal!("  used {}{}{}", path, value.unwrap_or_default(), of.unwrap_or_default())
    }));
    lines
}

/// Lines, so far behind the margin, as many as are shown.
fn some<'a>(margin: &'static str, lines: impl Iterator<Item = &'a str>) -> Vec<Text> {
    let mut lines = lines.filter(|line| !line.trim().is_empty());
    let shown = lines.by_ref().take(LINES_SHOWN);
    let shown = shown
        .map(|line| terminal!("{}{}", margin, Text::of_medium(shortened(line, LINE_CHARS).into_owned())));
    let mut shown: Vec<Text> = shown.collect();
    match lines.count() {
        0 => {}
        more => shown.push(terminal!("{}… {} more lines", margin, more)),
    }
    shown
}
