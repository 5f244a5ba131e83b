//! Pages of Markdown for people. What comes from outside is always part of a line, whatever it holds:
//! [`markdown!`] escapes it, [`code`] shows it as code, and [`Page`] takes nothing else.

use std::fmt::Display;

use super::escaped::{Escaped, Medium};
use crate::events::text::{json_line, printable, shortened};
use crate::workflow::json_text::Level;

/// How many levels of JSON get lines of their own. What is nested deeper stands on one line,
/// as it was written.
const JSON_LEVELS: usize = 5;

/// How many characters of a name are shown on a page.
const NAME_CHARS_MAX: usize = 200;

/// A page of Markdown (CommonMark, and what GitHub adds to it).
pub(super) struct Markdown;

/// A part of a line of a page.
pub(super) type Words = Escaped<Markdown>;

/// Like `format!`: every value is escaped, unless it is [`Words`].
macro_rules! markdown {
    ($($arguments:tt)*) => { $crate::views::escaped::escaped!($crate::views::markdown::Markdown, $($arguments)*) };
}
pub(super) use markdown;

impl Medium for Markdown {
    fn escape(text: &str) -> String {
        let text = printable(text);
        let text = text.trim();
        let characters: Vec<char> = text.chars().collect();
        let at = |place: usize| characters.get(place).copied();
        // A line that begins with these would be an item of a list.
        let digits = characters.iter().take_while(|character| character.is_ascii_digit()).count();
        let ends = at(digits + 1).is_none_or(char::is_whitespace);
        let numbers = digits > 0 && ends && matches!(at(digits), Some('.' | ')'));
        let is_www = |before: &[char]| before.iter().all(|character| character.eq_ignore_ascii_case(&'w'));
        let mut escaped = String::with_capacity(text.len() + 8);
        for (place, character) in characters.iter().enumerate() {
            let next = at(place + 1);
            let is_inside = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
            let acts = match character {
                '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '$' => true,
                // Within a word it is no emphasis, and names are full of them.
                '_' => !(is_inside(place.checked_sub(1).and_then(at)) && is_inside(next)),
                '!' => next == Some('['),
                '&' => next.is_some_and(|next| next == '#' || next.is_ascii_alphabetic()),
                // Something like an address becomes a link even without brackets.
                ':' => next == Some('/'),
                '.' => place >= 3 && characters.get(place - 3..place).is_some_and(is_www),
                '-' | '+' | '=' => place == 0,
                _ => false,
            };
            if acts || numbers && place == digits {
                escaped.push('\\');
            }
            escaped.push(*character);
        }
        escaped
    }
}

/// A text as code in a line. The fence around it is longer than any run of backticks in it, so
/// that none ends it.
pub(super) fn code(text: impl Display) -> Words {
    let text = text.to_string();
    let text = shortened(&text, NAME_CHARS_MAX);
    // Code cannot be empty, and spaces at both of its ends would be removed.
    let text = if text.trim().is_empty() { "\u{2423}" } else { &*text };
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let is_at_the_end = |character: char| text.starts_with(character) || text.ends_with(character);
    let space = if is_at_the_end('`') || is_at_the_end(' ') { " " } else { "" };
    Words::of_medium(format!("{fence}{space}{text}{space}{fence}"))
}

/// A text as code in a cell of a table. There a bar would end the cell even within code.
pub(super) fn cell(text: impl Display) -> Words {
    Words::of_medium(code(text).as_str().replace('|', "\\|"))
}

/// A page that is being written.
#[derive(Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// Ends the page; answers its text.
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn push(&mut self, before: &str, text: &str) {
        self.text.push_str(before);
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Adds the heading of the page.
    pub(super) fn title(&mut self, words: &Words) {
        self.push("# ", words.as_str());
    }

    pub(super) fn blank(&mut self) {
        self.push("", "");
    }

    /// Adds a line of a paragraph.
    pub(super) fn line(&mut self, words: &Words) {
        self.push("", words.as_str());
    }

    /// Adds an item of a list.
    pub(super) fn item(&mut self, words: &Words) {
        self.push("- ", words.as_str());
    }

    /// Adds an item of a list inside an item.
    pub(super) fn inner_item(&mut self, words: &Words) {
        self.push("  - ", words.as_str());
    }

    /// Adds a line of code, in which no character has a meaning.
    pub(super) fn code(&mut self, line: &str) {
        self.push("    ", printable(line).trim_end());
    }

    /// Adds a line of code inside an item of a list.
    pub(super) fn code_in_item(&mut self, line: &str) {
        self.push("        ", printable(line).trim_end());
    }

    /// Adds JSON as lines of code. Every value is as it was written: numbers keep all digits.
    pub(super) fn json(&mut self, lines: &[String]) {
        // The lines are whole, however long: what is granted is not hidden.
        lines.iter().for_each(|line| self.push("    ", line));
    }

    /// Adds JSON as lines of code inside an item of a list.
    pub(super) fn json_in_item(&mut self, lines: &[String]) {
        lines.iter().for_each(|line| self.push("      ", line));
    }

    /// Adds a section with a heading; if `fill` adds nothing, the section says so.
    pub(super) fn section(&mut self, title: &'static str, fill: impl FnOnce(&mut Self)) {
        self.push("\n## ", title);
        self.blank();
        let before = self.text.len();
        fill(self);
        if self.text.len() == before {
            self.push("", "Nothing.");
        }
    }
}

/// A text as one word of a command that is pasted into a shell: there the brackets of an item are a pattern,
/// and the `#` of a round begins a comment. Characters that act on a terminal are written as escaped bytes,
/// which bash, zsh and ksh read.
pub fn for_shell(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-/:@%+,=".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    if !word.chars().any(crate::events::text::is_active) {
        return format!("'{}'", word.replace('\'', "'\\''"));
    }
    let mut quoted = String::from("$'");
    for character in word.chars() {
        match character {
            '\'' | '\\' => quoted.extend(['\\', character]),
            active if crate::events::text::is_active(active) => {
                for byte in active.encode_utf8(&mut [0; 4]).bytes() {
                    quoted.push_str(&format!("\\{byte:03o}"));
                }
            }
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

/// A command as it is typed into a shell: the program's name, then these words.
pub fn command_line<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
    let words = words.into_iter().map(|word| for_shell(word.as_ref()));
    std::iter::once("reenact".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// JSON as several lines, in which no character acts.
pub(super) fn json_lines(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    write_json(text, 0, &mut lines);
    lines
}

fn write_json(text: &str, level: usize, lines: &mut Vec<String>) {
    let inner = "  ".repeat(level + 1);
    let outer = "  ".repeat(level);
    match Level::of(text) {
        Ok(Level::Map(members)) if level < JSON_LEVELS && !members.is_empty() => {
            append(lines, "{");
            for (place, (key, value)) in members.iter().enumerate() {
                let key = serde_json::to_string(key).unwrap_or_default();
                lines.push(format!("{inner}{}: ", json_line(&key)));
                write_json(value, level + 1, lines);
                append(lines, if place + 1 < members.len() { "," } else { "" });
            }
            lines.push(format!("{outer}}}"));
        }
        Ok(Level::List(items)) if level < JSON_LEVELS && !items.is_empty() => {
            append(lines, "[");
            for (place, value) in items.iter().enumerate() {
                lines.push(inner.clone());
                write_json(value, level + 1, lines);
                append(lines, if place + 1 < items.len() { "," } else { "" });
            }
            lines.push(format!("{outer}]"));
        }
        _ => append(lines, &json_line(text.trim())),
    }
}

fn append(lines: &mut [String], text: &str) {
    if let Some(last) = lines.last_mut() {
        last.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_in_its_cell() {
        assert_eq!(cell("a|b\n## c").as_str(), "`a\\|b ## c`");
        assert_eq!(cell("a `` b").as_str(), "```a `` b```");
    }

    #[test]
    fn a_word_of_a_command_means_itself_to_a_shell() {
        let words = ["copy", "plan/a-b", "copy[0]", "poll#2", "it's", "", "a b"].map(for_shell);
        assert_eq!(words, ["copy", "plan/a-b", "'copy[0]'", "'poll#2'", "'it'\\''s'", "''", "'a b'"]);
    }

    #[test]
    fn a_word_that_would_act_on_a_terminal_still_means_itself_to_a_shell() {
        let word = "it's\\ \u{1b}[31m\n\u{202e}é";
        let quoted = for_shell(word);
        assert!(!quoted.chars().any(crate::events::text::is_active), "{quoted}");
        let said = std::process::Command::new("bash").args(["-c", &format!("printf %s {quoted}")]).output();
        assert_eq!(String::from_utf8(said.unwrap().stdout).unwrap(), word);
    }

    #[test]
    fn json_keeps_every_digit_and_gets_lines_of_its_own() {
        let lines = json_lines(r#"{"a": [1, {"n": 123456789012345678901}], "e": {}, "t": "x\ny"}"#);
        let expected = [
            "{",
            "  \"a\": [",
            "    1,",
            "    {",
            "      \"n\": 123456789012345678901",
            "    }",
            "  ],",
            "  \"e\": {},",
            "  \"t\": \"x\\ny\"",
            "}",
        ];
        assert_eq!(lines, expected);
        assert_eq!(json_lines("{\"\u{202e}\": \"\u{2028}\"}")[1], "  \"\\u202e\": \"\\u2028\"");
    }

    #[test]
    fn what_comes_from_outside_makes_no_markdown() {
        let words = |text: &str| markdown!("{}", text).as_str().to_owned();
        for (text, shown) in [
            ("it's a `b` **c** _d_ my_name", "it's a \\`b\\` \\*\\*c\\*\\* \\_d\\_ my_name"),
            ("# x\n## y", "\\# x \\#\\# y"),
            ("[a](http://b) <i>&amp; & \\", "\\[a\\](http\\://b) \\<i\\>\\&amp; & \\\\"),
            ("see www.b.c", "see www\\.b.c"),
            ("www.b.c", "www\\.b.c"),
            ("- item", "\\- item"),
            ("12. item", "12\\. item"),
            ("  1.5", "1.5"),
            ("1)", "1\\)"),
            ("exit 1: v1.5", "exit 1: v1.5"),
            ("![x] !", "\\!\\[x\\] !"),
            ("\u{1b}[2J\u{202e}", "\\[2J\u{fffd}"),
        ] {
            assert_eq!(words(text), shown);
        }
        assert_eq!(markdown!("{} **{}**", code("x"), "*").as_str(), "`x` **\\***");
    }

    #[test]
    fn no_text_ends_the_code_that_it_is_shown_as() {
        let shown = |text: &str| code(text).as_str().to_owned();
        assert_eq!(shown("x"), "`x`");
        assert_eq!(shown("a`b``c"), "```a`b``c```");
        assert_eq!(shown("`x`"), "`` `x` ``");
        assert_eq!(shown(" x "), "`  x  `");
        assert_eq!(shown("a\n# b"), "`a # b`");
        assert_eq!(shown(""), "`\u{2423}`");
        assert_eq!(shown(&"n".repeat(1 << 20)).chars().count(), NAME_CHARS_MAX + 3);
    }
}
