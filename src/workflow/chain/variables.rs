//! The variables that a part of a chain names: `` - `name`: what it is ``, `` - Output from Subtask 1 (`a`, `b`) ``, names on a
//! line, and the members of an example in JSON.

use std::collections::HashSet;

use super::example::Example;
use super::labels::item;
use super::outline::Field;
use super::report::{Place, Report};
use crate::events::json::Json;
use crate::events::limits::{CHAIN_VARIABLE_CHARS_MAX, CHAIN_VARIABLES_MAX};
use crate::events::problem::{Code, Problem};

/// A variable that is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) place: Place,
    /// The subtask that it is said to come from.
    pub(super) from: Option<u32>,
    /// What it is when it is not given; none if it has to be.
    pub(super) default: Option<Json>,
    /// What it is, in words; empty where nothing says it.
    pub(super) says: String,
}

impl Variable {
    fn named(name: &str, place: Place) -> Self {
        Self { name: name.to_owned(), place, from: None, default: None, says: String::new() }
    }
}

/// Whether a text is the name of a variable: a letter or `_`, then letters, digits, `_` and `-`.
pub(super) fn is_name(text: &str) -> bool {
    name_length(text) == Some(text.len())
}

/// The length of the name at the beginning of a text.
pub(super) fn name_length(text: &str) -> Option<usize> {
    let first = text.bytes().next()?;
    if !first.is_ascii_alphabetic() && first != b'_' {
        return None;
    }
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let length = text.bytes().take(CHAIN_VARIABLE_CHARS_MAX + 1).take_while(is_part).count();
    (length <= CHAIN_VARIABLE_CHARS_MAX).then_some(length)
}

/// The variables that a field names, each once, in order. Names in an example are those of its members.
pub(super) fn variables(
    field: &Field<'_>,
    example: Option<&Example>,
    report: &mut Report<'_>,
) -> Vec<Variable> {
    let mut found = Vec::new();
    on_the_line(field, report, &mut found);
    for line in &field.lines {
        if let Some(text) = item(line.text) {
            let before = line.text.len() - text.len();
            let column = line.text.get(..before).unwrap_or_default().chars().count() as u64 + 1;
            of_item(text, (line.number, column), report, &mut found);
        }
    }
    for (name, at) in example.into_iter().flat_map(Example::members) {
        match is_name(name) {
            true => found.push(Variable::named(name, at)),
            false => no_name(report, at, name),
        }
    }
    if let Some(first) = found.get(CHAIN_VARIABLES_MAX) {
        let message = format!("no more than {CHAIN_VARIABLES_MAX} variables are named in one place");
        report.refuse(first.place, Problem::new(Code::TooLarge, message));
        found.truncate(CHAIN_VARIABLES_MAX);
    }
    let mut known = HashSet::new();
    found.retain(|variable| known.insert(variable.name.clone()));
    found
}

/// Names behind the label, separated by commas, in backticks or not; or what an item of a list may say.
fn on_the_line(field: &Field<'_>, report: &mut Report<'_>, found: &mut Vec<Variable>) {
    let (rest, place) = (field.rest, (field.line, field.column));
    if outside_backticks(rest, ':').is_some() || !subtasks_named(rest).is_empty() {
        return of_item(rest, place, report, found);
    }
    let mut column = field.column;
    for part in rest.split(',') {
        let place = (field.line, column + (part.len() - part.trim_start().len()) as u64);
        column += part.chars().count() as u64 + 1;
        let (part, name) = (part.trim(), part.trim().trim_matches('`').trim());
        if is_name(name) && !is_nothing(part) {
            found.push(Variable::named(name, place));
        } else if part.contains('`') {
            let names = in_backticks(part).into_iter().map(|(_, name)| name).filter(|name| is_name(name));
            found.extend(names.map(|name| Variable::named(name, place)));
        } else if !part.is_empty() && !is_nothing(part) && !part.contains(' ') {
            // A sentence is no list of names.
            no_name(report, place, part);
        }
    }
}

/// Whether a word says that there is nothing.
fn is_nothing(text: &str) -> bool {
    let text = text.trim_end_matches('.');
    ["none", "n/a", "nothing", "-", "no"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn no_name(report: &mut Report<'_>, place: Place, text: &str) {
    let message = format!("`{text}` is no name of a variable, and is not read");
    report.advise(place, message, "begin with a letter or `_`, then letters, digits, `_` or `-`, at most 64");
}

/// The variables of an item: those in backticks before its colon, or behind the subtask that it names.
fn of_item(text: &str, (line, column): Place, report: &mut Report<'_>, found: &mut Vec<Variable>) {
    let names = in_backticks(text);
    let colon = outside_backticks(text, ':');
    let (head, says) = match colon.and_then(|at| Some((at, text.get(at + 1..)?))) {
        Some((at, says)) => (at, says.trim()),
        None => (text.len(), ""),
    };
    let from = subtasks_named(text);
    let is_head = |(at, _): &&(usize, &str)| *at < head || !from.is_empty();
    // One more than may be named, which is told.
    let mut in_head = names.iter().filter(is_head).take(CHAIN_VARIABLES_MAX + 1).peekable();
    if in_head.peek().is_none() {
        for number in from.iter().filter(|_| names.is_empty()) {
            let variable = Variable { from: Some(*number), ..Variable::named("", (line, column)) };
            found.push(variable);
        }
        if from.is_empty() && !is_nothing(text.trim()) {
            let message = "this names no variable, and is not read".to_owned();
            report.advise((line, column), message, "put its name in backticks: - `name`: what it is");
        }
        return;
    }
    let default = default_of(text);
    for (at, name) in in_head {
        let before = text.get(..*at).unwrap_or_default().chars().count() as u64;
        let place = (line, column + before);
        match is_name(name) {
            true => found.push(Variable {
                name: (*name).to_owned(),
                place,
                from: from.first().copied().filter(|_| from.len() == 1),
                default: default.clone(),
                says: if from.is_empty() { says.to_owned() } else { String::new() },
            }),
            false => no_name(report, place, name),
        }
    }
}

/// The texts in backticks, each with the byte at which it begins.
fn in_backticks(text: &str) -> Vec<(usize, &str)> {
    let (mut found, mut at) = (Vec::new(), 0);
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 && at + part.len() < text.len() {
            found.push((at, part.trim()));
        }
        at += part.len() + 1;
    }
    found
}

/// The first place of a character that stands in no backticks.
fn outside_backticks(text: &str, wanted: char) -> Option<usize> {
    let mut inside = false;
    text.char_indices().find_map(|(at, c)| {
        inside ^= c == '`';
        (c == wanted && !inside).then_some(at)
    })
}

/// The subtasks from which an item says that its variables come: `Output from Subtask 1`, `Outputs of Subtasks 1 and 2`.
fn subtasks_named(text: &str) -> Vec<u32> {
    let mut words = text.trim_start_matches('*').split(|c: char| c.is_whitespace() || c == ',' || c == '*');
    let mut next = || words.by_ref().find(|word| !word.is_empty()).unwrap_or_default();
    let is = |word: &str, all: &[&str]| all.iter().any(|one| word.eq_ignore_ascii_case(one));
    let begins = is(next(), &["output", "outputs"])
        && is(next(), &["from", "of"])
        && is(next(), &["subtask", "subtasks"]);
    if !begins {
        return Vec::new();
    }
    let mut numbers = Vec::new();
    for word in words.filter(|word| !word.is_empty() && !is(word, &["and", "&"])) {
        let digits = word.trim_end_matches([':', '.', ')']);
        match digits.parse() {
            Ok(number) => numbers.push(number),
            Err(_) => break,
        }
    }
    numbers
}

/// What an item says that its variable is by default: `(default: true)`. One that is `(optional)` is null.
fn default_of(text: &str) -> Option<Json> {
    let small = text.to_ascii_lowercase();
    if let Some(at) = small.find("default:").map(|at| at + "default:".len())
        && let Some(value) = text.get(at..)
    {
        return Some(value_of(up_to_closing(value).trim()));
    }
    small.contains("(optional").then(Json::null)
}

/// The text up to the parenthesis that ends it, which stands in no quotes and no brackets.
fn up_to_closing(text: &str) -> &str {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' if !quoted && depth == 0 => return text.get(..at).unwrap_or_default(),
            ')' | ']' | '}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    text
}

/// A value as JSON; what is none is a text.
fn value_of(text: &str) -> Json {
    let text = text.trim_matches('`').trim();
    Json::read(text).unwrap_or_else(|_| Json::from(&serde_json::Value::from(text)))
}
