//! The tool `search`: lines that fit a regular expression.

use std::io::Read;

use regex::bytes::{Regex, RegexBuilder};
use rustix::fs::FileType;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Failure;
use super::call::{ANSWER_BYTES_MAX, Call, refused, with_cut};
use super::folder::{For, open_file_in};
use super::look::glob;
use super::read::is_binary;
use super::walk::{Found, Looks, walk};

/// How many lines are answered where nobody says, and at most.
const MATCHES: usize = 200;
const MATCHES_MAX: usize = 2_000;

/// How many bytes a file has at most that is searched: it is held in memory, and a larger one is data.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How many bytes are searched in one call.
const BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// How many bytes of a line are answered. A longer one was not written by hand.
const LINE_BYTES_MAX: usize = 400;

/// How much memory an expression may take: as much as the crate allows by itself.
const EXPRESSION_BYTES_MAX: usize = 10 * 1024 * 1024;

pub(super) fn input() -> Value {
    json!({
        "type": "object",
        "required": ["pattern"],
        "additionalProperties": false,
        "properties": {
            "pattern": {"type": "string", "minLength": 1, "maxLength": 10000, "description": "A regular expression, line by line"},
            "path": {"type": "string", "description": "The folder or file to search, from the work folder"},
            "glob": {"type": "string", "minLength": 1, "maxLength": 1000, "description": "Only files that fit this glob, as in *.rs"},
            "ignore_case": {"type": "boolean"},
            "ignored": {"type": "boolean", "description": "Whether to search what .gitignore leaves out, too"},
            "max": {"type": "integer", "minimum": 1, "maximum": MATCHES_MAX, "description": "How many lines to answer; 200 if it is left out"},
        },
    })
}

#[derive(Deserialize)]
struct Arguments {
    pattern: String,
    path: Option<String>,
    glob: Option<String>,
    #[serde(default)]
    ignore_case: bool,
    #[serde(default)]
    ignored: bool,
    #[serde(default = "matches")]
    max: usize,
}

const fn matches() -> usize {
    MATCHES
}

pub(super) fn search(call: &Call) -> Result<Value, Failure> {
    let Arguments { pattern, path, glob: files, ignore_case, ignored, max } = call.arguments()?;
    let expression = RegexBuilder::new(&pattern)
        .case_insensitive(ignore_case)
        .size_limit(EXPRESSION_BYTES_MAX)
        .build()
        .map_err(|error| refused(&format!("`pattern` is no regular expression: {error}")))?;
    let files = files.as_deref().map(glob).transpose()?;
    let place = call.folder.place(path.as_deref().unwrap_or("."), For::Reading)?;
    let mut search = Search::new(expression, max);
    let kind = place.stat()?.map(|stat| FileType::from_raw_mode(stat.st_mode));
    let cut = if kind == Some(FileType::Directory) {
        walk(call, &place, Looks { depth: usize::MAX, ignored }, &mut |found| {
            let inside = found.path.strip_prefix(&place.path).unwrap_or(found.path);
            let is_meant = files.as_ref().is_none_or(|files| files.is_match(inside));
            if found.kind == FileType::RegularFile && is_meant {
                search.file(found);
            }
            Ok(!search.is_full())
        })?
    } else {
        let (file, _) = place.open_file()?;
        search.read(file, &place.path.display().to_string());
        None
    };
    let cut = search.cut(cut);
    Ok(with_cut(json!({"matches": search.matches, "files": search.files}), cut))
}

struct Search {
    expression: Regex,
    max: usize,
    matches: Vec<Value>,
    /// How many bytes of text are among the matches.
    answered: usize,
    /// How many files were searched, and how many bytes.
    files: usize,
    bytes: u64,
    large: usize,
    unread: usize,
    is_more: bool,
}

impl Search {
    fn new(expression: Regex, max: usize) -> Self {
        let (matches, answered, files, bytes, large, unread) = Default::default();
        Self { expression, max, matches, answered, files, bytes, large, unread, is_more: false }
    }

    fn is_full(&self) -> bool {
        self.is_more || self.bytes > BYTES_MAX
    }

    fn file(&mut self, found: &Found<'_>) {
        let shown = found.path.display().to_string();
        match open_file_in(found.folder, found.name, &shown) {
            Ok((file, _)) => self.read(file, &shown),
            Err(_) => self.unread += 1,
        }
    }

    fn read(&mut self, file: std::fs::File, shown: &str) {
        let mut bytes = Vec::new();
        if file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).is_err() {
            self.unread += 1;
            return;
        }
        self.bytes += bytes.len() as u64;
        if is_binary(&bytes) {
            return;
        }
        if bytes.len() as u64 > FILE_BYTES_MAX {
            self.large += 1;
            return;
        }
        self.files += 1;
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let Some(first) = self.expression.find(line) else { continue };
            if self.matches.len() >= self.max || self.answered > ANSWER_BYTES_MAX {
                self.is_more = true;
                return;
            }
            let text = shown_line(line, first.start());
            self.answered += text.len() + shown.len();
            self.matches.push(json!({"file": shown, "line": index + 1, "text": text}));
        }
    }

    fn cut(&self, cut: Option<String>) -> Option<String> {
        let count = |count: usize, why: &str| (count > 0).then(|| format!("{count} files {why}"));
        let says = [
            self.is_more.then(|| {
                format!("there are more than {} lines: search in a folder, or for less", self.matches.len())
            }),
            (self.bytes > BYTES_MAX).then(|| format!("{BYTES_MAX} bytes were searched: there may be more")),
            count(self.large, &format!("have more than {FILE_BYTES_MAX} bytes, and were not searched")),
            count(self.unread, "could not be read"),
            cut,
        ];
        let says: Vec<String> = says.into_iter().flatten().collect();
        (!says.is_empty()).then(|| says.join("; "))
    }
}

/// A line, or what of a long one stands around what was found.
fn shown_line(line: &[u8], at: usize) -> String {
    if line.len() <= LINE_BYTES_MAX {
        return String::from_utf8_lossy(line).into_owned();
    }
    let from = at.saturating_sub(LINE_BYTES_MAX / 4).min(line.len() - LINE_BYTES_MAX);
    let part = line.get(from..from + LINE_BYTES_MAX).unwrap_or_default();
    let before = if from > 0 { "…" } else { "" };
    let after = if from + LINE_BYTES_MAX < line.len() { "…" } else { "" };
    format!("{before}{}{after}", String::from_utf8_lossy(part))
}
