//! What could be tried as soon as there are slots.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::index::StepIndex;
use crate::events::ids::AgentName;

/// Steps that could be tried, by the agent whose slot they want, each in the order of the graph.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Queue(BTreeMap<Option<AgentName>, BTreeSet<StepIndex>>);

impl Queue {
    pub(super) fn add(&mut self, agent: Option<AgentName>, step: StepIndex) {
        self.0.entry(agent).or_default().insert(step);
    }

    pub(super) fn remove(&mut self, agent: &Option<AgentName>, step: StepIndex) {
        if let Some(steps) = self.0.get_mut(agent) {
            steps.remove(&step);
            if steps.is_empty() {
                self.0.remove(agent);
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The agents whose slots are wanted.
    pub(super) fn agents(&self) -> Vec<AgentName> {
        self.0.keys().flatten().cloned().collect()
    }

    /// The first step that wants a slot of this agent.
    pub(super) fn first(&self, agent: &AgentName) -> Option<StepIndex> {
        self.0.get(&Some(agent.clone()))?.first().copied()
    }

    pub(super) fn steps(&self) -> impl Iterator<Item = &StepIndex> {
        self.0.values().flatten()
    }

    /// The steps that want a slot of this agent.
    pub(super) fn of(&self, agent: &AgentName) -> impl Iterator<Item = StepIndex> {
        self.0.get(&Some(agent.clone())).into_iter().flatten().copied()
    }

    /// How many steps want a slot of each agent.
    pub(super) fn wanted(&self) -> impl Iterator<Item = (Option<&AgentName>, usize)> {
        self.0.iter().map(|(agent, steps)| (agent.as_ref(), steps.len()))
    }
}
