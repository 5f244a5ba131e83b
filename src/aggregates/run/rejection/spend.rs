//! Why a run is not let spend more.

use crate::events::problem::Code;
use crate::events::run::{RunStatus, SpendKind};

/// Why a run is not let spend more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRaised {
    /// Nothing of it will ever start again.
    #[error("the run is {} and spends nothing any more", .0.text())]
    Ended(RunStatus),
    /// No limit is named.
    #[error("nothing says which limit is to be raised")]
    Nothing,
    /// It has no limit of that kind.
    #[error("the run has no limit of {0}")]
    NoLimit(SpendKind),
    /// Its limit is as high, or higher.
    #[error("{} is no more than the limit of {} that the run has", kind.amount(*wanted), kind.amount(*limit))]
    NotHigher {
        /// The kind of limit.
        kind: SpendKind,
        /// The limit that it has.
        limit: u64,
        /// The one that was to be its limit.
        wanted: u64,
    },
}

impl NotRaised {
    /// The code that people are told.
    pub(super) const fn code(self) -> Code {
        match self {
            Self::Ended(_) => Code::RunEnded,
            Self::Nothing | Self::NoLimit(_) | Self::NotHigher { .. } => Code::NotRaised,
        }
    }
}
