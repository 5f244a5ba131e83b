//! How the graph grows, and what may start in it.

use std::sync::Arc;

use super::{Contradiction, Evolution};
use crate::aggregates::run::node::{Gated, Inner, NotTakenBy};
use crate::aggregates::run::tries::Trace;
use crate::aggregates::run::{Node, Run, StepIndex, StepPhase, Unwinding};
use crate::events::ids::StepId;
use crate::events::run::{Because, Purpose, SkipReason, StepAdded, StepKind};

impl Evolution<'_> {
    pub(super) fn step_added(&mut self, event: &StepAdded) -> Result<(), Contradiction> {
        let inside = event.inside.as_ref().map(|parent| self.place(parent)).transpose()?;
        self.run.planned += u32::from(event.because == Because::Plan);
        self.meet_agents(event);
        let place = match self.run.steps.index(&event.step) {
            Some(place) => self.come_back(place, event, inside)?,
            None => {
                self.run.fanned += u32::from(event.because == Because::ForEach);
                let place = self.run.steps.add(event, inside);
                self.run.asking.extend((event.kind == StepKind::AskOfPhase).then_some(place));
                place
            }
        };
        let mut unmet = 0;
        for need in &event.needs {
            match self.run.steps.index(need) {
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
        node.dependents.extend(dependents);
        node.unmet = unmet;
        match inside {
            Some(parent) => self.expand(parent, place),
            None if unmet == 0 => self.make_ready(place),
            None => Ok(()),
        }
    }

    /// A step grows again that grew there before what it is inside of started anew.
    fn come_back(
        &mut self,
        place: StepIndex,
        event: &StepAdded,
        inside: Option<StepIndex>,
    ) -> Result<StepIndex, Contradiction> {
        let node = self.node_mut(place)?;
        if node.doing.phase != StepPhase::Left {
            return Err(format!("there is a step `{}` already", event.step));
        }
        (node.added, node.inside) = (Arc::new(event.clone()), inside);
        node.doing.phase = StepPhase::Blocked;
        self.run.left -= 1;
        self.run.done -= 1;
        Ok(place)
    }

    /// A step grew in another, which is not done with before this one is.
    fn expand(&mut self, parent: StepIndex, child: StepIndex) -> Result<(), Contradiction> {
        let is_to_be_guided = self.is_to_be_guided(parent);
        let node = self.node_mut(parent)?;
        // A plan, which completes, or is granted, with what follows in this commit. Or a chain of handoffs, whose last step
        // hands over and completes with what follows.
        let goes_on = matches!(node.gate, Gated::By(_)) || !node.handoffs.is_empty();
        let planned = matches!(node.doing.phase, StepPhase::Completed(_)) && goes_on;
        if node.doing.is_ready() {
            self.take_from_ready(parent)?;
            self.node_mut(parent)?.doing.phase = StepPhase::Expanded;
        } else if is_to_be_guided {
            node.doing.phase = StepPhase::Expanded;
        } else if !planned && node.doing.open().is_none() && node.doing.phase != StepPhase::Expanded {
            return Err("a step can only grow in one that starts, or that answers a plan".to_owned());
        }
        self.run.stalled.remove(&parent);
        self.note_start(parent)?.children.push(child);
        self.release(parent)
    }

    /// Lets as many of the steps inside start as may be on their way at once.
    pub(super) fn release(&mut self, parent: StepIndex) -> Result<(), Contradiction> {
        let node = self.node_mut(parent)?;
        let (width, children) = (node.width(), node.children.len());
        loop {
            let node = self.node_mut(parent)?;
            let opens = node.lets_inner_start();
            let inner = &mut node.inner;
            let is_full = width.is_some_and(|width| inner.open >= width);
            if !opens || is_full || inner.released >= children {
                return Ok(());
            }
            let child = node.children.get(inner.released).copied();
            inner.released += 1;
            // After a retry some of them may be done with already, and what needs others starts when those are.
            let Some(child) = child.filter(|child| self.is_startable(*child)) else { continue };
            self.node_mut(parent)?.inner.open += 1;
            self.make_ready(child)?;
        }
    }

    /// The step has completed, or what was open about that is settled.
    pub(super) fn finish_if_done(&mut self, place: StepIndex) -> Result<(), Contradiction> {
        if self.node_mut(place)?.is_done() {
            return self.finish(place);
        }
        // What it did is done, and may be undone, whatever is still to be said or done about it.
        self.became_of(place);
        self.release(place)
    }

    /// The step is done with: those that need it may start.
    pub(super) fn finish(&mut self, place: StepIndex) -> Result<(), Contradiction> {
        let inside = self.note_end(place)?.inside;
        self.run.done += 1;
        self.became_of(place);
        let dependents = std::mem::take(&mut self.node_mut(place)?.dependents);
        for dependent in &dependents {
            let node = self.node_mut(*dependent)?;
            node.unmet = node.unmet.saturating_sub(1);
            if node.unmet == 0 && node.doing.phase == StepPhase::Blocked {
                self.make_ready(*dependent)?;
            }
        }
        self.node_mut(place)?.dependents = dependents;
        let Some(parent) = inside else { return Ok(()) };
        let node = self.node_mut(parent)?;
        node.inner.done += 1;
        node.inner.open = node.inner.open.saturating_sub(1);
        if matches!(node.doing.phase, StepPhase::Completed(_)) {
            return self.finish_if_done(parent);
        }
        if self.run.steps.get(place).is_some_and(Node::is_of_manager) {
            self.guide(place, parent)?;
        }
        self.release(parent)
    }

    pub(super) fn make_ready(&mut self, place: StepIndex) -> Result<(), Contradiction> {
        self.ready(place, Purpose::Do)
    }

    pub(super) fn take_from_ready(&mut self, place: StepIndex) -> Result<(), Contradiction> {
        self.unready(place, Purpose::Do)
    }

    /// What waits for a step, and what it waits for, once what grew in each is counted.
    fn recount_one(&mut self, place: StepIndex) -> Result<(), Contradiction> {
        let Some(node) = self.run.steps.get(place) else { return Ok(()) };
        let is_met = |need: &StepId| self.run.node(need).is_some_and(|(_, needed)| needed.is_done());
        let unmet = node.added.needs.iter().filter(|need| !is_met(need)).count();
        // What a manager said changes nothing of what the step does itself.
        let grown =
            self.run.steps.all(&node.children).any(|child| !child.is_of_manager() || !child.is_done());
        let node = self.node_mut(place)?;
        node.unmet = unmet;
        let starts = node.inside.is_none() && unmet == 0;
        let waits = node.doing.phase == StepPhase::Blocked || node.doing.is_ready();
        let is_asked_again = matches!(node.doing.phase, StepPhase::Completed(_)) && node.gate == Gated::Again;
        if grown && (waits || node.doing.phase == StepPhase::Expanded) {
            node.doing.phase = StepPhase::Expanded;
            if node.is_done_inside() {
                self.run.stalled.insert(place);
            }
        } else if waits && starts {
            self.make_ready(place)?;
        } else if waits {
            node.doing.phase = StepPhase::Blocked;
        } else if is_asked_again {
            self.run.stalled.insert(place);
        }
        Ok(())
    }

    fn is_startable(&self, place: StepIndex) -> bool {
        self.run
            .steps
            .get(place)
            .is_some_and(|node| node.doing.phase == StepPhase::Blocked && node.unmet == 0)
    }

    /// The run goes forward again: what failed, was cancelled, or was skipped because of those is to be done after all;
    /// what was undone is to be done anew.
    pub(super) fn go_again(&mut self, undone: Option<&Unwinding>) -> Result<(), Contradiction> {
        let asked = self.still_asked(undone);
        for place in self.run.steps.indices() {
            let anew = undone.is_some_and(|unwinding| unwinding.undoes(place));
            let inside = self.node_mut(place)?.inside;
            let inside_anew = inside.zip(undone).is_some_and(|(at, unwinding)| unwinding.undoes(at));
            let afresh = self.run.steps.get(place).is_some_and(|node| self.run.is_to_be_retried(node));
            let node = self.node_mut(place)?;
            // Whoever is asked to go on is not stuck yet.
            node.watch.iter_mut().for_each(|watch| watch.forget(&asked));
            if inside_anew {
                node.start_anew();
                // Those that grow there the next time say anew what they need.
                node.dependents.clear();
                node.doing.phase = StepPhase::Left;
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
        self.run.stalled.clear();
        self.run.passing.clear();
        self.read_all_anew();
        // What grew in a step was added after it.
        for place in self.run.steps.indices().rev() {
            let Some(node) = self.run.steps.get(place) else { continue };
            let children = || self.run.steps.all(&node.children);
            let done = children().filter(|child| child.is_done()).count();
            let open = children().filter(|child| is_open(child)).count();
            self.node_mut(place)?.inner = Inner { released: 0, open, done };
        }
        let is_left = |node: &&Node| node.doing.phase == StepPhase::Left;
        self.run.left = self.run.steps.iter().filter(is_left).count();
        self.run.done = self.run.left + self.run.steps.iter().filter(|node| node.is_done()).count();
        for place in self.run.steps.indices() {
            self.recount_one(place)?;
        }
        for place in self.run.steps.indices() {
            self.release(place)?;
        }
        Ok(())
    }
}

/// Whether a step takes the place of others that are inside the same one: it is on its way, or what it planned is.
fn is_open(node: &Node) -> bool {
    let is_planner = matches!(node.doing.phase, StepPhase::Completed(_));
    is_planner && !node.is_done() || node.is_on_its_way() && !node.doing.is_ready()
}

impl Run {
    /// Whether a retry of the run is one of this step. Not of a part of what is done: that went on without it.
    pub(in crate::aggregates::run) fn is_to_be_retried(&self, node: &Node) -> bool {
        let outer = self.steps.outer(node);
        !outer.is_some_and(Node::is_done)
            && matches!(
                node.doing.phase,
                StepPhase::Failed { tolerated: false }
                    | StepPhase::Cancelled
                    | StepPhase::Skipped { reason: SkipReason::Dependency, .. }
            )
    }
}

impl Node {
    /// It is to be done after all, with fresh attempts, in the same generation.
    fn try_afresh(&mut self) {
        self.doing.refresh();
        (self.doing.phase, self.doing.error) = (StepPhase::Blocked, None);
        if let Some(refused) = self.refused.take_if(|refused| refused.by == NotTakenBy::People) {
            // It did its work, which is not done again: what was refused is asked about once more.
            (self.doing.phase, self.gate) = (StepPhase::Completed(refused.done), Gated::Again);
        }
        if self.fallback.take().is_some() {
            // The grant was for the work of that agent.
            self.granted = None;
        }
        self.ended_at = None;
        self.rounds_before = self.children.len();
    }

    /// It is to be done anew. What it did, if it did anything, is undone or belongs to the past: then it is another
    /// generation.
    fn start_anew(&mut self) {
        let did = matches!(self.doing.phase, StepPhase::Completed(_)) || self.refused.is_some();
        if did || self.compensation.is_some() {
            self.generation += 1;
            self.attempts_before = self.doing.attempts;
            self.doing.trace = Trace::Nothing;
        }
        self.undo_attempts_before = self.attempts(Purpose::Compensate);
        (self.refused, self.granted, self.child) = (None, None, None);
        self.gate = Gated::No;
        (self.handoffs, self.watch) = (Vec::new(), None);
        self.children.clear();
        self.try_afresh();
        (self.compensation, self.started_at) = (None, None);
    }
}
