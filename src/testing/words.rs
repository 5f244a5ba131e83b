//! A history as people read it: a line for each event.

use std::borrow::Borrow;
use std::fmt::Write;

use serde_json::Value;

use crate::events::codec::Encoded;
use crate::events::run::RunEvent;

/// What a line shows of an event, in this order, where the event has it.
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

/// One event: its type, its step, and what else matters of it.
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

/// All of a history, numbered by versions.
pub fn words<E: Borrow<RunEvent>>(history: &[E]) -> String {
    let mut text = String::new();
    for (event, version) in history.iter().zip(1..) {
        let _ = writeln!(text, "{version:5} {}", word(event.borrow()));
    }
    text
}
