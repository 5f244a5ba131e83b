//! Collects what is wrong with a file, and reads plain values from it.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use super::foreign::meant;
use super::keys::Keys;
use super::tree::{Tree, Value, path};
use crate::events::ids::StepId;
use crate::events::limits::TOKENS_MAX;
use crate::events::money::parse_usd;
use crate::events::problem::{Code, Problem, Remedies, SourceLocation, nearest};
use crate::events::text::{is_control, printable};
use crate::events::time::{BadDuration, parse_duration};

/// Collects what is wrong. Readers answer none for what they have reported, and their callers go on.
pub(super) struct Diagnostics<'s> {
    file: &'s str,
    pub(super) source: &'s str,
    /// The plan that is read instead of a file; its places are told as paths.
    plan: Option<&'s Tree>,
    /// The step that is being read.
    pub(super) step: Option<StepId>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl<'s> Diagnostics<'s> {
    pub(super) fn new(file: &'s str, source: &'s str) -> Self {
        Self { file, source, plan: None, step: None, problems: Vec::new(), warnings: Vec::new() }
    }

    pub(super) fn of_plan(source: &'s str, plan: &'s Tree) -> Self {
        Self { plan: Some(plan), ..Self::new("", source) }
    }

    /// Reports a problem at the beginning of a part of the file.
    pub(super) fn refuse(&mut self, tree: &Tree, problem: Problem) {
        self.refuse_at((tree.line, tree.column), problem);
    }

    /// Reports a problem at a line and column.
    pub(super) fn refuse_at(&mut self, (line, column): (u64, u64), problem: Problem) {
        let problem = self.about_the_step(problem.at(self.file, line, column));
        self.problems.push(problem);
    }

    /// Reports something that is allowed, but is probably a mistake.
    pub(super) fn warn(&mut self, tree: &Tree, problem: Problem) {
        self.warn_at((tree.line, tree.column), problem);
    }

    /// The same, at a line and column.
    pub(super) fn warn_at(&mut self, (line, column): (u64, u64), problem: Problem) {
        let problem = self.about_the_step(problem.at(self.file, line, column));
        self.warnings.push(problem);
    }

    /// Reports a key that cannot be used where it stands.
    pub(super) fn contradiction(&mut self, place: &Tree, message: &str) {
        self.refuse(place, Problem::new(Code::Contradiction, message).hint("take it out"));
    }

    fn about_the_step(&self, mut problem: Problem) -> Problem {
        if problem.step.is_none() {
            problem.step.clone_from(&self.step);
        }
        problem
    }

    /// The place where a part of the file begins, in words.
    pub(super) fn told(&self, tree: &Tree) -> String {
        match self.plan {
            Some(plan) => format!("`{}`", path(plan, tree.column)),
            None => format!("line {}, column {}", tree.line, tree.column),
        }
    }

    pub(super) fn place(&self, tree: &Tree) -> SourceLocation {
        SourceLocation { file: self.file.to_owned(), line: tree.line, column: tree.column }
    }

    /// Reports that a key does not take the value that it was given.
    pub(super) fn wants(&mut self, key: &str, wanted: &str, tree: &Tree) {
        if let Value::Map(entries) = &tree.value
            && let Some((braces, _)) = entries.iter().find(|(key, _)| matches!(key.value, Value::Map(_)))
        {
            return key_is_no_text(self, key, braces);
        }
        let message = match tree.value {
            Value::Null => format!("`{key}` has no value"),
            _ => format!("`{key}` takes {wanted}, and this is {}", tree.kind()),
        };
        let hint = format!("give `{key}` {wanted}, or leave it out");
        self.refuse(tree, Problem::new(Code::BadValue, message).hint(hint));
    }

    /// Reads a text. A number or `true` is taken as it is written.
    pub(super) fn text<'t>(&mut self, key: &str, tree: &'t Tree) -> Option<&'t str>
    where
        's: 't,
    {
        match &tree.value {
            Value::Text(text) => Some(text),
            Value::Bool(_) | Value::Number(_) => self.source.get(tree.written.clone()),
            Value::Null | Value::List(_) | Value::Map(_) => {
                self.wants(key, "a text", tree);
                None
            }
        }
    }

    /// Reads `true` or `false`; reports anything else.
    pub(super) fn flag(&mut self, key: &str, tree: &Tree) -> Option<bool> {
        match tree.value {
            Value::Bool(flag) => Some(flag),
            _ => {
                self.wants(key, "`true` or `false`", tree);
                None
            }
        }
    }

    /// Reads a length of time, which may be zero.
    pub(super) fn duration(&mut self, key: &str, tree: &Tree) -> Option<Duration> {
        if !matches!(tree.value, Value::Text(_) | Value::Number(_)) {
            self.wants(key, "a duration", tree);
            return None;
        }
        let text = self.text(key, tree)?;
        match parse_duration(text) {
            Ok(length) => Some(length),
            Err(why) => {
                let problem = match why {
                    BadDuration::NotOne(_) => {
                        let message = format!("`{key}` takes a duration, and `{text}` is none");
                        Problem::new(Code::BadDuration, message)
                    }
                    BadDuration::TooLong(_) => {
                        let problem = Problem::new(Code::BadDuration, format!("`{key}`: {why}"));
                        problem.hint(format!("give `{key}` a shorter one"))
                    }
                };
                self.refuse(tree, problem);
                None
            }
        }
    }

    /// Reads a length of time that is not zero.
    pub(super) fn positive_duration(&mut self, key: &str, tree: &Tree) -> Option<Duration> {
        let length = self.duration(key, tree)?;
        if length.is_zero() {
            let message = format!("`{key}` must be longer than zero");
            self.refuse(
                tree,
                Problem::new(Code::BadValue, message).hint(format!("leave `{key}` out for none")),
            );
            return None;
        }
        Some(length)
    }

    /// Reads a whole number, at least 1.
    pub(super) fn count(&mut self, key: &str, tree: &Tree) -> Option<u32> {
        self.whole(key, u32::MAX, format!("leave `{key}` out for its default"), tree)
    }

    /// Reads a whole number from 1 to `max`.
    pub(super) fn count_to(&mut self, key: &str, max: u32, tree: &Tree) -> Option<u32> {
        self.whole(key, max, Code::BadValue.remedies().to_vec(), tree)
    }

    /// Reads a number of tokens, at least 1.
    pub(super) fn amount(&mut self, key: &str, tree: &Tree) -> Option<u64> {
        self.whole(key, TOKENS_MAX, format!("leave `{key}` out for no limit"), tree)
    }

    /// Reads an amount of money in dollars, more than zero, as billionths of a dollar.
    pub(super) fn usd(&mut self, key: &str, tree: &Tree) -> Option<u64> {
        let why = match &tree.value {
            Value::Number(text) | Value::Text(text) => match parse_usd(text) {
                Ok(0) => "`0` is nothing to spend".to_owned(),
                Ok(nanos) => return Some(nanos),
                Err(why) => format!("`{}` {why}", printable(text)),
            },
            _ => format!("this is {}", tree.kind()),
        };
        let problem =
            Problem::new(Code::BadValue, format!("`{key}` takes an amount in US dollars, and {why}"));
        self.refuse(tree, problem.hint(format!("write it as in `2.50`; leave `{key}` out for no limit")));
        None
    }

    fn whole<N>(&mut self, key: &str, max: N, hint: impl Into<Remedies>, tree: &Tree) -> Option<N>
    where
        N: FromStr + PartialOrd + From<u8> + Display + Copy,
    {
        let number = match &tree.value {
            Value::Number(number) => number.parse().ok().filter(|number| (N::from(1)..=max).contains(number)),
            _ => None,
        };
        if number.is_none() {
            let message = format!("`{key}` takes a whole number from 1 to {max}");
            self.refuse(tree, Problem::new(Code::BadValue, message).hint(hint));
        }
        number
    }

    /// Reads a text on one line, without the spaces around it.
    pub(super) fn line<'t>(&mut self, key: &str, chars_max: usize, tree: &'t Tree) -> Option<&'t str>
    where
        's: 't,
    {
        let text = self.text(key, tree)?.trim();
        let length = text.chars().count();
        let message = if text.is_empty() {
            format!("`{key}` takes a text, and this is empty")
        } else if text.contains(is_control) {
            format!("`{key}` takes a text on one line, without control characters")
        } else if length > chars_max {
            format!("`{key}` takes at most {chars_max} characters, and this has {length}")
        } else {
            return Some(text);
        };
        self.refuse(tree, Problem::new(Code::BadValue, message));
        None
    }

    /// Reads a number within a range.
    pub(super) fn number(
        &mut self,
        key: &str,
        range: std::ops::RangeInclusive<f64>,
        tree: &Tree,
    ) -> Option<f64> {
        let number = match &tree.value {
            Value::Number(number) => number.parse().ok().filter(|number| range.contains(number)),
            _ => None,
        };
        if number.is_none() {
            let message = format!("`{key}` takes a number from {} to {}", range.start(), range.end());
            self.refuse(
                tree,
                Problem::new(Code::BadValue, message).hint(format!("leave `{key}` out for its default")),
            );
        }
        number
    }

    /// Reads a list; reports anything else.
    pub(super) fn list<'t>(&mut self, key: &str, tree: &'t Tree) -> Option<&'t [Tree]> {
        match &tree.value {
            Value::List(items) => Some(items),
            _ => {
                self.wants(key, "a list", tree);
                None
            }
        }
    }

    /// Reads one of the words in `choices`.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)], tree: &Tree) -> Option<T> {
        let text = self.text(key, tree)?;
        let chosen = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        if chosen.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            let all = names.join("`, `");
            let hint = match nearest(text, names) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("choose one of `{all}`"),
            };
            let message = format!("`{key}` takes one of `{all}`, and not `{text}`");
            self.refuse(tree, Problem::new(Code::BadValue, message).hint(hint));
        }
        chosen
    }
}

/// A map whose keys were checked.
pub(super) struct Fields<'t> {
    /// For each entry the key, the place of the key, and the value.
    fields: Vec<(&'t str, &'t Tree, &'t Tree)>,
    /// How many keys the map has, refused ones included.
    keys: usize,
}

impl<'t> Fields<'t> {
    /// Reads a map and reports every key that may not be there; none if it is not a map.
    pub(super) fn read(report: &mut Diagnostics<'_>, key: &str, keys: &Keys, tree: &'t Tree) -> Option<Self> {
        let Value::Map(entries) = &tree.value else {
            report.wants(key, "a map", tree);
            return None;
        };
        let mut fields = Vec::new();
        for (name, value) in entries {
            let Value::Text(text) = &name.value else {
                key_is_no_text(report, keys.of, name);
                continue;
            };
            if keys.names().any(|known| known == text) {
                fields.push((text.as_str(), name, value));
            } else if keys.not_built.contains(&text.as_str()) {
                report.refuse(
                    name,
                    Problem::new(Code::NotBuilt, format!("`{text}` is not supported by this version")),
                );
            } else if let Some((_, hint)) = keys.elsewhere.iter().find(|(key, _)| key == text) {
                let message = format!("`{text}` has no place in {}", keys.of);
                report.refuse(name, Problem::new(Code::Contradiction, message).hint(*hint));
            } else {
                unknown_key(report, keys, text, name);
            }
        }
        Some(Self { fields, keys: entries.len() })
    }

    /// The value of a key, if the map has it.
    pub(super) fn get(&self, key: &str) -> Option<&'t Tree> {
        self.fields.iter().find(|(name, ..)| *name == key).map(|(_, _, value)| *value)
    }

    /// Whether some keys of the map were refused.
    pub(super) fn refused_some(&self) -> bool {
        self.fields.len() < self.keys
    }

    /// The place of a key, if the map has it.
    pub(super) fn key(&self, key: &str) -> Option<&'t Tree> {
        self.fields.iter().find(|(name, ..)| *name == key).map(|(_, place, _)| *place)
    }
}

fn unknown_key(report: &mut Diagnostics<'_>, keys: &Keys, text: &str, place: &Tree) {
    let problem = Problem::new(Code::UnknownKey, format!("{} has no key `{text}`", keys.of));
    let near = || nearest(text, keys.names().chain(keys.not_built.iter().copied()));
    let problem = match (meant(keys.foreign, text), near()) {
        (Some(hint), _) => problem.hint(hint),
        (None, Some(name)) => problem.hint(format!("did you mean `{name}`?")),
        (None, None) => {
            problem.hint(format!("its keys are `{}`", keys.names().collect::<Vec<_>>().join("`, `")))
        }
    };
    report.refuse(place, problem);
}

/// Reports a key that is not a text. In YAML, `x: {{ y }}` without quotes is a map inside a map.
pub(super) fn key_is_no_text(report: &mut Diagnostics<'_>, of: &str, key: &Tree) {
    let problem = match key.value {
        Value::Map(_) => {
            Problem::new(Code::NotYaml, "a `{{` that is not in quotes means something else to YAML")
                .hint("put quotes around the whole value: \"{{ … }}\"")
        }
        _ => Problem::new(Code::BadValue, format!("the keys of {of} are texts, and this is {}", key.kind()))
            .hint("put it in quotes"),
    };
    report.refuse(key, problem);
}
