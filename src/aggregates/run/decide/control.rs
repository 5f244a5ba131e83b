//! What people ask of a run: to pause, to go on, to end, to try again.

use std::sync::Arc;

use super::RunDraft;
use crate::aggregates::run::advance::Advance;
use crate::aggregates::run::{
    End, Ended, Ending, Node, Order, Phase, Refusal, Run, RunRejection, StepIndex, StepPhase, UndoPhase,
    Unwinding, Why,
};
use crate::events::ids::{MessageNumber, StepId};
use crate::events::problem::Remedy;
use crate::events::run::{
    CancelRequested, PausePlanned, RetryRequested, RollbackCause, RunUnpaused, SkipReason,
};

/// How a run goes on that is refused something.
pub(super) fn forward(run: &Run) -> Vec<Remedy> {
    let how = match &run.phase {
        Phase::Ended(Ended { how: End::Failed(_) | End::Stuck(_, None), .. }) if run.may_retry() => {
            Remedy::Retry
        }
        Phase::Ended(Ended { how: End::Stuck(_, None), .. }) => Remedy::Cancel,
        Phase::Back(_) if run.may_retry() => Remedy::GoForward,
        Phase::Back(_) => Remedy::RollBackRest,
        Phase::Ended(Ended { how: End::Stuck(_, Some(_)), .. }) => return settle(run),
        Phase::Ended(_) => Remedy::StartAnother,
        _ if run.paused => Remedy::Unpause,
        _ => Remedy::Resume,
    };
    vec![how]
}

/// Sends a dead message again. Of a run that has ended nobody would be given it.
pub(super) fn resend(
    advance: &mut Advance<'_, '_>,
    number: MessageNumber,
    by: Arc<str>,
) -> Result<(), RunRejection> {
    let run = advance.draft.state();
    match run.status() {
        status if status.has_ended() => Err(Refusal::EndedBeforeResend(status).but(forward(run))),
        _ => advance.send_again(number, by),
    }
}

pub(super) fn pause(draft: &mut RunDraft<'_>, order: Order) -> Result<(), RunRejection> {
    let run = draft.state();
    match run.phase {
        Phase::Ended(_) => Err(Refusal::EndedBeforePause(run.status()).but([Remedy::NothingRuns])),
        _ if run.paused => Ok(()),
        _ => {
            Run::pause(draft, order.by, order.reason);
            Ok(())
        }
    }
}

pub(super) fn unpause(draft: &mut RunDraft<'_>, order: Order) -> Result<(), RunRejection> {
    let run = draft.state();
    match &run.phase {
        Phase::Ended(_) => return Err(Refusal::EndedBeforeUnpause(run.status()).but(forward(run))),
        Phase::Back(unwinding) => drop(afresh(run, Some(unwinding))?),
        _ if !run.paused => return Ok(()),
        _ => {}
    }
    draft.emit(RunUnpaused { by: order.by, reason: order.reason });
    Ok(())
}

/// What stands for the first phase that is not done with.
const NEXT: &str = "next";

pub(super) fn pause_after(
    draft: &mut RunDraft<'_>,
    order: Order,
    until: &Arc<str>,
) -> Result<(), RunRejection> {
    let run = draft.state();
    match run.phase {
        Phase::Ended(_) => return Err(Refusal::EndedBeforePause(run.status()).but(forward(run))),
        Phase::Unwinding(_) => return Err(Refusal::RollingBack.but([Remedy::Pause])),
        Phase::Ending(_) => return Err(Refusal::NothingGoesOn(run.status()).into()),
        _ => {}
    }
    let until = match run.named(until).is_empty() {
        true if &**until == NEXT => next_phase(run)?,
        true => return Err(no_such_step(until)),
        false if run.is_reached(until) => return Err(Refusal::DoneAlready(Arc::clone(until)).into()),
        false => Arc::clone(until),
    };
    if run.until.as_ref() != Some(&until) {
        draft.emit(PausePlanned { until, by: order.by, reason: order.reason });
    }
    Ok(())
}

/// The first phase of which a step is not done with.
fn next_phase(run: &Run) -> Result<Arc<str>, RunRejection> {
    let phase = run.steps.iter().find_map(|node| node.added.phase.as_ref().filter(|_| !node.is_done()));
    phase.cloned().ok_or_else(|| Refusal::NoPhaseLeft.into())
}

pub(super) fn cancel(draft: &mut RunDraft<'_>, order: Order, rollback: bool) -> Result<(), RunRejection> {
    let run = draft.state();
    match &run.phase {
        Phase::Ended(Ended { how: End::Cancelled, .. }) if !rollback => return Ok(()),
        Phase::Ended(Ended { how: End::Compensated(RollbackCause::Cancel), .. }) if rollback => return Ok(()),
        Phase::Ended(Ended { how: End::Stuck(_, None), .. }) => {}
        Phase::Ended(Ended { how: End::Stuck(_, Some(_)), .. }) => {
            return Err(Refusal::StuckBeforeCancel.but(settle(run)));
        }
        Phase::Ended(_) => {
            let instead = match run.may_roll_back(None) {
                Ok(_) => Remedy::RollBack,
                Err(_) => Remedy::NothingRuns,
            };
            return Err(Refusal::EndedBeforeCancel(run.status()).but([instead]));
        }
        Phase::Unwinding(unwinding) if rollback && unwinding.cause == RollbackCause::Cancel => return Ok(()),
        Phase::Unwinding(_) => {
            let instead = if run.paused { forward(run) } else { vec![Remedy::Pause] };
            return Err(Refusal::RollingBackBeforeCancel.but(instead));
        }
        Phase::Ending(Ending { why: Why::Cancelled { rollback: wanted }, .. }) => {
            if *wanted == rollback {
                return Ok(());
            }
            return Err(Refusal::CancelledOtherwise.but([Remedy::AwaitEnd, Remedy::RollBack]));
        }
        _ => {}
    }
    if rollback {
        run.is_before_return()?;
    }
    draft.emit(CancelRequested { by: order.by, reason: order.reason, rollback });
    Ok(())
}

/// What to do about a compensation that failed for good. A run that is stuck in one has one at least.
fn settle(run: &Run) -> Vec<Remedy> {
    let failed = run.steps.iter().find(|node| node.undo_phase() == Some(&UndoPhase::Failed));
    failed.map(|node| Remedy::ResolveCompensation(node.id().clone())).into_iter().collect()
}

pub(super) fn retry(
    draft: &mut RunDraft<'_>,
    order: Order,
    step: Option<Arc<str>>,
) -> Result<(), RunRejection> {
    let run = draft.state();
    let undone = match &run.phase {
        Phase::Back(unwinding) => Some(&**unwinding),
        Phase::Ended(Ended { how: End::Failed(_) | End::Stuck(_, None), .. }) => None,
        Phase::Ended(Ended { how: End::Stuck(_, Some(_)), .. }) => {
            return Err(Refusal::StuckBeforeRetry.but(settle(run)));
        }
        _ => return Err(nothing_to_retry(run, step.as_deref())),
    };
    let afresh = afresh(run, undone)?;
    if let Some(step) = &step {
        only(run, step, &afresh)?;
    }
    draft.emit(RetryRequested { step, by: order.by, reason: order.reason });
    Ok(())
}

impl Run {
    /// Whether it may go forward again after it failed, got stuck or was rolled back to a step.
    pub(crate) fn may_retry(&self) -> bool {
        let undone = match &self.phase {
            Phase::Back(unwinding) => Some(&**unwinding),
            Phase::Ended(Ended { how: End::Failed(_) | End::Stuck(_, None), .. }) => None,
            _ => return false,
        };
        self.started_once(undone).is_none()
    }

    /// Whether a step is done anew when the run is rolled back to this one and goes forward again.
    fn may_do_again_from(&self, kept: &StepId, step: StepIndex) -> bool {
        let Ok(Some(kept)) = self.may_roll_back(Some(kept.as_str())) else { return false };
        let undone = self.steps.behind(&kept.places);
        // What is not undone and may be started once only keeps the run from going forward.
        let keeps = |node: &Node| node.added.at_most_once && node.attempts_now() > 0 && node.owes().is_none();
        undone.has(step) && !self.steps.indexed().any(|(place, node)| undone.has(place) && keeps(node))
    }

    /// A step that may be started once only, was, and would be started again if the run went forward.
    fn started_once(&self, undone: Option<&Unwinding>) -> Option<&Node> {
        let is_anew = |place: StepIndex| undone.is_some_and(|unwinding| unwinding.undoes(place));
        let mut nodes = self.steps.indexed();
        let found = nodes.find(|(place, node)| {
            let is_afresh = !is_anew(*place) && self.is_to_be_retried(node);
            // What was refused is not done again, but asked about again.
            let starts = is_afresh && !node.is_refused_by_people() || is_anew(*place) && !node.is_undone();
            starts && node.added.at_most_once && node.attempts_now() > 0
        });
        found.map(|(_, node)| node)
    }
}

/// The steps that are tried again as they are when the run goes forward again. What may be started once only is neither
/// tried again nor, after a partial rollback, done anew without being undone.
fn afresh<'r>(run: &'r Run, undone: Option<&Unwinding>) -> Result<Vec<&'r Node>, RunRejection> {
    if let Some(node) = run.started_once(undone) {
        let instead = match run.may_roll_back(None) {
            Ok(_) => Remedy::RollBack,
            Err(_) => Remedy::Cancel,
        };
        return Err(Refusal::StartedOnce(node.id().clone()).but([instead, Remedy::DoAnew]));
    }
    let is_anew = |place: StepIndex| undone.is_some_and(|unwinding| unwinding.undoes(place));
    let nodes = run.steps.indexed();
    Ok(nodes
        .filter(|(place, node)| !is_anew(*place) && run.is_to_be_retried(node))
        .map(|(_, node)| node)
        .collect())
}

/// A retry of one step or phase is one of the run: it is refused where others failed too.
fn only(run: &Run, name: &str, afresh: &[&Node]) -> Result<(), RunRejection> {
    let places = run.named(name);
    let meant = |node: &Node| run.steps.is_within(node, &places);
    if places.is_empty() {
        return Err(no_such_step(name));
    }
    if !afresh.iter().any(|node| meant(node)) {
        return Err(match tolerated(run, meant) {
            Some((why, instead)) => why.but([Remedy::Retry, instead]),
            None => Refusal::NotFailed(name.into()).but([Remedy::Retry]),
        });
    }
    let failed = |node: &&&Node| {
        node.doing.phase == StepPhase::Failed { tolerated: false }
            && run.steps.all(&node.children).all(Node::is_of_manager)
    };
    let others = afresh.iter().filter(failed).filter(|node| !meant(node));
    let others: Vec<_> = others.map(|node| node.id().clone()).collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(Refusal::OthersFailed(others).but([Remedy::RetryAll]))
}

/// Of a run of which nothing is to be tried again: it may have gone on without something.
fn nothing_to_retry(run: &Run, step: Option<&str>) -> RunRejection {
    let places = step.map(|step| run.named(step));
    let meant = |node: &Node| places.as_ref().is_none_or(|places| run.steps.is_within(node, places));
    let has_completed = matches!(&run.phase, Phase::Ended(Ended { how: End::Completed { .. }, .. }));
    match tolerated(run, meant).filter(|_| has_completed) {
        Some((why, instead)) => why.but([instead]),
        None => Refusal::NothingToRetry(run.status()).but(forward(run)),
    }
}

/// Says which of these steps failed while the run went on without them, and how they are done after all. That is recorded as
/// what their whole came to, and what depends on that has used it: so the whole is done anew, from a step before it.
fn tolerated(run: &Run, meant: impl Fn(&Node) -> bool) -> Option<(Refusal, Remedy)> {
    let went_without = |node: &&Node| {
        let phase = &node.doing.phase;
        matches!(
            phase,
            StepPhase::Failed { tolerated: true } | StepPhase::Skipped { reason: SkipReason::Failure, .. }
        )
    };
    let failed = || run.steps.iter().filter(|node| meant(node)).filter(went_without);
    let first = run.steps.outermost(run.steps.index(failed().next()?.id())?);
    let whole = run.steps.get(first)?;
    let mut before = whole.added.needs.iter().filter(|need| run.may_do_again_from(need, first));
    let instead = match before.next() {
        Some(kept) => Remedy::DoAgainFrom { kept: kept.clone(), step: whole.id().clone() },
        None => Remedy::DoAnew,
    };
    Some((Refusal::Tolerated(failed().map(|node| node.id().clone()).collect()), instead))
}

pub(super) fn no_such_step(step: &str) -> RunRejection {
    Refusal::NoSuchStep(step.into()).into()
}
