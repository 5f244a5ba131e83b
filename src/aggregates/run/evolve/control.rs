//! What people do to a run, and the time that it has.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Contradiction, Evolution};
use crate::aggregates::run::{
    Driven, End, Ended, Order, Phase, RunEffect, RunEffectId, Timer, TimerOf, Unwinding, Why,
};
use crate::events::ids::{StepId, TimerId};
use crate::events::run::{
    AttemptFailed, AttemptLost, CancelRequested, DrivingBegan, PausePlanned, Purpose, RetryRequested,
    RetryScheduled, RunEvent, RunPaused, RunUnpaused, StepCompleted,
};
use crate::events::time::Timestamp;

impl Evolution<'_> {
    /// It pauses, or goes on after that.
    pub(super) fn of_pause(&mut self, event: &RunEvent) -> Result<(), Contradiction> {
        match event {
            RunEvent::RunPaused(event) => self.run_paused(event),
            RunEvent::RunUnpaused(event) => self.run_unpaused(event),
            _ => Err("it is about no pause".to_owned()),
        }
    }

    fn run_paused(&mut self, event: &RunPaused) -> Result<(), Contradiction> {
        let is_back = matches!(&self.run.phase, Phase::Unwinding(unwinding) if unwinding.is_back());
        if self.run.paused && !is_back {
            return Err("it is paused already".to_owned());
        }
        self.close_starts();
        self.run.paused = true;
        self.run.people.paused = Some(Order { by: Arc::clone(&event.by), reason: event.reason.clone() });
        self.forget_until();
        self.run.phase = match std::mem::take(&mut self.run.phase) {
            Phase::Unwinding(unwinding) if is_back => Phase::Back(unwinding),
            phase => phase,
        };
        Ok(())
    }

    fn run_unpaused(&mut self, _: &RunUnpaused) -> Result<(), Contradiction> {
        if !std::mem::take(&mut self.run.paused) {
            return Err("it is not paused".to_owned());
        }
        self.forget_until();
        match std::mem::take(&mut self.run.phase) {
            Phase::Back(unwinding) => self.go_forward(Some(&unwinding)),
            phase => {
                self.run.phase = phase;
                self.open_starts();
                Ok(())
            }
        }
    }

    pub(super) fn pause_planned(&mut self, event: &PausePlanned) -> Result<(), Contradiction> {
        if matches!(self.run.phase, Phase::Ended(_)) {
            return Err("the run has ended".to_owned());
        }
        self.run.until = Some(Arc::clone(&event.until));
        Ok(())
    }

    /// A run pauses once where it was to pause: not again when that step is done anew.
    fn forget_until(&mut self) {
        if self.run.until.as_ref().is_some_and(|until| self.run.is_reached(until)) {
            self.run.until = None;
        }
    }

    pub(super) fn cancel_requested(&mut self, event: &CancelRequested) -> Result<(), Contradiction> {
        match &self.run.phase {
            Phase::Unwinding(_) => return Err("it is being undone".to_owned()),
            Phase::Ended(Ended { how: End::Stuck(_, None), .. }) => {}
            Phase::Ended(_) => return Err("the run has ended".to_owned()),
            _ => {}
        }
        let why = Why::Cancelled { rollback: event.rollback };
        self.run.people.cancelled = Some(Order { by: Arc::clone(&event.by), reason: event.reason.clone() });
        self.run.paused = false;
        if let Phase::Ending(ending) = &mut self.run.phase {
            ending.why = why;
        } else {
            self.run.phase = Phase::Going;
        }
        self.begin_to_end(why, true);
        Ok(())
    }

    pub(super) fn retry_requested(&mut self, _: &RetryRequested) -> Result<(), Contradiction> {
        let undone = match std::mem::take(&mut self.run.phase) {
            Phase::Back(unwinding) => Some(unwinding),
            Phase::Ended(Ended { how: End::Failed(_) | End::Stuck(_, None), .. }) => None,
            _ => return Err("there is nothing to try again".to_owned()),
        };
        self.run.paused = false;
        self.go_forward(undone.as_deref())
    }

    /// The run goes forward again, and has all its time again: otherwise one that took too long would only fail anew.
    fn go_forward(&mut self, undone: Option<&Unwinding>) -> Result<(), Contradiction> {
        self.run.phase = Phase::Going;
        if let Some(budget) = &mut self.run.budget {
            budget.exhausted = None;
        }
        self.run.time_left_us = self.run.about.as_ref().and_then(|about| about.started.duration_limit_us);
        self.run.driven.time_left_us = self.run.time_left_us.unwrap_or_default();
        self.go_again(undone)
    }

    /// What was counted of the run's time since it was known to be driven was counted while nobody drove it. It counts again
    /// from when somebody does.
    pub(super) fn driving_began(&mut self, event: &DrivingBegan) -> Result<(), Contradiction> {
        if self.run.about.as_ref().is_none_or(|about| about.started.duration_limit_us.is_none()) {
            return Err("its time is not limited".to_owned());
        }
        let left = self.run.driven.time_left_us;
        match self.unset_timer(TimerId::duration()) {
            Some(_) => self.set_timer(
                &TimerId::duration(),
                TimerOf::Run,
                event.since.after(std::time::Duration::from_micros(left)),
            ),
            None => self.run.time_left_us = Some(left),
        }
        Ok(())
    }

    /// Takes note of an event that only who drives the run records.
    pub(super) fn note_driven(&mut self, event: &RunEvent) {
        if !self.is_of_driving(event) {
            return;
        }
        let running = self.run.timers.get(&TimerId::duration());
        let running = running.map(|timer| timer.at.since(self.now).as_micros());
        let running = running.map(|left| u64::try_from(left).unwrap_or(u64::MAX));
        let time_left_us = running.or(self.run.time_left_us).unwrap_or_default();
        self.run.driven = Driven { at: self.now, time_left_us };
    }

    /// Whether only who drives the run records that. What people ask, and what children tell, is recorded also while nobody
    /// does, with what follows from it.
    fn is_of_driving(&self, event: &RunEvent) -> bool {
        match event {
            RunEvent::DrivingBegan(_)
            | RunEvent::AgentAwaited(_)
            | RunEvent::AttemptStarted(_)
            | RunEvent::AttemptLost(AttemptLost { interrupted: true, .. })
            | RunEvent::TimerSet(_)
            | RunEvent::TimerFired(_)
            | RunEvent::SignalAwaited(_)
            | RunEvent::ChildStarted(_) => true,
            RunEvent::ChildEnded(ended) => ended.driven,
            RunEvent::AttemptFailed(AttemptFailed { step, .. })
            | RunEvent::RetryScheduled(RetryScheduled { step, .. }) => !self.was_told_alone(step),
            RunEvent::StepCompleted(StepCompleted { attempt, step, .. }) => {
                *attempt > 0 && !self.was_told_alone(step)
            }
            _ => false,
        }
    }

    /// Whether nobody drove the run when it heard how the child of a step had ended: nor did anybody when the attempt at it was
    /// over. Nobody need have driven it when somebody outside answered a task.
    fn was_told_alone(&self, step: &StepId) -> bool {
        let Some((_, node)) = self.run.node(step) else { return false };
        let is_task = node.slot(Purpose::Do).is_some_and(|agent| self.run.is_external(agent));
        let child = node.child.as_ref().and_then(|child| child.ended.as_ref());
        is_task || child.is_some_and(|ended| !ended.driven)
    }

    /// The run's time is over.
    pub(super) fn end_time(&mut self) -> Result<(), Contradiction> {
        self.stop_time();
        self.begin_to_end(Why::OutOfTime, true);
        Ok(())
    }

    /// Time counts while the run goes forward and does not wait for people or for paused agents.
    pub(super) fn keep_time(&mut self) {
        let limited = self.run.about.as_ref().is_some_and(|about| about.started.duration_limit_us.is_some());
        if !limited {
            return;
        }
        if self.run.phase != Phase::Going || self.run.paused || self.run.waits() {
            self.stop_time();
        } else if let Some(left) = self.run.time_left_us.take() {
            let at = self.now.after(std::time::Duration::from_micros(left));
            self.set_timer(&TimerId::duration(), TimerOf::Run, at);
        }
    }

    /// From here on time does not count.
    pub(super) fn stop_time(&mut self) {
        if self.run.timers.contains_key(&TimerId::duration())
            && let Some(timer) = self.unset_timer(TimerId::duration())
        {
            let left = timer.at.since(self.now).as_micros();
            self.run.time_left_us = Some(u64::try_from(left).unwrap_or(u64::MAX));
        }
    }

    pub(super) fn set_timer(&mut self, timer: &TimerId, of: TimerOf, at: Timestamp) {
        let set = Timer { of, at };
        self.changes.open(RunEffect::Wake { timer: timer.clone(), at: set.deadline() });
        if let Some(timers) = self.of_others(of) {
            timers.insert((at, timer.clone()));
        }
        self.run.timers.insert(timer.clone(), set);
    }

    /// The list of timers that go off only if others take too long; none for all other timers.
    fn of_others(&mut self, of: TimerOf) -> Option<&mut BTreeSet<(Timestamp, TimerId)>> {
        match of {
            TimerOf::People(_) => Some(&mut self.run.people.timers),
            TimerOf::Child(_) => Some(&mut self.run.deadlines),
            TimerOf::Task(..) => Some(&mut self.run.tasks.deadlines),
            TimerOf::Lease(..) => Some(&mut self.run.tasks.leases),
            TimerOf::Run | TimerOf::Sleep(_) | TimerOf::Retry(..) | TimerOf::UndoChild(_) => None,
        }
    }

    /// A run that is stuck waits for nothing but a person, also not for what a partial rollback keeps.
    pub(super) fn close_timers(&mut self) {
        self.run.timers.keys().for_each(|timer| self.changes.close(RunEffectId::Wake(timer.clone())));
    }

    /// What waited when the run got stuck waits on.
    pub(super) fn open_timers(&mut self) {
        self.run.open_timers().into_iter().for_each(|wake| self.changes.open(wake));
    }

    pub(super) fn unset_timer(&mut self, timer: TimerId) -> Option<Timer> {
        let set = self.run.timers.remove(&timer);
        self.changes.close(RunEffectId::Wake(timer.clone()));
        if let Some(Timer { of, at }) = set
            && let Some(timers) = self.of_others(of)
        {
            timers.remove(&(at, timer));
        }
        set
    }

    /// Nothing may start any more that could.
    pub(super) fn close_starts(&mut self) {
        let ready = self.run.ready.steps();
        let undone = match &self.run.phase {
            Phase::Unwinding(unwinding) => Some(unwinding.due.iter().chain(unwinding.ready.steps())),
            _ => None,
        };
        for node in self.run.steps.all(ready.chain(undone.into_iter().flatten())) {
            self.changes.close(RunEffectId::Start(node.id().clone()));
        }
    }

    /// What could not start while the run was paused may.
    pub(super) fn open_starts(&mut self) {
        match &self.run.phase {
            Phase::Going => {
                let ready = self.run.steps.all(self.run.ready.steps());
                ready.for_each(|node| self.changes.open(super::start(node, Purpose::Do)));
            }
            Phase::Unwinding(_) => {
                super::saga::open(self.run).into_iter().for_each(|start| self.changes.open(start));
            }
            _ => {}
        }
    }
}
