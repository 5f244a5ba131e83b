//! The shapes that payloads of events had in earlier versions. They are only read, and turned into today's.

mod attempts;
mod graph;
mod messages;
mod people;
mod started;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::ids::{RunId, StepId, Version};
use crate::events::run::{ChildEnded, RollbackCause, RollbackStarted, RoundOrder};

pub use attempts::{
    AttemptAnsweredV1, AttemptFailedV1, AttemptFailedV2, AttemptLostV1, StepCompensatedV1, StepCompletedV1,
    StepCompletedV2,
};
pub use graph::{StepAddedV1, StepAddedV2, StepAddedV3, StepAddedV4};
pub use messages::{MessageHandledV1, MessageSentV1};
pub use people::ApprovalRequestedV1;
pub use started::{
    GrowthLimitsV3, GrowthLimitsV4, RunStartedV1, RunStartedV2, RunStartedV3, RunStartedV4, RunStartedV5,
    RunStartedV6,
};

/// `rollback_started` at schema 1: one step could be kept, and no phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackStartedV1 {
    /// Why the run was rolled back.
    pub cause: RollbackCause,
    /// The step that is kept.
    pub to: Option<StepId>,
}

impl From<RollbackStartedV1> for RollbackStarted {
    fn from(old: RollbackStartedV1) -> Self {
        let to = old.to.as_ref().map(|step| step.as_str().into());
        RollbackStartedV2 { cause: old.cause, to, keeps: old.to.into_iter().collect() }.into()
    }
}

/// `rollback_started` at schema 2: the rounds of a loop were undone at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackStartedV2 {
    /// Why the run was rolled back.
    pub cause: RollbackCause,
    /// The step or the phase that is kept.
    pub to: Option<Arc<str>>,
    /// All steps that are kept with it.
    pub keeps: Vec<StepId>,
}

impl From<RollbackStartedV2> for RollbackStarted {
    fn from(old: RollbackStartedV2) -> Self {
        Self { cause: old.cause, to: old.to, keeps: old.keeps, rounds: RoundOrder::AtOnce }
    }
}

/// `child_ended` at schema 1: it counted as if somebody drove the run that heard of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildEndedV1 {
    /// The step that it is for.
    pub step: StepId,
    /// The id of the child.
    pub run: RunId,
    /// The status of the child at its end.
    pub status: Arc<str>,
    /// The version of the child's stream at its end.
    pub version: Version,
    /// Whether nothing of it may be undone any more.
    pub past_return: bool,
}

impl From<ChildEndedV1> for ChildEnded {
    fn from(old: ChildEndedV1) -> Self {
        let ChildEndedV1 { step, run, status, version, past_return } = old;
        Self { step, run, status, version, past_return, driven: true }
    }
}
