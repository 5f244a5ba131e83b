//! The two clocks of a process, and which clock tells when something is due.
//!
//! What is to last a certain time (a sleep, a retry, a timeout, the limit of a run) goes by the steady clock,
//! which nobody can set. What people are told as a moment, and are held to, goes by the wall clock, which
//! jumps when somebody sets it.

use std::time::Duration;

use crate::events::time::Timestamp;

/// The time, by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// What the wall clock showed when the process began, and all the time that has passed since. Events are
    /// recorded by it: within a process no event is earlier than one before it, and the time between two is
    /// what has really passed.
    pub steady: Timestamp,
    /// The time by the wall clock, which may be set meanwhile.
    pub wall: Timestamp,
}

impl Now {
    /// What the wall clock shows, as it is set now, at a time of the steady clock.
    pub const fn by_the_wall(self, steady: Timestamp) -> Timestamp {
        Timestamp(steady.0.saturating_add(self.wall.0.saturating_sub(self.steady.0)))
    }

    /// The time if nobody has set the wall clock since the process began.
    pub const fn at(time: Timestamp) -> Self {
        Self { steady: time, wall: time }
    }

    /// The time that is `length` later, by both clocks.
    #[must_use]
    pub fn after(self, length: Duration) -> Self {
        Self { steady: self.steady.after(length), wall: self.wall.after(length) }
    }
}

/// A moment, and the clock by which it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deadline {
    /// By the steady clock of the process.
    Steady(Timestamp),
    /// By the wall clock.
    Wall(Timestamp),
}

impl Deadline {
    /// The moment, by the clock that it names.
    pub const fn at(self) -> Timestamp {
        match self {
            Self::Steady(at) | Self::Wall(at) => at,
        }
    }

    /// Whether the moment has come.
    pub fn has_come(self, now: Now) -> bool {
        match self {
            Self::Steady(at) => at <= now.steady,
            Self::Wall(at) => at <= now.wall,
        }
    }
}

/// The moment when something is due: the first of two moments, one by each clock. Without either,
/// only when somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Due {
    /// By the steady clock.
    pub steady: Option<Timestamp>,
    /// By the wall clock.
    pub wall: Option<Timestamp>,
}

impl Due {
    /// It is due at no moment.
    pub const NEVER: Self = Self { steady: None, wall: None };

    /// Whether it is due at some moment.
    pub const fn is_some(self) -> bool {
        self.steady.is_some() || self.wall.is_some()
    }

    /// Whether one of the two moments has come.
    pub fn has_come(self, now: Now) -> bool {
        let of = |at: Option<Timestamp>, now| at.is_some_and(|at| at <= now);
        of(self.steady, now.steady) || of(self.wall, now.wall)
    }

    /// How long it is until the first moment; none if it is never due.
    pub fn since(self, now: Now) -> Option<Duration> {
        let steady = self.steady.map(|at| at.since(now.steady));
        let wall = self.wall.map(|at| at.since(now.wall));
        steady.into_iter().chain(wall).min()
    }

    /// Whether it is due no later than `deadline`, by the same clock.
    pub fn covers(self, deadline: Deadline) -> bool {
        match deadline {
            Deadline::Steady(at) => self.steady.is_some_and(|first| first <= at),
            Deadline::Wall(at) => self.wall.is_some_and(|first| first <= at),
        }
    }
}

impl From<Deadline> for Due {
    fn from(deadline: Deadline) -> Self {
        match deadline {
            Deadline::Steady(at) => Self { steady: Some(at), wall: None },
            Deadline::Wall(at) => Self { steady: None, wall: Some(at) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_moment_comes_by_its_own_clock() {
        let set_back = Now { steady: Timestamp(100), wall: Timestamp(40) };
        assert!(Deadline::Steady(Timestamp(100)).has_come(set_back));
        assert!(!Deadline::Steady(Timestamp(101)).has_come(set_back));
        assert!(!Deadline::Wall(Timestamp(41)).has_come(set_back));
        let due = Due { steady: Some(Timestamp(160)), wall: Some(Timestamp(90)) };
        assert_eq!(due.since(set_back), Some(Duration::from_micros(50)), "the wall clock's comes first");
        assert!(!due.has_come(set_back.after(Duration::from_micros(49))));
        assert!(due.has_come(set_back.after(Duration::from_micros(50))));
        assert_eq!(set_back.by_the_wall(Timestamp(160)), Timestamp(100), "60 µs from now, whatever is shown");
        assert_eq!(Due::NEVER.since(set_back), None);
        assert!(!Due::NEVER.has_come(set_back));
    }
}
