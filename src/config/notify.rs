//! `[[notify]]`: who is told of which events.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::values::{text, texts};
use crate::actors::notify::Notice;
use crate::events::problem::nearest;
use crate::events::run::RunEvent;
use crate::executors::delivery::Target;

/// The longest name of a notice, in characters: it is part of the key under which the store
/// keeps the notice's position.
const NAME_CHARS_MAX: usize = 60;

const KEYS: [&str; 5] = ["on", "command", "url", "token_env", "name"];

/// Reads all notices of the configuration.
///
/// # Errors
/// What is wrong, and in which notice.
pub(super) fn notices(value: &Value) -> Result<Vec<Notice>, String> {
    let tables: Option<Vec<&Table>> =
        value.as_array().and_then(|items| items.iter().map(Value::as_table).collect());
    let tables = tables.ok_or("write each as a `[[notify]]` of its own")?;
    let mut notices: Vec<Notice> = Vec::with_capacity(tables.len());
    for (number, table) in (1..).zip(tables) {
        let notice = notice(table).map_err(|why| format!("in `[[notify]]` number {number}, {why}"))?;
        let is_same = |other: &Notice| match (&other.name, &notice.name) {
            (Some(other), Some(name)) => other == name,
            _ => *other == notice,
        };
        if let Some(first) = notices.iter().position(is_same) {
            return Err(format!("`[[notify]]` number {number} is the same as number {}", first + 1));
        }
        notices.push(notice);
    }
    Ok(notices)
}

fn notice(table: &Table) -> Result<Notice, String> {
    if let Some(unknown) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let near = nearest(unknown, KEYS).map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
        return Err(format!("the key `{unknown}` is unknown{near}"));
    }
    let a_text = |key: &'static str| {
        table
            .get(key)
            .map(|value| text(value).map(str::to_owned))
            .transpose()
            .map_err(|takes| format!("`{key}`: {takes}"))
    };
    let (url, token_env, name) = (a_text("url")?, a_text("token_env")?, a_text("name")?);
    if name.as_ref().is_some_and(|name| name.chars().count() > NAME_CHARS_MAX) {
        return Err(format!("`name` takes at most {NAME_CHARS_MAX} characters"));
    }
    let command =
        table.get("command").map(texts).transpose().map_err(|takes| format!("`command`: {takes}"))?;
    let target = match (command, url) {
        (Some(command), None) if command.is_empty() => return Err("`command` names no program".to_owned()),
        (Some(_), None) if token_env.is_some() => return Err("`token_env` is for a `url` only".to_owned()),
        (Some(command), None) => Target::Command(command),
        (None, Some(url)) if !is_address(&url) => {
            return Err("`url` is no address: it begins with `https://` or `http://` and a host".to_owned());
        }
        (None, Some(url)) => Target::Url { url, token_env },
        _ => return Err("give either `command` or `url`".to_owned()),
    };
    Ok(Notice { name, on: types(table)?, target })
}

fn is_address(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace))
}

/// The types of events that a notice is about.
fn types(table: &Table) -> Result<BTreeSet<String>, String> {
    let on = table.get("on").ok_or("`on` is missing: it names types of events, as in [\"run_stuck\"]")?;
    let on = texts(on).map_err(|takes| format!("`on`: {takes}"))?;
    if on.is_empty() {
        return Err("`on` names no type of events".to_owned());
    }
    let known = || RunEvent::TABLE.iter().map(|(kind, _)| *kind);
    if let Some(unknown) = on.iter().find(|kind| known().all(|known| known != kind.as_str())) {
        let near = nearest(unknown, known()).map(|near| format!(": did you mean `{near}`?"));
        return Err(format!("no event has the type `{unknown}`{}", near.unwrap_or_default()));
    }
    Ok(on.into_iter().collect())
}
