//! What a check of files came to, whatever is in them.

use serde::Serialize;

use super::text::colour::Tone;
use super::text::{self, Text, terminal};
use crate::api::wording::{Call, Worded};
use crate::events::problem::Problem;

/// A file that was checked.
#[derive(Clone, Serialize)]
pub(super) struct CheckedFile<T> {
    /// The file, as it was named.
    pub(super) file: String,
    /// Whether nothing is wrong with it; warnings do not count.
    pub(super) ok: bool,
    /// The rest of what is printed of the file, by the kind of file.
    #[serde(flatten)]
    pub(super) holds: T,
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl<T> CheckedFile<T> {
    /// The file, what it holds in words if it is good, and all that is to be said of it.
    pub(super) fn text(&self, call: &Call, good: impl FnOnce(&T) -> Text) -> Text {
        let head = match self.ok {
            true => terminal!("{}: {}, {}", self.file, Tone::Good.of(&terminal!("good")), good(&self.holds)),
            false => {
                terminal!("{}: {}", self.file, Tone::Bad.of(&terminal!("{} to mend", self.errors.len())))
            }
        };
        let errors = self.errors.iter().map(|error| text::problem("error", error, call));
        let warnings = self.warnings.iter().map(|warning| text::problem("warning", warning, call));
        Text::lines(std::iter::once(head).chain(errors).chain(warnings))
    }
}

impl<T> Worded for CheckedFile<T> {
    fn word(&mut self, call: &Call) {
        self.errors.iter_mut().chain(&mut self.warnings).for_each(|problem| problem.word(call));
    }
}
