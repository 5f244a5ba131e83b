//! The messages between the agents of a run, as they are sent, handled, and die.

use std::sync::Arc;

use super::{Contradiction, Evolution};
use crate::events::ids::{AgentName, Fence, StepId};
use crate::events::run::{
    AttemptStarted, MessageExpired, MessageHandled, MessageSent, Purpose, StepAdded, StepKind,
};

impl Evolution<'_> {
    pub(super) fn message_sent(&mut self, event: &MessageSent) -> Result<(), Contradiction> {
        if event.by.is_none() {
            self.open_attempt(&event.step, event.purpose, event.attempt)?;
        }
        self.run.messages.send(event, self.now)
    }

    pub(super) fn message_handled(&mut self, event: &MessageHandled) -> Result<(), Contradiction> {
        let fence = self.open_attempt(&event.step, event.purpose, event.attempt)?;
        self.run.messages.handle(fence, &event.receiver, event.number)
    }

    pub(super) fn message_expired(&mut self, event: &MessageExpired) -> Result<(), Contradiction> {
        self.run.messages.expire(&event.receiver, event.number)
    }

    /// An attempt that is open is about to end without success: that counts for what it was given.
    pub(super) fn count_try(&mut self, step: &StepId, purpose: Purpose, attempt: u32) {
        if let Ok(fence) = self.open_attempt(step, purpose, attempt) {
            self.run.messages.count_try(fence);
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

    fn open_attempt(&self, step: &StepId, purpose: Purpose, attempt: u32) -> Result<Fence, Contradiction> {
        let node = self.run.node(step).map(|(_, node)| node);
        let mut open = node.into_iter().flat_map(|node| node.open_attempts());
        let is_it = |open: &&Arc<AttemptStarted>| (open.purpose, open.attempt) == (purpose, attempt);
        let found = open.find(is_it).map(|open| open.fence);
        found.ok_or_else(|| format!("no attempt {attempt} at `{step}` is open that has messages"))
    }
}
