//! The messages between the agents of a run, as they are sent, handled, and die.

use super::{Contradiction, Evolution};
use crate::events::ids::{AgentName, StepId};
use crate::events::run::{MessageExpired, MessageHandled, MessageSent, Purpose, StepAdded, StepKind};

impl Evolution<'_> {
    pub(super) fn message_sent(&mut self, event: &MessageSent) -> Result<(), Contradiction> {
        if event.by.is_none() {
            self.open_attempt(&event.step, event.purpose, event.attempt)?;
        }
        self.run.messages.send(event, self.now)
    }

    pub(super) fn message_handled(&mut self, event: &MessageHandled) -> Result<(), Contradiction> {
        let fence = self.open_attempt(&event.step, event.purpose, event.attempt)?.fence;
        self.run.messages.handle(fence, &event.receiver, event.number)
    }

    pub(super) fn message_expired(&mut self, event: &MessageExpired) -> Result<(), Contradiction> {
        self.run.messages.expire(&event.receiver, event.number)
    }

    /// An attempt that is open is about to end without success: that counts for what it was given.
    pub(super) fn count_try(&mut self, step: &StepId, purpose: Purpose, attempt: u32) {
        if let Ok(open) = self.open_attempt(step, purpose, attempt) {
            self.run.messages.count_try(open.fence);
        }
    }

    /// The agents that a step names are the run's.
    pub(super) fn meet_agents(&mut self, added: &StepAdded) {
        let agent: Option<&AgentName> = match &added.kind {
            StepKind::Work { agent } | StepKind::Repeat { agent } => Some(agent),
            StepKind::FanOut { agent, .. } => agent.as_ref(),
            StepKind::Sleep | StepKind::Wait { .. } | StepKind::AskOfPhase => None,
        };
        let undoes = added.undo.as_ref().map(|undo| &undo.agent);
        agent.into_iter().chain(undoes).for_each(|agent| self.run.messages.meet(agent));
    }
}
