//! What can go wrong, as a person or program is told: a stable code, a class that says what to do, a sentence.

mod code;
mod remedy;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::{RunId, StepId};
pub use code::Code;
pub use remedy::{Document, Late, Look, Remedies, Remedy};

/// The class of a failure: what it asks for, of the engine and of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Trying again may help.
    Transient,
    /// It will fail in the same way whenever it is tried: never again.
    Validation,
    /// Something that it needs is not there: not again.
    Dependency,
    /// The whole run must stop.
    Fatal,
    /// Nobody knows; treated as transient.
    Unknown,
}

impl Class {
    /// Whether a policy may try again.
    pub const fn may_retry(self) -> bool {
        matches!(self, Self::Transient | Self::Unknown)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transient => "transient",
            Self::Validation => "validation",
            Self::Dependency => "dependency",
            Self::Fatal => "fatal",
            Self::Unknown => "unknown",
        })
    }
}

/// A place in a file. Lines and columns count from 1; a column counts characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLocation {
    /// The file as the person named it.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The column, in characters, from 1.
    pub column: u64,
}

/// One thing that is wrong, for a person and for a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// The stable code of what is wrong.
    pub code: Code,
    /// The class of the failure: what it asks for.
    pub class: Class,
    /// The message for people: what is wrong, in one line.
    pub message: String,
    /// The step that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// The remedies that there are. Who tells the problem finds the words, which are a line.
    #[serde(rename = "hint")]
    pub remedies: Remedies,
    /// The place in a file that it is about; none if it is about none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<SourceLocation>,
}

impl Problem {
    /// A problem with the class and the remedies that its code has in the table.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let (class, remedies) = (code.class(), Remedies::of(code.remedies()));
        Self { code, class, message: message.into(), step: None, remedies, at: None }
    }

    /// The same, of another class than the table says.
    #[must_use]
    pub fn class(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    /// The same, with what helps better than what the table says.
    #[must_use]
    pub fn hint(mut self, remedies: impl Into<Remedies>) -> Self {
        let run = self.remedies.run.take();
        self.remedies = remedies.into();
        self.remedies.run = self.remedies.run.or(run);
        self
    }

    /// The same, where what helps is about this run.
    #[must_use]
    pub fn of_run(mut self, run: &RunId) -> Self {
        self.remedies.run = Some(run.clone());
        self
    }

    /// The same, about this step.
    #[must_use]
    pub fn step(mut self, step: &StepId) -> Self {
        self.step = Some(step.clone());
        self
    }

    /// The same, at this place.
    #[must_use]
    pub fn at(mut self, file: &str, line: u64, column: u64) -> Self {
        self.at = Some(SourceLocation { file: file.to_owned(), line, column });
        self
    }
}

/// The name of `known` that is nearest to `wrong`, if one is near enough to have been meant.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wrong.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1 + name.len().max(wrong.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
