//! Deciding again what was decided: today's code against a recorded history.

use super::aggregate::{Aggregate, Draft, Grants as _, NotRecalled, Recalling};
use super::moment::{Blobs, Moment};
use crate::events::decision::Decision;
use crate::events::ids::{StreamId, Version};
use crate::events::time::Timestamp;

/// A decision that was recorded, and where.
#[derive(Clone, Copy)]
pub struct Past<'a, E> {
    /// The stream.
    pub stream: &'a StreamId,
    /// Its version before.
    pub version: Version,
    /// When it was made.
    pub time: Timestamp,
    /// What is recorded of it.
    pub decision: &'a Decision,
    /// What came of it.
    pub events: &'a [E],
}

/// What today's code decides where something else may have been decided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRedecided {
    /// The command is not known.
    #[error(transparent)]
    NotRecalled(#[from] NotRecalled),
    /// Today it is refused.
    #[error("it would be refused: {0}")]
    Rejected(String),
    /// Today it contradicts itself.
    #[error("it would be an illegal decision: {0}")]
    Illegal(String),
}

/// Decides again what was decided: pure, as deciding is. `state` is what the events before come to, and after that what this
/// decision makes of it; if there is none it is not to be used any more.
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
