//! Results on stdout, words on stderr. With `--json` stdout has nothing but JSON.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;

use super::Exit;
use super::text::{self, Call, Text};
use crate::api::wording::Worded;
use crate::events::ids::RunId;
use crate::events::problem::{Code, Problem};
use crate::events::text::json_line;

/// The output of this process. Everything that it writes goes through here, so that words and the lines of progress do not
/// overwrite each other.
#[derive(Debug)]
pub(super) struct Say {
    json: bool,
    call: Call,
    lines: MultiProgress,
    /// Whether something could not be written to stdout.
    unwritten: Cell<bool>,
    /// Whether whoever read stdout has gone.
    unread: Cell<bool>,
}

/// Whether a person looks at stderr.
pub(super) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

impl Say {
    pub(super) fn new(json: bool, call: Call) -> Self {
        let lines = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        Self { json, call, lines, unwritten: Cell::new(false), unread: Cell::new(false) }
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

    /// How wide the terminal is to which results go; none where they go elsewhere.
    pub(super) fn columns(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
    }

    /// How high the terminal is on which something can be drawn anew; none where results do not go to one, or nothing moves.
    pub(super) fn rows(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        self.lines().map(|_| usize::from(size.ws_row))
    }

    /// A result: a line of JSON, or what a person reads.
    pub(super) fn result<T: Clone + Serialize + Worded>(&self, result: &T, text: impl FnOnce(&T) -> Text) {
        if self.json {
            let mut result = result.clone();
            result.word(&self.call);
            let json =
                serde_json::to_string(&result).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
            self.out(&json_line(&json));
        } else {
            self.out(text(result).trimmed().as_str());
        }
    }

    /// A result for people, as one of several.
    pub(super) fn show(&self, text: &Text) {
        self.out(text.as_str());
    }

    /// Writes a line to stdout.
    fn out(&self, line: &str) {
        self.written(self.lines.suspend(|| writeln!(io::stdout().lock(), "{line}")));
    }

    /// Takes note of how writing to stdout went. A reader that is gone, as in `reenact list | head -1`, has what it wants. For
    /// the first failure there is a word, as everything after it fails, too.
    pub(super) fn written(&self, written: io::Result<()>) {
        let written = written.and_then(|()| io::stdout().flush());
        if written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            self.unread.set(true);
        }
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
            && !self.unwritten.replace(true)
        {
            let message = format!("the result could not be written to stdout: {error}");
            self.note(&text::problem("error", &Problem::new(Code::NotWritten, message), &self.call));
        }
    }

    /// Whether whoever read stdout has gone, as far as writing has shown: nothing more is wanted.
    pub(super) fn is_unread(&self) -> bool {
        self.unread.get()
    }

    /// How the process ends, given how the verb did: whoever waits for a result must see that it is not there.
    pub(super) fn exit(&self, exit: Exit) -> Exit {
        if self.unwritten.get() { Exit::Unwritten } else { exit }
    }

    /// Words for a person.
    pub(super) fn note(&self, words: &Text) {
        self.lines.suspend(|| err(words.as_str()));
    }

    /// Says a problem; answers how the verb ends for it.
    pub(super) fn problem(&self, problem: &Problem) -> Exit {
        self.problems(std::slice::from_ref(problem))
    }

    /// One of several runs does not go on.
    pub(super) fn left(&self, run: &RunId, error: &Problem, call: &Call) {
        if self.json {
            let mut worded = error.clone();
            worded.word(call);
            self.out(&json_line(&serde_json::json!({ "run": run, "error": worded }).to_string()));
        }
        self.note(&text::problem("error", error, call));
    }

    /// Everything that is wrong; answers how the verb ends for the first of it.
    pub(super) fn problems(&self, problems: &[Problem]) -> Exit {
        let exit = problems.first().map_or(Exit::Failed, |first| Exit::of_problem(first.code));
        if let Some(first) = problems.first().filter(|_| self.json) {
            let mut first = first.clone();
            first.word(&self.call);
            self.out(&json_line(&serde_json::json!({ "error": first }).to_string()));
        }
        problems.iter().for_each(|problem| self.note(&text::problem("error", problem, &self.call)));
        exit
    }

    /// Says each warning, on stderr.
    pub(super) fn warnings<'a>(&self, warnings: impl IntoIterator<Item = &'a Problem>) {
        warnings.into_iter().for_each(|warning| self.note(&text::problem("warning", warning, &self.call)));
    }
}

/// Writes lines to stderr, from whatever thread.
pub(super) fn pour_err(lines: &[u8]) -> io::Result<()> {
    io::stderr().lock().write_all(lines)
}

/// Writes lines to stdout, from whatever thread. [`Say::written`] has to hear how that went.
pub(super) fn pour_out(lines: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(lines)?;
    stdout.flush()
}

/// Writes a line to stderr. If that cannot be written there is nobody to tell.
fn err(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
