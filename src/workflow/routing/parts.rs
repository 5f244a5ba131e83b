//! What is to be done one after the other, where a request says so: by numbered lines, or by words as `then`.

use super::rules::Rules;
use super::text::{self, Word};

/// How many parts a request is cut into; what stands behind the last belongs to it.
pub(super) const PARTS_MAX: usize = 8;

/// The parts of a request in order, as they stand in it; empty if it says of none that it comes after another.
pub(super) fn parts(rules: &Rules, query: &str) -> Vec<String> {
    let numbered = numbered(query);
    if numbered.len() >= 3 {
        return bounded(numbered);
    }
    let by_words = by_words(rules, query);
    if by_words.len() >= 2 { bounded(by_words) } else { Vec::new() }
}

fn bounded(mut parts: Vec<String>) -> Vec<String> {
    if parts.len() > PARTS_MAX {
        let rest = parts.split_off(PARTS_MAX);
        if let Some(last) = parts.last_mut() {
            last.push('\n');
            last.push_str(&rest.join("\n"));
        }
    }
    parts
}

/// The items of a list whose lines are numbered from 1.
fn numbered(query: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in query.lines() {
        let line = line.trim();
        let next = format!("{}", items.len() + 1);
        let rest = line.strip_prefix(next.as_str()).and_then(|rest| rest.strip_prefix(['.', ')']));
        match (rest, items.last_mut()) {
            (Some(rest), _) if !rest.trim().is_empty() => items.push(rest.trim().to_owned()),
            (None, Some(last)) if !line.is_empty() => {
                last.push('\n');
                last.push_str(line);
            }
            _ => {}
        }
    }
    items
}

/// What stands before and behind each word that says that something comes next.
fn by_words(rules: &Rules, query: &str) -> Vec<String> {
    let (mut parts, mut current): (Vec<String>, String) = (Vec::new(), String::new());
    for piece in pieces(query) {
        let words: Vec<Word> = text::read(piece, &rules.stems).words;
        let Some(opens) = rules.then.at(&words, usize::from(begins_with_and(&words))) else {
            current.push_str(piece);
            continue;
        };
        // `Then` alone, or as the end of something, opens nothing.
        if words.len() <= opens.words || current.trim().is_empty() {
            current.push_str(piece);
            continue;
        }
        parts.push(trimmed(&current));
        current = piece.to_owned();
    }
    parts.push(trimmed(&current));
    parts.retain(|part| part.chars().any(char::is_alphanumeric));
    parts
}

fn begins_with_and(words: &[Word]) -> bool {
    words.first().is_some_and(|word| matches!(word.stem.as_str(), "and" | "und" | "y" | "et"))
}

fn trimmed(part: &str) -> String {
    part.trim().trim_end_matches([',', ';', '.', ':']).trim().to_owned()
}

/// The pieces of a text between commas, ends of sentences, and before `then` or `and then`.
fn pieces(query: &str) -> Vec<&str> {
    let mut cuts: Vec<usize> = vec![0];
    let words = ["then ", "danach ", "anschließend ", "luego ", "ensuite ", "afterwards ", "finally "];
    for (at, letter) in query.char_indices() {
        let after = at + letter.len_utf8();
        if matches!(letter, ',' | ';' | '\n')
            || letter == '.' && query.get(after..).is_some_and(|rest| rest.starts_with(char::is_whitespace))
        {
            cuts.push(after);
        } else if letter.is_whitespace() {
            let rest = query.get(after..).unwrap_or_default();
            let begins =
                |word: &&str| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
            let joined = rest.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("and "));
            let behind_and = rest.get(4..).unwrap_or_default();
            let begins_behind = |word: &&str| {
                behind_and.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
            };
            let has_and =
                query.get(..at).is_some_and(|before| before.ends_with(" and") || before.ends_with("\nand"));
            if words.iter().any(|word| begins(word) && !has_and) || joined && words.iter().any(begins_behind)
            {
                cuts.push(after);
            }
        }
    }
    cuts.push(query.len());
    cuts.windows(2)
        .filter_map(|cut| query.get(*cut.first()?..*cut.last()?))
        .filter(|piece| !piece.is_empty())
        .collect()
}
