//! How the graph grows, and what may start in it.

use std::sync::Arc;

use super::{Contradiction, Fold, start};
use crate::events::ids::StepId;
use crate::events::run::{SkipReason, StepAdded, StepKind};
use crate::workflow::run::node::{Expansion, Trace};
use crate::workflow::run::{Node, Phase, Run, RunEffectId, StepPhase, Unwinding};

impl Fold<'_> {
    pub(super) fn step_added(&mut self, event: &StepAdded) -> Result<(), Contradiction> {
        let inside = event.inside.as_ref().map(|parent| self.place(parent)).transpose()?;
        let place = match self.run.index.get(&event.step).copied() {
            Some(place) => self.come_back(place, event, inside)?,
            None => {
                let place = self.run.steps.len();
                self.run.steps.push(Node::new(Arc::new(event.clone()), inside));
                self.run.index.insert(event.step.clone(), place);
                place
            }
        };
        let mut unmet = 0;
        for need in &event.needs {
            match self.run.index.get(need).copied() {
                Some(needed) => {
                    let node = self.node_mut(needed)?;
                    node.dependents.push(place);
                    unmet += usize::from(!node.is_done());
                }
                None => {
                    self.run.awaited.entry(need.clone()).or_default().push(place);
                    unmet += 1;
                }
            }
        }
        let dependents = self.run.awaited.remove(&event.step).unwrap_or_default();
        let node = self.node_mut(place)?;
        (node.dependents, node.unmet) = (dependents, unmet);
        match inside {
            Some(parent) => self.expand(parent, place),
            None if unmet == 0 => self.make_ready(place),
            None => Ok(()),
        }
    }

    /// A step grows again that grew there before what it is inside of started anew.
    fn come_back(
        &mut self,
        place: usize,
        event: &StepAdded,
        inside: Option<usize>,
    ) -> Result<usize, Contradiction> {
        let node = self.node_mut(place)?;
        if node.phase != StepPhase::Left {
            return Err(format!("there is a step `{}` already", event.step));
        }
        (node.added, node.inside, node.phase) = (Arc::new(event.clone()), inside, StepPhase::Blocked);
        self.run.left -= 1;
        self.run.done -= 1;
        Ok(place)
    }

    /// A step grew in another, which is then no longer done by itself.
    fn expand(&mut self, parent: usize, child: usize) -> Result<(), Contradiction> {
        let phase = std::mem::replace(&mut self.node_mut(parent)?.phase, StepPhase::Between);
        let expansion = match phase {
            StepPhase::Expanded(expansion) => expansion,
            StepPhase::Ready => {
                self.take_from_ready(parent)?;
                Expansion::default()
            }
            _ => return Err("a step can only grow in one that starts".to_owned()),
        };
        let (now, node) = (self.now, self.node_mut(parent)?);
        node.children.push(child);
        node.started_at.get_or_insert(now);
        node.phase = StepPhase::Expanded(expansion);
        self.release(parent)
    }

    /// Lets as many of the steps inside start as may be on their way at once.
    pub(super) fn release(&mut self, parent: usize) -> Result<(), Contradiction> {
        let node = self.node_mut(parent)?;
        let width = match node.added.kind {
            StepKind::FanOut { max_parallel: Some(width), .. } => width as usize,
            _ => usize::MAX,
        };
        let children = node.children.len();
        loop {
            let node = self.node_mut(parent)?;
            let StepPhase::Expanded(expansion) = &mut node.phase else { return Ok(()) };
            if expansion.open >= width || expansion.released >= children {
                return Ok(());
            }
            let child = node.children.get(expansion.released).copied();
            expansion.released += 1;
            // After a retry some of them may be done with already.
            let Some(child) = child.filter(|child| self.is_blocked(*child)) else { continue };
            if let StepPhase::Expanded(expansion) = &mut self.node_mut(parent)?.phase {
                expansion.open += 1;
            }
            self.make_ready(child)?;
        }
    }

    /// The step is done with: those that need it may start.
    pub(super) fn finish(&mut self, place: usize) -> Result<(), Contradiction> {
        let now = self.now;
        let node = self.node_mut(place)?;
        node.ended_at = Some(now);
        let (inside, dependents) = (node.inside, node.dependents.clone());
        self.run.done += 1;
        self.became_of(place);
        for dependent in dependents {
            let node = self.node_mut(dependent)?;
            node.unmet = node.unmet.saturating_sub(1);
            if node.unmet == 0 && node.phase == StepPhase::Blocked {
                self.make_ready(dependent)?;
            }
        }
        let Some(parent) = inside else { return Ok(()) };
        if let StepPhase::Expanded(expansion) = &mut self.node_mut(parent)?.phase {
            expansion.done += 1;
            expansion.open = expansion.open.saturating_sub(1);
        }
        self.release(parent)
    }

    pub(super) fn make_ready(&mut self, place: usize) -> Result<(), Contradiction> {
        let node = self.node_mut(place)?;
        node.phase = StepPhase::Ready;
        let (slot, effect) = (node.slot().cloned(), start(node));
        self.run.ready.entry(slot).or_default().insert(place);
        if self.run.phase == Phase::Going && !self.run.paused {
            self.changes.open(effect);
        }
        Ok(())
    }

    pub(super) fn take_from_ready(&mut self, place: usize) -> Result<(), Contradiction> {
        let node = self.node_mut(place)?;
        let (slot, id) = (node.slot().cloned(), node.id().clone());
        if let Some(steps) = self.run.ready.get_mut(&slot) {
            steps.remove(&place);
            if steps.is_empty() {
                self.run.ready.remove(&slot);
            }
        }
        self.changes.close(RunEffectId::Start(id));
        Ok(())
    }

    fn is_blocked(&self, place: usize) -> bool {
        self.run.steps.get(place).is_some_and(|node| node.phase == StepPhase::Blocked)
    }

    /// The run goes forward again: what failed, was cancelled, or was skipped because of those is to be done after all;
    /// what was undone is to be done anew.
    pub(super) fn go_again(&mut self, undone: Option<&Unwinding>) -> Result<(), Contradiction> {
        for place in 0..self.run.steps.len() {
            let anew = undone.is_some_and(|unwinding| unwinding.undoes(place));
            let inside = self.node_mut(place)?.inside;
            let inside_anew = inside.zip(undone).is_some_and(|(at, unwinding)| unwinding.undoes(at));
            let afresh = self.run.steps.get(place).is_some_and(|node| self.run.is_to_be_retried(node));
            let node = self.node_mut(place)?;
            if inside_anew {
                node.start_anew();
                node.phase = StepPhase::Left;
            } else if anew {
                node.start_anew();
            } else if afresh {
                node.try_afresh();
            }
        }
        self.recount()
    }

    /// Counts again what is done, what waits for what, and what may start. It costs as much as the run is large, so it is
    /// for what seldom happens.
    fn recount(&mut self) -> Result<(), Contradiction> {
        self.run.ready.clear();
        let is_left = |node: &&Node| node.phase == StepPhase::Left;
        self.run.left = self.run.steps.iter().filter(is_left).count();
        self.run.done = self.run.left + self.run.steps.iter().filter(|node| node.is_done()).count();
        for place in 0..self.run.steps.len() {
            let Some(node) = self.run.steps.get(place) else { continue };
            let is_met = |need: &StepId| {
                let needed = self.run.index.get(need).and_then(|at| self.run.steps.get(*at));
                needed.is_some_and(Node::is_done)
            };
            let unmet = node.added.needs.iter().filter(|need| !is_met(need)).count();
            let children = || node.children.iter().filter_map(|at| self.run.steps.get(*at));
            let done = children().filter(|child| child.is_done()).count();
            let open =
                children().filter(|child| child.is_on_its_way() && child.phase != StepPhase::Ready).count();
            let starts = node.inside.is_none() && unmet == 0;
            let expansion = (!node.children.is_empty()).then_some(Expansion { released: 0, open, done });
            let node = self.node_mut(place)?;
            node.unmet = unmet;
            match (&node.phase, expansion) {
                (StepPhase::Blocked | StepPhase::Ready | StepPhase::Expanded(_), Some(expansion)) => {
                    node.phase = StepPhase::Expanded(expansion);
                }
                (StepPhase::Blocked | StepPhase::Ready, None) if starts => self.make_ready(place)?,
                (StepPhase::Ready, None) => node.phase = StepPhase::Blocked,
                _ => {}
            }
        }
        for place in 0..self.run.steps.len() {
            self.release(place)?;
        }
        Ok(())
    }
}

impl Run {
    /// Whether a retry of the run is one of this step. Not of a part of what is done: that went on without it.
    pub(in crate::workflow::run) fn is_to_be_retried(&self, node: &Node) -> bool {
        let outer = node.inside.and_then(|parent| self.steps.get(parent));
        !outer.is_some_and(Node::is_done)
            && matches!(
                node.phase,
                StepPhase::Failed { tolerated: false }
                    | StepPhase::Cancelled
                    | StepPhase::Skipped { reason: SkipReason::Dependency, .. }
            )
    }
}

impl Node {
    /// It is to be done after all, with fresh attempts, in the same generation.
    fn try_afresh(&mut self) {
        self.phase = StepPhase::Blocked;
        (self.failures, self.lost, self.fallback) = (0, 0, None);
        (self.error, self.ended_at) = (None, None);
    }

    /// It is to be done anew. What it did, if it did anything, is undone or belongs to the past: then it is another
    /// generation.
    fn start_anew(&mut self) {
        if matches!(self.phase, StepPhase::Completed { .. }) || self.compensation.is_some() {
            self.generation += 1;
            self.attempts_before = self.attempts;
            self.trace = Trace::Nothing;
        }
        self.try_afresh();
        (self.compensation, self.started_at) = (None, None);
        self.children.clear();
    }
}
