//! A message as an agent sends it: what it says of itself, checked.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::topic::check_topic;
use super::work::Failure;
use crate::events::json::Json;
use crate::events::limits::{MESSAGE_BODY_BYTES_MAX, MESSAGE_WORDS_BYTES_MAX};
use crate::events::problem::{Code, nearest};
use crate::events::run::{Address, MessageKind, Priority};
use crate::events::text::{is_control, printable};
use crate::events::time::{Timestamp, parse_duration};

/// A message as an agent sends it, as far as it says so itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Whom it is for.
    pub to: Address,
    /// What its sender wants with it.
    pub kind: MessageKind,
    /// The stable name of the type of its body, where one is named.
    pub type_name: Option<Arc<str>>,
    /// How urgent it is.
    pub priority: Priority,
    /// By which messages belong together.
    pub correlation: Option<Arc<str>>,
    /// Until when it is of use; none for ever.
    pub deadline: Option<Until>,
    /// What it says.
    pub body: Json,
}

/// Until when a message is of use, as its sender says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// So long after it is sent.
    After(Duration),
    /// Until that moment, by the clock that people see.
    Moment(Timestamp),
}

/// The members of a message, of which what is a word may be anything until it is looked at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    to: Value,
    kind: Value,
    #[serde(default)]
    type_name: Value,
    #[serde(default)]
    priority: Value,
    #[serde(default)]
    correlation: Value,
    #[serde(default)]
    deadline: Value,
    #[serde(default)]
    body: Json,
}

impl Envelope {
    /// Reads a message as an agent sends it.
    ///
    /// # Errors
    /// What is wrong with it, with a code of its own where that is often so.
    pub fn read(message: &Json) -> Result<Self, Failure> {
        let bad = |why: String| Failure::new(Code::BadMessage, format!("a message that it sends {why}"));
        let members: Members = serde_json::from_str(message.text()).map_err(|error| {
            let why = error.to_string();
            bad(format!("cannot be understood: {}", printable(without_place(&why))))
        })?;
        let Members { to, kind, type_name, priority, correlation, deadline, body } = members;
        if body.text().len() > MESSAGE_BODY_BYTES_MAX {
            let message = format!(
                "the body of a message that it sends has {} bytes, and no more than {MESSAGE_BODY_BYTES_MAX} are sent",
                body.text().len()
            );
            return Err(Failure::new(Code::MessageTooLong, message));
        }
        let words =
            |what: &str, value: Value| words(&value).map_err(|why| bad(format!("has a `{what}` that {why}")));
        Ok(Self {
            to: address(&to)?,
            kind: read_kind(&kind)?,
            type_name: words("type_name", type_name)?,
            priority: read_priority(&priority)?,
            correlation: words("correlation", correlation)?,
            deadline: until(&deadline)?,
            body,
        })
    }
}

/// A text, or nothing.
fn words(value: &Value) -> Result<Option<Arc<str>>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.len() <= MESSAGE_WORDS_BYTES_MAX && !text.contains(is_control) => {
            Ok(Some(text.as_str().into()))
        }
        _ => Err(format!("is no text of at most {MESSAGE_WORDS_BYTES_MAX} bytes on one line")),
    }
}

fn address(value: &Value) -> Result<Address, Failure> {
    let bad =
        |code, why: String| Failure::new(code, format!("a message that it sends cannot be addressed: {why}"));
    let Value::String(text) = value else {
        let why = format!("{} is neither the name of an agent nor `topic:TOPIC` nor `*`", shown(value));
        return Err(bad(Code::BadMessage, why));
    };
    let address = Address::from(text.clone());
    match &address {
        Address::Everyone => {}
        Address::Topic(topic) => check_topic(topic).map_err(|why| bad(Code::BadTopic, why))?,
        Address::Agent(_) if text.contains('*') => {
            let why = format!(
                "{} is a pattern, and a pattern is for who subscribes: `*` alone is for everyone, `topic:TOPIC` for who subscribes to that",
                shown(value)
            );
            return Err(bad(Code::BadTopic, why));
        }
        Address::Agent(agent) => {
            agent.check().map_err(|error| bad(Code::BadMessage, error.to_string()))?;
        }
    }
    Ok(address)
}

fn read_kind(value: &Value) -> Result<MessageKind, Failure> {
    let known = MessageKind::ALL.into_iter().find(|kind| value == kind.text());
    known.ok_or_else(|| {
        let texts = MessageKind::ALL.map(MessageKind::text);
        let near = value.as_str().and_then(|wrong| nearest(wrong, texts));
        let meant = near.map_or_else(|| texts.join(", "), |near| format!("did you mean `{near}`?"));
        let message =
            format!("a message that it sends is of kind {}, which there is not: {meant}", shown(value));
        Failure::new(Code::UnknownMessageKind, message)
    })
}

fn read_priority(value: &Value) -> Result<Priority, Failure> {
    if value.is_null() {
        return Ok(Priority::default());
    }
    let known = Priority::ALL.into_iter().find(|priority| value == priority.text());
    known.ok_or_else(|| {
        let message = format!(
            "a message that it sends has the priority {}: one of {}",
            shown(value),
            Priority::ALL.map(Priority::text).join(", ")
        );
        Failure::new(Code::BadMessage, message)
    })
}

fn until(value: &Value) -> Result<Option<Until>, Failure> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => Some(text.as_str()),
        _ => None,
    };
    let moment = text.and_then(Timestamp::parse).map(Until::Moment);
    let length = || text.and_then(|text| parse_duration(text).ok()).map(Until::After);
    moment.or_else(length).map(Some).ok_or_else(|| {
        let message = format!(
            "a message that it sends has the deadline {}, which is neither a duration nor a moment",
            shown(value)
        );
        Failure::new(Code::BadMessageDeadline, message)
    })
}

/// A value as a message quotes it, as much of it as says so.
fn shown(value: &Value) -> String {
    const CHARS_MAX: usize = 100;
    let text = value.to_string();
    let start: String = text.chars().take(CHARS_MAX).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    format!("`{}{more}`", start.escape_debug())
}

/// A message is one line, whose place in itself helps nobody.
fn without_place(error: &str) -> &str {
    error.split(" at line ").next().unwrap_or(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Envelope, Failure> {
        Envelope::read(&Json::parse(text).unwrap())
    }

    #[test]
    fn a_message_says_whom_it_is_for_and_of_which_kind_it_is() {
        let envelope = read(r#"{"to":"ada","kind":"task"}"#).unwrap();
        assert_eq!((envelope.to.to_string().as_str(), envelope.kind), ("ada", MessageKind::Task));
        assert_eq!((envelope.priority, envelope.deadline), (Priority::Normal, None));
        assert!(envelope.body.is_null());
        let envelope = read(
            r#"{"to":"topic:build.done","kind":"notice","body":{"n": 12345678901234567890123},"priority":"urgent","correlation":"c1","deadline":"10m","type_name":"Done"}"#,
        )
        .unwrap();
        assert_eq!(envelope.body.text(), "{\"n\": 12345678901234567890123}", "its digits stay");
        assert_eq!(envelope.deadline, Some(Until::After(Duration::from_secs(600))));
        assert_eq!(
            (envelope.correlation.as_deref(), envelope.type_name.as_deref()),
            (Some("c1"), Some("Done"))
        );
        let moment =
            read(r#"{"to":"*","kind":"control","deadline":"2026-11-21T00:00:00Z"}"#).unwrap().deadline;
        assert_eq!(moment, Some(Until::Moment(Timestamp(1_795_219_200_000_000))));
    }

    #[test]
    fn what_is_wrong_with_a_message_is_told_with_a_code() {
        let long = "x".repeat(MESSAGE_BODY_BYTES_MAX);
        for (message, code, says) in [
            (r#"{"kind":"task"}"#, Code::BadMessage, "missing field `to`"),
            (r#"{"to":"a"}"#, Code::BadMessage, "missing field `kind`"),
            (r#"{"to":"a","kind":"task","bodi":1}"#, Code::BadMessage, "unknown field `bodi`"),
            (r#"{"to":["a"],"kind":"task"}"#, Code::BadMessage, "neither the name of an agent"),
            (r#"{"to":" ","kind":"task"}"#, Code::BadMessage, "name of an agent"),
            (r#"{"to":"a","kind":"tasks"}"#, Code::UnknownMessageKind, "did you mean `task`?"),
            (r#"{"to":"a","kind":7}"#, Code::UnknownMessageKind, "task, result"),
            (r#"{"to":"a","kind":"task","priority":"now"}"#, Code::BadMessage, "low, normal, high, urgent"),
            (r#"{"to":"a","kind":"task","deadline":"soon"}"#, Code::BadMessageDeadline, "`\\\"soon\\\"`"),
            (r#"{"to":"a","kind":"task","deadline":10}"#, Code::BadMessageDeadline, "`10`"),
            (r#"{"to":"a","kind":"task","deadline":"-1s"}"#, Code::BadMessageDeadline, "neither"),
            (r#"{"to":"topic:**","kind":"task"}"#, Code::BadTopic, "say `*` as the whole address"),
            (r#"{"to":"topic:","kind":"task"}"#, Code::BadTopic, "no topic"),
            (r#"{"to":"build.*","kind":"task"}"#, Code::BadTopic, "`*` alone is for everyone"),
            (r#"{"to":"a","kind":"task","correlation":"a\nb"}"#, Code::BadMessage, "`correlation`"),
            (&format!(r#"{{"to":"a","kind":"task","body":"{long}"}}"#), Code::MessageTooLong, "65538 bytes"),
        ] {
            let failure = read(message).unwrap_err();
            assert_eq!(failure.code, code, "{message}: {failure}");
            assert!(failure.message.contains(says), "{}", failure.message);
        }
    }
}
