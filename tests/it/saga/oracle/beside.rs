//! What a try wants beside its answer: it writes and sends, all or nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Oracle, Outcome};

/// A value that a try writes for the others, of whose key it may expect a version.
#[derive(Debug, Clone)]
pub(in crate::saga) struct Write {
    pub(in crate::saga) key: String,
    pub(in crate::saga) expected: Option<u64>,
    pub(in crate::saga) value: Value,
}

impl Write {
    fn is_taken(&self, context: &mut BTreeMap<String, (u64, Value)>) -> bool {
        let version = context.get(&self.key).map_or(0, |(version, _)| *version);
        let is_taken = self.expected.is_none_or(|expected| expected == version);
        if is_taken {
            context.insert(self.key.clone(), (version + 1, self.value.clone()));
        }
        is_taken
    }
}

/// A message that a try sends.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::saga) struct Letter {
    /// The step that it is a try at.
    pub(in crate::saga) step: String,
    pub(in crate::saga) to: String,
    pub(in crate::saga) urgent: bool,
    pub(in crate::saga) body: Value,
}

impl Oracle {
    /// A try writes and sends all or nothing: nothing where a key has another version than it expects, which fails it, and where its
    /// answer is not taken.
    pub(super) fn written(&mut self, place: usize, undoes: bool, outcome: &Outcome) -> Outcome {
        let Outcome::Done { output, writes, letters, hand, .. } = outcome else { return outcome.clone() };
        let failed = |retriable| Outcome::Failed { retriable, fatal: false, stuck: false, child: None };
        if hand.as_ref().is_some_and(|hand| self.is_bad_handoff(place, undoes, hand, output)) {
            return failed(false);
        }
        let (mut context, mut shared) = (self.context.clone(), self.shared.clone());
        // Its own context is looked at before others are asked, who are asked only if its answer is taken.
        let (others, own): (Vec<_>, Vec<_>) = writes.iter().partition(|write| write.key.starts_with("t/"));
        if !own.into_iter().all(|write| write.is_taken(&mut context)) {
            return failed(true);
        }
        if !undoes && hand.is_none() && self.is_wrong(place, output) {
            return outcome.clone();
        }
        if !others.into_iter().all(|write| write.is_taken(&mut shared)) {
            return failed(true);
        }
        (self.context, self.shared) = (context, shared);
        self.letters.extend(letters.iter().cloned());
        outcome.clone()
    }
}
