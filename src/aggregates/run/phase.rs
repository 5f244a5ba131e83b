//! Where a step is in its life, and where undoing it is: what is special to each, beside the trying that both have.

use serde::{Deserialize, Serialize};

use super::command::Order;
use super::tries::{Tried, Trying};
use crate::events::ids::TimerId;
use crate::events::json::Payload;
use crate::events::run::{Said, SkipReason};

/// Where a step is in its life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum StepPhase {
    /// It waits for others.
    Blocked,
    /// It could start, or was begun and is tried until something has become of it.
    Trying(Trying),
    /// It sleeps until this timer is due.
    Sleeping(TimerId),
    /// People are asked whether it may start.
    Asking,
    /// It waits for a signal, and perhaps no longer than this timer.
    Awaiting(Option<TimerId>),
    /// What grew in it is being done, and nothing else becomes of it.
    Expanded,
    Completed(Done),
    Skipped {
        reason: SkipReason,
        message: String,
    },
    Failed {
        tolerated: bool,
    },
    Cancelled,
    /// The step in which it grew starts anew, and may grow others.
    Left,
}

/// What a step completed with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) output: Payload,
    pub(crate) artifacts: Vec<String>,
    /// What its agent says of the work.
    pub(crate) said: Option<Said>,
    pub(crate) cached: bool,
    pub(crate) degraded: bool,
    /// Whether the agent did not come through to which the work was handed over at last, and that is tolerated: then the step
    /// has no output, though agents before that one answered something.
    pub(super) in_vain: bool,
}

/// Where undoing a step is, once its compensation is opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum UndoPhase {
    /// It could be tried, or is tried until something has become of it.
    Trying(Trying),
    /// It failed for good: a person has to say what becomes of it.
    Failed,
    /// The step is undone, by an attempt, or by hand, as this person said.
    Undone(Option<Order>),
    /// A person said that it stays.
    LeftUndone(Order),
}

impl UndoPhase {
    pub(crate) const fn is_undone(&self) -> bool {
        matches!(self, Self::Undone(_))
    }

    /// What a person said who settled it.
    pub(crate) const fn said(&self) -> Option<&Order> {
        match self {
            Self::Undone(said) => said.as_ref(),
            Self::LeftUndone(said) => Some(said),
            Self::Trying(_) | Self::Failed => None,
        }
    }
}

impl StepPhase {
    pub(super) const READY: Self = Self::Trying(Trying::Ready);
    pub(super) const BETWEEN: Self = Self::Trying(Trying::Between);
}

impl Tried for StepPhase {
    fn trying(&self) -> Option<&Trying> {
        if let Self::Trying(trying) = self { Some(trying) } else { None }
    }

    fn set(&mut self, trying: Trying) {
        *self = Self::Trying(trying);
    }
}

impl Tried for UndoPhase {
    fn trying(&self) -> Option<&Trying> {
        if let Self::Trying(trying) = self { Some(trying) } else { None }
    }

    fn set(&mut self, trying: Trying) {
        *self = Self::Trying(trying);
    }
}
