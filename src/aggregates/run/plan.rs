//! The plan of a rollback: what it would undo, in which order, and what it could not undo.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::unwinding::Standing;
use super::{Node, Run, RunRejection, Unwinding};
use crate::events::ids::StepId;
use crate::events::run::{RollbackCause, RoundOrder, StepKind};

/// What a rollback would do, if it began now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackPlan {
    /// What would be undone: group after group, the steps of a group at the same time.
    pub order: Vec<Vec<StepId>>,
    /// What was done, or may have been, and cannot be undone.
    pub cannot: Vec<CannotUndo>,
}

/// A step that cannot be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CannotUndo {
    /// The step that would stay as it is.
    pub step: StepId,
    /// The reason, for people.
    pub why: String,
}

impl Run {
    /// What a rollback would do, back to a step or a phase that is kept, or all the way.
    ///
    /// # Errors
    /// When the run cannot be rolled back so.
    pub fn rollback_plan(&self, to: Option<&str>) -> Result<RollbackPlan, RunRejection> {
        let kept = self.may_roll_back(to)?;
        let cause = RollbackCause::Cancel;
        let rounds = RoundOrder::LastFirst;
        let mut unwinding = Unwinding::new(cause, kept, rounds, &self.steps);
        let mut undone = BTreeSet::new();
        let mut group = unwinding.begin(&self.steps, |_, node| standing(node));
        let mut order = Vec::new();
        while !group.is_empty() {
            group.sort_unstable();
            order.push(self.steps.all(&group).map(|node| node.id().clone()).collect());
            let touched = std::mem::take(&mut group);
            undone.extend(touched.iter().copied());
            for place in touched {
                group.extend(unwinding.touched(place, &self.steps, |place, node| {
                    if undone.contains(&place) { Standing::Settled } else { standing(node) }
                }));
            }
        }
        let left = self.steps.indexed().filter(|(place, _)| unwinding.undoes(*place));
        let cannot = left.filter_map(|(_, node)| cannot(node)).collect();
        Ok(RollbackPlan { order, cannot })
    }
}

/// What a step will be when its turn comes: what runs will have been cancelled, and nobody knows how far it came.
fn standing(node: &Node) -> Standing {
    match &node.compensation {
        Some(undo) if undo.is_settled() => Standing::Settled,
        Some(_) => Standing::Owes,
        None if will_owe(node) => Standing::Owes,
        None => Standing::Settled,
    }
}

fn will_owe(node: &Node) -> bool {
    node.owes().is_some() || (node.added.undo.is_some() && node.open_attempt().is_some())
}

fn cannot(node: &Node) -> Option<CannotUndo> {
    let works = matches!(node.added.kind, StepKind::Work { .. });
    let did = node.leaves_traces() || node.open_attempt().is_some();
    if !works || !did || node.added.nothing_to_undo || will_owe(node) || node.compensation.is_some() {
        return None;
    }
    let why = if node.added.irreversible {
        "it is irreversible"
    } else if node.output().is_some() {
        "it is done and has no compensation"
    } else {
        "nobody knows how far it came, and it has no compensation"
    };
    Some(CannotUndo { step: node.id().clone(), why: why.to_owned() })
}
