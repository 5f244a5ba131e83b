//! Lines that programs write, each behind what it is of, as they come: in pieces that end anywhere.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use super::terminal::{Text, terminal};
use super::took;
use crate::events::ids::{RunId, StepId};
use crate::events::run::Purpose;
use crate::events::text::printable_lines;
use crate::executors::logs::line::{Ended, Stream};

/// A line that has not ended is shown in parts, each so long.
const PART_BYTES_MAX: usize = 64 * 1024;

/// Who wrote a line: which attempt at what, and whether to stdout or stderr.
pub(in crate::cli) type Source = (RunId, StepId, Purpose, u32, Stream);

/// Puts lines together.
#[derive(Debug, Default)]
pub(in crate::cli) struct Lines {
    /// What there is of lines that have not ended.
    open: HashMap<Source, Vec<u8>>,
}

impl Lines {
    /// Adds to `shown` all lines that have ended with this piece, each behind the prefix.
    pub(in crate::cli) fn take(&mut self, source: Source, prefix: &str, bytes: &[u8], shown: &mut String) {
        let open = self.open.entry(source).or_default();
        let mut rest = bytes;
        if !open.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
            let (first, others) = bytes.split_at(end);
            open.extend_from_slice(first);
            if !open.ends_with(b"\n") && open.len() < PART_BYTES_MAX {
                return;
            }
            put(shown, prefix, &std::mem::take(open));
            rest = others;
        }
        let end = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (whole, part) = rest.split_at(end);
        put(shown, prefix, whole);
        open.extend_from_slice(part);
    }

    /// Adds what there is of a line that will not end any more.
    pub(in crate::cli) fn end(&mut self, source: &Source, prefix: &str, shown: &mut String) {
        put(shown, prefix, &self.open.remove(source).unwrap_or_default());
    }
}

/// What stands before a line of a step, which may be one of a child: then `way` leads there.
pub(in crate::cli) fn of_step(way: &[StepId], step: &StepId, purpose: Purpose) -> Text {
    terminal!("{} | ", of_attempt(way, step, purpose, 1))
}

/// Which attempt it is, for a person.
pub(in crate::cli) fn of_attempt(way: &[StepId], step: &StepId, purpose: Purpose, attempt: u32) -> Text {
    let undo = if purpose == Purpose::Compensate { "undo " } else { "" };
    let steps = Text::joined(way.iter().chain([step]).map(|step| terminal!("{}", step)), " > ");
    let again = (attempt > 1).then(|| terminal!(", attempt {}", attempt));
    terminal!("{}{}", undo, steps).and(again)
}

/// How an attempt ended.
pub(in crate::cli) fn ended(ended: &Ended) -> Text {
    let Ended { exit, signal, error, duration_ms, artifacts } = ended;
    let how = match (exit, signal) {
        (Some(exit), _) => terminal!("exit {}", exit),
        (None, Some(signal)) => terminal!("signal {}", signal),
        (None, None) => terminal!("ended"),
    };
    let made = Text::joined(artifacts.iter().map(|path| terminal!("{}", path)), ", ");
    how.and(error.as_ref().map(|error| terminal!(", {}", error)))
        .and(terminal!(" after {}", took(Duration::from_millis(*duration_ms))))
        .and((!made.is_empty()).then(|| terminal!(", made {}", made)))
}

/// So much of what was said is not there.
pub(in crate::cli) fn left_out(bytes: u64) -> Text {
    terminal!("… {} bytes that were written here are not kept", bytes)
}

/// So many lines of a log are none.
pub(in crate::cli) fn damaged(lines: u64) -> Text {
    terminal!("… {} lines of the log are damaged", lines)
}

/// Adds a line, given without its end, behind the prefix.
pub(in crate::cli) fn put_line(shown: &mut String, prefix: &str, line: &[u8]) {
    if line.is_empty() {
        shown.push_str(prefix);
        shown.push('\n');
    } else {
        put(shown, prefix, line);
    }
}

/// Adds lines, each behind the prefix. The last may lack its end, which it gets.
fn put(shown: &mut String, prefix: &str, lines: &[u8]) {
    if lines.is_empty() {
        return;
    }
    if let Some(plain) = plain(lines) {
        for line in plain.split_inclusive('\n') {
            shown.push_str(prefix);
            shown.push_str(line);
        }
    } else {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            shown.push_str(prefix);
            match plain(line) {
                Some(plain) => shown.push_str(plain),
                None => shown.push_str(&harmless(line)),
            }
            shown.push('\n');
        }
    }
    if !shown.ends_with('\n') {
        shown.push('\n');
    }
}

/// A line in which nothing acts.
fn harmless(line: &[u8]) -> Cow<'static, str> {
    printable_lines(&String::from_utf8_lossy(line)).into()
}

/// Bytes that are nothing but letters, figures and signs of ASCII, spaces, tabs and ends of lines, as most output is.
fn plain(bytes: &[u8]) -> Option<&str> {
    // No branch within a part, so that it is looked at many bytes at a time.
    let is_plain =
        |part: &[u8]| part.iter().fold(true, |all, byte| all & matches!(byte, b' '..=b'~' | b'\n' | b'\t'));
    bytes.chunks(256).all(is_plain).then(|| std::str::from_utf8(bytes).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(purpose: Purpose, stream: Stream) -> Source {
        (RunId::parse("r").unwrap(), StepId::grown("a"), purpose, 1, stream)
    }

    fn shown(pieces: &[&[u8]]) -> String {
        let (mut lines, mut shown) = (Lines::default(), String::new());
        let source = source(Purpose::Do, Stream::Stdout);
        for piece in pieces {
            lines.take(source.clone(), "a | ", piece, &mut shown);
        }
        lines.end(&source, "a | ", &mut shown);
        shown
    }

    #[test]
    fn what_stands_before_a_line_says_whose_it_is() {
        let step = StepId::grown;
        let prefix = |way: &[StepId], purpose| of_step(way, &step("c[0]"), purpose).as_str().to_owned();
        assert_eq!(prefix(&[], Purpose::Do), "c[0] | ");
        assert_eq!(prefix(&[step("a"), step("b#2")], Purpose::Compensate), "undo a > b#2 > c[0] | ");
    }

    #[test]
    fn each_line_stands_behind_its_step_however_it_came() {
        let lines = "a | one\na | \na | three\n";
        for pieces in
            [&["one\n\nthree"][..], &["o", "ne", "\n\n", "thr", "ee\n"], &["one\n", "\nthree\n", ""]]
        {
            let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
            assert_eq!(shown(&pieces), lines, "{pieces:?}");
        }
        assert_eq!(shown(&[b""]), "");
    }

    #[test]
    fn nothing_in_a_line_acts_and_no_other_line_is_touched() {
        assert_eq!(
            shown(&[b"plain\n\x1b[2Jred\r\nGr\xc3\xbc\xc3\x9fe \xe2\x80\xae\n\xff\0\nend"]),
            "a | plain\na |  [2Jred\na | Grüße \u{fffd}\na | \u{fffd} \na | end\n"
        );
    }

    #[test]
    fn a_line_that_never_ends_is_shown_in_parts() {
        let piece = [b'x'; 1000];
        let pieces: Vec<&[u8]> = (0..200).map(|_| &piece[..]).collect();
        let shown = shown(&pieces);
        assert_eq!(shown.lines().count(), 4, "{}", shown.len());
        assert_eq!(shown.matches('x').count(), 200_000);
    }

    /// Two streams and two attempts at once: no line of one stands in that of another.
    #[test]
    fn lines_of_different_streams_are_not_mixed() {
        let (mut lines, mut shown) = (Lines::default(), String::new());
        for bytes in [&b"o"[..], b"ut\n"] {
            lines.take(source(Purpose::Do, Stream::Stdout), "a | ", bytes, &mut shown);
            lines.take(source(Purpose::Do, Stream::Stderr), "a | ", b"e\nr", &mut shown);
            lines.take(source(Purpose::Compensate, Stream::Stdout), "undo a | ", b"u\n", &mut shown);
        }
        assert_eq!(shown, "a | e\nundo a | u\na | out\na | re\nundo a | u\n");
    }
}
