//! What a program writes, masked before anything else is done with it: by the secrets that are known, and by what it says
//! itself in `MASK: value` lines.

use std::borrow::Cow;

use memchr::{memchr, memmem};

use super::super::Failure;
use super::super::mask::stream::Stream;
use super::super::mask::{Masks, is_too_short};
use crate::events::ids::AgentName;
use crate::events::problem::Code;
use crate::events::run::Outcome;

/// How a line begins that says what is to be masked from there on, on stdout and on stderr.
const MASK: &[u8] = b"MASK:";

/// The same, where it follows another line.
const NEXT_MASK: &[u8] = b"\nMASK:";

/// What stands in the place of a value that has no name, in brackets.
const NAME: &str = "MASKED";

/// How many values a program may have masked. All are looked for in whatever it writes, so that a program which masks each line
/// of a file would cost more and more.
pub(super) const VALUES_MAX: usize = 100;

/// How many bytes the values of one program may have together. Keys and tokens have a few thousand.
pub(super) const VALUE_BYTES_MAX: usize = 64 * 1024;

/// A program has more masked than it may.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::executors) struct TooMuch;

impl TooMuch {
    /// The failure of an attempt of that agent, which is ended for it.
    pub(in crate::executors) fn failure(&self, agent: &AgentName) -> Failure {
        let message = format!(
            "the program of agent `{agent}` names more than {VALUES_MAX} values to be masked, or more than {VALUE_BYTES_MAX} bytes of them"
        );
        Failure { outcome: Outcome::Unknown, ..Failure::new(Code::MasksTooMuch, message) }
    }
}

/// What one program writes, on its way through masks.
#[derive(Debug, Default)]
pub(super) struct Masking {
    masks: Masks,
    lines: Lines,
    stdout: Stream,
    stderr: Stream,
    /// What was masked last.
    ready: Vec<u8>,
    /// How many values the program has named, and how many bytes they have together.
    named: usize,
    named_bytes: usize,
}

impl Masking {
    /// Masks what these do, and what the program names.
    pub(super) fn new(masks: Masks) -> Self {
        Self { masks, ..Self::default() }
    }

    /// Takes in what was written to stdout; answers what can be told.
    ///
    /// # Errors
    /// When more is to be masked than may be. What is written from then on cannot be masked, so nothing of it comes out.
    pub(super) fn stdout(&mut self, bytes: &[u8]) -> Result<&[u8], TooMuch> {
        self.ready.clear();
        let mut rest = bytes;
        while let Some(piece) = self.lines.next(&mut rest) {
            self.take(piece);
        }
        self.told()
    }

    /// The same of stderr, where nothing is named.
    ///
    /// # Errors
    /// The same as those of [`Masking::stdout`].
    pub(super) fn stderr(&mut self, bytes: &[u8]) -> Result<&[u8], TooMuch> {
        self.ready.clear();
        self.stderr.push(&self.masks, bytes, &mut self.ready);
        self.told()
    }

    /// Nothing more is written to stdout: answers what was held back.
    ///
    /// # Errors
    /// The same as those of [`Masking::stdout`].
    pub(super) fn end_stdout(&mut self) -> Result<&[u8], TooMuch> {
        self.ready.clear();
        if let Some(piece) = self.lines.end() {
            self.take(piece);
        }
        self.stdout.end(&self.masks, &mut self.ready);
        self.told()
    }

    /// The same of stderr.
    ///
    /// # Errors
    /// The same as those of [`Masking::stdout`].
    pub(super) fn end_stderr(&mut self) -> Result<&[u8], TooMuch> {
        self.ready.clear();
        self.stderr.end(&self.masks, &mut self.ready);
        self.told()
    }

    /// Masks what came out before the program named what is to be masked, and was not told yet. Of what was cut off, an end
    /// that may be the beginning of a value is left out.
    pub(super) fn again(&self, told: &mut Vec<u8>, is_cut: bool) {
        if self.named > 0 {
            *told = self.masks.beginning(told, is_cut).into_owned();
        }
    }

    /// Whether more is to be masked than may be.
    pub(super) fn is_over(&self) -> bool {
        self.named > VALUES_MAX || self.named_bytes > VALUE_BYTES_MAX
    }

    /// Whether the program has named values.
    pub(super) fn has_named(&self) -> bool {
        self.named > 0
    }

    /// What is masked.
    pub(super) fn masks(&self) -> &Masks {
        &self.masks
    }

    fn take(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Other(bytes) => self.stdout.push(&self.masks, &bytes, &mut self.ready),
            Piece::Mask(value) if is_too_short(&value) => {
                tracing::warn!("a program names a value to be masked that is too short: it stays as it is");
            }
            Piece::Mask(value) if self.masks.has(&value) => {}
            Piece::Mask(value) => {
                self.named += 1;
                self.named_bytes += value.len();
                if !self.is_over() {
                    self.masks = self.masks.and([(NAME, &*value)]);
                }
            }
        }
    }

    fn told(&self) -> Result<&[u8], TooMuch> {
        if self.is_over() { Err(TooMuch) } else { Ok(&self.ready) }
    }
}

/// A text as a program would have written it, masked by what it names itself.
///
/// # Errors
/// When more is to be masked than may be.
pub(in crate::executors) fn of_text(text: &str) -> Result<String, TooMuch> {
    let mut masking = Masking::default();
    let mut said = masking.stdout(text.as_bytes())?.to_vec();
    said.extend_from_slice(masking.end_stdout()?);
    masking.again(&mut said, false);
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// Finds the `MASK:` lines in what comes in pieces. It holds back what may be one, and nothing else.
#[derive(Debug, Default)]
struct Lines {
    /// Whether what came last is within another line.
    is_within: bool,
    /// Else: what has come of the line that may be one.
    held: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Mask(Vec<u8>),
    Other(Cow<'a, [u8]>),
}

impl Lines {
    /// The next piece of these bytes, which are taken off them; none if more has to come.
    fn next<'a>(&mut self, rest: &mut &'a [u8]) -> Option<Piece<'a>> {
        let bytes = Some(*rest).filter(|bytes| !bytes.is_empty())?;
        let mut take = |count: usize| {
            let (taken, left) = bytes.split_at(count);
            *rest = left;
            taken
        };
        if !self.is_within && self.may_be_mask(bytes) {
            self.held.extend_from_slice(take(memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1)));
            let is_whole = self.held.ends_with(b"\n") || self.held.len() > VALUE_BYTES_MAX + MASK.len();
            return if is_whole { self.end() } else { None };
        }
        self.is_within = true;
        if !self.held.is_empty() {
            return Some(Piece::Other(std::mem::take(&mut self.held).into()));
        }
        let next = memmem::find(bytes, NEXT_MASK).map(|end| end + 1);
        let last =
            || (0..MASK.len()).find(|count| bytes.ends_with(NEXT_MASK.get(..=*count).unwrap_or_default()));
        let until = next.or_else(|| Some(bytes.len() - last()?));
        self.is_within = until.is_none();
        Some(Piece::Other(take(until.unwrap_or(bytes.len())).into()))
    }

    /// The line that was held back; none if there is none.
    fn end(&mut self) -> Option<Piece<'static>> {
        let line = Some(std::mem::take(&mut self.held)).filter(|line| !line.is_empty())?;
        Some(match line.strip_prefix(MASK) {
            // Too long, whatever follows.
            Some(value) if value.len() > VALUE_BYTES_MAX => Piece::Mask(value.to_vec()),
            Some(value) if !value.trim_ascii().is_empty() => Piece::Mask(value.trim_ascii().to_vec()),
            _ => Piece::Other(line.into()),
        })
    }

    /// Whether the line that these bytes go on with may name a value.
    fn may_be_mask(&self, bytes: &[u8]) -> bool {
        let line = self.held.iter().chain(bytes);
        line.zip(MASK).all(|(byte, expected)| byte == expected)
    }
}
