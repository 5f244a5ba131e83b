//! What the agents of a run share: keys with versions, which their attempts write in the commit of what they came to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::advance::Advance;
use crate::events::ids::{ContextKey, KeyVersion, StepId};
use crate::events::json::{Json, Payload};
use crate::events::limits::CONTEXT_KEYS_MAX;
use crate::events::problem::Code;
use crate::events::run::{AttemptStarted, ContextChanged, Purpose};
use crate::events::time::Timestamp;
use crate::workflow::work::Failure;

/// How many values one attempt may write.
pub(super) const WRITES_MAX: usize = 1_000;

/// The context of a run, by key.
pub(crate) type Context = BTreeMap<ContextKey, ContextValue>;

/// The newest value of a key. One that was removed has the value null: its versions are remembered, so that none ever means
/// two values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ContextValue {
    /// The number of the last value of the key, from 1.
    pub(crate) version: KeyVersion,
    pub(crate) value: Payload,
    /// The step whose attempt wrote it.
    pub(crate) step: StepId,
    pub(crate) purpose: Purpose,
    pub(crate) attempt: u32,
    /// When that was recorded.
    pub(crate) at: Timestamp,
}

impl ContextValue {
    /// Whether the key is there: it was not removed.
    pub(crate) fn is_there(&self) -> bool {
        self.value != Payload::default()
    }

    /// The version that who writes the key may expect: 0 where it is not there.
    fn expected(&self) -> KeyVersion {
        if self.is_there() { self.version } else { KeyVersion(0) }
    }
}

/// A value that an attempt writes, which may be written.
pub(super) struct Write {
    key: ContextKey,
    version: KeyVersion,
    value: Json,
}

impl Advance<'_, '_> {
    /// What an attempt that succeeded writes: each value with where it goes.
    ///
    /// # Errors
    /// When its keys or their number cannot be, or a key has another version than it expects.
    pub(super) fn writes(&self, asked: Vec<(String, Json)>) -> Result<Vec<Write>, Failure> {
        let context = self.draft.state().context();
        // Of each key that is written: its version, and the one that may be expected.
        let mut newest: BTreeMap<ContextKey, (KeyVersion, KeyVersion)> = BTreeMap::new();
        let mut writes = Vec::new();
        for (what, value) in asked {
            let (key, expected) = parsed(&what)?;
            let known = || context.get(&key).map(|known| (known.version, known.expected()));
            let (before, is) = newest.get(&key).copied().or_else(known).unwrap_or_default();
            if let Some(expected) = expected.filter(|expected| *expected != is) {
                return Err(conflict(&key, expected, is, context.get(&key)));
            }
            let (last, version) = match (value.is_null(), is) {
                // To remove what is not there changes nothing.
                (true, KeyVersion(0)) => continue,
                (true, _) => (before, KeyVersion(0)),
                (false, _) => (before.next(), before.next()),
            };
            newest.insert(key.clone(), (last, version));
            writes.push(Write { key, version, value });
        }
        let new = newest.keys().filter(|key| !context.contains_key(*key)).count();
        for (is, may_be, what) in [
            (writes.len(), WRITES_MAX, "values would be written into the context by one attempt"),
            (context.len() + new, CONTEXT_KEYS_MAX, "keys would be in the run's context"),
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

/// The key of a context that is meant, and the version that it is expected to have.
pub(super) fn parsed(what: &str) -> Result<(ContextKey, Option<KeyVersion>), Failure> {
    let bad = |why: String| Failure::new(Code::BadContextName, why);
    let (key, expected) = what.split_once('@').map_or((what, None), |(key, expected)| (key, Some(expected)));
    let version = |text: &str| {
        let why = || bad(format!("`{text}` in `{what}` is no version, which is a number"));
        text.parse().map(KeyVersion).map_err(|_| why())
    };
    let expected = expected.map(version).transpose()?;
    ContextKey::parse(key).map(|key| (key, expected)).map_err(|why| bad(why.to_string()))
}

fn conflict(key: &ContextKey, expected: KeyVersion, is: KeyVersion, known: Option<&ContextValue>) -> Failure {
    let by = known.map(|known| format!(", written by `{}`", known.step)).unwrap_or_default();
    let message = match is {
        KeyVersion(0) => {
            format!("version {expected} of `{key}` is expected in the context, and it is not there")
        }
        _ => format!("version {expected} of `{key}` is expected in the context, and it has version {is}{by}"),
    };
    Failure::new(Code::ContextConflict, message)
}
