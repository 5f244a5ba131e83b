//! JSON on lines that are easy to compare. No token of it is read: numbers keep their digits.

use std::borrow::Cow;

use crate::workflow::json_text::Level;

/// A document with a line for each member and item.
pub(super) fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut rest = json.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        (0..depth).for_each(|_| out.push_str("  "));
    };
    while let Some(char) = rest.next() {
        match char {
            '"' => push_text(&mut out, &mut rest),
            '{' | '[' => {
                let end = if char == '{' { '}' } else { ']' };
                out.push(char);
                if rest.next_if_eq(&end).is_some() {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(char);
            }
            ',' => {
                out.push(char);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            char if char.is_ascii_whitespace() => {}
            char => out.push(char),
        }
    }
    out
}

/// The rest of a text of JSON whose first quote was taken, with both quotes.
fn push_text(out: &mut String, rest: &mut impl Iterator<Item = char>) {
    out.push('"');
    let mut is_escaped = false;
    for char in rest {
        out.push(char);
        if char == '"' && !is_escaped {
            return;
        }
        is_escaped = char == '\\' && !is_escaped;
    }
}

/// The same document, compact, with the members of each object in the order of their names. What is no JSON stays as it is.
pub(super) fn sorted(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    write_sorted(json, &mut out);
    out
}

fn write_sorted(json: &str, out: &mut String) {
    match Level::of(json) {
        Ok(Level::Map(mut members)) => {
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            out.push('{');
            for (place, (name, value)) in members.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::Value::from(Cow::as_ref(name)).to_string());
                out.push(':');
                write_sorted(value, out);
            }
            out.push('}');
        }
        Ok(Level::List(items)) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write_sorted(item, out);
            }
            out.push(']');
        }
        // However it is escaped, it is the same text.
        Ok(Level::Text(text)) => out.push_str(&serde_json::Value::from(Cow::as_ref(&text)).to_string()),
        _ => out.push_str(json.trim()),
    }
}
