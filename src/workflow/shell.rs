//! Values in a text for `sh -c`: how they are quoted, and where their quotes would not be what they are.

use super::json_text::Level;
use super::template::{Piece, plain};

/// A value as words of a shell command: a list as one word an item, all else as one word.
pub(super) fn quoted(json: &str) -> String {
    match Level::of(json) {
        Ok(Level::List(items)) => {
            items.into_iter().map(|item| word(&plain(item))).collect::<Vec<_>>().join(" ")
        }
        _ => word(&plain(json)),
    }
}

/// One word. It is quoted even where that looks needless: `2` before a `>` would name a file descriptor, and `if` is
/// no argument.
fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The values of a command that stand where quotes do not protect them, with the byte at which each begins and what is
/// wrong. Values that are `| raw` are their author's business.
pub(super) fn misplaced(pieces: &[Piece]) -> Vec<(usize, String)> {
    let mut reader = Reader::default();
    let mut found = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => reader.read(text),
            Piece::Value { expression, at } => {
                if let Some(place) = reader.place().filter(|_| !expression.is_raw()) {
                    found.push((*at, format!("`{{{{ {} }}}}` stands {place}", expression.source())));
                }
                reader.value();
            }
        }
    }
    found
}

/// What a command is in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum In {
    Single,
    Double,
    Backticks,
    /// `$( … )` and `( … )`: quotes begin anew in it.
    Parentheses,
    /// The inner parentheses of `$(( … ))` and `(( … ))`: quotes are no part of numbers, and `<<` shifts.
    Arithmetic,
    /// `${ … }`, in which quotes mean what they mean around it.
    Braces,
}

/// Reads a command as far as it takes to know which quotes are open. It knows no grammar: what it cannot tell, such as
/// the lone `)` of a `case`, it reads as closing what is open.
#[derive(Debug, Default)]
struct Reader {
    open: Vec<In>,
    comment: bool,
    /// The last character was a backslash that quotes the next one.
    escape: bool,
    /// What was read since the last space: tells comments from `a#b`.
    word: bool,
    /// The last characters were these.
    before: (char, char),
    /// Here-documents whose bodies begin with the next line: their ends, and whether tabs before them do not count.
    announced: Vec<(String, bool)>,
    /// The end that is being read, behind `<<`.
    ending: Option<(String, bool)>,
    /// The body being read: its line so far.
    body: Option<String>,
}

impl Reader {
    /// Where the next character stands, if a quoted value would not be one there.
    fn place(&self) -> Option<&'static str> {
        if self.body.is_some() {
            return Some("in a here-document, where its quotes would be text");
        }
        if self.ending.is_some() {
            return Some("where a here-document is named");
        }
        if self.comment {
            return Some("in a comment, which a line break in the value would end");
        }
        if self.escape {
            return Some("behind a backslash, which would take its first quote away");
        }
        match self.open.iter().rev().find(|open| **open != In::Braces) {
            Some(In::Single | In::Double) => Some("in quotes, which its own would end"),
            Some(In::Backticks) => Some("in backquotes, which read a value again"),
            Some(In::Arithmetic) => Some("in arithmetic, where its quotes are no part of a number"),
            Some(In::Parentheses | In::Braces) | None => None,
        }
    }

    /// A value was inserted.
    fn value(&mut self) {
        (self.word, self.escape) = (true, false);
        self.before = (' ', ' ');
        if let Some(line) = &mut self.body {
            line.push('\u{fffc}');
        }
    }

    fn read(&mut self, text: &str) {
        for c in text.chars() {
            if self.body.is_some() {
                self.read_body(c);
            } else {
                self.read_code(c);
            }
            self.before = (self.before.1, c);
        }
    }

    fn read_body(&mut self, c: char) {
        let Some(line) = &mut self.body else { return };
        if c != '\n' {
            line.push(c);
            return;
        }
        let line = std::mem::take(line);
        let ended = self.announced.first().is_some_and(|(end, tabs)| {
            end == if *tabs { line.trim_start_matches('\t') } else { line.as_str() }
        });
        if ended {
            self.announced.remove(0);
        }
        if self.announced.is_empty() {
            self.body = None;
        }
    }

    fn read_code(&mut self, c: char) {
        if self.escape {
            self.escape = false;
            self.word = true;
            return;
        }
        if c == '\n' && !matches!(self.open.last(), Some(In::Single | In::Double)) {
            self.comment = false;
            self.end_of_here_document_name();
            if !self.announced.is_empty() {
                self.body = Some(String::new());
            }
        }
        if self.comment || self.read_here_document_name(c) {
            return;
        }
        match (self.open.last(), c) {
            (Some(In::Single), '\'') => self.close(),
            (Some(In::Single), _) => {}
            (_, '\\') => self.escape = true,
            (Some(In::Double), '"') | (Some(In::Backticks), '`') | (Some(In::Braces), '}') => self.close(),
            (Some(In::Parentheses | In::Arithmetic), ')') => self.close(),
            (_, '`') => self.open.push(In::Backticks),
            (_, '(') if self.before.1 == '$' => self.open.push(In::Parentheses),
            (_, '{') if self.before.1 == '$' => self.open.push(In::Braces),
            (Some(In::Double), _) => {}
            (Some(In::Arithmetic), '(') => self.open.push(In::Arithmetic),
            (Some(In::Parentheses), '(') if self.before.1 == '(' => self.open.push(In::Arithmetic),
            (Some(In::Arithmetic), '<' | '#') => {}
            (Some(In::Braces), '\'') if self.in_double() => {}
            (_, '\'') => self.open.push(In::Single),
            (_, '"') => self.open.push(In::Double),
            (_, '(') => self.open.push(In::Parentheses),
            (_, '#') if !self.word => self.comment = true,
            (_, '<') if self.before == ('<', '<') => self.ending = None,
            (_, '<') if self.before.1 == '<' => self.ending = Some((String::new(), false)),
            _ => {}
        }
        self.word = !(c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')' | '`'));
    }

    fn close(&mut self) {
        self.open.pop();
        self.word = true;
    }

    fn in_double(&self) -> bool {
        self.open.iter().rev().find(|open| **open != In::Braces) == Some(&In::Double)
    }

    /// Reads the word behind `<<`; whether the character belongs to it.
    fn read_here_document_name(&mut self, c: char) -> bool {
        let Some((name, tabs)) = &mut self.ending else { return false };
        match c {
            // `<<<` is no here-document.
            '<' if name.is_empty() => return false,
            '-' if name.is_empty() && self.before.1 == '<' => *tabs = true,
            ' ' | '\t' if name.is_empty() => {}
            '\'' | '"' | '\\' => {}
            c if c.is_whitespace() || matches!(c, ';' | '&' | '|' | '>' | '<' | ')') => {
                self.end_of_here_document_name();
                return false;
            }
            c => name.push(c),
        }
        true
    }

    fn end_of_here_document_name(&mut self) {
        self.announced.extend(self.ending.take().filter(|(name, _)| !name.is_empty()));
    }
}

#[cfg(test)]
mod tests;
