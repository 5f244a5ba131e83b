//! What people do to a run: each event says who did it and why.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::time::Timestamp;

/// The run is `paused`: what runs ends by itself, nothing new starts. A partial rollback ends
/// in this event too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPaused {
    /// The name of the person or program that paused it.
    pub by: Arc<str>,
    /// Their reason, if they gave one.
    pub reason: Option<String>,
}

/// A paused run goes on. After a partial rollback, what was undone is `pending` again, in a new generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunUnpaused {
    /// The name of the person or program that lets it go on.
    pub by: Arc<str>,
    /// Their reason, if they gave one.
    pub reason: Option<String>,
}

/// The run is to go on only until a step is done with, or all steps of a phase: then it pauses, unless it has ended. That
/// takes the place of what it was to go on until before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausePlanned {
    /// The step or the phase.
    pub until: Arc<str>,
    /// The name of the person or program that wants it.
    pub by: Arc<str>,
    /// Their reason, if they gave one.
    pub reason: Option<String>,
}

/// Somebody drives a run with a time limit again, after nobody did. The time between the last event that
/// shows that it was driven and `since` does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrivingBegan {
    /// The time since which it is driven. That may be before this event was recorded, where nothing had to
    /// be recorded at once.
    pub since: Timestamp,
}

/// The run is to end: nothing new starts, and what runs is told to stop, except for an irreversible
/// attempt, which is awaited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRequested {
    /// The name of the person or program that cancels it.
    pub by: Arc<str>,
    /// Their reason, if they gave one.
    pub reason: Option<String>,
    /// Whether what was done is to be undone then.
    pub rollback: bool,
}

/// A run that failed, was rolled back in part, or is stuck after an irreversible step goes forward again:
/// steps that failed, were cancelled, or were skipped because of those are `pending`, with fresh attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryRequested {
    /// The step or the phase that is to be retried; none for all.
    pub step: Option<Arc<str>>,
    /// The name of the person or program that asked.
    pub by: Arc<str>,
    /// Their reason, if they gave one.
    pub reason: Option<String>,
}

/// Nothing runs any more of a run that was cancelled: it is `cancelled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCancelled {}
