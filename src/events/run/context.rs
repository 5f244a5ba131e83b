//! What the agents of a run share: its context.

use serde::{Deserialize, Serialize};

use super::Purpose;
use crate::events::ids::{ContextKey, KeyVersion, StepId};
use crate::events::json::Payload;

/// An attempt that succeeded wrote a key of the run's own context, in the commit of what it came to. A rollback does not take
/// it back; a compensation may write it anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextChanged {
    /// The key that has another value from here on.
    pub key: ContextKey,
    /// The number of that value among all of the key, from 1; 0 where the key is removed.
    pub version: KeyVersion,
    /// The value; null where the key is removed.
    pub value: Payload,
    /// The step whose attempt wrote it.
    pub step: StepId,
    /// What that attempt was for.
    pub purpose: Purpose,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
}
