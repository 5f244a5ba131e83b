//! What somebody outside wants of a task: to take it, to go on with it, to answer it; and what comes when its time is over.

use std::sync::Arc;
use std::time::Duration;

use super::attempts::{completed, failed};
use crate::aggregates::run::advance::Advance;
use crate::aggregates::run::task::{OfTask, TaskDoes};
use crate::aggregates::run::{Impossible, Phase, Refusal, RunRejection, StepIndex};
use crate::events::ids::Fence;
use crate::events::problem::Code;
use crate::events::run::{AttemptStarted, Outcome, Purpose, TaskLapsed, TaskProgressed, TaskTaken};
use crate::events::time::Timestamp;
use crate::workflow::work::{Failure, Output, Stop};

pub(super) fn of_task(advance: &mut Advance<'_, '_>, asked: OfTask) -> Result<(), RunRejection> {
    let OfTask { fence, by, does } = asked;
    let run = advance.draft.state();
    let Some((place, attempt, _)) = run.task(fence) else {
        let last = run.fence();
        return Err(match fence > last || fence == Fence(0) {
            true => Refusal::NoSuchTask { fence, last }.into(),
            false => Refusal::TaskOver { fence, status: run.status() }.into(),
        });
    };
    let attempt = Arc::clone(attempt);
    match does {
        TaskDoes::Take { length } => take(advance, place, &attempt, by, length),
        TaskDoes::Complete { lease, answer } => {
            must_hold(advance, fence, lease)?;
            let output = Output { output: answer, ..Output::default() };
            completed(advance, &attempt.step, fence, output)
        }
        TaskDoes::Fail { lease, class, reason } => {
            must_hold(advance, fence, lease)?;
            failed(advance, &attempt.step, fence, Failure::new(Code::TaskFailed, reason).class(class))
        }
        TaskDoes::Heartbeat { lease, length, percent, text } => {
            must_hold(advance, fence, lease)?;
            // Whoever has it for longer keeps it for so long.
            let held = advance.draft.state().task(fence).and_then(|(_, _, task)| task.held.as_ref());
            let until = held.map_or(Timestamp(0), |held| held.until).max(advance.moment.wall.after(length));
            advance.draft.emit(TaskProgressed {
                purpose: attempt.purpose,
                step: attempt.step.clone(),
                attempt: attempt.attempt,
                lease,
                until,
                percent,
                text,
            });
            Ok(())
        }
    }
}

/// Somebody takes a task. If nobody has it any more whose time is over, that is said first: and if it may be begun once only, it
/// is nobody's then, and has failed.
fn take(
    advance: &mut Advance<'_, '_>,
    place: StepIndex,
    attempt: &AttemptStarted,
    by: Arc<str>,
    length: Duration,
) -> Result<(), RunRejection> {
    let (run, wall) = (advance.draft.state(), advance.moment.wall);
    let (_, _, task) = run.task(attempt.fence).ok_or(Impossible::NoStep(place.number()))?;
    if !run.hands_out() {
        return Err(Refusal::TaskNotHandedOut { fence: attempt.fence, status: run.status() }.into());
    }
    if let Some(held) = task.holder_at(wall) {
        let (by, until) = (Arc::clone(&held.by), held.until);
        return Err(Refusal::TaskHeld { fence: attempt.fence, by, until }.into());
    }
    let (lease, is_left) = (task.leases + 1, task.held.is_some());
    if is_left {
        lapse(advance, place, attempt)?;
        if advance.draft.state().task(attempt.fence).is_none() {
            return Ok(());
        }
    }
    advance.draft.emit(TaskTaken {
        purpose: attempt.purpose,
        step: attempt.step.clone(),
        attempt: attempt.attempt,
        lease,
        by,
        until: wall.after(length),
    });
    Ok(())
}

/// Whether a task is had under that lease, which is not over.
fn must_hold(advance: &Advance<'_, '_>, fence: Fence, lease: u32) -> Result<(), RunRejection> {
    let run = advance.draft.state();
    let Some((_, _, task)) = run.task(fence) else {
        return Err(Refusal::TaskOver { fence, status: run.status() }.into());
    };
    if lease > task.leases || lease == 0 {
        return Err(Refusal::NoSuchLease { fence, lease, last: task.leases }.into());
    }
    let holder = task.holder_at(advance.moment.wall);
    match (holder, lease == task.leases) {
        (Some(_), true) => Ok(()),
        (Some(held), false) => {
            let (by, until) = (Arc::clone(&held.by), held.until);
            Err(Refusal::TaskTakenOver { fence, lease, by, until }.into())
        }
        (None, _) => Err(Refusal::LeaseOver { fence, lease }.into()),
    }
}

/// The lease of a task is over. What may be begun once only has failed with that, and what the run waits for no longer is
/// cancelled: nobody knows what became of it.
pub(super) fn lapse(
    advance: &mut Advance<'_, '_>,
    place: StepIndex,
    attempt: &AttemptStarted,
) -> Result<(), RunRejection> {
    let run = advance.draft.state();
    let Some((_, _, task)) = run.task(attempt.fence) else { return Ok(()) };
    let lease = task.leases;
    let (purpose, step) = (attempt.purpose, attempt.step.clone());
    advance.draft.emit(TaskLapsed { purpose, step, attempt: attempt.attempt, lease });
    let is_ending = matches!(advance.draft.state().phase, Phase::Ending(_));
    let failure = if is_ending {
        Failure::stopped(Stop::Cancelled)
    } else if purpose == Purpose::Do && advance.template(place)?.at_most_once {
        let how = "who had taken it did not answer in time, and it may be started once only";
        Failure { outcome: Outcome::Unknown, ..Failure::new(Code::AttemptLostOnce, how) }
    } else {
        return Ok(());
    };
    failed(advance, &attempt.step, attempt.fence, failure)
}

/// The attempt of a task takes too long, whether or not somebody has it.
pub(super) fn is_overdue(
    advance: &mut Advance<'_, '_>,
    attempt: &AttemptStarted,
) -> Result<(), RunRejection> {
    let failure = stopped(advance, attempt, Stop::TimedOut);
    failed(advance, &attempt.step, attempt.fence, failure)
}

/// Tasks that the run does not want any more end at once: who has one is told when they answer.
pub(super) fn withdraw_unwanted(advance: &mut Advance<'_, '_>) -> Result<(), RunRejection> {
    while let Some(fence) = advance.draft.state().tasks.unwanted.first().copied() {
        let Some((_, attempt, _)) = advance.draft.state().task(fence) else {
            return Err(Impossible::NoTask(fence).into());
        };
        let attempt = Arc::clone(attempt);
        let failure = stopped(advance, &attempt, Stop::Cancelled);
        failed(advance, &attempt.step, fence, failure)?;
        if advance.draft.state().tasks.unwanted.contains(&fence) {
            return Err(Impossible::NoTask(fence).into());
        }
    }
    Ok(())
}

/// The failure of a task that is not waited for any longer. Of one that nobody ever had it is known that nothing was done.
fn stopped(advance: &Advance<'_, '_>, attempt: &AttemptStarted, why: Stop) -> Failure {
    let failure = Failure::stopped(why);
    match advance.draft.state().task(attempt.fence) {
        Some((_, _, task)) if !task.was_begun() => {
            let message = match why {
                Stop::TimedOut => "nobody took it before its timeout".to_owned(),
                _ => format!("{}, and nobody had taken it", failure.message),
            };
            Failure { outcome: Outcome::Known, message, ..failure }
        }
        _ => failure,
    }
}
