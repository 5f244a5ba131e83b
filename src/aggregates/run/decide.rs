//! What would happen to a run, command by command.
//!
//! Here is how it begins and what comes of its attempts; what people ask is in `control` and
//! `rollback`, what they answer in `people`, what runs of one family say to each other in `children`.

mod children;
mod control;
mod people;
mod rollback;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::advance::grow::NotTaken;
use super::advance::shared::Written;
use super::advance::{Advance, Completion};
use super::beside::Beside;
use super::child::is_made_by;
use super::start::micros;
use super::{
    Ask, Impossible, Moment, Node, Phase, Run, RunRejection, StartRun, StepIndex, TimerOf, Tries, Unwanted,
};
use crate::events::ids::{AgentName, Fence, StepId, TimerId};
use crate::events::json::{Blob, Json};
use crate::events::problem::{Class, Code};
use crate::events::run::*;
use crate::kernel::Draft;
use crate::workflow::definition::{Definition, OnError, Retry, Step};
use crate::workflow::retry;
use crate::workflow::work::{Child, Failure, Output, Stop};

type RunDraft<'a> = Draft<'a, Run>;

pub(super) fn decide(draft: &mut RunDraft<'_>, ask: Ask, moment: &Moment<'_>) -> Result<(), RunRejection> {
    let before = draft.emitted();
    follow(draft, ask, moment)?;
    if draft.emitted() > before && draft.state().leaves_parent_at_rest() {
        draft.emit(TellingBegan {});
    }
    Ok(())
}

fn follow(draft: &mut RunDraft<'_>, ask: Ask, moment: &Moment<'_>) -> Result<(), RunRejection> {
    let begins = ask.begins().filter(|_| draft.state().about().is_none() || matches!(ask, Ask::Start(_)));
    let definition = match begins {
        Some(start) => Arc::clone(&start.definition),
        None => recorded_definition(draft.state(), moment)?,
    };
    let mut advance = Advance::new(draft, &definition, moment);
    // What people ask may be refused, and then nothing has happened.
    if ask.comes_from_driving() {
        begin_driving(&mut advance);
    }
    match ask {
        Ask::Start(asked) => start(advance.draft, &asked, moment)?,
        Ask::Completed { step, fence, output } => completed(&mut advance, &step, fence, output)?,
        Ask::Failed { step, fence, failure } => failed(&mut advance, &step, fence, failure)?,
        Ask::Due { timer } => due(&mut advance, &timer)?,
        Ask::Recover { in_flight } => {
            lose(&mut advance, false, &in_flight)?;
            advance.wait_anew_for_locks()?;
            advance.look_at_all();
        }
        Ask::Interrupt => {
            let awaited = irreversible_attempts(advance.draft.state());
            lose(&mut advance, true, &awaited)?;
        }
        Ask::ForParent(asked) => children::for_parent(&mut advance, *asked)?,
        Ask::OfChild(tidings) => children::of_child(&mut advance, *tidings)?,
        Ask::OfShared(says) => match advance.of_shared(*says)? {
            None => {}
            Some(Written::All(step, fence, output)) => settled(&mut advance, &step, fence, output)?,
            Some(Written::Failed(step, fence, failure)) => failed(&mut advance, &step, fence, failure)?,
        },
        Ask::NoChild { step, fence } => children::no_child(&mut advance, &step, fence)?,
        Ask::ParentTold { version } => children::parent_told(advance.draft, version),
        Ask::ReturnRefused { reason } => children::return_answered(&mut advance, false, &reason)?,
        Ask::Go => advance.undoes_only(),
        Ask::AgentPaused { agent } => advance.agent_is_paused(agent, moment),
        Ask::AgentFree { agent } => advance.agent_is_free(agent),
        Ask::Pause(order) => control::pause(advance.draft, order)?,
        Ask::Unpause(order) => {
            control::unpause(advance.draft, order)?;
            advance.look_at_all();
        }
        Ask::PauseAfter { order, until } => control::pause_after(advance.draft, order, &until)?,
        Ask::Cancel { order, rollback } => control::cancel(advance.draft, order, rollback)?,
        Ask::Retry { order, step } => {
            control::retry(advance.draft, order, step)?;
            advance.look_at_all();
        }
        Ask::Rollback { order, to } => rollback::rollback(advance.draft, order, to)?,
        Ask::Resolve { by, reason, step, how } => {
            rollback::resolve(advance.draft, by, reason, step, how)?;
        }
        Ask::Approve { request, by, note, edits, hash } => {
            people::approve(&mut advance, &request, by, note, edits, hash.as_deref())?;
        }
        Ask::Reject { request, by, reason } => people::reject(&mut advance, &request, &by, &reason)?,
        Ask::Check { request, by, points } => {
            people::check(advance.draft, &request, by, points, moment.wall)?;
        }
        Ask::Signal { name, data, by } => people::signal(&mut advance, name, data, by)?,
        Ask::Resend { number, by } => control::resend(&mut advance, number, by)?,
    }
    begin_driving(&mut advance);
    end_what_is_late(&mut advance)?;
    advance.run()
}

/// Records that somebody drives a run that was left alone, if that matters: if its time has counted meanwhile.
fn begin_driving(advance: &mut Advance<'_, '_>) {
    let &Moment { now, driven_since: since, grants, .. } = advance.moment;
    if grants.is_some() && advance.draft.state().was_left(since, now) {
        advance.draft.emit(DrivingBegan { since });
    }
}

/// Before anything starts: ends what would stop it at once, because its moment has passed. That is the time of the run, and
/// the time in which people were to answer.
fn end_what_is_late(advance: &mut Advance<'_, '_>) -> Result<(), RunRejection> {
    if advance.moment.grants.is_none() {
        return Ok(());
    }
    let &Moment { now, wall, .. } = advance.moment;
    if advance.draft.state().is_out_of_time(now) {
        advance.draft.emit(TimerFired { timer: TimerId::duration() });
    }
    while advance.goes_forward() {
        let Some(timer) = advance.draft.state().first_too_late(wall).cloned() else { break };
        due(advance, &timer)?;
    }
    Ok(())
}

fn recorded_definition(run: &Run, moment: &Moment<'_>) -> Result<Arc<Definition>, RunRejection> {
    match run.about() {
        Some(about) => Ok(moment.blobs.value(&about.started.definition.hash)?),
        None => Err(RunRejection::NotStarted),
    }
}

/// Records the run and the steps of its definition.
fn start(draft: &mut RunDraft<'_>, asked: &StartRun, moment: &Moment<'_>) -> Result<(), RunRejection> {
    if draft.state().about().is_some() {
        return draft.state().may_be_meant_by(asked, moment.blobs);
    }
    let input = draft.payload(asked.input.clone());
    let definition = draft.attach(asked.definition_blob.clone());
    let agents = bindings(draft, &asked.agents);
    let mut children = Vec::with_capacity(asked.children.len());
    for child in &asked.children {
        let agents = bindings(draft, &child.agents);
        children.push(ChildBinding {
            file: Arc::clone(&child.file),
            definition: draft.attach(child.definition.clone()),
            work_folder: Arc::clone(&child.work_folder),
            agents,
            parallel: child.parallel,
            lost_limit: child.lost_limit,
            duration_limit_us: child.duration_limit.map(micros),
        });
    }
    draft.emit(RunStarted {
        workflow: asked.definition.name.clone(),
        definition,
        input,
        tags: asked.tags.clone(),
        work_folder: Arc::clone(&asked.work_folder),
        parent: asked.parent.clone(),
        environment: asked.environment.clone(),
        agents,
        parallel: asked.parallel,
        lost_limit: asked.lost_limit,
        duration_limit_us: asked.duration_limit.map(micros),
        until: asked.until.clone(),
        children,
        growth: asked.growth,
    });
    for step in asked.definition.graph() {
        draft.emit(StepAdded {
            needs: step.needs.clone(),
            ..step.added(step.id.clone(), Because::Definition)
        });
    }
    Ok(())
}

fn bindings(draft: &mut RunDraft<'_>, agents: &[(AgentName, Blob)]) -> Vec<AgentBinding> {
    let bind = |(name, blob): &(AgentName, Blob)| AgentBinding {
        name: name.clone(),
        definition: draft.attach(blob.clone()),
    };
    agents.iter().map(bind).collect()
}

/// The open attempt at doing or undoing a step, if that is the one with this fence.
fn open_attempt(run: &Run, step: &StepId, fence: Fence) -> Option<(StepIndex, Arc<AttemptStarted>)> {
    let (place, node) = run.node(step)?;
    let attempt = node.open_attempts().find(|attempt| attempt.fence == fence)?;
    Some((place, Arc::clone(attempt)))
}

/// An agent has answered. Where what it writes into shared contexts is not written yet, the attempt goes on until it is.
fn completed(
    advance: &mut Advance<'_, '_>,
    step: &StepId,
    fence: Fence,
    output: Output,
) -> Result<(), RunRejection> {
    let Some((place, attempt)) = open_attempt(advance.draft.state(), step, fence) else { return Ok(()) };
    if advance.draft.state().is_writing(fence) {
        return Ok(());
    }
    let beside = advance.beside(&attempt, &output)?;
    let hands_over = beside.as_ref().is_ok_and(Beside::hands_over);
    let is_taken = || match attempt.purpose {
        Purpose::Do if hands_over => Ok(true),
        Purpose::Do => advance.taken(place, output.output.clone()).map(|taken| taken.is_ok()),
        Purpose::Compensate => Ok(true),
    };
    let writes = match beside {
        Ok(Beside { shared, .. }) if !shared.is_empty() && is_taken()? => shared,
        beside => return settle(advance, (place, attempt), output, beside),
    };
    let answer = Json::of(&output).map_err(|_| Impossible::NoJson(place.number()))?;
    let answer = advance.draft.payload(answer);
    let writes = writes.into_iter().map(|values| values.recorded(advance.draft)).collect();
    let (purpose, step, attempt) = (attempt.purpose, step.clone(), attempt.attempt);
    advance.draft.emit(AttemptAnswered { purpose, step, attempt, answer, writes });
    Ok(())
}

/// All is written that an attempt wrote into shared contexts.
fn settled(
    advance: &mut Advance<'_, '_>,
    step: &StepId,
    fence: Fence,
    output: Output,
) -> Result<(), RunRejection> {
    let Some((place, attempt)) = open_attempt(advance.draft.state(), step, fence) else { return Ok(()) };
    let beside = advance.beside(&attempt, &output)?;
    settle(advance, (place, attempt), output, beside)
}

/// What an agent answered is taken, with what it wants beside that, or the attempt has failed.
fn settle(
    advance: &mut Advance<'_, '_>,
    (place, attempt): (StepIndex, Arc<AttemptStarted>),
    output: Output,
    beside: Result<Beside, Failure>,
) -> Result<(), RunRejection> {
    let (step, fence) = (&attempt.step, attempt.fence);
    let Output { output: answer, artifacts, usage, transcript, child, .. } = output;
    let taken = match (beside, attempt.purpose) {
        (Err(failure), _) => Err(failure.into()),
        // Another goes on with it: only what the last of the chain answers has to be an output.
        (Ok(beside), Purpose::Do) if beside.hands_over() => Ok((answer, beside)),
        (Ok(beside), Purpose::Do) => advance.taken(place, answer)?.map(|output| (output, beside)),
        (Ok(beside), Purpose::Compensate) => Ok((answer, beside)),
    };
    let (output, beside) = match taken {
        Ok(taken) => taken,
        Err(NotTaken { failure, answered }) => {
            let failure = Failure { usage, transcript, child, ..failure };
            return match answered {
                Some(answered) => not_made(advance, place, &attempt, failure, answered),
                None => failed(advance, step, fence, failure),
            };
        }
    };
    let transcript = transcript.map(|said| advance.draft.payload(said));
    advance.do_beside(&attempt, beside);
    let number = attempt.attempt;
    match attempt.purpose {
        Purpose::Do => {
            let node = advance.draft.state().steps.get(place);
            let degraded = node.is_some_and(|node| node.fallback.is_some())
                || child.as_ref().is_some_and(|child| child.degraded);
            child_ended(advance, place, child);
            let attempt = Some(number);
            let came = Completion { attempt, output, artifacts, usage, degraded, transcript };
            advance.came_through(place, came)
        }
        Purpose::Compensate => {
            advance.undoes_only();
            let (step, output) = (step.clone(), advance.draft.payload(output));
            advance.draft.emit(StepCompensated { step, attempt: number, output, usage, transcript });
            Ok(())
        }
    }
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
    let Failure { code, class, message, outcome, usage, transcript, child, .. } = failure;
    child_ended(advance, place, child);
    let transcript = transcript.map(|said| advance.draft.payload(said));
    let answered = Some(advance.draft.payload(answered));
    let failed = AttemptFailed {
        purpose: attempt.purpose,
        step: attempt.step.clone(),
        attempt: attempt.attempt,
        class,
        code,
        message: message.clone(),
        outcome,
        usage,
        transcript,
        answered,
    };
    advance.end_without_success(attempt, failed, (code, &message));
    advance.fail(place, class, code, message)
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

fn failed(
    advance: &mut Advance<'_, '_>,
    step: &StepId,
    fence: Fence,
    failure: Failure,
) -> Result<(), RunRejection> {
    let Some((place, attempt)) = open_attempt(advance.draft.state(), step, fence) else { return Ok(()) };
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
        return lose_one(advance, place, &attempt, true);
    }
    let template = advance.template(place)?;
    let policy = retry_policy(&template, attempt.purpose);
    let class = policy.map_or(failure.class, |policy| policy.class_of(&failure));
    let transcript = failure.transcript.map(|said| advance.draft.payload(said));
    let ended = AttemptFailed {
        purpose: attempt.purpose,
        step: step.clone(),
        attempt: attempt.attempt,
        class,
        code: failure.code,
        message: failure.message.clone(),
        outcome: failure.outcome,
        usage: failure.usage,
        transcript,
        answered: None,
    };
    advance.end_without_success(&attempt, ended, (failure.code, &failure.message));
    let (purpose, step) = (attempt.purpose, step.clone());
    if is_cancelled && (was_stopped || advance.is_given_up(place)) {
        advance.draft.emit(StepCancelled { step });
        return Ok(());
    }
    if let Some(delay) = retry_delay(advance, place, &attempt, class) {
        let timer = match purpose {
            Purpose::Do => TimerId::retry(&step, attempt.attempt),
            Purpose::Compensate => TimerId::compensation_retry(&step, attempt.attempt),
        };
        let at = advance.moment.now.after(delay);
        advance.draft.emit(RetryScheduled { purpose, step, at, timer });
        return Ok(());
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

fn due(advance: &mut Advance<'_, '_>, timer: &TimerId) -> Result<(), RunRejection> {
    let set = advance.draft.state().awaited_timers().and_then(|timers| timers.get(timer)).cloned();
    let Some(set) = set else { return Ok(()) };
    if !set.deadline().has_come(advance.moment.clocks()) {
        return Ok(());
    }
    if let TimerOf::People(place) = set.of {
        return people::too_late(advance, place, timer);
    }
    advance.draft.emit(TimerFired { timer: timer.clone() });
    match set.of {
        TimerOf::Sleep(place) => advance.complete(place, Json::null()),
        TimerOf::Retry(_, Purpose::Compensate) => {
            advance.undoes_only();
            Ok(())
        }
        TimerOf::UndoChild(place) => {
            let undoing = advance.draft.state().steps.get(place).and_then(|node| node.compensation.as_ref());
            let Some(attempt) = undoing.and_then(|undo| undo.tries.open()).cloned() else { return Ok(()) };
            failed(advance, &attempt.step, attempt.fence, Failure::stopped(Stop::TimedOut))
        }
        TimerOf::Retry(_, Purpose::Do) | TimerOf::Run | TimerOf::People(_) | TimerOf::Child(_) => Ok(()),
    }
}

/// Whoever held the open attempts is gone, or is about to go. What a run of its own makes goes on without.
fn lose(
    advance: &mut Advance<'_, '_>,
    interrupted: bool,
    kept: &BTreeSet<Fence>,
) -> Result<(), RunRejection> {
    let run = advance.draft.state();
    let open = run.steps.indexed().flat_map(|(place, node)| {
        let lost = |attempt: &&Arc<AttemptStarted>| {
            let is_over = is_made_by(&attempt.agent) || run.is_writing(attempt.fence);
            !is_over && !kept.contains(&attempt.fence)
        };
        node.open_attempts().filter(lost).map(move |open| (place, Arc::clone(open)))
    });
    let open: Vec<_> = open.collect();
    open.iter().try_for_each(|(place, attempt)| lose_one(advance, *place, attempt, interrupted))
}

/// Attempts whose outcome has to be awaited, whoever wants to go: nothing can undo what they do.
fn irreversible_attempts(run: &Run) -> BTreeSet<Fence> {
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
