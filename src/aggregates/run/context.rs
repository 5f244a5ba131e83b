//! What the agents of a run share: keys with versions, which their attempts write in the commit of what they came to.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::advance::Advance;
use crate::events::ids::StepId;
use crate::events::json::{Json, Payload};
use crate::events::problem::Code;
use crate::events::run::{AttemptStarted, ContextChanged, Purpose};
use crate::workflow::json_text::Level;
use crate::workflow::work::{AgentRequest, Failure};

/// The key of an answer whose members are values for the context.
const CONTEXT: &str = "context";

/// The key of the document for a program, by which it is known again.
const KEY_OF_ATTEMPT: &str = "idempotency_key";

/// How many keys a run's context may have.
const KEYS_MAX: usize = 10_000;

/// How many values one attempt may write.
const WRITES_MAX: usize = 1_000;

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 64;

/// The context of a run, by key.
pub(crate) type Context = BTreeMap<Arc<str>, ContextValue>;

/// The newest value of a key. One that was removed has the value null: its versions are remembered, so that none ever means
/// two values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ContextValue {
    /// Its number among all values of the key, from 1.
    pub(crate) version: u64,
    pub(crate) value: Payload,
    /// The step whose attempt wrote it.
    pub(crate) step: StepId,
    pub(crate) purpose: Purpose,
    pub(crate) attempt: u32,
}

impl ContextValue {
    /// Whether the key is there: it was not removed.
    pub(crate) fn is_there(&self) -> bool {
        self.value != Payload::default()
    }

    /// The version that who writes the key may expect: 0 where it is not there.
    fn expected(&self) -> u64 {
        if self.is_there() { self.version } else { 0 }
    }
}

/// A value that an attempt writes, which may be written.
pub(super) struct Write {
    key: Arc<str>,
    version: u64,
    value: Json,
}

impl Advance<'_, '_> {
    /// What an attempt writes that succeeded: what it asked for beside its answer, and what that has under `context`.
    /// Nothing else of what it asked for can be done by this version.
    ///
    /// # Errors
    /// When it asked for something else, its keys or their number cannot be, or a key has another version than it expects.
    pub(super) fn writes(
        &self,
        attempt: &AttemptStarted,
        requests: Vec<AgentRequest>,
        answer: &Json,
    ) -> Result<Vec<Write>, Failure> {
        let context = self.draft.state().context();
        // Of each key that is written: its version, and the one that may be expected.
        let mut newest: BTreeMap<Arc<str>, (u64, u64)> = BTreeMap::new();
        let mut writes = Vec::new();
        for (what, value) in asked(attempt, requests, answer)? {
            let (key, expected) = parsed(&what)?;
            let known = || context.get(key).map_or((0, 0), |known| (known.version, known.expected()));
            let (before, is) = newest.get(key).copied().unwrap_or_else(known);
            if let Some(expected) = expected.filter(|expected| *expected != is) {
                return Err(conflict(key, expected, is, context.get(key)));
            }
            let key: Arc<str> = key.into();
            let version = before + 1;
            newest.insert(Arc::clone(&key), (version, if value.is_null() { 0 } else { version }));
            writes.push(Write { key, version, value });
        }
        let new = newest.keys().filter(|key| !context.contains_key(*key)).count();
        for (is, may_be, what) in [
            (writes.len(), WRITES_MAX, "values would be written into the context by one attempt"),
            (context.len() + new, KEYS_MAX, "keys would be in the run's context"),
        ] {
            if is > may_be {
                return Err(Failure::new(
                    Code::ContextFull,
                    format!("{is} {what}, and no more than {may_be} may be"),
                ));
            }
        }
        Ok(writes)
    }

    /// Records what an attempt writes.
    pub(super) fn write(&mut self, attempt: &AttemptStarted, writes: Vec<Write>) {
        for Write { key, version, value } in writes {
            let value = self.draft.payload(value);
            let (step, purpose, attempt) = (attempt.step.clone(), attempt.purpose, attempt.attempt);
            self.draft.emit(ContextChanged { key, version, value, step, purpose, attempt });
        }
    }
}

/// What is to be written, each with where: `[ALIAS/]KEY[@VERSION]`.
fn asked(
    attempt: &AttemptStarted,
    requests: Vec<AgentRequest>,
    answer: &Json,
) -> Result<Vec<(String, Json)>, Failure> {
    let mut asked = Vec::new();
    for request in requests {
        asked.push(match request {
            AgentRequest::Context { key, value } => (key, value),
            AgentRequest::Send(_) => return Err(not_built("`SEND:` lines")),
            AgentRequest::Handoff(_) => return Err(not_built("handoffs")),
        });
    }
    let Ok(Level::Map(members)) = Level::of(answer.text()) else { return Ok(asked) };
    let member = |name| members.iter().rfind(|(key, _)| key == name).map(|(_, value)| *value);
    // A program that answers the document that it got, such as `cat`, writes nothing by that.
    let own = Json::from(&serde_json::Value::from(&*attempt.idempotency_key));
    let is_echo = member(KEY_OF_ATTEMPT).is_some_and(|key| key == own.text());
    let context = member(CONTEXT).filter(|_| !is_echo).map(Level::of);
    let Some(Ok(Level::Map(values))) = context else { return Ok(asked) };
    for (key, value) in values {
        asked.extend(Json::parse(value).ok().map(|value| (key.to_string(), value)));
    }
    Ok(asked)
}

/// The key of the run's own context that is meant, and the version that it is expected to have.
fn parsed(what: &str) -> Result<(&str, Option<u64>), Failure> {
    let bad =
        |why: &str| Failure::new(Code::BadContextName, format!("the context has no key `{what}`: {why}"));
    if what.contains('/') {
        return Err(not_built("values for contexts that runs share"));
    }
    let (key, expected) = match what.split_once('@') {
        None => (what, None),
        Some((key, version)) => (
            key,
            Some(version.parse().map_err(|_| bad("what is expected after `@` is a version, a number"))?),
        ),
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let is_key = key.len() <= KEY_BYTES_MAX && key.bytes().all(is_plain);
    if !is_key || !key.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        return Err(bad("it is 1 to 64 letters, digits, `_` or `-`, beginning with a letter or `_`"));
    }
    Ok((key, expected))
}

fn conflict(key: &str, expected: u64, is: u64, known: Option<&ContextValue>) -> Failure {
    let by = known.map(|known| format!(", written by `{}`", known.step)).unwrap_or_default();
    let message = match is {
        0 => format!("version {expected} of `{key}` is expected in the context, and it is not there"),
        _ => format!("version {expected} of `{key}` is expected in the context, and it has version {is}{by}"),
    };
    Failure::new(Code::ContextConflict, message)
}

/// What this version cannot do for an attempt is never left out silently.
fn not_built(what: &str) -> Failure {
    Failure::new(Code::NotBuilt, format!("its output has {what}, which this version does not support"))
}
