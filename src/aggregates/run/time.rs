//! What is too late, whether the time of a run counts, and how long it has waited.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Phase, Run};
use crate::events::ids::TimerId;
use crate::events::time::{Timestamp, micros};

/// When somebody drove a run for certain, as events tell that only who drives it records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Driven {
    pub(super) at: Timestamp,
    pub(super) time_left_us: u64,
}

/// How long a run has waited, and since when it does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waited {
    /// All waiting that is over, in µs.
    over_us: u64,
    since: Option<Timestamp>,
}

impl Run {
    /// How long it has waited up to a moment that is not before its last event, by the clock of its events. Waiting begins
    /// when nothing of it goes on before somebody outside acts (it waits for people, for a paused agent or for a child that
    /// rests, it is paused, or it has ended), and is over when something of it runs again. After its end nothing is waited for
    /// unless it goes on: then what lay between counts.
    pub fn waited(&self, until: Timestamp) -> Duration {
        let open = self.waited.since.filter(|_| !matches!(self.phase, Phase::Ended(_)));
        let open = open.map(|since| until.since(since)).unwrap_or_default();
        Duration::from_micros(self.waited.over_us).saturating_add(open)
    }

    /// The same in µs.
    pub(super) fn waited_us(&self, until: Timestamp) -> u64 {
        micros(self.waited(until))
    }

    /// Whether it has waited for somebody up to now: nothing of it was stopped in the middle.
    pub fn has_waited_until_now(&self) -> bool {
        self.waited.since.is_some() && !matches!(self.phase, Phase::Ended(_))
    }

    /// Takes note of whether it waits after an event of that moment.
    pub(super) fn note_waiting(&mut self, now: Timestamp) {
        let since = match &self.phase {
            // It may have ended without anything having run again.
            Phase::Ended(ended) => Some(ended.at),
            _ if self.works() => None,
            _ if self.waited.since.is_some() => return,
            _ => self.rests().then_some(now),
        };
        let over = self.waited.since.map(|began| since.unwrap_or(now).since(began)).unwrap_or_default();
        let over_us = micros(over);
        self.waited = Waited { over_us: self.waited.over_us.saturating_add(over_us), since };
    }

    /// Whether something of it runs: an attempt is made, or a timer of its own is set.
    fn works(&self) -> bool {
        match self.phase {
            Phase::Empty | Phase::Ended(_) => false,
            _ if self.is_at_work() || self.is_asking() || self.shared.is_asking() => true,
            Phase::Back(_) => false,
            _ => !self.paused && self.has_own_timers(),
        }
    }

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
