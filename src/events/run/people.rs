//! What a run asks people, and what they answer: approvals and signals.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::ids::{Hash, RequestId, StepId, TimerId};
use crate::events::json::Payload;
use crate::events::time::Timestamp;

/// When a step needs an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// Before it starts: what is approved is its work.
    Before,
    /// When it has completed, before those start that need it: what is approved is its output.
    After,
}

/// A step is `waiting` until people have answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRequested {
    /// What answers name. It follows from the run, the step, and what is asked.
    pub request: RequestId,
    /// Whose step.
    pub step: StepId,
    /// Whether it is about the step's work or its output.
    pub gate: Gate,
    /// Exactly what would be done, or what was answered: a `workflow::approval::Asked` as JSON.
    pub what: Payload,
    /// The BLAKE3 hash of `what` as text.
    pub hash: Hash,
    /// Who may answer; empty means anybody.
    pub approvers: Vec<Arc<str>>,
    /// How many different people have to grant it.
    pub needed: u32,
    /// When it is refused by itself.
    pub expires: Option<Timestamp>,
    /// The timer that fires then.
    pub timer: Option<TimerId>,
    /// What a reviewer is to look at.
    pub checklist: Vec<String>,
}

/// A reviewer has looked at some points of an open request's checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalChecked {
    /// Of which request.
    pub request: RequestId,
    /// Who.
    pub by: Arc<str>,
    /// Which, from 1.
    pub points: Vec<u32>,
}

/// Somebody grants an open request. When so many have as it needs, the step goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalGranted {
    /// Which.
    pub request: RequestId,
    /// Who.
    pub by: Arc<str>,
    /// What they say.
    pub note: Option<String>,
    /// What of the arguments, or of the output, is to be changed: a map. Grants before that do not count any more: they
    /// were for something else.
    pub edits: Option<Payload>,
    /// What the step answers from here on, if that is what was changed.
    pub output: Option<Payload>,
}

/// Somebody refuses an open request: the step fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRefused {
    /// Which.
    pub request: RequestId,
    /// Who.
    pub by: Arc<str>,
    /// Why.
    pub note: String,
}

/// Nobody answered an open request in time: the step fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalExpired {
    /// Which.
    pub request: RequestId,
}

/// A step is `waiting` for a signal. One that came before is taken in the same commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalAwaited {
    /// The step.
    pub step: StepId,
    /// The signal's name.
    pub name: Arc<str>,
    /// Until when.
    pub expires: Option<Timestamp>,
    /// The timer that fires then.
    pub timer: Option<TimerId>,
}

/// A signal came. The first step that waits for it completes with its data; without one it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalReceived {
    /// Its name.
    pub name: Arc<str>,
    /// What it says.
    pub data: Payload,
    /// Who sent it.
    pub by: Arc<str>,
}
