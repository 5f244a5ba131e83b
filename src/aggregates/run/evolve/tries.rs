//! What attempts come to, whatever they are at: doing a step, or undoing it.

use std::sync::Arc;

use super::{Contradiction, Evolution};
use crate::aggregates::run::node::{NotTaken, NotTakenBy};
use crate::aggregates::run::phase::Done;
use crate::aggregates::run::queue::Queue;
use crate::aggregates::run::tries::{StepError, Tried, Tries, Trying, Unwanted};
use crate::aggregates::run::{Phase, RunEffect, RunEffectId, StepIndex, TimerOf};
use crate::events::ids::{StepId, TimerId};
use crate::events::run::{
    AttemptFailed, AttemptLost, AttemptStarted, ModelCalled, Purpose, RetryScheduled, RunEvent,
};

impl Evolution<'_> {
    pub(super) fn attempt_started(&mut self, event: &AttemptStarted) -> Result<(), Contradiction> {
        let (place, purpose, fence) = (self.place(&event.step)?, event.purpose, self.run.fence);
        let tries = self.tries(place, purpose)?;
        if !tries.may_start(event.attempt) || event.fence <= fence {
            return Err(cannot(purpose, &event.step, &format!("start attempt {}", event.attempt)));
        }
        let attempt = Arc::new(event.clone());
        self.unready(place, purpose)?;
        self.note_start(place)?.tries_mut(purpose)?.start(&attempt);
        self.run.fence = event.fence;
        self.run.running += 1;
        self.run.messages.give(event, self.now);
        self.changes.open(self.run.effect_of(&attempt, false));
        self.child_is_sent(place, &attempt);
        self.turn_begins(place)?;
        self.task_is_open(place, &attempt)?;
        self.read_anew(place);
        Ok(())
    }

    pub(super) fn attempt_failed(&mut self, event: &AttemptFailed) -> Result<(), Contradiction> {
        self.count_usage(&event.step, event.purpose, event.attempt, event.usage);
        self.count_try(&event.step, event.purpose, event.attempt);
        let task = self.run.node(&event.step).and_then(|(_, node)| node.task.as_ref());
        let begun = task.is_none_or(|task| task.was_begun());
        let place = self.end_attempt(&event.step, event.purpose, event.attempt)?;
        let node = self.node_mut(place)?;
        node.usage = node.usage.and(event.usage);
        if let Some(answered) = &event.answered {
            let (output, artifacts, said) = (answered.clone(), Vec::new(), None);
            let done = Done { output, artifacts, said, cached: false, degraded: false, in_vain: false };
            node.refused = Some(Box::new(NotTaken { done, by: NotTakenBy::Output }));
            self.hand_up(place, Some(answered))?;
        }
        let node = self.node_mut(place)?;
        let error = StepError { class: event.class, code: event.code, message: event.message.clone() };
        node.tries_mut(event.purpose)?.fail(event.outcome, begun, error);
        Ok(())
    }

    pub(super) fn attempt_lost(&mut self, event: &AttemptLost) -> Result<(), Contradiction> {
        if !event.interrupted {
            self.count_try(&event.step, event.purpose, event.attempt);
        }
        let place = self.end_attempt(&event.step, event.purpose, event.attempt)?;
        // A child goes on whoever sees it through: it cannot be what ended the process.
        let node = self.node_mut(place)?;
        let is_of_child = event.purpose == Purpose::Do && node.child.is_some();
        node.tries_mut(event.purpose)?.lose(!event.interrupted && !is_of_child);
        self.ready(place, event.purpose)
    }

    pub(super) fn of_trying(&mut self, event: &RunEvent) -> Result<(), Contradiction> {
        match event {
            RunEvent::RetryScheduled(event) => self.retry_scheduled(event),
            // It belongs to an open attempt. What it cost is counted with what that comes to.
            RunEvent::ModelCalled(ModelCalled { step, purpose, attempt, .. }) => {
                self.open_attempt(step, *purpose, *attempt).map(drop)
            }
            _ => Ok(()),
        }
    }

    fn retry_scheduled(&mut self, event: &RetryScheduled) -> Result<(), Contradiction> {
        let place = self.place(&event.step)?;
        let tries = self.tries(place, event.purpose)?;
        if tries.phase.trying() != Some(&Trying::Between) {
            return Err(cannot(event.purpose, &event.step, "be tried again"));
        }
        tries.phase.set(Trying::Retrying(event.timer.clone()));
        self.set_timer(&event.timer, TimerOf::Retry(place, event.purpose), event.at);
        Ok(())
    }

    pub(super) fn retry_due(
        &mut self,
        place: StepIndex,
        purpose: Purpose,
        timer: &TimerId,
    ) -> Result<(), Contradiction> {
        if !matches!(self.tries(place, purpose)?.phase.trying(), Some(Trying::Retrying(_))) {
            return Err(format!("nothing is to be tried again by timer `{timer}`"));
        }
        self.unset_timer(timer.clone());
        self.ready(place, purpose)
    }

    /// The open attempt of that number and purpose.
    pub(super) fn open_attempt(
        &self,
        step: &StepId,
        purpose: Purpose,
        number: u32,
    ) -> Result<Arc<AttemptStarted>, Contradiction> {
        let node = self.run.node(step).map(|(_, node)| node);
        let open = node.into_iter().flat_map(|node| node.open_attempts());
        let mut open = open.filter(|open| (open.purpose, open.attempt) == (purpose, number));
        open.next().cloned().ok_or_else(|| format!("no attempt {number} at `{step}` is open"))
    }

    /// Ends the open attempt with that number; what becomes of what was tried is said next.
    pub(super) fn end_attempt(
        &mut self,
        step: &StepId,
        purpose: Purpose,
        number: u32,
    ) -> Result<StepIndex, Contradiction> {
        let place = self.place(step)?;
        let ended = self.tries(place, purpose)?.end(number);
        let attempt = ended.ok_or_else(|| cannot(purpose, step, &format!("end attempt {number}")))?;
        self.close_attempt(place, &attempt);
        Ok(place)
    }

    pub(super) fn close_attempt(&mut self, place: StepIndex, attempt: &AttemptStarted) {
        self.run.running = self.run.running.saturating_sub(1);
        self.leave_shared(place, Some(attempt.fence));
        for number in self.run.messages.end(attempt) {
            self.changes.close(RunEffectId::Give(attempt.fence, number));
        }
        self.ask_no_longer(attempt.fence);
        self.child_is_let_go(place, attempt);
        self.task_is_over(place, attempt);
        self.changes.close(RunEffectId::Attempt(attempt.fence));
        self.changes.close(RunEffectId::Stop(attempt.fence));
    }

    /// Tells attempts to stop that are not wanted any more.
    pub(super) fn stop_what_runs(&mut self) {
        for place in self.run.steps.indices() {
            let Some(node) = self.run.steps.get(place) else { continue };
            if node.doing.stop().is_some() || !self.run.wants_stop(place, node) {
                continue;
            }
            let node = self.run.steps.get_mut(place);
            if let Some(attempt) = node.and_then(|node| node.doing.tell_to_stop(Unwanted::GivenUp)) {
                if self.run.tasks.open.contains_key(&attempt.fence) {
                    // Nobody could stop who has it.
                    self.run.tasks.unwanted.insert(attempt.fence);
                    continue;
                }
                self.stirs(place, &attempt);
                self.changes.open(super::stop(&attempt));
            }
        }
    }

    /// Doing a step, or undoing it, could be tried, for the first time or again.
    pub(super) fn ready(&mut self, place: StepIndex, purpose: Purpose) -> Result<(), Contradiction> {
        let node = self.node_mut(place)?;
        node.tries_mut(purpose)?.phase.set(Trying::Ready);
        let (slot, step) = (node.slot(purpose).cloned(), node.id().clone());
        self.queue(purpose)?.add(slot.clone(), place);
        let is_held_up = purpose == Purpose::Do && self.run.phase != Phase::Going;
        if !is_held_up && !self.run.paused {
            self.changes.open(RunEffect::Start { step, agent: slot, purpose });
        }
        Ok(())
    }

    /// It does not wait any longer to be tried.
    pub(super) fn unready(&mut self, place: StepIndex, purpose: Purpose) -> Result<(), Contradiction> {
        let node = self.node_mut(place)?;
        let (slot, id) = (node.slot(purpose).cloned(), node.id().clone());
        self.queue(purpose)?.remove(&slot, place);
        self.changes.close(RunEffectId::Start(id));
        Ok(())
    }

    fn queue(&mut self, purpose: Purpose) -> Result<&mut Queue, Contradiction> {
        match purpose {
            Purpose::Do => Ok(&mut self.run.ready),
            Purpose::Compensate => Ok(&mut self.unwinding()?.ready),
        }
    }

    pub(super) fn tries(
        &mut self,
        place: StepIndex,
        purpose: Purpose,
    ) -> Result<&mut Tries<dyn Tried>, Contradiction> {
        Ok(self.node_mut(place)?.tries_mut(purpose)?)
    }
}

fn cannot(purpose: Purpose, step: &StepId, what: &str) -> Contradiction {
    format!("what is tried of step `{step}`, to {} it, cannot {what} now", purpose.text())
}
