//! What the runs of a family ask of each other, and tell each other.

use std::sync::Arc;

use super::attempts::{completed, failed};
use super::control;
use super::{RunDraft, rollback, start};
use crate::aggregates::run::advance::Advance;
use crate::aggregates::run::child;
use crate::aggregates::run::kin::{ChildSays, EndedChild, ForParent, OfChild, Says, Wants};
use crate::aggregates::run::node::Child;
use crate::aggregates::run::{
    NoReturn, Order, Passage, Phase, Refusal, Refused, Run, RunRejection, RunStatus, StepIndex, Unwanted,
};
use crate::events::ids::{Fence, RunId, StepId, Version};
use crate::events::problem::Code;
use crate::events::run::*;
use crate::workflow::work::{Failure, Stop};

/// The parent wants something.
pub(super) fn for_parent(advance: &mut Advance<'_, '_>, asked: ForParent) -> Result<(), RunRejection> {
    let ForParent { parent, wants } = asked;
    if let Some(about) = advance.draft.state().about()
        && about.started.parent.as_ref() != Some(&parent)
    {
        return Err(RunRejection::Taken(about.id.clone()));
    }
    let order =
        |reason: &str| Order { by: format!("run {}", parent.run).into(), reason: Some(reason.to_owned()) };
    match wants {
        Wants::Done { start: begins, told } => match advance.draft.state().about() {
            None => start(advance.draft, &begins, advance.moment),
            Some(_) => {
                let run = advance.draft.state();
                if !run.may_be_tried_again(told) {
                    return Ok(());
                }
                let (status, order) = (run.status(), order("its parent tries it again"));
                control::retry(advance.draft, order, None).map_err(|why| refused(status, why))?;
                advance.look_at_all();
                Ok(())
            }
        },
        Wants::Undone { told } => {
            let run = advance.draft.state();
            let status = run.status();
            let is_news = status == RunStatus::Stuck && !run.is_told(told);
            // Also if somebody has paused that.
            let is_undone = matches!(run.phase, Phase::Unwinding(_)) || status == RunStatus::Compensated;
            if is_news || is_undone {
                return Ok(());
            }
            rollback::rollback(advance.draft, order("its parent is rolled back"), None)
                .map_err(|why| refused(status, why))
        }
        Wants::Cancelled { rollback } => {
            // What has ended, is being undone or cannot be undone is not cancelled: the parent hears what it comes to.
            let order = order("its parent does not want it any more");
            let _ = control::cancel(advance.draft, order, rollback);
            Ok(())
        }
        Wants::Answered { granted } => {
            let why = format!(
                "run `{}`, whose child it is, does not let it pass the point of no return",
                parent.run
            );
            return_answered(advance, granted, &why)
        }
    }
}

/// A child does not do what its parent wants.
fn refused(status: RunStatus, rejection: RunRejection) -> RunRejection {
    match rejection {
        RunRejection::Refused(refused) => {
            let Refused { why, remedies } = *refused;
            Refusal::OfChild { status, why: Box::new(why) }.but(remedies)
        }
        other => other,
    }
}

impl Run {
    /// Whether its end was told that is its last.
    fn is_told(&self, told: Option<Version>) -> bool {
        let ended = self.word.filter(|word| word.says == Says::Ended);
        ended.is_some_and(|word| told.is_some_and(|told| word.version <= told))
    }

    fn may_be_tried_again(&self, told: Option<Version>) -> bool {
        self.is_told(told) && child::may_go_on(self.status())
    }

    /// The attempt at a step that this run makes, if one is open.
    fn attempt_of(&self, step: &StepId, run: &RunId) -> Option<(StepIndex, Arc<AttemptStarted>)> {
        let (place, node) = self.node(step)?;
        node.child.as_ref().filter(|child| child.run == *run)?;
        Some((place, Arc::clone(node.open_at_child()?)))
    }
}

/// A child says something. What it says when no attempt of it is open is of no matter.
pub(super) fn of_child(advance: &mut Advance<'_, '_>, tidings: OfChild) -> Result<(), RunRejection> {
    let OfChild { run, step, says } = tidings;
    let found = advance.draft.state().attempt_of(&step, &run);
    let node = found.as_ref().and_then(|(place, _)| advance.draft.state().steps.get(*place));
    let (Some((place, attempt)), Some(node)) = (&found, node) else {
        return match says {
            ChildSays::AsksReturn => Err(Refusal::ReturnRefused(NoReturn::NotOpen).into()),
            _ => Ok(()),
        };
    };
    let is_wanted = node.doing.stop().is_none();
    let child = node.child.as_ref();
    let (rests, heard) = child.map_or((false, Version(0)), |child| (child.rests, child.heard));
    match says {
        ChildSays::Rests(version) if version > heard && !rests && is_wanted => {
            advance.draft.emit(ChildRested { step, run, version });
        }
        ChildSays::Goes(version) if version > heard && rests => {
            advance.draft.emit(ChildStirred { step, run, version });
        }
        ChildSays::Rests(_) | ChildSays::Goes(_) => {}
        ChildSays::Ended(ended) => return child_ended(advance, *place, attempt, &run, *ended),
        ChildSays::AsksReturn => return asks_return(advance, *place, attempt, step, run),
    }
    Ok(())
}

/// The run that makes an attempt has ended.
fn child_ended(
    advance: &mut Advance<'_, '_>,
    place: StepIndex,
    attempt: &AttemptStarted,
    run: &RunId,
    ended: EndedChild,
) -> Result<(), RunRejection> {
    let node = advance.node(place)?;
    let told = node.child.as_ref().and_then(|child| child.ended.as_ref()).map(|ended| ended.version);
    let status = ended.seen.status;
    let is_news = told.is_none_or(|told| ended.seen.version > told);
    let goes_on = match attempt.purpose {
        Purpose::Do => child::may_go_on(status),
        Purpose::Compensate => status != RunStatus::Compensated,
    };
    if !is_news && goes_on {
        return Ok(());
    }
    let stop = node.doing.stop();
    let seen = ended.seen.clone();
    let result = child::outcome(run, ended, attempt.purpose);
    let stopped = stop.map(|stop| match stop {
        Unwanted::Overdue => Stop::TimedOut,
        Unwanted::GivenUp => Stop::Cancelled,
    });
    let result = result.map_err(|failure| match stopped {
        None => failure,
        Some(_) if failure.code == Code::ChildStuck => {
            let message =
                format!("it took longer than its timeout or was cancelled, and {}", failure.message);
            Failure { message, ..failure }
        }
        Some(why) => Failure { child: Some(seen), ..Failure::stopped(why) },
    });
    match result {
        Ok(output) => completed(advance, &attempt.step, attempt.fence, output),
        Err(failure) => failed(advance, &attempt.step, attempt.fence, failure),
    }
}

/// The run that was to make an attempt never began, and is not wanted any more.
pub(super) fn no_child(
    advance: &mut Advance<'_, '_>,
    step: &StepId,
    fence: Fence,
) -> Result<(), RunRejection> {
    let Some((place, _)) = advance.draft.state().open_attempt(step, fence) else { return Ok(()) };
    let stop = advance.draft.state().steps.get(place).and_then(|node| node.doing.stop());
    let why = if stop == Some(Unwanted::Overdue) { Stop::TimedOut } else { Stop::Cancelled };
    failed(advance, step, fence, Failure::stopped(why))
}

/// The parent has heard of an end.
pub(super) fn parent_told(draft: &mut RunDraft<'_>, version: Version) {
    let run = draft.state();
    if run.telling && run.word.is_some_and(|word| word.version == version) {
        draft.emit(ParentTold {});
    }
}

/// A child wants to start what cannot be undone. Whoever has no parent itself says whether it may.
fn asks_return(
    advance: &mut Advance<'_, '_>,
    place: StepIndex,
    attempt: &AttemptStarted,
    step: StepId,
    child: RunId,
) -> Result<(), RunRejection> {
    let run = advance.draft.state();
    let node = advance.node(place)?;
    let is_given_up = run.phase != Phase::Going || attempt.purpose == Purpose::Compensate;
    let passage = node.child.as_ref().map(|child| child.passage).unwrap_or_default();
    match passage {
        // It is told so again.
        Passage::Open | Passage::Asked => return Ok(()),
        Passage::Refused => return Err(Refusal::ReturnRefused(NoReturn::OfParent).into()),
        Passage::Closed if is_given_up || node.doing.stop().is_some() => {
            return Err(Refusal::ReturnRefused(NoReturn::NotForward).into());
        }
        Passage::Closed => {}
    }
    if run.parent().is_none() || run.passage == Passage::Open {
        advance.draft.emit(ChildPastReturn { step, run: child });
    } else {
        advance.draft.emit(ReturnAsked { step, run: child });
    }
    Ok(())
}

/// The parent has said whether the point of no return may be passed. If not, what was done is undone.
pub(super) fn return_answered(
    advance: &mut Advance<'_, '_>,
    granted: bool,
    why: &str,
) -> Result<(), RunRejection> {
    let run = advance.draft.state();
    if run.passage != Passage::Asked {
        return Ok(());
    }
    let at = |place: &StepIndex| run.steps.get(*place).map(|node| node.id().clone());
    let own: Vec<StepId> = run.passing.iter().filter_map(at).collect();
    let asked = |child: &&Child| child.passage == Passage::Asked;
    let children: Vec<_> = run
        .steps
        .iter()
        .filter_map(|node| Some((node.id().clone(), node.child.as_ref().filter(asked)?.run.clone())))
        .collect();
    advance.draft.emit(ReturnAnswered { granted });
    if granted {
        for (step, run) in children {
            advance.draft.emit(ChildPastReturn { step, run });
        }
        advance.look_at_all();
        return Ok(());
    }
    if own.is_empty() {
        return Ok(());
    }
    for step in own {
        advance.draft.emit(StepCancelled { step });
    }
    let order = Order { by: "reenact".into(), reason: Some(why.to_owned()) };
    control::cancel(advance.draft, order, true)
}
