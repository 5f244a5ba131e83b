//! Shared contexts, as who holds the store knows them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::ids::{CommandId, ContextKey, ContextName, KeyVersion, LockFence, LockName, Version};
use crate::events::json::Json;
use crate::events::time::Timestamp;

/// The things that somebody may want of a shared context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContextWants {
    /// To read it. Answer: [`ContextAnswer::Known`].
    Get {
        /// The key that is wanted; none means all of them.
        #[serde(default)]
        key: Option<ContextKey>,
    },
    /// To write keys of it: all of them, or none. Answer: [`ContextAnswer::Written`].
    Set {
        /// The keys, each once.
        keys: Vec<KeyGiven>,
        /// The name of the person or program that writes them.
        by: Arc<str>,
        /// What tells this request from all others.
        #[serde(default)]
        id: Option<CommandId>,
    },
    /// To see what became of a key, write by write. Answer: [`ContextAnswer::Told`].
    History {
        /// The key.
        key: ContextKey,
    },
    /// To see who holds its locks. Answer: [`ContextAnswer::Locks`].
    Locks,
}

impl ContextWants {
    /// Whether it asks how things are, and changes nothing.
    pub const fn only_looks(&self) -> bool {
        !matches!(self, Self::Set { .. })
    }
}

/// The answer to what somebody wants of a shared context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContextAnswer {
    /// The context, or a part of it.
    Known(ContextKnown),
    /// Its keys are written.
    Written(ContextWritten),
    /// Its locks.
    Locks(LocksKnown),
    /// All frames were sent.
    Told,
}

/// A key that is to have another value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyGiven {
    /// The key.
    pub key: ContextKey,
    /// Its value; null removes the key.
    pub value: Json,
    /// The version that it must have until then, if that matters: 0 if it must not be there.
    pub expected: Option<KeyVersion>,
}

/// A key of a context, as it is or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyKnown {
    /// The context.
    pub context: ContextName,
    /// The key.
    pub key: ContextKey,
    /// The version of its value; 0 of a key that was removed.
    pub version: KeyVersion,
    /// Who wrote it.
    pub by: Arc<str>,
    /// When that was recorded.
    pub at: Timestamp,
    /// Its value, whole; null of a key that was removed.
    pub value: Json,
}

/// What became of a key when it was last written, as its context's history says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyWritten {
    /// The key as it was from then on.
    #[serde(flatten)]
    pub key: KeyKnown,
    /// The version of the context's stream at which that was.
    pub event: Version,
}

/// A context with all its keys, or with those that were written just now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextKnown {
    /// Its name.
    pub context: ContextName,
    /// The version of its stream.
    pub version: Version,
    /// The keys that are there, in the order of their names.
    pub keys: Vec<KeyKnown>,
}

/// Keys after they were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextWritten {
    /// The context.
    pub context: ContextName,
    /// The version of its stream by then.
    pub version: Version,
    /// The keys that were given, in that order.
    pub keys: Vec<KeyVersioned>,
}

/// A key, and the version that it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyVersioned {
    /// The key.
    pub key: ContextKey,
    /// The version of its value; 0 of a key that is not there any more.
    pub version: KeyVersion,
}

/// The locks of a context that somebody holds or waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocksKnown {
    /// The context.
    pub context: ContextName,
    /// The locks, in the order of their names.
    pub locks: Vec<LockKnown>,
}

/// A lock that somebody holds or waits for. Moments are by the wall clock as it is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockKnown {
    /// The lock.
    pub lock: LockName,
    /// Who holds it; none whose lease is over.
    pub holder: Option<HolderKnown>,
    /// Who waits for it, the next first.
    pub waiting: Vec<WaiterKnown>,
}

/// The holder of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderKnown {
    /// The name by which it was acquired.
    pub owner: Arc<str>,
    /// The number of the grant.
    pub fence: LockFence,
    /// When it was granted.
    pub since: Timestamp,
    /// When the lease ends.
    pub until: Timestamp,
}

/// Somebody who waits for a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaiterKnown {
    /// The name by which it is to be acquired.
    pub owner: Arc<str>,
    /// Since when they wait.
    pub since: Timestamp,
    /// When they do not wait any longer.
    pub until: Timestamp,
}
