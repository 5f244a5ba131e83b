//! A history as people read it, one line for each event.

use std::borrow::Borrow;
use std::fmt::Write;

use serde_json::Value;

use crate::events::codec::Encoded;
use crate::events::run::RunEvent;

/// The fields that a line shows of an event, in this order, if the event has them.
const SHOWN: [&str; 18] = [
    "purpose",
    "attempt",
    "generation",
    "reason",
    "class",
    "code",
    "outcome",
    "handling",
    "how",
    "why",
    "interrupted",
    "rollback",
    "cause",
    "to",
    "by",
    "timer",
    "at",
    "output",
];

/// One event in words: its type, its step, and what else matters about it.
pub fn word(event: &RunEvent) -> String {
    let data = serde_json::to_value(event).unwrap_or_default();
    let mut line = event.kind().to_owned();
    if let Some(step) = data.get("step").and_then(Value::as_str) {
        line.push(' ');
        line.push_str(step);
    }
    for key in SHOWN {
        match data.get(key) {
            None | Some(Value::Null | Value::Bool(false)) => {}
            Some(Value::String(text)) => drop(write!(line, " {key}={text}")),
            Some(value) => drop(write!(line, " {key}={value}")),
        }
    }
    line
}

/// A whole history, each line numbered by its version.
pub fn words<E: Borrow<RunEvent>>(history: &[E]) -> String {
    let mut text = String::new();
    for (event, version) in history.iter().zip(1..) {
        let _ = writeln!(text, "{version:5} {}", word(event.borrow()));
    }
    text
}
