//! What a state needs next, and from whom. Activation, wake-ups, recovery and lists of what is
//! due follow from it.

use serde::{Deserialize, Serialize};

use super::clocks::Due;
use crate::events::time::Timestamp;

/// What a state needs next, and from whom. It follows from the state alone, whatever a process does for it.
/// An open attempt is [`Own::Now`]: it is being made, or has to be recorded as lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Attention {
    /// Whether it goes on by itself, and if so, when.
    pub own: Own,
    /// Whether it waits for people.
    pub people: People,
    /// Whether it waits for other streams.
    pub others: bool,
    /// Whether it has come to its end: nothing follows unless somebody asks for it, but that others may have to hear of the
    /// end.
    pub over: bool,
}

/// Whether something goes on by itself, and if so, when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Own {
    /// It does not go on by itself.
    #[default]
    None,
    /// Now: something can start, or was begun already.
    Now,
    /// When a timer is due, by the steady clock.
    At(Timestamp),
}

/// Whether people are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum People {
    /// No answer of people is awaited.
    #[default]
    None,
    /// An answer is awaited, until that moment of the wall clock if there is one; no answer by then
    /// is an answer too.
    Until(Option<Timestamp>),
}

impl Attention {
    /// Nothing more happens unless somebody asks.
    pub const OVER: Self = Self { own: Own::None, people: People::None, others: false, over: true };

    /// Whether it is at rest: nothing follows unless somebody outside acts, or does not act in time.
    pub fn is_at_rest(&self) -> bool {
        self.own == Own::None && !self.others
    }

    /// Whether it is waiting: for people, and for nothing else.
    pub fn is_waiting(&self) -> bool {
        self.is_at_rest() && self.people != People::None && !self.over
    }

    /// Whether it is due at a moment that is known.
    pub fn is_due_later(&self) -> bool {
        self.own != Own::Now && self.due().is_some()
    }

    /// When it goes on next, by each clock. For what goes on now, that is moment 0.
    pub fn due(&self) -> Due {
        let steady = match self.own {
            Own::Now => Some(Timestamp(0)),
            Own::At(at) => Some(at),
            Own::None => None,
        };
        let wall = match self.people {
            People::Until(until) if self.own != Own::Now => until,
            People::Until(_) | People::None => None,
        };
        Due { steady, wall }
    }
}
