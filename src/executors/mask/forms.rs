//! How a value may stand in a text that a program writes: as it is, as a text of JSON, and line by line. What writes JSON
//! escapes more than it has to, each in its way.

use std::fmt::Write;

use super::VALUE_BYTES_MIN;

/// How long the lines of a value are at least of which each is masked where it stands alone. A shorter one (`}`) is no secret.
const LINE_BYTES_MIN: usize = 8;

/// A way to write the texts of JSON. A quote, a backslash and control characters are escaped in each.
struct Style {
    /// Which further characters are written as `\u` and four digits.
    further: &'static str,
    /// Whether all are that are not of ASCII.
    ascii: bool,
    /// Whether these digits are in capitals.
    capitals: bool,
    /// Whether a slash is written as `\/`.
    slash: bool,
}

/// As little as must be, and what others do by default.
const STYLES: [Style; 6] = [
    Style { further: "", ascii: false, capitals: false, slash: false },
    // Python.
    Style { further: "", ascii: true, capitals: false, slash: false },
    // Go.
    Style { further: "<>&\u{2028}\u{2029}", ascii: false, capitals: false, slash: false },
    // Gson.
    Style { further: "<>&='\u{2028}\u{2029}", ascii: false, capitals: false, slash: false },
    // PHP.
    Style { further: "", ascii: true, capitals: false, slash: true },
    // .NET.
    Style { further: "<>&'+\"`", ascii: true, capitals: true, slash: false },
];

/// All forms of a value, without the white space around it, the value itself first; none if it is too short.
pub(super) fn of(value: &[u8]) -> Vec<Vec<u8>> {
    let value = value.trim_ascii();
    if value.len() < VALUE_BYTES_MIN {
        return Vec::new();
    }
    let lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let lines = lines.filter(|line| line.len() >= LINE_BYTES_MIN);
    let mut forms = Vec::new();
    for part in std::iter::once(value).chain(lines) {
        forms.push(part.to_vec());
        if let Ok(text) = std::str::from_utf8(part) {
            forms.extend(STYLES.iter().map(|style| style.written(text).into_bytes()));
        }
    }
    forms
}

impl Style {
    fn written(&self, text: &str) -> String {
        let mut written = String::with_capacity(text.len());
        for char in text.chars() {
            let by_number = self.further.contains(char) || (self.ascii && char >= '\u{7f}');
            match char {
                _ if by_number => self.number(char, &mut written),
                '"' => written.push_str("\\\""),
                '\\' => written.push_str("\\\\"),
                '\n' => written.push_str("\\n"),
                '\r' => written.push_str("\\r"),
                '\t' => written.push_str("\\t"),
                '\u{8}' => written.push_str("\\b"),
                '\u{c}' => written.push_str("\\f"),
                '/' if self.slash => written.push_str("\\/"),
                char if char < ' ' => self.number(char, &mut written),
                char => written.push(char),
            }
        }
        written
    }

    fn number(&self, char: char, written: &mut String) {
        for unit in char.encode_utf16(&mut [0; 2]) {
            // Writing to a text never fails.
            let _ = if self.capitals {
                write!(written, "\\u{unit:04X}")
            } else {
                write!(written, "\\u{unit:04x}")
            };
        }
    }
}
