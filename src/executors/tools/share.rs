//! The tools `note` and `context`: what the agents of a run share.

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::super::{AgentRequest, ContextEntry, Failure, Output, Task};
use super::call::{answer, arguments, refused, with_cut};
use crate::events::json::Json;

/// The key in which notes stand.
const NOTES: &str = "notes";

/// How many notes are kept. Each is read by whoever reads any.
const NOTES_MAX: usize = 200;

/// How long one may be.
const NOTE_CHARS_MAX: usize = 4_000;

pub(super) fn input_of_note() -> Value {
    json!({
        "type": "object",
        "required": ["text"],
        "additionalProperties": false,
        "properties": {
            "text": {"type": "string", "minLength": 1, "maxLength": NOTE_CHARS_MAX, "description": "What the other agents of the run should know"},
        },
    })
}

pub(super) fn input_of_context() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "key": {"type": "string", "minLength": 1, "maxLength": 200, "description": "The key, or ALIAS/KEY of a context that runs share; without it, all keys of the run are answered"},
            "value": {"description": "What to write; without it, the key is read; null removes it"},
            "version": {"type": "integer", "minimum": 0, "description": "The version that the key is expected to have; 0 if it should not be there"},
        },
        "dependentRequired": {"value": ["key"], "version": ["value"]},
    })
}

#[derive(Deserialize)]
struct Note {
    text: String,
}

/// Adds a note to those of the run. Who adds one at the same time is refused, and may try again: none is lost.
pub(super) fn note(task: &Task) -> Result<Output, Failure> {
    let Note { text } = arguments(task)?;
    let known = task.context.get(NOTES);
    let mut notes = match known.map(|known| known.value.value()) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(notes)) => notes,
        Some(_) => return Err(refused(&format!("the key `{NOTES}` of the run's context holds no notes"))),
    };
    notes.push(json!({"text": text, "step": task.step.as_str()}));
    let over = notes.len().saturating_sub(NOTES_MAX);
    notes.drain(..over);
    let cut = (over > 0).then(|| format!("no more than {NOTES_MAX} notes are kept: the oldest is gone"));
    let said = with_cut(json!({"notes": notes.len()}), cut);
    let version = known.map_or(0, |known| known.version.0);
    let request =
        AgentRequest::Context { key: format!("{NOTES}@{version}"), value: Json::from(&Value::from(notes)) };
    Ok(Output { output: answer(&said), requests: vec![request], ..Output::default() })
}

#[derive(Deserialize)]
struct Context {
    key: Option<String>,
    /// None where there is none, which null is not.
    #[serde(default, deserialize_with = "given")]
    value: Option<Json>,
    version: Option<u64>,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

/// Reads a key of a context, or writes it.
pub(super) fn context(task: &Task) -> Result<Output, Failure> {
    let Context { key, value, version } = arguments(task)?;
    let Some(key) = key else {
        let keys: Vec<Value> =
            task.context.iter().map(|(key, entry)| shown(key, Some(entry), false)).collect();
        return Ok(Output { output: answer(&json!({"keys": keys})), ..Output::default() });
    };
    let Some(value) = value else {
        let entry = match key.split_once('/') {
            Some((alias, key)) => task.contexts.get(alias).and_then(|keys| keys.get(key)),
            None => task.context.get(&key),
        };
        return Ok(Output { output: answer(&shown(&key, entry, true)), ..Output::default() });
    };
    let key_and_version = version.map_or_else(|| key.clone(), |version| format!("{key}@{version}"));
    let request = AgentRequest::Context { key: key_and_version, value };
    let output = answer(&json!({"key": key, "written": true}));
    Ok(Output { output, requests: vec![request], ..Output::default() })
}

/// A key with its version, and its value if that is wanted.
fn shown(key: &str, entry: Option<&ContextEntry>, with_value: bool) -> Value {
    let mut shown = json!({"key": key, "version": entry.map_or(0, |entry| entry.version.0)});
    if let (Some(map), true) = (shown.as_object_mut(), with_value) {
        map.insert("value".to_owned(), entry.map_or(Value::Null, |entry| entry.value.value()));
    }
    shown
}
