//! What a request for an approval asks about, and what an answer may change of it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::input::{Given, Property, convert, declared, given, property};
use super::json_text::{Level, last_of_each, write_text};
use super::work::Work;
use crate::events::ids::{AgentName, Hash, StepId};
use crate::events::json::Json;
use crate::events::problem::{Problem, nearest};

/// Exactly what would be done, or what was answered: the field `what` of `approval_requested`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApprovalSubject {
    /// The step that waits for the answer.
    pub step: StepId,
    /// How often it was to be done anew after being undone, from 1.
    pub generation: u32,
    /// The agent that would do it; none if no agent would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// The work of each attempt; for a loop, the work of each round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    /// The items of a fan-out, as JSON; none for other steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<Json>>,
    /// The step's output, if the output has to be approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Json>,
    /// The phase, if a phase has to be approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<SubjectPhase>,
}

/// A phase that people are asked about: the state of its steps, also of those that grew inside them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubjectPhase {
    /// The name of the phase.
    pub name: String,
    /// The state of its steps, in the order of the run.
    pub steps: Vec<SubjectStep>,
    /// How many further steps are not listed here, and the hash of their states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<(usize, Hash)>,
}

/// The state of a step in a phase that people are asked about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubjectStep {
    /// The id of the step.
    pub step: StepId,
    /// The status of the step, in a word.
    pub status: String,
    /// The agent that does it, or did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// How many attempts it has had so far.
    pub attempts: u32,
    /// The work that would be done, if the phase has not begun and the work is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    /// The beginning of its output, as JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The hash of its whole output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_hash: Option<Hash>,
}

impl ApprovalSubject {
    /// The work with the changes of all answers made to its arguments.
    ///
    /// # Errors
    /// A change that cannot be made, in a sentence.
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

    /// What an answer may change, with the changes of earlier answers: a JSON object; none if there
    /// is nothing to change.
    pub fn open_to_edits(&self, edits: impl IntoIterator<Item = Json>) -> Option<Json> {
        let map = match (&self.output, &self.work) {
            (Some(output), _) => output,
            (None, Some(Work { run: None, with, .. })) => with,
            (None, _) => return None,
        };
        let nothing = Json::from(&Value::Object(serde_json::Map::new()));
        let first = merged(map, &nothing).ok()?;
        edits.into_iter().try_fold(first, |map, edits| merged(&map, &edits).ok())
    }
}

/// The changes that an answer makes, as they were given. What a text becomes depends on the place
/// where it is put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edits(Vec<Edit>);

/// A change of one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Edit {
    /// The path to the value, by names of members; empty for the whole.
    path: Vec<String>,
    value: Given,
}

impl From<Json> for Edits {
    /// The changes that an object makes: objects inside it are merged in turn, everything else
    /// replaces what was there.
    fn from(map: Json) -> Self {
        Self(vec![Edit { path: Vec::new(), value: Given::Json(map) }])
    }
}

impl Edits {
    /// The changes in arguments that are written as inputs are: `k=v`, `k:=JSON`, `a.b=v`; none if
    /// there are no arguments.
    ///
    /// # Errors
    /// All arguments that are not written like that.
    pub fn from_arguments(arguments: &[String]) -> Result<Option<Self>, Vec<Problem>> {
        let (mut edits, mut problems) = (Vec::new(), Vec::new());
        for argument in arguments {
            match given(argument) {
                Ok((path, value)) => {
                    edits.push(Edit { path: path.into_iter().map(str::to_owned).collect(), value });
                }
                Err(problem) => problems.push(problem),
            }
        }
        match (problems.is_empty(), edits.is_empty()) {
            (false, _) => Err(problems),
            (true, true) => Ok(None),
            (true, false) => Ok(Some(Self(edits))),
        }
    }

    /// The changes as an object to be [`merged`] with what is there now. A text becomes what the schema
    /// declares for its place, or otherwise a value of the kind that stands there now.
    ///
    /// # Errors
    /// A change that cannot be made, in a sentence: a text that cannot become that, or a member of
    /// a value without members.
    pub fn fitted(&self, now: &Json, schema: Option<&Value>) -> Result<Json, String> {
        let mut map = "{}".to_owned();
        for Edit { path, value } in &self.0 {
            let (before, name) = (member(now.text(), path)?, path.join("."));
            let value = match value {
                Given::Json(json) => json.clone(),
                Given::Text(text) => match declared(schema, path) {
                    None => as_what_is_there(before, &name, text)?,
                    schema => convert(schema, &name, text).map_err(|problem| problem.message)?,
                },
            };
            map = with_member(&map, path, value.text()).ok_or_else(|| match path.is_empty() {
                true => "only values of a map can be set".to_owned(),
                false => format!("`{name}` goes into what is given as no object"),
            })?;
        }
        Json::made(&map).map_err(|error| error.to_string())
    }
}

/// Checks that a workflow would read everything that changes of its input name: what is there already, and
/// what its `input` declares.
///
/// # Errors
/// The first name that the workflow would not read, in a sentence.
pub fn are_read(edits: &Json, now: &Json, input: Option<&Value>) -> Result<(), String> {
    names_are_known(edits.text(), now.text(), input, &mut Vec::new())
}

/// The text of the value at a path, if there is one.
fn member<'t>(text: &'t str, path: &[String]) -> Result<Option<&'t str>, String> {
    let mut at = Some(text);
    for (depth, name) in path.iter().enumerate() {
        let members = match at.map(Level::of) {
            None | Some(Ok(Level::Null)) => return Ok(None),
            Some(Ok(Level::Map(members))) => members,
            Some(_) if depth == 0 => return Err("only values of a map can be set".to_owned()),
            Some(_) => {
                let outer = path.get(..depth).unwrap_or_default().join(".");
                return Err(format!("`{outer}` is no object, so it has no `{name}`"));
            }
        };
        at = members.into_iter().find(|(known, _)| known == name).map(|(_, value)| value);
    }
    Ok(at)
}

/// A text as a value of the kind that stands in its place now, for places that no schema describes.
fn as_what_is_there(before: Option<&str>, name: &str, text: &str) -> Result<Json, String> {
    let (kind, is_one): (_, fn(&Level<'_>) -> bool) = match before.map(Level::of) {
        Some(Ok(Level::Number(_))) => ("a number", |level| matches!(level, Level::Number(_))),
        Some(Ok(Level::Bool(_))) => ("true or false", |level| matches!(level, Level::Bool(_))),
        Some(Ok(Level::List(_))) => ("a list", |level| matches!(level, Level::List(_))),
        Some(Ok(Level::Map(_))) => ("an object", |level| matches!(level, Level::Map(_))),
        _ => return Ok(Json::from(&Value::from(text))),
    };
    let json = Json::read(text).ok().filter(|json| Level::of(json.text()).is_ok_and(|level| is_one(&level)));
    json.ok_or_else(|| {
        format!("`{name}` is {kind}, and `{text}` cannot be read as that: `{name}:=…` gives JSON")
    })
}

/// An object in which a value stands at a path; with an empty path, the value itself. None if something on
/// the way, or that value, is not an object.
fn with_member(map: &str, path: &[String], value: &str) -> Option<String> {
    let Some((name, rest)) = path.split_first() else {
        return merged_text(map, value);
    };
    let Ok(Level::Map(members)) = Level::of(map) else { return None };
    let mut members: Vec<(&str, Cow<'_, str>)> =
        members.iter().map(|(key, value)| (&**key, Cow::Borrowed(*value))).collect();
    let place = members.iter().position(|(known, _)| known == name);
    let before = place.and_then(|place| members.get(place)).map_or("{}", |(_, value)| value);
    let after = if rest.is_empty() { value.to_owned() } else { with_member(before, rest, value)? };
    match place.and_then(|place| members.get_mut(place)) {
        Some((_, value)) => *value = Cow::Owned(after),
        None => members.push((name, Cow::Owned(after))),
    }
    Some(written(&members))
}

/// Refuses a name that is not there now and that the schema does not declare: nothing would read it.
fn names_are_known<'t>(
    edits: &'t str,
    now: &str,
    schema: Option<&Value>,
    path: &mut Vec<Cow<'t, str>>,
) -> Result<(), String> {
    let (Some(schema), Ok(Level::Map(edits))) = (schema, Level::of(edits)) else { return Ok(()) };
    let members = match Level::of(now) {
        Ok(Level::Map(members)) => members,
        _ => Vec::new(),
    };
    for (name, value) in edits {
        let before = members.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        path.push(name);
        let name = path.last().map_or("", |name| &**name);
        match (property(schema, name), before) {
            (Property::Known(schema), before) => {
                names_are_known(value, before.unwrap_or("null"), Some(schema), path)?;
            }
            (Property::Open, _) | (Property::Unknown(_), Some(_)) => {}
            (Property::Unknown(known), None) => {
                let near = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("; did you mean `{near}`?"),
                    None => format!("; there are `{}`", known.join("`, `")),
                };
                return Err(format!("nobody reads `{}`{near}", path.join(".")));
            }
        }
        path.pop();
    }
    Ok(())
}

/// An object with some of its values changed: objects are merged, everything else is replaced.
///
/// # Errors
/// When one of the two is not an object, in a sentence.
pub fn merged(map: &Json, edits: &Json) -> Result<Json, String> {
    let map = if map.is_null() { "{}" } else { map.text() };
    let text = merged_text(map, edits.text()).ok_or("only values of a map can be set")?;
    Json::made(&text).map_err(|error| error.to_string())
}

/// The same on texts, so that numbers keep all their digits. None if one of the two is not an object.
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
    Some(written(&merged))
}

fn written(members: &[(&str, Cow<'_, str>)]) -> String {
    let mut text = String::from("{");
    for (place, (key, value)) in members.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        write_text(&mut text, key);
        text.push(':');
        text.push_str(value);
    }
    text.push('}');
    text
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
        // An older version recorded answers with a key twice. The edit changed the first, and
        // programs read the last.
        let twice = json(r#"{"to":"staging","to":"evil"}"#);
        assert_eq!(merged(&twice, &json(r#"{"to":"production"}"#)).unwrap().text(), r#"{"to":"production"}"#);
        assert!(merged(&json("[1]"), &json(r#"{"a":1}"#)).is_err());
        assert!(merged(&map, &json("3")).is_err());
    }

    fn edits(arguments: &[&str]) -> Edits {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Edits::from_arguments(&arguments).unwrap().unwrap()
    }

    #[test]
    fn a_text_becomes_what_the_schema_declares_or_what_stands_there() {
        let schema = serde_json::json!({"properties": {
            "n": {"type": "integer"}, "t": {"type": "string"}, "deep": {"properties": {"b": {"type": "boolean"}}},
        }});
        let now = json(r#"{"n": 1, "t": "x", "deep": {"b": false}}"#);
        let fitted = |arguments: &[&str]| {
            let edits = edits(arguments).fitted(&now, Some(&schema))?;
            are_read(&edits, &now, Some(&schema)).map(|()| edits)
        };
        let all = fitted(&["n=8", "t=8", "deep.b=true"]).unwrap();
        assert_eq!(all.text(), r#"{"n":8,"t":"8","deep":{"b":true}}"#);
        for (wrong, why) in [
            ("n=x", "must be of type integer"),
            ("deep.b=1", "`deep.b` must be of type boolean"),
            ("m=1", "nobody reads `m`; did you mean `n`?"),
            ("deep.c:=1", "nobody reads `deep.c`"),
            ("deep:={\"c\":1}", "nobody reads `deep.c`"),
            ("t.x=1", "`t` is no object, so it has no `x`"),
        ] {
            let said = fitted(&[wrong]).unwrap_err();
            assert!(said.contains(why), "{wrong}: {said}");
        }
        let now = json(r#"{"n": 1, "t": "x", "l": [], "b": true, "nothing": null}"#);
        let free = |argument: &str| edits(&[argument]).fitted(&now, None).map(|json| json.text().to_owned());
        for (argument, map) in [
            ("n=123456789012345678901", r#"{"n":123456789012345678901}"#),
            ("t=8", r#"{"t":"8"}"#),
            ("b=false", r#"{"b":false}"#),
            ("l=[1]", r#"{"l":[1]}"#),
            ("nothing=8", r#"{"nothing":"8"}"#),
            ("new=8", r#"{"new":"8"}"#),
            ("nothing.new=8", r#"{"nothing":{"new":"8"}}"#),
            ("n:=\"x\"", r#"{"n":"x"}"#),
        ] {
            assert_eq!(free(argument).unwrap(), map);
        }
        for wrong in ["n=x", "b=1", "l=x", "l.x=1"] {
            assert!(free(wrong).is_err(), "{wrong}");
        }
        assert!(edits(&["x=1"]).fitted(&json("[1]"), None).is_err());
    }

    #[test]
    fn later_changes_win_over_earlier_ones() {
        let fitted = |arguments: &[&str]| edits(arguments).fitted(&Json::null(), None);
        let both = fitted(&["a:={\"x\":1}", "a.y=2", "b=1", "b=2"]).unwrap();
        assert_eq!(both.text(), r#"{"a":{"x":1,"y":"2"},"b":"2"}"#);
        assert_eq!(fitted(&["a:={\"x\":1}", "a:={}"]).unwrap().text(), r#"{"a":{}}"#);
        assert!(fitted(&["a=1", "a.b=1"]).is_err());
    }
}
