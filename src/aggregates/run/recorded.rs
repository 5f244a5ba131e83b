//! Commands as they are recorded: what they said that neither their events say nor who asked. The shapes never change: a
//! new one gets the next schema number under its command's name, and its own file in `tests/golden`.

//!
//! - `record`: a command that was decided; `recall`: the same command again; `results`: both, of what came of attempts; `shared`: both, of what contexts say; `conversations`: both, of what those say; `messages`: both, of
//!   what agents say; `tasks`: both, of what is wanted of tasks

mod conversations;
mod messages;
mod recall;
mod record;
mod results;
mod shared;
mod tasks;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(super) use self::recall::recall;
pub(super) use self::record::record;
use super::{Ask, Order, Run};
use crate::events::codec;
use crate::events::ids::{Fence, RunId, StepId, Version};
use crate::events::json::{Json, Payload};
use crate::events::problem::{Class, Code};
use crate::events::run::{Outcome, Parent, Resolution, RunEvent, SpendLimits, Usage};
use crate::kernel::{NotRecalled, Recalling, Recording};
use crate::workflow::work::{AgentRequest, ToolCall};

/// The schema number under which commands are recorded, but for those of [`results`].
const SCHEMA: u16 = 1;

/// Every (command, schema) that this build recalls.
pub const RECORDS: &[(&str, u16)] = &[
    ("start", 1),
    ("attempt_completed", 1),
    ("attempt_completed", 2),
    ("attempt_failed", 1),
    ("attempt_failed", 2),
    ("timer_due", 1),
    ("recover", 1),
    ("interrupt", 1),
    ("go", 1),
    ("agent_paused", 1),
    ("agent_free", 1),
    ("pause", 1),
    ("unpause", 1),
    ("pause_after", 1),
    ("cancel", 1),
    ("retry", 1),
    ("rollback", 1),
    ("approve", 1),
    ("reject", 1),
    ("check", 1),
    ("signal", 1),
    ("resend", 1),
    ("resolve", 1),
    ("raise_budget", 1),
    ("for_parent", 1),
    ("of_child", 1),
    ("no_child", 1),
    ("parent_told", 1),
    ("return_refused", 1),
    ("context_read", 1),
    ("context_not_read", 1),
    ("of_lock", 1),
    ("lock_refused", 1),
    ("lock_given_back", 1),
    ("context_answered", 1),
    ("conversation_heard", 1),
    ("conversation_not_heard", 1),
    ("conversation_answered", 1),
    ("cache_looked_up", 1),
    ("cache_not_looked_up", 1),
    ("say", 1),
    ("message_handled", 1),
    ("message_delivered", 1),
    ("message_not_delivered", 1),
    ("task_take", 1),
    ("task_complete", 1),
    ("task_fail", 1),
    ("task_heartbeat", 1),
];

/// All else that a run begins with is said by its first event, be it of this decision or older: a run that is started again
/// with something else refuses.
#[derive(Serialize, Deserialize)]
struct Start {
    insists_on_parallel: bool,
    insists_on_duration_limit: bool,
    drive: bool,
}

#[derive(Serialize, Deserialize)]
struct Completed {
    fence: Fence,
    child: Option<ChildSeen>,
    /// None if the first event that says that a step completed, or was compensated, says all the rest.
    answer: Option<Produced>,
}

#[derive(Serialize, Deserialize)]
struct Produced {
    step: StepId,
    output: Payload,
    artifacts: Vec<String>,
    usage: Usage,
    requests: Vec<Wanted>,
    transcript: Option<Payload>,
}

#[derive(Serialize, Deserialize)]
enum Wanted {
    Send(Payload),
    Context { key: String, value: Payload },
    Handoff(String),
    Call { id: String, name: String, arguments: Payload },
}

#[derive(Serialize, Deserialize)]
struct Failed {
    fence: Fence,
    child: Option<ChildSeen>,
    exit_code: Option<i32>,
    /// As it was reported, which a policy may judge otherwise.
    class: Class,
    /// None if the first event that says that an attempt failed says all the rest.
    why: Option<Why>,
}

#[derive(Serialize, Deserialize)]
struct Why {
    step: StepId,
    code: Code,
    message: Payload,
    outcome: Outcome,
    usage: Usage,
    transcript: Option<Payload>,
}

#[derive(Serialize, Deserialize)]
struct ChildSeen {
    status: Arc<str>,
    version: Version,
    past_return: bool,
    degraded: bool,
}

/// What people want, but for who wants it.
#[derive(Serialize, Deserialize)]
struct Wish {
    reason: Option<Payload>,
}

#[derive(Serialize, Deserialize)]
struct Cancel {
    reason: Option<Payload>,
    rollback: bool,
}

/// Of `retry` what is tried again, of `rollback` what is kept.
#[derive(Serialize, Deserialize)]
struct WishUntil {
    reason: Option<Payload>,
    until: Arc<str>,
}

#[derive(Serialize, Deserialize)]
struct WishFor {
    reason: Option<Payload>,
    step: Option<Arc<str>>,
}

#[derive(Serialize, Deserialize)]
struct Approve {
    request: String,
    note: Option<Payload>,
    edits: Option<Payload>,
    hash: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Reject {
    request: String,
    reason: Payload,
}

#[derive(Serialize, Deserialize)]
struct Check {
    request: String,
    points: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
struct Signal {
    name: Arc<str>,
    /// None if the first event that says that a signal came says it.
    data: Option<Payload>,
}

#[derive(Serialize, Deserialize)]
struct Resolve {
    reason: Payload,
    step: StepId,
    how: Resolution,
}

#[derive(Serialize, Deserialize)]
struct RaiseBudget {
    limits: SpendLimits,
    reason: Option<Payload>,
}

#[derive(Serialize, Deserialize)]
struct ForTheParent {
    parent: Parent,
    wants: WantsOf,
}

#[derive(Serialize, Deserialize)]
enum WantsOf {
    Done { start: Start, told: Option<Version> },
    Undone { told: Option<Version> },
    Cancelled { rollback: bool },
    Answered { granted: bool },
}

#[derive(Serialize, Deserialize)]
struct OfTheChild {
    run: RunId,
    step: StepId,
    says: SaysIt,
}

#[derive(Serialize, Deserialize)]
enum SaysIt {
    Rests(Version),
    Goes(Version),
    Ended {
        seen: ChildSeen,
        /// None if the first event that says that a step completed says it.
        output: Option<Payload>,
        failure: Option<(Class, Payload)>,
    },
    AsksReturn,
}

#[derive(Serialize, Deserialize)]
struct NoChild {
    step: StepId,
    fence: Fence,
}

#[derive(Serialize, Deserialize)]
struct ReturnRefused {
    reason: Payload,
}

type Source<'a> = Recalling<'a, Run>;

fn read<T: for<'a> Deserialize<'a>>(from: &Source<'_>) -> Result<T, NotRecalled> {
    codec::from_bytes(&from.form()?.payload).map_err(|error| from.broken(error))
}

fn json_of<T: for<'a> Deserialize<'a>>(payload: &Payload, from: &Source<'_>) -> Result<T, NotRecalled> {
    let json = from.blobs.json(payload)?;
    serde_json::from_str(json.text()).map_err(|error| from.broken(error))
}

fn text(payload: &Payload, from: &Source<'_>) -> Result<String, NotRecalled> {
    json_of(payload, from)
}

/// The name of the person or program that asks; none of what drives the run, and of other runs.
pub(super) fn asked_by(ask: &Ask) -> Option<Arc<str>> {
    match ask {
        Ask::Pause(Order { by, .. })
        | Ask::Unpause(Order { by, .. })
        | Ask::PauseAfter { order: Order { by, .. }, .. }
        | Ask::Cancel { order: Order { by, .. }, .. }
        | Ask::Retry { order: Order { by, .. }, .. }
        | Ask::Rollback { order: Order { by, .. }, .. }
        | Ask::Approve { by, .. }
        | Ask::Reject { by, .. }
        | Ask::Check { by, .. }
        | Ask::Signal { by, .. }
        | Ask::Resend { by, .. }
        | Ask::Resolve { by, .. } => Some(Arc::clone(by)),
        Ask::OfTask(asked) => Some(Arc::clone(&asked.by)),
        Ask::RaiseBudget(raise) => Some(Arc::clone(&raise.by)),
        Ask::Start(_)
        | Ask::Completed { .. }
        | Ask::Failed { .. }
        | Ask::Due { .. }
        | Ask::Recover { .. }
        | Ask::Interrupt
        | Ask::Go
        | Ask::AgentPaused { .. }
        | Ask::AgentFree { .. }
        | Ask::ForParent(_)
        | Ask::OfChild(_)
        | Ask::NoChild { .. }
        | Ask::ParentTold { .. }
        | Ask::ReturnRefused { .. }
        | Ask::OfShared(_)
        | Ask::Say { .. }
        | Ask::Handled { .. }
        | Ask::Delivered { .. }
        | Ask::NotDelivered { .. } => None,
    }
}

/// What an event says of the result of an attempt: the step, its output, its files, what it used up, what was said.
type Told<'a> = (&'a StepId, &'a Payload, &'a [String], Usage, Option<&'a Payload>);

fn told(events: &[RunEvent]) -> Option<Told<'_>> {
    events.iter().find_map(|event| match event {
        RunEvent::StepCompleted(told) => {
            Some((&told.step, &told.output, &*told.artifacts, told.usage, told.transcript.as_ref()))
        }
        RunEvent::StepCompensated(told) => {
            Some((&told.step, &told.output, &[][..], told.usage, told.transcript.as_ref()))
        }
        _ => None,
    })
}

fn told_signal(events: &[RunEvent]) -> Option<&Payload> {
    events.iter().find_map(|event| match event {
        RunEvent::SignalReceived(received) => Some(&received.data),
        _ => None,
    })
}

fn words(text: &str, to: &mut Recording<'_, '_, Run>) -> Payload {
    // Every text has a JSON form.
    to.payload(Json::of(text).unwrap_or_default())
}

fn wanted(request: AgentRequest, to: &mut Recording<'_, '_, Run>) -> Wanted {
    match request {
        AgentRequest::Send(message) => Wanted::Send(to.payload(message)),
        AgentRequest::Context { key, value } => Wanted::Context { key, value: to.payload(value) },
        AgentRequest::Handoff(whom) => Wanted::Handoff(whom),
        AgentRequest::Call(ToolCall { id, name, arguments }) => {
            Wanted::Call { id, name, arguments: to.payload(arguments) }
        }
    }
}
