//! What happens to a run that is unwound: steps that were done are compensated, dependents first.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Usage;
use crate::events::ids::{AgentName, StepId};
use crate::events::json::Payload;
use crate::events::problem::{Class, Code};

/// The run is `compensating` from here on. Every step that has a compensation and was done, or may have been,
/// is undone once all steps that depend on it are done with. Attempts that still run are told to stop first.
/// May follow anything but itself, also the end of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackStarted {
    /// Why the run is rolled back.
    pub cause: RollbackCause,
    /// The step or the phase that is kept, and with it all that does not depend on it; none
    /// when everything is undone.
    pub to: Option<Arc<str>>,
    /// All steps that are kept with it.
    pub keeps: Vec<StepId>,
    /// The order in which the rounds of a loop are undone.
    pub rounds: RoundOrder,
}

/// The order in which the rounds of a loop are undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundOrder {
    /// All at the same time, as in every rollback that began before there was another order.
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
        /// The stable code of the failure.
        code: Code,
        /// What went wrong, for a person.
        message: String,
    },
    /// It was cancelled, and a rollback was asked for.
    Cancel,
    /// Somebody asked for it.
    Request {
        /// The name of the person or program that asked.
        by: Arc<str>,
        /// Their reason, if they gave one.
        reason: Option<String>,
    },
}

/// How the work that a compensation undoes had ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Undoes {
    /// The step had completed.
    Completed,
    /// It is not known how far it came: it timed out, was cancelled or lost, or failed on its way.
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

/// It is a step's turn to be undone, once in each generation: it is `compensating`. Each try at it is an
/// attempt with the purpose to compensate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompensationStarted {
    /// The step that is to be undone.
    pub step: StepId,
    /// The agent that undoes it.
    pub agent: AgentName,
    /// How the work that is undone had ended.
    pub outcome: Undoes,
}

/// The open attempt at undoing a step succeeded: it is `compensated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCompensated {
    /// The step that was undone.
    pub step: StepId,
    /// The attempt that did it.
    pub attempt: u32,
    /// What the compensation answered, as JSON.
    pub output: Payload,
    /// What the attempt used up.
    pub usage: Usage,
    /// What was said meanwhile: a `workflow::work::Transcript` as JSON, if there is anything to tell.
    pub transcript: Option<Payload>,
}

/// Undoing a step failed for good. The rollback goes on with what does not depend on it; then
/// the run is `stuck`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompensationFailed {
    /// The step that could not be undone.
    pub step: StepId,
    /// What the failure asks for.
    pub class: Class,
    /// The stable code of the failure.
    pub code: Code,
    /// What went wrong, for a person.
    pub message: String,
}

/// Somebody settled a compensation that had failed for good; if the run was `stuck`
/// it is `compensating` again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompensationResolved {
    /// The step whose compensation had failed.
    pub step: StepId,
    /// What becomes of it.
    pub how: Resolution,
    /// The name of the person or program that settled it.
    pub by: Arc<str>,
    /// Their reason for it.
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
    /// The stable code of the failure.
    pub code: Code,
    /// What went wrong, for a person.
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
