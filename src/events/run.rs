//! The events of a run. Each says what may come before it and what it makes true; the fold is in
//! `workflow::evolve`. The names are a contract, and the bytes too: see [`super::codec`].

mod agents;
mod children;
mod control;
mod graph;
mod people;
mod saga;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{AgentName, Fence, RunId, StepId, TimerId};
use super::json::{BlobRef, Payload};
use super::problem::{Class, Code};
use super::time::Timestamp;

pub use agents::{AgentAwaitEnded, AgentAwaited};
pub use children::{
    ChildBinding, ChildEnded, ChildPastReturn, ChildRested, ChildStarted, ChildStirred, GrowthLimits,
    ParentTold, ReturnAnswered, ReturnAsked, TellingBegan,
};
pub use control::{CancelRequested, DrivingBegan, RetryRequested, RunCancelled, RunPaused, RunUnpaused};
pub use graph::{Because, Item, StepAdded, StepKind, Undo, UndoWhen};
pub use people::{
    ApprovalChecked, ApprovalExpired, ApprovalGranted, ApprovalRefused, ApprovalRequested, Gate,
    SignalAwaited, SignalReceived,
};
pub use saga::{
    CompensationFailed, CompensationResolved, CompensationStarted, Resolution, RollbackCause,
    RollbackStarted, RoundOrder, RunCompensated, RunStuck, StepCompensated, StuckWhy, Undoes,
};
pub use status::RunStatus;

/// First in a stream, in one commit with the [`StepAdded`]s of its definition. The run is `pending`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The workflow's name.
    pub workflow: String,
    /// The definition as it was validated, as JSON. Its hash tells whether two runs do the same.
    pub definition: BlobRef,
    /// What the run was given, defaults filled in.
    pub input: Payload,
    /// What people find it by.
    pub tags: BTreeMap<String, String>,
    /// The absolute folder that relative paths mean.
    pub work_folder: Arc<str>,
    /// The step that started it, if another run's did.
    pub parent: Option<Parent>,
    /// Values of the environment's allowed names when it started: `env.NAME` in expressions.
    pub environment: BTreeMap<String, String>,
    /// The agents that its steps name and that files or the configuration define.
    pub agents: Vec<AgentBinding>,
    /// How many attempts may run at once.
    pub parallel: u32,
    /// How many lost attempts end a step.
    pub lost_limit: u32,
    /// How long it may go on, without the time for which it waits for people.
    pub duration_limit_us: Option<u64>,
    /// The step or the phase after which it pauses.
    pub until: Option<Arc<str>>,
    /// The workflows that its steps start as runs of their own, and those that these start.
    pub children: Vec<ChildBinding>,
    /// How far its graph may grow.
    pub growth: GrowthLimits,
}

/// The step of another run that started this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The other run.
    pub run: RunId,
    /// Its step.
    pub step: StepId,
}

/// An agent as it was defined when the run started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentBinding {
    /// Its name.
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
    /// To undo it.
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

/// A step that was `pending` or whose retry was due is tried, with a slot of its agent: the step is `running`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptStarted {
    /// What for.
    pub purpose: Purpose,
    /// Of which step.
    pub step: StepId,
    /// The how-many-eth try at the step, from 1; it never starts anew.
    pub attempt: u32,
    /// How often the step was to be done anew after being compensated, from 1.
    pub generation: u32,
    /// Who does it.
    pub agent: AgentName,
    /// Whose result counts.
    pub fence: Fence,
    /// The same for all tries of a generation: `hash(run, step, generation, purpose)` in hexadecimal.
    pub idempotency_key: Arc<str>,
    /// When it has timed out.
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
    /// It was stopped, or nobody heard of it again.
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
    /// Both together.
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

/// An open attempt ended without success. What becomes of the step is said by what follows in the same commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptFailed {
    /// What it was for.
    pub purpose: Purpose,
    /// Of which step.
    pub step: StepId,
    /// Which.
    pub attempt: u32,
    /// What the failure asks for.
    pub class: Class,
    /// Its code.
    pub code: Code,
    /// What went wrong.
    pub message: String,
    /// Whether it is known what the attempt did.
    pub outcome: Outcome,
    /// What it used up.
    pub usage: Usage,
    /// What was said meanwhile: a `workflow::work::Transcript` as JSON, if there is anything to tell.
    pub transcript: Option<Payload>,
}

/// The process that held an open attempt is gone. The step is `pending` again, or what follows ends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptLost {
    /// What it was for.
    pub purpose: Purpose,
    /// Of which step.
    pub step: StepId,
    /// Which.
    pub attempt: u32,
    /// Whether that process ended in order, so that the step cannot be what ended it.
    pub interrupted: bool,
}

/// After a failed attempt: the step is `retrying` until the timer fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryScheduled {
    /// What will be tried again.
    pub purpose: Purpose,
    /// Of which step.
    pub step: StepId,
    /// When.
    pub at: Timestamp,
    /// The timer that fires then.
    pub timer: TimerId,
}

/// The step's open attempt succeeded, or the step needed none: it is `completed`, and done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCompleted {
    /// The step.
    pub step: StepId,
    /// The attempt that did it; 0 where none was needed.
    pub attempt: u32,
    /// What it answered.
    pub output: Payload,
    /// The files that it names as made.
    pub artifacts: Vec<String>,
    /// What the attempt used up.
    pub usage: Usage,
    /// Whether an earlier output was used instead of an attempt.
    pub cached: bool,
    /// Whether it was done in a lesser way.
    pub degraded: bool,
    /// What was said meanwhile: a `workflow::work::Transcript` as JSON, if there is anything to tell.
    pub transcript: Option<Payload>,
}

/// A pending step is not to be done: it is `skipped`, and done with output null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSkipped {
    /// The step.
    pub step: StepId,
    /// Why not.
    pub reason: SkipReason,
    /// The same for a person.
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
    /// The step.
    pub step: StepId,
    /// What the failure asks for.
    pub class: Class,
    /// Its code.
    pub code: Code,
    /// What went wrong.
    pub message: String,
    /// What follows from it.
    pub handling: Handling,
}

/// A step that was open when the run had to end: it is `cancelled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCancelled {
    /// The step.
    pub step: StepId,
}

/// A step begins to sleep: it is `waiting` until the timer fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerSet {
    /// The timer.
    pub timer: TimerId,
    /// Whose.
    pub step: StepId,
    /// When it fires, at the earliest.
    pub at: Timestamp,
}

/// An open timer's moment has come. A step whose retry it was is `pending`; one that slept completes in this commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerFired {
    /// The timer.
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
    /// Its code.
    pub code: Code,
    /// What went wrong.
    pub message: String,
}

/// A step failed, was not tolerated, and all that ran has ended: the run is `failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFailed {
    /// The first step that failed; none when the run itself did.
    pub step: Option<StepId>,
    /// What the failure asks for.
    pub class: Class,
    /// Its code.
    pub code: Code,
    /// What went wrong.
    pub message: String,
}

/// After an attempt of its agent failed for good: the step is `pending` again, and another agent does it from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FallbackEngaged {
    /// The step.
    pub step: StepId,
    /// Who failed.
    pub from: AgentName,
    /// Who does it.
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
    ApprovalRefused, ApprovalExpired, SignalAwaited, SignalReceived, ChildStarted, ChildRested, ChildStirred, ChildEnded, ReturnAsked, ReturnAnswered, ChildPastReturn, TellingBegan, ParentTold, DrivingBegan, AgentAwaited, AgentAwaitEnded, RunPaused,
    RunUnpaused, CancelRequested, RetryRequested,
    RollbackStarted, CompensationStarted, StepCompensated, CompensationFailed, CompensationResolved, RunCompleted,
    RunFailed, RunCompensated, RunCancelled, RunStuck,
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
            Self::AttemptStarted(started) => [Some(&started.input), None],
            Self::AttemptFailed(failed) => [failed.transcript.as_ref(), None],
            Self::StepCompleted(completed) => [Some(&completed.output), completed.transcript.as_ref()],
            Self::StepCompensated(compensated) => {
                [Some(&compensated.output), compensated.transcript.as_ref()]
            }
            Self::ApprovalRequested(requested) => [Some(&requested.what), None],
            Self::ApprovalGranted(granted) => [granted.edits.as_ref(), granted.output.as_ref()],
            Self::SignalReceived(received) => [Some(&received.data), None],
            Self::RunCompleted(completed) => [Some(&completed.output), None],
            _ => [None, None],
        };
        payloads.into_iter().flatten().filter_map(Payload::blob).collect()
    }
}
