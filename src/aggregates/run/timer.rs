//! The timers of a run: what each is for, and when it is due.

use serde::{Deserialize, Serialize};

use super::index::StepIndex;
use crate::events::run::Purpose;
use crate::events::time::Timestamp;
use crate::kernel::Deadline;

/// A wake-up that is due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Timer {
    pub(super) of: TimerOf,
    pub(super) at: Timestamp,
}

/// The purpose of a timer, with the step that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TimerOf {
    /// The run's time is over.
    Run,
    /// A step sleeps no longer.
    Sleep(StepIndex),
    /// Doing a step, or undoing it, is tried again.
    Retry(StepIndex, Purpose),
    /// A step does not wait for people any longer.
    People(StepIndex),
    /// The run of its own that does a step takes too long.
    Child(StepIndex),
    /// The same, undoing the step.
    UndoChild(StepIndex),
    /// An attempt that is handed out takes too long.
    Task(StepIndex, Purpose),
    /// Who has such an attempt has it no longer.
    Lease(StepIndex, Purpose),
}

impl Timer {
    /// People are told when it is over; all else is to last so long.
    pub(super) const fn deadline(&self) -> Deadline {
        match self.of {
            TimerOf::People(_) | TimerOf::Lease(..) => Deadline::Wall(self.at),
            TimerOf::Run
            | TimerOf::Sleep(_)
            | TimerOf::Retry(..)
            | TimerOf::Child(_)
            | TimerOf::Task(..)
            | TimerOf::UndoChild(_) => Deadline::Steady(self.at),
        }
    }
}

impl TimerOf {
    /// Whether it goes off only if others take too long: that keeps nobody waiting.
    pub(super) fn is_of_others(self) -> bool {
        matches!(self, Self::People(_) | Self::Child(_) | Self::Task(..) | Self::Lease(..))
    }
}
