//! Values in a text for `sh -c`: how they are quoted, and where quoting them is enough.
//!
//! A value may stand only where the reader knows, for dash and for bash, that it is in an ordinary word of a
//! command that the reader has understood up to there. The reader is not a shell: what it does not know for
//! sure is refused, with everything behind it.
//!
//! - `reader`: the text, piece by piece; spaces, comments, here-documents; what was found out about each value
//! - `grammar`: lists of commands, compound commands, redirections
//! - `words`: words, their quotes and expansions
//! - `rules`: commands that read their arguments again, as commands or as names
//! - `flow`: which variables get values, and which are read again

use std::collections::BTreeMap;

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
pub(super) enum WordPosition {
    /// As words of its own: a list becomes a word for each item, an empty list becomes nothing.
    Words,
    /// As a part of a word. An empty list becomes an empty part: without it, what follows might begin the
    /// word, and `#` would begin a comment.
    Part,
    /// Where a second word would have another meaning, as behind `x=`, where it would be a command.
    One,
}

/// A list stands where only one word may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a list, and only one word can stand there: `| join(' ')` makes one of it")]
pub(super) struct TooManyWords;

/// A value as words of a shell command: a list as one word for each item, everything else as one word.
pub(super) fn quoted(json: &str, place: WordPosition) -> Result<String, TooManyWords> {
    match (Level::of(json), place) {
        (Ok(Level::List(_)), WordPosition::One) => Err(TooManyWords),
        (Ok(Level::List(items)), WordPosition::Part) if items.is_empty() => Ok(word("")),
        (Ok(Level::List(items)), _) => {
            Ok(items.into_iter().map(|item| word(&plain(item))).collect::<Vec<_>>().join(" "))
        }
        _ => Ok(word(&plain(json))),
    }
}

/// A text as one quoted word. It is quoted even where that looks needless: `2` before a `>` would be a file
/// descriptor, and `if` would not be an argument.
fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// How each value of a command stands, in the order of the values; or why it cannot stand there, in words.
/// Values with `| raw` are not checked: their author is responsible.
pub(super) fn places(pieces: &[Piece]) -> Vec<Result<WordPosition, String>> {
    read(pieces).0
}

/// The same, with the items of the text where what a value got into is named that is read again, by the numbers of the values.
fn read(pieces: &[Piece]) -> (Vec<Result<WordPosition, String>>, BTreeMap<usize, usize>) {
    let is_blank = |piece: &Piece| matches!(piece, Piece::Text(text) if text.trim().is_empty());
    match pieces.iter().filter(|piece| !is_blank(piece)).collect::<Vec<_>>().as_slice() {
        // Whoever gives this value chooses the whole command, as with a `run` that is a list.
        [Piece::Value { .. }] => (vec![Ok(WordPosition::Words)], BTreeMap::new()),
        _ => reader::Reader::of(pieces).read(),
    }
}

/// A value of a command that stands where quotes do not protect it.
#[derive(Debug)]
pub(super) struct Misplaced {
    /// The byte at which it begins.
    pub(super) at: usize,
    /// The byte at which the variable is named that it gets into and that is read again; none where it does not.
    pub(super) named_at: Option<usize>,
    /// What is wrong with it.
    pub(super) why: String,
}

/// The values of a command that stand where quotes do not protect them. The pieces are those of the text.
pub(super) fn misplaced(text: &str, pieces: &[Piece]) -> Vec<Misplaced> {
    let values = pieces.iter().filter_map(|piece| match piece {
        Piece::Value { expression, at } => Some((expression, *at)),
        Piece::Text(_) => None,
    });
    let (places, named) = read(pieces);
    let wrong = values.zip(places).enumerate().filter_map(|(number, ((expression, at), place))| {
        let why = format!("`{{{{ {} }}}}` stands {}", expression.source(), place.err()?);
        let named_at = named.get(&number).and_then(|item| byte_of(*item, text, pieces));
        Some(Misplaced { at, named_at, why })
    });
    wrong.collect()
}

/// The byte of a text at which an item of it begins: a character of a piece, or a value.
fn byte_of(item: usize, text: &str, pieces: &[Piece]) -> Option<usize> {
    let (mut items, mut byte) = (0, 0);
    for piece in pieces {
        match piece {
            Piece::Text(plain) => match plain.char_indices().nth(item - items) {
                Some((offset, _)) => return Some(byte + offset),
                None => (items, byte) = (items + plain.chars().count(), byte + plain.len()),
            },
            Piece::Value { at, .. } if items == item => return Some(*at),
            Piece::Value { expression, at } => {
                let behind = at + expression.source().len();
                (items, byte) = (items + 1, behind + text.get(behind..)?.find("}}")? + 2);
            }
        }
    }
    None
}
