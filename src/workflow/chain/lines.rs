//! The lines of a chain: headings, fenced blocks, and the text between them. In a block a fence with a language opens another
//! block, and a bare one closes the innermost: so prompts hold examples in fences of the same length, which a reader of
//! CommonMark would take for their end.

use super::report::Report;
use crate::events::problem::{Code, Problem};

/// A part of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A heading: the count of its `#`, and its text.
    Heading { level: usize, text: &'a str, line: u64 },
    /// A line of text that stands in no block.
    Text(Line<'a>),
    /// A fenced block.
    Block(Block<'a>),
}

/// A line of text, without the break at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Its number, from 1.
    pub(super) number: u64,
    pub(super) text: &'a str,
}

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block<'a> {
    /// The line of the fence that opens it; what it holds begins on the next.
    pub(super) line: u64,
    /// The first word behind that fence; empty if there is none.
    pub(super) language: &'a str,
    /// What stands between the fences, without the indentation of the first of them.
    pub(super) lines: Vec<&'a str>,
}

impl Block<'_> {
    /// What it holds, as one text.
    pub(super) fn text(&self) -> String {
        self.lines.join("\n")
    }
}

/// The parts of a chain, in order. A block or a comment that is not closed is reported, and ends with the text.
pub(super) fn parts<'a>(text: &'a str, report: &mut Report<'_>) -> Vec<Part<'a>> {
    let mut lines = text.split('\n').enumerate().map(|(index, line)| Line {
        number: index as u64 + 1,
        text: line.strip_suffix('\r').unwrap_or(line),
    });
    let mut parts = Vec::new();
    let mut swallowed = Vec::new();
    while let Some(line) = lines.next() {
        if line.text.trim_start().starts_with("<!--") {
            comment(line, &mut lines, report);
        } else if let Some(fence) = Fence::of(line.text) {
            let (block, subtask, is_closed) = block(line.number, &fence, &mut lines);
            swallowed.extend(subtask.map(|subtask| (block.line, subtask)));
            if !is_closed {
                not_closed(report, block.line, &std::mem::take(&mut swallowed));
            }
            parts.push(Part::Block(block));
        } else if let Some((level, text)) = heading(line.text) {
            parts.push(Part::Heading { level, text, line: line.number });
        } else {
            parts.push(Part::Text(line));
        }
    }
    for (block, subtask) in swallowed {
        let message =
            format!("this subtask stands inside of the block that opens in line {block}, and is not read");
        report.advise((subtask, 1), message, "close that block before it, if it is meant to be one");
    }
    parts
}

/// Skips a comment: it is for who reads the file.
fn comment<'a>(first: Line<'a>, lines: &mut impl Iterator<Item = Line<'a>>, report: &mut Report<'_>) {
    let mut ends = std::iter::once(first).chain(lines).map(|line| line.text.contains("-->"));
    if !ends.any(|ends| ends) {
        let problem = Problem::new(Code::BrokenFence, "the comment that begins here has no end");
        report.refuse((first.number, 1), problem.hint("end it with `-->`"));
    }
}

/// Says that a fence is not closed, where that most likely is: at the first block that swallowed a subtask.
fn not_closed(report: &mut Report<'_>, last: u64, swallowed: &[(u64, u64)]) {
    let (line, message) = match swallowed.first() {
        Some((block, subtask)) => {
            let message =
                format!("the fence that opens here is not closed before the subtask in line {subtask}");
            (*block, message)
        }
        None => (last, "the fence that opens here is not closed".to_owned()),
    };
    report.refuse((line, 1), Problem::new(Code::BrokenFence, message));
}

/// Reads a block behind the fence that opens it. Answers it with the line of the first subtask that begins in it, and whether it
/// is closed.
fn block<'a>(
    number: u64,
    opens: &Fence<'a>,
    lines: &mut impl Iterator<Item = Line<'a>>,
) -> (Block<'a>, Option<u64>, bool) {
    let language = opens.info.split_whitespace().next().unwrap_or_default();
    let mut block = Block { line: number, language, lines: Vec::new() };
    let (mut open, mut subtask) = (vec![opens.length], None);
    for line in lines {
        let fence = Fence::of(line.text).filter(|fence| fence.mark == opens.mark);
        match fence {
            Some(fence) if !fence.info.is_empty() => open.push(fence.length),
            Some(fence) if open.last().is_some_and(|length| fence.length >= *length) => {
                open.pop();
                if open.is_empty() {
                    return (block, subtask, true);
                }
            }
            _ => {}
        }
        if subtask.is_none() && heading(line.text).is_some_and(|(_, text)| numbered(text).is_some()) {
            subtask = Some(line.number);
        }
        block.lines.push(without_indent(line.text, opens.indent));
    }
    (block, subtask, false)
}

/// A line without that much of the white space at its beginning, as far as it has any.
fn without_indent(line: &str, indent: usize) -> &str {
    let has = line.bytes().take(indent).take_while(|byte| *byte == b' ').count();
    line.get(has..).unwrap_or(line)
}

/// A line that may open or close a block.
struct Fence<'a> {
    mark: u8,
    length: usize,
    indent: usize,
    /// What stands behind it.
    info: &'a str,
}

impl<'a> Fence<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let text = line.trim_start_matches([' ', '\t']);
        let mark = *text.as_bytes().first().filter(|mark| matches!(mark, b'`' | b'~'))?;
        let length = text.bytes().take_while(|byte| *byte == mark).count();
        let info = text.get(length..)?.trim();
        let is_fence = length >= 3 && !(mark == b'`' && info.contains('`'));
        let indent = line.len() - text.len();
        is_fence.then_some(Self { mark, length, indent, info })
    }
}

/// The level and the text of a heading.
fn heading(line: &str) -> Option<(usize, &str)> {
    const INDENT_MAX: usize = 3;
    let text = line.trim_start_matches(' ');
    let level = text.bytes().take_while(|byte| *byte == b'#').count();
    let rest = text.get(level..)?;
    let is_heading = (1..=6).contains(&level)
        && line.len() - text.len() <= INDENT_MAX
        && (rest.is_empty() || rest.starts_with([' ', '\t']));
    is_heading.then(|| (level, rest.trim().trim_end_matches('#').trim_end()))
}

/// The number, as it is written, and the name of a subtask, if a heading is that of one: `Subtask 1: NAME`.
pub(super) fn numbered(heading: &str) -> Option<(&str, &str)> {
    const WORD: &str = "subtask";
    let (word, rest) = heading.trim_matches('*').split_at_checked(WORD.len())?;
    if !word.eq_ignore_ascii_case(WORD) {
        return None;
    }
    let rest = rest.trim_start();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, name) = rest.split_at_checked(digits)?;
    let is_apart = name.is_empty() || name.starts_with([':', ' ', '.', '-', '–', '—', ')']);
    let name = name.trim_start_matches([':', ' ', '.', '-', '–', '—', ')']).trim();
    (digits > 0 && is_apart).then_some((number, name))
}
