//! Attempts that are handed out: who has them, and until when.

use std::sync::Arc;

use super::{Contradiction, Evolution};
use crate::aggregates::run::task::{Held, Task};
use crate::aggregates::run::{RunEffect, RunEffectId, StepIndex, TimerOf};
use crate::events::ids::{Fence, StepId, TimerId};
use crate::events::run::{
    AttemptStarted, Purpose, RunEvent, TaskLapsed, TaskOffered, TaskProgressed, TaskTaken,
};

impl Evolution<'_> {
    /// An attempt is a task, if no process makes those of its agent.
    pub(super) fn task_is_open(
        &mut self,
        place: StepIndex,
        attempt: &AttemptStarted,
    ) -> Result<(), Contradiction> {
        if !self.run.is_external(&attempt.agent) {
            return Ok(());
        }
        self.node_mut(place)?.task = Some(Box::new(Task::new(attempt)));
        self.run.tasks.open.insert(attempt.fence, place);
        if let Some(at) = attempt.deadline {
            self.set_timer(&deadline_of(attempt), TimerOf::Task(place, attempt.purpose), at);
        }
        Ok(())
    }

    /// An attempt is not a task any more: it was answered, or has ended otherwise.
    pub(super) fn task_is_over(&mut self, place: StepIndex, attempt: &AttemptStarted) {
        if self.run.tasks.open.remove(&attempt.fence).is_none() {
            return;
        }
        self.run.tasks.unwanted.remove(&attempt.fence);
        self.changes.close(RunEffectId::HandOut(attempt.fence));
        if let Some(node) = self.run.steps.get_mut(place) {
            node.task = None;
        }
        for timer in [deadline_of(attempt), lease_of(&attempt.step, attempt.purpose, attempt.attempt)] {
            if self.run.timers.contains_key(&timer) {
                self.unset_timer(timer);
            }
        }
    }

    pub(super) fn of_task(&mut self, event: &RunEvent) -> Result<(), Contradiction> {
        match event {
            RunEvent::TaskOffered(event) => self.task_offered(event),
            RunEvent::TaskTaken(event) => self.task_taken(event),
            RunEvent::TaskProgressed(event) => self.task_progressed(event),
            RunEvent::TaskLapsed(event) => self.task_lapsed(event),
            _ => Err("it is about no task".to_owned()),
        }
    }

    fn task_offered(&mut self, event: &TaskOffered) -> Result<(), Contradiction> {
        let (_, fence) = self.open_task(&event.step, event.purpose, event.attempt)?;
        if fence == event.fence { Ok(()) } else { Err(format!("the task has the number {fence}")) }
    }

    fn task_taken(&mut self, event: &TaskTaken) -> Result<(), Contradiction> {
        let (place, fence) = self.open_task(&event.step, event.purpose, event.attempt)?;
        let task = self.task_mut(place)?;
        if task.held.is_some() || event.lease != task.leases + 1 {
            return Err(format!("lease {} of step `{}` cannot begin now", event.lease, event.step));
        }
        task.leases = event.lease;
        let (by, until) = (Arc::clone(&event.by), event.until);
        task.held = Some(Held { by, until, percent: None, text: None });
        let timer = lease_of(&event.step, event.purpose, event.attempt);
        self.set_timer(&timer, TimerOf::Lease(place, event.purpose), event.until);
        self.changes.open(RunEffect::HandOut { fence, lease: event.lease });
        Ok(())
    }

    fn task_progressed(&mut self, event: &TaskProgressed) -> Result<(), Contradiction> {
        let (place, _) = self.open_task(&event.step, event.purpose, event.attempt)?;
        let held = self.held_under(place, event.lease)?;
        held.until = event.until;
        held.percent = event.percent.or(held.percent);
        if event.text.is_some() {
            held.text.clone_from(&event.text);
        }
        let timer = lease_of(&event.step, event.purpose, event.attempt);
        self.unset_timer(timer.clone());
        self.set_timer(&timer, TimerOf::Lease(place, event.purpose), event.until);
        Ok(())
    }

    fn task_lapsed(&mut self, event: &TaskLapsed) -> Result<(), Contradiction> {
        let (place, fence) = self.open_task(&event.step, event.purpose, event.attempt)?;
        self.held_under(place, event.lease)?;
        self.task_mut(place)?.held = None;
        self.unset_timer(lease_of(&event.step, event.purpose, event.attempt));
        self.changes.close(RunEffectId::HandOut(fence));
        Ok(())
    }

    /// The step and the number of the open task that is that attempt.
    fn open_task(
        &self,
        step: &StepId,
        purpose: Purpose,
        number: u32,
    ) -> Result<(StepIndex, Fence), Contradiction> {
        let fence = self.open_attempt(step, purpose, number)?.fence;
        let place = self.run.tasks.open.get(&fence);
        let place = place.ok_or_else(|| format!("attempt {number} at `{step}` is no task"))?;
        Ok((*place, fence))
    }

    fn task_mut(&mut self, place: StepIndex) -> Result<&mut Task, Contradiction> {
        self.node_mut(place)?.task.as_deref_mut().ok_or_else(|| "the step has no task".to_owned())
    }

    /// Who has a task under that lease.
    fn held_under(&mut self, place: StepIndex, lease: u32) -> Result<&mut Held, Contradiction> {
        let task = self.task_mut(place)?;
        let is_newest = task.leases == lease;
        let held = task.held.as_mut().filter(|_| is_newest);
        held.ok_or_else(|| format!("nobody has the task under lease {lease}"))
    }
}

fn deadline_of(attempt: &AttemptStarted) -> TimerId {
    TimerId::task(&attempt.step, attempt.attempt, attempt.purpose == Purpose::Compensate)
}

fn lease_of(step: &StepId, purpose: Purpose, attempt: u32) -> TimerId {
    TimerId::lease(step, attempt, purpose == Purpose::Compensate)
}
