//! How a run ends: forward, because a step failed, because its time is over, or because somebody cancelled it.

use super::{Advance, StartError};
use crate::aggregates::run::{Ending, Impossible, Node, Phase, Run, RunRejection, StepIndex, StepPhase, Why};
use crate::events::ids::StepId;
use crate::events::json::{Json, Payload};
use crate::events::problem::Code;
use crate::events::run::*;
use crate::workflow::definition::OnFailure;

impl Advance<'_, '_> {
    /// Cancels what is open and need not be awaited; when nothing runs any more, the run ends or begins to be undone.
    pub(super) fn end(&mut self) -> Result<(), RunRejection> {
        let Phase::Ending(Ending { why, .. }) = self.draft.state().phase else { return Ok(()) };
        self.cancel_idle();
        if self.draft.state().running > 0 {
            return Ok(());
        }
        self.end_grown();
        let failure = match why {
            Why::Cancelled { rollback: true } if self.draft.state().is_past_return() => {
                self.get_stuck_past_return();
                return Ok(());
            }
            Why::Cancelled { rollback: true } => {
                self.draft.emit(RollbackStarted::of_everything(RollbackCause::Cancel));
                return Ok(());
            }
            Why::Cancelled { rollback: false } => {
                self.draft.emit(RunCancelled {});
                return Ok(());
            }
            Why::Failed(first) => self.failure_of(first)?,
            Why::OutOfTime => {
                let code = Code::DurationExceeded;
                let message = "it took longer than its limit".to_owned();
                RunFailed { step: None, class: code.class(), code, message }
            }
        };
        self.end_failed(failure);
        Ok(())
    }

    /// A run that was to be undone has turned out to be past the point of no return: a child of it came that far before it
    /// could be stopped.
    fn get_stuck_past_return(&mut self) {
        let past = self.draft.state().steps.iter().find(|node| node.is_past_return());
        let (step, code) = (past.map(|node| node.id().clone()), Code::PastNoReturn);
        let message = "what it has done cannot be undone any more".to_owned();
        self.draft.emit(RunStuck { why: StuckWhy::Irreversible, step, class: code.class(), code, message });
    }

    /// A run that failed gets stuck after an irreversible step, is undone if anything is owed, or ends.
    fn end_failed(&mut self, failure: RunFailed) {
        let RunFailed { step, class, code, message } = failure;
        let run = self.draft.state();
        if run.is_past_return() {
            self.draft.emit(RunStuck { why: StuckWhy::Irreversible, step, class, code, message });
        } else if code == Code::ChildStuck {
            self.draft.emit(RunStuck { why: StuckWhy::Child, step, class, code, message });
        } else if self.definition.on_failure == OnFailure::Rollback
            && run.steps.iter().any(|node| node.owes().is_some())
        {
            let cause = RollbackCause::Failure { step, class, code, message };
            self.draft.emit(RollbackStarted::of_everything(cause));
        } else {
            self.draft.emit(RunFailed { step, class, code, message });
        }
    }

    fn failure_of(&self, place: StepIndex) -> Result<RunFailed, RunRejection> {
        let node = self.node(place)?;
        let error = node.doing.error.clone().ok_or_else(|| Impossible::NoError(node.id().clone()))?;
        let (class, code, message) = (error.class, error.code, error.message);
        Ok(RunFailed { step: Some(node.id().clone()), class, code, message })
    }

    /// Cancels steps that were begun, of which nothing runs, and that are given up.
    pub(super) fn cancel_idle(&mut self) {
        let idle = self.draft.state().steps.indexed().filter(|(_, node)| node.is_idle());
        let idle = idle.filter(|(place, _)| self.is_given_up(*place));
        let cancelled: Vec<StepId> = idle.map(|(_, node)| node.id().clone()).collect();
        for step in cancelled {
            self.draft.emit(StepCancelled { step });
        }
    }

    /// Given-up steps in which others grew, of which nothing is on its way any more, fail with the first that failed
    /// inside, or are cancelled with them.
    pub(super) fn end_grown(&mut self) {
        // What grew in a step was added after it.
        for place in self.draft.state().steps.indices().rev() {
            let run = self.draft.state();
            let Some(node) = run.steps.get(place) else { continue };
            let children = || run.steps.all(&node.children);
            let is_over = node.doing.phase == StepPhase::Expanded && self.is_given_up(place);
            if !is_over || children().any(Node::is_on_its_way) {
                continue;
            }
            let step = node.id().clone();
            let event = match run
                .failed_inside(node)
                .and_then(|inner| Some((inner.id(), inner.doing.error.as_ref()?)))
            {
                Some((inner, error)) => RunEvent::from(StepFailed {
                    step,
                    class: error.class,
                    code: error.code,
                    message: format!("`{inner}`: {}", error.message),
                    handling: Handling::Fails,
                }),
                None => RunEvent::from(StepCancelled { step }),
            };
            self.draft.emit(event);
        }
    }

    /// Ends the run if all of its steps are done with.
    pub(super) fn complete_run(&mut self) -> Result<(), RunRejection> {
        let run = self.draft.state();
        if run.done < run.steps.len() {
            return Ok(());
        }
        let rendered = match &self.definition.output {
            None => Ok(Json::null()),
            Some(output) => self
                .scope(None, output.references())
                .and_then(|scope| output.render(&scope).map_err(StartError::Render)),
        };
        let (output, error) = match rendered {
            Ok(output) => (self.draft.payload(output), None),
            Err(hindrance) => {
                let problem = hindrance.of_the_step()?.problem();
                let error =
                    OutputError { class: problem.class, code: problem.code, message: problem.message };
                (Payload::default(), Some(error))
            }
        };
        let degraded = self.draft.state().degraded || error.is_some();
        self.draft.emit(RunCompleted { output, degraded, error });
        Ok(())
    }
}

impl Run {
    /// A step that failed, and grew in this one or in what did.
    pub(crate) fn failed_inside(&self, node: &Node) -> Option<&Node> {
        let mut children = self.steps.all(&node.children);
        children.find_map(|child| {
            let failed = child.doing.phase == StepPhase::Failed { tolerated: false };
            if failed { Some(child) } else { self.failed_inside(child) }
        })
    }
}
