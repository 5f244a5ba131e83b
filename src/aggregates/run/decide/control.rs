//! What people ask of a run: to pause, to go on, to end, to try again.

use std::sync::Arc;

use super::RunDraft;
use crate::aggregates::run::{
    End, Ended, Ending, Node, Order, Phase, Run, RunRejection, StepIndex, StepPhase, UndoPhase, Unwinding,
    Why,
};
use crate::events::problem::Code;
use crate::events::run::{CancelRequested, RetryRequested, RollbackCause, RunPaused, RunUnpaused};

/// A refusal, with what could be done instead.
pub(super) fn not_now(code: Code, why: impl Into<String>, hint: impl Into<String>) -> RunRejection {
    RunRejection::NotNow { code, why: why.into(), hint: hint.into() }
}

fn ended(run: &Run, what: &str, hint: &str) -> RunRejection {
    not_now(Code::RunEnded, format!("the run is {} and cannot {what}", run.status().text()), hint)
}

/// How a run goes on that is refused something.
pub(super) fn forward(run: &Run) -> String {
    let how = match &run.phase {
        Phase::Ended(Ended { how: End::Failed(_) | End::Stuck(_, None), .. }) if run.may_retry() => {
            "`reenact retry RUN` tries again what failed"
        }
        Phase::Ended(Ended { how: End::Stuck(_, None), .. }) => "`reenact cancel RUN` leaves all as it is",
        Phase::Back(_) if run.may_retry() => "`reenact retry RUN` goes forward again",
        Phase::Back(_) => "`reenact rollback RUN` undoes the rest too",
        Phase::Ended(Ended { how: End::Stuck(_, Some(_)), .. }) => return settle(run),
        Phase::Ended(_) => "start another run",
        _ if run.paused => "`reenact unpause RUN` lets it go on",
        _ => "`reenact resume RUN` sees it through",
    };
    how.to_owned()
}

pub(super) fn pause(draft: &mut RunDraft<'_>, order: Order) -> Result<(), RunRejection> {
    let run = draft.state();
    match run.phase {
        Phase::Ended(_) => Err(ended(run, "pause", "nothing of it runs")),
        _ if run.paused => Ok(()),
        _ => {
            draft.emit(RunPaused { by: order.by, reason: order.reason });
            Ok(())
        }
    }
}

pub(super) fn unpause(draft: &mut RunDraft<'_>, order: Order) -> Result<(), RunRejection> {
    let run = draft.state();
    match &run.phase {
        Phase::Ended(_) => return Err(ended(run, "go on", &forward(run))),
        Phase::Back(unwinding) => drop(afresh(run, Some(unwinding))?),
        _ if !run.paused => return Ok(()),
        _ => {}
    }
    draft.emit(RunUnpaused { by: order.by, reason: order.reason });
    Ok(())
}

pub(super) fn cancel(draft: &mut RunDraft<'_>, order: Order, rollback: bool) -> Result<(), RunRejection> {
    let run = draft.state();
    match &run.phase {
        Phase::Ended(Ended { how: End::Cancelled, .. }) if !rollback => return Ok(()),
        Phase::Ended(Ended { how: End::Compensated(RollbackCause::Cancel), .. }) if rollback => return Ok(()),
        Phase::Ended(Ended { how: End::Stuck(_, None), .. }) => {}
        Phase::Ended(Ended { how: End::Stuck(_, Some(_)), .. }) => {
            let why = "the run is stuck in a compensation and cannot be cancelled";
            return Err(not_now(Code::Compensating, why, settle(run)));
        }
        Phase::Ended(_) => {
            let hint = match run.may_roll_back(None) {
                Ok(_) => "`reenact rollback RUN` undoes what was done",
                Err(_) => "nothing of it runs",
            };
            return Err(ended(run, "be cancelled", hint));
        }
        Phase::Unwinding(unwinding) if rollback && unwinding.cause == RollbackCause::Cancel => return Ok(()),
        Phase::Unwinding(_) => {
            let why = "the run is being rolled back and cannot be cancelled";
            let pause = || "`reenact pause RUN` stops it for a while".to_owned();
            let hint = if run.paused { forward(run) } else { pause() };
            return Err(not_now(Code::Compensating, why, hint));
        }
        Phase::Ending(Ending { why: Why::Cancelled { rollback: wanted }, .. }) => {
            if *wanted == rollback {
                return Ok(());
            }
            let why = "the run is being cancelled already, in the other way";
            return Err(not_now(
                Code::Conflicting,
                why,
                "wait until it has ended; `reenact rollback RUN` undoes it",
            ));
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
fn settle(run: &Run) -> String {
    let failed = run.steps.iter().find(|node| node.undo_phase() == Some(&UndoPhase::Failed));
    let step = failed.map(|node| node.id().as_str()).unwrap_or_default();
    // What grew has brackets, slashes and signs of a round in its id, and no quotes.
    let is_plain =
        step.chars().all(|character| character.is_ascii_alphanumeric() || "_-/".contains(character));
    let quote = if is_plain { "" } else { "'" };
    format!(
        "settle it with `reenact rollback resolve RUN {quote}{step}{quote} --retry|--skip|--done --reason R`"
    )
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
            return Err(not_now(Code::CannotRetry, "the run is stuck in a compensation", settle(run)));
        }
        _ => {
            let why = format!("the run is {} and has nothing to try again", run.status().text());
            return Err(not_now(Code::CannotRetry, why, forward(run)));
        }
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

    /// A step that may be started once only, was, and would be started again if the run went forward.
    fn started_once(&self, undone: Option<&Unwinding>) -> Option<&Node> {
        let is_anew = |place: StepIndex| undone.is_some_and(|unwinding| unwinding.undoes(place));
        let is_undone = |node: &Node| node.undo_phase() == Some(&UndoPhase::Undone);
        let mut nodes = self.steps.indexed();
        let found = nodes.find(|(place, node)| {
            let is_afresh = !is_anew(*place) && self.is_to_be_retried(node);
            // What was refused is not done again, but asked about again.
            let starts = is_afresh && node.refused.is_none() || is_anew(*place) && !is_undone(node);
            starts && node.added.at_most_once && node.attempts_now() > 0
        });
        found.map(|(_, node)| node)
    }
}

/// The steps that are tried again as they are when the run goes forward again. What may be started once only is neither
/// tried again nor, after a partial rollback, done anew without being undone.
fn afresh<'r>(run: &'r Run, undone: Option<&Unwinding>) -> Result<Vec<&'r Node>, RunRejection> {
    if let Some(node) = run.started_once(undone) {
        let why = format!("step `{}` may be started once only, and was", node.id());
        let hint = match run.may_roll_back(None) {
            Ok(_) => "`reenact rollback RUN` undoes what was done; a new run does it again",
            Err(_) => "`reenact cancel RUN` leaves all as it is; a new run does it again",
        };
        return Err(not_now(Code::CannotRetry, why, hint));
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
        let tolerated = StepPhase::Failed { tolerated: true };
        let is_tolerated = run.steps.iter().any(|node| meant(node) && node.doing.phase == tolerated);
        let why = match is_tolerated {
            true => format!("step `{name}` failed, which is tolerated: the run goes on without it"),
            false => format!("step `{name}` has not failed"),
        };
        return Err(not_now(Code::CannotRetry, why, "`reenact retry RUN` tries again all that failed"));
    }
    let failed = |node: &&&Node| {
        node.doing.phase == StepPhase::Failed { tolerated: false } && node.children.is_empty()
    };
    let others: Vec<String> = afresh
        .iter()
        .filter(failed)
        .filter(|node| !meant(node))
        .map(|node| format!("`{}`", node.id()))
        .collect();
    if others.is_empty() {
        return Ok(());
    }
    let why = format!("without {} the run fails again", others.join(", "));
    Err(not_now(Code::CannotRetry, why, "leave --step out: `reenact retry RUN` tries again all that failed"))
}

pub(super) fn no_such_step(step: &str) -> RunRejection {
    not_now(Code::NoSuchStep, format!("the run has no step `{step}`"), "`reenact status RUN` lists its steps")
}
