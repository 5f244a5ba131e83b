//! A subtask, read: who does it, what it uses and answers, and what its agent is told.

use super::example::Example;
use super::labels::{Key, item};
use super::outline::{Field, Section};
use super::report::{Place, Report};
use super::variables::{Variable, variables};
use crate::events::problem::{Code, Problem};
use crate::events::text::shortened;

/// The longest name of an agent in a prompt, in characters: what is longer is a sentence.
const AGENT_CHARS_MAX: usize = 80;

/// A subtask.
pub(super) struct Subtask {
    pub(super) number: u32,
    /// What its heading calls it.
    pub(super) name: String,
    pub(super) place: Place,
    /// What it is for; empty if nothing says it.
    pub(super) goal: String,
    /// Who does it, and who goes on where that one hands it over; empty if nobody is named.
    pub(super) agents: Vec<(String, Place)>,
    pub(super) inputs: Vec<Variable>,
    pub(super) outputs: Vec<Variable>,
    /// The line that says in the older form what it uses or answers.
    pub(super) older: Option<u64>,
    /// Whether it says anything of what it answers.
    pub(super) says_output: bool,
    /// The example of what it answers.
    pub(super) example: Option<Example>,
    pub(super) prompt: Prompt,
    /// The name of the variable that is all it answers.
    pub(super) whole: String,
}

/// What the agent of a subtask is told, before anything is filled in.
pub(super) struct Prompt {
    pub(super) text: String,
    line: u64,
    column: u64,
}

impl Prompt {
    /// The place of a byte of it.
    pub(super) fn place(&self, at: usize) -> Place {
        let above = self.text.get(..at).unwrap_or_default();
        let chars = |text: &str| text.chars().count() as u64;
        match above.rsplit_once('\n') {
            Some((lines, last)) => (self.line + 1 + lines.matches('\n').count() as u64, chars(last) + 1),
            None => (self.line, self.column + chars(above)),
        }
    }
}

impl Subtask {
    /// Reads a subtask. What it lacks is reported, and left empty.
    pub(super) fn read(section: &Section<'_>, report: &mut Report<'_>) -> Self {
        report.step = Some(section.id());
        if section.name.is_empty() {
            let message = format!("subtask {} has no name", section.number);
            let hint = "write it behind the number: `### Subtask 1: NAME`";
            report.advise(section.place(), message, hint);
        }
        let field = |key| section.field(key);
        let example = |key, what: &str, report: &mut Report<'_>| {
            field(key)
                .and_then(|field| field.blocks.first())
                .and_then(|block| Example::read(block, what, report))
        };
        let of_input = example(Key::Input, "the example of the input", report);
        let of_output = example(Key::Output, "the example of the output", report);
        let named = |key, example: Option<&Example>, report: &mut Report<'_>| {
            field(key).map(|field| variables(field, example, report)).unwrap_or_default()
        };
        let mut inputs = named(Key::Input, of_input.as_ref(), report);
        inputs.append(&mut named(Key::InputVariables, None, report));
        let mut outputs = outputs(field(Key::Output), of_output.as_ref(), report);
        outputs.append(&mut named(Key::OutputVariables, None, report));
        let older = [Key::InputVariables, Key::OutputVariables].into_iter().filter_map(field);
        let older = older.map(|field| field.line).min();
        let prompt = prompt(section, report);
        Self {
            number: section.number,
            name: match section.name {
                "" => format!("Subtask {}", section.number),
                name => shortened(name, 200).into_owned(),
            },
            place: section.place(),
            goal: field(Key::Goal).map(Field::words).unwrap_or_default(),
            agents: agents(field(Key::Agent), &prompt),
            inputs,
            outputs,
            older,
            says_output: [Key::Output, Key::OutputVariables].into_iter().any(|key| field(key).is_some()),
            example: of_output,
            prompt,
            whole: format!("subtask_{}_output", section.number),
        }
    }
}

/// The variables of `**Output**`: those of its example, else those of a list. Words there name none.
fn outputs(field: Option<&Field<'_>>, example: Option<&Example>, report: &mut Report<'_>) -> Vec<Variable> {
    let Some(field) = field else { return Vec::new() };
    match example {
        Some(_) => variables(&Field { line: field.line, ..Field::default() }, example, report),
        None => {
            let in_backticks =
                |line: &&super::lines::Line<'_>| item(line.text).is_some_and(|text| text.starts_with('`'));
            let lines = field.lines.iter().filter(in_backticks).copied().collect();
            let rest = if field.rest.starts_with('`') { field.rest } else { "" };
            variables(
                &Field { line: field.line, rest, column: field.column, lines, blocks: Vec::new() },
                None,
                report,
            )
        }
    }
}

/// The prompt of a subtask: its block, or the paragraph that begins on the line of the label, or all below that.
fn prompt(section: &Section<'_>, report: &mut Report<'_>) -> Prompt {
    let nothing = |report: &mut Report<'_>, place: Place, message: &str| {
        let problem = Problem::new(Code::BadSubtask, message);
        report.refuse(place, problem.hint("write it in a fenced block below `**Prompt**:`"));
        Prompt { text: String::new(), line: place.0, column: place.1 }
    };
    let Some(field) = section.field(Key::Prompt) else {
        let message = format!("subtask {} has no prompt", section.number);
        return nothing(report, section.place(), &message);
    };
    if let Some(second) = field.blocks.get(1) {
        let message =
            "a second block below `**Prompt**` is not read: the first one ended before it".to_owned();
        let hint =
            "inside of a prompt open a block with a language, as in ```json: a bare fence closes the prompt";
        report.advise((second.line, 1), message, hint);
    }
    let prompt = match field.blocks.first() {
        Some(block) => Prompt { text: block.text(), line: block.line + 1, column: 1 },
        None if !field.rest.is_empty() => {
            let below = field.lines.iter().map(|line| line.text).take_while(|line| !line.trim().is_empty());
            let lines: Vec<&str> = std::iter::once(field.rest).chain(below).collect();
            Prompt { text: lines.join("\n"), line: field.line, column: field.column }
        }
        None => {
            let mut lines = field.lines.as_slice();
            while let [first, rest @ ..] = lines {
                if !first.text.trim().is_empty() {
                    break;
                }
                lines = rest;
            }
            let line = lines.first().map_or(field.line, |line| line.number);
            let text = lines.iter().map(|line| line.text).collect::<Vec<_>>().join("\n");
            Prompt { text: text.trim_end().to_owned(), line, column: 1 }
        }
    };
    if prompt.text.trim().is_empty() {
        return nothing(
            report,
            (field.line, 1),
            &format!("the prompt of subtask {} is empty", section.number),
        );
    }
    prompt
}

/// Who does a subtask: those that `**Agent**` names, else the one that the prompt speaks to.
fn agents(field: Option<&Field<'_>>, prompt: &Prompt) -> Vec<(String, Place)> {
    let named = field.map(|field| {
        let rest = (field.line, field.column, field.rest);
        let below = field.lines.iter().find(|line| !line.text.trim().is_empty());
        let below = below.map(|line| (line.number, 1, item(line.text).unwrap_or(line.text)));
        if field.rest.is_empty() { below.unwrap_or(rest) } else { rest }
    });
    let (line, column, text) = named.unwrap_or_default();
    let mut found = Vec::new();
    let mut at = 0;
    for part in text.split('+') {
        let name = part.trim().trim_matches(['`', '*']);
        let name = name.split_once(" (").map_or(name, |(name, _)| name).trim();
        let before = text.get(..at + part.len() - part.trim_start().len()).unwrap_or_default();
        if !name.is_empty() {
            found.push((name.to_owned(), (line, column + before.chars().count() as u64)));
        }
        at += part.len() + 1;
    }
    if found.is_empty() {
        found.extend(spoken_to(&prompt.text).map(|(name, at)| (name.to_owned(), prompt.place(at))));
    }
    found
}

/// The agent that a prompt speaks to in its first line that says something, with the byte of its name: "You are the DNS
/// Specialist agent …".
fn spoken_to(prompt: &str) -> Option<(&str, usize)> {
    let begins = prompt.len() - prompt.trim_start().len();
    let first = prompt.get(begins..)?.lines().next()?;
    let small = first.to_ascii_lowercase();
    let address = ["you are the ", "you are a ", "you are an "];
    let (at, words) = address.iter().find_map(|words| Some((small.find(words)?, words)))?;
    let from = at + words.len();
    let ends = small.get(from..)?.match_indices(" agent").map(|(at, _)| at).find(|at| {
        let behind = small.get(from + at + " agent".len()..).unwrap_or_default();
        !behind.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-')
    })?;
    let name = first.get(from..from + ends)?.trim();
    let is_name =
        !name.is_empty() && name.chars().count() <= AGENT_CHARS_MAX && !name.contains(['.', '{', ',']);
    is_name.then_some((name, begins + from))
}

impl Field<'_> {
    /// What stands behind the label in words, on one line.
    fn words(&self) -> String {
        let below = self.lines.iter().map(|line| line.text.trim()).take_while(|line| !line.is_empty());
        let words: Vec<&str> = std::iter::once(self.rest).chain(below).collect();
        shortened(words.join(" ").trim(), 300).into_owned()
    }
}
