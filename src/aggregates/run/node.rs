//! A step of the graph: where it is in its life, and how far undoing it is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::RunStatus;
use super::child::is_made_by;
use super::graph::StepIndex;
use crate::events::ids::{AgentName, RequestId, RunId, StepId, TimerId, Version};
use crate::events::json::Payload;
use crate::events::problem::{Class, Code};
use crate::events::run::{
    AttemptStarted, Because, ChildEnded, Item, SkipReason, StepAdded, StepKind, UndoWhen, Undoes, Usage,
};
use crate::events::time::Timestamp;

/// A step of the graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) added: Arc<StepAdded>,
    /// The step that it grew in.
    pub(crate) inside: Option<StepIndex>,
    /// Those that grew in it, in this generation.
    pub(crate) children: Vec<StepIndex>,
    /// How far those are.
    pub(super) inner: Inner,
    /// How many rounds of a loop were used up before it was tried afresh.
    pub(super) rounds_before: usize,
    /// Those that need it.
    pub(super) dependents: Vec<StepIndex>,
    /// How many of those that it needs are not done with.
    pub(super) unmet: usize,
    pub(crate) phase: StepPhase,
    /// Who does it instead of its agent, which has failed for good.
    pub(crate) fallback: Option<AgentName>,
    /// Whether its open attempt was told to stop.
    pub(super) stopping: bool,
    /// Whether its open attempt, which a run of its own makes, has taken too long.
    pub(crate) overdue: bool,
    /// What people have to say about it.
    pub(crate) gate: Gated,
    /// How many requests there were for it.
    pub(super) requests: u32,
    /// The request whose grant holds for its work, in this generation and for this agent.
    pub(crate) granted: Option<RequestId>,
    /// What it did, once that was refused.
    pub(crate) refused: Option<Box<Done>>,
    /// The run that it started.
    pub(crate) child: Option<Child>,
    /// Tries so far, which is the number of the last.
    pub(crate) attempts: u32,
    /// How many of those were in earlier generations.
    pub(super) attempts_before: u32,
    /// Tries that count against `attempts` of its retry policy.
    pub(super) failures: u32,
    /// Tries whose process died.
    pub(super) lost: u32,
    pub(crate) generation: u32,
    /// What tries of this generation that did not succeed may have left behind.
    pub(crate) trace: Trace,
    pub(crate) compensation: Option<Compensation>,
    /// Tries at undoing it so far, in all generations.
    pub(super) undo_attempts: u32,
    pub(crate) usage: Usage,
    pub(crate) error: Option<StepError>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
}

/// What tries that did not succeed may have left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(crate) enum Trace {
    /// There was none.
    #[default]
    Nothing,
    /// All of them said that they failed.
    Failed,
    /// Of one nobody knows what it did.
    Unknown,
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
    /// People are asked whether it may start.
    Asking,
    /// It waits for a signal, and perhaps no longer than this timer.
    Awaiting(Option<TimerId>),
    /// What grew in it is being done, and nothing else becomes of it.
    Expanded,
    Completed(Done),
    Skipped {
        reason: SkipReason,
        message: String,
    },
    Failed {
        tolerated: bool,
    },
    Cancelled,
    /// The step in which it grew starts anew, and may grow others.
    Left,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) output: Payload,
    pub(crate) artifacts: Vec<String>,
    pub(crate) cached: bool,
    pub(crate) degraded: bool,
}

/// What people have to say about a step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Gated {
    /// Nothing, or they have.
    #[default]
    No,
    /// They are asked.
    By(RequestId),
    /// They were asked about what it answered, until the run began to end: should it go on, they are asked again.
    Again,
}

/// The run that a step started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Child {
    pub(crate) run: RunId,
    /// How it had ended when that was last told.
    pub(crate) ended: Option<ChildEnded>,
    /// Its version when it was last heard of.
    pub(super) heard: Version,
    /// Whether it rests while an attempt at it is open.
    pub(crate) rests: bool,
    /// How far it is on its way past the point of no return.
    pub(super) passage: Passage,
}

/// How far something is on its way past the point of no return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Passage {
    /// Nobody has asked for it.
    #[default]
    Closed,
    /// It was asked for.
    Asked,
    /// It may be passed.
    Open,
    /// It may not.
    Refused,
}

impl Child {
    pub(super) fn new(run: RunId) -> Self {
        Self { run, ended: None, heard: Version(0), rests: false, passage: Passage::Closed }
    }
}

/// How far the steps are that grew in one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inner {
    /// How many of them, from the front, were looked at to be let start.
    pub(super) released: usize,
    /// How many of them are on their way.
    pub(super) open: usize,
    /// How many of them are done with.
    pub(super) done: usize,
}

/// How far undoing a step is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Compensation {
    pub(crate) agent: AgentName,
    pub(crate) outcome: Undoes,
    pub(crate) phase: UndoPhase,
    /// Tries that count against `attempts` of its retry policy.
    pub(super) failures: u32,
    /// Tries whose process died.
    pub(super) lost: u32,
    pub(crate) error: Option<StepError>,
}

/// Where undoing a step is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum UndoPhase {
    /// It could be tried.
    Ready,
    /// An attempt is open.
    Running(Arc<AttemptStarted>),
    /// An attempt ended; what follows in the same commit says what becomes of it.
    Between,
    /// It will be tried again.
    Retrying(TimerId),
    /// It failed for good: a person has to say what becomes of it.
    Failed,
    /// The step is undone, by an attempt or by a person.
    Undone,
    /// A person said that it stays.
    LeftUndone,
}

impl Node {
    pub(super) fn new(added: Arc<StepAdded>, inside: Option<StepIndex>) -> Self {
        Self {
            added,
            inside,
            children: Vec::new(),
            inner: Inner::default(),
            rounds_before: 0,
            dependents: Vec::new(),
            unmet: 0,
            phase: StepPhase::Blocked,
            fallback: None,
            stopping: false,
            overdue: false,
            gate: Gated::No,
            requests: 0,
            granted: None,
            refused: None,
            child: None,
            attempts: 0,
            attempts_before: 0,
            failures: 0,
            lost: 0,
            generation: 1,
            trace: Trace::Nothing,
            compensation: None,
            undo_attempts: 0,
            usage: Usage::default(),
            error: None,
            started_at: None,
            ended_at: None,
        }
    }

    pub(crate) fn id(&self) -> &StepId {
        &self.added.step
    }

    pub(crate) fn item(&self) -> Option<&Item> {
        self.added.item.as_ref()
    }

    /// The agent whose slot it needs to start.
    pub(super) fn slot(&self) -> Option<&AgentName> {
        match &self.added.kind {
            StepKind::Work { agent } => Some(self.fallback.as_ref().unwrap_or(agent)),
            _ => None,
        }
    }

    /// The signal that it waits for, if it is a wait.
    pub(crate) fn signal(&self) -> Option<&Arc<str>> {
        match &self.added.kind {
            StepKind::Wait { signal } => Some(signal),
            _ => None,
        }
    }

    /// Whether it is there for its phase, which people are asked about, and does nothing itself.
    pub(crate) fn asks_of_phase(&self) -> bool {
        self.added.kind == StepKind::AskOfPhase
    }

    /// Tries of this generation, lost ones too.
    pub(crate) fn attempts_now(&self) -> u32 {
        self.attempts - self.attempts_before
    }

    /// Whether it is a part of a step that is done in parts: an item of a fan-out, a round of a loop.
    pub(super) fn is_part(&self) -> bool {
        matches!(self.added.because, Because::ForEach | Because::Repeat)
    }

    /// Whether all that grew in it is done with.
    pub(super) fn is_done_inside(&self) -> bool {
        self.inner.done >= self.children.len()
    }

    /// Whether those that need it may start.
    pub(crate) fn is_done(&self) -> bool {
        match &self.phase {
            StepPhase::Completed(_) => self.gate == Gated::No && self.is_done_inside(),
            StepPhase::Skipped { .. } => true,
            StepPhase::Failed { tolerated } => *tolerated,
            _ => false,
        }
    }

    /// Whether nothing becomes of it any more.
    pub(super) fn is_closed(&self) -> bool {
        matches!(
            self.phase,
            StepPhase::Completed(_)
                | StepPhase::Skipped { .. }
                | StepPhase::Failed { .. }
                | StepPhase::Cancelled
                | StepPhase::Left
        )
    }

    pub(super) fn is_untouched(&self) -> bool {
        self.attempts == 0 && matches!(self.phase, StepPhase::Blocked | StepPhase::Ready)
    }

    /// Whether it was begun and something will still become of it.
    pub(super) fn is_on_its_way(&self) -> bool {
        match &self.phase {
            StepPhase::Ready => self.attempts_now() > 0,
            StepPhase::Running(_)
            | StepPhase::Between
            | StepPhase::Retrying(_)
            | StepPhase::Sleeping(_)
            | StepPhase::Asking
            | StepPhase::Awaiting(_)
            | StepPhase::Expanded => true,
            _ => false,
        }
    }

    /// Whether it is begun and nothing runs of it: it can be cancelled at once.
    pub(super) fn is_idle(&self) -> bool {
        self.is_on_its_way()
            && matches!(
                self.phase,
                StepPhase::Ready
                    | StepPhase::Retrying(_)
                    | StepPhase::Sleeping(_)
                    | StepPhase::Asking
                    | StepPhase::Awaiting(_)
            )
    }

    /// Whether nothing of the run may be undone because of it.
    pub(crate) fn is_past_return(&self) -> bool {
        let ended = self.child.as_ref().and_then(|child| child.ended.as_ref());
        let did =
            matches!(self.phase, StepPhase::Running(_) | StepPhase::Completed(_)) || self.refused.is_some();
        self.added.irreversible && (self.trace == Trace::Unknown || did)
            || ended.is_some_and(|ended| ended.past_return)
            || self.child.as_ref().is_some_and(|child| child.passage == Passage::Open)
    }

    /// Its open attempt at being done.
    pub(crate) fn open_attempt(&self) -> Option<&Arc<AttemptStarted>> {
        match &self.phase {
            StepPhase::Running(attempt) => Some(attempt),
            _ => None,
        }
    }

    /// Its open attempt at being undone.
    pub(super) fn open_undo_attempt(&self) -> Option<&Arc<AttemptStarted>> {
        match self.undo_phase() {
            Some(UndoPhase::Running(attempt)) => Some(attempt),
            _ => None,
        }
    }

    /// Its open attempt, at being done or undone, that a run of its own makes.
    pub(super) fn open_at_child(&self) -> Option<&Arc<AttemptStarted>> {
        let open = [self.open_undo_attempt(), self.open_attempt()].into_iter().flatten();
        open.into_iter().find(|attempt| is_made_by(&attempt.agent))
    }

    /// How far undoing it is, once that is opened.
    pub(crate) fn undo_phase(&self) -> Option<&UndoPhase> {
        self.compensation.as_ref().map(|undo| &undo.phase)
    }

    /// What there is to be undone, now that nothing of it runs; none if it owes nothing.
    pub(crate) fn owes(&self) -> Option<Undoes> {
        let when = self.added.undo.as_ref()?.when;
        let ended = self.child.as_ref().and_then(|child| child.ended.as_ref());
        match (&self.phase, self.trace, when) {
            (StepPhase::Left, _, _) => None,
            // A child that has undone itself leaves nothing.
            _ if ended.is_some_and(|ended| *ended.status == *RunStatus::Compensated.text()) => None,
            (StepPhase::Completed(_), _, _) => Some(Undoes::Completed),
            _ if self.refused.is_some() => Some(Undoes::Completed),
            (_, Trace::Unknown, _) | (_, Trace::Failed, UndoWhen::Attempted) => Some(Undoes::Unknown),
            _ => None,
        }
    }

    /// Whether it did something in this generation, or may have, undone or not.
    pub(crate) fn has_acted(&self) -> bool {
        self.did() || self.trace != Trace::Nothing
    }

    /// Whether an attempt succeeded in this generation.
    fn did(&self) -> bool {
        let came_through = matches!(self.phase, StepPhase::Completed(_)) || self.refused.is_some();
        came_through && self.attempts_now() > 0
    }

    /// Whether it did something that nothing undoes.
    pub(crate) fn leaves_traces(&self) -> bool {
        (self.did() || self.trace == Trace::Unknown) && self.undo_phase() != Some(&UndoPhase::Undone)
    }

    /// Its output, once it is completed and as long as it is not undone.
    pub(crate) fn output(&self) -> Option<&Payload> {
        match &self.phase {
            StepPhase::Completed(done) if self.undo_phase() != Some(&UndoPhase::Undone) => Some(&done.output),
            _ => None,
        }
    }

    /// What its compensation is told that it answered.
    pub(crate) fn undone_output(&self) -> Option<&Payload> {
        self.output().or(self.refused.as_ref().map(|done| &done.output))
    }

    /// As people and expressions see it.
    pub(crate) fn status(&self) -> &'static str {
        match self.undo_phase() {
            Some(UndoPhase::Undone) => return "compensated",
            Some(UndoPhase::LeftUndone) | None => {}
            Some(_) => return "compensating",
        }
        match &self.phase {
            StepPhase::Blocked | StepPhase::Ready => "pending",
            StepPhase::Running(_) if self.child.as_ref().is_some_and(|child| child.rests) => "waiting",
            StepPhase::Running(_) | StepPhase::Between | StepPhase::Expanded => "running",
            StepPhase::Retrying(_) => "retrying",
            StepPhase::Sleeping(_) | StepPhase::Asking | StepPhase::Awaiting(_) => "waiting",
            StepPhase::Completed(_) if matches!(self.gate, Gated::By(_)) => "waiting",
            StepPhase::Completed(_) => "completed",
            StepPhase::Skipped { .. } => "skipped",
            StepPhase::Failed { .. } => "failed",
            StepPhase::Cancelled | StepPhase::Left => "cancelled",
        }
    }
}

impl Compensation {
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.phase, UndoPhase::Undone | UndoPhase::LeftUndone)
    }
}
