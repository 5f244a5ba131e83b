//! What the agents of a run share: keys with versions, which their attempts write in the commit of what they came to;
//! and what they write into contexts that it shares with other runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::advance::Advance;
use super::sending::Sender;
use super::{HeldLock, Run};
use crate::events::context::Held;
use crate::events::ids::{ContextKey, ContextName, KeyVersion, StepId};
use crate::events::json::{Json, Payload};
use crate::events::limits::CONTEXT_KEYS_MAX;
use crate::events::problem::{Code, nearest};
use crate::events::run::{AttemptStarted, ContextChanged, Purpose, SharedKey, SharedWrite};
use crate::events::text::printable;
use crate::events::time::Timestamp;
use crate::kernel::Draft;
use crate::workflow::work::Failure;

/// How many values one attempt may write.
const WRITES_MAX: usize = 1_000;

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

/// What an attempt writes into one shared context.
pub(super) struct SharedValues {
    context: ContextName,
    keys: BTreeMap<ContextKey, (Option<KeyVersion>, Json)>,
    held: Option<Held>,
}

impl SharedValues {
    /// As it is recorded.
    pub(super) fn recorded(self, draft: &mut Draft<'_, Run>) -> SharedWrite {
        let Self { context, keys, held } = self;
        let keys = keys.into_iter();
        let keys =
            keys.map(|(key, (expected, value))| SharedKey { key, expected, value: draft.payload(value) });
        SharedWrite { context, keys: keys.collect(), held }
    }
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

    /// What an attempt writes into shared contexts: each value with where it goes, as in `ALIAS/KEY` and `ALIAS/KEY@VERSION`.
    /// Of a key that is written several times the last value counts.
    ///
    /// # Errors
    /// When the workflow names no context by that alias, or no key can be called so.
    pub(super) fn shared_writes(
        &self,
        attempt: &AttemptStarted,
        asked: Vec<(String, Json)>,
    ) -> Result<Vec<SharedValues>, Failure> {
        if asked.len() > WRITES_MAX {
            let (is, what) = (asked.len(), "values would be written into shared contexts by one attempt");
            let message = format!("{is} {what}, and no more than {WRITES_MAX} may be");
            return Err(Failure::new(Code::ContextFull, message));
        }
        let mut all: Vec<SharedValues> = Vec::new();
        for (what, value) in asked {
            let (alias, key) = what.split_once('/').unwrap_or(("", &what));
            let Some(context) = self.definition.contexts.get(alias) else {
                return Err(self.no_alias(alias));
            };
            let (key, expected) = parsed(key)?;
            let of = match all.iter_mut().find(|values| values.context == *context) {
                Some(values) => values,
                None => {
                    let held = self.draft.state().held(&attempt.step);
                    let held = held.iter().find(|held| held.of.context == *context).map(HeldLock::held);
                    all.push(SharedValues { context: context.clone(), keys: BTreeMap::new(), held });
                    let Some(values) = all.last_mut() else { continue };
                    values
                }
            };
            let before = of.keys.get(&key).and_then(|(expected, _)| *expected);
            of.keys.insert(key, (before.or(expected), value));
        }
        Ok(all)
    }

    fn no_alias(&self, alias: &str) -> Failure {
        let aliases = self.definition.contexts.keys();
        let near = nearest(alias, aliases.map(String::as_str));
        let meant = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let message = format!("the workflow names no context by the alias `{}`{meant}", printable(alias));
        Failure::new(Code::UnknownAlias, message)
    }

    /// Records what an attempt writes, or who was delivered a message.
    pub(super) fn write(&mut self, by: &Sender, writes: Vec<Write>) {
        for Write { key, version, value } in writes {
            let value = self.draft.payload(value);
            let (step, purpose, attempt) = (by.step.clone(), by.purpose, by.attempt);
            self.draft.emit(ContextChanged { key, version, value, step, purpose, attempt });
        }
    }
}

/// The key of a context that is meant, and the version that it is expected to have.
fn parsed(what: &str) -> Result<(ContextKey, Option<KeyVersion>), Failure> {
    let bad = |why: String| Failure::new(Code::BadContextName, why);
    let (key, expected) = what.split_once('@').map_or((what, None), |(key, expected)| (key, Some(expected)));
    let version = |text: &str| {
        let why = || {
            bad(format!("`{}` in `{}` is no version, which is a number", printable(text), printable(what)))
        };
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
