//! Requests as words: by their stems, and with where each stands.

use std::cell::RefCell;
use std::collections::HashMap;

use rust_stemmers::{Algorithm, Stemmer};

/// How much of a request is looked at, in bytes: what somebody wants is said before that, and what is pasted is long.
pub const QUERY_BYTES_MAX: usize = 64 * 1024;

/// How many stems are remembered: as many as a language has, and no more memory than that takes.
const STEMS_MAX: usize = 50_000;

/// Words whose stem means something else.
const NO_STEM: [&str; 6] =
    ["production", "responsive", "dockerize", "dockerise", "containerize", "containerise"];

/// The stem of each word, in English: `records`, `recording` and `record` are one.
pub(in crate::workflow) struct Stems {
    stemmer: Stemmer,
    known: RefCell<HashMap<String, String>>,
}

impl Stems {
    pub(in crate::workflow) fn new() -> Self {
        Self { stemmer: Stemmer::create(Algorithm::English), known: RefCell::default() }
    }

    /// The stems of a text, in order.
    pub(in crate::workflow) fn of(&self, text: &str) -> Vec<String> {
        tokens(text).map(|token| self.stem(&token)).collect()
    }

    fn stem(&self, token: &str) -> String {
        if NO_STEM.contains(&token) {
            return token.to_owned();
        }
        // Abbreviations have none, and words with other letters are of another language.
        if token.len() <= 3 || !token.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return token.to_owned();
        }
        if let Some(stem) = self.known.borrow().get(token) {
            return stem.clone();
        }
        let stem = self.stemmer.stem(token).into_owned();
        let mut known = self.known.borrow_mut();
        if known.len() < STEMS_MAX {
            known.insert(token.to_owned(), stem.clone());
        }
        stem
    }
}

/// The words of a text in small letters. Apostrophes join (`don't` is `dont`), `c++` and `c#` are words, and all else that is
/// neither letter nor digit parts.
fn tokens(text: &str) -> impl Iterator<Item = String> {
    let mut rest = text.chars().peekable();
    std::iter::from_fn(move || {
        let mut token = String::new();
        while let Some(&next) = rest.peek() {
            let joins = matches!(next, '+' | '#') && !token.is_empty();
            if next.is_alphanumeric() || is_mark(next) || joins {
                token.extend(next.to_lowercase());
            } else if !is_apostrophe(next) && !token.is_empty() {
                break;
            }
            rest.next();
        }
        (!token.is_empty()).then_some(token)
    })
}

/// A part of a letter that is written apart, as of Hindi vowels.
fn is_mark(letter: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&letter) || ('\u{900}'..='\u{d7f}').contains(&letter)
}

fn is_apostrophe(letter: char) -> bool {
    matches!(letter, '\'' | '\u{2019}' | '\u{2bc}')
}

/// A word of a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Word {
    pub(super) stem: String,
    /// As it was said, in small letters.
    pub(super) said: String,
    /// Whether it stands in code or in what a program wrote.
    pub(super) in_code: bool,
    /// The number of the sentence or part of one in which it stands, from 0.
    pub(super) clause: usize,
}

/// A request as words.
pub(super) struct Said {
    pub(super) words: Vec<Word>,
    /// Whether something that is asked ends as questions do.
    pub(super) asks: bool,
    /// How many lines are items of a list, and how many of them are numbered.
    pub(super) items: usize,
    pub(super) numbered: usize,
}

/// The beginning of a request, as far as it is looked at.
pub(super) fn head(query: &str) -> &str {
    query.get(..query.floor_char_boundary(QUERY_BYTES_MAX)).unwrap_or(query)
}

/// Reads a request.
pub(super) fn read(query: &str, stems: &Stems) -> Said {
    let mut said = Said { words: Vec::new(), asks: false, items: 0, numbered: 0 };
    let (mut fenced, mut clause) = (false, 0);
    for line in head(query).lines() {
        let bare = line.trim_start();
        if bare.starts_with("```") || bare.starts_with("~~~") {
            fenced = !fenced;
            continue;
        }
        let in_code = fenced || looks_like_code(line);
        let (bare, marker) = without_marker(bare);
        if !in_code && marker != Marker::None {
            said.items += 1;
            said.numbered += usize::from(marker == Marker::Number);
        }
        for part in parts(bare) {
            said.asks |= !in_code && ends_as_question(part);
            let before = said.words.len();
            let word = |token: String| Word { stem: stems.stem(&token), said: token, in_code, clause };
            said.words.extend(tokens(part).map(word));
            clause += usize::from(said.words.len() > before);
        }
    }
    said
}

/// Parts of a line that end where sentences or parts of them do. A full stop inside of a word (`example.com`) ends nothing.
fn parts(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let ends = |(at, letter): (usize, char)| {
            let after = at + letter.len_utf8();
            let spaced = rest
                .get(after..)
                .is_none_or(|after| after.starts_with(char::is_whitespace) || after.is_empty());
            let is_end = match letter {
                '.' | ':' | ',' => spaced,
                ';' | '!' | '?' | '？' | '؟' | '。' | '！' | '，' => true,
                _ => false,
            };
            is_end.then_some(after)
        };
        let end = rest.char_indices().find_map(ends).unwrap_or(rest.len());
        let (part, after) = rest.split_at_checked(end)?;
        rest = after;
        Some(part)
    })
}

fn ends_as_question(part: &str) -> bool {
    part.trim_end().ends_with(['?', '？', '؟']) || part.trim_start().starts_with('¿')
}

#[derive(PartialEq)]
enum Marker {
    None,
    Bullet,
    Number,
}

/// A line without what marks it as an item of a list.
fn without_marker(line: &str) -> (&str, Marker) {
    for bullet in ["- ", "* ", "• ", "+ "] {
        if let Some(rest) = line.strip_prefix(bullet) {
            return (rest, Marker::Bullet);
        }
    }
    let rest = line.trim_start_matches(|letter: char| letter.is_ascii_digit());
    match rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") ")) {
        Some(after) if rest.len() < line.len() => (after, Marker::Number),
        _ => (line, Marker::None),
    }
}

/// Whether a line is code, or what a program wrote, rather than words.
fn looks_like_code(line: &str) -> bool {
    let bare = line.trim();
    let begins =
        ["at ", "File \"", "Traceback (", "#include", "import ", "from ", "$ ", "> ", "+++ ", "--- "];
    let is_trace =
        begins.iter().any(|begin| bare.starts_with(begin)) && bare.contains(['(', '"', '$', '.', '/']);
    if is_trace && bare.contains(['(', '"', '<', '$']) {
        return true;
    }
    let (mut signs, mut letters, mut marks) = (0_usize, 0_usize, 0_usize);
    for letter in bare.chars() {
        match letter {
            '{' | '}' | ';' | '=' | '<' | '>' | '(' | ')' | '[' | ']' | '|' | '\\' | '$' => marks += 1,
            _ if letter.is_alphanumeric() => letters += 1,
            _ if letter.is_whitespace() => {}
            _ => signs += 1,
        }
    }
    marks >= 2 && (marks + signs) * 4 >= letters || (marks >= 1 && bare.ends_with([';', '{', '}']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stems(text: &str) -> Vec<String> {
        Stems::new().of(text)
    }

    #[test]
    fn words_are_one_by_their_stems_and_apostrophes_join() {
        assert_eq!(stems("Records, recording: RECORD"), ["record", "record", "record"]);
        assert_eq!(stems("It doesn\u{2019}t, don't"), ["it", "doesnt", "dont"]);
        assert_eq!(
            stems("C++ and c# on node.js (CI/CD)"),
            ["c++", "and", "c#", "on", "node", "js", "ci", "cd"]
        );
        assert_eq!(stems("?!… --- \u{1f600}"), [""; 0]);
    }

    #[test]
    fn code_that_is_pasted_is_told_from_words() {
        let said = read(
            "Why does this fail?\n```\nlet x = 1;\n```\nfoo(bar) { return baz; }\nIt should work.",
            &Stems::new(),
        );
        let code: Vec<_> =
            said.words.iter().filter(|word| word.in_code).map(|word| word.stem.as_str()).collect();
        assert_eq!(code, ["let", "x", "1", "foo", "bar", "return", "baz"]);
        assert!(said.asks);
    }

    #[test]
    fn items_of_lists_are_counted_and_parts_of_sentences_told_apart() {
        let said =
            read("Do this:\n1. Build it, then look.\n2) Ship it to example.com\n- Rest", &Stems::new());
        assert_eq!((said.items, said.numbered), (3, 2));
        let clauses: Vec<_> = said.words.iter().map(|word| word.clause).collect();
        assert_eq!(clauses.last(), Some(&4));
    }
}
