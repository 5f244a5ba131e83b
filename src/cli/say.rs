//! Results on stdout, words on stderr. With `--json` stdout has nothing but JSON.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anstream::{AutoStream, ColorChoice};
use rustix::termios::tcgetwinsize;
use serde::Serialize;
use tokio::sync::Notify;

use super::Exit;
use super::reader::{self, Reader};
use super::region::{Region, Size};
use super::text::terminal::without_colours;
use super::text::{self, Call, Text};
use crate::api::wording::Worded;
use crate::events::ids::RunId;
use crate::events::problem::{Code, Problem};
use crate::events::text::json_line;

/// Lines that gave way to words are drawn again at once, unless they just were: then whoever draws them next does.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The output of this process. Everything that it writes goes through here, so that words and the lines of progress do not
/// overwrite each other.
#[derive(Debug)]
pub(super) struct Say {
    json: bool,
    call: Call,
    live_area: LiveArea,
    /// Whether results go to a terminal, or did while it was there.
    to_terminal: bool,
    /// Whether something could not be written to stdout.
    unwritten: Cell<bool>,
    /// Whether whoever read stdout has gone.
    unread: Cell<bool>,
    /// Whether that is all there is to hear of it: a signal could have come, and has not.
    deserted: Cell<bool>,
    /// Told when writing to stdout has failed.
    failed: Notify,
}

/// Says once whether texts have colours; without a word the environment says so, and whether a terminal is there.
pub(super) fn set_colours(choice: ColorChoice) {
    // `CLICOLOR_FORCE=0` forces nothing, but is taken for a force by the library as any other text.
    let forces_nothing = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| value == "0");
    let is_seen = io::stdout().is_terminal() && io::stderr().is_terminal();
    let is_never = choice == ColorChoice::Auto && forces_nothing && !is_seen;
    if is_never { ColorChoice::Never } else { choice }.write_global();
}

/// Whether what is written to stderr has colours.
pub(super) fn stderr_has_colours() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// Whether a person looks at stderr, on a terminal that can take lines back.
fn stderr_can_be_drawn_on() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|name| name != "dumb")
}

/// The end of what is on the terminal: lines that are drawn over again. All else that is written meanwhile goes above them.
#[derive(Debug, Clone, Default)]
pub(super) struct LiveArea(Arc<Mutex<Drawing>>);

#[derive(Debug, Default)]
struct Drawing {
    region: Region,
    /// The lines that are to be there, and the size of the terminal that they are made for.
    lines: Vec<String>,
    size: Option<Size>,
    drawn: Option<Instant>,
}

impl Drawing {
    /// Answers how many bytes that took.
    fn draw(&mut self, size: Size) -> usize {
        let told = self.region.draw(&self.lines, size);
        self.drawn = Some(Instant::now());
        write_err(told.as_bytes())
    }
}

impl LiveArea {
    fn lock(&self) -> MutexGuard<'_, Drawing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The size of the terminal, as it is now.
    pub(super) fn size(&self) -> Size {
        let size = tcgetwinsize(io::stderr()).ok().filter(|size| size.ws_row > 0 && size.ws_col > 0);
        size.map_or(Size::USUAL, |size| Size { rows: size.ws_row.into(), columns: size.ws_col.into() })
    }

    /// Draws these lines, made for a terminal of that size, in the place of those before. Answers how many bytes that took.
    pub(super) fn draw(&self, lines: &[Text], size: Size) -> usize {
        let has_colours = stderr_has_colours();
        let mut drawing = self.lock();
        drawing.lines = lines.iter().map(|line| coloured(line.as_str(), has_colours).into_owned()).collect();
        drawing.size = Some(size);
        drawing.draw(size)
    }

    /// Takes the lines away.
    pub(super) fn clear(&self) {
        let mut drawing = self.lock();
        drawing.lines.clear();
        write_err(drawing.region.clear().as_bytes());
    }

    /// Takes the lines away while something else is written.
    fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        let mut drawing = self.lock();
        write_err(drawing.region.clear().as_bytes());
        let written = write();
        let is_due = drawing.drawn.is_none_or(|drawn| drawn.elapsed() >= AGAIN_AFTER);
        // Those that were made for another size would not fit.
        if let Some(size) = drawing.size.filter(|size| is_due && *size == self.size()) {
            drawing.draw(size);
        }
        written
    }
}

/// A text with colours or without.
fn coloured(text: &str, has_colours: bool) -> Cow<'_, str> {
    if has_colours { Cow::Borrowed(text) } else { without_colours(text) }
}

/// A text as it is written to stdout: with colours, if that has some.
pub(super) fn for_stdout(text: &Text) -> Cow<'_, str> {
    coloured(text.as_str(), AutoStream::choice(&io::stdout()) != ColorChoice::Never)
}

/// What writes lines of the log to stderr.
pub(super) struct LogLine(LiveArea);

impl Write for LogLine {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.aside(|| io::stderr().lock().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Say {
    pub(super) fn new(json: bool, call: Call) -> Self {
        Self {
            json,
            call,
            live_area: LiveArea::default(),
            to_terminal: io::stdout().is_terminal(),
            unwritten: Cell::new(false),
            unread: Cell::new(false),
            deserted: Cell::new(false),
            failed: Notify::new(),
        }
    }

    /// Where lines are drawn over again, on stderr; none if nobody would look at them.
    pub(super) fn live_area(&self) -> Option<LiveArea> {
        stderr_can_be_drawn_on().then(|| self.live_area.clone())
    }

    /// What writes the log: a line of it goes above the lines that are drawn over again.
    pub(super) fn log(&self) -> impl Fn() -> LogLine + Send + Sync + 'static {
        let live_area = self.live_area.clone();
        move || LogLine(live_area.clone())
    }

    /// Whether programs read stdout.
    pub(super) const fn is_json(&self) -> bool {
        self.json
    }

    /// How wide the terminal is to which results go; none where they go elsewhere.
    pub(super) fn columns(&self) -> Option<usize> {
        let size = tcgetwinsize(io::stdout()).ok()?;
        Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
    }

    /// Whether results go to a terminal on which something can be drawn anew.
    pub(super) fn can_draw_results(&self) -> bool {
        self.to_terminal && stderr_can_be_drawn_on()
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
            self.show(&text(result).trimmed());
        }
    }

    /// A result for people, as one of several.
    pub(super) fn show(&self, text: &Text) {
        self.out(&for_stdout(text));
    }

    /// Writes a line to stdout.
    fn out(&self, line: &str) {
        self.written(self.live_area.aside(|| writeln!(io::stdout().lock(), "{line}")));
    }

    /// Takes note of how writing to stdout went. A reader that is gone, as in `reenact list | head -1`, has what it wants. For
    /// the first failure there is a word, as everything after it fails, too.
    pub(super) fn written(&self, written: io::Result<()>) {
        let Err(error) = written.and_then(|()| io::stdout().flush()) else { return };
        if reader::is_unread(&error, self.to_terminal) {
            self.unread.set(true);
        } else if !self.unwritten.replace(true) {
            let message = format!("the result could not be written to stdout: {error}");
            self.note(&text::problem("error", &Problem::new(Code::NotWritten, message), &self.call));
        }
        self.failed.notify_one();
    }

    /// Ends when nobody gets results any more: they cannot be written, or whoever read them has gone, which counts for a
    /// pipe only where `pipes` says so. Of a terminal that goes a signal tells as well: whoever waits for both hears of that.
    pub(super) async fn unheard(&self, pipes: bool) {
        let (reader, counts) = (Reader::of(io::stdout()), pipes || self.to_terminal);
        while !(self.unwritten.get() || self.unread.get() && counts) {
            tokio::select! {
                () = self.failed.notified() => {}
                () = reader.gone(), if counts => self.unread.set(true),
            }
        }
        if !self.unwritten.get() {
            reader.signalled().await;
            self.deserted.set(true);
        }
    }

    /// Whether whoever read stdout has gone, and no signal said so in its time: nothing more is wanted.
    pub(super) fn is_deserted(&self) -> bool {
        self.deserted.get()
    }

    /// How the process ends, given how the verb did: whoever waits for a result must see that it is not there.
    pub(super) fn exit(&self, exit: Exit) -> Exit {
        if self.unwritten.get() { Exit::Unwritten } else { exit }
    }

    /// Words for a person.
    pub(super) fn note(&self, words: &Text) {
        self.live_area.aside(|| err(&coloured(words.as_str(), stderr_has_colours())));
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

/// All of stdout, for a verb on whose stdout a protocol is spoken, from whatever thread. Nothing else may be written there.
pub(super) fn raw_stdout() -> impl Write + Send + 'static {
    io::stdout()
}

/// Writes lines to stdout, from whatever thread. [`Say::written`] has to hear how that went.
pub(super) fn pour_out(lines: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(lines)?;
    stdout.flush()
}

/// Writes that to stderr; answers how many bytes it is. If it cannot be written there is nobody to tell.
fn write_err(bytes: &[u8]) -> usize {
    if !bytes.is_empty() {
        let _ = io::stderr().lock().write_all(bytes);
    }
    bytes.len()
}

/// Writes a line to stderr. If that cannot be written there is nobody to tell.
fn err(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
