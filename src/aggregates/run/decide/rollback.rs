//! What people ask of the past of a run: to undo it, all or back to a step, and to settle what cannot be undone.

use std::sync::Arc;

use super::RunDraft;
use super::control::{forward, no_such_step};
use crate::aggregates::run::unwinding::Kept;
use crate::aggregates::run::{
    End, Ended, Ending, Node, Order, Phase, Refusal, Run, RunRejection, StepIndex, StepPhase, UndoPhase, Why,
};
use crate::events::ids::StepId;
use crate::events::problem::{Look, Remedy};
use crate::events::run::{CompensationResolved, Resolution, RollbackCause, RollbackStarted};

pub(super) fn rollback(
    draft: &mut RunDraft<'_>,
    order: Order,
    to: Option<Arc<str>>,
) -> Result<(), RunRejection> {
    let run = draft.state();
    let kept = run.may_roll_back(to.as_deref())?.map(|kept| kept.places).unwrap_or_default();
    let keeps = run.steps.all(&kept).map(|node| node.id().clone()).collect();
    let cause = RollbackCause::Request { by: order.by, reason: order.reason };
    draft.emit(RollbackStarted { to, keeps, ..RollbackStarted::of_everything(cause) });
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
    let (_, node) = run.node(&step).ok_or_else(|| no_such_step(step.as_str()))?;
    let failed = node.undo_phase() == Some(&UndoPhase::Failed);
    let resolvable = match &run.phase {
        Phase::Unwinding(_) => true,
        Phase::Ended(Ended { how: End::Stuck(_, unwinding), .. }) => unwinding.is_some(),
        _ => false,
    };
    if !failed || !resolvable {
        let status = node.status();
        return Err(Refusal::NotStuck { step, status }.into());
    }
    draft.emit(CompensationResolved { step, how, by, reason });
    Ok(())
}

impl Run {
    /// Whether it may be rolled back, all the way or to a step or a phase that is kept, which is then answered.
    pub(in crate::aggregates::run) fn may_roll_back(
        &self,
        to: Option<&str>,
    ) -> Result<Option<Kept>, RunRejection> {
        match &self.phase {
            Phase::Empty => return Err(RunRejection::NotStarted),
            Phase::Unwinding(_) => {
                return Err(Refusal::RollingBack.but(forward(self)));
            }
            Phase::Ending(Ending { why: Why::Cancelled { .. }, .. }) if to.is_some() => {
                return Err(Refusal::BeingCancelled.but(self.without_keeping()));
            }
            Phase::Ended(Ended { how: End::Compensated(_), .. }) => {
                return Err(Refusal::RolledBack.but([Remedy::StartAnother]));
            }
            _ => {}
        }
        let Some(to) = to else {
            self.is_before_return()?;
            return Ok(None);
        };
        let kept = self.kept(to)?;
        if let Some(node) = self.irreversible_behind(&kept.places) {
            return Err(self.past_return(node));
        }
        // Going forward again could not build on what would be kept.
        if let Some(node) = self.undone_before(&kept.places) {
            let (step, status) = (node.id().clone(), node.status());
            return Err(Refusal::KeepsUndone { step, status }.but(self.without_keeping()));
        }
        Ok(Some(kept))
    }

    /// The steps that a rollback keeps which goes back to a step or a phase.
    fn kept(&self, to: &str) -> Result<Kept, RunRejection> {
        let places = self.named(to);
        let is_phase = self.node(&StepId::grown(to)).is_none();
        for node in self.steps.all(&places) {
            if let Some(parent) = self.steps.outer(node) {
                let whole = parent.id().clone();
                let instead = [Remedy::KeepWhole(whole.clone())];
                return Err(Refusal::KeepsPart { part: to.into(), whole }.but(instead));
            }
            let is_left_out = is_phase && matches!(node.doing.phase, StepPhase::Skipped { .. });
            if !is_to_be_kept(node) && !is_left_out {
                let (step, status) = (node.id().clone(), node.status());
                let mut instead = vec![Remedy::LookAtRun(Look::StepsDone)];
                instead.extend(self.without_keeping());
                return Err(Refusal::KeepsUnfinished { step, status }.but(instead));
            }
        }
        if places.is_empty() { Err(no_such_step(to)) } else { Ok(Kept { name: to.into(), places }) }
    }

    /// To undo everything where a step cannot be kept; where that is refused too, what helps against that.
    fn without_keeping(&self) -> Vec<Remedy> {
        match self.is_before_return() {
            Ok(()) => vec![Remedy::RollBackAll],
            Err(RunRejection::Refused(refused)) => refused.remedies,
            Err(_) => Vec::new(),
        }
    }

    /// The step with that id; without one, the steps of the phase with that name.
    pub(in crate::aggregates::run) fn named(&self, name: &str) -> Vec<StepIndex> {
        if let Some((place, _)) = self.node(&StepId::grown(name)) {
            return vec![place];
        }
        self.phase(name)
    }

    /// The steps of the phase with that name.
    pub(in crate::aggregates::run) fn phase(&self, name: &str) -> Vec<StepIndex> {
        let in_phase = |node: &Node| node.inside.is_none() && node.added.phase.as_deref() == Some(name);
        let places = self.steps.indexed().filter(|(_, node)| in_phase(node));
        places.map(|(place, _)| place).collect()
    }

    /// What would be kept and is undone, or was to be.
    fn undone_before(&self, to: &[StepIndex]) -> Option<&Node> {
        let undone = self.steps.behind(to);
        let kept = self.steps.indexed().filter(|(place, _)| !undone.has(*place));
        kept.map(|(_, node)| node).find(|node| node.compensation.is_some())
    }

    /// Refuses when an irreversible step has started.
    pub(in crate::aggregates::run) fn is_before_return(&self) -> Result<(), RunRejection> {
        match self.steps.iter().find(|node| node.is_past_return()) {
            None => Ok(()),
            Some(node) => Err(self.past_return(node)),
        }
    }

    /// An irreversible step that has started and is neither one of these nor before them.
    fn irreversible_behind(&self, kept: &[StepIndex]) -> Option<&Node> {
        let before = self.steps.before(kept.to_vec());
        let mut past = self.steps.indexed().filter(|(_, node)| node.is_past_return());
        let found = past.find(|(irreversible, node)| {
            node.open_attempt().is_some() || !before.has(self.steps.outermost(*irreversible))
        });
        found.map(|(_, node)| node)
    }

    fn past_return(&self, node: &Node) -> RunRejection {
        let is_running = node.open_attempt().is_some();
        let mut instead = if self.is_over() { Vec::new() } else { forward(self) };
        instead.extend(self.last_return().map(|node| Remedy::RollBackTo(node.id().clone())));
        if instead.is_empty() {
            instead.push(Remedy::NothingRuns);
        }
        Refusal::PastReturn { step: node.id().clone(), is_running }.but(instead)
    }

    /// Whether only another run can go forward.
    fn is_over(&self) -> bool {
        matches!(&self.phase, Phase::Ended(Ended { how: End::Completed { .. } | End::Cancelled, .. }))
    }

    /// The irreversible step to which a rollback may go back, if it may to any.
    pub(crate) fn last_return(&self) -> Option<&Node> {
        let past = self.steps.indexed().filter(|(_, node)| node.is_past_return());
        let mut outer = past.map(|(place, _)| self.steps.outermost(place));
        let last = outer.find(|place| {
            self.steps.get(*place).is_some_and(is_to_be_kept)
                && self.irreversible_behind(&[*place]).is_none()
                && self.undone_before(&[*place]).is_none()
        });
        last.and_then(|place| self.steps.get(place))
    }
}

/// Whether a rollback may go back to this step, so that it stays: it ran, it is done, and nobody undid it.
fn is_to_be_kept(node: &Node) -> bool {
    node.is_done() && !matches!(node.doing.phase, StepPhase::Skipped { .. }) && node.compensation.is_none()
}
