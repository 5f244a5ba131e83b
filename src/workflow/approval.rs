//! What a request for an approval is about, and what an answer may change of it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::json_text::{Level, last_of_each, write_text};
use super::work::Work;
use crate::events::ids::{AgentName, StepId};
use crate::events::json::Json;

/// Exactly what would be done, or what was answered: the `what` of `approval_requested`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The step.
    pub step: StepId,
    /// How often it was to be done anew, from 1.
    pub generation: u32,
    /// Who would do it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// The work of each attempt; of a loop, that of each round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    /// The items of a fan-out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<Json>>,
    /// What it answered, where that is what has to be approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Json>,
}

impl Asked {
    /// The work with what answers change of its arguments.
    ///
    /// # Errors
    /// What cannot be changed, in a sentence.
    pub fn edited(&self, edits: impl IntoIterator<Item = Json>) -> Result<Work, String> {
        let mut work = self.work.clone().unwrap_or_default();
        for edits in edits {
            if work.run.is_some() {
                return Err("a step with `run` has no arguments".to_owned());
            }
            work.with = merged(&work.with, &edits)?;
        }
        Ok(work)
    }
}

/// A map with some of its values changed: maps are merged, everything else is replaced.
///
/// # Errors
/// When it is no map, in a sentence.
pub fn merged(map: &Json, edits: &Json) -> Result<Json, String> {
    let map = if map.is_null() { "{}" } else { map.text() };
    let text = merged_text(map, edits.text()).ok_or("only values of a map can be set")?;
    Json::made(&text).map_err(|error| error.to_string())
}

/// Text, so that numbers keep all their digits. None if one of both is no map.
fn merged_text(map: &str, edits: &str) -> Option<String> {
    let (Ok(Level::Map(members)), Ok(Level::Map(edits))) = (Level::of(map), Level::of(edits)) else {
        return None;
    };
    let members = last_of_each(members);
    let mut merged: Vec<(&str, Cow<'_, str>)> =
        members.iter().map(|(key, value)| (&**key, Cow::Borrowed(*value))).collect();
    for (key, edit) in &edits {
        match merged.iter_mut().find(|(known, _)| known == key) {
            Some((_, value)) => {
                *value = merged_text(value, edit).map_or(Cow::Borrowed(*edit), Cow::Owned);
            }
            None => merged.push((key, Cow::Borrowed(*edit))),
        }
    }
    let mut text = String::from("{");
    for (place, (key, value)) in merged.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        write_text(&mut text, key);
        text.push(':');
        text.push_str(value);
    }
    text.push('}');
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    #[test]
    fn edits_change_what_they_name_and_nothing_else() {
        let map = json(r#"{"a": {"b": 1, "c": 2}, "d": [1], "n": 123456789012345678901}"#);
        let changed = merged(&map, &json(r#"{"a": {"b": {"x": 3}}, "d": [2], "e": null}"#)).unwrap();
        assert_eq!(
            changed.text(),
            r#"{"a":{"b":{"x": 3},"c":2},"d":[2],"n":123456789012345678901,"e":null}"#
        );
        assert_eq!(merged(&Json::null(), &json(r#"{"a":1}"#)).unwrap().text(), r#"{"a":1}"#);
        // An older version recorded answers with a key twice. The edit changed the first, and programs read the last.
        let twice = json(r#"{"to":"staging","to":"evil"}"#);
        assert_eq!(merged(&twice, &json(r#"{"to":"production"}"#)).unwrap().text(), r#"{"to":"production"}"#);
        assert!(merged(&json("[1]"), &json(r#"{"a":1}"#)).is_err());
        assert!(merged(&map, &json("3")).is_err());
    }
}
