//! Where a run is in its life, and how it ended.

use serde::{Deserialize, Serialize};

use super::{StepIndex, Unwinding};
use crate::events::json::Payload;
use crate::events::run::{OutputError, RollbackCause, RunFailed, RunStuck};
use crate::events::time::Timestamp;

/// Where a run is in its life.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// No event has happened to it yet.
    #[default]
    Empty,
    /// It goes forward: steps start as they become ready.
    Going,
    /// Nothing new starts; it ends, or is undone, when what runs has ended.
    Ending(Ending),
    /// What its steps did is being undone.
    Unwinding(Box<Unwinding>),
    /// What depends on a step is undone; somebody has to say how it goes on.
    Back(Box<Unwinding>),
    /// Nothing follows unless somebody asks for it.
    Ended(Ended),
}

/// A run that is about to end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ending {
    pub(crate) why: Why,
    /// Whether the attempts that are open are being cancelled, all but those at irreversible steps.
    pub(crate) fast: bool,
}

/// Why a run is about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Why {
    /// A step failed without being tolerated; this is the first that did.
    Failed(StepIndex),
    /// It took longer than its limit.
    OutOfTime,
    /// Somebody cancelled it, and may want what was done undone.
    Cancelled { rollback: bool },
}

/// The end of a run, and the time of the event that recorded it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) at: Timestamp,
    pub(crate) how: End,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum End {
    Completed {
        output: Payload,
        error: Option<OutputError>,
    },
    Failed(RunFailed),
    Compensated(RollbackCause),
    Cancelled,
    /// With what is undone so far, if that is what it is stuck in.
    Stuck(RunStuck, Option<Box<Unwinding>>),
}
