//! What a context is asked, what it wants done, and what it says to the streams that wait for its locks.

use std::sync::Arc;
use std::time::Duration;

use crate::events::context::Held;
use crate::events::ids::{ContextKey, ContextName, KeyVersion, LockFence, LockName, StreamId};
use crate::events::json::Json;
use crate::events::time::Timestamp;
use crate::kernel::{Deadline, Effect, Lasts};

/// A command to a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextAsk {
    /// To give keys other values, or to remove them: all of them, or none.
    Set(Set),
    /// To get a lock. Whoever has it, or waits for it, stays as they are: it can be asked again.
    Acquire(Acquire),
    /// To have a lock for longer.
    Renew {
        /// The lock, and the number of its grant.
        held: Held,
        /// Its holder.
        owner: Arc<str>,
        /// For how long from now on.
        lease: Duration,
    },
    /// To give a lock back.
    Release {
        /// The lock, and the number of its grant.
        held: Held,
        /// Its holder.
        owner: Arc<str>,
    },
    /// To want a lock no more, be it granted meanwhile or not. Of somebody who does not want it nothing follows.
    Withdraw {
        /// The lock.
        lock: LockName,
        /// Who wanted it.
        owner: Arc<str>,
    },
    /// A stream was told that somebody waited for a lock in vain, or cannot be told.
    Told {
        /// The lock.
        lock: LockName,
        /// Who waited for it.
        owner: Arc<str>,
    },
    /// To record what is too late, and to go on: a moment has come, or another process takes the context over.
    Due,
}

/// Keys that are to have other values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// What each key is to have.
    pub keys: Vec<SetKey>,
    /// The name of the person or program that writes them.
    pub by: Arc<str>,
    /// The lock that the writer has to hold, if they say that they hold one.
    pub held: Option<Held>,
}

/// A key that is to have another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetKey {
    /// The key.
    pub key: ContextKey,
    /// Its value; null removes the key.
    pub value: Json,
    /// The version that it must have until then, if that matters: 0 if it must not be there.
    pub expected: Option<KeyVersion>,
}

/// A lock that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acquire {
    /// The lock.
    pub lock: LockName,
    /// Who wants it: no two who must not hold it together have one name.
    pub owner: Arc<str>,
    /// How long it is theirs once it is granted, unless they renew it.
    pub lease: Duration,
    /// Until when they wait for it, by the steady clock; none if they do not wait.
    pub until: Option<Timestamp>,
    /// The stream that is told what comes of it, if one is to be.
    pub tells: Option<StreamId>,
}

/// Something that a context wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextEffect {
    /// To be woken when a lease or somebody's waiting ends. Nobody is woken for a lock that nobody waits for.
    Wake {
        /// The lock.
        lock: LockName,
        /// The moment, by the steady clock.
        at: Timestamp,
    },
    /// To tell a stream that it holds a lock.
    TellGranted {
        /// The stream.
        to: StreamId,
        /// Who holds the lock for it.
        owner: Arc<str>,
        /// The lock, and the number of the grant.
        held: Held,
        /// When the lease ends, by the steady clock.
        until: Timestamp,
    },
    /// To tell a stream that it waited for a lock in vain.
    TellWaitEnded {
        /// The stream.
        to: StreamId,
        /// The lock.
        lock: LockName,
        /// Who waited for it.
        owner: Arc<str>,
        /// Who held it by then.
        holder: Option<Arc<str>>,
    },
}

/// The id of a [`ContextEffect`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ContextEffectId {
    /// Of [`ContextEffect::Wake`], one for each lock.
    Wake(LockName),
    /// Of [`ContextEffect::TellGranted`], one for each lock.
    Granted(LockName),
    /// Of [`ContextEffect::TellWaitEnded`], one for each lock and who waited for it.
    WaitEnded(LockName, Arc<str>),
}

impl Effect for ContextEffect {
    type Id = ContextEffectId;

    fn id(&self) -> ContextEffectId {
        match self {
            Self::Wake { lock, .. } => ContextEffectId::Wake(lock.clone()),
            Self::TellGranted { held, .. } => ContextEffectId::Granted(held.lock.clone()),
            Self::TellWaitEnded { lock, owner, .. } => {
                ContextEffectId::WaitEnded(lock.clone(), Arc::clone(owner))
            }
        }
    }

    fn lasts(&self) -> Lasts {
        match self {
            Self::Wake { at, .. } => Lasts::Until(Deadline::Steady(*at)),
            Self::TellGranted { .. } | Self::TellWaitEnded { .. } => Lasts::Told,
        }
    }
}

/// What a context tells a stream that asked for a lock. It may be heard again after a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfContext {
    /// The context.
    pub context: ContextName,
    /// The lock.
    pub lock: LockName,
    /// Who asked for it.
    pub owner: Arc<str>,
    /// The thing that it tells.
    pub says: LockSays,
}

/// The things that a context may tell about a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockSays {
    /// That the lock is theirs.
    Granted {
        /// The number of the grant.
        fence: LockFence,
        /// When it is not theirs any more, by the steady clock.
        until: Timestamp,
    },
    /// That they waited for it in vain.
    WaitEnded {
        /// Who held it by then.
        holder: Option<Arc<str>>,
    },
}
