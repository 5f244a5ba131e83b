//! The events of a run. Each says what may come before it and what it makes true; the fold is in
//! `workflow::evolve`. The names are a contract, and the bytes too: see [`super::codec`].

mod control;
mod saga;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{AgentName, Fence, RunId, StepId, TimerId};
use super::json::{BlobRef, Payload};
use super::problem::{Class, Code};
use super::time::Timestamp;

pub use control::{CancelRequested, RetryRequested, RunCancelled, RunPaused, RunUnpaused};
pub use saga::{
    CompensationFailed, CompensationResolved, CompensationStarted, Resolution, RollbackCause,
    RollbackStarted, RunCompensated, RunStuck, StepCompensated, StuckWhy, Undoes,
};

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
    /// The step after which it pauses.
    pub until: Option<StepId>,
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

/// The graph grows by a step, which is then `pending`. What it needs and what it is inside of was added before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAdded {
    /// The new step.
    pub step: StepId,
    /// Why it is there.
    pub because: Because,
    /// The step of the definition that says what it does.
    pub template: StepId,
    /// What becomes of it when it starts.
    pub kind: StepKind,
    /// The step that it grew in.
    pub inside: Option<StepId>,
    /// What must be done with before it starts.
    pub needs: Vec<StepId>,
    /// The item that it does, in a fan-out.
    pub item: Option<Item>,
    /// How it can be undone, if it can.
    pub undo: Option<Undo>,
    /// Whether, once it has started, nothing of the run may be undone any more.
    pub irreversible: bool,
}

/// How a step can be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Who undoes it.
    pub agent: AgentName,
    /// When that is owed.
    pub when: UndoWhen,
}

/// When a step's compensation is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UndoWhen {
    /// When the step completed, or nobody knows whether it did.
    #[default]
    Completed,
    /// Also when it failed.
    Attempted,
}

/// What becomes of a step when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// An agent does it.
    Work {
        /// Who.
        agent: AgentName,
    },
    /// It waits for a timer.
    Sleep,
    /// It grows a step for each item of a list.
    FanOut {
        /// Who does those steps, if an agent does.
        agent: Option<AgentName>,
        /// How many of them may be on their way at once.
        max_parallel: Option<u32>,
    },
}

/// Why a step is in the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// The definition has it.
    Definition,
    /// A planner thought of it.
    Plan,
    /// A fan-out has an item for it.
    ForEach,
    /// A loop goes round.
    Repeat,
    /// An agent handed over.
    Handoff,
    /// An agent called a tool.
    Tool,
    /// A workflow written in Rust reached it.
    Code,
}

/// One item of a fan-out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its place in the list, from 0.
    pub index: u32,
    /// The item itself.
    pub value: Payload,
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
    RunStarted, StepAdded, AttemptStarted, AttemptFailed, AttemptLost, RetryScheduled, StepCompleted, StepSkipped,
    StepFailed, StepCancelled, TimerSet, TimerFired, RunPaused, RunUnpaused, CancelRequested, RetryRequested,
    RollbackStarted, CompensationStarted, StepCompensated, CompensationFailed, CompensationResolved, RunCompleted,
    RunFailed, RunCompensated, RunCancelled, RunStuck,
}

impl RunEvent {
    /// The blobs that the event refers to: an event without them could not be read whole.
    pub fn blobs(&self) -> Vec<BlobRef> {
        match self {
            Self::RunStarted(started) => std::iter::once(started.definition)
                .chain(started.input.blob())
                .chain(started.agents.iter().map(|agent| agent.definition))
                .collect(),
            Self::StepAdded(added) => added.item.iter().filter_map(|item| item.value.blob()).collect(),
            Self::AttemptStarted(started) => started.input.blob().into_iter().collect(),
            Self::StepCompleted(completed) => completed.output.blob().into_iter().collect(),
            Self::RunCompleted(completed) => completed.output.blob().into_iter().collect(),
            Self::StepCompensated(compensated) => compensated.output.blob().into_iter().collect(),
            _ => Vec::new(),
        }
    }
}
