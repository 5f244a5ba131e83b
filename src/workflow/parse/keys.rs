//! The keys that each object of a file may have: one table for each object. By these the reader refuses what has no place
//! there, and the JSON Schema of workflow files is made of the same.

use super::foreign::Foreign;

/// The keys that a map may have, and those that are known from later versions or from elsewhere.
pub(super) struct Keys {
    /// What has these keys, as in `a step`.
    pub(super) of: &'static str,
    pub(super) known: &'static [Key],
    /// Those that it must have.
    pub(super) required: &'static [&'static str],
    /// Those of which it must have exactly one, if there are any.
    pub(super) kinds: &'static [&'static str],
    pub(super) not_built: &'static [&'static str],
    /// Keys that belong somewhere else, each with a hint.
    pub(super) elsewhere: &'static [(&'static str, &'static str)],
    /// Keys of other tools that are meant for one of these, each with a hint.
    pub(super) foreign: &'static [Foreign],
}

/// A key.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) takes: Takes,
    /// What it means, in a line for an editor.
    pub(super) says: &'static str,
}

/// What values a key takes. The readers of the values say more, and with places: this is what an editor needs.
pub(super) enum Takes {
    /// A text; a number and `true` are taken as they are written.
    Text,
    /// The id of a step.
    Id,
    /// A length of time, as in `10s`.
    Duration,
    /// A whole number from 1 to this.
    Count(u32),
    /// A whole number from 1 on.
    Amount,
    /// An amount of money in US dollars, more than zero.
    Money,
    /// A number from one to the other.
    Number(f64, f64),
    /// `true` or `false`.
    Flag,
    /// One of some words.
    Word(fn() -> Vec<&'static str>),
    /// A bare expression.
    Expression,
    /// A bare expression, or a list.
    Items,
    /// A bare expression, or a map or a list that holds some.
    Output,
    /// A text for the shell, or a program and its arguments.
    Command,
    /// Any value.
    Value,
    /// A JSON Schema.
    Schema,
    /// A list of texts.
    Texts,
    /// A list of numbers with which a failed program may exit.
    ExitCodes,
    /// Texts by their names.
    TextsByName,
    /// A map with these keys.
    Map(&'static Keys),
    /// A word, or a map with these keys.
    MapOr(&'static str, &'static Keys),
    /// Maps with these keys, by their names.
    MapsByName(&'static Keys),
    /// A list of maps with these keys, at least one.
    Maps(&'static Keys),
}

/// A key, what it takes, and what it means.
pub(super) const fn key(name: &'static str, takes: Takes, says: &'static str) -> Key {
    Key { name, takes, says }
}

/// The words of a table of choices.
pub(super) fn words<T>(choices: &[(&'static str, T)]) -> Vec<&'static str> {
    choices.iter().map(|(word, _)| *word).collect()
}

impl Keys {
    /// No keys of something with that name: the rest of a table.
    pub(super) const fn of(of: &'static str) -> Self {
        Self { of, known: &[], required: &[], kinds: &[], not_built: &[], elsewhere: &[], foreign: &[] }
    }

    /// The names of those that it may have.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.known.iter().map(|key| key.name)
    }
}
