//! Where a run is, for the list: from the names of its events alone.

use serde::{Deserialize, Serialize};

use crate::events::commit::Recorded;
use crate::workflow::run::RunStatus;

/// What a commit says that it answers in which somebody paused the run.
const PAUSE: &str = "pause";

/// What a run's status follows from: ended or not, it may come alive again as what it was.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Life {
    begun: bool,
    unwinding: bool,
    paused: bool,
    ended: Option<RunStatus>,
}

impl Life {
    /// The life of a run whose row was kept without one.
    pub(super) fn of(status: RunStatus) -> Self {
        Self {
            begun: status != RunStatus::Pending,
            unwinding: status == RunStatus::Compensating,
            paused: status == RunStatus::Paused,
            ended: status.has_ended().then_some(status),
        }
    }

    pub(super) fn status(self) -> RunStatus {
        match self {
            Self { ended: Some(status), .. } => status,
            Self { paused: true, .. } => RunStatus::Paused,
            Self { unwinding: true, .. } => RunStatus::Compensating,
            Self { begun: true, .. } => RunStatus::Running,
            _ => RunStatus::Pending,
        }
    }
    /// What an event does to it. Its name is enough for that.
    pub(super) fn advance(&mut self, recorded: &Recorded) {
        let begun = Self { begun: true, ..Self::default() };
        match recorded.event.kind.as_ref() {
            "attempt_started" | "timer_set" | "step_completed" | "step_skipped" | "step_failed" => {
                self.begun = true;
            }
            "run_paused" => {
                self.paused = true;
                // A rollback to a step ends with a pause of its own; it is over then.
                self.unwinding &= recorded.header.causation.as_ref() == PAUSE;
            }
            "run_unpaused" => self.paused = false,
            "cancel_requested" => *self = Self { begun: self.begun, ..Self::default() },
            "retry_requested" => *self = begun,
            "rollback_started" => *self = Self { unwinding: true, ..begun },
            "compensation_resolved" | "compensation_started" | "step_compensated" => {
                (self.unwinding, self.ended) = (true, None);
            }
            "run_completed" => *self = Self { ended: Some(RunStatus::Completed), ..begun },
            "run_failed" => *self = Self { ended: Some(RunStatus::Failed), ..begun },
            "run_compensated" => *self = Self { ended: Some(RunStatus::Compensated), ..begun },
            "run_cancelled" => *self = Self { ended: Some(RunStatus::Cancelled), ..begun },
            "run_stuck" => *self = Self { ended: Some(RunStatus::Stuck), ..begun },
            _ => {}
        }
    }
}
