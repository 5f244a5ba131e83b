//! Why a context refuses a command.

use std::sync::Arc;
use std::time::Duration;

use crate::events::ids::{ContextKey, KeyVersion, LockFence, LockName};
use crate::events::limits::{
    CONTEXT_KEYS_MAX, CONTEXT_LOCKS_MAX, CONTEXT_VALUE_BYTES_MAX, LEASE_MAX, LOCK_WAITERS_MAX,
};
use crate::events::problem::{Code, Problem};

/// Why a context refuses a command. Nothing has happened then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextRejection {
    /// A key has another version than was expected.
    #[error("`{key}` was expected {}, and {}", expectation(*.expected), .found)]
    Conflict {
        /// The key.
        key: ContextKey,
        /// The version that it was to have.
        expected: KeyVersion,
        /// What there is.
        found: Found,
    },
    /// A key stands twice in one command.
    #[error("`{0}` is given twice")]
    Twice(ContextKey),
    /// No key is given.
    #[error("no key is given")]
    Nothing,
    /// A value is too long.
    #[error("the value of `{key}` has {size_bytes} bytes, and at most {CONTEXT_VALUE_BYTES_MAX} are taken")]
    ValueTooLarge {
        /// The key.
        key: ContextKey,
        /// The length of its JSON, in bytes.
        size_bytes: usize,
    },
    /// There are too many keys.
    #[error("a context has at most {CONTEXT_KEYS_MAX} keys, those counted that were removed")]
    TooManyKeys,
    /// There are too many locks.
    #[error("of a context at most {CONTEXT_LOCKS_MAX} locks are held at once")]
    TooManyLocks,
    /// Too many wait for a lock.
    #[error("{LOCK_WAITERS_MAX} wait for the lock `{0}` already")]
    TooManyWaiters(LockName),
    /// A lease is too long or too short.
    #[error("a lock is granted for up to {} s, and not for {lease:?}", LEASE_MAX.as_secs())]
    BadLease {
        /// The lease that was wanted.
        lease: Duration,
    },
    /// Somebody else holds the lock, or waited for it before, and it is not waited for.
    #[error("the lock `{lock}` is held by `{holder}`")]
    Held {
        /// The lock.
        lock: LockName,
        /// Who holds it, or is the next who does.
        holder: Arc<str>,
    },
    /// The moment has come until which it was to be waited for.
    #[error("the lock `{lock}` was waited for in vain: it is held by `{holder}`")]
    WaitOver {
        /// The lock.
        lock: LockName,
        /// Who holds it, or is the next who does.
        holder: Arc<str>,
    },
    /// The lock is not theirs, or not any more.
    #[error("`{owner}` does not hold the lock `{lock}` by grant {fence}: {}", held(.holder.as_ref()))]
    NotHeld {
        /// The lock.
        lock: LockName,
        /// The grant that they name.
        fence: LockFence,
        /// Who they are.
        owner: Arc<str>,
        /// Who holds it, and by which grant; none of a lock that nobody holds.
        holder: Option<(Arc<str>, LockFence)>,
    },
}

/// What there is of a key, and whose doing that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A value.
    Value {
        /// Its version.
        version: KeyVersion,
        /// Who wrote it.
        by: Arc<str>,
    },
    /// None any more.
    Removed {
        /// Who removed it.
        by: Arc<str>,
    },
    /// None ever.
    Nothing,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value { version, by } => write!(f, "has version {version}, written by `{by}`"),
            Self::Removed { by } => write!(f, "was removed by `{by}`"),
            Self::Nothing => f.write_str("was never set"),
        }
    }
}

fn expectation(expected: KeyVersion) -> String {
    match expected {
        KeyVersion(0) => "not to be there".to_owned(),
        version => format!("to have version {version}"),
    }
}

fn held(holder: Option<&(Arc<str>, LockFence)>) -> String {
    match holder {
        None => "nobody holds it".to_owned(),
        Some((owner, fence)) => format!("`{owner}` holds it by grant {fence}"),
    }
}

impl ContextRejection {
    const fn code(&self) -> Code {
        match self {
            Self::Conflict { .. } => Code::ContextConflict,
            Self::Twice(_) | Self::Nothing | Self::BadLease { .. } => Code::Usage,
            Self::ValueTooLarge { .. } => Code::TooLarge,
            Self::TooManyKeys | Self::TooManyLocks | Self::TooManyWaiters(_) => Code::ContextFull,
            Self::Held { .. } => Code::LockHeld,
            Self::WaitOver { .. } => Code::LockWaitOver,
            Self::NotHeld { .. } => Code::LockNotHeld,
        }
    }

    pub(super) fn problem(&self) -> Problem {
        Problem::new(self.code(), self.to_string())
    }
}
