//! The tool `read`: lines of a file.

use std::io::{BufRead, BufReader, Read};

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Failure;
use super::call::{ANSWER_BYTES_MAX, Call, with_cut};
use super::folder::{For, not_done};

/// How many lines are read where nobody says.
const LINES: u64 = 2_000;

/// How many bytes of a file are read to come to the lines that are wanted: nobody reads a larger file line by line.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// How many bytes of one line are answered. A longer one was not written by hand.
const LINE_BYTES_MAX: usize = 4 * 1024;

/// In how many bytes a zero is looked for, which no text has. Git does the same with 8,000.
const LOOKED_AT: usize = 8 * 1024;

pub(super) fn input() -> Value {
    json!({
        "type": "object",
        "required": ["path"],
        "additionalProperties": false,
        "properties": {
            "path": {"type": "string", "minLength": 1, "description": "The file, from the work folder"},
            "offset": {"type": "integer", "minimum": 1, "description": "The first line, from 1; 1 if it is left out"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 100000, "description": "How many lines; 2000 if it is left out"},
        },
    })
}

#[derive(Deserialize)]
struct Arguments {
    path: String,
    #[serde(default = "first")]
    offset: u64,
    #[serde(default = "lines")]
    limit: u64,
}

const fn first() -> u64 {
    1
}

const fn lines() -> u64 {
    LINES
}

pub(super) fn read(call: &Call) -> Result<Value, Failure> {
    let Arguments { path, offset, limit } = call.arguments()?;
    let (file, stat) = call.folder.place(&path, For::Reading)?.open_file()?;
    let mut reader = BufReader::with_capacity(64 * 1024, file.take(BYTES_MAX));
    if is_binary(reader.fill_buf().map_err(|error| not_done(&path, &error))?) {
        return Ok(json!({"path": path, "binary": true, "bytes": stat.st_size}));
    }
    let mut lines = Lines { offset, last: offset.saturating_add(limit - 1), ..Lines::default() };
    let is_end = lines.read(&mut reader, call).map_err(|error| not_done(&path, &error))?;
    let read_all = reader.get_ref().limit() > 0;
    Ok(lines.answer(&path, is_end.then_some(read_all)))
}

/// Whether bytes with which a file begins are no text.
pub(super) fn is_binary(beginning: &[u8]) -> bool {
    beginning.iter().take(LOOKED_AT).any(|byte| *byte == 0)
}

/// The lines that are wanted, as far as they were read.
#[derive(Default)]
struct Lines {
    offset: u64,
    last: u64,
    /// How many lines were begun.
    line: u64,
    /// How many lines are in the text.
    taken: u64,
    text: Vec<u8>,
    line_bytes: usize,
    lines_cut: u64,
    is_full: bool,
}

impl Lines {
    /// Reads up to the last line that is wanted; answers whether the end came first.
    fn read(&mut self, reader: &mut impl BufRead, call: &Call) -> std::io::Result<bool> {
        let mut is_new = true;
        loop {
            let chunk = reader.fill_buf()?;
            if chunk.is_empty() {
                return Ok(true);
            }
            let length = chunk.len();
            for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
                if is_new {
                    self.line += 1;
                    self.line_bytes = 0;
                }
                if self.line > self.last || self.is_full || call.is_over() {
                    return Ok(false);
                }
                is_new = piece.ends_with(b"\n");
                if self.line >= self.offset {
                    self.take(piece, is_new);
                }
            }
            reader.consume(length);
        }
    }

    fn take(&mut self, piece: &[u8], is_last: bool) {
        let room = LINE_BYTES_MAX.saturating_sub(self.line_bytes);
        let fits = piece.get(..room.min(piece.len())).unwrap_or_default();
        if self.line_bytes == 0 {
            self.taken += 1;
        }
        let was_cut = self.line_bytes > LINE_BYTES_MAX;
        self.line_bytes += piece.len();
        self.text.extend_from_slice(fits);
        if self.line_bytes > LINE_BYTES_MAX && !was_cut {
            self.lines_cut += 1;
            self.text.extend_from_slice(b"\xe2\x80\xa6");
        }
        if is_last && fits.len() < piece.len() {
            self.text.push(b'\n');
        }
        self.is_full = self.text.len() > ANSWER_BYTES_MAX;
    }

    /// `end` tells whether the end of the file came, and if so, whether all of it could be read.
    fn answer(self, path: &str, end: Option<bool>) -> Value {
        let is_utf8 = std::str::from_utf8(&self.text).is_ok();
        let text = String::from_utf8_lossy(&self.text);
        let last = self.offset + self.taken.saturating_sub(1);
        let mut answer = json!({"path": path, "content": text, "first": self.offset, "last": last});
        if let (Some(map), Some(true)) = (answer.as_object_mut(), end) {
            map.insert("lines".to_owned(), self.line.into());
        }
        if let (Some(map), 0) = (answer.as_object_mut(), self.taken) {
            map.remove("last");
        }
        let more = match end {
            Some(true) => None,
            Some(false) => Some(format!("the file is read up to {BYTES_MAX} bytes")),
            None => Some(format!("there are more lines: read on with `offset` {}", last + 1)),
        };
        let long = (self.lines_cut > 0)
            .then(|| format!("{} lines are cut after {LINE_BYTES_MAX} bytes", self.lines_cut));
        let lossy = (!is_utf8).then(|| "it is not all UTF-8: what is not stands as \u{fffd}".to_owned());
        let cut: Vec<String> = [more, long, lossy].into_iter().flatten().collect();
        with_cut(answer, (!cut.is_empty()).then(|| cut.join("; ")))
    }
}
