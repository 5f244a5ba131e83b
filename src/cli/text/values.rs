//! What a run and its steps were given, and what they answered.

use std::borrow::Cow;

use serde_json::Value;

use super::terminal::{Call, Text, name, terminal};
use crate::events::json::Json;
use crate::events::text::{shortened, shortened_lines};
use crate::views::presenters::report::{RunReport, StepReport};
use crate::workflow::answer;
use crate::workflow::json_text::Level;

/// How much is shown of a value, in characters.
const VALUE_CHARS: usize = 400;

/// What a run was given, and its steps, and what these answered; nothing where that was not asked for.
pub(in crate::cli) fn given_and_answered(report: &RunReport, call: &Call) -> Option<Text> {
    let input = report.input.as_ref()?;
    let mut values = Values::default();
    let mut lines = Vec::new();
    if !input.is_null() && input.text() != "{}" {
        lines.push(terminal!("input:"));
        lines.extend(values.members(input, "input", "  "));
    }
    lines.extend(values.steps(report, true));
    if values.cut {
        let whole = call.command(["--json", "status", report.run.as_str(), "-v"]);
        lines.push(terminal!("values are cut; whole: {}", whole));
    }
    (!lines.is_empty()).then(|| Text::lines(lines))
}

/// What the steps of a run in the past had answered; nothing if none had.
pub(in crate::cli) fn answered(report: &RunReport, call: &Call) -> Option<Text> {
    let mut values = Values::default();
    let mut lines = values.steps(report, false);
    if values.cut {
        let at = report.version.to_string();
        let whole = call.command(["--json", "replay", report.run.as_str(), "--at", &at]);
        lines.push(terminal!("values are cut; whole: {}", whole));
    }
    (!lines.is_empty()).then(|| Text::lines(lines))
}

/// Shows values, and remembers whether one of them was cut.
#[derive(Default)]
struct Values {
    cut: bool,
}

impl Values {
    /// A line for each value of each step that has any, below the step's name.
    fn steps(&mut self, report: &RunReport, with_inputs: bool) -> Vec<Text> {
        let mut lines = Vec::new();
        for step in &report.steps {
            let of_step = self.step(step, with_inputs);
            if !of_step.is_empty() {
                lines.push(terminal!("values of {}:", name(step.id.as_str())));
                lines.extend(of_step);
            }
        }
        lines
    }

    fn step(&mut self, step: &StepReport, with_inputs: bool) -> Vec<Text> {
        let given = step.input.as_ref().filter(|_| with_inputs);
        let mut values: Vec<(String, String)> =
            given.map(|given| members(given, "input")).unwrap_or_default();
        if !step.output.is_null() {
            values.push(("output".to_owned(), step.output.text().to_owned()));
        }
        // The first line of what stands above says nothing more.
        let summary =
            step.summary.iter().filter(|said| answer::read(&step.output).first_line.as_ref() != Some(said));
        let as_json = |said: &String| Json::from(&Value::from(said.as_str())).text().to_owned();
        values.extend(summary.filter(|_| with_inputs).map(|said| ("summary".to_owned(), as_json(said))));
        let metrics = step.metrics.iter().filter(|_| with_inputs);
        values.extend(metrics.map(|(name, value)| (format!("metric {name}"), value.to_string())));
        self.lines(&values, "    ")
    }

    fn members(&mut self, value: &Json, alone: &str, indent: &'static str) -> Vec<Text> {
        self.lines(&members(value, alone), indent)
    }

    fn lines(&mut self, values: &[(String, String)], indent: &'static str) -> Vec<Text> {
        let width = values.iter().map(|(member, _)| name(member).width()).max().unwrap_or(0);
        let of_one = |(member, value): &(String, String)| {
            let lines = self.plain(value).into_iter().enumerate().map(|(number, line)| {
                let member = name(if number == 0 { member } else { "" }).padded(width);
                terminal!("{}{}  {}", indent, member, line)
            });
            lines.collect::<Vec<_>>()
        };
        values.iter().flat_map(of_one).collect()
    }

    /// JSON as people read it, line by line.
    fn plain(&mut self, json: &str) -> Vec<Text> {
        let shown = read(json);
        self.cut |= shown.chars().nth(VALUE_CHARS).is_some();
        let shown = shortened_lines(shown.trim_end(), VALUE_CHARS);
        shown.split('\n').map(|line| Text::of_medium(line.to_owned())).collect()
    }
}

/// JSON as people read it: a text without its quotes, all else as it is written.
pub(in crate::cli) fn read(json: &str) -> Cow<'_, str> {
    match Level::of(json) {
        Ok(Level::Text(text)) => text,
        _ => json.into(),
    }
}

/// The same on one line, as much of it as so many characters.
pub(in crate::cli) fn short(json: &str, chars_max: usize) -> Text {
    Text::of_medium(shortened(&read(json), chars_max).into_owned())
}

/// The members of an object, each as JSON; of anything else itself, under that name.
fn members(value: &Json, alone: &str) -> Vec<(String, String)> {
    match Level::of(value.text()) {
        Ok(Level::Map(members)) => {
            members.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
        }
        _ => vec![(alone.to_owned(), value.text().to_owned())],
    }
}
