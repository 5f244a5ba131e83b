//! What is looked for further back, once an event was found: what it follows from.

use std::collections::BTreeSet;

use super::past::{Past, has_failed};
use super::turns;
use super::want::Want;
use crate::aggregates::run::child::is_made_by;
use crate::aggregates::run::{ApprovalRequest, Node};
use crate::events::ids::{ContextKey, StepId, TimerId};
use crate::events::problem::Code;
use crate::events::run::{
    AttemptFailed, AttemptStarted, Because, Gate, Purpose, RollbackCause, RunCompleted, RunEvent, RunStuck,
    SkipReason, StepCompleted, StepFailed, StepKind, StepSkipped, StuckWhy,
};
use crate::workflow::uses::{Use, Whose};

/// How many of the steps that grew in one are followed.
const INSIDE_MAX: usize = 3;

/// How many of the steps are followed that were done in a lesser way, or left out because they failed.
const LESSER_MAX: usize = 8;

/// What an event follows from. `is_asked_about` is of steps whose own attempts are told, not only what they answered.
pub(super) fn causes(past: &Past<'_>, event: &RunEvent, is_asked_about: bool) -> Vec<Want> {
    match event {
        RunEvent::RunCompleted(done) => completed(past, done),
        RunEvent::RunFailed(failed) => failure(failed.step.as_ref()),
        RunEvent::RunStuck(stuck) => got_stuck(past, stuck),
        RunEvent::RunCompensated(_) => vec![Want::RolledBack],
        RunEvent::RunCancelled(_) => vec![Want::Cancelled],
        RunEvent::RollbackStarted(rollback) => match &rollback.cause {
            RollbackCause::Failure { step, .. } => failure(step.as_ref()),
            RollbackCause::Cancel => vec![Want::Cancelled],
            RollbackCause::Request { .. } => Vec::new(),
        },
        RunEvent::StepFailed(failed) if failed.code == Code::SpendExceeded => vec![Want::Exhausted],
        RunEvent::StepFailed(failed) => {
            step_failed(past, failed).into_iter().chain(routed(past, &failed.step)).collect()
        }
        RunEvent::StepSkipped(skipped) => step_skipped(past, skipped),
        RunEvent::StepCancelled(cancelled) => vec![Want::Stopped(cancelled.step.clone())],
        RunEvent::StepCompleted(done) => {
            let made = step_completed(past, done, is_asked_about).into_iter();
            made.chain(routed(past, &done.step)).collect()
        }
        RunEvent::StepCompensated(undone) => {
            let (step, purpose) = (&undone.step, Purpose::Compensate);
            let began = std::iter::once(Want::Began(step.clone(), purpose));
            let by_whom = taken(past, step, purpose, undone.attempt);
            began.chain(by_whom).chain(handled(step, purpose, undone.attempt)).collect()
        }
        RunEvent::CompensationFailed(failed) => {
            vec![Want::Tried(failed.step.clone(), Purpose::Compensate), Want::Opened(failed.step.clone())]
        }
        RunEvent::CompensationResolved(settled) => vec![Want::NotUndone(settled.step.clone())],
        RunEvent::CompensationStarted(_) => vec![Want::RolledBack],
        RunEvent::AttemptFailed(failed) => attempt_failed(past, failed),
        RunEvent::AttemptLost(lost) => tries(&lost.step, lost.purpose, lost.attempt),
        RunEvent::RetryScheduled(retry) => vec![Want::Tried(retry.step.clone(), retry.purpose)],
        RunEvent::FallbackEngaged(to) => vec![Want::Tried(to.step.clone(), Purpose::Do)],
        RunEvent::AttemptStarted(began) => attempt_began(past, began),
        RunEvent::CacheHit(hit) => sources(past, &hit.step, &past.uses(&hit.step, Purpose::Do)),
        RunEvent::HandoffDeclared(told) => vec![Want::Began(told.step.clone(), Purpose::Do)],
        RunEvent::Escalated(asked) => vec![Want::Tried(asked.step.clone(), Purpose::Do)],
        RunEvent::RepairAsked(asked) => vec![Want::Tried(asked.step.clone(), Purpose::Do)],
        RunEvent::TaskOffered(task) => vec![Want::Began(task.step.clone(), task.purpose)],
        RunEvent::TaskTaken(task) => {
            let (step, purpose) = (task.step.clone(), task.purpose);
            vec![Want::Lapsed(step.clone(), purpose, task.attempt), Want::Began(step, purpose)]
        }
        RunEvent::TaskProgressed(task) => vec![Want::Taken(task.step.clone(), task.purpose, task.attempt)],
        RunEvent::TaskLapsed(task) => vec![Want::Taken(task.step.clone(), task.purpose, task.attempt)],
        RunEvent::ContextChanged(changed) => vec![Want::Began(changed.step.clone(), changed.purpose)],
        RunEvent::MessageHandled(handled) => vec![Want::Message(handled.number)],
        RunEvent::MessageSent(sent) => {
            match sent.causation.filter(|_| sent.by.is_some() || sent.delivery.is_some()) {
                Some(number) => vec![Want::Message(number)],
                None => vec![Want::Began(sent.step.clone(), sent.purpose)],
            }
        }
        RunEvent::ApprovalRequested(asked) => match asked.gate {
            Gate::Before => sources(past, &asked.step, &past.uses(&asked.step, Purpose::Do)),
            Gate::After => vec![Want::Made(asked.step.clone())],
        },
        RunEvent::ApprovalGranted(granted) => vec![Want::Asked(granted.request.clone())],
        RunEvent::ApprovalRefused(refused) => vec![Want::Asked(refused.request.clone())],
        RunEvent::ApprovalExpired(expired) => vec![Want::Asked(expired.request.clone())],
        RunEvent::TimerFired(fired) if fired.timer == TimerId::duration() => Vec::new(),
        _ => Vec::new(),
    }
}

/// A run failed, or is undone, because of that step; without one, because its time was over.
fn failure(step: Option<&StepId>) -> Vec<Want> {
    match step {
        Some(step) => vec![Want::Failed(step.clone())],
        None => vec![Want::Overrun, Want::TimeOver],
    }
}

/// What its output is made of; without one, its last steps. And what was done in a lesser way.
fn completed(past: &Past<'_>, done: &RunCompleted) -> Vec<Want> {
    let nodes = || past.run.nodes().iter();
    let made = |step: &StepId| Want::Made(step.clone());
    let uses = past.definition.output.as_ref().map(|output| output.uses()).unwrap_or_default();
    let sources = past.producers(None, &uses);
    let mut wants: Vec<Want> = match (sources.is_empty(), &done.error) {
        (false, None) => sources.into_iter().map(made).collect(),
        (false, Some(_)) => {
            let has_output = |step: &&StepId| past.node(step).is_some_and(|node| node.output().is_some());
            let (with, without): (Vec<_>, Vec<_>) = sources.into_iter().partition(has_output);
            if without.is_empty() {
                with.into_iter().map(made).collect()
            } else {
                without.into_iter().map(made).collect()
            }
        }
        (true, _) => {
            let last = nodes().filter(|node| node.is_last() && !node.asks_of_phase());
            last.map(|node| made(node.id())).take(INSIDE_MAX).collect()
        }
    };
    wants.extend(written(past, &uses));
    if done.degraded {
        let lesser = nodes().filter(|node| is_lesser(node)).map(|node| made(node.id())).take(LESSER_MAX);
        wants.extend(lesser);
    }
    wants
}

/// Whether a step was done by another agent, or left out because it failed.
fn is_lesser(node: &Node) -> bool {
    has_failed(node) || node.fallback.is_some()
}

fn got_stuck(past: &Past<'_>, stuck: &RunStuck) -> Vec<Want> {
    match (stuck.why, &stuck.step) {
        (StuckWhy::Compensation, Some(step)) => vec![Want::NotUndone(step.clone())],
        (StuckWhy::Irreversible, step) => {
            let past_return = past.run.nodes().iter().find(|node| node.is_past_return());
            let began = past_return.map(|node| Want::Began(node.id().clone(), Purpose::Do));
            let because =
                if stuck.code == Code::PastNoReturn { vec![Want::Cancelled] } else { failure(step.as_ref()) };
            because.into_iter().chain(began).collect()
        }
        (_, step) => failure(step.as_ref()),
    }
}

fn step_failed(past: &Past<'_>, failed: &StepFailed) -> Vec<Want> {
    let step = &failed.step;
    let Some(node) = past.node(step) else { return Vec::new() };
    match failed.code {
        Code::ApprovalRefused | Code::ApprovalExpired => {
            let requests = past.run.people().requests.values();
            let asked =
                requests.filter(|request| request.asked.step == *step).max_by_key(|request| request.at);
            asked.map(|request| Want::Refused(request.asked.request.clone())).into_iter().collect()
        }
        Code::SignalMissed => vec![Want::Awaited(step.clone())],
        Code::LockWaitOver => vec![Want::Locked(step.clone())],
        Code::ExpressionFailed | Code::NotAList | Code::NoOutput | Code::TooManyItems => {
            let condition = past.template(node).map(|template| template.used_by_condition());
            let uses = past.uses(step, Purpose::Do).into_iter().chain(condition.unwrap_or_default());
            sources(past, step, &uses.collect::<Vec<_>>())
        }
        Code::RoundsUsedUp => {
            past.inside(node).last().map(|round| Want::Made(round.id().clone())).into_iter().collect()
        }
        _ => match past.run.failed_inside(node) {
            Some(inner) => vec![Want::Failed(inner.id().clone())],
            None => vec![asked_in_vain(past, node).unwrap_or_else(|| Want::Tried(step.clone(), Purpose::Do))],
        },
    }
}

/// What became of the manager that was asked about a step, and said nothing.
fn asked_in_vain(past: &Past<'_>, node: &Node) -> Option<Want> {
    let last = past.inside(node).next_back().filter(|inner| inner.is_of_manager())?;
    last.output().is_none().then(|| Want::Unmade(last.id().clone()))
}

fn step_skipped(past: &Past<'_>, skipped: &StepSkipped) -> Vec<Want> {
    let (step, node) = (&skipped.step, past.node(&skipped.step));
    let condition = || {
        node.and_then(|node| past.template(node))
            .map(|template| template.used_by_condition())
            .unwrap_or_default()
    };
    match skipped.reason {
        SkipReason::Condition => sources(past, step, &condition()),
        SkipReason::Dependency => {
            let uses: Vec<Use> = past.uses(step, Purpose::Do).into_iter().chain(condition()).collect();
            let used = past.producers(Some(step), &uses).into_iter().cloned().map(Want::Unmade);
            let rounds =
                node.and_then(|node| past.inside(node).last()).map(|round| Want::Made(round.id().clone()));
            used.chain(rounds).collect()
        }
        SkipReason::Failure => vec![Want::Tried(step.clone(), Purpose::Do)],
    }
}

/// Where the output of a step comes from.
fn step_completed(past: &Past<'_>, done: &StepCompleted, is_asked_about: bool) -> Vec<Want> {
    let step = &done.step;
    let Some(node) = past.node(step) else { return Vec::new() };
    let mut wants = match &node.added.kind {
        StepKind::Wait { signal } => vec![Want::Sent(signal.clone())],
        StepKind::FanOut { .. } => {
            // Those that failed say most about the list, and else the last.
            let made = |item: &Node| Want::Made(item.id().clone());
            let failed = past.inside(node).filter(|item| has_failed(item)).map(made).take(LESSER_MAX);
            let others = past.inside(node).rev().filter(|item| !has_failed(item)).map(made);
            let failed: Vec<Want> = failed.collect();
            let others = others.take(INSIDE_MAX.saturating_sub(failed.len()));
            failed
                .into_iter()
                .chain(others)
                .chain(sources(past, step, &past.uses(step, Purpose::Do)))
                .collect()
        }
        StepKind::Repeat { .. } => {
            past.inside(node).last().map(|round| Want::Made(round.id().clone())).into_iter().collect()
        }
        StepKind::Work { agent } if is_made_by(agent) => vec![Want::ChildEnded(step.clone())],
        StepKind::Work { .. } if done.cached => vec![Want::Cached(step.clone())],
        StepKind::Work { .. } if turns::has_turns(past, node) => turns::last(past, node),
        StepKind::Work { .. } if is_asked_about && done.attempt > 0 => tries(step, Purpose::Do, done.attempt),
        StepKind::Work { .. } => began_with(past, step, Purpose::Do),
        StepKind::Sleep | StepKind::AskOfPhase => Vec::new(),
    };
    wants.extend(handled(step, Purpose::Do, done.attempt));
    wants.extend(taken(past, step, Purpose::Do, done.attempt));
    if node.fallback.is_some() {
        wants.push(Want::FellBack(step.clone()));
    }
    wants
}

/// Who took an attempt that may have been handed out, and who had it before for too long.
fn taken(past: &Past<'_>, step: &StepId, purpose: Purpose, attempt: u32) -> Vec<Want> {
    let hands_out = past.run.about().is_some_and(|about| !about.started.external.is_empty());
    if !hands_out || attempt == 0 {
        return Vec::new();
    }
    vec![Want::Taken(step.clone(), purpose, attempt), Want::Lapsed(step.clone(), purpose, attempt)]
}

/// The messages that an attempt handled.
fn handled(step: &StepId, purpose: Purpose, attempt: u32) -> Option<Want> {
    (attempt > 0).then(|| Want::Handled(step.clone(), purpose, attempt))
}

fn attempt_failed(past: &Past<'_>, failed: &AttemptFailed) -> Vec<Want> {
    let AttemptFailed { step, purpose, attempt, .. } = failed;
    let node = past.node(step);
    let is_of_child = node.is_some_and(|node| node.child.as_ref().is_some_and(|child| child.ended.is_some()));
    let mut wants = match is_of_child && *purpose == Purpose::Do {
        true => {
            let mut wants = tries(step, *purpose, *attempt);
            wants.retain(|want| !matches!(want, Want::Began(..)));
            wants.push(Want::ChildEnded(step.clone()));
            wants
        }
        false => tries(step, *purpose, *attempt),
    };
    wants.extend(taken(past, step, *purpose, *attempt));
    if *purpose == Purpose::Do && node.is_some_and(|node| node.fallback.is_some()) {
        wants.push(Want::FellBack(step.clone()));
    }
    wants
}

/// The beginning of an attempt, and those before it.
fn tries(step: &StepId, purpose: Purpose, attempt: u32) -> Vec<Want> {
    let began = Want::Began(step.clone(), purpose);
    let earlier = (attempt > 1).then(|| Want::Earlier(step.clone(), purpose, attempt));
    std::iter::once(began).chain(earlier).collect()
}

fn attempt_began(past: &Past<'_>, began: &AttemptStarted) -> Vec<Want> {
    let mut wants = began_with(past, &began.step, began.purpose);
    if began.purpose == Purpose::Compensate {
        wants.push(Want::Opened(began.step.clone()));
    }
    if past.work(&began.input).is_some_and(|work| work.guidance.is_some()) {
        wants.extend(past.run.guided_by(&began.step).cloned().map(Want::Made));
    }
    if past.work(&began.input).is_some_and(|work| work.repair.is_some()) {
        wants.push(Want::Mended(began.step.clone()));
    }
    wants.extend(routed(past, &began.step));
    wants
}

/// Who does the first step of what somebody asked for was decided before it began.
fn routed(past: &Past<'_>, step: &StepId) -> Option<Want> {
    let node = past.node(step)?;
    let is_first = node.added.because == Because::Definition && node.added.needs.is_empty();
    (is_first && past.run.routed().is_some()).then_some(Want::Routed)
}

/// Where that comes from which a step was done with, or undone: what people granted, the outputs of others, the plan that
/// added it, the run that started this one.
fn began_with(past: &Past<'_>, step: &StepId, purpose: Purpose) -> Vec<Want> {
    let Some(node) = past.node(step) else { return Vec::new() };
    let whole =
        past.run.nodes().outer(node).filter(|_| node.added.because == Because::Repeat).unwrap_or(node);
    let granted = whole.granted.as_ref().filter(|_| purpose == Purpose::Do);
    let granted = granted.and_then(|request| past.request(request)).into_iter().flat_map(grants);
    let mut wants: Vec<Want> = granted.collect();
    let uses = past.uses(step, purpose);
    wants.extend(sources(past, step, &uses));
    let goes_on = past.template(node).is_some_and(|template| template.conversation.is_some());
    if purpose == Purpose::Do && goes_on {
        wants.push(Want::Heard(step.clone()));
    }
    if purpose == Purpose::Do && node.added.because == Because::Plan {
        wants.push(Want::Added(step.clone()));
        wants.extend(past.run.nodes().outer(node).map(|planner| Want::Made(planner.id().clone())));
    }
    if purpose == Purpose::Do && node.added.because == Because::Handoff {
        let by = node.added.needs.first().or(node.added.inside.as_ref());
        wants.extend(by.cloned().map(Want::HandedOver));
    }
    if purpose == Purpose::Do {
        wants.extend(turns::began_with(past, node));
        wants.extend(
            turns::begun_for(past, node)
                .map(|whole| began_with(past, whole.id(), purpose))
                .into_iter()
                .flatten(),
        );
    }
    if purpose == Purpose::Do && node.is_of_manager() {
        wants.extend(node.added.inside.clone().map(Want::Escalated));
    }
    wants
}

/// Those who granted what is asked, as many as counted.
fn grants(request: &ApprovalRequest) -> impl Iterator<Item = Want> {
    let times = request.granted.len().max(request.edits.len()).min(INSIDE_MAX);
    let id = request.asked.request.clone();
    std::iter::repeat_n(Want::Granted(id), times)
}

/// The steps, and the beginning of the run, that a step has these values of.
fn sources(past: &Past<'_>, step: &StepId, uses: &[Use]) -> Vec<Want> {
    let made = past.producers(Some(step), uses).into_iter().cloned().map(Want::Made);
    let is_child = past.run.about().is_some_and(|about| about.started.parent.is_some());
    let input = is_child && uses.iter().any(|used| used.of == Whose::Input);
    made.chain(written(past, uses))
        .chain(read(past, step, uses))
        .chain(input.then_some(Want::Start))
        .collect()
}

/// Who wrote the keys of the context that are used; where none is named, all of them.
fn written(past: &Past<'_>, uses: &[Use]) -> impl Iterator<Item = Want> {
    let context = past.run.context();
    let of = |used: &Use| match &used.of {
        Whose::Context(Some(key)) => ContextKey::parse(key).into_iter().collect(),
        Whose::Context(None) => context.keys().take(INSIDE_MAX).cloned().collect(),
        _ => Vec::new(),
    };
    let written = |key: &ContextKey| context.contains_key(key);
    let keys: BTreeSet<ContextKey> = uses.iter().flat_map(of).filter(written).collect();
    keys.into_iter().map(Want::Written)
}

/// The keys of shared contexts that are used, as the step has read them.
fn read(past: &Past<'_>, step: &StepId, uses: &[Use]) -> Vec<Want> {
    let of = |used: &Use| match &used.of {
        Whose::Shared(alias, key) => {
            let context = past.definition.contexts.get(alias)?.clone();
            Some(Want::Read(step.clone(), context, ContextKey::parse(key).ok()?))
        }
        _ => None,
    };
    uses.iter().filter_map(of).collect()
}
