//! Messages for open attempts: what those have handled, and what those are given whose programs converse while they run.

use std::sync::Arc;

use serde::Deserialize;

use super::advance::Advance;
use super::messages::Next;
use super::rejection::Refusal;
use super::{Run, RunRejection, Tries};
use crate::events::ids::{AgentName, Fence, MessageNumber, StepId};
use crate::events::limits::MESSAGE_TRIES_MAX;
use crate::events::problem::Code;
use crate::events::run::{AttemptStarted, ExpiredWhy, MessageExpired, MessageGiven, MessageHandled};
use crate::kernel::ReadBlob;

/// What an agent's definition says of how its programs are given messages.
#[derive(Deserialize)]
struct Converses {
    #[serde(default)]
    stream: bool,
}

impl ReadBlob for Converses {
    fn read_blob(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}

impl Run {
    /// An open attempt that goes on: it has not answered, and nobody has told it to stop.
    fn goes_on(&self, step: &StepId, fence: Fence) -> Option<Arc<AttemptStarted>> {
        let (place, attempt) = self.open_attempt(step, fence).filter(|_| !self.is_writing(fence))?;
        let tries = self.steps.get(place).and_then(|node| node.tries(attempt.purpose));
        tries.is_some_and(|tries| Tries::stop(tries).is_none()).then_some(attempt)
    }
}

impl Advance<'_, '_> {
    /// Gives open attempts what waits for their agents, where their programs converse, as far as they have room.
    ///
    /// # Errors
    /// When what is recorded of an agent cannot be read.
    pub(super) fn give_while_they_run(&mut self) -> Result<(), RunRejection> {
        if !self.is_driven() || !self.draft.state().may_deliver() {
            return Ok(());
        }
        let next: Vec<_> =
            self.draft.state().messages().to_give().map(|Next { holder, open, .. }| (holder, open)).collect();
        for (holder, open) in next {
            let mut may = open.iter().filter(|(fence, _)| holder.is_none_or(|holder| holder == *fence));
            let attempt = may.find_map(|(fence, step)| self.draft.state().goes_on(step, *fence));
            if let Some(attempt) = attempt
                && self.converses(&attempt.agent)?
            {
                self.give_to(&attempt);
            }
        }
        Ok(())
    }

    fn give_to(&mut self, attempt: &AttemptStarted) {
        self.expire_late(&attempt.agent);
        while let Some(next) = self.draft.state().messages().next_for(&attempt.agent) {
            let number = next.sent.message.number;
            self.draft.emit(MessageGiven {
                number,
                receiver: attempt.agent.clone(),
                step: attempt.step.clone(),
                purpose: attempt.purpose,
                attempt: attempt.attempt,
            });
        }
    }

    /// Whether the programs of an agent converse: they are given messages while they run, and say themselves which they have
    /// handled.
    ///
    /// # Errors
    /// When what is recorded of the agent cannot be read.
    pub(super) fn converses(&self, agent: &AgentName) -> Result<bool, RunRejection> {
        let Some(definition) = self.draft.state().agent(agent) else { return Ok(false) };
        Ok(self.draft.value::<Converses, _>(&definition.hash, self.moment)?.stream)
    }

    /// An attempt says that it has handled a message.
    ///
    /// # Errors
    /// When it is not open any more, or was not given that message.
    pub(super) fn handled(
        &mut self,
        step: &StepId,
        fence: Fence,
        number: MessageNumber,
    ) -> Result<(), RunRejection> {
        let Some((_, attempt)) = self.draft.state().open_attempt(step, fence) else {
            return Err(Refusal::NothingOpen(step.clone()).into());
        };
        if !self.converses(&attempt.agent)? || !self.draft.state().messages().was_given(fence, number) {
            let message = format!("message {number} was not given to it, or it has handled it before");
            return Err(Refusal::NotSaid { code: Code::MessageNotGiven, message }.into());
        }
        self.handle(&attempt, number);
        Ok(())
    }

    fn handle(&mut self, attempt: &AttemptStarted, number: MessageNumber) {
        self.draft.emit(MessageHandled {
            number,
            receiver: attempt.agent.clone(),
            step: attempt.step.clone(),
            purpose: attempt.purpose,
            attempt: attempt.attempt,
            delivery: None,
        });
    }

    /// Records that an attempt that succeeds has handled what it was given, unless it says of each message itself whether it has.
    ///
    /// # Errors
    /// When what is recorded of its agent cannot be read.
    pub(super) fn handle_given(&mut self, attempt: &AttemptStarted) -> Result<(), RunRejection> {
        let given = self.numbers_given(attempt);
        if given.is_empty() || self.converses(&attempt.agent)? {
            return Ok(());
        }
        given.into_iter().for_each(|number| self.handle(attempt, number));
        Ok(())
    }

    /// What an open attempt was given, and has not handled.
    pub(super) fn numbers_given(&self, attempt: &AttemptStarted) -> Vec<MessageNumber> {
        let given = self.draft.state().messages().given(attempt.fence);
        given.map(|sent| sent.message.number).collect()
    }

    /// Of what an attempt was given that has ended, and has not handled, is dead what nobody has handled too often.
    pub(super) fn give_up_messages(
        &mut self,
        attempt: &AttemptStarted,
        given: Vec<MessageNumber>,
        why: (Code, &str),
    ) {
        given.into_iter().for_each(|number| self.give_up_message(&attempt.agent, number, false, why));
    }

    /// A message is dead for a receiver who has failed at it too often, or for whom another try would be in vain.
    pub(super) fn give_up_message(
        &mut self,
        receiver: &AgentName,
        number: MessageNumber,
        in_vain: bool,
        (code, message): (Code, &str),
    ) {
        let tries = self.draft.state().messages().tries(receiver, number);
        if in_vain || tries >= MESSAGE_TRIES_MAX {
            let why = ExpiredWhy::TriedTooOften { tries, code, message: message.to_owned() };
            self.draft.emit(MessageExpired { number, receiver: receiver.clone(), why });
        }
    }
}
