//! The status of a run, as people see it.

use serde::{Deserialize, Serialize};

/// The status of a run, as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Nothing of it has started.
    Pending,
    /// It goes on, or would if somebody drove it.
    Running,
    /// It waits for people.
    Waiting,
    /// Somebody paused it, or it was rolled back in part.
    Paused,
    /// It came to its end with every step done with.
    Completed,
    /// It ended with a step that failed.
    Failed,
    /// What was done is being undone.
    Compensating,
    /// What was done is undone.
    Compensated,
    /// Somebody cancelled the run.
    Cancelled,
    /// It can go neither forward nor back by itself.
    Stuck,
}

impl RunStatus {
    /// Every status that there is.
    pub const ALL: &'static [Self] = &[
        Self::Pending,
        Self::Running,
        Self::Waiting,
        Self::Paused,
        Self::Completed,
        Self::Failed,
        Self::Compensating,
        Self::Compensated,
        Self::Cancelled,
        Self::Stuck,
    ];

    /// The word that people see, in lower case.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Compensating => "compensating",
            Self::Compensated => "compensated",
            Self::Cancelled => "cancelled",
            Self::Stuck => "stuck",
        }
    }

    /// The status that has this word; none if no status has it.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|status| status.text() == text)
    }

    /// Whether nothing follows unless somebody asks for it: a retry, a rollback, the settling
    /// of what is stuck.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Compensated | Self::Cancelled | Self::Stuck)
    }
}
