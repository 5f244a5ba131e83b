//! The order in which a run is unwound. It follows from the graph: a step's turn comes when all that depend on it are
//! done with, and what grew in it, and a round's when the one after it is; independent branches have their turns at the
//! same time.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::graph::Graph;
use super::index::{Each, StepIndex};
use super::node::Node;
use super::phase::StepPhase;
use super::queue::Queue;
use crate::events::run::{RollbackCause, RoundOrder};

/// A run that is being undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Unwinding {
    pub(crate) cause: RollbackCause,
    /// The step or the phase that is kept, and with it all that does not depend on it.
    pub(crate) to: Option<Arc<str>>,
    rounds: RoundOrder,
    /// None for a step that is kept.
    gates: Each<Option<PendingTurn>>,
    /// Steps whose turn has come and whose compensation is not opened yet.
    pub(super) due: BTreeSet<StepIndex>,
    /// Steps whose opened compensation could be tried.
    pub(super) ready: Queue,
    /// How many compensations are neither settled nor failed for good.
    pub(super) open: usize,
    /// Steps whose compensation failed for good.
    pub(super) failed: BTreeSet<StepIndex>,
    /// How many gates are not settled yet: at 0 nothing is left to be undone.
    pub(super) unsettled: usize,
}

/// What a partial rollback keeps, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// A step, or a phase.
    pub(super) name: Arc<str>,
    /// The steps that those are.
    pub(super) places: Vec<StepIndex>,
}

/// What a step's turn waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct PendingTurn {
    /// Steps that depend on it and are not done with, and the round after it; for a step that grew in another, also the
    /// turn of that one.
    behind: usize,
    /// Steps that grew in it and are not done with.
    inside: usize,
    /// Whether what grew in it had its turn.
    opened: bool,
    settled: bool,
}

/// What a step is when its turn comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Something still runs or will become of it, or it is being undone, or undoing it failed.
    Unsettled,
    /// Its compensation is owed and not opened.
    Owes,
    /// It is undone, or there is nothing to undo.
    Settled,
}

impl Standing {
    pub(super) fn of(node: &Node) -> Self {
        match &node.compensation {
            Some(undo) if undo.is_settled() => Self::Settled,
            Some(_) => Self::Unsettled,
            None if node.is_on_its_way() => Self::Unsettled,
            None if node.owes().is_some() => Self::Owes,
            None => Self::Settled,
        }
    }
}

impl Unwinding {
    /// Before the first turn. What is undone is everything, or all that depends on `to`.
    pub(super) fn new(cause: RollbackCause, to: Option<Kept>, rounds: RoundOrder, steps: &Graph) -> Self {
        let undone = to.as_ref().map(|kept| steps.behind(&kept.places));
        let is_undone = |place: StepIndex| undone.as_ref().is_none_or(|undone| undone.has(place));
        let gates: Each<_> = steps
            .indexed()
            .map(|(place, node)| {
                let counts = is_undone(place) && node.doing.phase != StepPhase::Left;
                let outer = usize::from(node.inside.is_some_and(is_undone));
                // Rounds are undone together or not at all: with their loop.
                let later = rounds == RoundOrder::LastFirst && steps.round_beside(place, 1).is_some();
                counts.then(|| PendingTurn {
                    behind: node.dependents.len() + outer + usize::from(later),
                    inside: node.children.len(),
                    opened: false,
                    settled: false,
                })
            })
            .collect();
        let unsettled = gates.iter().flatten().count();
        Self {
            cause,
            to: to.map(|kept| kept.name),
            rounds,
            gates,
            due: BTreeSet::new(),
            ready: Queue::default(),
            open: 0,
            failed: BTreeSet::new(),
            unsettled,
        }
    }

    /// Whether a step is one of those that are undone.
    pub(crate) fn undoes(&self, place: StepIndex) -> bool {
        self.gates.get(place).is_some_and(Option::is_some)
    }

    /// Whether all is undone that depends on the step that is kept.
    pub(super) fn is_back(&self) -> bool {
        self.to.is_some() && self.unsettled == 0
    }

    /// Whether nothing can go on before somebody settles what failed for good.
    pub(super) fn is_stuck(&self) -> bool {
        self.open == 0 && self.due.is_empty() && !self.failed.is_empty()
    }

    /// The first turns: the steps whose compensation is to be opened.
    pub(super) fn begin(
        &mut self,
        steps: &Graph,
        standing: impl Fn(StepIndex, &Node) -> Standing,
    ) -> Vec<StepIndex> {
        let first = steps.indices().filter(|place| self.undoes(*place)).collect();
        self.follow(first, steps, standing)
    }

    /// Something became of a step: the steps whose turn comes with that, and whose compensation is to be opened.
    pub(super) fn touched(
        &mut self,
        place: StepIndex,
        steps: &Graph,
        standing: impl Fn(StepIndex, &Node) -> Standing,
    ) -> Vec<StepIndex> {
        self.follow(vec![place], steps, standing)
    }

    fn follow(
        &mut self,
        mut next: Vec<StepIndex>,
        steps: &Graph,
        standing: impl Fn(StepIndex, &Node) -> Standing,
    ) -> Vec<StepIndex> {
        let mut due = Vec::new();
        while let Some(place) = next.pop() {
            let (Some(node), Some(gate)) = (steps.get(place), self.gate(place)) else { continue };
            if gate.behind > 0 || gate.settled {
                continue;
            }
            let first_turn = !std::mem::replace(&mut gate.opened, true);
            let waits = gate.inside > 0;
            if first_turn {
                for child in &node.children {
                    if let Some(gate) = self.gate(*child) {
                        gate.behind = gate.behind.saturating_sub(1);
                        next.push(*child);
                    }
                }
            }
            if waits {
                continue;
            }
            match standing(place, node) {
                Standing::Unsettled => {}
                Standing::Owes if self.due.insert(place) => due.push(place),
                Standing::Owes => {}
                Standing::Settled => self.settle(place, steps, &mut next),
            }
        }
        due
    }

    fn settle(&mut self, place: StepIndex, steps: &Graph, next: &mut Vec<StepIndex>) {
        self.due.remove(&place);
        self.unsettled = self.unsettled.saturating_sub(1);
        if let Some(gate) = self.gate(place) {
            gate.settled = true;
        }
        for waits in self.waiting_for(place, steps) {
            if let Some(gate) = self.gate(waits) {
                gate.behind = gate.behind.saturating_sub(1);
                next.push(waits);
            }
        }
        if let Some(parent) = steps.get(place).and_then(|node| node.inside)
            && let Some(gate) = self.gate(parent)
        {
            gate.inside = gate.inside.saturating_sub(1);
            next.push(parent);
        }
    }

    /// The steps whose turn waits for this one, but for the step that it grew in: those that it needs, and the round
    /// before it.
    pub(super) fn waiting_for(&self, place: StepIndex, steps: &Graph) -> Vec<StepIndex> {
        let needs = steps.get(place).into_iter().flat_map(|node| &node.added.needs);
        let needs = needs.filter_map(|need| steps.index(need));
        let earlier = (self.rounds == RoundOrder::LastFirst).then(|| steps.round_beside(place, -1)).flatten();
        needs.chain(earlier).collect()
    }

    fn gate(&mut self, place: StepIndex) -> Option<&mut PendingTurn> {
        self.gates.get_mut(place)?.as_mut()
    }

    /// Whether its turn comes when one more step is done with.
    pub(super) fn is_last_behind(&self, place: StepIndex) -> bool {
        matches!(self.gates.get(place), Some(Some(gate)) if gate.behind == 1 && !gate.settled)
    }
}
