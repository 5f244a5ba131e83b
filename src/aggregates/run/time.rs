//! What is too late.

use super::Run;
use crate::events::ids::TimerId;
use crate::events::time::Timestamp;

impl Run {
    /// Whether people were to say something that it does not wait for any longer, by the wall clock.
    pub fn is_too_late(&self, wall: Timestamp) -> bool {
        self.first_too_late(wall).is_some()
    }

    /// The first timer by which it does not wait for people any longer, by the wall clock.
    pub(super) fn first_too_late(&self, wall: Timestamp) -> Option<&TimerId> {
        self.awaited_timers()?;
        self.people.timers.first().filter(|(at, _)| *at <= wall).map(|(_, timer)| timer)
    }
}
