//! What people do to a run: each says who and why.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::time::Timestamp;

/// The run is `paused`: what runs ends, nothing new starts. A rollback that was not asked to go all the way ends so too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPaused {
    /// Who paused it.
    pub by: Arc<str>,
    /// Why.
    pub reason: Option<String>,
}

/// A paused run goes on. After a partial rollback, what was undone is `pending` again, in a new generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunUnpaused {
    /// Who lets it go on.
    pub by: Arc<str>,
    /// Why.
    pub reason: Option<String>,
}

/// Somebody drives a run again whose time is limited, and that was left alone: from the last event by somebody who drove it
/// until then, its time does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrivingBegan {
    /// Since when. That is earlier than this is recorded where nothing was to be recorded at once.
    pub since: Timestamp,
}

/// The run is to end: nothing new starts, what runs is told to stop, but for an irreversible attempt, which is awaited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRequested {
    /// Who cancels it.
    pub by: Arc<str>,
    /// Why.
    pub reason: Option<String>,
    /// Whether what was done is then undone.
    pub rollback: bool,
}

/// A run that failed, was rolled back in part, or is stuck after an irreversible step goes forward again: steps that
/// failed, were cancelled, or were skipped because of those are `pending`, with fresh attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryRequested {
    /// The step or the phase that was meant, if one was.
    pub step: Option<Arc<str>>,
    /// Who asked.
    pub by: Arc<str>,
    /// Why.
    pub reason: Option<String>,
}

/// Nothing runs any more of a run that was cancelled: it is `cancelled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCancelled {}
