//! What a chain holds: its subtasks with their labels, and what stands around them.

use super::labels::{Key, Label, item};
use super::lines::{Block, Line, Part, numbered, parts};
use super::report::{Place, Report};
use crate::events::ids::StepId;
use crate::events::limits::CHAIN_SUBTASKS_MAX;
use crate::events::problem::{Code, Problem};

/// A chain as it is written.
#[derive(Default)]
pub(super) struct Outline<'a> {
    /// The text of its first heading, with the place.
    pub(super) title: Option<(&'a str, Place)>,
    /// The first paragraph of what it says of itself.
    pub(super) about: Vec<&'a str>,
    /// What stands behind `**Version**:`.
    pub(super) version: Option<(&'a str, Place)>,
    /// What stands in its section on inputs.
    pub(super) inputs: Option<Field<'a>>,
    /// The example of what it answers in the end.
    pub(super) output: Option<Block<'a>>,
    pub(super) subtasks: Vec<Section<'a>>,
}

/// A subtask as it is written.
pub(super) struct Section<'a> {
    pub(super) number: u32,
    pub(super) name: &'a str,
    /// The line of its heading.
    pub(super) line: u64,
    fields: Vec<(Key, Field<'a>)>,
}

/// What stands behind a label, up to the next one.
#[derive(Default)]
pub(super) struct Field<'a> {
    /// The line of the label.
    pub(super) line: u64,
    /// What stands on that line, and the column in which it begins.
    pub(super) rest: &'a str,
    pub(super) column: u64,
    /// The lines below it that stand in no block.
    pub(super) lines: Vec<Line<'a>>,
    pub(super) blocks: Vec<Block<'a>>,
}

impl<'a> Section<'a> {
    /// The step that it is.
    pub(super) fn id(&self) -> StepId {
        id(self.number)
    }

    pub(super) fn field(&self, key: Key) -> Option<&Field<'a>> {
        self.fields.iter().find(|(of, _)| *of == key).map(|(_, field)| field)
    }

    pub(super) fn place(&self) -> Place {
        (self.line, 1)
    }
}

/// The id of the step that the subtask of that number is.
pub(super) fn id(number: u32) -> StepId {
    StepId::grown(&format!("subtask_{number}"))
}

/// What the part of a chain is about that is being read.
enum Around {
    /// The text below the title.
    Top,
    /// A subtask, and whether a label has begun in it.
    Subtask {
        labelled: bool,
    },
    /// What the chain says of itself.
    About,
    Inputs,
    Output,
    /// Anything else.
    Other,
}

impl<'a> Outline<'a> {
    /// Reads what a chain holds.
    pub(super) fn read(text: &'a str, report: &mut Report<'_>) -> Self {
        let (mut outline, mut around) = (Self::default(), Around::Top);
        for part in parts(text, report) {
            match part {
                Part::Heading { level, text, line } => {
                    if outline.subtasks.len() > CHAIN_SUBTASKS_MAX {
                        break;
                    }
                    around = outline.heading(level, text, line, around, report);
                }
                Part::Text(line) => outline.line(line, &mut around, report),
                Part::Block(block) => outline.block(block, &around),
            }
        }
        report.step = None;
        if let Some(first) = outline.subtasks.get(CHAIN_SUBTASKS_MAX) {
            let message = format!("a chain has no more than {CHAIN_SUBTASKS_MAX} subtasks");
            report.refuse(first.place(), Problem::new(Code::TooLarge, message));
        }
        if outline.subtasks.is_empty() && report.problems.is_empty() {
            let message = "the chain has no subtasks: no heading is `### Subtask N: NAME`";
            report.refuse((1, 1), Problem::new(Code::NoSubtasks, message));
        }
        outline
    }

    fn heading(
        &mut self,
        level: usize,
        text: &'a str,
        line: u64,
        around: Around,
        report: &mut Report<'_>,
    ) -> Around {
        /// A deeper heading stands inside of a subtask.
        const SUBTASK_LEVELS: std::ops::RangeInclusive<usize> = 2..=4;
        if let Some((number, name)) = numbered(text).filter(|_| SUBTASK_LEVELS.contains(&level)) {
            return match self.subtask(number, name, line, report) {
                Some(()) => Around::Subtask { labelled: false },
                None => Around::Other,
            };
        }
        if matches!(around, Around::Subtask { .. }) && level > 3 {
            return around;
        }
        report.step = None;
        if level == 1 && self.title.is_none() {
            self.title = Some((text, (line, 1)));
            return Around::Top;
        }
        let about = text.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| about.contains(word));
        match level {
            _ if has(&["final output"]) => Around::Output,
            _ if has(&["input"]) && self.subtasks.is_empty() => {
                self.inputs = Some(Field { line, ..Field::default() });
                Around::Inputs
            }
            _ if has(&["overview", "purpose", "description"]) && self.about.is_empty() => Around::About,
            _ => Around::Other,
        }
    }

    /// Begins a subtask; none if it cannot be one.
    fn subtask(&mut self, number: &str, name: &'a str, line: u64, report: &mut Report<'_>) -> Option<()> {
        report.step = None;
        let Ok(value) = number.parse::<u32>() else {
            let problem = Problem::new(Code::BadSubtask, format!("`{number}` is no number of a subtask"));
            report.refuse((line, 1), problem.hint("number them from 1"));
            return None;
        };
        report.step = Some(id(value));
        if let Some(first) = self.subtasks.iter().find(|section| section.number == value) {
            let message = format!("a second subtask {value}: the first is in line {}", first.line);
            let problem = Problem::new(Code::DuplicateStep, message);
            report.refuse((line, 1), problem.hint("give each subtask a number of its own"));
        }
        self.subtasks.push(Section { number: value, name, line, fields: Vec::new() });
        Some(())
    }

    fn line(&mut self, line: Line<'a>, around: &mut Around, report: &mut Report<'_>) {
        match around {
            Around::Subtask { labelled } => {
                let Some(section) = self.subtasks.last_mut() else { return };
                if section.line_of(line, *labelled, report) {
                    *labelled = true;
                }
            }
            Around::Inputs => {
                if let Some(field) = &mut self.inputs {
                    field.lines.push(line);
                }
            }
            Around::About if line.text.trim().is_empty() && !self.about.is_empty() => *around = Around::Other,
            Around::About => {
                let is_text = !line.text.trim().is_empty() && item(line.text).is_none();
                self.about.extend(is_text.then(|| line.text.trim()));
            }
            Around::Top | Around::Other | Around::Output => {}
        }
        if let Some(label) = Label::of(line.text).filter(|label| label.name.eq_ignore_ascii_case("version"))
            && self.version.is_none()
            && self.subtasks.is_empty()
        {
            self.version = Some((label.rest, (line.number, label.column)));
        }
    }

    fn block(&mut self, block: Block<'a>, around: &Around) {
        match around {
            Around::Subtask { labelled: true } => {
                let field = self.subtasks.last_mut().and_then(|section| section.fields.last_mut());
                if let Some((_, field)) = field {
                    field.blocks.push(block);
                }
            }
            Around::Inputs => {
                if let Some(field) = &mut self.inputs {
                    field.blocks.push(block);
                }
            }
            Around::Output if self.output.is_none() => self.output = Some(block),
            _ => {}
        }
    }
}

impl<'a> Section<'a> {
    /// Reads a line of the subtask; answers whether it is one with a label that means something.
    fn line_of(&mut self, line: Line<'a>, labelled: bool, report: &mut Report<'_>) -> bool {
        let label = Label::of(line.text);
        if let Some((label, key)) = label.and_then(|label| Some((label, label.key()?))) {
            if self.field(key).is_some() {
                let message = format!("a second `**{}**` in one subtask", label.name);
                let problem = Problem::new(Code::BadSubtask, message);
                report.refuse((line.number, 1), problem.hint("take one of them out"));
            }
            let Label { rest, column, .. } = label;
            let field = Field { line: line.number, rest, column, ..Field::default() };
            self.fields.push((key, field));
            return true;
        }
        if let Some((label, meant)) = label.and_then(|label| Some((label, label.meant()?))) {
            let message = format!("`**{}**` is no label of a subtask, and is not read", label.name);
            let hint = format!("did you mean `**{meant}**`?");
            report.warn((line.number, 1), Problem::new(Code::ChainAdvice, message).hint(hint));
        }
        let Some((key, field)) = self.fields.last_mut().filter(|_| labelled) else { return false };
        // Another label ends what stands above it, but for one in a list, and for a prompt that stands in no block: that is words.
        let is_apart = label.is_some() && item(line.text).is_none();
        let ends = is_apart && (*key != Key::Prompt || !field.blocks.is_empty());
        match (*key, ends || is_rule(line.text)) {
            (Key::Unread, _) => {}
            (_, true) => self.fields.push((Key::Unread, Field::default())),
            (_, false) => field.lines.push(line),
        }
        false
    }
}

/// Whether a line is a rule between parts: `---`.
fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 3 && ['-', '*', '_'].iter().any(|mark| line.chars().all(|c| c == *mark))
}
