//! What an aggregate in the hands of a test says to other streams, and hears of them. Who brings it is the test.

use std::fmt;

use super::{Hosted, Lends};
use crate::events::ids::{StreamId, Version};
use crate::events::problem::Problem;
use crate::events::time::Timestamp;
use crate::kernel::core::{Input, Whose};
use crate::kernel::{Aggregate, Message};
use crate::testing::broken::Broken;

/// Something that an aggregate says to another stream.
#[derive(Clone)]
pub struct Saying<E> {
    /// The effect that it is.
    pub effect: E,
    /// What is said, and to whom.
    pub message: Message,
    /// For whom the stream that is asked is to go on by itself, if it is.
    pub drives: Option<Whose>,
}

impl<E: fmt::Debug> fmt::Debug for Saying<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saying").field("effect", &self.effect).field("message", &self.message).finish()
    }
}

impl<A, L> Hosted<A, L>
where
    A: Aggregate + PartialEq,
    A::Effect: PartialEq,
    L: Lends<A>,
{
    /// What it has said since this was last asked, in order. What it had said when the process died is still on its way,
    /// until [`Hosted::crash`].
    pub fn take_said(&mut self) -> Vec<Saying<A::Effect>> {
        std::mem::take(&mut self.said)
    }

    /// It hears what another stream says, which is named if it asks for something. Answers as [`Hosted::ask`] does.
    ///
    /// # Errors
    /// When that breaks something.
    pub fn hear(
        &mut self,
        command: A::Command,
        drives: bool,
        from: Option<StreamId>,
    ) -> Result<Option<Result<Version, Problem>>, Broken> {
        self.answered(|reply| Input::Command { command, drives, from, reply: Some(reply) })
    }

    /// What a dead process left open counts as lost, whoever drives it. Answers as [`Hosted::ask`] does.
    ///
    /// # Errors
    /// When that breaks something.
    pub fn recover(&mut self) -> Result<Option<Result<Version, Problem>>, Broken> {
        self.answered(|reply| Input::Recover { reply: Some(reply) })
    }

    /// When it is to be woken, if it is.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        self.process.wake
    }

    /// An effect is performed. If it is a message, that is on its way from here on.
    pub(super) fn perform(&mut self, effect: A::Effect, whose: Option<Whose>) -> Result<(), String> {
        self.process.perform(effect.clone(), &self.stored.told)?;
        if let Some(message) = self.stored.state.message(&effect) {
            let drives = whose.filter(|_| message.asks);
            self.said.push(Saying { effect, message, drives });
        }
        Ok(())
    }
}
