//! The post office of a family: what its runs say to each other, while that is on its way. What one process of a stream says
//! to another stream arrives in that order; anything else may arrive in any.

use reenact::aggregates::run::{Ask, RunEffect};
use reenact::events::ids::StreamId;
use reenact::kernel::Effect;
use reenact::testing::Dice;
use reenact::testing::hosted::Saying;

/// How it works.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Habits {
    /// Whether everything is delivered twice.
    pub(super) twice: bool,
    /// The order in which it is delivered: as it was said, or as a seed has it.
    pub(super) shuffled: Option<u64>,
    /// Whether what is asked is not brought any more once nobody waits for it.
    pub(super) withdraws: bool,
}

impl Habits {
    /// Whether everything is delivered once, as it was said.
    pub(super) fn is_plain(self) -> bool {
        !self.twice && self.shuffled.is_none()
    }
}

/// Something on its way.
#[derive(Debug, Clone)]
pub(super) enum Mail {
    /// What one stream says to another, and in which of its lives.
    Letter { from: StreamId, life: u32, saying: Saying<RunEffect> },
    /// What follows from the answer, for who has asked.
    Answer { to: StreamId, command: Ask },
}

impl Mail {
    /// Whether it waits until the other is delivered.
    fn comes_after(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Letter { from, life, saying },
                Self::Letter { from: other_from, life: other_life, saying: other },
            ) => (from, life, &saying.message.to) == (other_from, other_life, &other.message.to),
            _ => false,
        }
    }
}

/// What is on its way, as it was said.
#[derive(Debug, Clone, Default)]
pub(super) struct Post {
    mail: Vec<Mail>,
}

impl Post {
    pub(super) fn is_empty(&self) -> bool {
        self.mail.is_empty()
    }

    pub(super) fn post(&mut self, mail: Mail, habits: Habits) {
        self.mail.extend(std::iter::repeat_n(mail, if habits.twice { 2 } else { 1 }));
    }

    /// What is delivered next.
    pub(super) fn next(&self, habits: Habits, moment: u64) -> Option<usize> {
        let is_first =
            |place: &usize| !self.mail[..*place].iter().any(|before| self.mail[*place].comes_after(before));
        let firsts: Vec<usize> = (0..self.mail.len()).filter(is_first).collect();
        let which = habits.shuffled.map_or(0, |seed| Dice::of(seed ^ moment << 8).below(firsts.len()));
        firsts.get(which).copied()
    }

    /// What is on its way there, for people.
    pub(super) fn words_of(&self, place: usize) -> String {
        match &self.mail[place] {
            Mail::Letter { from, saying, .. } => {
                format!("{from} -> {}: {:?}", saying.message.to, saying.effect.id())
            }
            Mail::Answer { to, command } => format!("{to} <- {}", command.name()),
        }
    }

    pub(super) fn take(&mut self, place: usize) -> Mail {
        self.mail.remove(place)
    }

    pub(super) fn take_all(&mut self) -> Vec<Mail> {
        std::mem::take(&mut self.mail)
    }
}
