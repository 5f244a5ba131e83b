//! The events of a run. Each says what may come before it and what it makes true; the fold is in
//! `aggregates::run`. The names are a contract, and the bytes too: see [`super::codec`].

mod agents;
mod budget;
mod cache;
mod children;
mod context;
mod control;
mod conversations;
mod graph;
mod handoff;
mod messages;
mod models;
mod people;
mod routing;
mod saga;
mod shared;
mod status;
mod stuck;
mod tasks;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{AgentName, Fence, RunId, StepId, TimerId};
use super::json::{BlobRef, Payload};
use super::problem::{Class, Code};
use super::time::Timestamp;

pub use agents::{AgentAwaitEnded, AgentAwaited};
pub use budget::{
    BudgetExhausted, BudgetRaised, BudgetReserved, BudgetSet, BudgetSettled, OnLimit, Spend, SpendKind,
    SpendLimits,
};
pub use cache::{AnswerKept, AnswerSource, CacheAwaited, CacheBypassed, CacheHit, CacheMissed};
pub use children::{
    ChildBinding, ChildEnded, ChildPastReturn, ChildRested, ChildStarted, ChildStirred, GrowthLimits,
    ParentTold, ReturnAnswered, ReturnAsked, TellingBegan,
};
pub use context::ContextChanged;
pub use control::{
    CancelRequested, DrivingBegan, PausePlanned, RetryRequested, RunCancelled, RunPaused, RunUnpaused,
};
pub use conversations::{
    ConversationAwaited, ConversationContinued, ConversationRead, TurnToAdd, TurnsToAdd,
};
pub use graph::{Because, Item, StepAdded, StepKind, Undo, UndoWhen};
pub use handoff::HandoffDeclared;
pub use messages::{
    Address, DeliveryFailed, DeliveryLost, DeliveryStarted, EVERYONE, ExpiredWhy, MessageExpired,
    MessageGiven, MessageHandled, MessageKind, MessageSent, Priority, TOPIC_PREFIX,
};
pub use models::{ModelCalled, Tokens};
pub use people::{
    ApprovalChecked, ApprovalExpired, ApprovalGranted, ApprovalRefused, ApprovalRequested, Gate,
    SignalAwaited, SignalReceived,
};
pub use routing::{Category, Domain, RequestRouted, Routed, RoutedAgent, Share, Strategy};
pub use saga::{
    CompensationFailed, CompensationResolved, CompensationStarted, Resolution, RollbackCause,
    RollbackStarted, RoundOrder, RunCompensated, RunStuck, StepCompensated, StuckWhy, Undoes,
};
pub use shared::{
    AttemptAnswered, ContextAwaited, ContextRead, ContextWritten, LockAcquired, LockGivenBack, LockRequested,
    PreparationWithdrawn, SharedKey, SharedWrite,
};
pub use status::RunStatus;
pub use stuck::{AnswerNoted, Escalated, RepairAsked, StuckLimits, StuckOn};
pub use tasks::{TaskLapsed, TaskOffered, TaskProgressed, TaskTaken};

/// First in a stream, in one commit with the [`StepAdded`]s of its definition. The run is `pending`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The name of the workflow.
    pub workflow: String,
    /// The definition as it was validated, as JSON: what the run does, and where that stands.
    pub definition: BlobRef,
    /// What the run was given, defaults filled in.
    pub input: Payload,
    /// Names and values by which people find the run.
    pub tags: BTreeMap<String, String>,
    /// The absolute folder that relative paths mean.
    pub work_folder: Arc<str>,
    /// The step that started the run; none if no run did.
    pub parent: Option<Parent>,
    /// Values of the environment's allowed names when it started: `env.NAME` in expressions.
    pub environment: BTreeMap<String, String>,
    /// The agents that its steps name and that files or the configuration define.
    pub agents: Vec<AgentBinding>,
    /// How many attempts may run at once.
    pub parallel: u32,
    /// How many lost attempts end a step.
    pub lost_limit: u32,
    /// How long it may go on, in µs, not counting the time for which it waits for people; none for no limit.
    pub duration_limit_us: Option<u64>,
    /// The step or the phase after which it pauses.
    pub until: Option<Arc<str>>,
    /// The workflows that its steps start as runs of their own, and those that these start.
    pub children: Vec<ChildBinding>,
    /// How far its graph may grow.
    pub growth: GrowthLimits,
    /// When an agent of it is stuck, and who is asked then.
    pub stuck: StuckLimits,
    /// The agents of these whose attempts no process makes: they are tasks, for whoever takes them.
    pub external: Vec<AgentName>,
}

/// The step of another run that started this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The id of the other run.
    pub run: RunId,
    /// The step's id in that run.
    pub step: StepId,
}

/// An agent as it was defined when the run started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentBinding {
    /// The agent's name, as the steps name it.
    pub name: AgentName,
    /// Its definition, as JSON.
    pub definition: BlobRef,
}

/// What an attempt is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// To do the step.
    Do,
    /// To undo what the step did.
    Compensate,
}

impl Purpose {
    /// As programs are told: `do` or `compensate`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Do => "do",
            Self::Compensate => "compensate",
        }
    }
}

/// A step that was `pending` or whose retry was due is tried, with a slot of its agent:
/// the step is `running`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptStarted {
    /// What the attempt is for.
    pub purpose: Purpose,
    /// The step that is tried.
    pub step: StepId,
    /// The number of this try at the step for that purpose, from 1; it goes on
    /// counting through all generations.
    pub attempt: u32,
    /// How often the step was to be done anew after being undone, from 1.
    pub generation: u32,
    /// The agent that does it.
    pub agent: AgentName,
    /// The number of the attempt in its run: only a result that names the step's newest fence counts.
    pub fence: Fence,
    /// The same for all tries of a generation: `hash(run, step, generation, purpose)` in hexadecimal.
    pub idempotency_key: Arc<str>,
    /// When the attempt times out; none for no limit.
    pub deadline: Option<Timestamp>,
    /// What the agent gets, rendered: a `workflow::work::Work` as JSON.
    pub input: Payload,
}

/// Whether it is known what an attempt did to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It ended by itself and said how.
    Known,
    /// It was stopped, or nothing more was heard of it.
    Unknown,
}

/// What an attempt used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Calls of a model.
    pub calls: u64,
    /// Tokens that went in.
    pub input_tokens: u64,
    /// Tokens that came out.
    pub output_tokens: u64,
    /// Money, in billionths of a US dollar.
    pub usd_nanos: u64,
}

impl Usage {
    /// The sum of both; a count that would overflow stays at its largest value.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            usd_nanos: self.usd_nanos.saturating_add(other.usd_nanos),
        }
    }
}

/// An open attempt ended without success. What becomes of the step is said by what follows
/// in the same commit: where it has `answered` something, the step is not tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptFailed {
    /// What it was for.
    pub purpose: Purpose,
    /// The step that was tried.
    pub step: StepId,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// What the failure asks for.
    pub class: Class,
    /// The stable code of the failure.
    pub code: Code,
    /// What went wrong, for a person.
    pub message: String,
    /// Whether it is known what the attempt did.
    pub outcome: Outcome,
    /// What it used up.
    pub usage: Usage,
    /// What was said meanwhile: a `workflow::work::Transcript` as JSON, if there is anything to tell.
    pub transcript: Option<Payload>,
    /// What it answered, where it did its work and only the step's `output` could not be made of that: the work is done,
    /// and undone as such.
    pub answered: Option<Payload>,
}

/// The process that held an open attempt is gone. The step is `pending` again, or what follows ends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptLost {
    /// What it was for.
    pub purpose: Purpose,
    /// The step whose attempt was lost.
    pub step: StepId,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// Whether that process ended in order, so that the step cannot be what ended it.
    pub interrupted: bool,
}

/// After a failed attempt: the step is `retrying` until the timer fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryScheduled {
    /// What will be tried again.
    pub purpose: Purpose,
    /// The step that is tried again.
    pub step: StepId,
    /// When the next attempt may start, at the earliest.
    pub at: Timestamp,
    /// The timer that fires at that moment.
    pub timer: TimerId,
}

/// The step's open attempt succeeded, or the step needed none: it is `completed`, and done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCompleted {
    /// The step that completed.
    pub step: StepId,
    /// The attempt that did it; 0 where none was needed.
    pub attempt: u32,
    /// What the step answered, as JSON.
    pub output: Payload,
    /// The files that it names as made.
    pub artifacts: Vec<String>,
    /// What the attempt used up.
    pub usage: Usage,
    /// Whether an earlier output was used instead of an attempt.
    pub cached: bool,
    /// Whether it was done in a lesser way, as by a fallback.
    pub degraded: bool,
    /// What was said meanwhile: a `workflow::work::Transcript` as JSON, if there is anything to tell.
    pub transcript: Option<Payload>,
    /// What its agent says of the work, if it says anything.
    pub said: Option<Said>,
}

/// What an agent says of its work, in its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// What was done, in short.
    pub summary: Option<Arc<str>>,
    /// What was counted: an object of numbers, texts and truth values, by name.
    pub metrics: Option<Payload>,
}

/// A pending step is not to be done: it is `skipped`, and done with output null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSkipped {
    /// The step that is skipped.
    pub step: StepId,
    /// Why it is not done.
    pub reason: SkipReason,
    /// The same in a sentence for a person.
    pub message: String,
}

/// Why a step is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Its `if` is not true.
    Condition,
    /// It uses the output of a step that has none.
    Dependency,
    /// It failed and may be left out.
    Failure,
}

/// What a step's failure does to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handling {
    /// The step counts as done with output null; the run goes on, degraded.
    Tolerated,
    /// Nothing new starts; what runs ends by itself.
    Fails,
    /// Nothing new starts; what runs is cancelled.
    FailsFast,
}

/// A step failed for good: it is `failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepFailed {
    /// The step that failed.
    pub step: StepId,
    /// What the failure asks for.
    pub class: Class,
    /// The stable code of the failure.
    pub code: Code,
    /// What went wrong, for a person.
    pub message: String,
    /// What the failure does to the run.
    pub handling: Handling,
}

/// A step that was open when the run had to end: it is `cancelled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCancelled {
    /// The step that is cancelled.
    pub step: StepId,
}

/// A step begins to sleep: it is `waiting` until the timer fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerSet {
    /// The timer that was set.
    pub timer: TimerId,
    /// The step that sleeps.
    pub step: StepId,
    /// When it fires, at the earliest.
    pub at: Timestamp,
}

/// An open timer's moment has come. A step that waited to be tried again is `pending`; one that slept
/// completes in this commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerFired {
    /// The timer that fired.
    pub timer: TimerId,
}

/// All steps are done with: the run is `completed`. Nothing follows but a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCompleted {
    /// The workflow's `output`, rendered; null if that failed.
    pub output: Payload,
    /// Whether something was done in a lesser way or left out other than by its `if`.
    pub degraded: bool,
    /// Why the output could not be rendered.
    pub error: Option<OutputError>,
}

/// Why a run's output could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputError {
    /// What the failure asks for.
    pub class: Class,
    /// The stable code of the failure.
    pub code: Code,
    /// What went wrong, for a person.
    pub message: String,
}

/// A step failed, was not tolerated, and all that ran has ended: the run is `failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFailed {
    /// The first step that failed; none when the run itself did.
    pub step: Option<StepId>,
    /// What the failure asks for.
    pub class: Class,
    /// The stable code of the failure.
    pub code: Code,
    /// What went wrong, for a person.
    pub message: String,
}

/// An attempt of the step's agent failed for good: the step is `pending` again, and another agent does
/// it from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FallbackEngaged {
    /// The step that changes its agent.
    pub step: StepId,
    /// The agent that failed.
    pub from: AgentName,
    /// The agent that does the step from here on.
    pub to: AgentName,
}

macro_rules! run_events {
    ($($name:ident),* $(,)?) => {
        /// Something that happened to a run.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum RunEvent { $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)* }

        $(impl From<$name> for RunEvent {
            fn from(event: $name) -> Self {
                Self::$name(event)
            }
        })*
    };
}

run_events! {
    RunStarted, StepAdded, AttemptStarted, AttemptFailed, AttemptLost, RetryScheduled, FallbackEngaged, StepCompleted,
    StepSkipped, StepFailed, StepCancelled, TimerSet, TimerFired, ApprovalRequested, ApprovalChecked, ApprovalGranted,
    ApprovalRefused, ApprovalExpired, SignalAwaited, SignalReceived, ChildStarted, ChildRested, ChildStirred, ChildEnded, ReturnAsked, ReturnAnswered, ChildPastReturn, TellingBegan, ParentTold, DrivingBegan, AgentAwaited, AgentAwaitEnded, ContextChanged, ContextAwaited,
    ContextRead, LockRequested, LockAcquired, LockGivenBack, PreparationWithdrawn, AttemptAnswered, ContextWritten, ConversationAwaited, ConversationRead, ConversationContinued, HandoffDeclared, AnswerNoted, Escalated, RepairAsked, RequestRouted, BudgetSet, BudgetReserved, BudgetSettled, BudgetExhausted, BudgetRaised, TaskOffered, TaskTaken, TaskProgressed, TaskLapsed, MessageSent, ModelCalled,
    MessageGiven, MessageHandled, MessageExpired, DeliveryStarted, DeliveryFailed, DeliveryLost, RunPaused, RunUnpaused, PausePlanned, CancelRequested, RetryRequested,
    RollbackStarted, CompensationStarted, StepCompensated, CompensationFailed, CompensationResolved, RunCompleted,
    RunFailed, RunCompensated, RunCancelled, RunStuck, CacheBypassed, CacheAwaited, CacheHit, CacheMissed, AnswerKept,
}

impl RunEvent {
    /// The blobs that the event refers to: an event without them could not be read whole.
    pub fn blobs(&self) -> Vec<BlobRef> {
        let payloads: [Option<&Payload>; 2] = match self {
            Self::RunStarted(started) => {
                let agents =
                    started.agents.iter().chain(started.children.iter().flat_map(|child| &child.agents));
                let definitions = started.children.iter().map(|child| child.definition);
                return std::iter::once(started.definition)
                    .chain(started.input.blob())
                    .chain(agents.map(|agent| agent.definition))
                    .chain(definitions)
                    .collect();
            }
            Self::StepAdded(added) => {
                let item = added.item.as_ref().and_then(|item| item.value.blob());
                return item.into_iter().chain(added.planned).collect();
            }
            Self::RequestRouted(routed) => [Some(&routed.query), None],
            Self::AttemptStarted(started) => [Some(&started.input), None],
            Self::AttemptFailed(failed) => [failed.transcript.as_ref(), failed.answered.as_ref()],
            Self::StepCompleted(completed) => [Some(&completed.output), completed.transcript.as_ref()],
            Self::StepCompensated(compensated) => {
                [Some(&compensated.output), compensated.transcript.as_ref()]
            }
            Self::ApprovalRequested(requested) => [Some(&requested.what), None],
            Self::ApprovalGranted(granted) => [granted.edits.as_ref(), granted.output.as_ref()],
            Self::SignalReceived(received) => [Some(&received.data), None],
            Self::ContextChanged(changed) => [Some(&changed.value), None],
            Self::ContextRead(read) => [Some(&read.value), None],
            Self::AnswerKept(kept) => [Some(&kept.answer), None],
            Self::AttemptAnswered(answered) => return answered.blobs(),
            Self::ConversationRead(read) => return read.blobs(),
            Self::ModelCalled(called) => return called.blobs(),
            Self::HandoffDeclared(declared) => [Some(&declared.context), None],
            Self::RepairAsked(asked) => [Some(&asked.answered), None],
            Self::MessageSent(sent) => [Some(&sent.body), None],
            Self::RunCompleted(completed) => [Some(&completed.output), None],
            _ => [None, None],
        };
        payloads.into_iter().flatten().filter_map(Payload::blob).collect()
    }
}
