//! The command that was recorded.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::aggregates::run::child::{agents, blob, start_child};
use crate::aggregates::run::kin::{ChildSays, EndedChild, ForParent, OfChild, Wants};
use crate::aggregates::run::{Raise, RunStatus, StartRun};
use crate::events::ids::TimerId;
use crate::events::run::RunStarted;
use crate::workflow::work::{AgentRequest, Child, ToolCall};

/// Makes the command again that was recorded: see [`crate::kernel::Aggregate::recall`].
pub(in crate::aggregates::run) fn recall(from: &Source<'_>) -> Result<Ask, NotRecalled> {
    let form = from.form()?;
    let name = &*from.decision.command.name;
    if !RECORDS.contains(&(name, form.schema)) {
        return Err(NotRecalled::Unknown { name: name.to_owned(), schema: form.schema });
    }
    let by = || from.decision.by.clone().ok_or_else(|| from.broken("it does not say who asked"));
    let order = |reason: Option<Payload>| {
        Ok::<_, NotRecalled>(Order {
            by: by()?,
            reason: reason.map(|reason| text(&reason, from)).transpose()?,
        })
    };
    Ok(match name {
        "start" => Ask::Start(Box::new(start(&read(from)?, from)?)),
        "attempt_completed" => results::recall_completed(form.schema, from)?,
        "attempt_failed" => results::recall_failed(form.schema, from)?,
        "timer_due" => Ask::Due { timer: read::<TimerId>(from)? },
        "recover" => Ask::Recover { in_flight: read(from)? },
        "interrupt" => Ask::Interrupt,
        "go" => Ask::Go,
        "agent_paused" => Ask::AgentPaused { agent: read(from)? },
        "agent_free" => Ask::AgentFree { agent: read(from)? },
        "pause" => Ask::Pause(order(read::<Wish>(from)?.reason)?),
        "unpause" => Ask::Unpause(order(read::<Wish>(from)?.reason)?),
        "pause_after" => {
            let WishUntil { reason, until } = read(from)?;
            Ask::PauseAfter { order: order(reason)?, until }
        }
        "cancel" => {
            let Cancel { reason, rollback } = read(from)?;
            Ask::Cancel { order: order(reason)?, rollback }
        }
        "retry" => {
            let WishFor { reason, step } = read(from)?;
            Ask::Retry { order: order(reason)?, step }
        }
        "rollback" => {
            let WishFor { reason, step: to } = read(from)?;
            Ask::Rollback { order: order(reason)?, to }
        }
        "approve" => {
            let Approve { request, note, edits, hash } = read(from)?;
            let note = note.map(|note| text(&note, from)).transpose()?;
            let edits = edits.map(|edits| json_of(&edits, from)).transpose()?;
            Ask::Approve { request, by: by()?, note, edits, hash }
        }
        "reject" => {
            let Reject { request, reason } = read(from)?;
            Ask::Reject { request, by: by()?, reason: text(&reason, from)? }
        }
        "check" => {
            let Check { request, points } = read(from)?;
            Ask::Check { request, by: by()?, points }
        }
        "signal" => {
            let Signal { name, data } = read(from)?;
            let data = data.as_ref().or_else(|| told_signal(from.events));
            let data = data.ok_or_else(|| from.broken("no event says what the signal said"))?;
            Ask::Signal { name, data: from.blobs.json(data)?, by: by()? }
        }
        "resend" => Ask::Resend { number: read(from)?, by: by()? },
        "resolve" => {
            let Resolve { reason, step, how } = read(from)?;
            Ask::Resolve { by: by()?, reason: text(&reason, from)?, step, how }
        }
        "task_take" | "task_complete" | "task_fail" | "task_heartbeat" => tasks::recall(name, by()?, from)?,
        _ => return said_by_others(name, from),
    })
}

/// What the runs of a family say to each other, what shared contexts say, and what lets a run spend more.
fn said_by_others(name: &str, from: &Source<'_>) -> Result<Ask, NotRecalled> {
    Ok(match name {
        "for_parent" => Ask::ForParent(Box::new(for_parent(read(from)?, from)?)),
        "of_child" => Ask::OfChild(Box::new(of_child(read(from)?, from)?)),
        "no_child" => read(from).map(|NoChild { step, fence }| Ask::NoChild { step, fence })?,
        "parent_told" => Ask::ParentTold { version: read(from)? },
        "return_refused" => Ask::ReturnRefused { reason: text(&read::<ReturnRefused>(from)?.reason, from)? },
        "raise_budget" => Ask::RaiseBudget(Box::new(raise(from)?)),
        "say" | "message_handled" | "message_delivered" | "message_not_delivered" => {
            messages::recall(name, from)?
        }
        _ => Ask::OfShared(Box::new(shared::heard(name, from)?)),
    })
}

fn raise(from: &Source<'_>) -> Result<Raise, NotRecalled> {
    let RaiseBudget { limits, reason } = read(from)?;
    let by = from.decision.by.clone().ok_or_else(|| from.broken("it does not say who asked"))?;
    let reason = reason.map(|reason| text(&reason, from)).transpose()?;
    Ok(Raise { limits, by, reason })
}

fn for_parent(recorded: ForTheParent, from: &Source<'_>) -> Result<ForParent, NotRecalled> {
    let ForTheParent { parent, wants } = recorded;
    let wants = match wants {
        WantsOf::Done { start: recorded, told } => {
            Wants::Done { start: Box::new(start(&recorded, from)?), told }
        }
        WantsOf::Undone { told } => Wants::Undone { told },
        WantsOf::Cancelled { rollback } => Wants::Cancelled { rollback },
        WantsOf::Answered { granted } => Wants::Answered { granted },
    };
    Ok(ForParent { parent, wants })
}

fn of_child(recorded: OfTheChild, from: &Source<'_>) -> Result<OfChild, NotRecalled> {
    let OfTheChild { run, step, says } = recorded;
    let says = match says {
        SaysIt::Rests(version) => ChildSays::Rests(version),
        SaysIt::Goes(version) => ChildSays::Goes(version),
        SaysIt::AsksReturn => ChildSays::AsksReturn,
        SaysIt::Ended { seen, output, failure } => {
            let told = told(from.events).map(|(_, output, ..)| output);
            let output = output.as_ref().or(told);
            let output = output.ok_or_else(|| from.broken("no event says what the child answered"))?;
            let output = from.blobs.json(output)?;
            let failure =
                failure.map(|(class, message)| Ok::<_, NotRecalled>((class, text(&message, from)?)));
            let failure = failure.transpose()?;
            ChildSays::Ended(Box::new(EndedChild { seen: seen.recall(from)?, output, failure }))
        }
    };
    Ok(OfChild { run, step, says })
}

/// What a run began with, from its first event.
fn start(recorded: &Start, from: &Source<'_>) -> Result<StartRun, NotRecalled> {
    let began = from.events.iter().find_map(|event| match event {
        RunEvent::RunStarted(started) => Some(started),
        _ => None,
    });
    let began: Option<&RunStarted> = began.or_else(|| from.state.about().map(|about| &about.started));
    let began = began.ok_or_else(|| from.broken("no event says what it began with"))?;
    let children = began.children.iter().map(|child| start_child(child, from.blobs));
    let routed = from.events.iter().find_map(|event| match event {
        RunEvent::RequestRouted(routed) => Some(routed.routed()),
        _ => None,
    });
    let mut start = StartRun {
        definition: from.blobs.value(&began.definition.hash)?,
        definition_blob: blob(began.definition, from.blobs)?,
        input: from.blobs.json(&began.input)?,
        tags: began.tags.clone(),
        work_folder: Arc::clone(&began.work_folder),
        parent: began.parent.clone(),
        environment: began.environment.clone(),
        agents: agents(&began.agents, from.blobs)?,
        parallel: began.parallel,
        lost_limit: began.lost_limit,
        duration_limit: began.duration_limit_us.map(Duration::from_micros),
        until: began.until.clone(),
        children: children.collect::<Result<_, _>>()?,
        growth: began.growth,
        stuck: began.stuck.clone(),
        routed,
        bypasses_cache: from.events.iter().any(|event| matches!(event, RunEvent::CacheBypassed(_))),
        insists: Default::default(),
        drive: recorded.drive,
    };
    start.insists.parallel = recorded.insists_on_parallel;
    start.insists.duration_limit = recorded.insists_on_duration_limit;
    Ok(start)
}

impl Wanted {
    pub(super) fn recall(self, from: &Source<'_>) -> Result<AgentRequest, NotRecalled> {
        Ok(match self {
            Self::Send(message) => AgentRequest::Send(from.blobs.json(&message)?),
            Self::Context { key, value } => AgentRequest::Context { key, value: from.blobs.json(&value)? },
            Self::Handoff(whom) => AgentRequest::Handoff(whom),
            Self::Call { id, name, arguments } => {
                AgentRequest::Call(ToolCall { id, name, arguments: from.blobs.json(&arguments)? })
            }
        })
    }
}

impl ChildSeen {
    pub(super) fn recall(self, from: &Source<'_>) -> Result<Child, NotRecalled> {
        let Self { status, version, past_return, degraded } = self;
        let known = RunStatus::ALL.iter().find(|known| *known.text() == *status);
        let status = *known.ok_or_else(|| from.broken(format!("`{status}` is no status of a run")))?;
        Ok(Child { status, version, past_return, degraded })
    }
}
