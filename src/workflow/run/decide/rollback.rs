//! What people ask of the past of a run: to undo it, all or back to a step, and to settle what cannot be undone.

use std::sync::Arc;

use super::RunDraft;
use super::control::{no_such_step, not_now};
use crate::events::ids::StepId;
use crate::events::problem::Code;
use crate::events::run::{CompensationResolved, Resolution, RollbackCause, RollbackStarted};
use crate::workflow::run::unwinding::behind;
use crate::workflow::run::{
    End, Ended, Node, Order, Phase, Run, RunRejection, RunStatus, StepPhase, UndoPhase,
};

pub(super) fn rollback(
    draft: &mut RunDraft<'_>,
    order: Order,
    to: Option<StepId>,
) -> Result<(), RunRejection> {
    draft.state().may_roll_back(to.as_ref())?;
    let cause = RollbackCause::Request { by: order.by, reason: order.reason };
    draft.emit(RollbackStarted { cause, to });
    Ok(())
}

pub(super) fn resolve(
    draft: &mut RunDraft<'_>,
    by: Arc<str>,
    reason: String,
    step: StepId,
    how: Resolution,
) -> Result<(), RunRejection> {
    let run = draft.state();
    let (_, node) = run.node(&step).ok_or_else(|| no_such_step(&step))?;
    let failed = node.compensation.as_ref().is_some_and(|undo| undo.phase == UndoPhase::Failed);
    let resolvable = match &run.phase {
        Phase::Unwinding(_) => true,
        Phase::Ended(Ended { how: End::Stuck(_, unwinding), .. }) => unwinding.is_some(),
        _ => false,
    };
    if !failed || !resolvable {
        let why =
            format!("the compensation of step `{step}` has not failed for good: it is {}", node.status());
        return Err(not_now(Code::NotStuck, why, "`reenact status RUN` shows what is stuck"));
    }
    draft.emit(CompensationResolved { step, how, by, reason });
    Ok(())
}

impl Run {
    /// Whether it may be rolled back, all the way or to a step that is kept, which is then answered.
    pub(in crate::workflow::run) fn may_roll_back(
        &self,
        to: Option<&StepId>,
    ) -> Result<Option<usize>, RunRejection> {
        match &self.phase {
            Phase::Empty => return Err(RunRejection::NotStarted),
            Phase::Unwinding(_) => {
                let hint = "wait until it is; `reenact status RUN` shows how far it is";
                return Err(not_now(Code::Compensating, "the run is being rolled back already", hint));
            }
            Phase::Ended(Ended { how: End::Compensated(_), .. }) => {
                return Err(not_now(Code::RunEnded, "the run is rolled back already", "start another run"));
            }
            _ => {}
        }
        let Some(to) = to else {
            self.is_before_return()?;
            return Ok(None);
        };
        let (place, node) = self.node(to).ok_or_else(|| no_such_step(to))?;
        if let Some(parent) = node.inside.and_then(|parent| self.steps.get(parent)) {
            let why = format!("step `{to}` is a part of `{}`", parent.id());
            return Err(not_now(Code::CannotRollBack, why, format!("roll back to `{}`", parent.id())));
        }
        let ran = node.is_done() && !matches!(node.phase, StepPhase::Skipped { .. });
        let undone = node.compensation.is_some();
        if !ran || undone {
            let why = format!("step `{to}` is {}: only a step that is done can be kept", node.status());
            let hint = "`reenact status RUN` shows which are; without --to everything is undone";
            return Err(not_now(Code::CannotRollBack, why, hint));
        }
        self.is_after_return(place)?;
        self.keeps_nothing_undone(place)?;
        Ok(Some(place))
    }

    /// Refuses when something would be kept that is undone, or that was to be: going forward again could not build on it.
    fn keeps_nothing_undone(&self, to: usize) -> Result<(), RunRejection> {
        let undone = behind(&self.steps, to);
        let kept = self.steps.iter().enumerate().filter(|(place, _)| undone.get(*place) != Some(&true));
        match kept.map(|(_, node)| node).find(|node| node.compensation.is_some()) {
            None => Ok(()),
            Some(node) => {
                let why = format!("step `{}` is {}, and would be kept", node.id(), node.status());
                Err(not_now(Code::CannotRollBack, why, "without --to everything is undone"))
            }
        }
    }

    /// Refuses when an irreversible step has started.
    pub(in crate::workflow::run) fn is_before_return(&self) -> Result<(), RunRejection> {
        match self.last_past_return() {
            None => Ok(()),
            Some(node) => Err(self.past_return(node)),
        }
    }

    /// The irreversible step that started last, of those that nothing may be undone before; first of all one that runs.
    fn last_past_return(&self) -> Option<&Node> {
        let past = self.steps.iter().filter(|node| node.is_past_return());
        past.max_by_key(|node| (node.open_attempt().is_some(), node.started_at))
    }

    /// The step that a rollback has to keep because something irreversible was done there; none if nothing was.
    pub(crate) fn has_to_keep(&self) -> Option<&StepId> {
        self.last_past_return().map(|node| self.outer(node).id())
    }

    /// A part of a step cannot be kept, but the whole.
    fn outer<'r>(&'r self, node: &'r Node) -> &'r Node {
        node.inside.and_then(|parent| self.steps.get(parent)).unwrap_or(node)
    }

    /// Refuses when an irreversible step has started that is neither this one nor before it.
    fn is_after_return(&self, place: usize) -> Result<(), RunRejection> {
        let before = self.before(place);
        let past = self.steps.iter().enumerate().filter(|(_, node)| node.is_past_return());
        for (irreversible, node) in past {
            let outer = node.inside.unwrap_or(irreversible);
            let is_open = node.open_attempt().is_some();
            if is_open || before.get(outer) != Some(&true) {
                return Err(self.past_return(node));
            }
        }
        Ok(())
    }

    fn past_return(&self, node: &Node) -> RunRejection {
        let (id, kept) = (node.id(), self.outer(node).id());
        let back = format!("roll back to `{kept}` or a step after it");
        let (how, hint) = match self.status() {
            _ if node.open_attempt().is_some() => {
                ("is running", "wait for its outcome: `reenact status RUN` shows it".to_owned())
            }
            RunStatus::Stuck => {
                ("has been started", format!("go forward with `reenact retry RUN`, or {back}"))
            }
            _ => ("has been started", format!("{back}, with --to")),
        };
        let why = format!("step `{id}` is irreversible and {how}: nothing before it can be undone");
        not_now(Code::PastNoReturn, why, hint)
    }

    /// Which steps a step comes after, itself among them.
    fn before(&self, place: usize) -> Vec<bool> {
        let mut found = vec![false; self.steps.len()];
        let mut next = vec![place];
        while let Some(place) = next.pop() {
            let (Some(node), Some(found)) = (self.steps.get(place), found.get_mut(place)) else { continue };
            if !std::mem::replace(found, true) {
                next.extend(node.added.needs.iter().filter_map(|need| self.index.get(need)));
                next.extend(node.inside);
            }
        }
        found
    }
}
