//! Reads JSON as a tree with places.

use std::ops::Range;

use super::{Tree, Value};
use crate::events::json::{BadJson, Json};
use crate::workflow::json_text::Level;

/// Reads a file of JSON.
pub(in crate::workflow::parse) fn whole(source: &str) -> Result<Tree, BadJson> {
    read(source, Places { line: 1, column: 1, at: 0, lines: true })
}

/// Reads a document on one line, whose columns count bytes. A key has the place of its value.
pub(in crate::workflow::parse) fn plan(document: &str) -> Result<Tree, BadJson> {
    read(document, Places { line: 1, column: 1, at: 0, lines: false })
}

fn read(document: &str, places: Places) -> Result<Tree, BadJson> {
    Json::read(document)?;
    Ok(Reader { document, places }.tree(document))
}

/// The place that the reader has reached. It only goes forward, so all places of a document take
/// one pass over it.
struct Places {
    line: u64,
    column: u64,
    at: usize,
    /// Whether lines, and characters in them, are counted.
    lines: bool,
}

struct Reader<'a> {
    document: &'a str,
    places: Places,
}

impl Reader<'_> {
    /// The depth is bounded, because the document was read strictly before.
    fn tree(&mut self, text: &str) -> Tree {
        let text = text.trim();
        let written = self.written(text);
        let mut tree = self.part(written, Value::Null);
        tree.value = match Level::of(text) {
            Ok(Level::Bool(flag)) => Value::Bool(flag),
            Ok(Level::Number(digits)) => Value::Number(digits.to_owned()),
            Ok(Level::Text(text)) => Value::Text(text.into_owned()),
            Ok(Level::List(items)) => Value::List(items.into_iter().map(|item| self.tree(item)).collect()),
            Ok(Level::Map(members)) => Value::Map(
                members.into_iter().map(|(name, value)| self.member(name.into_owned(), value)).collect(),
            ),
            Ok(Level::Null) | Err(_) => Value::Null,
        };
        tree
    }

    fn member(&mut self, name: String, value: &str) -> (Tree, Tree) {
        let written = self.written(value);
        let key = if self.places.lines { self.key_before(written.start) } else { written };
        let key = self.part(key, Value::Text(name));
        let value = self.tree(value);
        (key, value)
    }

    /// The range of a slice of the document in the document.
    fn written(&self, slice: &str) -> Range<usize> {
        let start = (slice.as_ptr() as usize).saturating_sub(self.document.as_ptr() as usize);
        start..start + slice.len()
    }

    /// The range of the key whose value begins at byte `value`.
    fn key_before(&self, value: usize) -> Range<usize> {
        let before = self.document.get(..value).unwrap_or_default().trim_end();
        let key = before.strip_suffix(':').unwrap_or(before).trim_end();
        let inside = key.strip_suffix('"').unwrap_or(key);
        let is_escaped = |at: usize| {
            let before = inside.get(..at).unwrap_or_default();
            (before.len() - before.trim_end_matches('\\').len()) % 2 == 1
        };
        let start = inside.rmatch_indices('"').map(|(at, _)| at).find(|at| !is_escaped(*at));
        start.unwrap_or_default()..key.len()
    }

    fn part(&mut self, written: Range<usize>, value: Value) -> Tree {
        let passed = self.document.get(self.places.at..written.start).unwrap_or_default();
        if !self.places.lines {
            self.places.column = written.start as u64 + 1;
        } else if let Some((lines, last)) = passed.rsplit_once('\n') {
            self.places.line += 1 + lines.matches('\n').count() as u64;
            self.places.column = 1 + last.chars().count() as u64;
        } else {
            self.places.column += passed.chars().count() as u64;
        }
        self.places.at = self.places.at.max(written.start);
        Tree { line: self.places.line, column: self.places.column, written, direct: true, value }
    }
}
