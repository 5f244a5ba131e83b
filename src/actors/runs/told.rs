//! What is told to the shell of a run.

use tokio::sync::oneshot;

use super::InFlight;
use crate::actors::agents::agent::Attempted;
use crate::actors::agents::dispatcher::{News, Slot};
use crate::aggregates::run::{OfShared, SharedEffectId};
use crate::events::ids::{Fence, StepId};
use crate::events::json::Json;
use crate::events::problem::Problem;

/// What is told to the shell of a run.
pub enum ToRun {
    /// News of a slot that it waits for.
    OfSlot(News),
    /// It could use an agent that this process does not have.
    Lacks(Problem),
    /// What a step waits for of shared contexts, of earlier answers, or of its conversation.
    Shared {
        /// What the run wanted.
        effect: SharedEffectId,
        /// What was read or came of it, or why that is not known.
        says: OfShared,
    },
    /// Somebody waits for the answer to a message that is sent after this.
    Waits {
        /// The fence of the attempt or the delivery.
        fence: Fence,
        /// How many it had asked before.
        nth: u32,
        /// The way for the answer.
        reply: oneshot::Sender<Result<Json, Problem>>,
    },
    /// What came of a delivery; none if it was let go of before it had succeeded.
    Delivered {
        /// The fence of the delivery.
        fence: Fence,
        /// The answer or the failure; none if it was let go of.
        result: Option<Attempted>,
        /// The slot that is free again.
        slot: Slot,
        /// Until the run has heard of it, it is being made.
        in_flight: InFlight,
    },
    /// A lock of an attempt is somebody else's.
    LockLost(Fence),
    /// What came of an attempt; none if the attempt was let go of before it had succeeded.
    Reported {
        /// The step that was tried.
        step: StepId,
        /// The fence of the attempt.
        fence: Fence,
        /// The output or the failure; none if the attempt was let go of before it had succeeded.
        result: Option<Attempted>,
        /// The slot that is free again.
        slot: Slot,
        /// Until the run has heard of it, the attempt is being made.
        in_flight: InFlight,
    },
}
