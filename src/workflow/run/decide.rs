//! What would happen to a run, command by command.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::advance::Advance;
use super::{Ask, Node, Run, RunCommand, RunRejection, StartRun, StepPhase};
use crate::events::ids::{Fence, StepId, TimerId};
use crate::events::json::{Json, Payload};
use crate::events::problem::{Class, Code};
use crate::events::run::*;
use crate::workflow::aggregate::{Draft, Moment};
use crate::workflow::definition::{Definition, OnError, Step};
use crate::workflow::work::{Failure, Output, Request};

type RunDraft<'a> = Draft<'a, Run>;

pub(super) fn decide(
    draft: &mut RunDraft<'_>,
    command: RunCommand,
    moment: &Moment<'_>,
) -> Result<(), RunRejection> {
    let RunCommand { ask, seed, drive } = command;
    let definition = match &ask {
        Ask::Start(start) => Arc::clone(&start.definition),
        _ => recorded_definition(draft.state(), moment)?,
    };
    let mut advance = Advance::new(draft, &definition, moment, drive);
    match ask {
        Ask::Start(asked) => start(advance.draft, &asked)?,
        Ask::Completed { step, fence, output } => completed(&mut advance, &step, fence, output)?,
        Ask::Failed { step, fence, failure } => failed(&mut advance, &step, fence, failure, seed)?,
        Ask::Due { timer } => due(&mut advance, &timer)?,
        Ask::Recover { in_flight } => {
            lose(&mut advance, false, &in_flight)?;
            advance.look_at_all();
        }
        Ask::Interrupt => lose(&mut advance, true, &BTreeSet::new())?,
        Ask::Go => advance.look_at_all(),
        Ask::Pause(_)
        | Ask::Unpause(_)
        | Ask::Cancel { .. }
        | Ask::Retry { .. }
        | Ask::Rollback { .. }
        | Ask::Resolve { .. } => {
            return Err(RunRejection::NotNow {
                code: Code::NotBuilt,
                why: String::new(),
                hint: String::new(),
            });
        }
    }
    advance.run()?;
    Ok(())
}

fn recorded_definition(run: &Run, moment: &Moment<'_>) -> Result<Arc<Definition>, RunRejection> {
    match run.about() {
        Some(about) => Ok(moment.blobs.definition(&about.started.definition.hash)?),
        None => Err(RunRejection::NotStarted),
    }
}

/// Records the run and the steps of its definition.
fn start(draft: &mut RunDraft<'_>, asked: &StartRun) -> Result<(), RunRejection> {
    if let Some(about) = draft.state().about() {
        let input = Payload::new(asked.input.clone()).0;
        let same =
            about.started.definition == asked.definition_blob.reference && about.started.input == input;
        return if same { Ok(()) } else { Err(RunRejection::Taken(about.id.clone())) };
    }
    let input = draft.payload(asked.input.clone());
    let definition = draft.attach(asked.definition_blob.clone());
    let agents = asked.agents.iter();
    let agents = agents
        .map(|(name, blob)| AgentBinding { name: name.clone(), definition: draft.attach(blob.clone()) })
        .collect();
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
        duration_limit_us: asked
            .duration_limit
            .map(|limit| u64::try_from(limit.as_micros()).unwrap_or(u64::MAX)),
        until: asked.until.clone(),
    });
    for step in &asked.definition.steps {
        draft.emit(StepAdded {
            step: step.id.clone(),
            because: Because::Definition,
            template: step.id.clone(),
            kind: step.kind(),
            inside: None,
            needs: step.needs.clone(),
            item: None,
            undo: if step.for_each.is_none() { step.undo() } else { None },
            irreversible: step.irreversible && step.for_each.is_none(),
        });
    }
    Ok(())
}

/// The open attempt of a step, if that is the one with this fence.
fn open_attempt(run: &Run, step: &StepId, fence: Fence) -> Option<(usize, Arc<AttemptStarted>)> {
    match run.node(step)? {
        (place, Node { phase: StepPhase::Running(attempt), .. }) if attempt.fence == fence => {
            Some((place, Arc::clone(attempt)))
        }
        _ => None,
    }
}

fn completed(
    advance: &mut Advance<'_, '_>,
    step: &StepId,
    fence: Fence,
    output: Output,
) -> Result<(), RunRejection> {
    let Some((place, attempt)) = open_attempt(advance.draft.state(), step, fence) else { return Ok(()) };
    if let Some(request) = output.requests.first() {
        let failure = Failure { usage: output.usage, ..refused(request) };
        return failed(advance, step, fence, failure, 0);
    }
    let payload = advance.draft.payload(output.output);
    advance.draft.emit(StepCompleted {
        step: step.clone(),
        attempt: attempt.attempt,
        output: payload,
        artifacts: output.artifacts,
        usage: output.usage,
        cached: false,
        degraded: false,
    });
    advance.done(place)
}

/// What this version cannot do for an attempt is never left out silently.
fn refused(request: &Request) -> Failure {
    let what = match request {
        Request::Send(_) => "`SEND:` lines",
        Request::Context { .. } => "`CONTEXT` lines",
        Request::Handoff(_) => "handoffs",
    };
    Failure::new(Code::NotBuilt, format!("its output has {what}, which this version does not support"))
}

fn failed(
    advance: &mut Advance<'_, '_>,
    step: &StepId,
    fence: Fence,
    failure: Failure,
    seed: u64,
) -> Result<(), RunRejection> {
    let Some((place, attempt)) = open_attempt(advance.draft.state(), step, fence) else { return Ok(()) };
    let policy = advance.template(place)?;
    let class = policy.retry.as_ref().map_or(failure.class, |retry| retry.class_of(&failure));
    advance.draft.emit(AttemptFailed {
        purpose: attempt.purpose,
        step: step.clone(),
        attempt: attempt.attempt,
        class,
        code: failure.code,
        message: failure.message.clone(),
        outcome: failure.outcome,
        usage: failure.usage,
    });
    if advance.is_ending() && failure.code == Code::Cancelled {
        advance.draft.emit(StepCancelled { step: step.clone() });
        return Ok(());
    }
    if let Some(delay) = retry_delay(advance, place, policy, class, seed) {
        advance.draft.emit(RetryScheduled {
            purpose: attempt.purpose,
            step: step.clone(),
            at: advance.moment.now.after(delay),
            timer: TimerId::retry(step, attempt.attempt),
        });
        return Ok(());
    }
    advance.fail(place, class, failure.code, failure.message)
}

/// How long until the next attempt, if there is to be one.
fn retry_delay(
    advance: &Advance<'_, '_>,
    place: usize,
    policy: &Step,
    class: Class,
    seed: u64,
) -> Option<std::time::Duration> {
    let patient = matches!(policy.on_error, OnError::RetryThenFail | OnError::RetryThenSkip);
    if !patient || !class.may_retry() || advance.is_ending() {
        return None;
    }
    let failures = advance.draft.state().steps.get(place)?.failures;
    policy.retry.as_ref()?.delay(failures, seed)
}

fn due(advance: &mut Advance<'_, '_>, timer: &TimerId) -> Result<(), RunRejection> {
    let Some(set) = advance.draft.state().timers.get(timer).cloned() else { return Ok(()) };
    if advance.moment.now < set.at {
        return Ok(());
    }
    advance.draft.emit(TimerFired { timer: timer.clone() });
    let slept = advance.draft.state().steps.get(set.step);
    let Some(slept) = slept.filter(|node| node.phase == StepPhase::Between) else { return Ok(()) };
    let step = slept.id().clone();
    advance.complete(&step, Json::null());
    advance.done(set.step)
}

/// Whoever held the open attempts is gone, or is about to go.
fn lose(
    advance: &mut Advance<'_, '_>,
    interrupted: bool,
    kept: &BTreeSet<Fence>,
) -> Result<(), RunRejection> {
    let run = advance.draft.state();
    let limit = run.about().map_or(0, |about| about.started.lost_limit);
    let open = run.steps.iter().enumerate().filter_map(|(place, node)| match &node.phase {
        StepPhase::Running(attempt) if !kept.contains(&attempt.fence) => Some((place, Arc::clone(attempt))),
        _ => None,
    });
    for (place, attempt) in open.collect::<Vec<_>>() {
        let (purpose, step, attempt) = (attempt.purpose, attempt.step.clone(), attempt.attempt);
        advance.draft.emit(AttemptLost { purpose, step, attempt, interrupted });
        let lost = advance.draft.state().steps.get(place).map_or(0, |node| node.lost);
        if lost >= limit && !interrupted {
            let message = format!("the process that ran it died {lost} times");
            advance.fail(place, Code::LostTooOften.class(), Code::LostTooOften, message)?;
        }
    }
    Ok(())
}
