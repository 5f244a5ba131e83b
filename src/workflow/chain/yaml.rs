//! A tree as YAML, so written that it is read into the same tree.

use std::fmt::Write as _;

use crate::events::text::is_active;
use crate::workflow::parse::{Tree, Value};

/// Writes a workflow. `remarks` has a comment for each step.
pub(super) fn workflow(tree: &Tree, remarks: &[String]) -> String {
    let Value::Map(entries) = &tree.value else { return String::new() };
    let mut out = String::new();
    for (key, value) in entries {
        match (&key.value, &value.value) {
            (Value::Text(name), Value::List(steps)) if name == "steps" => {
                out.push_str("\nsteps:\n");
                for (index, step) in steps.iter().enumerate() {
                    if index > 0 {
                        out.push('\n');
                    }
                    if let Some(remark) = remarks.get(index) {
                        let _ = writeln!(out, "  # {remark}");
                    }
                    out.push_str("  - ");
                    block(&mut out, step, 4);
                }
                out.push('\n');
            }
            _ => pair(&mut out, key, value, 0),
        }
    }
    out
}

/// Writes a list or a map line by line, where the first begins on this line; so much indented.
fn block(out: &mut String, tree: &Tree, indent: usize) {
    match &tree.value {
        Value::Map(entries) => {
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.extend(std::iter::repeat_n(' ', indent));
                }
                pair(out, key, value, indent);
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.extend(std::iter::repeat_n(' ', indent));
                }
                out.push_str("- ");
                inside(out, item, indent + 2);
            }
        }
        _ => inside(out, tree, indent),
    }
}

/// Writes a key and its value.
fn pair(out: &mut String, key: &Tree, value: &Tree, indent: usize) {
    if let Value::Text(name) = &key.value {
        out.push_str(&scalar(name));
    }
    out.push(':');
    let is_block = match &value.value {
        Value::Map(entries) => !entries.is_empty(),
        Value::List(items) => !items.is_empty() && !is_short(items),
        _ => false,
    };
    if is_block {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', indent + 2));
        return block(out, value, indent + 2);
    }
    out.push(' ');
    inside(out, value, indent);
}

/// Writes a value that begins on this line, in something so much indented.
fn inside(out: &mut String, tree: &Tree, indent: usize) {
    match &tree.value {
        Value::Text(text) if is_literal(text) => literal(out, text, indent + 2),
        Value::List(items) if is_short(items) => {
            let items = items.iter().filter_map(|item| match &item.value {
                Value::Text(text) => Some(scalar(text)),
                _ => None,
            });
            let _ = writeln!(out, "[{}]", items.collect::<Vec<_>>().join(", "));
        }
        Value::Map(entries) if !entries.is_empty() => block(out, tree, indent),
        Value::List(_) => block(out, tree, indent),
        Value::Map(_) => out.push_str("{}\n"),
        Value::Null => out.push_str("null\n"),
        Value::Bool(flag) => drop(writeln!(out, "{flag}")),
        Value::Number(digits) => drop(writeln!(out, "{digits}")),
        Value::Text(text) => drop(writeln!(out, "{}", scalar(text))),
    }
}

/// Whether a list is written on one line: a few short words.
fn is_short(items: &[Tree]) -> bool {
    const CHARS_MAX: usize = 80;
    let lengths = items.iter().map(|item| match &item.value {
        Value::Text(text) if text.len() <= CHARS_MAX => Some(scalar(text).len() + 2),
        _ => None,
    });
    lengths.sum::<Option<usize>>().is_some_and(|length| length <= CHARS_MAX)
}

/// Whether a text is written line by line as it is: it has several, and nothing in it that YAML would read otherwise.
fn is_literal(text: &str) -> bool {
    let ends_well = !text.ends_with('\n') && text.lines().last().is_some_and(|line| !line.trim().is_empty());
    let begins_well = text.starts_with(|c: char| !c.is_whitespace());
    text.contains('\n') && begins_well && ends_well && text.chars().all(|c| c == '\n' || is_printed(c))
}

fn literal(out: &mut String, text: &str, indent: usize) {
    out.push_str("|-\n");
    for line in text.split('\n') {
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(line);
        }
        out.push('\n');
    }
}

/// A text on one line: as it is where YAML reads it so, else in quotes.
fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if is_printed(c) => out.push(c),
            c if u32::from(c) <= 0xffff => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => drop(write!(out, "\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// Whether a character stands for itself in YAML, and on a terminal too.
fn is_printed(c: char) -> bool {
    !is_active(c) && !matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether YAML reads a text without quotes as the same text.
fn is_plain(text: &str) -> bool {
    const OTHERWISE: [&str; 8] = ["true", "false", "null", "yes", "no", "on", "off", "y"];
    let is_inner =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ' | '.' | '/' | '(' | ')');
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && !text.ends_with(' ')
        && text.chars().all(is_inner)
        && !OTHERWISE.iter().any(|word| text.eq_ignore_ascii_case(word))
        && !text.eq_ignore_ascii_case("n")
}
