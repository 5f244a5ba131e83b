//! Texts that come from outside (names, tags, what programs write, what people say), and how they are kept
//! from acting on what shows them: a terminal obeys some characters, and others are invisible or change the
//! order in which a text is read.

use std::borrow::Cow;
use std::fmt::Write;

/// How many characters of a text stand in a line at most. A path may have 4,096; nobody reads a longer line.
const PART_CHARS_MAX: usize = 5_000;

/// What stands for a character that would act or could not be seen.
const STAND_IN: char = '\u{fffd}';

/// Whether a character acts on what shows it, or hides in it: the control characters (C0, DEL, C1), the
/// breaks of lines and paragraphs, and the characters that Unicode calls format characters or lets programs
/// ignore, among them all that change the direction of a text or have no width. Selectors of a glyph's
/// variant (U+FE00 to U+FE0F) only choose how one looks.
pub const fn is_active(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Whether a character breaks a line, changes the direction of a text, or is a command to a terminal: no name
/// may have one. The other characters for which [`is_active`] is true have a use in some languages.
pub const fn is_control(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

/// A text as a part of one line: what acts on a terminal or hides is replaced, and what is too long is cut.
pub fn printable(text: &str) -> Cow<'_, str> {
    shortened(text, PART_CHARS_MAX)
}

/// The same, cut after `chars_max` characters. A final `…` shows that it was cut.
pub fn shortened(text: &str, chars_max: usize) -> Cow<'_, str> {
    cut(text, chars_max, false)
}

/// The same of a text of several lines, which keeps its line breaks and tabs.
pub fn shortened_lines(text: &str, chars_max: usize) -> Cow<'_, str> {
    cut(text, chars_max, true)
}

fn cut(text: &str, chars_max: usize, keeps_lines: bool) -> Cow<'_, str> {
    let end = text.char_indices().nth(chars_max).map(|(end, _)| end);
    let kept = end.and_then(|end| text.get(..end)).unwrap_or(text);
    if end.is_none() && !kept.chars().any(is_active) {
        return Cow::Borrowed(text);
    }
    let mut shown: String = kept.chars().map(|character| inert(character, keeps_lines)).collect();
    if end.is_some() {
        shown.push('…');
    }
    Cow::Owned(shown)
}

/// A text of several lines, whole, which keeps its line breaks and tabs.
pub fn printable_lines(text: &str) -> String {
    text.chars().map(|character| inert(character, true)).collect()
}

const fn inert(character: char, keeps_lines: bool) -> char {
    match character {
        '\n' | '\t' if keeps_lines => character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => ' ',
        active if is_active(active) => STAND_IN,
        other => other,
    }
}

/// The names of so many of several things, and how many there are beside them.
pub fn some_of<T>(all: &[T], most: usize, name: impl Fn(&T) -> String) -> String {
    let mut named: Vec<String> = all.iter().take(most).map(name).collect();
    if all.len() > named.len() {
        named.push(format!("and {} more", all.len() - named.len()));
    }
    named.join(", ")
}

/// A JSON document on one line, in which no character acts. It means the same: between two tokens everything
/// is white space, and within a text every character may be written as an escape.
pub fn json_line(json: &str) -> Cow<'_, str> {
    if !json.chars().any(is_active) {
        return Cow::Borrowed(json);
    }
    let mut line = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        match character {
            '\n' | '\r' | '\t' => line.push(' '),
            active if is_active(active) => {
                for unit in active.encode_utf16(&mut [0; 2]) {
                    // Writing into a `String` cannot fail.
                    let _ = write!(line, "\\u{unit:04x}");
                }
            }
            other => line.push(other),
        }
    }
    Cow::Owned(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_or_hides_is_replaced_and_all_else_stays() {
        let acts = "a\u{1b}[31mb\nc\td\re\0f\u{7f}g\u{9b}h\u{2028}i";
        assert_eq!(printable(acts), "a [31mb c d e f g h i");
        for hidden in [
            '\u{202a}',
            '\u{202e}',
            '\u{2066}',
            '\u{2069}',
            '\u{200b}',
            '\u{200f}',
            '\u{61c}',
            '\u{feff}',
            '\u{ad}',
            '\u{3164}',
            '\u{e0041}',
        ] {
            assert_eq!(printable(&format!("a{hidden}b")), "a\u{fffd}b", "{hidden:?}");
        }
        let plain = "Grüße, שלום, 你好, ✔️ — “x”";
        assert!(matches!(printable(plain), Cow::Borrowed(text) if text == plain));
        assert_eq!(printable_lines("a\n\tb\u{1b}c\r\n"), "a\n\tb c \n");
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        assert_eq!(shortened("äbc", 3), "äbc");
        assert_eq!(shortened("äbcd", 3), "äbc…");
        assert_eq!(printable(&"x".repeat(1 << 20)).chars().count(), PART_CHARS_MAX + 1);
    }

    #[test]
    fn json_stays_the_same_json_on_one_line_in_which_nothing_acts() {
        let json = "{\"a\u{2028}\": [1,\n\t\"\u{9b}2J \u{202e} \u{7f} \u{e0041} \\u001b é\"]}\r\n";
        let line = json_line(json);
        assert!(!line.chars().any(is_active), "{line:?}");
        let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(same(&line), same(json));
        assert!(matches!(json_line("{\"a\":1}"), Cow::Borrowed(_)));
    }
}
