//! Results on stdout, words on stderr. With `--json` stdout has nothing but JSON.

use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;

use super::Exit;
use super::text::{self, Text};
use crate::events::problem::Problem;
use crate::events::text::json_line;

/// How this process talks. Everything that it writes goes through here, so that words and the lines of progress do not
/// overwrite each other.
#[derive(Debug)]
pub(super) struct Say {
    json: bool,
    lines: MultiProgress,
}

/// Whether a person looks at stderr.
pub(super) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

impl Say {
    pub(super) fn new(json: bool) -> Self {
        Self { json, lines: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()) }
    }

    /// The lines that move, on stderr; none if nobody would look at them.
    pub(super) fn lines(&self) -> Option<&MultiProgress> {
        (!self.json && stderr_is_terminal()).then(|| {
            self.lines.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            &self.lines
        })
    }

    /// Whether programs read stdout.
    pub(super) const fn is_json(&self) -> bool {
        self.json
    }

    /// A result: a line of JSON, or what a person reads.
    pub(super) fn result<T: Serialize>(&self, result: &T, text: impl FnOnce(&T) -> Text) {
        if self.json {
            let json =
                serde_json::to_string(result).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
            out(&json_line(&json));
        } else {
            self.lines.suspend(|| out(text(result).trimmed().as_str()));
        }
    }

    /// A result for people, as one of several.
    pub(super) fn show(&self, text: &Text) {
        self.lines.suspend(|| out(text.as_str()));
    }

    /// Words for a person.
    pub(super) fn note(&self, words: &Text) {
        self.lines.suspend(|| err(words.as_str()));
    }

    /// What is wrong; answers how the verb ends for it.
    pub(super) fn problem(&self, problem: &Problem) -> Exit {
        self.problems(std::slice::from_ref(problem))
    }

    /// Everything that is wrong; answers how the verb ends for the first of it.
    pub(super) fn problems(&self, problems: &[Problem]) -> Exit {
        let exit = problems.first().map_or(Exit::Failed, |first| Exit::of_problem(first.code));
        if let Some(first) = problems.first().filter(|_| self.json) {
            out(&json_line(&serde_json::json!({ "error": first }).to_string()));
        }
        problems.iter().for_each(|problem| self.note(&text::problem("error", problem)));
        exit
    }

    /// What is odd.
    pub(super) fn warnings<'a>(&self, warnings: impl IntoIterator<Item = &'a Problem>) {
        warnings.into_iter().for_each(|warning| self.note(&text::problem("warning", warning)));
    }
}

/// Writes a line to stdout. A reader that is gone, as in `reenact list | head -1`, is no error.
fn out(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Writes a line to stderr.
fn err(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
