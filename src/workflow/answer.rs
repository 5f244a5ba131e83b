//! What an agent says of its work in its answer, be that JSON or a text: how it went, in short what was done, what was made and
//! what was counted. What it does not say is not there: nothing is estimated.
//!
//! | | in an object | in a text, outside of fenced blocks |
//! |---|---|---|
//! | status | `status`: `success`, `failed` or `completed_with_errors` | a section `## Status`, or a line `Status: …`, of one of these |
//! | summary | `summary`, a text | the section `## Summary` |
//! | artifacts | `artifacts`, a list of paths | lines `Created: PATH`, `Modified: PATH` and `ARTIFACT: PATH` |
//! | metrics | `metrics`, an object of numbers and texts | the section `## Metrics`: a line, or a row of a table, for each |

mod sections;

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::json_text::Level;
use crate::events::json::Json;
use crate::events::text::shortened_lines;

/// The longest summary that is kept, in characters.
const SUMMARY_CHARS_MAX: usize = 2_000;

/// How much of the first line of a text stands for a summary, in characters.
const LINE_CHARS_MAX: usize = 200;

/// How many metrics of one answer are kept.
const METRICS_MAX: usize = 100;

/// The longest name of a metric, and the longest text that is one, in characters.
const METRIC_CHARS_MAX: usize = 200;

/// How many paths of one answer are kept.
const ARTIFACTS_MAX: usize = 1_000;

/// The longest path that is kept, in bytes.
const PATH_BYTES_MAX: usize = 4_096;

/// The member of an answer that is nothing but a text: what a program wrote, and what anybody else did.
const TEXTS: [&str; 2] = ["stdout", "text"];

/// How an agent says that its work went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// All is done.
    Success,
    /// It is not done.
    Failed,
    /// It is done, in a lesser way.
    CompletedWithErrors,
}

impl Status {
    /// The status that a word is, however it is spelled.
    fn of(word: &str) -> Option<Self> {
        let word = word.trim_matches(|character: char| !character.is_alphanumeric());
        match word.to_ascii_lowercase().replace([' ', '-'], "_").as_str() {
            "success" => Some(Self::Success),
            "failed" => Some(Self::Failed),
            "completed_with_errors" => Some(Self::CompletedWithErrors),
            _ => None,
        }
    }
}

/// What an agent says of its work.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Said {
    /// How it went.
    pub(crate) status: Option<Status>,
    /// What was done, in short.
    pub(crate) summary: Option<String>,
    /// The paths of what was made.
    pub(crate) artifacts: Vec<String>,
    /// What was counted, by name: numbers, texts and truth values.
    pub(crate) metrics: Map<String, Value>,
    /// Why it failed, where it says that.
    pub(crate) error: Option<String>,
    /// The first line of a text that says something.
    pub(crate) first_line: Option<String>,
}

/// Reads what an answer says of the work.
pub(crate) fn read(answer: &Json) -> Said {
    match Level::of(answer.text()) {
        Ok(Level::Text(text)) => of_text(&text),
        Ok(Level::Map(members)) => match alone(&members) {
            Some(text) => of_text(&text),
            None => of_members(members),
        },
        _ => Said::default(),
    }
}

/// The text that an answer is, if it is one: a text, or an object with nothing but what a program wrote, or a text.
pub(crate) fn text(answer: &Json) -> Option<Cow<'_, str>> {
    match Level::of(answer.text()) {
        Ok(Level::Text(text)) => Some(text),
        Ok(Level::Map(members)) => alone(&members),
        _ => None,
    }
}

/// The text of an object that has nothing else.
fn alone<'a>(members: &[(Cow<'a, str>, &'a str)]) -> Option<Cow<'a, str>> {
    let [(key, value)] = members else { return None };
    match Level::of(value) {
        Ok(Level::Text(text)) if TEXTS.contains(&&**key) => Some(text),
        _ => None,
    }
}

fn first_line_of(text: &str) -> Option<String> {
    let mut lines = text.lines().map(sections::plain).filter(|line| !line.is_empty());
    lines.next().map(|line| shortened_lines(line, LINE_CHARS_MAX).into_owned())
}

/// The answer itself, or, where JSON was declared and the answer is a text, the last fenced block of JSON in it.
///
/// # Errors
/// The same as those of [`as_json`].
pub(crate) fn declared(schema: Option<&Value>, answer: Json) -> Result<Json, String> {
    let is_of_text = |schema: &Value, key: &str| schema.pointer(&format!("/properties/{key}")).is_some();
    match schema {
        Some(schema) if !TEXTS.into_iter().any(|key| is_of_text(schema, key)) => as_json(answer),
        _ => Ok(answer),
    }
}

/// The answer itself, or of one that is a text the last fenced block of JSON in it, if there is one.
///
/// # Errors
/// When that block is no JSON, in a sentence.
pub(crate) fn as_json(answer: Json) -> Result<Json, String> {
    let text = text(&answer);
    let Some(block) = text.as_deref().and_then(sections::last_json_block) else { return Ok(answer) };
    Json::read(block).map_err(|why| format!("the last block of JSON in its answer is none: {why}"))
}

fn of_text(text: &str) -> Said {
    Said { first_line: first_line_of(text), ..sections::read(text) }
}

fn of_members(members: Vec<(Cow<'_, str>, &str)>) -> Said {
    let mut said = Said::default();
    for (key, value) in members {
        let word = || serde_json::from_str::<String>(value).ok();
        match &*key {
            "status" => said.status = word().and_then(|word| Status::of(&word)),
            "summary" => said.summary = word().and_then(|word| summary(&word)),
            "error" => said.error = word(),
            "artifacts" => {
                let paths: Vec<Value> = serde_json::from_str(value).unwrap_or_default();
                let paths = paths.iter().filter_map(Value::as_str).filter(|path| is_path(path));
                said.artifacts = paths.take(ARTIFACTS_MAX).map(str::to_owned).collect();
            }
            "metrics" => {
                let metrics: Map<String, Value> = serde_json::from_str(value).unwrap_or_default();
                metrics.into_iter().for_each(|(name, value)| count(&mut said.metrics, name, value));
            }
            _ => {}
        }
    }
    said
}

/// What was done, in short; none if nothing is said.
fn summary(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| shortened_lines(text, SUMMARY_CHARS_MAX).into_owned())
}

/// Takes in one thing that was counted.
fn count(metrics: &mut Map<String, Value>, name: String, value: Value) {
    let is_short = |text: &str| text.chars().nth(METRIC_CHARS_MAX).is_none();
    let is_one = match &value {
        Value::Number(_) | Value::Bool(_) => true,
        Value::String(text) => is_short(text),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    };
    if is_one && !name.is_empty() && is_short(&name) && metrics.len() < METRICS_MAX {
        metrics.insert(name, value);
    }
}

fn is_path(path: &str) -> bool {
    !path.is_empty() && path.len() <= PATH_BYTES_MAX && !path.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(answer: &Value) -> Said {
        read(&Json::from(answer))
    }

    #[test]
    fn an_object_says_it_by_its_members() {
        let said = of(&serde_json::json!({
            "status": "completed_with_errors", "summary": " Two of three.\n", "artifacts": ["a.md", 7, "b\u{7}"],
            "metrics": {"toolCalls": 5, "model": "m", "nested": {}, "none": null}, "error": "one is missing"
        }));
        assert_eq!(said.status, Some(Status::CompletedWithErrors));
        assert_eq!(
            (said.summary.as_deref(), said.artifacts),
            (Some("Two of three."), vec!["a.md".to_owned()])
        );
        assert_eq!(Value::from(said.metrics), serde_json::json!({"toolCalls": 5, "model": "m"}));
    }

    #[test]
    fn members_of_another_kind_say_nothing() {
        for odd in [
            serde_json::json!({"status": 200, "summary": {}, "artifacts": "a", "metrics": [1]}),
            serde_json::json!({"status": "shipped", "summary": "  "}),
            serde_json::json!([{"status": "failed"}]),
            serde_json::json!({"result": {"status": "failed", "summary": "of another"}}),
        ] {
            assert_eq!(of(&odd), Said::default(), "{odd}");
        }
    }

    #[test]
    fn how_it_went_is_a_word_however_it_is_spelled() {
        for (word, status) in [
            ("success", Some(Status::Success)),
            ("**Completed with errors**", Some(Status::CompletedWithErrors)),
            ("✅ SUCCESS", Some(Status::Success)),
            ("failed to start", None),
            ("failure", None),
        ] {
            assert_eq!(Status::of(word), status, "{word}");
        }
    }

    #[test]
    fn a_text_answer_is_a_text_or_an_object_with_nothing_else() {
        let of = |answer: Value| text(&Json::from(&answer)).map(Cow::into_owned);
        assert_eq!(of(serde_json::json!("a\n")).as_deref(), Some("a\n"));
        assert_eq!(of(serde_json::json!({"stdout": "a"})).as_deref(), Some("a"));
        assert_eq!(of(serde_json::json!({"text": "a"})).as_deref(), Some("a"));
        assert_eq!(of(serde_json::json!({"text": "a", "more": 1})), None);
        assert_eq!(of(serde_json::json!({"text": 1})), None);
    }

    #[test]
    fn the_first_line_that_says_something_stands_for_a_summary() {
        let of = |text: &str| read(&Json::from(&Value::from(text))).first_line;
        assert_eq!(of("\n---\n## **Audit complete**\nmore").as_deref(), Some("Audit complete"));
        assert_eq!(of(" \n"), None);
        assert!(of(&"x".repeat(5_000)).unwrap().chars().count() <= LINE_CHARS_MAX + 1);
    }

    #[test]
    fn what_is_kept_has_bounds() {
        let metrics: Map<String, Value> = (0..1_000).map(|n| (format!("m{n}"), n.into())).collect();
        let said = of(&serde_json::json!({"summary": "x".repeat(100_000), "metrics": metrics,
            "artifacts": vec!["a"; 5_000]}));
        assert_eq!((said.metrics.len(), said.artifacts.len()), (METRICS_MAX, ARTIFACTS_MAX));
        assert!(said.summary.unwrap().chars().count() <= SUMMARY_CHARS_MAX + 1);
    }
}
