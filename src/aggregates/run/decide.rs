//! What would happen to a run, command by command.
//!
//! Here is how it begins; what comes of its attempts is in `attempts`, what people ask in `control` and `rollback`, what they
//! answer in `people`, what becomes of what is handed out in `tasks`, what runs of one family say to each other in `children`.

mod attempts;
mod children;
mod control;
mod people;
mod rollback;
mod tasks;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::advance::Advance;
use super::advance::shared::Written;
use super::{Ask, Moment, Run, RunRejection, StartRun, StepIndex, TimerOf};
use crate::events::ids::{AgentName, Fence, TimerId};
use crate::events::json::{Blob, Json};
use crate::events::run::*;
use crate::events::time::micros;
use crate::kernel::Draft;
use crate::workflow::definition::Definition;
use crate::workflow::json_text::Level;
use crate::workflow::routing::QUERY;
use crate::workflow::work::{Failure, Stop};

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
        Ask::Completed { step, fence, output } => attempts::completed(&mut advance, &step, fence, output)?,
        Ask::Failed { step, fence, failure } => attempts::failed(&mut advance, &step, fence, failure)?,
        Ask::Due { timer } => due(&mut advance, &timer)?,
        Ask::Recover { in_flight } => recover(&mut advance, &in_flight)?,
        Ask::Interrupt => interrupt(&mut advance)?,
        Ask::ForParent(asked) => children::for_parent(&mut advance, *asked)?,
        Ask::OfChild(tidings) => children::of_child(&mut advance, *tidings)?,
        Ask::OfShared(says) => match advance.of_shared(*says)? {
            None => {}
            Some(Written::All(step, fence, output)) => attempts::settled(&mut advance, &step, fence, output)?,
            Some(Written::Failed(step, fence, failure)) => {
                attempts::failed(&mut advance, &step, fence, failure)?
            }
        },
        Ask::NoChild { step, fence } => children::no_child(&mut advance, &step, fence)?,
        Ask::ParentTold { version } => children::parent_told(advance.draft, version),
        Ask::ReturnRefused { reason } => children::return_answered(&mut advance, false, &reason)?,
        Ask::OfTask(asked) => tasks::of_task(&mut advance, *asked)?,
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
        Ask::RaiseBudget(raise) => advance.raise(*raise)?,
        Ask::Resend { number, by } => control::resend(&mut advance, number, by)?,
        Ask::Say { step, fence, message, asks } => advance.say(&step, fence, &message, asks)?,
        Ask::Handled { step, fence, number } => advance.handled(&step, fence, number)?,
        Ask::Delivered { fence, output } => advance.delivered(fence, output)?,
        Ask::NotDelivered { fence, failure } => advance.not_delivered(fence, failure),
    }
    begin_driving(&mut advance);
    end_what_is_late(&mut advance)?;
    advance.run(tasks::withdraw_unwanted)
}

/// Whoever held it is gone.
fn recover(advance: &mut Advance<'_, '_>, in_flight: &BTreeSet<Fence>) -> Result<(), RunRejection> {
    attempts::lose(advance, false, in_flight)?;
    advance.lose_deliveries(false, in_flight);
    advance.wait_anew_for_locks()?;
    advance.look_at_all();
    Ok(())
}

/// Who holds it is about to go.
fn interrupt(advance: &mut Advance<'_, '_>) -> Result<(), RunRejection> {
    let awaited = attempts::irreversible_attempts(advance.draft.state());
    attempts::lose(advance, true, &awaited)?;
    advance.lose_deliveries(true, &BTreeSet::new());
    Ok(())
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
        stuck: asked.stuck.clone(),
        external: asked.external(),
    });
    if let Some(routed) = &asked.routed {
        let query = draft.payload(query(&asked.input));
        draft.emit(RequestRouted::of(query, routed.clone()));
    }
    let (limits, on_limit) = (asked.definition.limits.spend, asked.definition.on_limit);
    if !limits.is_empty() {
        draft.emit(BudgetSet { limits, on_limit });
    }
    if asked.bypasses_cache {
        draft.emit(CacheBypassed {});
    }
    for step in asked.definition.graph() {
        draft.emit(StepAdded {
            needs: step.needs.clone(),
            ..step.added(step.id.clone(), Because::Definition)
        });
    }
    Ok(())
}

/// What somebody asked for, as it stands in the input of a run.
fn query(input: &Json) -> Json {
    let members = match Level::of(input.text()) {
        Ok(Level::Map(members)) => members,
        _ => return Json::null(),
    };
    let query = members.into_iter().find(|(name, _)| name == QUERY);
    query.and_then(|(_, text)| Json::made(text).ok()).unwrap_or_else(Json::null)
}

fn bindings(draft: &mut RunDraft<'_>, agents: &[(AgentName, Blob)]) -> Vec<AgentBinding> {
    let bind = |(name, blob): &(AgentName, Blob)| AgentBinding {
        name: name.clone(),
        definition: draft.attach(blob.clone()),
    };
    agents.iter().map(bind).collect()
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
    let task = |place: StepIndex, purpose: Purpose| {
        let run = advance.draft.state();
        let tries = run.steps.get(place).and_then(|node| node.tries(purpose));
        tries.and_then(|tries| tries.open()).cloned()
    };
    if let TimerOf::Lease(place, purpose) = set.of {
        let attempt = task(place, purpose);
        return attempt.map_or(Ok(()), |attempt| tasks::lapse(advance, place, &attempt));
    }
    if let TimerOf::Task(place, purpose) = set.of {
        let attempt = task(place, purpose);
        advance.draft.emit(TimerFired { timer: timer.clone() });
        return attempt.map_or(Ok(()), |attempt| tasks::is_overdue(advance, &attempt));
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
            attempts::failed(advance, &attempt.step, attempt.fence, Failure::stopped(Stop::TimedOut))
        }
        TimerOf::Retry(_, Purpose::Do)
        | TimerOf::Run
        | TimerOf::People(_)
        | TimerOf::Child(_)
        | TimerOf::Task(..)
        | TimerOf::Lease(..) => Ok(()),
    }
}
