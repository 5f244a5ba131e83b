//! Reads what a program writes, to stdout and to stderr at once and within bounds, so that it never waits for somebody to
//! read. (What it reads itself lies ready before it starts.)

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::watch;

use super::super::logs::Tap;
use super::super::logs::line::Stream;
use super::super::mask::Masks;
use super::super::{Failure, Output, Progress};
use super::conversation::Conversation;
use super::mask::{Masking, TooMuch};
use super::protocol::{self, Word};
use super::running::Pipes;
use crate::events::run::Usage;
use crate::workflow::work::{Transcript, Written};

/// As much as a pipe holds.
const CHUNK_BYTES: usize = 64 * 1024;

/// How much of the end of stderr a failure's message quotes.
const LAST_WORDS_BYTES_MAX: usize = 2 * 1024;

/// The program wrote more than it may, or has more masked than it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl From<TooMuch> for Full {
    fn from(_: TooMuch) -> Self {
        Self
    }
}

/// The pipes of a program and what came through them.
pub(super) struct Streams {
    stdout: Option<Receiver>,
    output: Capture,
    stderr: Option<Receiver>,
    errors: Tail,
    masking: Masking,
    chunks: (Vec<u8>, Vec<u8>),
    /// Where all of it goes as it comes, too.
    tap: Option<Tap>,
    /// What is said to the program meanwhile, and what it says, if it converses.
    conversation: Option<Conversation>,
}

impl Streams {
    /// Of stdout and of stderr at most `bytes_max` are kept each, masked. Both must not block.
    ///
    /// # Errors
    /// When there is nobody to say when there is something to read.
    pub(super) fn new((stdout, stderr): Pipes, bytes_max: usize, masks: Masks) -> io::Result<Self> {
        let (kept, words) = (Vec::new(), None);
        let output = Capture { kept, line: 0, bytes_max, cut: 0, is_plain: false, progress: None, words };
        let errors = Tail { kept: VecDeque::new(), bytes_max, cut: 0 };
        let reader = |pipe| Receiver::from_owned_fd_unchecked(pipe).map(Some);
        let chunks = (vec![0; CHUNK_BYTES], vec![0; CHUNK_BYTES]);
        let masking = Masking::new(masks);
        let (stdout, stderr) = (reader(stdout)?, reader(stderr)?);
        Ok(Self { stdout, output, stderr, errors, masking, chunks, tap: None, conversation: None })
    }

    /// Says where `PROGRESS:` lines are shown.
    pub(super) fn show_progress_in(&mut self, progress: watch::Sender<Progress>) {
        self.output.progress = Some(progress);
    }

    /// No line of it means anything.
    pub(super) fn take_as_it_is(&mut self) {
        self.output.is_plain = true;
    }

    /// Says where what is written goes as it comes.
    pub(super) fn say_to(&mut self, tap: Tap) {
        self.tap = Some(tap);
    }

    /// The program converses from here on.
    pub(super) fn converse(&mut self, conversation: Conversation) {
        self.conversation = Some(conversation);
        self.output.words = Some(Vec::new());
    }

    /// Goes on until all is recorded that the program has said.
    pub(super) async fn speak_out(&mut self) {
        self.hear_words();
        while let Some(conversation) = self.conversation.as_mut().filter(|it| it.is_speaking()) {
            let wrong = conversation.go_on().await;
            self.note(wrong);
        }
    }

    /// Takes in what the program has said by now; answers whether that is still to be recorded. Who does not converse any more
    /// says nothing.
    fn hear_words(&mut self) -> bool {
        let words = self.output.words.iter_mut().flat_map(|words| words.drain(..));
        match &mut self.conversation {
            Some(conversation) => {
                conversation.hear(words, self.masking.masks());
                conversation.is_speaking()
            }
            None => {
                words.for_each(drop);
                false
            }
        }
    }

    /// Notes what was wrong with what the program said, where people look.
    fn note(&mut self, wrong: Option<Failure>) {
        let Some(Failure { code, message, .. }) = wrong else { return };
        let line = format!("reenact: {code}: {message}\n");
        say(&mut self.tap, Stream::Stderr, line.as_bytes());
        self.errors.push(line.as_bytes());
    }

    /// What the program named last, by which its log is to be masked, too; none if it named nothing.
    pub(super) fn named(&self) -> Option<Masks> {
        self.masking.has_named().then(|| self.masks().clone())
    }

    /// Where it went, for who knows how the attempt ended.
    pub(super) fn take_tap(&mut self) -> Option<Tap> {
        self.tap.take()
    }

    /// Moves bytes until all pipes are closed. It may be dropped at any await and called again.
    ///
    /// # Errors
    /// When stdout is over its bound, or more is to be masked than may be; what comes from then on is counted at most.
    pub(super) async fn pump(&mut self) -> Result<(), Full> {
        while self.step().await? {}
        Ok(())
    }

    /// Moves some bytes, or goes on with the conversation; answers whether there may be more.
    async fn step(&mut self) -> Result<bool, Full> {
        let is_speaking = self.hear_words();
        let (out, err) = &mut self.chunks;
        let is_open = self.stdout.is_some() || self.stderr.is_some();
        let listens = self.conversation.is_some() && (is_open || is_speaking);
        if let Some(tap) = &self.tap {
            tap.room().await;
        }
        tokio::select! {
            bytes = read(&mut self.stdout, out), if self.stdout.is_some() && !is_speaking => match bytes {
                Some(bytes) => {
                    let bytes = self.masking.stdout(bytes)?;
                    say(&mut self.tap, Stream::Stdout, bytes);
                    self.output.push(bytes)?;
                }
                None => self.stdout = None,
            },
            bytes = read(&mut self.stderr, err), if self.stderr.is_some() => match bytes {
                Some(bytes) => {
                    let bytes = self.masking.stderr(bytes)?;
                    say(&mut self.tap, Stream::Stderr, bytes);
                    self.errors.push(bytes);
                }
                None => self.stderr = None,
            },
            wrong = go_on(&mut self.conversation), if listens => self.note(wrong),
            else => return Ok(false),
        }
        Ok(true)
    }

    /// Goes on with the conversation, for a program that has closed its stdout and its stderr and still reads. Never ends.
    pub(super) async fn converse_on(&mut self) {
        loop {
            let wrong = go_on(&mut self.conversation).await;
            self.note(wrong);
        }
    }

    /// Reads what a program that has ended wrote, until the pipes are closed, and waits no longer than that for it: somebody else
    /// may keep them open. Until what it has said is recorded takes as long as it takes.
    ///
    /// # Errors
    /// When stdout is over its bound.
    pub(super) async fn hear_out(&mut self, time: Duration) -> Result<(), Full> {
        self.tap.iter_mut().for_each(Tap::hurry);
        // It reads nothing any more, whoever has its stdin by now.
        self.conversation.iter_mut().for_each(Conversation::hang_up);
        let mut left = time;
        loop {
            self.speak_out().await;
            let since = Instant::now();
            match tokio::time::timeout(left, self.step()).await {
                Ok(Ok(true)) => left = left.saturating_sub(since.elapsed()),
                Ok(Ok(false)) | Err(_) => return Ok(()),
                Ok(Err(full)) => return Err(full),
            }
        }
    }

    /// Reads on until the pipes are closed, whatever comes: a program that is being ended can still write. It converses no more.
    pub(super) async fn drain(&mut self) {
        self.tap.iter_mut().for_each(Tap::hurry);
        self.conversation = None;
        while self.pump().await.is_err() {}
    }

    /// Nothing more is read: takes in what was held back, and masks all that is kept by what the program named last.
    ///
    /// # Errors
    /// When stdout is over its bound, or more is to be masked than may be.
    pub(super) fn end(&mut self) -> Result<(), Full> {
        let last = self.masking.end_stdout().map_err(Full::from).and_then(|bytes| {
            say(&mut self.tap, Stream::Stdout, bytes);
            self.output.push(bytes)
        });
        // Of a word that was cut off nobody knows how it goes on.
        if self.stdout.is_none() {
            self.output.end_words();
        }
        let last = last.and(self.masking.end_stderr().map_err(Full::from).map(|bytes| {
            say(&mut self.tap, Stream::Stderr, bytes);
            self.errors.push(bytes);
        }));
        self.masking.again(&mut self.output.kept, self.output.cut > 0);
        let mut errors = Vec::from(std::mem::take(&mut self.errors.kept));
        self.masking.again(&mut errors, false);
        self.errors.kept = errors.into();
        last
    }

    /// What is masked by now.
    pub(super) fn masks(&self) -> &Masks {
        self.masking.masks()
    }

    /// Whether the program has more masked than it may.
    pub(super) fn masks_too_much(&self) -> bool {
        self.masking.is_over()
    }

    /// What was reported so far to be used up.
    pub(super) fn usage(&self) -> Usage {
        protocol::usage(&self.output.kept)
    }

    /// What the program answered.
    ///
    /// # Errors
    /// When it is JSON that cannot be taken, also once it is masked.
    pub(super) fn output(&self) -> Result<Output, Failure> {
        let output = protocol::output(&self.output.kept)?;
        // Only what is escaped in JSON can still hold a value.
        if self.output.kept.contains(&b'\\') { self.masks().output(output) } else { Ok(output) }
    }

    /// What the program wrote.
    pub(super) fn into_transcript(self) -> Transcript {
        let (Capture { kept: stdout, cut: stdout_cut, .. }, Tail { kept: stderr, cut: stderr_cut, .. }) =
            (self.output, self.errors);
        let (stdout, stderr) = (Written::of(stdout), Written::of(stderr.into()));
        Transcript { stdout, stdout_cut, stderr, stderr_cut, ..Transcript::default() }
    }

    /// The last lines of stderr, or of stdout if it wrote no other, on one line.
    pub(super) fn last_words(&self) -> String {
        match last_lines(&self.errors.last(LAST_WORDS_BYTES_MAX + 1)) {
            words if words.is_empty() => last_lines(&self.output.kept),
            words => words,
        }
    }
}

async fn go_on(conversation: &mut Option<Conversation>) -> Option<Failure> {
    match conversation {
        Some(conversation) => conversation.go_on().await,
        None => std::future::pending().await,
    }
}

fn say(tap: &mut Option<Tap>, stream: Stream, bytes: &[u8]) {
    // What is held back at first is nothing yet: who says nothing has no log.
    if let Some(tap) = tap.as_mut().filter(|_| !bytes.is_empty()) {
        tap.say(stream, bytes);
    }
}

/// The bytes that came; none at the end of the pipe, or if it cannot be read.
async fn read<'a>(pipe: &mut Option<impl AsyncRead + Unpin>, chunk: &'a mut [u8]) -> Option<&'a [u8]> {
    let count = pipe.as_mut()?.read(chunk).await.ok()?;
    chunk.get(..count).filter(|bytes| !bytes.is_empty())
}

/// What a program has written to stdout, without its `PROGRESS:` lines: those are shown when they come, and a
/// program that works for days may write any number of them.
struct Capture {
    kept: Vec<u8>,
    /// The index in `kept` at which the line begins that is not complete yet.
    line: usize,
    bytes_max: usize,
    /// How many bytes came after those that are kept.
    cut: u64,
    /// Whether no line means anything.
    is_plain: bool,
    progress: Option<watch::Sender<Progress>>,
    /// What it has said in lines that are taken out as well, if it converses.
    words: Option<Vec<Word>>,
}

impl Capture {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Full> {
        if self.cut > 0 {
            self.cut += bytes.len() as u64;
            return Err(Full);
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.kept.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.end_line();
            }
            self.cut += self.kept.len().saturating_sub(self.bytes_max) as u64;
            self.kept.truncate(self.bytes_max);
        }
        if self.cut > 0 { Err(Full) } else { Ok(()) }
    }

    fn end_line(&mut self) {
        if self.is_plain {
            self.line = self.kept.len();
        } else if let Some(said) = self.kept.get(self.line..).and_then(protocol::progress) {
            self.kept.truncate(self.line);
            if let Some(progress) = &self.progress {
                progress.send_replace(said);
            }
        } else if !self.end_words() {
            self.line = self.kept.len();
        }
    }

    /// Takes out the last line, if a program says something with it that converses.
    fn end_words(&mut self) -> bool {
        let Some(words) = &mut self.words else { return false };
        let Some(word) = self.kept.get(self.line..).and_then(protocol::word) else { return false };
        words.push(word);
        self.kept.truncate(self.line);
        true
    }
}

/// The end of what a program has written to stderr.
struct Tail {
    kept: VecDeque<u8>,
    bytes_max: usize,
    /// How many bytes came before those that are kept.
    cut: u64,
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        // First there is room, so that no more memory is taken than may be kept.
        let last = bytes.get(bytes.len().saturating_sub(self.bytes_max)..).unwrap_or_default();
        let over = (self.kept.len() + last.len()).saturating_sub(self.bytes_max);
        self.kept.drain(..over);
        self.kept.extend(last);
        self.cut += (over + bytes.len() - last.len()) as u64;
    }

    /// Its last bytes, so many of them at most.
    fn last(&self, count: usize) -> Vec<u8> {
        self.kept.range(self.kept.len().saturating_sub(count)..).copied().collect()
    }
}

/// The end of a text, at most [`LAST_WORDS_BYTES_MAX`] bytes of it: its lines, without empty ones and without what a
/// terminal would take for a command.
fn last_lines(bytes: &[u8]) -> String {
    let cut = bytes.len().saturating_sub(LAST_WORDS_BYTES_MAX);
    let text = String::from_utf8_lossy(bytes.get(cut..).unwrap_or_default());
    // A first line that was cut in its middle says nothing, unless it is all there is.
    let text = match text.split_once('\n') {
        Some((_, rest)) if cut > 0 && !rest.trim().is_empty() => rest,
        _ => &text,
    };
    let lines = text.lines().map(clean).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// A line without control characters and escape sequences (`ESC [ … letter`).
fn clean(line: &str) -> String {
    let mut clean = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '\u{1b}' && chars.next_if_eq(&'[').is_some() {
            while chars.next_if(|char| !('@'..='~').contains(char)).is_some() {}
            chars.next();
        } else if char == '\t' {
            clean.push(' ');
        } else if !char.is_control() {
            clean.push(char);
        }
    }
    clean.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(bytes_max: usize) -> (Capture, watch::Receiver<Progress>) {
        let (progress, seen) = watch::channel(Progress::default());
        (
            Capture {
                kept: Vec::new(),
                line: 0,
                bytes_max,
                cut: 0,
                is_plain: false,
                progress: Some(progress),
                words: None,
            },
            seen,
        )
    }

    #[test]
    fn progress_is_shown_when_its_line_is_complete_and_does_not_count() {
        let (mut capture, seen) = capture(20);
        for _ in 0..100 {
            capture.push(b"PROGRESS: 4").unwrap();
            capture.push(b"0 half\n").unwrap();
        }
        assert_eq!(*seen.borrow(), Progress { percent: 40, text: "half".to_owned() });
        capture.push(b"done").unwrap();
        assert_eq!(capture.kept, b"done");
    }

    #[test]
    fn the_bound_is_exact() {
        let (mut capture, _) = capture(10);
        capture.push(b"0123456789").unwrap();
        assert_eq!(capture.push(b"xy"), Err(Full));
        assert_eq!(capture.push(b"z"), Err(Full));
        assert_eq!((capture.kept.as_slice(), capture.cut), (&b"0123456789"[..], 3));
    }

    #[test]
    fn last_words_are_the_last_lines_and_harm_no_terminal() {
        assert_eq!(last_lines(b"a\n\n\x1b[31mred\x1b[0m\x07\tend\r\n"), "a\nred end");
        let long: String = (0..1000).map(|n| format!("line {n}\n")).collect();
        let words = last_lines(long.as_bytes());
        assert!(words.starts_with("line ") && words.ends_with("line 999") && words.len() < 3000, "{words}");
    }

    #[test]
    fn of_a_long_stderr_the_end_is_kept() {
        let mut tail = Tail { kept: VecDeque::new(), bytes_max: 5, cut: 0 };
        ["ab", "cdefgh", "ij"].iter().for_each(|bytes| tail.push(bytes.as_bytes()));
        assert_eq!((Vec::from(tail.kept.clone()), tail.cut), (b"fghij".to_vec(), 5));
        assert_eq!((tail.last(2), tail.last(9)), (b"ij".to_vec(), b"fghij".to_vec()));
    }
}
