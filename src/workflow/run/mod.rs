//! A run: a graph of steps that grows, as the fold of its events.
//!
//! - [`command`]: what may be asked, what it wants done, why it refuses
//! - `evolve`: the fold, one total match
//! - `decide`: what would happen, command by command
//! - `advance`: what starts and what ends of itself, after any command

mod advance;
pub mod command;
mod decide;
mod evolve;
mod snapshot;
mod startable;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use command::{Ask, Grants, RunCommand, RunEffect, RunEffectId, RunRejection, StartRun};

use super::aggregate::{Aggregate, At, Draft, EffectChanges, IllegalEvent, Moment};
use crate::events::codec::CodecError;
use crate::events::ids::{AgentName, Fence, RUN_KIND, RunId, StepId, TimerId};
use crate::events::json::{BlobRef, Payload};
use crate::events::problem::{Class, Code};
use crate::events::run::{
    AttemptStarted, Item, OutputError, RunEvent, RunFailed, RunStarted, SkipReason, StepAdded, Usage,
};
use crate::events::time::Timestamp;

/// The state of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    about: Option<Arc<About>>,
    steps: Vec<Node>,
    /// Where each step is. A snapshot does without: it follows from the steps.
    #[serde(skip)]
    index: HashMap<StepId, usize>,
    /// Steps that are needed before they are added, with those that need them.
    awaited: HashMap<StepId, Vec<usize>>,
    /// Steps that could start, by the agent whose slot they want, each in the order of the graph.
    ready: BTreeMap<Option<AgentName>, BTreeSet<usize>>,
    timers: HashMap<TimerId, Timer>,
    /// Open attempts.
    running: u32,
    /// Steps that are done with.
    done: usize,
    /// The newest fence.
    fence: Fence,
    phase: Phase,
    degraded: bool,
}

/// What a run began with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Its id.
    pub id: RunId,
    /// When it was started.
    pub at: Timestamp,
    /// How.
    pub started: RunStarted,
}

/// Where a run is in its life.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Nothing happened.
    #[default]
    Empty,
    /// It goes forward.
    Going,
    /// A step failed. Nothing new starts; it ends when what runs has ended.
    Ending(Ending),
    /// Nothing follows.
    Ended(Ended),
}

/// Why a run is about to fail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ending {
    /// The first step that failed without being tolerated.
    pub(crate) step: usize,
    /// Whether what runs is being cancelled.
    pub(crate) fast: bool,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) at: Timestamp,
    pub(crate) how: End,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum End {
    Completed { output: Payload, error: Option<OutputError> },
    Failed(RunFailed),
}

/// What a timer is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Timer {
    step: usize,
    at: Timestamp,
}

/// A step of the graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) added: Arc<StepAdded>,
    /// The step that it grew in.
    pub(crate) inside: Option<usize>,
    /// Those that need it.
    dependents: Vec<usize>,
    /// How many of those that it needs are not done with.
    unmet: usize,
    pub(crate) phase: StepPhase,
    /// Tries so far, which is the number of the last.
    pub(crate) attempts: u32,
    /// Tries that count against `attempts` of its retry policy.
    failures: u32,
    /// Tries whose process died.
    lost: u32,
    pub(crate) generation: u32,
    pub(crate) usage: Usage,
    pub(crate) error: Option<StepError>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
}

/// Why a step failed, or its last attempt did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StepError {
    pub(crate) class: Class,
    pub(crate) code: Code,
    pub(crate) message: String,
}

/// Where a step is in its life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum StepPhase {
    /// It waits for others.
    Blocked,
    /// It could start.
    Ready,
    /// An attempt is open.
    Running(Arc<AttemptStarted>),
    /// An attempt or its sleep ended; what follows in the same commit says what becomes of it.
    Between,
    /// It will be tried again.
    Retrying(TimerId),
    /// It sleeps.
    Sleeping(TimerId),
    /// What grew in it is being done.
    Expanded(Expansion),
    Completed {
        output: Payload,
        artifacts: Vec<String>,
        cached: bool,
        degraded: bool,
    },
    Skipped {
        reason: SkipReason,
        message: String,
    },
    Failed {
        tolerated: bool,
    },
    Cancelled,
}

/// The steps that grew in one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Expansion {
    pub(crate) children: Vec<usize>,
    /// How many of them, from the front, were let start.
    released: usize,
    /// How many of them are done with.
    done: usize,
}

/// Where a run is, as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Nothing of it has started.
    Pending,
    /// It goes on, or would if somebody drove it.
    Running,
    /// It waits for people.
    Waiting,
    /// Somebody paused it, or it was rolled back in part.
    Paused,
    /// It ended well.
    Completed,
    /// It ended with a step that failed.
    Failed,
    /// What was done is being undone.
    Compensating,
    /// What was done is undone.
    Compensated,
    /// Somebody cancelled it.
    Cancelled,
    /// It can go neither forward nor back by itself.
    Stuck,
}

impl RunStatus {
    /// Every status.
    pub const ALL: &'static [Self] = &[
        Self::Pending,
        Self::Running,
        Self::Waiting,
        Self::Paused,
        Self::Completed,
        Self::Failed,
        Self::Compensating,
        Self::Compensated,
        Self::Cancelled,
        Self::Stuck,
    ];

    /// As people see it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Compensating => "compensating",
            Self::Compensated => "compensated",
            Self::Cancelled => "cancelled",
            Self::Stuck => "stuck",
        }
    }

    /// Whether nothing follows unless somebody asks for it: a retry, a rollback, the settling of what is stuck.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Compensated | Self::Cancelled | Self::Stuck)
    }
}

impl Run {
    /// What it began with; none if it never did.
    pub fn about(&self) -> Option<&Arc<About>> {
        self.about.as_ref()
    }

    /// Where it is.
    pub fn status(&self) -> RunStatus {
        match &self.phase {
            Phase::Empty => RunStatus::Pending,
            Phase::Going if self.steps.iter().all(|node| node.is_untouched()) => RunStatus::Pending,
            Phase::Going | Phase::Ending(_) => RunStatus::Running,
            Phase::Ended(ended) => match ended.how {
                End::Completed { .. } => RunStatus::Completed,
                End::Failed(_) => RunStatus::Failed,
            },
        }
    }

    /// Whether something was done in a lesser way, or left out other than by its `if`.
    pub fn is_degraded(&self) -> bool {
        self.degraded
    }

    /// How many steps are done with, and how many there are.
    pub fn progress(&self) -> (usize, usize) {
        (self.done, self.steps.len())
    }

    /// Whether somebody has to act for it to go on at this moment: start, recover or hear of an attempt.
    pub fn wants_driving(&self) -> bool {
        match self.phase {
            Phase::Going => self.running > 0 || self.ready.values().any(|steps| !steps.is_empty()),
            Phase::Ending(_) => true,
            Phase::Empty | Phase::Ended(_) => false,
        }
    }

    /// When its next timer is due.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        self.timers.values().map(|timer| timer.at).min()
    }

    /// The newest fence: how many attempts it has started.
    pub fn fence(&self) -> Fence {
        self.fence
    }

    /// Wake-ups that it waits for.
    pub fn open_timers(&self) -> Vec<RunEffect> {
        let timers = self.timers.iter();
        timers.map(|(timer, set)| RunEffect::Wake { timer: timer.clone(), at: set.at }).collect()
    }

    /// When a timer that it waits for is due.
    pub fn due_at(&self, timer: &TimerId) -> Option<Timestamp> {
        self.timers.get(timer).map(|set| set.at)
    }

    /// The agent's definition that was recorded when it started.
    pub fn agent(&self, name: &AgentName) -> Option<BlobRef> {
        let bindings = &self.about.as_ref()?.started.agents;
        bindings.iter().find(|binding| binding.name == *name).map(|binding| binding.definition)
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.steps
    }

    pub(crate) fn life(&self) -> &Phase {
        &self.phase
    }

    fn node(&self, step: &StepId) -> Option<(usize, &Node)> {
        let place = *self.index.get(step)?;
        Some((place, self.steps.get(place)?))
    }

    /// How many attempts may start beside those that are open.
    fn room(&self) -> u32 {
        let parallel = self.about.as_ref().map_or(0, |about| about.started.parallel);
        parallel.saturating_sub(self.running)
    }
}

impl Node {
    pub(crate) fn id(&self) -> &StepId {
        &self.added.step
    }

    pub(crate) fn item(&self) -> Option<&Item> {
        self.added.item.as_ref()
    }

    /// Whether those that need it may start.
    pub(crate) fn is_done(&self) -> bool {
        match &self.phase {
            StepPhase::Completed { .. } | StepPhase::Skipped { .. } => true,
            StepPhase::Failed { tolerated } => *tolerated,
            _ => false,
        }
    }

    /// Whether nothing becomes of it any more.
    fn is_closed(&self) -> bool {
        self.is_done() || matches!(self.phase, StepPhase::Failed { .. } | StepPhase::Cancelled)
    }

    fn is_untouched(&self) -> bool {
        self.attempts == 0 && matches!(self.phase, StepPhase::Blocked | StepPhase::Ready)
    }

    /// Its output, once it is completed.
    pub(crate) fn output(&self) -> Option<&Payload> {
        match &self.phase {
            StepPhase::Completed { output, .. } => Some(output),
            _ => None,
        }
    }

    /// As people and expressions see it.
    pub(crate) fn status(&self) -> &'static str {
        match &self.phase {
            StepPhase::Blocked | StepPhase::Ready => "pending",
            StepPhase::Running(_) | StepPhase::Between | StepPhase::Expanded(_) => "running",
            StepPhase::Retrying(_) => "retrying",
            StepPhase::Sleeping(_) => "waiting",
            StepPhase::Completed { .. } => "completed",
            StepPhase::Skipped { .. } => "skipped",
            StepPhase::Failed { .. } => "failed",
            StepPhase::Cancelled => "cancelled",
        }
    }
}

impl Aggregate for Run {
    const KIND: &'static str = RUN_KIND;
    type Command = RunCommand;
    type Event = RunEvent;
    type Rejection = RunRejection;
    type Effect = RunEffect;

    fn decide(
        draft: &mut Draft<'_, Self>,
        command: RunCommand,
        moment: &Moment<'_>,
    ) -> Result<(), RunRejection> {
        decide::decide(draft, command, moment)
    }

    fn evolve(
        &mut self,
        event: &RunEvent,
        at: &At<'_>,
        changes: &mut EffectChanges<RunEffect>,
    ) -> Result<(), IllegalEvent> {
        evolve::evolve(self, event, at, changes)
    }

    fn open(&self) -> Vec<RunEffect> {
        evolve::open(self)
    }

    const SNAPSHOT_SCHEMA: u16 = snapshot::SCHEMA;

    fn snapshot(&self) -> Result<Vec<u8>, CodecError> {
        snapshot::write(self)
    }

    fn restore(bytes: &[u8]) -> Result<Self, CodecError> {
        snapshot::read(bytes)
    }
}
