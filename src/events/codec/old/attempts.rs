//! The shapes that events had which say what attempts came to.

use serde::{Deserialize, Serialize};

use crate::events::ids::StepId;
use crate::events::json::Payload;
use crate::events::problem::{Class, Code};
use crate::events::run::{
    AttemptAnswered, AttemptFailed, AttemptLost, Outcome, Purpose, SharedWrite, StepCompensated,
    StepCompleted, Usage,
};

/// `attempt_lost` at schema 1: it always meant an attempt at doing the step, and a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptLostV1 {
    /// The step whose attempt was lost.
    pub step: StepId,
    /// The attempt's number at its step, from 1.
    pub attempt: u32,
}

impl From<AttemptLostV1> for AttemptLost {
    fn from(old: AttemptLostV1) -> Self {
        Self { purpose: Purpose::Do, step: old.step, attempt: old.attempt, interrupted: false }
    }
}

/// `attempt_answered` at schema 1: only shared contexts had to take something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptAnsweredV1 {
    /// What the attempt is for.
    pub purpose: Purpose,
    /// The step that is tried.
    pub step: StepId,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// All that it answered, as JSON.
    pub answer: Payload,
    /// What is to be written, each context once.
    pub writes: Vec<SharedWrite>,
}

impl From<AttemptAnsweredV1> for AttemptAnswered {
    fn from(old: AttemptAnsweredV1) -> Self {
        let AttemptAnsweredV1 { purpose, step, attempt, answer, writes } = old;
        Self { purpose, step, attempt, answer, writes, turns: None }
    }
}

/// `attempt_failed` at schema 1: nothing was kept of what was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptFailedV1 {
    /// Whether the step was to be done or undone.
    pub purpose: Purpose,
    /// The step that was tried.
    pub step: StepId,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// What the failure asks for.
    pub class: Class,
    /// The stable code of the failure.
    pub code: Code,
    /// What went wrong, for a person.
    pub message: String,
    /// Whether it is known what the attempt did.
    pub outcome: Outcome,
    /// What it used up.
    pub usage: Usage,
}

impl From<AttemptFailedV1> for AttemptFailed {
    fn from(old: AttemptFailedV1) -> Self {
        AttemptFailedV2 {
            purpose: old.purpose,
            step: old.step,
            attempt: old.attempt,
            class: old.class,
            code: old.code,
            message: old.message,
            outcome: old.outcome,
            usage: old.usage,
            transcript: None,
        }
        .into()
    }
}

/// `attempt_failed` at schema 2: no step said what its output is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptFailedV2 {
    /// Whether the step was to be done or undone.
    pub purpose: Purpose,
    /// The step that was tried.
    pub step: StepId,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// What the failure asks for.
    pub class: Class,
    /// The stable code of the failure.
    pub code: Code,
    /// What went wrong, for a person.
    pub message: String,
    /// Whether it is known what the attempt did.
    pub outcome: Outcome,
    /// What it used up.
    pub usage: Usage,
    /// What was said meanwhile.
    pub transcript: Option<Payload>,
}

impl From<AttemptFailedV2> for AttemptFailed {
    fn from(old: AttemptFailedV2) -> Self {
        Self {
            purpose: old.purpose,
            step: old.step,
            attempt: old.attempt,
            class: old.class,
            code: old.code,
            message: old.message,
            outcome: old.outcome,
            usage: old.usage,
            transcript: old.transcript,
            answered: None,
        }
    }
}

/// `step_completed` at schema 1: nothing was kept of what was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCompletedV1 {
    /// The step that completed.
    pub step: StepId,
    /// The attempt that did it.
    pub attempt: u32,
    /// What the step answered, as JSON.
    pub output: Payload,
    /// The files that it names as made.
    pub artifacts: Vec<String>,
    /// What the attempt used up.
    pub usage: Usage,
    /// Whether an earlier output was used.
    pub cached: bool,
    /// Whether it was done in a lesser way.
    pub degraded: bool,
}

impl From<StepCompletedV1> for StepCompleted {
    fn from(old: StepCompletedV1) -> Self {
        StepCompletedV2 {
            step: old.step,
            attempt: old.attempt,
            output: old.output,
            artifacts: old.artifacts,
            usage: old.usage,
            cached: old.cached,
            degraded: old.degraded,
            transcript: None,
        }
        .into()
    }
}

/// `step_completed` at schema 2: nothing was kept of what its agent said of the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCompletedV2 {
    /// The step that completed.
    pub step: StepId,
    /// The attempt that did it; 0 where none was needed.
    pub attempt: u32,
    /// What the step answered, as JSON.
    pub output: Payload,
    /// The files that it names as made.
    pub artifacts: Vec<String>,
    /// What the attempt used up.
    pub usage: Usage,
    /// Whether an earlier output was used.
    pub cached: bool,
    /// Whether it was done in a lesser way.
    pub degraded: bool,
    /// What was said meanwhile.
    pub transcript: Option<Payload>,
}

impl From<StepCompletedV2> for StepCompleted {
    fn from(old: StepCompletedV2) -> Self {
        Self {
            step: old.step,
            attempt: old.attempt,
            output: old.output,
            artifacts: old.artifacts,
            usage: old.usage,
            cached: old.cached,
            degraded: old.degraded,
            transcript: old.transcript,
            said: None,
        }
    }
}

/// `step_compensated` at schema 1: nothing was kept of what was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCompensatedV1 {
    /// The step that was undone.
    pub step: StepId,
    /// The attempt that did it.
    pub attempt: u32,
    /// What the compensation answered, as JSON.
    pub output: Payload,
    /// What the attempt used up.
    pub usage: Usage,
}

impl From<StepCompensatedV1> for StepCompensated {
    fn from(old: StepCompensatedV1) -> Self {
        Self { step: old.step, attempt: old.attempt, output: old.output, usage: old.usage, transcript: None }
    }
}
