//! What is too late, and whether the time of a run counts.

use serde::{Deserialize, Serialize};

use super::{Phase, Run};
use crate::events::ids::TimerId;
use crate::events::time::Timestamp;

/// When somebody drove a run for certain, as events tell that only who drives it records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Driven {
    pub(super) at: Timestamp,
    pub(super) time_left_us: u64,
}

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

    /// Whether its time is over and there is something left to do, by the steady clock.
    pub(super) fn is_out_of_time(&self, now: Timestamp) -> bool {
        let limit = self.timers.get(&TimerId::duration());
        self.phase == Phase::Going && self.done < self.steps.len() && limit.is_some_and(|set| set.at <= now)
    }

    /// Whether nobody drove it before that moment for which its time has counted, by the steady clock. That a process recorded
    /// its last event later than it is now was another, before somebody set the wall clock.
    pub(super) fn was_left(&self, driven_since: Timestamp, now: Timestamp) -> bool {
        let limited = self.about.as_ref().is_some_and(|about| about.started.duration_limit_us.is_some());
        limited && self.phase == Phase::Going && (self.driven.at < driven_since || self.driven.at > now)
    }
}
