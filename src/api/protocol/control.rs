//! What people and programs may want of a run that is there.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::events::ids::{Fence, MessageNumber, StepId};
use crate::events::json::Json;
use crate::events::problem::Class;
use crate::events::run::{Resolution, SpendLimits};
use crate::workflow::approval::Edits;

/// The things that a person may want of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// To let what runs end, and to start nothing new.
    Pause,
    /// To go on only until a step or a phase is done with; `next` is the first phase that is not.
    PauseAfter {
        /// The step or the phase.
        until: Arc<str>,
    },
    /// To go on after a pause.
    Unpause,
    /// To end: what runs is told to stop.
    Cancel {
        /// Whether what was done is to be undone.
        rollback: bool,
    },
    /// To try again what failed.
    Retry {
        /// The step or the phase that is meant; none means all that failed.
        step: Option<Arc<str>>,
    },
    /// To undo what was done.
    Rollback {
        /// The step or the phase that is kept; none undoes everything.
        to: Option<Arc<str>>,
    },
    /// To grant what is asked.
    Approve {
        /// The request, by its id or the beginning of that, or by the step or the phase that asks.
        request: String,
        /// A remark, which is recorded with the grant.
        note: Option<String>,
        /// What of the arguments, or of the output, is to be changed.
        edits: Option<Edits>,
        /// The hash of what was looked at, or the beginning of it.
        #[serde(default)]
        hash: Option<String>,
    },
    /// To refuse what is asked. It needs a reason.
    Reject {
        /// The request, as for [`Control::Approve`].
        request: String,
    },
    /// To record that points of a request's checklist were looked at.
    Check {
        /// The request, as for [`Control::Approve`].
        request: String,
        /// The numbers of those points, from 1.
        points: Vec<u32>,
    },
    /// To take a signal.
    Signal {
        /// The name of the signal.
        name: Arc<str>,
        /// The data that the step which waits for it is to answer.
        data: Json,
    },
    /// To spend more than its limits let it.
    RaiseBudget {
        /// The new limits, of the kinds that are to be raised.
        limits: SpendLimits,
    },
    /// To send a message again to those for whom it is dead.
    Resend {
        /// The number of the message.
        number: MessageNumber,
    },
    /// To answer a task that somebody has: the attempt has succeeded.
    CompleteTask {
        /// The number of its attempt in the run.
        fence: Fence,
        /// The number of their lease.
        lease: u32,
        /// What the step answers.
        answer: Json,
    },
    /// To say that a task cannot be done: the attempt has failed. It needs a reason.
    FailTask {
        /// The number of its attempt in the run.
        fence: Fence,
        /// The number of their lease.
        lease: u32,
        /// What the failure asks for.
        class: Class,
    },
    /// To say that somebody goes on with a task.
    Heartbeat {
        /// The number of its attempt in the run.
        fence: Fence,
        /// The number of their lease.
        lease: u32,
        /// How long it is theirs from now on.
        length: Duration,
        /// How far it is, from 0 to 100; none leaves that as it was.
        percent: Option<u8>,
        /// What is being done; none leaves that as it was.
        text: Option<String>,
    },
    /// To settle a compensation that failed for good. It needs a reason.
    Resolve {
        /// The step whose compensation it is.
        step: StepId,
        /// Whether the compensation is to be tried again, left out, or taken as done.
        how: Resolution,
    },
}
