//! A step of the graph: where it is in its life, and how far undoing it is.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use super::RunStatus;
use super::child::is_made_by;
use super::hop::Hop;
use super::index::StepIndex;
use super::phase::{Done, StepPhase, UndoPhase};
use super::task::Task;
use super::tries::{Trace, Tried, Tries, Trying};
use super::watch::Watch;
use crate::events::ids::{AgentName, RequestId, RunId, StepId, Version};
use crate::events::json::Payload;
use crate::events::run::{
    AttemptStarted, Because, ChildEnded, Item, Purpose, StepAdded, StepKind, UndoWhen, Undoes, Usage,
};
use crate::events::time::Timestamp;

/// A step of the graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Node {
    #[serde(deserialize_with = "shared")]
    pub(crate) added: Arc<StepAdded>,
    /// The step that it grew in.
    pub(crate) inside: Option<StepIndex>,
    /// Those that grew in it, in this generation.
    pub(crate) children: Vec<StepIndex>,
    /// How many of those, in order, were let start, are on their way, and are done with.
    pub(super) inner: Inner,
    /// How many rounds of a loop were used up before it was tried afresh.
    pub(super) rounds_before: usize,
    /// How its work was handed over in this generation, and by those to which it was, in order.
    pub(crate) handoffs: Vec<Hop>,
    /// What is known of how its agents get on, once something is.
    pub(crate) watch: Option<Box<Watch>>,
    /// Those that need it.
    pub(super) dependents: Vec<StepIndex>,
    /// How many of those that it needs are not done with.
    pub(super) unmet: usize,
    pub(crate) doing: Tries<StepPhase>,
    /// The agent that does it instead of its own, which has failed for good.
    pub(crate) fallback: Option<AgentName>,
    /// Whether people have to say something about it before it goes on.
    pub(crate) gate: Gated,
    /// How many requests were made for it so far, in all generations.
    pub(super) requests: u32,
    /// The request whose grant holds for its work, in this generation and for this agent.
    pub(crate) granted: Option<RequestId>,
    /// What it did, once that was not taken.
    pub(crate) refused: Option<Box<NotTaken>>,
    /// The run that it started.
    pub(crate) child: Option<Child>,
    /// Its open attempt, at being done or undone, if that is handed out.
    pub(crate) task: Option<Box<Task>>,
    pub(crate) generation: u32,
    /// How many attempts at doing it were made in earlier generations.
    pub(super) attempts_before: u32,
    pub(crate) compensation: Option<Compensation>,
    /// How many attempts at undoing it were made in earlier generations.
    pub(super) undo_attempts_before: u32,
    pub(crate) usage: Usage,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    /// How long its run had waited for somebody when it first started, in µs.
    pub(super) waited_before_us: u64,
    /// How long its run waited for somebody from then until it was done with, in µs.
    pub(crate) waited_us: u64,
}

/// Decodes what is shared where it stays: serde's own way makes a `Box` before, for each of thousands of steps.
fn shared<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<StepAdded>, D::Error> {
    StepAdded::deserialize(deserializer).map(Arc::new)
}

/// What people have to say about a step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Gated {
    /// Nothing, or they have.
    #[default]
    No,
    /// They are asked, by this request.
    By(RequestId),
    /// They were asked about what it answered, until the run began to end: should it go on, they are asked again.
    Again,
}

/// What a step did, which was not taken. It is done all the same, and may be undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct NotTaken {
    pub(crate) done: Done,
    pub(crate) by: NotTakenBy,
}

/// Who did not take what a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NotTakenBy {
    /// People: after a retry it is not done again, but asked about again.
    People,
    /// The step's own `output`, which could not be made of what it answered: after a retry it is done again, for nothing else
    /// would be made of the same answer.
    Output,
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
    /// It may not be passed.
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
    pub(crate) tries: Tries<UndoPhase>,
}

/// How far a step is, as far as that matters for how its run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It was not begun.
    Pending,
    /// It was begun, something will still become of it, and nothing of it runs.
    Idle,
    /// It was begun, and something of it runs or follows at once.
    Busy,
    /// Nothing becomes of it any more.
    Closed,
}

impl Node {
    pub(super) fn new(added: Arc<StepAdded>, inside: Option<StepIndex>) -> Self {
        Self {
            added,
            inside,
            children: Vec::new(),
            inner: Inner::default(),
            rounds_before: 0,
            handoffs: Vec::new(),
            watch: None,
            dependents: Vec::new(),
            unmet: 0,
            doing: Tries::after(0, StepPhase::Blocked),
            fallback: None,
            gate: Gated::No,
            requests: 0,
            granted: None,
            refused: None,
            child: None,
            task: None,
            generation: 1,
            attempts_before: 0,
            compensation: None,
            undo_attempts_before: 0,
            usage: Usage::default(),
            started_at: None,
            ended_at: None,
            waited_before_us: 0,
            waited_us: 0,
        }
    }

    pub(crate) fn id(&self) -> &StepId {
        &self.added.step
    }

    /// Whether no step needs it, and it grew in none.
    pub(crate) fn is_last(&self) -> bool {
        self.dependents.is_empty() && self.inside.is_none()
    }

    pub(crate) fn item(&self) -> Option<&Item> {
        self.added.item.as_ref()
    }

    /// The agent whose slot it needs to be done, or undone.
    pub(super) fn slot(&self, purpose: Purpose) -> Option<&AgentName> {
        match (purpose, &self.added.kind, &self.compensation) {
            (Purpose::Do, StepKind::Work { agent }, _) => Some(self.fallback.as_ref().unwrap_or(agent)),
            (Purpose::Do, _, _) => None,
            (Purpose::Compensate, _, Some(undo)) => Some(&undo.agent),
            (Purpose::Compensate, _, None) => self.added.undo.as_ref().map(|undo| &undo.agent),
        }
    }

    /// The agent that does it, or what grows in it.
    pub(super) fn agent(&self) -> Option<&AgentName> {
        match &self.added.kind {
            StepKind::Work { .. } => self.slot(Purpose::Do),
            StepKind::FanOut { agent, .. } => agent.as_ref(),
            StepKind::Repeat { agent } => Some(agent),
            StepKind::Sleep | StepKind::Wait { .. } | StepKind::AskOfPhase => None,
        }
    }

    /// The agent that does it; none if no agent does.
    pub(crate) fn agent_of_work(&self) -> Option<&AgentName> {
        self.slot(Purpose::Do)
    }

    /// How many of those that grow in it may be on their way at once; none if all may.
    pub(super) fn width(&self) -> Option<usize> {
        let StepKind::FanOut { max_parallel, .. } = self.added.kind else { return None };
        max_parallel.map(|width| width as usize)
    }

    /// The signal that it waits for, if it is a wait.
    pub(crate) fn signal(&self) -> Option<&Arc<str>> {
        if let StepKind::Wait { signal } = &self.added.kind { Some(signal) } else { None }
    }

    /// Whether it is there for its phase, which people are asked about, and does nothing itself.
    pub(crate) fn asks_of_phase(&self) -> bool {
        self.added.kind == StepKind::AskOfPhase
    }

    /// Tries of this generation, lost ones too.
    pub(crate) fn attempts_now(&self) -> u32 {
        self.doing.attempts - self.attempts_before
    }

    /// Whether it is a part of a step that is done in parts: an item of a fan-out, a round of a loop.
    pub(super) fn is_part(&self) -> bool {
        matches!(self.added.because, Because::ForEach | Because::Repeat)
    }

    /// Whether a manager is asked in it about the step that it grew in, which is stuck.
    pub(crate) fn is_of_manager(&self) -> bool {
        self.added.because == Because::Escalation
    }

    /// Whether it does what an agent wants a tool to do: of how it fails that one is told.
    pub(super) fn is_of_tool(&self) -> bool {
        self.added.because == Because::Tool
    }

    /// Whether it is a turn of an agent that uses tools.
    pub(super) fn is_turn(&self) -> bool {
        self.added.because == Because::Turn
    }

    /// Whether all that grew in it is done with.
    pub(super) fn is_done_inside(&self) -> bool {
        self.inner.done >= self.children.len()
    }

    /// Whether those may start that grew in it.
    pub(super) fn lets_inner_start(&self) -> bool {
        let has_planned = matches!(self.doing.phase, StepPhase::Completed(_)) && self.gate == Gated::No;
        has_planned || self.doing.phase == StepPhase::Expanded
    }

    /// Whether those that need it may start.
    pub(crate) fn is_done(&self) -> bool {
        match &self.doing.phase {
            StepPhase::Completed(_) => self.gate == Gated::No && self.is_done_inside(),
            StepPhase::Skipped { .. } => true,
            StepPhase::Failed { tolerated } => *tolerated,
            StepPhase::Blocked
            | StepPhase::Trying(_)
            | StepPhase::Sleeping(_)
            | StepPhase::Asking
            | StepPhase::Awaiting(_)
            | StepPhase::Expanded
            | StepPhase::Cancelled
            | StepPhase::Left => false,
        }
    }

    /// Whether nothing becomes of it any more.
    pub(super) fn is_closed(&self) -> bool {
        self.stage() == Stage::Closed
    }

    pub(super) fn is_untouched(&self) -> bool {
        self.doing.attempts == 0 && self.stage() == Stage::Pending
    }

    /// Whether it was begun and something will still become of it.
    pub(super) fn is_on_its_way(&self) -> bool {
        matches!(self.stage(), Stage::Idle | Stage::Busy)
    }

    /// Whether it is begun and nothing runs of it: it can be cancelled at once.
    pub(super) fn is_idle(&self) -> bool {
        self.stage() == Stage::Idle
    }

    fn stage(&self) -> Stage {
        match &self.doing.phase {
            StepPhase::Blocked => Stage::Pending,
            StepPhase::Trying(Trying::Ready) if self.attempts_now() == 0 => Stage::Pending,
            StepPhase::Trying(Trying::Ready | Trying::Retrying(_))
            | StepPhase::Sleeping(_)
            | StepPhase::Asking
            | StepPhase::Awaiting(_) => Stage::Idle,
            StepPhase::Trying(Trying::Open { .. } | Trying::Between) | StepPhase::Expanded => Stage::Busy,
            StepPhase::Completed(_)
            | StepPhase::Skipped { .. }
            | StepPhase::Failed { .. }
            | StepPhase::Cancelled
            | StepPhase::Left => Stage::Closed,
        }
    }

    /// Whether nothing of the run may be undone because of it.
    pub(crate) fn is_past_return(&self) -> bool {
        let ended = self.child.as_ref().and_then(|child| child.ended.as_ref());
        let came_through = matches!(self.doing.phase, StepPhase::Completed(_)) || self.refused.is_some();
        // A task that nobody has ever had did nothing.
        let is_begun = self.task.as_ref().is_none_or(|task| task.was_begun());
        let did = came_through || self.open_attempt().is_some() && is_begun;
        self.added.irreversible && (self.doing.trace == Trace::Unknown || did)
            || ended.is_some_and(|ended| ended.past_return)
            || self.child.as_ref().is_some_and(|child| child.passage == Passage::Open)
    }

    /// What was tried for that purpose; none of what is not opened.
    pub(super) fn tries(&self, purpose: Purpose) -> Option<&Tries<dyn Tried>> {
        match purpose {
            Purpose::Do => Some(&self.doing),
            Purpose::Compensate => Some(&self.compensation.as_ref()?.tries),
        }
    }

    /// The same, for what must be opened.
    pub(super) fn tries_mut(&mut self, purpose: Purpose) -> Result<&mut Tries<dyn Tried>, &'static str> {
        match (purpose, &mut self.compensation) {
            (Purpose::Do, _) => Ok(&mut self.doing),
            (Purpose::Compensate, Some(undo)) => Ok(&mut undo.tries),
            (Purpose::Compensate, None) => Err("a step is not being undone whose compensation is not opened"),
        }
    }

    /// How many attempts were made for that purpose so far, in all generations.
    pub(crate) fn attempts(&self, purpose: Purpose) -> u32 {
        self.tries(purpose).map_or(self.undo_attempts_before, |tries| tries.attempts)
    }

    /// Its open attempt at being done.
    pub(crate) fn open_attempt(&self) -> Option<&Arc<AttemptStarted>> {
        self.doing.open()
    }

    /// Its open attempts, at being done or undone.
    pub(super) fn open_attempts(&self) -> impl Iterator<Item = &Arc<AttemptStarted>> {
        let undoing = self.compensation.as_ref().and_then(|undo| undo.tries.open());
        self.doing.open().into_iter().chain(undoing)
    }

    /// Its open attempt, at being done or undone, that a run of its own makes.
    pub(super) fn open_at_child(&self) -> Option<&Arc<AttemptStarted>> {
        self.open_attempts().find(|attempt| is_made_by(&attempt.agent))
    }

    /// How far undoing it is, once that is opened.
    pub(crate) fn undo_phase(&self) -> Option<&UndoPhase> {
        self.compensation.as_ref().map(|undo| &undo.tries.phase)
    }

    pub(crate) fn is_undone(&self) -> bool {
        self.undo_phase().is_some_and(UndoPhase::is_undone)
    }

    /// What there is to be undone, now that nothing of it runs; none if it owes nothing.
    pub(crate) fn owes(&self) -> Option<Undoes> {
        let when = self.added.undo.as_ref()?.when;
        let ended = self.child.as_ref().and_then(|child| child.ended.as_ref());
        match (&self.doing.phase, self.doing.trace, when) {
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
        self.did() || self.doing.trace != Trace::Nothing
    }

    /// Whether people did not take what it did: they are asked again, and it is not done again.
    pub(super) fn is_refused_by_people(&self) -> bool {
        self.refused.as_ref().is_some_and(|refused| refused.by == NotTakenBy::People)
    }

    /// Whether an attempt succeeded in this generation, whatever people said of it then.
    fn did(&self) -> bool {
        let came_through = matches!(self.doing.phase, StepPhase::Completed(_)) || self.refused.is_some();
        came_through && self.attempts_now() > 0
    }

    /// Whether it did something that nothing undoes.
    pub(crate) fn leaves_traces(&self) -> bool {
        (self.did() || self.doing.trace == Trace::Unknown) && !self.is_undone()
    }

    /// Its output, once it is completed and as long as it is not undone.
    pub(crate) fn output(&self) -> Option<&Payload> {
        match &self.doing.phase {
            StepPhase::Completed(done) if !self.is_undone() && !done.in_vain => Some(&done.output),
            _ => None,
        }
    }

    /// What its compensation is told that it answered.
    pub(crate) fn undone_output(&self) -> Option<&Payload> {
        let done = match &self.doing.phase {
            StepPhase::Completed(done) if !self.is_undone() => Some(done),
            _ => self.refused.as_ref().map(|refused| &refused.done),
        };
        done.map(|done| &done.output)
    }

    /// As people and expressions see it.
    pub(crate) fn status(&self) -> &'static str {
        match self.undo_phase() {
            Some(UndoPhase::Undone(_)) => return "compensated",
            Some(UndoPhase::LeftUndone(_)) | None => {}
            Some(_) => return "compensating",
        }
        match &self.doing.phase {
            StepPhase::Blocked | StepPhase::Trying(Trying::Ready) => "pending",
            StepPhase::Trying(Trying::Open { .. })
                if self.task.is_some() || self.child.as_ref().is_some_and(|child| child.rests) =>
            {
                "waiting"
            }
            StepPhase::Trying(Trying::Open { .. } | Trying::Between) | StepPhase::Expanded => "running",
            StepPhase::Trying(Trying::Retrying(_)) => "retrying",
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
        matches!(self.tries.phase, UndoPhase::Undone(_) | UndoPhase::LeftUndone(_))
    }
}
