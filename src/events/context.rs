//! The events of a shared context, on the stream `context/NAME`. Each says what may come before it and what it makes true; the
//! fold is in `aggregates::context`. The names are a contract, and the bytes too: see [`super::codec`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{ContextKey, KeyVersion, LockFence, LockName, StreamId};
use super::json::Payload;
use super::time::Timestamp;

/// Keys have other values, or are not there any more: all of them at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextSet {
    /// What became of each key; none stands there twice.
    pub keys: Vec<KeySet>,
    /// The name of the person or program that wrote them.
    pub by: Arc<str>,
    /// The lock under which they were written, if it was said that one has to be held.
    pub held: Option<Held>,
}

/// What became of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySet {
    /// The key.
    pub key: ContextKey,
    /// The version of its value: the one after the last that the key had. 0 of a key that is removed.
    pub version: KeyVersion,
    /// Its value; null of a key that is removed.
    pub value: Payload,
}

/// A lock that somebody holds, as they know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The lock.
    pub lock: LockName,
    /// The number of the grant.
    pub fence: LockFence,
}

/// Somebody waits for a lock from here on, behind all who wait for it already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockAwaited {
    /// The lock, which somebody else holds.
    pub lock: LockName,
    /// Who waits for it. They neither hold it nor wait for it yet.
    pub owner: Arc<str>,
    /// How long the lock is theirs once it is granted, in µs.
    pub lease_us: u64,
    /// When they do not wait any longer, by the steady clock.
    pub until: Timestamp,
    /// The stream that is told what comes of it, if one is.
    pub tells: Option<StreamId>,
}

/// Somebody holds a lock from here on, which was free: the first of those who waited, if anybody did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockGranted {
    /// The lock.
    pub lock: LockName,
    /// Who holds it.
    pub owner: Arc<str>,
    /// The number of the grant: greater than that of any lock of the context before.
    pub fence: LockFence,
    /// When the lock is not theirs any more unless they renew it, by the steady clock.
    pub until: Timestamp,
    /// The stream that is told of it, if one is.
    pub tells: Option<StreamId>,
}

/// The holder of a lock has it for longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockRenewed {
    /// The lock, and the number of the grant that holds.
    pub held: Held,
    /// When the lock is not theirs any more unless they renew it again, by the steady clock.
    pub until: Timestamp,
}

/// The holder of a lock has given it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockReleased {
    /// The lock, and the number of the grant that held.
    pub held: Held,
}

/// The time has passed for which a lock was granted, and its holder did not renew it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockExpired {
    /// The lock, and the number of the grant that held.
    pub held: Held,
}

/// Somebody does not wait for a lock any more, who did not get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockWaitEnded {
    /// The lock.
    pub lock: LockName,
    /// Who waited for it.
    pub owner: Arc<str>,
    /// Why they do not any more.
    pub why: WaitEnd,
    /// Who held the lock by then; none of a lock that had become free.
    pub holder: Option<Arc<str>>,
}

/// Why somebody does not wait for a lock any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitEnd {
    /// They did not get it in time.
    TimedOut,
    /// They do not want it any more.
    Withdrawn,
}

/// A stream has heard that somebody waited for a lock in vain, or nobody hears it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockWaitEndTold {
    /// The lock.
    pub lock: LockName,
    /// Who waited for it.
    pub owner: Arc<str>,
}

macro_rules! context_events {
    ($($name:ident),* $(,)?) => {
        /// Something that happened to a shared context.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum ContextEvent { $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)* }

        $(impl From<$name> for ContextEvent {
            fn from(event: $name) -> Self {
                Self::$name(event)
            }
        })*
    };
}

context_events! {
    ContextSet, LockAwaited, LockGranted, LockRenewed, LockReleased, LockExpired, LockWaitEnded, LockWaitEndTold,
}
