//! What people do to a run: each says who and why.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

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
