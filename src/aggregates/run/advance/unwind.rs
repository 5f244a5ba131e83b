//! How a run is undone: compensations whose turn has come are opened and tried as far as there are slots, until all is
//! undone or nothing can go on.

use super::{Advance, StartError};
use crate::aggregates::run::{Impossible, Phase, RunRejection, StepIndex, Unwinding};
use crate::events::ids::{AgentName, StepId};
use crate::events::run::*;
use crate::workflow::scope::{Scope, StepView, Undone};

impl Advance<'_, '_> {
    pub(super) fn unwind(&mut self) -> Result<(), RunRejection> {
        if !self.undoes_only {
            self.cancel_idle();
            self.end_grown();
        }
        if self.drive.is_some() {
            while self.open_due()? | self.start_undoing()? {}
        }
        self.end_unwinding()
    }

    fn unwinding(&self) -> Option<&Unwinding> {
        match &self.draft.state().phase {
            Phase::Unwinding(unwinding) if !self.draft.state().paused => Some(unwinding),
            _ => None,
        }
    }

    /// Opens the compensations whose turn has come. Answers whether there were any.
    fn open_due(&mut self) -> Result<bool, RunRejection> {
        let due: Vec<StepIndex> =
            self.unwinding().map(|unwinding| unwinding.due.iter().copied().collect()).unwrap_or_default();
        let mut opened = false;
        for place in due {
            let node = self.node(place)?;
            let (Some(undo), Some(outcome)) = (&node.added.undo, node.owes()) else { continue };
            let (step, agent) = (node.id().clone(), undo.agent.clone());
            self.draft.emit(CompensationStarted { step, agent, outcome });
            opened = true;
        }
        Ok(opened)
    }

    /// Starts attempts at undoing as far as there are slots. Answers whether any started, or failed to.
    fn start_undoing(&mut self) -> Result<bool, RunRejection> {
        let mut started = false;
        let agents = self.unwinding().map(|unwinding| unwinding.ready.agents()).unwrap_or_default();
        for agent in agents {
            while self.may_open_one(&agent) {
                let run = self.draft.state();
                let first = self.unwinding().and_then(|unwinding| run.next_of(&unwinding.ready, &agent));
                let Some(place) = first else { break };
                let step = self.template(place)?;
                if !self.has_slot(&agent) || !self.may_lock(place, &step) {
                    break;
                }
                if self.must_lock(place, Purpose::Compensate, &step)? {
                    continue;
                }
                self.take_slot(&agent);
                self.start_undo(place, &agent)?;
                started = true;
            }
        }
        Ok(started)
    }

    fn start_undo(&mut self, place: StepIndex, agent: &AgentName) -> Result<(), RunRejection> {
        let step = self.template(place)?;
        let timeout = step.compensate.as_ref().and_then(|compensate| compensate.timeout);
        let work =
            self.undo_scope(place).and_then(|scope| step.compensation(&scope).map_err(StartError::Render));
        let problem = match work {
            Ok(work) => return self.begin_attempt(place, agent.clone(), Purpose::Compensate, timeout, work),
            Err(hindrance) => hindrance.of_the_step()?.problem(),
        };
        self.give_up(place, Purpose::Compensate, problem.class, problem.code, problem.message)
    }

    /// What the expressions of a compensation see.
    fn undo_scope(&self, place: StepIndex) -> Result<Scope, StartError> {
        let step = self.template(place)?;
        let node = self.node(place)?;
        let undo = node.compensation.as_ref().ok_or_else(|| Impossible::NoCompensation(node.id().clone()))?;
        let output = node.undone_output().map(|output| self.draft.json(output, self.moment)).transpose()?;
        let view = StepView { status: node.status(), attempts: node.attempts_now(), output };
        let scope = self.scope(Some(place), &step.compensation_references())?;
        Ok(Scope { undone: Some(Undone { step: step.id.clone(), outcome: undo.outcome, view }), ..scope })
    }

    /// When everything is undone the run is compensated, or waits for somebody to say how it goes on. When nothing can go
    /// on before that, it is stuck.
    fn end_unwinding(&mut self) -> Result<(), RunRejection> {
        let run = self.draft.state();
        let Phase::Unwinding(unwinding) = &run.phase else { return Ok(()) };
        if unwinding.unsettled == 0 {
            match &unwinding.to {
                None => self.draft.emit(RunCompensated {}),
                Some(kept) => {
                    let is_phase = run.node(&StepId::grown(kept)).is_none();
                    let what = if is_phase { "phase" } else { "step" };
                    let reason = Some(format!("it is rolled back to {what} `{kept}`"));
                    let by = match &unwinding.cause {
                        RollbackCause::Request { by, .. } => by.clone(),
                        RollbackCause::Failure { .. } | RollbackCause::Cancel => "reenact".into(),
                    };
                    self.draft.emit(RunPaused { by, reason });
                }
            }
            return Ok(());
        }
        let is_over = run.running == 0 && unwinding.is_stuck();
        let first = unwinding.failed.first().and_then(|place| run.steps.get(*place)).filter(|_| is_over);
        let Some((node, error)) =
            first.and_then(|node| Some((node, node.compensation.as_ref()?.tries.error.clone()?)))
        else {
            return Ok(());
        };
        let (class, code, message) = (error.class, error.code, error.message);
        let (why, step) = (StuckWhy::Compensation, Some(node.id().clone()));
        self.draft.emit(RunStuck { why, step, class, code, message });
        Ok(())
    }
}
