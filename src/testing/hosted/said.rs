//! The commands that an aggregate in the hands of a test gets, what it says to other streams, and what it
//! hears from them. The test delivers those messages.

use std::fmt;

use super::{Hosted, Supply, Ticket};
use crate::events::decision::Causation;
use crate::events::ids::{CommandId, StreamId, Version};
use crate::events::problem::Problem;
use crate::kernel::core::{Envelope, Input, Residency};
use crate::kernel::{Aggregate, Due, Message};
use crate::testing::broken::Broken;

/// A message that an aggregate sends to another stream.
#[derive(Clone)]
pub struct Saying<E> {
    /// The effect that the message belongs to.
    pub effect: E,
    /// The content of the message, and the stream that it goes to.
    pub message: Message,
    /// How long the stream that is asked is to go on by itself; none if it is not to.
    pub drives: Option<Residency>,
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
    L: Supply<A>,
{
    /// Sends it a command. Answers the version after it, or why it was refused; none if
    /// the process dies first.
    ///
    /// # Errors
    /// When that breaks a rule.
    pub fn ask(
        &mut self,
        command: A::Command,
        drives: bool,
    ) -> Result<Option<Result<Version, Problem>>, Broken> {
        self.send(command, Envelope::default(), drives)
    }

    /// Sends it a command with an envelope.
    ///
    /// # Errors
    /// When that breaks a rule, or a command that was answered before gets another answer.
    pub fn send(
        &mut self,
        command: A::Command,
        envelope: Envelope,
        drives: bool,
    ) -> Result<Option<Result<Version, Problem>>, Broken> {
        self.ids.extend(envelope.id.map(|id| (self.tickets + 1, id)));
        self.answered(|reply| Input::Command { command, envelope, drives, reply: Some(reply) })
    }

    fn answered(
        &mut self,
        input: impl FnOnce(Ticket) -> Input<A, Ticket>,
    ) -> Result<Option<Result<Version, Problem>>, Broken> {
        self.tickets += 1;
        let ticket = self.tickets;
        self.feed(input(ticket))?;
        match self.answers.remove(&ticket) {
            None if !self.is_dead => Err(Broken::new("nobody was answered")),
            answer => Ok(answer),
        }
    }

    /// The messages that it has sent since this was last called, in order. Those that it had sent when the
    /// process died are kept until [`Hosted::crash`].
    pub fn take_said(&mut self) -> Vec<Saying<A::Effect>> {
        std::mem::take(&mut self.said)
    }

    /// Delivers a command from another stream, which is named in `from` if it asks for something; with the id of its message,
    /// if that has one. Answers as [`Hosted::ask`] does.
    ///
    /// # Errors
    /// When that breaks a rule.
    pub fn hear(
        &mut self,
        command: A::Command,
        drives: bool,
        from: Option<StreamId>,
        id: Option<CommandId>,
    ) -> Result<Option<Result<Version, Problem>>, Broken> {
        let causation = from.map(|stream| Causation { stream, effect: "said".into() });
        let envelope = Envelope { id, asks: causation.is_some(), causation, correlation: None };
        self.send(command, envelope, drives)
    }

    /// Lets what a dead process left open count as lost, whoever drives it. Answers as [`Hosted::ask`] does.
    ///
    /// # Errors
    /// When that breaks a rule.
    pub fn recover(&mut self) -> Result<Option<Result<Version, Problem>>, Broken> {
        self.answered(|reply| Input::Recover { reply: Some(reply) })
    }

    /// When it is to be woken, by each clock.
    pub fn wakes_at(&self) -> Due {
        self.process.wake
    }

    /// Performs an effect. If it is a message, it is on its way from here on.
    pub(super) fn perform(&mut self, effect: A::Effect, residency: Option<Residency>) -> Result<(), String> {
        self.process.perform(effect.clone(), &self.stored.told)?;
        if let Some(message) = self.stored.state.message(&effect) {
            let drives = residency.filter(|_| message.asks);
            self.said.push(Saying { effect, message, drives });
        }
        Ok(())
    }
}
