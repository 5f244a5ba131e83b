//! Events, steps and values as lines of a terminal.

use serde_json::Value;

use crate::api::protocol::{HistoryLine, Shown, State};
use crate::cli::text::terminal::written;
use crate::cli::text::{Text, moment, name, one_line, terminal};
use crate::events::ids::{StepId, Version};
use crate::events::json::Json;
use crate::events::problem::Problem;
use crate::events::text::shortened;
use crate::views::presenters::report::{StepReport, sign};
use crate::workflow::json_text::Level;

/// How much of what an event says stands in its row, in characters.
const ROW_CHARS: usize = 160;

/// An event in a list of them.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) version: Version,
    pub(super) kind: String,
    /// The step that it is about.
    pub(super) step: Option<StepId>,
    pub(super) is_failure: bool,
    /// What it says beside, in a line.
    pub(super) says: Text,
}

/// The events that say that something did not go well: of attempts, too.
const FAILURES: [&str; 6] =
    ["attempt_failed", "attempt_lost", "step_failed", "compensation_failed", "run_failed", "run_stuck"];

/// What stands in the row of an event.
pub(super) fn row(line: &HistoryLine) -> Row {
    let data = line.data.value();
    let text = |name: &str| data.get(name).and_then(Value::as_str);
    let is_failure = FAILURES.contains(&line.kind.as_str());
    let mut words = Vec::new();
    if is_failure {
        words.extend([text("code"), text("message")].into_iter().flatten().map(str::to_owned));
    } else {
        for name in ["workflow", "agent", "purpose", "reason", "by", "request", "name", "run", "status"] {
            words.extend(text(name).filter(|word| *word != "do").map(str::to_owned));
        }
        let attempt = data.get("attempt").and_then(Value::as_u64);
        words.extend(attempt.filter(|attempt| *attempt > 1).map(|attempt| format!("attempt {attempt}")));
    }
    Row {
        version: line.version,
        kind: line.kind.clone(),
        step: text("step").map(StepId::grown),
        is_failure,
        says: shown(&words.join(" ")),
    }
}

/// A text from outside, so much of it as stands in a row.
fn shown(text: &str) -> Text {
    terminal!("{}", shortened(text, ROW_CHARS))
}

/// A step in a line.
pub(super) fn step_line(step: &StepReport, width: usize) -> Text {
    let mut line =
        terminal!("{} {}  {}", sign(&step.status), name(step.id.as_str()).padded(width), step.status);
    line = line.and((step.attempts > 1).then(|| terminal!("  {} attempts", step.attempts)));
    line.and(step.error.as_ref().map(|error| terminal!("  {} {}", error.code, shown(&error.message))))
}

/// The state as a whole, in lines that stand above its steps.
pub(super) fn state_lines(state: &State) -> Vec<Text> {
    match &state.shown {
        Shown::Run(report) => {
            let mut lines = Vec::new();
            lines.extend(
                report.error.as_ref().map(|error| terminal!("{} {}", error.code, shown(&error.message))),
            );
            let waits = report.waiting_for.first();
            lines.extend(waits.map(|first| terminal!("waits: {} of {}", first.kind, first.step)));
            lines
        }
        Shown::Stream(report) => {
            let mut lines = vec![terminal!("{}", report.status)];
            lines.extend(value_lines(&report.state));
            lines
        }
    }
}

/// What it is, in a few words, and its status then.
pub(super) fn title(state: &State) -> Text {
    match &state.shown {
        Shown::Run(report) => {
            terminal!("{}  {}  {}", name(&report.workflow), report.run, report.status.text())
        }
        Shown::Stream(report) => terminal!("{}  {}", name(report.stream.as_str()), report.status),
    }
}

/// What is left on the terminal when the walk ends.
pub(super) fn left(state: &State) -> Text {
    let at = terminal!("version {} of {}", state.event.version, state.newest);
    match &state.shown {
        Shown::Run(report) => terminal!("{}  {}", one_line(report), at),
        Shown::Stream(_) => terminal!("{}  {}", title(state), at),
    }
}

/// All that an event says, and of its step what was known then.
pub(super) fn event_lines(state: &State) -> Vec<Text> {
    let event = &state.event;
    let mut lines =
        vec![terminal!("{}  version {}  {}", event.kind, event.version, moment(event.at)), Text::default()];
    lines.extend(value_lines(state.whole.as_ref().unwrap_or(&event.data)));
    let step = event.data.value().get("step").and_then(Value::as_str).map(StepId::grown);
    if let (Shown::Run(report), Some(step)) = (&state.shown, step)
        && let Some(step) = report.steps.iter().find(|known| known.id == step)
    {
        lines.extend([Text::default(), terminal!("the step, as of this version:"), Text::default()]);
        lines.extend(step_lines(step));
    }
    lines
}

/// All that is known of a step.
pub(super) fn step_lines(step: &StepReport) -> Vec<Text> {
    let mut lines = vec![terminal!("{} {}  {}", sign(&step.status), name(step.id.as_str()), step.status)];
    lines.extend(step.agent.as_ref().map(|agent| terminal!("agent: {}", name(agent))));
    lines.push(terminal!("attempts: {}", step.attempts));
    lines.extend(step.started_at.map(|at| terminal!("started: {}", moment(at))));
    lines.extend(step.ended_at.map(|at| terminal!("ended: {}", moment(at))));
    lines.extend(step.error.iter().flat_map(error_lines));
    if !step.output.is_null() {
        lines.extend([Text::default(), terminal!("output:")]);
        lines.extend(value_lines(&step.output));
    }
    if !step.artifacts.is_empty() {
        lines.extend([Text::default(), terminal!("artifacts:")]);
        lines.extend(step.artifacts.iter().map(|path| terminal!("{}", path)));
    }
    lines
}

pub(super) fn error_lines(error: &Problem) -> Vec<Text> {
    let mut lines = vec![Text::default(), terminal!("error {} ({}):", error.code, error.class)];
    lines.extend(plain_lines(&error.message));
    lines
}

/// A text of several lines.
fn plain_lines(text: &str) -> Vec<Text> {
    text.lines().map(|line| written(&line.replace('\t', "    "))).collect()
}

/// A value, whole: members and items a line each, and texts with their own lines.
pub(super) fn value_lines(json: &Json) -> Vec<Text> {
    let mut lines = Vec::new();
    put(&mut lines, 0, "", json.text());
    lines
}

/// How deep values are drawn in; what lies deeper stands no further right.
const INSET_MAX: usize = 20;

fn put(lines: &mut Vec<Text>, depth: usize, lead: &str, json: &str) {
    let inset = "  ".repeat(depth.min(INSET_MAX));
    // A line from outside: what acts in it is taken out, and what is long is wrapped later.
    let mut line =
        |text: &str| lines.push(written(&format!("{inset}{lead}{text}").replace(['\n', '\t'], " ")));
    match Level::of(json) {
        Ok(Level::Map(members)) if !members.is_empty() => {
            let depth = if lead.is_empty() { depth } else { depth + 1 };
            if !lead.is_empty() {
                line("");
            }
            for (key, value) in members {
                put(lines, depth, &format!("{key}: "), value);
            }
        }
        Ok(Level::List(items)) if !items.is_empty() => {
            let depth = if lead.is_empty() { depth } else { depth + 1 };
            if !lead.is_empty() {
                line("");
            }
            for item in items {
                put(lines, depth, "- ", item);
            }
        }
        Ok(Level::Text(text)) if text.trim_end().contains('\n') => {
            line("|");
            let inset = "  ".repeat((depth + 1).min(INSET_MAX));
            let own = text
                .trim_end()
                .lines()
                .map(|line| written(&format!("{inset}{}", line.replace('\t', "    "))));
            lines.extend(own);
        }
        Ok(Level::Text(text)) if is_plain(&text) => line(&text),
        _ => line(json),
    }
}

/// Whether a text needs no quotes: it cannot be taken for anything else.
fn is_plain(text: &str) -> bool {
    let is_other =
        text.parse::<f64>().is_ok() || matches!(text, "" | "true" | "false" | "null" | "{}" | "[]");
    !is_other && text.trim() == text && !text.starts_with(['"', '|'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(json: &str) -> Vec<String> {
        let lines = value_lines(&Json::parse(json).unwrap());
        lines.iter().map(|line| line.as_str().to_owned()).collect()
    }

    #[test]
    fn a_value_is_shown_whole_with_the_lines_of_its_texts() {
        let json = r#"{"a":1,"b":{"c":"x","d":[true,"true",{"e":null}]},"t":"one\n\ttwo\n","n":12345678901234567890123,"z":{}}"#;
        let wanted = [
            "a: 1",
            "b: ",
            "  c: x",
            "  d: ",
            "    - true",
            "    - \"true\"",
            "    - ",
            "      e: null",
            "t: |",
            "  one",
            "      two",
            "n: 12345678901234567890123",
            "z: {}",
        ];
        assert_eq!(lines(json), wanted);
        assert_eq!(lines("\"x\""), ["x"]);
    }

    #[test]
    fn nothing_in_a_value_acts() {
        assert_eq!(
            lines("{\"k\\u001b[2J\":\"a\\u001b[2Jb\",\"t\":\"x\\ny\\u202e\"}"),
            ["k [2J: a [2Jb", "t: |", "  x", "  y\u{fffd}"]
        );
    }
}
