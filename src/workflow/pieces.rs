//! The expressions in a text: where each begins and ends. Only `{{` has a meaning: `{%` and `{#` are plain text.

use super::expression::names::quoted_length;
use super::expression::{BadExpression, Expression};

/// A piece of a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Text without an expression.
    Text(String),
    /// An expression in braces: `{{ expression }}`.
    Value {
        /// The expression between the braces.
        expression: Expression,
        /// The byte of the text at which the expression begins.
        at: usize,
    },
}

/// What is wrong with a text, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadText {
    /// The byte at which the `{{` begins.
    pub at: usize,
    /// What is wrong, in a sentence.
    pub message: String,
}

/// The function that compiles the expressions of a text.
pub(super) type ReadExpression = fn(&str) -> Result<Expression, BadExpression>;

/// Splits a text into plain pieces and `{{ … }}`.
pub(super) fn split(source: &str, read: ReadExpression) -> Result<Vec<Piece>, BadText> {
    let mut pieces = Vec::new();
    let mut done = 0;
    while let Some((plain, _)) = source.get(done..).and_then(|rest| rest.split_once("{{")) {
        let at = done + plain.len();
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.to_owned()));
        }
        let inside = source.get(at + 2..).unwrap_or_default();
        let bad = |message: String| BadText { at, message };
        let length = closing(inside).ok_or_else(|| bad("a `{{` is not closed by `}}`".to_owned()))?;
        let code = inside.get(..length).unwrap_or_default();
        if code.starts_with(['-', '+']) || code.ends_with(['-', '+']) {
            return Err(bad(
                "`{{-` and `-}}` mean nothing here: leave a space behind `{{` and before `}}`".to_owned()
            ));
        }
        let expression = read(code).map_err(|why| bad(why.to_string()))?;
        pieces.push(Piece::Value { expression, at: at + 2 + leading_spaces(code) });
        done = at + 2 + length + 2;
    }
    match source.get(done..) {
        Some(rest) if !rest.is_empty() => pieces.push(Piece::Text(rest.to_owned())),
        _ => {}
    }
    Ok(pieces)
}

fn leading_spaces(code: &str) -> usize {
    code.len() - code.trim_start().len()
}

/// The length of the expression at the beginning of a text, up to the `}}` that ends it: one that is neither
/// in a string literal nor closes a brace of the expression itself.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        let first = rest.chars().next()?;
        match first {
            '"' | '\'' => at += quoted_length(rest),
            '{' => (depth, at) = (depth + 1, at + 1),
            '}' if depth > 0 => (depth, at) = (depth - 1, at + 1),
            '}' if rest.starts_with("}}") => return Some(at),
            other => at += other.len_utf8(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str) -> Vec<String> {
        let show = |piece| match piece {
            Piece::Text(text) => text,
            Piece::Value { expression, at } => format!("<{}@{at}>", expression.source()),
        };
        split(source, Expression::parse).unwrap().into_iter().map(show).collect()
    }

    #[test]
    fn expressions_are_found_by_their_braces_alone() {
        for (source, expected) in [
            ("", vec![]),
            ("plain {% if %} {# no #} ${#x} }} {", vec!["plain {% if %} {# no #} ${#x} }} {"]),
            ("a{{b}}c{{ d }}", vec!["a", "<b@3>", "c", "<d@10>"]),
            ("{{ '}}' ~ \"{{\" }}!", vec!["<'}}' ~ \"{{\"@3>", "!"]),
            ("{{ 'it\\'s }}' }}", vec!["<'it\\'s }}'@3>"]),
            ("{{ {'a': {'b': 1}} }}", vec!["<{'a': {'b': 1}}@3>"]),
            ("{{ {'a': {'b': 1}}}}", vec!["<{'a': {'b': 1}}@3>"]),
            ("ä{{ x }}ö", vec!["ä", "<x@5>", "ö"]),
        ] {
            assert_eq!(shown(source), expected, "{source}");
        }
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        for (source, at) in [
            ("ab {{ x", 3),
            ("{{ x }} {{ 'y }}", 8),
            ("{{ }}", 0),
            ("a {{ 1 + }}", 2),
            ("{{- x -}}", 0),
            ("{{ x -}}", 0),
            ("{{ {x }}", 0),
            ("{{ x }} {{ if y }}", 8),
        ] {
            assert_eq!(split(source, Expression::parse).unwrap_err().at, at, "{source}");
        }
    }
}
