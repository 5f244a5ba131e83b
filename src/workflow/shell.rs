//! Values in a text for `sh -c`: how they are quoted, and where their quotes are what they are.
//!
//! A value may stand only where the reader knows, for dash and for bash, that it is in an ordinary word of a command
//! that it has understood up to there. It is not a shell: what it does not know for sure is refused, with everything
//! behind it.
//!
//! - `reader`: the text, piece by piece; spaces, comments, here-documents; what was found out about each value
//! - `grammar`: lists of commands, compound commands, redirections
//! - `words`: words, their quotes and expansions
//! - `rules`: commands that read their arguments again, as commands or as names
//! - `flow`: which variables get values, and which are read again

use super::json_text::{Level, plain};
use super::pieces::Piece;

mod flow;
mod grammar;
mod reader;
mod rules;
#[cfg(test)]
mod tests;
mod words;

/// How a value may stand in a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// As words of its own: a list is a word for each item, an empty one is nothing.
    Words,
    /// As a part of a word. An empty list is an empty part: without it, what follows might begin the word, as `#` begins a
    /// comment.
    Part,
    /// Where a second word would mean something else, as behind `x=`, where it is a command.
    One,
}

/// A list stands where only one word can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a list, and only one word can stand there: `| join(' ')` makes one of it")]
pub(super) struct TooManyWords;

/// A value as words of a shell command: a list as one word an item, all else as one word.
pub(super) fn quoted(json: &str, place: Place) -> Result<String, TooManyWords> {
    match (Level::of(json), place) {
        (Ok(Level::List(_)), Place::One) => Err(TooManyWords),
        (Ok(Level::List(items)), Place::Part) if items.is_empty() => Ok(word("")),
        (Ok(Level::List(items)), _) => {
            Ok(items.into_iter().map(|item| word(&plain(item))).collect::<Vec<_>>().join(" "))
        }
        _ => Ok(word(&plain(json))),
    }
}

/// One word. It is quoted even where that looks needless: `2` before a `>` would name a file descriptor, and `if` is
/// no argument.
fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Where each value of a command stands, in their order; or in words, why it cannot stand there. Values that are
/// `| raw` are their author's business.
pub(super) fn places(pieces: &[Piece]) -> Vec<Result<Place, String>> {
    let is_blank = |piece: &Piece| matches!(piece, Piece::Text(text) if text.trim().is_empty());
    match pieces.iter().filter(|piece| !is_blank(piece)).collect::<Vec<_>>().as_slice() {
        // Whoever gives the value gives the command, as a list `run` would.
        [Piece::Value { .. }] => vec![Ok(Place::Words)],
        _ => reader::Reader::of(pieces).read(),
    }
}

/// The values of a command that stand where quotes do not protect them, with the byte at which each begins and what is
/// wrong.
pub(super) fn misplaced(pieces: &[Piece]) -> Vec<(usize, String)> {
    let values = pieces.iter().filter_map(|piece| match piece {
        Piece::Value { expression, at } => Some((expression, *at)),
        Piece::Text(_) => None,
    });
    let wrong = values.zip(places(pieces)).filter_map(|((expression, at), place)| {
        place.err().map(|why| (at, format!("`{{{{ {} }}}}` stands {why}", expression.source())))
    });
    wrong.collect()
}
