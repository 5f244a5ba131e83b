//! What the keys of an agent's definition take, from a file or from the configuration. A refusal is in words that follow
//! "`KEY` is …".

use globset::Glob;
use serde_json::Value;

use super::{AgentFallback, ExecutorKind};
use crate::events::agent::{InvalidRate, Rate};
use crate::events::ids::AgentName;
use crate::events::limits::{CALLS_MAX, TOKENS_MAX};
use crate::events::money::parse_usd;
use crate::events::problem::nearest;
use crate::workflow::definition::{Criticality, is_built_in};
use crate::workflow::estimate::AttemptBudget;
use crate::workflow::output::Shape;
use crate::workflow::topic::TopicPattern;

/// How many patterns of topics an agent subscribes to.
const SUBSCRIPTIONS_MAX: usize = 100;

pub(super) fn text(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        other => Err(format!("{}: give it a text", shown(&other))),
    }
}

pub(super) fn name(value: Value) -> Result<AgentName, String> {
    let text = text(value)?;
    let name = AgentName::new(&text);
    if name.check().is_err() {
        return Err(format!("`{}`: give it a name of at most 100 bytes on one line", text.escape_debug()));
    }
    Ok(name)
}

pub(super) fn executor(value: Value) -> Result<ExecutorKind, String> {
    let known = ExecutorKind::OF_FILES.into_iter().find(|kind| value == kind.text());
    known.ok_or_else(|| {
        let texts = ExecutorKind::OF_FILES.map(ExecutorKind::text);
        let near = value.as_str().and_then(|wrong| nearest(wrong, texts));
        let meant = near
            .map_or_else(|| format!("one of {}", texts.join(", ")), |near| format!("did you mean `{near}`?"));
        format!("{}: {meant}", shown(&value))
    })
}

/// A list of texts; a single word may stand without the list.
pub(super) fn command(value: Value) -> Result<Vec<String>, String> {
    let hint = "give it the program and its arguments as a list, as in [\"bin/publish\", \"--quiet\"]";
    let words = match &value {
        Value::String(word) if !word.contains(char::is_whitespace) => Some(vec![word.clone()]),
        Value::Array(words) => words.iter().map(|word| word.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    words
        .filter(|words| words.first().is_some_and(|program| !program.is_empty()))
        .ok_or_else(|| format!("{}: {hint}", shown(&value)))
}

pub(super) fn concurrency(value: &Value) -> Result<u32, String> {
    const MAX: u32 = 100_000;
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number
        .filter(|number| (1..=MAX).contains(number))
        .ok_or_else(|| format!("{}: give it a whole number from 1 to {MAX}", shown(value)))
}

pub(super) fn rate(value: Value) -> Result<Rate, String> {
    let refused = format!("{}: {InvalidRate}", shown(&value));
    serde_json::from_value(value).map_err(|_| refused)
}

/// A map of `agent` and perhaps `prompt_suffix`.
pub(super) fn fallback(value: Value) -> Result<AgentFallback, String> {
    let refused = |value: &Value| {
        format!("{}: give it a map, as in {{agent: NAME, prompt_suffix: TEXT}}", shown(value))
    };
    let Ok(fallback) = serde_json::from_value::<AgentFallback>(value.clone()) else {
        return Err(refused(&value));
    };
    if fallback.agent.key().is_empty() {
        return Err(refused(&value));
    }
    if is_built_in(&fallback.agent) {
        return Err(format!("{}: no agent can be stood in for by what is built in", shown(&value)));
    }
    Ok(fallback)
}

/// A list of texts, or a text with commas between them, as the list.
pub(super) fn words(value: &Value) -> Result<Value, String> {
    let words: Option<Vec<&str>> = match value {
        Value::String(text) => Some(text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect()),
        Value::Array(words) => words.iter().map(Value::as_str).collect(),
        _ => None,
    };
    words
        .map(Value::from)
        .ok_or_else(|| format!("{}: give it a list of texts, as in [search, read_file]", shown(value)))
}

/// A list of names, or a text with commas between them. An empty list allows nobody.
pub(super) fn handoffs(value: &Value) -> Result<Vec<AgentName>, String> {
    let refused =
        || format!("{}: give it the names of agents, as in [security_reviewer, tester]", shown(value));
    let texts: Option<Vec<&str>> = match value {
        Value::String(texts) => Some(texts.split(',').collect()),
        Value::Array(texts) => texts.iter().map(Value::as_str).collect(),
        _ => None,
    };
    let names: Vec<_> = texts.ok_or_else(refused)?.iter().map(|text| AgentName::new(text.trim())).collect();
    if names.iter().any(|name| name.check().is_err() || name.key().is_empty()) {
        return Err(refused());
    }
    match names.iter().find(|name| is_built_in(name)) {
        Some(name) => Err(format!("{}: `{name}` is built in, and takes no work from others", shown(value))),
        None => Ok(names),
    }
}

/// What `model`, `provider`, `temperature` and `max_tokens` take.
pub(super) fn of_model(key: &str, value: Value) -> Result<Value, String> {
    /// Beyond that no provider takes one.
    const TEMPERATURE_MAX: f64 = 2.0;
    const TOKENS_MAX: u64 = 100_000_000;
    match key {
        "temperature" if value.as_f64().is_some_and(|number| (0.0..=TEMPERATURE_MAX).contains(&number)) => {
            Ok(value)
        }
        "temperature" => Err(format!("{}: give it a number from 0 to {TEMPERATURE_MAX}", shown(&value))),
        "max_tokens" if value.as_u64().is_some_and(|number| (1..=TOKENS_MAX).contains(&number)) => Ok(value),
        "max_tokens" => Err(format!("{}: give it a whole number from 1 to {TOKENS_MAX}", shown(&value))),
        _ => text(value).map(Value::from),
    }
}

pub(super) fn criticality(value: Value) -> Result<Criticality, String> {
    serde_json::from_value(value.clone())
        .map_err(|_| format!("{}: one of critical, high, medium, low", shown(&value)))
}

/// What one attempt uses at most, as a map of `calls`, `tokens` and `usd`.
pub(super) fn budget(value: &Value) -> Result<AttemptBudget, String> {
    let hint = "give it a map, as in {calls: 2, tokens: 8000, usd: 0.05}";
    let Some(map) = value.as_object().filter(|map| !map.is_empty()) else {
        return Err(format!("{}: {hint}", shown(value)));
    };
    let mut budget = AttemptBudget::default();
    for (key, value) in map {
        let whole = |most: u64| {
            let number = value.as_u64().filter(|number| (1..=most).contains(number));
            number.ok_or_else(|| format!("{}: `{key}` takes a whole number from 1 to {most}", shown(value)))
        };
        match key.as_str() {
            "calls" => budget.calls = Some(whole(CALLS_MAX)?),
            "tokens" => budget.tokens = Some(whole(TOKENS_MAX)?),
            "usd" => budget.usd_nanos = Some(usd(value)?),
            _ => return Err(format!("{}: {hint}", shown(&Value::from(key.as_str())))),
        }
    }
    Ok(budget)
}

/// An amount of money, exactly as it is written, in billionths of a dollar. A number has come through a float, whose shortest form
/// is what was written as long as that has no more digits than a float holds; a text has not.
fn usd(value: &Value) -> Result<u64, String> {
    const DIGITS_OF_FLOATS: usize = 15;
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        other => return Err(format!("{}: `usd` takes an amount in US dollars", shown(other))),
    };
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if value.is_f64() && digits > DIGITS_OF_FLOATS {
        return Err(format!("{}: put an amount of so many digits in quotes", shown(value)));
    }
    match parse_usd(&text) {
        Ok(0) => Err(format!("{}: it is nothing to spend", shown(value))),
        Ok(nanos) => Ok(nanos),
        Err(why) => Err(format!("{}: it {why}", shown(value))),
    }
}

/// A list of patterns of topics; a single one may stand without the list.
pub(super) fn subscribes(value: &Value) -> Result<Vec<TopicPattern>, String> {
    let patterns = match value {
        Value::Array(patterns) => patterns.iter().map(Value::as_str).collect(),
        one => one.as_str().map(|pattern| vec![pattern]),
    };
    let Some(patterns) = patterns else {
        return Err(format!(
            "{}: give it a list of topics, as in [\"build.*\", \"release.done\"]",
            shown(value)
        ));
    };
    if patterns.len() > SUBSCRIPTIONS_MAX {
        return Err(format!(
            "a list of {} patterns: give it no more than {SUBSCRIPTIONS_MAX}",
            patterns.len()
        ));
    }
    patterns.into_iter().map(TopicPattern::parse).collect()
}

/// The shape of what a tool takes: a JSON Schema, of an object.
pub(super) fn input(value: Value) -> Result<Value, String> {
    let hint = "give it a JSON Schema of an object, as in {type: object, properties: {path: {type: string}}}";
    let is_of_object = |schema: &Value| match schema.get("type") {
        Some(kind) => kind == "object",
        None => schema.is_object(),
    };
    if !is_of_object(&value) {
        return Err(format!("{}: {hint}", shown(&value)));
    }
    match Shape::new(&value) {
        Ok(_) => Ok(value),
        Err(why) => Err(format!("{}, which is no JSON Schema: {why}", shown(&value))),
    }
}

/// The name of an agent that undoes what another did.
pub(super) fn compensate(value: Value) -> Result<AgentName, String> {
    let name = name(value)?;
    match is_built_in(&name) {
        true => Err(format!("`{name}`: nothing that is built in undoes calls; name an agent")),
        false => Ok(name),
    }
}

/// A list of globs of names, or a text with commas between them.
pub(super) fn globs(value: &Value) -> Result<Vec<String>, String> {
    let globs: Vec<String> = serde_json::from_value(words(value)?).unwrap_or_default();
    match globs.iter().find_map(|glob| Glob::new(glob).err()) {
        None => Ok(globs),
        Some(error) => Err(format!("{}: {error}", shown(value))),
    }
}

pub(super) fn max_turns(value: &Value) -> Result<u32, String> {
    /// More are a loop that does not end.
    const MAX: u64 = 10_000;
    let turns = value.as_u64().filter(|turns| (1..=MAX).contains(turns));
    turns
        .and_then(|turns| u32::try_from(turns).ok())
        .ok_or_else(|| format!("{}: give it a whole number from 1 to {MAX}", shown(value)))
}

pub(super) fn flag(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("{}: it is `true` or `false`", shown(value)))
}

/// A value as a message quotes it: cut if it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("`{}…`", text.get(..at).unwrap_or_default()),
        None => format!("`{text}`"),
    }
}
