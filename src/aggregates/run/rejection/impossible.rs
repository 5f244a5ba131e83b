//! What no history of a run gives.

use crate::events::ids::{Fence, RequestId, StepId};

/// What no history of a run gives, so that it stands for a mistake of Reenact's or for damage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// Something of the run's own is asked before it has begun.
    #[error("a run that goes on has not begun")]
    NotBegun,
    /// A step is not among those that there are.
    #[error("there is no step with the number {0}")]
    NoStep(usize),
    /// A step of its history is not in its definition.
    #[error("step `{0}` is not in the run's definition")]
    NoTemplate(StepId),
    /// A step failed for no reason.
    #[error("step `{0}` failed without an error")]
    NoError(StepId),
    /// A step is undone that owes nothing.
    #[error("step `{0}` is to be undone and owes no compensation")]
    NoCompensation(StepId),
    /// A request is open that was never made.
    #[error("request `{0}` is open and was never made")]
    NoRequest(RequestId),
    /// What a step does, or asks, has no JSON form.
    #[error("what the step with the number {0} does has no JSON form")]
    NoJson(usize),
    /// A task is not wanted that is not open.
    #[error("task {0} is not wanted, and not open")]
    NoTask(Fence),
    /// What was asked of people cannot be told any more.
    #[error("what step `{0}` asks cannot be told")]
    NotTold(StepId),
    /// What an attempt answered was recorded, and cannot be read.
    #[error("what an attempt at `{0}` answered cannot be read: {1}")]
    NoAnswer(StepId, String),
}
