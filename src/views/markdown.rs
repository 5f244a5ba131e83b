//! Pages of Markdown for people. Programs write what they like: on a page it is a part of a line.

use crate::workflow::json_text::Level;

/// How many levels of JSON get lines of their own. What is deeper stands on one line, as it was written.
const JSON_LEVELS: usize = 5;

/// A page as it is put together.
#[derive(Default)]
pub(super) struct Page {
    pub(super) text: String,
}

impl Page {
    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A part with a heading, which says so if it has nothing to say.
    pub(super) fn section(&mut self, title: &str, items: impl Iterator<Item = String>) {
        self.line(&format!("\n## {title}\n"));
        let before = self.text.len();
        items.for_each(|item| self.line(&item));
        if self.text.len() == before {
            self.line("Nothing.");
        }
    }
}

/// A text as a part of a line.
pub(super) fn on_one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// A text as a word of a command that is copied to a shell: the brackets of an item are a pattern to it, and the sign of
/// a round begins a comment.
pub fn for_shell(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-/:@%+,".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", on_one_line(word).replace('\'', "'\\''"))
}

/// JSON on lines of its own, indented to be shown as it is. Every value is as it was written: numbers keep all digits.
pub(super) fn json_lines(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    write_json(text, 0, &mut lines);
    lines.into_iter().map(|line| format!("    {line}")).collect()
}

fn write_json(text: &str, level: usize, lines: &mut Vec<String>) {
    let inner = "  ".repeat(level + 1);
    let outer = "  ".repeat(level);
    match Level::of(text) {
        Ok(Level::Map(members)) if level < JSON_LEVELS && !members.is_empty() => {
            append(lines, "{");
            for (place, (key, value)) in members.iter().enumerate() {
                let key = serde_json::to_string(key).unwrap_or_default();
                lines.push(format!("{inner}{key}: "));
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
        _ => append(lines, &on_one_line(text.trim())),
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
    fn a_word_of_a_command_means_itself_to_a_shell() {
        let words = ["copy", "plan/a-b", "copy[0]", "poll#2", "it's", "", "a b"].map(for_shell);
        assert_eq!(words, ["copy", "plan/a-b", "'copy[0]'", "'poll#2'", "'it'\\''s'", "''", "'a b'"]);
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
        assert_eq!(lines, expected.map(|line| format!("    {line}")));
    }
}
