//! A run waits for agents that are paused: that is recorded, so that its status follows from its own fold, and so is the end of
//! it. What waits so uses up no attempt, and keeps no process.

use std::collections::BTreeMap;

use super::advance::Advance;
use super::index::StepIndex;
use super::{Moment, Phase, Run};
use crate::events::ids::AgentName;
use crate::events::run::{AgentAwaitEnded, AgentAwaited};
use crate::events::time::Timestamp;

impl Run {
    /// The paused agents that its steps want, each with when that was recorded.
    pub fn awaited_agents(&self) -> &BTreeMap<AgentName, Timestamp> {
        &self.awaited_agents
    }

    /// The steps that an agent could do or undo now, if it started anything.
    pub(crate) fn steps_for(&self, agent: &AgentName) -> impl Iterator<Item = StepIndex> {
        let queue = match &self.phase {
            Phase::Going => Some(&self.ready),
            Phase::Unwinding(unwinding) => Some(&unwinding.ready),
            _ => None,
        };
        queue.into_iter().flat_map(|queue| queue.of(agent))
    }

    /// Whether an agent could do something for it now, if it started anything: a step, or to handle a message.
    pub(in crate::aggregates::run) fn wants(&self, agent: &AgentName) -> bool {
        let is_delivered =
            || self.may_deliver() && self.messages.to_deliver().any(|(receiver, ..)| receiver == agent);
        self.steps_for(agent).next().is_some() || is_delivered()
    }
}

impl Advance<'_, '_> {
    /// An agent is paused: if steps could start that want it, they wait for it from here on. Who does not drive the run does not
    /// know what could start.
    pub(super) fn agent_is_paused(&mut self, agent: AgentName, moment: &Moment<'_>) {
        let run = self.draft.state();
        let wants = !run.paused && run.wants(&agent);
        if moment.grants.is_some() && wants && !run.awaited_agents.contains_key(&agent) {
            self.draft.emit(AgentAwaited { agent });
        }
    }

    /// An agent is not paused any more.
    pub(super) fn agent_is_free(&mut self, agent: AgentName) {
        if self.draft.state().awaited_agents.contains_key(&agent) {
            self.draft.emit(AgentAwaitEnded { agent });
        }
    }

    /// Ends the waiting for agents that no step wants any more: those were cancelled, say, or are to be undone.
    pub(super) fn end_vain_waits(&mut self) {
        let run = self.draft.state();
        let is_vain = |agent: &&AgentName| !run.wants(agent);
        let vain: Vec<AgentName> = run.awaited_agents.keys().filter(is_vain).cloned().collect();
        vain.into_iter().for_each(|agent| self.draft.emit(AgentAwaitEnded { agent }));
    }
}
