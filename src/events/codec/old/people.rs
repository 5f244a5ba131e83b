//! The shapes that events had which say what people are asked.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::ids::{Hash, RequestId, StepId, TimerId};
use crate::events::json::Payload;
use crate::events::run::{ApprovalRequested, Gate};
use crate::events::time::Timestamp;

/// `approval_requested` at schema 1: a grant counted whatever was ticked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRequestedV1 {
    /// The id that answers name.
    pub request: RequestId,
    /// The step that waits for the answer.
    pub step: StepId,
    /// Whether it is about the step's work or its output.
    pub gate: Gate,
    /// What would be done, or what was answered.
    pub what: Payload,
    /// The hash of `what`.
    pub hash: Hash,
    /// Who may answer.
    pub approvers: Vec<Arc<str>>,
    /// How many different people have to grant it.
    pub needed: u32,
    /// When it counts as refused if nobody has answered.
    pub expires: Option<Timestamp>,
    /// The timer that fires then.
    pub timer: Option<TimerId>,
    /// The points that a reviewer is to look at.
    pub checklist: Vec<String>,
}

impl From<ApprovalRequestedV1> for ApprovalRequested {
    fn from(old: ApprovalRequestedV1) -> Self {
        Self {
            request: old.request,
            step: old.step,
            gate: old.gate,
            what: old.what,
            hash: old.hash,
            approvers: old.approvers,
            needed: old.needed,
            expires: old.expires,
            timer: old.timer,
            checklist: old.checklist,
            require_checklist: false,
        }
    }
}
