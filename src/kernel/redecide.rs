//! Deciding again what was decided: today's code on a recorded history.

use super::aggregate::{Aggregate, Draft, Grants as _, NotRecalled, Recalling};
use super::moment::{Blobs, Moment};
use crate::events::decision::Decision;
use crate::events::ids::{StreamId, Version};
use crate::events::time::Timestamp;

/// A decision that was recorded, and its place in history.
#[derive(Clone, Copy)]
pub struct Past<'a, E> {
    /// The stream that it belongs to.
    pub stream: &'a StreamId,
    /// The stream's version before the decision.
    pub version: Version,
    /// When the decision was made, by the steady clock of its process.
    pub time: Timestamp,
    /// The record of the decision.
    pub decision: &'a Decision,
    /// The events that it made happen.
    pub events: &'a [E],
}

/// Why today's code decides nothing where something was decided before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRedecided {
    /// The command cannot be made again from its record.
    #[error(transparent)]
    NotRecalled(#[from] NotRecalled),
    /// Today the command is refused, for this reason.
    #[error("it would be refused: {0}")]
    Rejected(String),
    /// Today's decision emits an event that cannot follow.
    #[error("it would be an illegal decision: {0}")]
    Illegal(String),
}

/// Decides again what was decided: pure, as deciding is. `state` is the fold of the events before, and
/// afterwards that with the events that are decided today; after an error it must not be used any more.
///
/// # Errors
/// Why there is no such decision today.
pub fn redecide<A: Aggregate>(
    state: &mut A,
    past: &Past<'_, A::Event>,
    blobs: &dyn Blobs,
) -> Result<Vec<A::Event>, NotRedecided> {
    let Past { stream, version, time, decision, events } = *past;
    let command = A::recall(&Recalling { state, decision, events, blobs })?;
    let grants = decision.grants.as_deref().map(A::Grants::recall);
    let moment = Moment {
        now: time,
        wall: Timestamp(time.0.saturating_add(decision.wall_ahead_us)),
        blobs,
        seed: decision.seed,
        grants: grants.as_ref(),
        driven_since: Timestamp(time.0.saturating_sub_unsigned(decision.driven_us)),
    };
    let mut draft = Draft::new(state, stream, version, time);
    let result = A::decide(&mut draft, command, &moment);
    let decided = draft.finish();
    match (result, decided.illegal) {
        (Err(rejection), _) => Err(NotRedecided::Rejected(rejection.to_string())),
        (Ok(()), Some(illegal)) => Err(NotRedecided::Illegal(illegal.to_string())),
        (Ok(()), None) => Ok(decided.events),
    }
}
