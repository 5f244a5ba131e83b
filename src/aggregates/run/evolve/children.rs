//! The runs that steps start, and what they tell.

use std::sync::Arc;

use super::{Contradiction, Evolution, stop};
use crate::aggregates::run::child::is_made_by;
use crate::aggregates::run::node::{Child, Passage};
use crate::aggregates::run::{
    Phase, Run, RunEffect, RunEffectId, StepIndex, StepPhase, TimerOf, Trying, Unwanted,
};
use crate::events::ids::{RunId, StepId, TimerId};
use crate::events::run::*;

/// What is asked of the parent, and what children are answered.
pub(super) fn open(run: &Run) -> Vec<RunEffect> {
    let asks = run.is_asking().then_some(RunEffect::AskReturn);
    let answers = run.steps.iter().filter_map(|node| {
        node.open_attempt()?;
        let granted = match node.child.as_ref()?.passage {
            Passage::Open => true,
            Passage::Refused => false,
            Passage::Closed | Passage::Asked => return None,
        };
        Some(RunEffect::AnswerReturn { step: node.id().clone(), granted })
    });
    asks.into_iter().chain(run.word.map(RunEffect::Tell)).chain(answers).collect()
}

impl Run {
    /// Whether it waits for its parent to say whether the point of no return may be passed.
    pub(in crate::aggregates::run) fn is_asking(&self) -> bool {
        self.passage == Passage::Asked
    }
}

impl Evolution<'_> {
    pub(super) fn child_started(&mut self, event: &ChildStarted) -> Result<(), Contradiction> {
        let place = self.expect(&event.step, "start a run", |phase| {
            matches!(phase, StepPhase::Trying(Trying::Open { .. }))
        })?;
        let node = self.node_mut(place)?;
        if node.child.as_ref().is_none_or(|child| child.run != event.run) {
            node.child = Some(Child::new(event.run.clone()));
            self.changes.close(RunEffectId::AnswerReturn(event.step.clone()));
        }
        Ok(())
    }

    pub(super) fn child_ended(&mut self, event: &ChildEnded) -> Result<(), Contradiction> {
        let child = self.child(&event.step, &event.run)?;
        child.ended = Some(event.clone());
        (child.heard, child.passage) = (child.heard.max(event.version), Passage::Closed);
        self.changes.close(RunEffectId::AnswerReturn(event.step.clone()));
        Ok(())
    }

    pub(super) fn child_rested(&mut self, event: &ChildRested) -> Result<(), Contradiction> {
        let child = self.child(&event.step, &event.run)?;
        if std::mem::replace(&mut child.rests, true) {
            return Err(format!("run `{}` rests already", event.run));
        }
        child.heard = event.version;
        self.run.resting += 1;
        self.show_child(&event.step)
    }

    pub(super) fn child_stirred(&mut self, event: &ChildStirred) -> Result<(), Contradiction> {
        let child = self.child(&event.step, &event.run)?;
        if !std::mem::replace(&mut child.rests, false) {
            return Err(format!("run `{}` does not rest", event.run));
        }
        child.heard = event.version;
        self.run.resting -= 1;
        self.show_child(&event.step)
    }

    /// The open attempt that a run of its own makes is another effect when that rests.
    fn show_child(&mut self, step: &StepId) -> Result<(), Contradiction> {
        let place = self.place(step)?;
        let node = self.node_mut(place)?;
        let rests = node.child.as_ref().is_some_and(|child| child.rests);
        let attempt = node.open_at_child().cloned();
        let attempt = attempt.ok_or_else(|| format!("no run is seen through for step `{step}`"))?;
        self.changes.close(RunEffectId::Attempt(attempt.fence));
        self.changes.open(RunEffect::attempt(&attempt, rests));
        Ok(())
    }

    /// Something is wanted of the run that makes an attempt, which therefore does not rest any more.
    pub(super) fn stirs(&mut self, place: StepIndex, attempt: &Arc<AttemptStarted>) {
        let Some(child) = self.run.steps.get_mut(place).and_then(|node| node.child.as_mut()) else { return };
        if is_made_by(&attempt.agent) && std::mem::replace(&mut child.rests, false) {
            self.run.resting -= 1;
            self.changes.close(RunEffectId::Attempt(attempt.fence));
            self.changes.open(RunEffect::attempt(attempt, false));
        }
    }

    /// An attempt is one of a run of its own, if no agent makes it.
    pub(super) fn child_is_sent(&mut self, place: StepIndex, attempt: &AttemptStarted) {
        if !is_made_by(&attempt.agent) {
            return;
        }
        self.run.seen_through += 1;
        let child = self.run.steps.get(place).and_then(|node| node.child.as_ref());
        let is_open = child.is_some_and(|child| child.passage == Passage::Open);
        if is_open && attempt.purpose == Purpose::Do {
            self.changes.open(RunEffect::AnswerReturn { step: attempt.step.clone(), granted: true });
        }
        if let Some(at) = attempt.deadline {
            let undoes = attempt.purpose == Purpose::Compensate;
            let of = if undoes { TimerOf::UndoChild(place) } else { TimerOf::Child(place) };
            self.set_timer(&TimerId::child(&attempt.step, attempt.attempt, undoes), of, at);
        }
    }

    /// The attempt is not one of a run of its own any more.
    pub(super) fn child_is_let_go(&mut self, place: StepIndex, attempt: &AttemptStarted) {
        if !is_made_by(&attempt.agent) {
            return;
        }
        self.run.seen_through = self.run.seen_through.saturating_sub(1);
        let undoes = attempt.purpose == Purpose::Compensate;
        let timer = TimerId::child(&attempt.step, attempt.attempt, undoes);
        if self.run.timers.contains_key(&timer) {
            self.unset_timer(timer);
        }
        self.changes.close(RunEffectId::AnswerReturn(attempt.step.clone()));
        let Some(child) = self.run.steps.get_mut(place).and_then(|node| node.child.as_mut()) else { return };
        if child.passage != Passage::Open {
            child.passage = Passage::Closed;
        }
        if std::mem::replace(&mut child.rests, false) {
            self.run.resting -= 1;
        }
    }

    pub(super) fn child_is_overdue(
        &mut self,
        place: StepIndex,
        timer: &TimerId,
    ) -> Result<(), Contradiction> {
        self.unset_timer(timer.clone());
        let attempt = self.node_mut(place)?.doing.tell_to_stop(Unwanted::Overdue);
        let attempt = attempt.ok_or("no run is seen through that could take too long")?;
        self.stirs(place, &attempt);
        self.changes.open(stop(&attempt));
        Ok(())
    }

    /// A step waits to start, or a child of it to let one start.
    pub(super) fn return_asked(&mut self, event: &ReturnAsked) -> Result<(), Contradiction> {
        if self.is_own(&event.run) {
            let ready = |phase: &StepPhase| *phase == StepPhase::READY;
            let place = self.expect(&event.step, "ask for the point of no return", ready)?;
            self.take_from_ready(place)?;
            self.run.passing.insert(place);
        } else {
            self.child(&event.step, &event.run)?.passage = Passage::Asked;
        }
        if self.run.passage != Passage::Asked {
            self.run.passage = Passage::Asked;
            self.changes.open(RunEffect::AskReturn);
        }
        Ok(())
    }

    pub(super) fn return_answered(&mut self, event: &ReturnAnswered) -> Result<(), Contradiction> {
        if self.run.passage != Passage::Asked {
            return Err("nobody asked for the point of no return".to_owned());
        }
        self.changes.close(RunEffectId::AskReturn);
        self.run.passage = if event.granted { Passage::Open } else { Passage::Closed };
        for place in std::mem::take(&mut self.run.passing) {
            self.make_ready(place)?;
        }
        if event.granted {
            return Ok(());
        }
        for node in self.run.steps.iter_mut() {
            if let Some(child) = node.child.as_mut().filter(|child| child.passage == Passage::Asked) {
                child.passage = Passage::Refused;
                self.changes.open(RunEffect::AnswerReturn { step: node.added.step.clone(), granted: false });
            }
        }
        Ok(())
    }

    pub(super) fn child_past_return(&mut self, event: &ChildPastReturn) -> Result<(), Contradiction> {
        self.child(&event.step, &event.run)?.passage = Passage::Open;
        self.changes.open(RunEffect::AnswerReturn { step: event.step.clone(), granted: true });
        Ok(())
    }

    pub(super) fn of_telling(&mut self, event: &RunEvent) -> Result<(), Contradiction> {
        match event {
            RunEvent::TellingBegan(_) => self.telling_began(),
            RunEvent::ParentTold(_) => self.parent_told(),
            _ => Err("it tells no parent of an end".to_owned()),
        }
    }

    fn telling_began(&mut self) -> Result<(), Contradiction> {
        if !self.run.leaves_parent_at_rest() {
            return Err("no run rests that would have to hear of its end".to_owned());
        }
        self.run.telling = true;
        Ok(())
    }

    fn parent_told(&mut self) -> Result<(), Contradiction> {
        if !std::mem::take(&mut self.run.telling) {
            return Err("nobody is told of its end".to_owned());
        }
        self.run.parent_may_rest = false;
        Ok(())
    }

    /// A run that does not go forward asks for nothing, and what it was granted is over with it.
    pub(super) fn keep_passage(&mut self) {
        let is_over = matches!(self.run.phase, Phase::Ended(_));
        if self.run.phase != Phase::Going && self.run.passage == Passage::Asked || is_over {
            if self.run.passage == Passage::Asked {
                self.changes.close(RunEffectId::AskReturn);
            }
            self.run.passage = Passage::Closed;
        }
    }

    fn is_own(&self, run: &RunId) -> bool {
        self.run.about.as_ref().is_some_and(|about| about.id == *run)
    }

    fn child(&mut self, step: &StepId, run: &RunId) -> Result<&mut Child, Contradiction> {
        let place = self.place(step)?;
        match &mut self.node_mut(place)?.child {
            Some(child) if child.run == *run => Ok(child),
            _ => Err(format!("step `{step}` has not started run `{run}`")),
        }
    }
}
