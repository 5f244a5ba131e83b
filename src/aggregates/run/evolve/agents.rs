//! The paused agents that a run waits for.

use super::{Contradiction, Evolution};
use crate::events::run::{AgentAwaitEnded, AgentAwaited, RunEvent};

impl Evolution<'_> {
    pub(super) fn of_agent(&mut self, event: &RunEvent) -> Result<(), Contradiction> {
        match event {
            RunEvent::AgentAwaited(event) => self.agent_awaited(event),
            RunEvent::AgentAwaitEnded(event) => self.agent_await_ended(event),
            _ => Err("it is about no agent that is waited for".to_owned()),
        }
    }

    fn agent_awaited(&mut self, event: &AgentAwaited) -> Result<(), Contradiction> {
        if !self.run.wants(&event.agent) {
            return Err(format!("nothing wants agent `{}`", event.agent));
        }
        match self.run.awaited_agents.insert(event.agent.clone(), self.now) {
            None => Ok(()),
            Some(_) => Err(format!("it waits for agent `{}` already", event.agent)),
        }
    }

    fn agent_await_ended(&mut self, event: &AgentAwaitEnded) -> Result<(), Contradiction> {
        let awaited = self.run.awaited_agents.remove(&event.agent);
        awaited.map(drop).ok_or_else(|| format!("it does not wait for agent `{}`", event.agent))
    }
}
