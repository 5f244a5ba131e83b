//! How a run is undone.

use std::sync::Arc;

use super::{Contradiction, Fold};
use crate::aggregates::run::node::{Compensation, StepError, UndoPhase};
use crate::aggregates::run::unwinding::{Kept, Standing};
use crate::aggregates::run::{
    End, Ended, Node, Phase, Run, RunEffect, RunEffectId, StepIndex, TimerOf, Unwinding,
};
use crate::events::ids::{AgentName, StepId};
use crate::events::run::*;

/// The compensations that could start or be tried again.
pub(super) fn open(run: &Run) -> Vec<RunEffect> {
    let Phase::Unwinding(unwinding) = &run.phase else { return Vec::new() };
    if run.paused {
        return Vec::new();
    }
    let places = unwinding.due.iter().chain(unwinding.ready.values().flatten());
    places.filter_map(|place| run.steps.get(*place).map(start)).collect()
}

fn start(node: &Node) -> RunEffect {
    let agent = node.added.undo.as_ref().map(|undo| undo.agent.clone());
    RunEffect::Start { step: node.id().clone(), agent, purpose: Purpose::Compensate }
}

impl Fold<'_> {
    pub(super) fn rollback_started(&mut self, event: &RollbackStarted) -> Result<(), Contradiction> {
        if matches!(self.run.phase, Phase::Unwinding(_)) {
            return Err("it is being undone already".to_owned());
        }
        let places = event.keeps.iter().map(|step| self.place(step)).collect::<Result<_, _>>()?;
        let kept = event.to.clone().map(|name| Kept { name, places });
        let was_over = matches!(self.run.phase, Phase::Ended(_));
        self.close_starts();
        // Who asks for it wants it now; what comes of itself waits as everything does.
        self.run.paused &= !matches!(event.cause, RollbackCause::Request { .. });
        let (cause, rounds) = (event.cause.clone(), event.rounds);
        let mut unwinding = Unwinding::new(cause, kept, rounds, &self.run.steps);
        let failed = |node: &Node| node.undo_phase() == Some(&UndoPhase::Failed);
        let again: Vec<StepIndex> = self
            .run
            .steps
            .indices()
            .filter(|place| unwinding.undoes(*place) && self.run.steps.get(*place).is_some_and(failed))
            .collect();
        self.withdraw(|place, _| unwinding.undoes(place));
        unwinding.begin(&self.run.steps, |_, node| Standing::of(node));
        self.run.phase = Phase::Unwinding(Box::new(unwinding));
        self.open_starts();
        if was_over {
            self.open_timers();
        }
        self.stop_what_runs();
        again.into_iter().try_for_each(|place| self.try_undo_afresh(place))
    }

    pub(super) fn compensation_started(&mut self, event: &CompensationStarted) -> Result<(), Contradiction> {
        let place = self.place(&event.step)?;
        if !self.unwinding()?.due.remove(&place) {
            return Err(format!("it is not the turn of step `{}` to be undone", event.step));
        }
        self.changes.close(RunEffectId::Start(event.step.clone()));
        self.unwinding()?.open += 1;
        self.node_mut(place)?.compensation = Some(Compensation {
            agent: event.agent.clone(),
            outcome: event.outcome,
            phase: UndoPhase::Between,
            failures: 0,
            lost: 0,
            error: None,
        });
        self.undo_ready(place)
    }

    /// Undoing a step could be tried, for the first time or again.
    pub(super) fn undo_ready(&mut self, place: StepIndex) -> Result<(), Contradiction> {
        let undo = self.undo(place)?;
        let (agent, before) = (undo.agent.clone(), std::mem::replace(&mut undo.phase, UndoPhase::Ready));
        if let UndoPhase::Retrying(timer) = before {
            self.unset_timer(timer);
        }
        let paused = self.run.paused;
        self.unwinding()?.ready.entry(agent).or_default().insert(place);
        if !paused {
            let effect = start(self.node_mut(place)?);
            self.changes.open(effect);
        }
        Ok(())
    }

    pub(super) fn undo_started(&mut self, event: &AttemptStarted) -> Result<(), Contradiction> {
        let (place, fence) = (self.place(&event.step)?, self.run.fence);
        if event.attempt != self.node_mut(place)?.undo_attempts + 1 || event.fence <= fence {
            return Err(format!(
                "attempt {} at undoing step `{}` is out of order",
                event.attempt, event.step
            ));
        }
        let undo = self.undo(place)?;
        if undo.phase != UndoPhase::Ready {
            return Err(format!("undoing step `{}` cannot be tried", event.step));
        }
        let attempt = Arc::new(event.clone());
        undo.phase = UndoPhase::Running(Arc::clone(&attempt));
        let agent = undo.agent.clone();
        self.node_mut(place)?.undo_attempts = event.attempt;
        self.take_from_undo_ready(place, &agent)?;
        self.run.fence = event.fence;
        self.open_attempt(place, &attempt);
        Ok(())
    }

    pub(super) fn undo_failed(&mut self, event: &AttemptFailed) -> Result<(), Contradiction> {
        let place = self.end_undo(&event.step, event.attempt)?;
        let node = self.node_mut(place)?;
        node.usage = node.usage.and(event.usage);
        let undo = self.undo(place)?;
        undo.failures += 1;
        undo.error = Some(StepError { class: event.class, code: event.code, message: event.message.clone() });
        Ok(())
    }

    pub(super) fn undo_lost(&mut self, event: &AttemptLost) -> Result<(), Contradiction> {
        let place = self.end_undo(&event.step, event.attempt)?;
        self.undo(place)?.lost += u32::from(!event.interrupted);
        self.undo_ready(place)
    }

    pub(super) fn undo_retry_scheduled(&mut self, event: &RetryScheduled) -> Result<(), Contradiction> {
        let place = self.place(&event.step)?;
        let undo = self.undo(place)?;
        if undo.phase != UndoPhase::Between {
            return Err(format!("undoing step `{}` cannot be tried again", event.step));
        }
        undo.phase = UndoPhase::Retrying(event.timer.clone());
        self.set_timer(&event.timer, TimerOf::Undo(place), event.at);
        Ok(())
    }

    pub(super) fn step_compensated(&mut self, event: &StepCompensated) -> Result<(), Contradiction> {
        let place = self.end_undo(&event.step, event.attempt)?;
        let node = self.node_mut(place)?;
        node.usage = node.usage.and(event.usage);
        let undo = self.undo(place)?;
        (undo.phase, undo.error) = (UndoPhase::Undone, None);
        self.close_compensation()?;
        self.became_of(place);
        Ok(())
    }

    pub(super) fn compensation_failed(&mut self, event: &CompensationFailed) -> Result<(), Contradiction> {
        let place = self.place(&event.step)?;
        let undo = self.undo(place)?;
        let agent = undo.agent.clone();
        match undo.phase {
            UndoPhase::Between => {}
            UndoPhase::Ready => self.take_from_undo_ready(place, &agent)?,
            _ => return Err(format!("undoing step `{}` cannot fail now", event.step)),
        }
        let undo = self.undo(place)?;
        undo.phase = UndoPhase::Failed;
        undo.error = Some(StepError { class: event.class, code: event.code, message: event.message.clone() });
        self.close_compensation()?;
        self.unwinding()?.failed.insert(place);
        Ok(())
    }

    pub(super) fn compensation_resolved(
        &mut self,
        event: &CompensationResolved,
    ) -> Result<(), Contradiction> {
        let place = self.place(&event.step)?;
        if self.undo(place)?.phase != UndoPhase::Failed {
            return Err(format!("undoing step `{}` has not failed", event.step));
        }
        match std::mem::take(&mut self.run.phase) {
            Phase::Ended(Ended { how: End::Stuck(_, Some(unwinding)), .. }) => {
                self.run.phase = Phase::Unwinding(unwinding);
                self.open_timers();
            }
            phase => self.run.phase = phase,
        }
        self.unwinding()?.failed.remove(&place);
        match event.how {
            Resolution::Retry => return self.try_undo_afresh(place),
            Resolution::Skip => self.undo(place)?.phase = UndoPhase::LeftUndone,
            Resolution::Done => self.undo(place)?.phase = UndoPhase::Undone,
        }
        self.became_of(place);
        Ok(())
    }

    /// Undoing a step that failed for good is tried again, with fresh attempts.
    fn try_undo_afresh(&mut self, place: StepIndex) -> Result<(), Contradiction> {
        let undo = self.undo(place)?;
        (undo.failures, undo.lost) = (0, 0);
        self.unwinding()?.open += 1;
        self.undo_ready(place)
    }

    pub(super) fn run_compensated(&mut self) -> Result<(), Contradiction> {
        let unwinding = self.unwinding()?;
        if unwinding.unsettled > 0 {
            return Err("not all of it is undone".to_owned());
        }
        let cause = unwinding.cause.clone();
        self.run_ends(End::Compensated(cause))
    }

    pub(super) fn run_stuck(&mut self, event: &RunStuck) -> Result<(), Contradiction> {
        let stuck = |unwinding| End::Stuck(event.clone(), unwinding);
        match std::mem::take(&mut self.run.phase) {
            Phase::Unwinding(unwinding) if unwinding.is_stuck() => {
                self.close_timers();
                self.run_ends(stuck(Some(unwinding)))
            }
            Phase::Unwinding(_) => Err("what is being undone goes on".to_owned()),
            phase => {
                self.run.phase = phase;
                self.run_gives_up(stuck(None))
            }
        }
    }

    /// Something became of a step: while the run is undone, the turns of others may come with it.
    pub(super) fn became_of(&mut self, place: StepIndex) {
        let Run { phase: Phase::Unwinding(unwinding), steps, paused, .. } = &mut *self.run else {
            return;
        };
        let due = unwinding.touched(place, steps, |_, node| Standing::of(node));
        if !*paused {
            steps.all(&due).for_each(|node| self.changes.open(start(node)));
        }
    }

    /// A compensation is settled, or failed for good.
    fn close_compensation(&mut self) -> Result<(), Contradiction> {
        let unwinding = self.unwinding()?;
        unwinding.open = unwinding.open.checked_sub(1).ok_or("no compensation is open")?;
        Ok(())
    }

    fn take_from_undo_ready(&mut self, place: StepIndex, agent: &AgentName) -> Result<(), Contradiction> {
        let ready = &mut self.unwinding()?.ready;
        if let Some(places) = ready.get_mut(agent) {
            places.remove(&place);
            if places.is_empty() {
                ready.remove(agent);
            }
        }
        let step = self.node_mut(place)?.id().clone();
        self.changes.close(RunEffectId::Start(step));
        Ok(())
    }

    /// Ends the open attempt at undoing a step with that number.
    fn end_undo(&mut self, step: &StepId, number: u32) -> Result<StepIndex, Contradiction> {
        let place = self.place(step)?;
        let undo = self.undo(place)?;
        let attempt = match &undo.phase {
            UndoPhase::Running(open) if open.attempt == number => Arc::clone(open),
            _ => return Err(format!("undoing step `{step}` has no open attempt {number}")),
        };
        undo.phase = UndoPhase::Between;
        self.close_attempt(place, &attempt);
        Ok(place)
    }

    fn undo(&mut self, place: StepIndex) -> Result<&mut Compensation, Contradiction> {
        let node = self.node_mut(place)?;
        let id = node.id().clone();
        node.compensation.as_mut().ok_or_else(|| format!("step `{id}` is not being undone"))
    }

    fn unwinding(&mut self) -> Result<&mut Unwinding, Contradiction> {
        match &mut self.run.phase {
            Phase::Unwinding(unwinding) => Ok(unwinding),
            _ => Err("it is not being undone".to_owned()),
        }
    }
}
