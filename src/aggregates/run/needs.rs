//! The agents that what is left of a run needs: a process that lacks one of them leaves the run alone.

use std::collections::BTreeSet;

use super::child::is_made_by;
use super::{Node, Phase, Run, StartRun};
use crate::events::ids::AgentName;

impl Run {
    /// The agents that what is left of it needs where nothing goes wrong from here on. Who else is needed (a fallback, who
    /// undoes a step, who does one that is added later) is found out when that is so: it could use a slot of them then.
    pub fn needs(&self) -> BTreeSet<&AgentName> {
        let agents: Vec<Option<&AgentName>> = match &self.phase {
            Phase::Empty | Phase::Ending(_) | Phase::Ended(_) => Vec::new(),
            Phase::Going | Phase::Back(_) => {
                self.steps.iter().filter(|node| !node.is_closed()).map(Node::agent).collect()
            }
            Phase::Unwinding(unwinding) => {
                let undone = self.steps.indexed().filter(|(place, _)| unwinding.undoes(*place));
                let owing = undone.map(|(_, node)| node).filter(|node| node.is_to_be_undone());
                owing.map(|node| node.added.undo.as_ref().map(|undo| &undo.agent)).collect()
            }
        };
        let is_made_here = |agent: &&AgentName| !is_made_by(agent) && !self.is_external(agent);
        let receivers = self.agents_to_deliver().filter(|_| self.may_deliver());
        agents.into_iter().flatten().filter(|agent| is_made_here(agent)).chain(receivers).collect()
    }
}

impl StartRun {
    /// The agents that the steps need with which the run begins: see [`Run::needs`].
    pub fn needs(&self) -> BTreeSet<AgentName> {
        let agents = self.definition.steps.iter().filter_map(|step| step.agent());
        let external = self.external();
        agents.filter(|agent| !is_made_by(agent) && !external.contains(agent)).collect()
    }
}

impl Node {
    /// Whether a rollback still has to undo it.
    fn is_to_be_undone(&self) -> bool {
        match &self.compensation {
            Some(undo) => !undo.is_settled(),
            None => self.owes().is_some(),
        }
    }
}
