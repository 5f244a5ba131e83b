//! What a run asks of contexts that it shares with others: values that its steps read and write, and locks that they hold. The
//! contexts are streams of their own: what is asked of one is recorded here before, and what came of it after.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Purpose, TurnsToAdd};
use crate::events::context::Held;
use crate::events::ids::{ContextKey, ContextName, KeyVersion, LockFence, LockName, StepId};
use crate::events::json::{BlobRef, Payload};
use crate::events::time::Timestamp;

/// A step that could start uses keys of shared contexts: it cannot before each of them was read, for which a [`ContextRead`]
/// stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextAwaited {
    /// The step that uses them.
    pub step: StepId,
    /// Each context and key, in order; none stands there twice.
    pub keys: Vec<(ContextName, ContextKey)>,
}

/// A key was read that a step waits for. After the last of them it could start again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextRead {
    /// The step that uses it.
    pub step: StepId,
    /// The context.
    pub context: ContextName,
    /// The key.
    pub key: ContextKey,
    /// The version of its value; 0 of a key that is not there.
    pub version: KeyVersion,
    /// Its value; null of a key that is not there.
    pub value: Payload,
}

/// A step that could be tried wants a lock first, and cannot be before it has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockRequested {
    /// The step that is to hold it.
    pub step: StepId,
    /// Whether the step is to be done or undone.
    pub purpose: Purpose,
    /// The context whose lock it is.
    pub context: ContextName,
    /// The lock.
    pub lock: LockName,
    /// The name under which it is wanted, which no other request has.
    pub owner: Arc<str>,
    /// When it is not waited for any longer, by the steady clock.
    pub until: Timestamp,
}

/// The step has the lock that it wanted, until its attempt is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockAcquired {
    /// The step.
    pub step: StepId,
    /// The context whose lock it is.
    pub context: ContextName,
    /// The lock.
    pub lock: LockName,
    /// The number of the grant, under which the step writes into that context.
    pub fence: LockFence,
    /// When it is not the step's any more unless it is renewed, by the steady clock.
    pub until: Timestamp,
}

/// A context has heard that a lock is not wanted any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockGivenBack {
    /// The context whose lock it is.
    pub context: ContextName,
    /// The lock.
    pub lock: LockName,
    /// The name under which it was wanted.
    pub owner: Arc<str>,
}

/// The run is paused: a step that could be tried does not wait for what it would read any longer, nor for a lock; it gives back those
/// that it holds, and before it is tried it reads again what it has read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparationWithdrawn {
    /// The step.
    pub step: StepId,
}

/// The agent of an open attempt has answered, and there is something to be said to other streams before the attempt has succeeded. Each
/// shared context has to take the values for it, for which a [`ContextWritten`] stands, and after those a conversation what the attempt
/// adds to it, for which a [`super::ConversationContinued`] stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptAnswered {
    /// What the attempt is for.
    pub purpose: Purpose,
    /// The step that is tried.
    pub step: StepId,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// All that it answered: a `workflow::work::Output` as JSON.
    pub answer: Payload,
    /// What is to be written, each context once.
    pub writes: Vec<SharedWrite>,
    /// What is to be added to a conversation; none where the step goes on with none, or neither asked nor answered anything.
    pub turns: Option<TurnsToAdd>,
}

/// Keys of a shared context that are to have other values: all of them, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedWrite {
    /// The context.
    pub context: ContextName,
    /// What is to become of each key; none stands there twice.
    pub keys: Vec<SharedKey>,
    /// The lock under which that is written, if the step holds one of the context.
    pub held: Option<Held>,
}

/// A key of a shared context that is to have another value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedKey {
    /// The key.
    pub key: ContextKey,
    /// The version that it must have until then, if that matters: 0 if it must not be there.
    pub expected: Option<KeyVersion>,
    /// The value; null removes the key.
    pub value: Payload,
}

/// A context has taken what an attempt writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextWritten {
    /// What the attempt is for.
    pub purpose: Purpose,
    /// The step that is tried.
    pub step: StepId,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// The context.
    pub context: ContextName,
}

impl AttemptAnswered {
    /// The blobs that it refers to.
    pub(super) fn blobs(&self) -> Vec<BlobRef> {
        let values = self.writes.iter().flat_map(|write| &write.keys).map(|wanted| &wanted.value);
        let turns = self.turns.iter().flat_map(|added| &added.turns).map(|turn| &turn.content);
        std::iter::once(&self.answer).chain(values).chain(turns).filter_map(Payload::blob).collect()
    }
}
