//! Which agents of a run were stuck, and who was asked.

use serde::{Deserialize, Serialize};

use crate::aggregates::run::Graph;
use crate::events::ids::{AgentName, StepId};

/// A question to a manager about an agent that was stuck, since the run went forward last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscalationReport {
    /// The step that was stuck.
    pub step: StepId,
    /// The agent that was asked.
    pub to: AgentName,
    /// What was seen, in a sentence.
    pub seen: String,
}

pub(super) fn escalations(nodes: &Graph) -> Vec<EscalationReport> {
    let asked = nodes.iter().filter_map(|node| node.watch.as_ref()).flat_map(|watch| watch.escalations());
    let told = asked.filter_map(|asked| {
        let step = nodes.get(asked.at)?.id().clone();
        Some(EscalationReport { step, to: asked.to.clone(), seen: asked.seen.clone() })
    });
    told.collect()
}
