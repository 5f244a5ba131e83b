//! What happens to a run that is unwound: steps that were done are compensated, dependents first.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Usage;
use crate::events::ids::{AgentName, StepId};
use crate::events::json::Payload;
use crate::events::problem::{Class, Code};

/// The run is `compensating` from here on: what has a compensation and was done, or may have been, is undone, each step
/// when all that depend on it are done with. What still runs of it is told to stop first. May follow anything but
/// itself, also the end of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackStarted {
    /// Why.
    pub cause: RollbackCause,
    /// The step or the phase that is kept, and with it all that does not depend on it; none when everything is undone.
    pub to: Option<Arc<str>>,
    /// The steps that those are.
    pub keeps: Vec<StepId>,
    /// In which order the rounds of a loop are undone.
    pub rounds: RoundOrder,
}

/// The order in which the rounds of a loop are undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundOrder {
    /// All at the same time, as every rollback did that began before there was another order.
    AtOnce,
    /// One after the other, the last first.
    LastFirst,
}

impl RollbackStarted {
    /// Everything is to be undone.
    pub const fn of_everything(cause: RollbackCause) -> Self {
        Self { cause, to: None, keeps: Vec::new(), rounds: RoundOrder::LastFirst }
    }
}

/// Why a run is rolled back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollbackCause {
    /// It failed, and its definition says `on_failure: rollback`.
    Failure {
        /// The first step that failed; none when the run itself did.
        step: Option<StepId>,
        /// What the failure asks for.
        class: Class,
        /// Its code.
        code: Code,
        /// What went wrong.
        message: String,
    },
    /// It was cancelled, and a rollback was wanted.
    Cancel,
    /// Somebody asked for it.
    Request {
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: Option<String>,
    },
}

/// How the work ended that a compensation undoes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Undoes {
    /// The step completed.
    Completed,
    /// Nobody knows how far it came: it timed out, was cancelled or lost, or failed on its way.
    Unknown,
}

impl Undoes {
    /// As programs and expressions are told: `completed` or `unknown`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Unknown => "unknown",
        }
    }
}

/// It is a step's turn to be undone, once in each generation: it is `compensating`. Its tries are attempts whose purpose
/// is to compensate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompensationStarted {
    /// The step.
    pub step: StepId,
    /// Who undoes it.
    pub agent: AgentName,
    /// What there is to be undone.
    pub outcome: Undoes,
}

/// The open attempt at undoing a step succeeded: it is `compensated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCompensated {
    /// The step.
    pub step: StepId,
    /// The attempt that did it.
    pub attempt: u32,
    /// What it answered.
    pub output: Payload,
    /// What the attempt used up.
    pub usage: Usage,
    /// What was said meanwhile: a `workflow::work::Transcript` as JSON, if there is anything to tell.
    pub transcript: Option<Payload>,
}

/// Undoing a step failed for good. What does not depend on it goes on; then the run is `stuck`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompensationFailed {
    /// The step.
    pub step: StepId,
    /// What the failure asks for.
    pub class: Class,
    /// Its code.
    pub code: Code,
    /// What went wrong.
    pub message: String,
}

/// Somebody settled a compensation that had failed for good; if the run was `stuck` it is `compensating` again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompensationResolved {
    /// The step.
    pub step: StepId,
    /// What becomes of it.
    pub how: Resolution,
    /// Who said so.
    pub by: Arc<str>,
    /// Why.
    pub reason: String,
}

/// What becomes of a compensation that had failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resolution {
    /// It is tried again, with fresh attempts.
    Retry,
    /// It is left undone.
    Skip,
    /// A person undid it.
    Done,
}

/// Everything that was to be undone is: the run is `compensated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCompensated {}

/// The run can go neither forward nor back by itself: it is `stuck`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStuck {
    /// What it is stuck in.
    pub why: StuckWhy,
    /// The step that failed; none when the run itself did.
    pub step: Option<StepId>,
    /// What the failure asks for.
    pub class: Class,
    /// Its code.
    pub code: Code,
    /// What went wrong.
    pub message: String,
}

/// What a run is stuck in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StuckWhy {
    /// A step could not be undone.
    Compensation,
    /// A step failed after an irreversible one had started, so that nothing may be undone.
    Irreversible,
    /// A child run is stuck.
    Child,
}
