//! The lines of a log: what a program wrote, and what there is to say about it. A log can be read by people as it is, and
//! nothing that a program writes can be taken for anything but what it wrote.
//!
//! Each line is a moment, a word, and the rest, with a space between:
//!
//! | word | the rest |
//! |---|---|
//! | `log` | the first line of each file, as JSON: whose log it is ([`Head`]) |
//! | `out`, `err` | a line that the program wrote to stdout or stderr, byte for byte, without its end |
//! | `out-`, `err-` | a part of a line, which goes on in the next line of that stream |
//! | `cut` | so many bytes that came here are left out |
//! | `end` | how the attempt ended, as JSON ([`Ended`]) |

use std::io::Write;

use serde::{Deserialize, Serialize};

use super::Speaker;
use crate::events::time::Timestamp;

/// The number of this format. What a newer version wrote another way is left alone.
pub(super) const FORMAT: u32 = 1;

/// No line is longer, in bytes: what is read of a pipe at once is shorter.
pub(super) const LINE_BYTES_MAX: usize = 256 * 1024;

/// Where a program wrote something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// To stdout.
    Stdout,
    /// To stderr.
    Stderr,
}

/// Whose log it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of the format.
    pub format: u32,
    /// The attempt.
    #[serde(flatten)]
    pub speaker: Speaker,
    /// The number of this file among all that the log had so far, from 1.
    pub part: u64,
    /// How many bytes the program had written before those in this file.
    pub before: u64,
}

impl Head {
    /// The first line of a log of that attempt.
    pub(super) fn of(speaker: &Speaker, part: u64, before: u64) -> Self {
        Self { format: FORMAT, speaker: speaker.clone(), part, before }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ended {
    /// The status with which its program exited; none if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// The number of the signal that ended its program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// The code of why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took, in ms.
    pub duration_ms: u64,
    /// The files that it named as made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
}

/// What a line of a log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Whose log it is.
    Head(Head),
    /// What the program wrote.
    Said {
        /// Where it wrote it.
        stream: Stream,
        /// What it wrote, without the end of the line.
        text: Vec<u8>,
        /// Whether the line ends here.
        ends: bool,
    },
    /// So many bytes were left out.
    Cut(u64),
    /// How the attempt ended.
    Ended(Ended),
}

/// Adds what a program wrote to a log, a line for each of its lines.
pub(super) fn put_said(log: &mut Vec<u8>, at: Timestamp, stream: Stream, bytes: &[u8]) {
    let (whole, part) = match stream {
        Stream::Stdout => (format!("{at} out "), format!("{at} out- ")),
        Stream::Stderr => (format!("{at} err "), format!("{at} err- ")),
    };
    for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
        let ends = piece.ends_with(b"\n");
        log.extend_from_slice(if ends { &whole } else { &part }.as_bytes());
        log.extend_from_slice(piece);
        if !ends {
            log.push(b'\n');
        }
    }
}

/// Adds what there is to say about it to a log.
pub(super) fn put(log: &mut Vec<u8>, at: Timestamp, entry: &Entry) {
    let json = |word: &str, json: serde_json::Result<String>| {
        // Names and numbers always have a JSON form.
        format!("{at} {word} {}\n", json.unwrap_or_default())
    };
    match entry {
        Entry::Said { stream, text, ends } => {
            let end: &[u8] = if *ends { b"\n" } else { b"" };
            put_said(log, at, *stream, &[text, end].concat());
        }
        Entry::Head(head) => log.extend_from_slice(json("log", serde_json::to_string(head)).as_bytes()),
        Entry::Ended(ended) => log.extend_from_slice(json("end", serde_json::to_string(ended)).as_bytes()),
        // Writing into memory cannot fail.
        Entry::Cut(bytes) => drop(writeln!(log, "{at} cut {bytes}")),
    }
}

/// Reads a line, given without its end; none if it is no line of a log.
pub(super) fn read(line: &[u8]) -> Option<(Timestamp, Entry)> {
    let mut parts = line.splitn(3, |byte| *byte == b' ');
    let (at, word, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let at = Timestamp::parse(std::str::from_utf8(at).ok()?)?;
    let said = |stream, ends| Some(Entry::Said { stream, text: rest.to_vec(), ends });
    let entry = match word {
        b"out" => said(Stream::Stdout, true),
        b"out-" => said(Stream::Stdout, false),
        b"err" => said(Stream::Stderr, true),
        b"err-" => said(Stream::Stderr, false),
        b"log" => serde_json::from_slice(rest).ok().map(Entry::Head),
        b"end" => serde_json::from_slice(rest).ok().map(Entry::Ended),
        b"cut" => std::str::from_utf8(rest).ok().and_then(|bytes| bytes.parse().ok()).map(Entry::Cut),
        _ => None,
    };
    Some((at, entry?))
}
