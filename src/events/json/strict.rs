//! The strict reader of JSON that comes from outside: programs, people, files, the socket. It keeps
//! the text as it is, and refuses what two readers would understand differently, or what is nested too
//! deep to be walked.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use crate::events::problem::{Code, Problem};

#[cfg(test)]
mod tests;

/// How deep lists and objects may be nested in JSON that somebody gives us or that an expression makes. All
/// code that walks it does so by recursion, on threads whose stack is 2 MiB, and `serde_json` stops at 128,
/// of which some is needed for what is put around a document (a list of outputs, an answer).
pub const DEPTH_MAX: usize = 100;

/// Why a text is not taken as JSON, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadJson {
    /// Why the text was refused.
    pub why: Why,
    /// The byte at which the reader stopped, from 0.
    pub at: usize,
    /// The line, from 1.
    pub line: u64,
    /// The character in that line, from 1.
    pub column: u64,
    lines: bool,
}

/// Why a text is not taken as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It is not JSON, said in words.
    Syntax(Cow<'static, str>),
    /// A key stands twice in one object.
    Duplicate {
        /// The key that stands twice.
        key: String,
        /// The place of the object in the document, as in `plan.steps[2]`; empty for the outermost.
        inside: String,
    },
    /// It is nested deeper than [`DEPTH_MAX`].
    TooDeep,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(says) => f.write_str(says),
            Self::Duplicate { key, inside } => {
                write!(f, "the key `{}` stands twice ", key.escape_debug())?;
                match inside.as_str() {
                    "" => f.write_str("in one object"),
                    inside => write!(f, "in the object at `{}`", inside.escape_debug()),
                }
            }
            Self::TooDeep => write!(f, "it is nested deeper than {DEPTH_MAX} levels"),
        }
    }
}

/// The reason with its place, as far as that helps who gave the text.
impl fmt::Display for BadJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lines {
            true => write!(f, "{} (line {}, column {})", self.why, self.line, self.column),
            false => write!(f, "{} (character {})", self.why, self.column),
        }
    }
}

impl std::error::Error for BadJson {}

impl BadJson {
    /// The stable code under which people and programs are told.
    pub fn code(&self) -> Code {
        match self.why {
            Why::Syntax(_) => Code::NotJson,
            Why::Duplicate { .. } => Code::DuplicateKey,
            Why::TooDeep => Code::TooDeep,
        }
    }

    /// The same as a problem; its sentence begins with `what`, which names what the person gave.
    pub fn problem(&self, what: &str) -> Problem {
        Problem::new(self.code(), format!("{what} is not JSON that can be taken: {self}"))
    }

    /// The same as a problem with its place in the file that the person gave.
    pub fn in_file(&self, file: &str) -> Problem {
        let problem = Problem::new(self.code(), format!("this is not JSON that can be taken: {}", self.why));
        problem.at(file, self.line, self.column)
    }
}

/// Reads one document with nothing but white space around it; answers the text of the document.
///
/// # Errors
/// When the text is refused: see [`Why`].
pub(super) fn read(text: &str) -> Result<&str, BadJson> {
    Reader { text, at: 0, open: Vec::new(), depth: DEPTH_MAX, unique: true }.document()
}

/// Reads a message that may hold documents of depth [`DEPTH_MAX`] inside a few levels of its own.
pub(super) fn message(text: &str) -> Result<&str, BadJson> {
    const AROUND: usize = 20;
    Reader { text, at: 0, open: Vec::new(), depth: DEPTH_MAX + AROUND, unique: true }.document()
}

/// Reads a text that we have made: whether keys stand twice is not checked.
pub(super) fn made(text: &str) -> Result<&str, BadJson> {
    Reader { text, at: 0, open: Vec::new(), depth: DEPTH_MAX, unique: false }.document()
}

/// How many bytes at the beginning of a text are one JSON number; none if there is no number.
pub(super) fn number_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let whole = usize::from(text.starts_with('-'));
    let mut end = digits(whole);
    if end == whole || (bytes.get(whole) == Some(&b'0') && end > whole + 1) {
        return None;
    }
    if bytes.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if fraction == end + 1 {
            return None;
        }
        end = fraction;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent == end + 1 + sign {
            return None;
        }
        end = exponent;
    }
    Some(end)
}

/// The document, with every number that a float cannot hold replaced by the largest that it can.
pub(super) fn within_range(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let length = match number_length(from) {
            Some(length) => length,
            None => string_length(from),
        };
        let (part, behind) = from.split_at_checked(length).unwrap_or((from, ""));
        match part.parse::<f64>() {
            Ok(number) if number.is_infinite() => {
                out.push_str(&format!("{:e}", number.clamp(f64::MIN, f64::MAX)));
            }
            _ => out.push_str(part),
        }
        rest = behind;
    }
    out + rest
}

/// The length in bytes of the string in quotes at the beginning of `text`.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    open: Vec<Open<'a>>,
    /// How many lists and objects may be open at once.
    depth: usize,
    /// Whether a key that stands twice in an object is refused.
    unique: bool,
}

/// A list or an object that has not ended.
enum Open<'a> {
    /// The index of the item that is read, from 0.
    List(usize),
    Object(Keys<'a>),
}

/// The keys of an object so far; `last` is the key of the member that is read.
#[derive(Default)]
struct Keys<'a> {
    last: Cow<'a, str>,
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Keys<'a> {
    /// Up to this many keys are compared one by one, more through a set.
    const FEW: usize = 16;

    /// Adds a key; answers whether it differs from all before.
    fn add(&mut self, key: Cow<'a, str>) -> bool {
        self.last = key.clone();
        if self.many.is_empty() && self.few.len() < Self::FEW {
            let new = !self.few.contains(&key);
            self.few.push(key);
            return new;
        }
        self.many.extend(self.few.drain(..));
        self.many.insert(key)
    }
}

impl<'a> Reader<'a> {
    fn document(mut self) -> Result<&'a str, BadJson> {
        self.space();
        let start = self.at;
        loop {
            if self.begin()? {
                continue;
            }
            if self.end()? {
                let document = self.text.get(start..self.at).unwrap_or_default();
                self.space();
                return match self.peek() {
                    None => Ok(document),
                    Some(_) => Err(self.bad(format!("{} stands behind the end of the JSON", self.found()))),
                };
            }
        }
    }

    /// Reads a value, or the beginning of a list or object; answers whether a value inside it comes next.
    fn begin(&mut self) -> Result<bool, BadJson> {
        match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => {
                self.deeper(Open::List(0))?;
                self.at += 1;
                self.space();
                Ok(!self.closes(b']'))
            }
            Some(b'"') => self.string().map(|_| false),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| false),
            _ => self.word().map(|()| false),
        }
    }

    fn object(&mut self) -> Result<bool, BadJson> {
        self.deeper(Open::Object(Keys::default()))?;
        self.at += 1;
        self.space();
        if self.closes(b'}') {
            return Ok(false);
        }
        self.key()?;
        Ok(true)
    }

    /// Called behind a value: ends all that it was the last of. Answers whether the document has ended.
    fn end(&mut self) -> Result<bool, BadJson> {
        loop {
            let close = match self.open.last() {
                None => return Ok(true),
                Some(Open::List(_)) => b']',
                Some(Open::Object(_)) => b'}',
            };
            self.space();
            if self.closes(close) {
                continue;
            }
            if self.peek() != Some(b',') {
                let close = char::from(close);
                return Err(self.bad(format!("`,` or `{close}` is missing before {}", self.found())));
            }
            self.at += 1;
            self.space();
            match self.open.last_mut() {
                Some(Open::List(index)) => *index += 1,
                _ => self.key()?,
            }
            return Ok(false);
        }
    }

    /// Takes the bracket that closes the innermost list or object, if it stands here.
    fn closes(&mut self, close: u8) -> bool {
        let closes = self.peek() == Some(close);
        if closes {
            self.at += 1;
            self.open.pop();
        }
        closes
    }

    fn deeper(&mut self, open: Open<'a>) -> Result<(), BadJson> {
        if self.open.len() >= self.depth {
            return Err(self.because(Why::TooDeep, self.at));
        }
        self.open.push(open);
        Ok(())
    }

    fn key(&mut self) -> Result<(), BadJson> {
        let at = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.bad(format!("a key in double quotes is missing before {}", self.found())));
        }
        let escaped = self.string()?;
        let written = self.text.get(at..self.at).unwrap_or_default();
        if self.unique {
            let key = if escaped {
                Cow::Owned(serde_json::from_str(written).unwrap_or_default())
            } else {
                Cow::Borrowed(written.trim_matches('"'))
            };
            let new = match self.open.last_mut() {
                Some(Open::Object(keys)) => keys.add(key.clone()),
                _ => true,
            };
            if !new {
                let why = Why::Duplicate { key: key.into_owned(), inside: self.path() };
                return Err(self.because(why, at));
            }
        }
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.bad(format!("`:` is missing before {}", self.found())));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// The path to the innermost object, as in `plan.steps[2]`.
    fn path(&self) -> String {
        let mut path = String::new();
        for open in self.open.iter().take(self.open.len().saturating_sub(1)) {
            match open {
                Open::List(index) => path.push_str(&format!("[{index}]")),
                Open::Object(keys) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&keys.last);
                }
            }
        }
        path
    }

    /// Reads a string; answers whether it has an escape in it.
    fn string(&mut self) -> Result<bool, BadJson> {
        let start = self.at;
        let mut escaped = false;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(byte) if byte < 0x20 => {
                    return Err(self.bad("a line break or a control character in a text is not escaped"));
                }
                Some(_) => self.at += 1,
                None => {
                    return Err(self.because(Why::Syntax("a text does not end".into()), start));
                }
            }
        }
    }

    fn escape(&mut self) -> Result<(), BadJson> {
        match self.text.as_bytes().get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => {
                let unit = |at: usize| {
                    let escape = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
                    escape.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
                    u16::from_str_radix(escape, 16).ok()
                };
                let length = match unit(self.at) {
                    None => return Err(self.bad("`\\u` needs four hexadecimal digits")),
                    Some(0xD800..=0xDBFF) if matches!(unit(self.at + 6), Some(0xDC00..=0xDFFF)) => 12,
                    Some(0xD800..=0xDFFF) => {
                        return Err(self.bad("a `\\u` escape is half of a character"));
                    }
                    Some(_) => 6,
                };
                self.at += length;
                Ok(())
            }
            _ => Err(self.bad("`\\` escapes something that cannot be escaped")),
        }
    }

    fn number(&mut self) -> Result<(), BadJson> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        match number_length(rest) {
            Some(length) => {
                self.at += length;
                Ok(())
            }
            None => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-._".contains(c));
                let written: String =
                    rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest).chars().take(30).collect();
                Err(self.bad(format!("`{written}` is no number of JSON: a text needs double quotes")))
            }
        }
    }

    fn word(&mut self) -> Result<(), BadJson> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        match ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word)) {
            Some(word) => {
                self.at += word.len();
                Ok(())
            }
            None => Err(self.bad(format!("a value is missing before {}", self.found()))),
        }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// What stands at this place, for the sentence of an error.
    fn found(&self) -> String {
        match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(c) => format!("`{}`", c.escape_debug()),
            None => "the end".to_owned(),
        }
    }

    fn bad(&self, says: impl Into<Cow<'static, str>>) -> BadJson {
        self.because(Why::Syntax(says.into()), self.at)
    }

    fn because(&self, why: Why, at: usize) -> BadJson {
        let (line, column) = place(self.text, at);
        BadJson { why, at, line, column, lines: self.text.trim().contains('\n') }
    }
}

/// The line, and the character in it, of the byte `at`; both from 1.
fn place(text: &str, at: usize) -> (u64, u64) {
    let above = text.get(..at).unwrap_or_default();
    let line = 1 + above.matches('\n').count();
    let column = 1 + above.rsplit('\n').next().unwrap_or_default().chars().count();
    (line as u64, column as u64)
}
