//! The phases of a run: names for groups of steps.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::aggregates::run::{Graph, Node, StepPhase};

/// A phase of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseReport {
    /// The name of the phase.
    pub name: String,
    /// The status of its steps together, in the words for steps.
    pub status: String,
    /// How many of its steps are done with.
    pub done: usize,
    /// How many steps it has, without those that grew inside one of them.
    pub total: usize,
}

/// The phases of a run, in the order in which its steps name them.
pub(super) fn phases(nodes: &Graph) -> Vec<PhaseReport> {
    let mut members: Vec<(&str, Vec<&Node>)> = Vec::new();
    let mut places = HashMap::new();
    for node in nodes.iter().filter(|node| node.inside.is_none()) {
        let Some(name) = node.added.phase.as_deref() else { continue };
        let place = *places.entry(name).or_insert_with(|| {
            members.push((name, Vec::new()));
            members.len() - 1
        });
        members.get_mut(place).into_iter().for_each(|(_, steps)| steps.push(node));
    }
    let report = |(name, steps): (&str, Vec<&Node>)| PhaseReport {
        name: name.to_owned(),
        status: status(&steps).to_owned(),
        done: steps.iter().filter(|node| node.is_done() && !node.asks_of_phase()).count(),
        total: steps.iter().filter(|node| !node.asks_of_phase()).count(),
    };
    members.into_iter().map(report).collect()
}

/// The status that is most worth knowing of some steps.
fn status(steps: &[&Node]) -> &'static str {
    let is = |status: &'static str| move |node: &&Node| node.status() == status;
    let failed = |node: &&Node| {
        matches!(node.doing.phase, StepPhase::Failed { tolerated: false }) && is("failed")(node)
    };
    if steps.iter().any(failed) {
        return "failed";
    }
    // What still goes on counts before what is over.
    for status in ["compensating", "compensated", "cancelled", "running", "retrying", "waiting"] {
        if steps.iter().any(is(status)) {
            return if status == "retrying" { "running" } else { status };
        }
    }
    match steps.iter().filter(|node| node.is_done()).count() {
        0 => "pending",
        done if done < steps.len() => "running",
        _ if steps.iter().all(|node| is("skipped")(node) || node.asks_of_phase()) => "skipped",
        _ => "completed",
    }
}
