//! What the events of a rollback make true: its gates, its compensations, and where the run goes on after it.

use std::sync::Arc;

use super::{Contradiction, Evolution, start};
use crate::aggregates::run::node::Compensation;
use crate::aggregates::run::tries::{StepError, Tried, Tries, Trying};
use crate::aggregates::run::unwinding::{Kept, Standing};
use crate::aggregates::run::{
    End, Ended, Node, Order, Phase, Run, RunEffect, RunEffectId, StepIndex, UndoPhase, Unwinding,
};
use crate::events::run::*;

/// The compensations that could start or be tried again.
pub(super) fn open(run: &Run) -> Vec<RunEffect> {
    let Phase::Unwinding(unwinding) = &run.phase else { return Vec::new() };
    if run.paused {
        return Vec::new();
    }
    let could = run.steps.all(unwinding.due.iter().chain(unwinding.ready.steps()));
    could.map(|node| start(node, Purpose::Compensate)).collect()
}

impl Evolution<'_> {
    pub(super) fn rollback_started(&mut self, event: &RollbackStarted) -> Result<(), Contradiction> {
        if matches!(self.run.phase, Phase::Unwinding(_)) {
            return Err("it is being undone already".to_owned());
        }
        let places = event.keeps.iter().map(|step| self.place(step)).collect::<Result<_, _>>()?;
        let kept = event.to.clone().map(|name| Kept { name, places });
        let was_over = matches!(self.run.phase, Phase::Ended(_));
        self.close_starts();
        // A person who asks for it wants it now; what comes of itself waits as everything does.
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
        let node = self.node_mut(place)?;
        let before = node.attempts(Purpose::Compensate);
        node.compensation = Some(Compensation {
            agent: event.agent.clone(),
            outcome: event.outcome,
            tries: Tries::after(before, UndoPhase::Trying(Trying::Between)),
        });
        self.ready(place, Purpose::Compensate)
    }

    pub(super) fn step_compensated(&mut self, event: &StepCompensated) -> Result<(), Contradiction> {
        self.count_try(&event.step, Purpose::Compensate, event.attempt);
        self.count_usage(&event.step, Purpose::Compensate, event.attempt, event.usage);
        let place = self.end_attempt(&event.step, Purpose::Compensate, event.attempt)?;
        let node = self.node_mut(place)?;
        node.usage = node.usage.and(event.usage);
        let tries = &mut self.undo(place)?.tries;
        (tries.phase, tries.error) = (UndoPhase::Undone(None), None);
        self.close_compensation()?;
        self.became_of(place);
        Ok(())
    }

    pub(super) fn compensation_failed(&mut self, event: &CompensationFailed) -> Result<(), Contradiction> {
        let place = self.place(&event.step)?;
        self.leave_shared(place, None);
        match self.undo(place)?.tries.phase.trying() {
            Some(Trying::Between) => {}
            Some(Trying::Ready) => self.unready(place, Purpose::Compensate)?,
            Some(Trying::Open { .. } | Trying::Retrying(_)) | None => {
                return Err(format!("undoing step `{}` cannot fail now", event.step));
            }
        }
        let tries = &mut self.undo(place)?.tries;
        tries.phase = UndoPhase::Failed;
        tries.error =
            Some(StepError { class: event.class, code: event.code, message: event.message.clone() });
        self.close_compensation()?;
        self.unwinding()?.failed.insert(place);
        Ok(())
    }

    pub(super) fn compensation_resolved(
        &mut self,
        event: &CompensationResolved,
    ) -> Result<(), Contradiction> {
        let place = self.place(&event.step)?;
        if self.undo(place)?.tries.phase != UndoPhase::Failed {
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
        let said = Order { by: Arc::clone(&event.by), reason: Some(event.reason.clone()) };
        match event.how {
            Resolution::Retry => return self.try_undo_afresh(place),
            Resolution::Skip => self.undo(place)?.tries.phase = UndoPhase::LeftUndone(said),
            Resolution::Done => self.undo(place)?.tries.phase = UndoPhase::Undone(Some(said)),
        }
        self.became_of(place);
        Ok(())
    }

    /// Undoing a step that failed for good is tried again, with fresh attempts.
    fn try_undo_afresh(&mut self, place: StepIndex) -> Result<(), Contradiction> {
        self.undo(place)?.tries.refresh();
        self.unwinding()?.open += 1;
        self.ready(place, Purpose::Compensate)
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
            steps.all(&due).for_each(|node| self.changes.open(start(node, Purpose::Compensate)));
        }
    }

    /// A compensation is settled, or failed for good.
    fn close_compensation(&mut self) -> Result<(), Contradiction> {
        let unwinding = self.unwinding()?;
        unwinding.open = unwinding.open.checked_sub(1).ok_or("no compensation is open")?;
        Ok(())
    }

    fn undo(&mut self, place: StepIndex) -> Result<&mut Compensation, Contradiction> {
        let node = self.node_mut(place)?;
        let id = node.id().clone();
        node.compensation.as_mut().ok_or_else(|| format!("step `{id}` is not being undone"))
    }

    pub(super) fn unwinding(&mut self) -> Result<&mut Unwinding, Contradiction> {
        match &mut self.run.phase {
            Phase::Unwinding(unwinding) => Ok(unwinding),
            _ => Err("it is not being undone".to_owned()),
        }
    }
}
