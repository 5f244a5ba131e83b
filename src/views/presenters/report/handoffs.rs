//! How the agents of a run handed over.

use serde::{Deserialize, Serialize};

use crate::aggregates::run::{Graph, Hop};
use crate::events::ids::{AgentName, StepId};
use crate::events::json::Payload;

/// The handoffs of a run: of the work that still counts, not of what was undone and is done anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandoffsReport {
    /// The agents of the longest chain, in order; empty if no agent handed over.
    pub chain: Vec<AgentName>,
    /// How many handoffs there are in all chains.
    pub total: usize,
    /// Each of them, chain by chain, in the order of the steps with which those began.
    pub hops: Vec<HandoffReport>,
}

/// A handoff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandoffReport {
    /// The step whose attempt handed over.
    pub step: StepId,
    /// The agent that handed over.
    pub from: AgentName,
    /// The agent that went on.
    pub to: AgentName,
    /// Why, as the first agent said.
    pub reason: String,
    /// How much the other agent was told, in bytes of JSON.
    pub context_bytes: u64,
}

pub(super) fn handoffs(nodes: &Graph) -> HandoffsReport {
    let mut report = HandoffsReport::default();
    for hops in nodes.iter().map(|node| &node.handoffs).filter(|hops| !hops.is_empty()) {
        let first = hops.first().map(|hop| &hop.from);
        let chain: Vec<AgentName> =
            first.into_iter().chain(hops.iter().map(|hop| &hop.to)).cloned().collect();
        if chain.len() > report.chain.len() {
            report.chain = chain;
        }
        report.hops.extend(hops.iter().filter_map(|hop| told(hop, nodes)));
    }
    report.total = report.hops.len();
    report
}

fn told(hop: &Hop, nodes: &Graph) -> Option<HandoffReport> {
    let Hop { from, to, reason, context, .. } = hop.clone();
    let context_bytes = match &context {
        Payload::Inline(json) => json.text().len() as u64,
        Payload::Blob(reference) => reference.size_bytes,
    };
    Some(HandoffReport { step: nodes.get(hop.by)?.id().clone(), from, to, reason, context_bytes })
}
