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
    /// The id that answers name. It follows from the run, the step, and what is asked.
    pub request: RequestId,
    /// The step that waits for the answer.
    pub step: StepId,
    /// Whether it is about the step's work or its output.
    pub gate: Gate,
    /// Exactly what would be done, or what was answered: a `workflow::approval::ApprovalSubject` as JSON.
    pub what: Payload,
    /// The BLAKE3 hash of `what` as text.
    pub hash: Hash,
    /// The names of those who may answer; empty means anybody.
    pub approvers: Vec<Arc<str>>,
    /// How many different people have to grant it.
    pub needed: u32,
    /// When it counts as refused if nobody has answered; none if it waits for ever.
    pub expires: Option<Timestamp>,
    /// The timer that fires then.
    pub timer: Option<TimerId>,
    /// The points that a reviewer is to look at.
    pub checklist: Vec<String>,
    /// Whether every one of them has to be ticked before a grant counts.
    pub require_checklist: bool,
}

/// A reviewer has looked at some points of an open request's checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalChecked {
    /// The request whose checklist it is.
    pub request: RequestId,
    /// The name of the reviewer.
    pub by: Arc<str>,
    /// Numbers of the points that they looked at, from 1.
    pub points: Vec<u32>,
}

/// Somebody grants an open request. When as many have granted it as it needs, the step goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalGranted {
    /// The request that is granted.
    pub request: RequestId,
    /// The name of the person who grants it.
    pub by: Arc<str>,
    /// Their remark, if they made one.
    pub note: Option<String>,
    /// The changes to the arguments, or to the output: a JSON object. Earlier grants do not count any more:
    /// they were for something else.
    pub edits: Option<Payload>,
    /// The step's output from here on, if that is what was changed.
    pub output: Option<Payload>,
}

/// Somebody refuses an open request: the step fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRefused {
    /// The request that is refused.
    pub request: RequestId,
    /// The name of the person who refuses it.
    pub by: Arc<str>,
    /// Why they refuse it.
    pub note: String,
}

/// Nobody answered an open request in time: the step fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalExpired {
    /// The request that expired.
    pub request: RequestId,
}

/// A step is `waiting` for a signal. One that came before is taken in the same commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalAwaited {
    /// The step that waits.
    pub step: StepId,
    /// The name of the signal.
    pub name: Arc<str>,
    /// The time until which it waits; none if it waits without end.
    pub expires: Option<Timestamp>,
    /// The timer that fires then.
    pub timer: Option<TimerId>,
}

/// A signal came. The first step that waits for it completes with its data; without one it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalReceived {
    /// The name of the signal.
    pub name: Arc<str>,
    /// The data that it carries, as JSON.
    pub data: Payload,
    /// The name of the person or program that sent it.
    pub by: Arc<str>,
}
