//! What comes of attempts: they have an answer, they have failed, or nobody will hear of them any more.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::aggregates::run::advance::grow::NotTaken;
use crate::aggregates::run::advance::{Advance, Completion, Given};
use crate::aggregates::run::beside::Beside;
use crate::aggregates::run::child::is_made_by;
use crate::aggregates::run::report::Report;
use crate::aggregates::run::stuck::{Came, Seen, Stuck};
use crate::aggregates::run::{Impossible, Node, Phase, Run, RunRejection, StepIndex, Tries, Unwanted};
use crate::events::ids::{AgentName, Fence, StepId, TimerId};
use crate::events::json::Json;
use crate::events::problem::{Class, Code};
use crate::events::run::*;
use crate::workflow::definition::{OnError, Retry, Step};
use crate::workflow::retry;
use crate::workflow::work::{Child, Failure, ModelCall, Output};

/// An agent has answered. Where shared contexts or a conversation have to take something of it first, the attempt goes on until they have.
pub(super) fn completed(
    advance: &mut Advance<'_, '_>,
    step: &StepId,
    fence: Fence,
    output: Output,
) -> Result<(), RunRejection> {
    let Some((place, attempt)) = advance.draft.state().open_attempt(step, fence) else { return Ok(()) };
    if advance.draft.state().is_writing(fence) {
        return Ok(());
    }
    let report = Report::of(&attempt.agent, &output);
    if let Some(failure) = report.failure() {
        return ended(advance, place, &attempt, of_answer(output, failure), None);
    }
    if let Some((failure, stuck)) = advance.is_blocked(&attempt, &output)? {
        return ended(advance, place, &attempt, of_answer(output, failure), Some(stuck));
    }
    let beside = advance.beside(&attempt, &output)?;
    let adds = advance.adds(place, &attempt, &output)?;
    let is_taken = || match (attempt.purpose, &beside) {
        (Purpose::Do, Ok(beside)) => {
            let answer = &output.output;
            let taken = taken(advance, place, answer, beside)?;
            let is_stuck = look(advance, place, &attempt, answer, &taken)?.stuck.is_some();
            Ok::<_, RunRejection>(taken.is_ok() && !is_stuck)
        }
        _ => Ok(true),
    };
    let is_taken = match &beside {
        Ok(beside) if !beside.shared.is_empty() || adds.is_some() => is_taken()?,
        _ => false,
    };
    let writes = match beside {
        Ok(Beside { shared, .. }) if is_taken => shared,
        beside => return settle(advance, (place, attempt), (output, report), beside),
    };
    let answer = Json::of(&output).map_err(|_| Impossible::NoJson(place.number()))?;
    let answer = advance.draft.payload(answer);
    let writes = writes.into_iter().map(|values| values.recorded(advance.draft)).collect();
    let turns = adds.map(|adds| adds.recorded(advance.draft));
    let (purpose, step, attempt) = (attempt.purpose, step.clone(), attempt.attempt);
    advance.draft.emit(AttemptAnswered { purpose, step, attempt, answer, writes, turns });
    Ok(())
}

/// Shared contexts and the conversation have taken all that comes of an attempt.
pub(super) fn settled(
    advance: &mut Advance<'_, '_>,
    step: &StepId,
    fence: Fence,
    output: Output,
) -> Result<(), RunRejection> {
    let Some((place, attempt)) = advance.draft.state().open_attempt(step, fence) else { return Ok(()) };
    let (beside, report) = (advance.beside(&attempt, &output)?, Report::of(&attempt.agent, &output));
    settle(advance, (place, attempt), (output, report), beside)
}

/// What an agent answered is taken, with what it wants beside that, or the attempt has failed.
fn settle(
    advance: &mut Advance<'_, '_>,
    (place, attempt): (StepIndex, Arc<AttemptStarted>),
    (output, report): (Output, Report),
    beside: Result<Beside, Failure>,
) -> Result<(), RunRejection> {
    let step = &attempt.step;
    let Output { output: answer, artifacts: files, usage, transcript, calls, child, .. } = output;
    let mut stuck = None;
    let taken = match (beside, attempt.purpose) {
        (Err(failure), _) => Err(failure.into()),
        (Ok(beside), Purpose::Do) => {
            let taken = taken(advance, place, &answer, &beside)?;
            let seen = look(advance, place, &attempt, &answer, &taken)?;
            seen.note.into_iter().for_each(|note| advance.draft.emit(note));
            stuck = seen.stuck;
            let output = taken.map(|taken| taken.output);
            output.map(|output| (output, beside))
        }
        (Ok(beside), Purpose::Compensate) => Ok((answer.clone(), beside)),
    };
    let (output, beside) = match (taken, stuck) {
        (Ok(taken), None) => taken,
        (Ok(_), Some(stuck)) => {
            let failure = stuck.failure(advance.manager_for(place, &stuck)?.is_some());
            return ended(
                advance,
                place,
                &attempt,
                Failure { usage, transcript, child, ..failure }.with_calls(calls),
                Some(stuck),
            );
        }
        (Err(NotTaken { failure, answered }), stuck) => {
            let failure = Failure { usage, transcript, child, ..failure }.with_calls(calls);
            return match (answered, advance.repair(place, &attempt, &answer, &failure)?) {
                (Some(answered), _) => not_made(advance, place, &attempt, failure, *answered),
                (None, Some(repair)) => to_be_mended(advance, place, &attempt, failure, repair),
                (None, None) => ended(advance, place, &attempt, failure, stuck),
            };
        }
    };
    record_calls(advance, &attempt, calls);
    let transcript = transcript.map(|said| advance.draft.payload(said));
    advance.do_beside(&attempt, beside)?;
    advance.settle_budget(&attempt, Some((Outcome::Known, usage)));
    let (number, left) = (attempt.attempt, advance.numbers_given(&attempt));
    match attempt.purpose {
        Purpose::Do => {
            let node = advance.draft.state().steps.get(place);
            let degraded = node.is_some_and(|node| node.fallback.is_some())
                || child.as_ref().is_some_and(|child| child.degraded)
                || report.is_degraded;
            child_ended(advance, place, child);
            let said = report.recorded(advance.draft);
            let (attempt, artifacts, given) = (Some(number), report.artifacts, Given::ByAgent(answer, files));
            let came = Completion { attempt, output, artifacts, usage, degraded, transcript, said, given };
            advance.came_through(place, came)?;
        }
        Purpose::Compensate => {
            advance.undoes_only();
            let (step, output) = (step.clone(), advance.draft.payload(output));
            advance.draft.emit(StepCompensated { step, attempt: number, output, usage, transcript });
        }
    }
    let how = "its attempts succeeded, and none of them said that it had handled it";
    advance.give_up_messages(&attempt, left, (Code::MessageNotHandled, how));
    Ok(())
}

/// The output of a step, and the agent that goes on, if another does.
struct Taken<'b> {
    output: Json,
    hands_over_to: Option<&'b AgentName>,
}

/// What is taken of an answer.
fn taken<'b>(
    advance: &Advance<'_, '_>,
    place: StepIndex,
    answer: &Json,
    beside: &'b Beside,
) -> Result<Result<Taken<'b>, NotTaken>, RunRejection> {
    let hands_over_to = beside.hands_over_to();
    if beside.goes_on() {
        // Only what the last of a chain answers has to be an output, or the last turn.
        return Ok(Ok(Taken { output: answer.clone(), hands_over_to }));
    }
    let taken = advance.taken(place, answer.clone())?;
    Ok(taken.map(|output| Taken { output, hands_over_to }))
}

/// What is to be seen of an agent that has answered.
fn look(
    advance: &Advance<'_, '_>,
    place: StepIndex,
    attempt: &AttemptStarted,
    answer: &Json,
    taken: &Result<Taken<'_>, NotTaken>,
) -> Result<Seen, RunRejection> {
    let came = match taken {
        Ok(Taken { hands_over_to: Some(to), .. }) => Came::HandsOver(to),
        Ok(Taken { output, .. }) => Came::Taken(output),
        Err(NotTaken { failure, .. }) => Came::Refused(failure),
    };
    advance.look(place, attempt, answer, came)
}

/// The step's `output` could not be made of what it answered: its work is done, so that it is neither tried again nor left
/// to another agent, and a rollback undoes it.
fn not_made(
    advance: &mut Advance<'_, '_>,
    place: StepIndex,
    attempt: &AttemptStarted,
    failure: Failure,
    answered: Json,
) -> Result<(), RunRejection> {
    child_ended(advance, place, failure.child.clone());
    end_failed(advance, attempt, &failure, Some(answered));
    advance.fail(place, failure.class, failure.code, failure.message)
}

/// The plan of tasks that an attempt answered is refused, and the next one is told so.
fn to_be_mended(
    advance: &mut Advance<'_, '_>,
    place: StepIndex,
    attempt: &AttemptStarted,
    failure: Failure,
    repair: RepairAsked,
) -> Result<(), RunRejection> {
    child_ended(advance, place, failure.child.clone());
    end_failed(advance, attempt, &failure, None);
    advance.draft.emit(repair);
    Ok(())
}

/// Records how an attempt failed, and what it answered, where its work counts as done all the same.
fn end_failed(
    advance: &mut Advance<'_, '_>,
    attempt: &AttemptStarted,
    failure: &Failure,
    answered: Option<Json>,
) {
    record_calls(advance, attempt, failure.calls().to_vec());
    let transcript = failure.transcript.clone().map(|said| advance.draft.payload(said));
    let answered = answered.map(|answered| advance.draft.payload(answered));
    advance.settle_budget(attempt, Some((failure.outcome, failure.usage)));
    let failed = AttemptFailed {
        purpose: attempt.purpose,
        step: attempt.step.clone(),
        attempt: attempt.attempt,
        class: failure.class,
        code: failure.code,
        message: failure.message.clone(),
        outcome: failure.outcome,
        usage: failure.usage,
        transcript,
        answered,
    };
    advance.end_without_success(attempt, failed, (failure.code, &failure.message));
}

/// Records the calls of models that an attempt made, before what it came to.
fn record_calls(advance: &mut Advance<'_, '_>, attempt: &AttemptStarted, calls: Vec<ModelCall>) {
    let by = (attempt.purpose, &attempt.step, attempt.attempt);
    for call in calls {
        let called = call.recorded(by, |json| advance.draft.payload(json));
        advance.draft.emit(called);
    }
}

/// The failure of an attempt that has answered, with what that used up.
fn of_answer(output: Output, failure: Failure) -> Failure {
    let Output { usage, transcript, calls, .. } = output;
    Failure { usage, transcript, ..failure }.with_calls(calls)
}

/// What became of the run that the attempt saw through.
fn child_ended(advance: &mut Advance<'_, '_>, place: StepIndex, ended: Option<Child>) {
    let node = advance.draft.state().steps.get(place);
    let child = node.and_then(|node| Some((node.id().clone(), node.child.as_ref()?.run.clone())));
    if let (Some((step, run)), Some(Child { status, version, past_return, .. })) = (child, ended) {
        let (status, driven) = (status.text().into(), advance.moment.grants.is_some());
        advance.draft.emit(ChildEnded { step, run, status, version, past_return, driven });
    }
}

pub(super) fn failed(
    advance: &mut Advance<'_, '_>,
    step: &StepId,
    fence: Fence,
    failure: Failure,
) -> Result<(), RunRejection> {
    let Some((place, attempt)) = advance.draft.state().open_attempt(step, fence) else { return Ok(()) };
    ended(advance, place, &attempt, failure, None)
}

/// An open attempt has failed; perhaps it was seen that its agent is stuck.
fn ended(
    advance: &mut Advance<'_, '_>,
    place: StepIndex,
    attempt: &AttemptStarted,
    failure: Failure,
    stuck: Option<Stuck>,
) -> Result<(), RunRejection> {
    let is_cancelled = match attempt.purpose {
        Purpose::Do => {
            child_ended(advance, place, failure.child.clone());
            failure.code == Code::Cancelled
        }
        // Undoing is not given up.
        Purpose::Compensate => {
            advance.undoes_only();
            false
        }
    };
    let run = advance.draft.state();
    let tries = run.steps.get(place).and_then(|node| node.tries(attempt.purpose));
    let was_stopped = tries.and_then(Tries::stop) == Some(Unwanted::GivenUp);
    if is_cancelled && was_stopped && run.phase == Phase::Going {
        // It was told to stop when the run was about to end. Meanwhile it was rolled back to a step, and goes on: the step
        // is to be done after all.
        record_calls(advance, attempt, failure.calls().to_vec());
        return lose_one(advance, place, attempt, true);
    }
    let template = advance.template(place)?;
    let policy = retry_policy(&template, attempt.purpose);
    let class = policy.map_or(failure.class, |policy| policy.class_of(&failure));
    let failure = failure.class(class);
    end_failed(advance, attempt, &failure, None);
    let (purpose, step) = (attempt.purpose, attempt.step.clone());
    if is_cancelled && (was_stopped || advance.is_given_up(place)) {
        advance.draft.emit(StepCancelled { step });
        return Ok(());
    }
    let delay = retry_delay(advance, place, attempt, class);
    let stuck = match stuck {
        None => advance.took_too_long(place, attempt, failure.code)?,
        Some(stuck) => Some(stuck).filter(|stuck| !stuck.is_of_retries() || delay.is_some()),
    };
    if let Some(stuck) = stuck {
        return advance.is_stuck(place, attempt, stuck);
    }
    if let Some(delay) = delay {
        let timer = match purpose {
            Purpose::Do => TimerId::retry(&step, attempt.attempt),
            Purpose::Compensate => TimerId::compensation_retry(&step, attempt.attempt),
        };
        // Whoever says how long to wait knows better than a policy.
        let at = advance.moment.now.after(failure.retry_after().unwrap_or(delay));
        advance.draft.emit(RetryScheduled { purpose, step, at, timer });
        return Ok(());
    }
    if let Some(stuck) = advance.has_failed(place, attempt, (class, failure.code), &failure.message)? {
        return advance.is_stuck(place, attempt, stuck);
    }
    advance.give_up(place, purpose, class, failure.code, failure.message)
}

/// The policy by which a step is done, or undone, again when that failed.
fn retry_policy(template: &Step, purpose: Purpose) -> Option<&Retry> {
    match purpose {
        Purpose::Do => template.retry.as_ref(),
        Purpose::Compensate => template.compensate.as_ref().map(|compensate| &compensate.retry),
    }
}

/// How long until the next attempt, if there is to be one.
fn retry_delay(
    advance: &Advance<'_, '_>,
    place: StepIndex,
    failed: &AttemptStarted,
    class: Class,
) -> Option<std::time::Duration> {
    let node = advance.draft.state().steps.get(place)?;
    let template = advance.template(place).ok()?;
    if !class.may_retry() {
        return None;
    }
    let failures = node.tries(failed.purpose)?.failures;
    let is_patient = match failed.purpose {
        Purpose::Do => {
            let policy = matches!(template.on_error, OnError::RetryThenFail | OnError::RetryThenSkip);
            let fallback = template.fallback.as_ref().filter(|_| node.fallback.is_some());
            let is_used_up = fallback.is_some_and(|fallback| failures >= fallback.attempts);
            policy && !is_used_up && !advance.is_given_up(place)
        }
        Purpose::Compensate => true,
    };
    let seed = retry::seed(&failed.idempotency_key, failed.attempt);
    retry_policy(&template, failed.purpose).filter(|_| is_patient)?.delay(failures, seed)
}

/// Whoever held the open attempts is gone, or is about to go. What a run of its own makes, or somebody outside, goes on without.
pub(super) fn lose(
    advance: &mut Advance<'_, '_>,
    interrupted: bool,
    kept: &BTreeSet<Fence>,
) -> Result<(), RunRejection> {
    let run = advance.draft.state();
    let open = run.steps.indexed().flat_map(|(place, node)| {
        let lost = |attempt: &&Arc<AttemptStarted>| {
            let is_over = is_made_by(&attempt.agent) || run.is_writing(attempt.fence);
            let is_over = is_over || run.is_external(&attempt.agent);
            !is_over && !kept.contains(&attempt.fence)
        };
        node.open_attempts().filter(lost).map(move |open| (place, Arc::clone(open)))
    });
    let open: Vec<_> = open.collect();
    open.iter().try_for_each(|(place, attempt)| lose_one(advance, *place, attempt, interrupted))
}

/// Attempts whose outcome has to be awaited, whoever wants to go: nothing can undo what they do.
pub(super) fn irreversible_attempts(run: &Run) -> BTreeSet<Fence> {
    let irreversible = run.steps.iter().filter(|node| node.added.irreversible);
    irreversible.filter_map(Node::open_attempt).map(|attempt| attempt.fence).collect()
}

/// Nobody will hear of that attempt any more.
fn lose_one(
    advance: &mut Advance<'_, '_>,
    place: StepIndex,
    attempt: &AttemptStarted,
    interrupted: bool,
) -> Result<(), RunRejection> {
    let (purpose, step) = (attempt.purpose, attempt.step.clone());
    let lost = AttemptLost { purpose, step, attempt: attempt.attempt, interrupted };
    advance.settle_budget(attempt, None);
    let how = "the process that made the attempt ended";
    advance.end_without_success(attempt, lost, (Code::LostTooOften, how));
    let run = advance.draft.state();
    let limit = run.about().map_or(0, |about| about.started.lost_limit);
    let tries = run.steps.get(place).and_then(|node| node.tries(purpose));
    let lost = tries.map_or(0, |tries| tries.lost);
    let too_often = lost >= limit && !interrupted;
    let once = purpose == Purpose::Do && advance.template(place)?.at_most_once;
    let (code, message) = if too_often {
        (Code::LostTooOften, format!("the process that ran it died {}", times(lost)))
    } else if once {
        let how = "the process that ran it ended, and it may be started once only";
        (Code::AttemptLostOnce, how.to_owned())
    } else {
        return Ok(());
    };
    advance.give_up(place, purpose, code.class(), code, message)
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}
