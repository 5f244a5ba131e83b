//! A run: a graph of steps that grows, as the fold of its events.
//!
//! - [`command`]: what may be asked, what it wants done, why it refuses
//! - `people`: what people are asked, and what they said
//! - `index`, `graph`, `node`: which step, how they hang together, and what is known of each
//! - `life`: where a run is in its life; `phase`: where doing a step is, and where undoing it is
//! - `beside`: what attempts want beside their answer; `context`: what its agents share; `shared`: what it asks of contexts; `conversations`: what it asks of those
//!   that it shares with other runs; `sharing`: when it says so, and what follows from the answer; `handoff`, `hop`: how an agent hands over, and what is known of that
//! - `report`: what agents say of their work in their answers; `goal`: how a plan of tasks is asked for, and mended
//! - [`turns`]: agents that use tools, their turns and what those want
//! - `stuck`: what shows that an agent does not get on, and who is asked then; `watch`: what is known of that
//! - `messages`: what its agents say to each other; `sending`: what they send; `giving`: what attempts were given, and handle;
//!   `receivers`: whom a message is for; `delivering`: those that are handled as soon as they come
//! - `tries`: the trying that both have; `queue`: what could be tried; `unwinding`: in which order a run is undone
//! - `evolve`: the fold, one total match; `decide`: what would happen, command by command
//! - `advance`: what starts and what ends of itself, after any command
//! - [`start`]: what it begins with; `meant`: whether somebody means it; [`child`]: a run that a step of another starts
//! - [`kin`]: what the runs of a family say to each other; `family`: when a run says so, and what follows from the answer
//! - [`task`]: attempts that are handed out, and what is wanted of them; `handing`: which are, and when
//! - `time`: what is too late, whether its time counts, and how long it has waited; `timer`: what its wake-ups are for
//! - `recorded`: commands as they are recorded, and what they were
//! - `attention`: what it needs next; `startable`, `needs`: of which agents, now and for what is left of it; `agents`: for
//!   which paused ones it waits; `resting`: whether it waits for somebody
//! - `budget`: what it may spend, and what of that is used and reserved; `spend`: what that lets start, and when it is said
//! - [`plan`]: what a rollback would do

mod advance;
mod agents;
mod attention;
mod beside;
mod budget;
pub mod child;
pub mod command;
mod context;
mod conversations;
mod decide;
mod delivering;
mod evolve;
mod family;
mod giving;
mod goal;
mod graph;
mod handing;
mod handoff;
mod hop;
mod index;
pub mod kin;
mod life;
mod meant;
mod messages;
mod needs;
mod node;
mod people;
mod phase;
pub mod plan;
mod queue;
mod receivers;
mod recorded;
mod rejection;
mod report;
mod resting;
mod sending;
mod shared;
mod sharing;
mod snapshot;
mod spend;
pub mod start;
mod startable;
mod stuck;
pub mod task;
#[cfg(test)]
mod tests;
mod time;
mod timer;
mod tries;
pub mod turns;
mod unwinding;
mod watch;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use crate::events::run::RunStatus;
pub use budget::{Budget, Exhausted, Raise};
pub use command::{Ask, Grants, Order, RunEffect, RunEffectId};
pub(crate) use context::{Context, ContextValue};
pub use conversations::{Adding, OfConversation};
pub(crate) use graph::Graph;
pub(crate) use hop::Hop;
pub(crate) use index::StepIndex;
use kin::Word;
pub(crate) use life::{End, Ended, Ending, Phase, Why};
pub(crate) use messages::{Messages, Sent};
pub(crate) use node::{Gated, Node, Passage};
pub use people::Unticked;
pub(crate) use people::{ApprovalRequest, ApprovalState, People};
pub(crate) use phase::{Done, StepPhase, UndoPhase};
pub use plan::{CannotUndo, RollbackPlan};
use queue::Queue;
pub use recorded::RECORDS;
pub use rejection::{Became, Impossible, NoReturn, NotRaised, Refusal, Refused, RunRejection};
pub(crate) use shared::Shared;
pub use shared::{FoundAnswer, HeldLock, LEASE, LockOf, OfShared, SharedEffect, SharedEffectId};
pub use start::{Insists, StartChild, StartRun};
use task::Tasks;
pub use task::{OfTask, TaskDoes};
use time::{Driven, Waited};
use timer::{Timer, TimerOf};
pub(crate) use tries::{StepError, Trace, Tries, Trying, Unwanted};
pub(crate) use unwinding::Unwinding;

use crate::aggregates::context::OfContext;
use crate::events::codec::CodecError;
use crate::events::decision::Form;
use crate::events::ids::{AgentName, Fence, RUN_KIND, RunId, StepId, TimerId, Version};
use crate::events::json::{BlobRef, Payload};
use crate::events::problem::Problem;
use crate::events::run::{AttemptStarted, Purpose, Routed, RunEvent, RunStarted, Undoes, Usage};
use crate::events::time::Timestamp;
use crate::kernel::standing::KindFold;
use crate::kernel::{
    self, Aggregate, At, Attention, Draft, EffectChanges, IllegalEvent, Message, NotRecalled, Recalling,
    Recording, Said,
};

/// A moment at which a run decides: its grants are slots of agents.
type Moment<'a> = kernel::Moment<'a, Grants>;

/// The state of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    about: Option<Arc<About>>,
    /// What was decided about the request that it is for.
    routed: Option<Arc<Routed>>,
    steps: Graph,
    /// Steps that are needed before they are added, with those that need them.
    awaited: HashMap<StepId, Vec<StepIndex>>,
    /// Steps that could be done.
    ready: Queue,
    /// What it may spend; none without a limit.
    budget: Option<Box<Budget>>,
    /// What each agent has used up, of those that report something.
    usage: BTreeMap<AgentName, Usage>,
    /// Agents that are paused and that such steps want, or compensations, and since when.
    awaited_agents: BTreeMap<AgentName, Timestamp>,
    timers: HashMap<TimerId, Timer>,
    /// Those that go off if runs of its own take too long.
    deadlines: BTreeSet<(Timestamp, TimerId)>,
    /// What people are asked, and what they said.
    people: People,
    /// Steps that go on by themselves when the run does: a loop whose rounds are to begin anew, a request to be made
    /// again.
    stalled: BTreeSet<StepIndex>,
    /// How many steps were added by plans.
    planned: u32,
    /// How many steps were added by fan-outs, each counted once however often it came back.
    fanned: u32,
    /// How many attempts are open.
    running: u32,
    /// Those of them that runs of their own make.
    seen_through: u32,
    /// Those of these whose runs rest.
    resting: u32,
    /// What its parent was last to be told.
    word: Option<Word>,
    /// Whether its parent may rest, because it was told that this run does and has not heard of an end since.
    parent_may_rest: bool,
    /// Whether its parent is told that it has ended until it has heard of that.
    telling: bool,
    /// Whether its parent lets it pass the point of no return.
    passage: Passage,
    /// Steps that could start but for that.
    passing: BTreeSet<StepIndex>,
    /// Its open attempts that are handed out.
    tasks: Tasks,
    /// What its agents share.
    context: Arc<Context>,
    /// What it asks of contexts that it shares with other runs.
    shared: Shared,
    /// What its agents say to each other.
    messages: Messages,
    /// Steps that are done with.
    done: usize,
    /// Steps that do not count any more, because what they grew in starts anew.
    left: usize,
    /// Steps that only ask about a phase.
    asking: Vec<StepIndex>,
    /// The fence of the newest attempt; 0 before the first.
    fence: Fence,
    phase: Phase,
    paused: bool,
    /// The step or the phase after which it pauses, once.
    until: Option<Arc<str>>,
    /// What is left of its time while that does not run, in µs; none without a limit.
    time_left_us: Option<u64>,
    /// When an event last showed that somebody drove it, and what was left of its time then, in µs.
    driven: Driven,
    /// How long it has waited, and since when it does.
    waited: Waited,
    degraded: bool,
}

/// What a run began with: it never changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The id that names its stream.
    pub id: RunId,
    /// When its start was recorded, by the clock of the process that recorded it.
    pub at: Timestamp,
    /// The event that began it, with its definition, input and limits.
    pub started: RunStarted,
}

impl Run {
    /// What the run began with; none before it did.
    pub fn about(&self) -> Option<&Arc<About>> {
        self.about.as_ref()
    }

    /// What its agents share, by key.
    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The status that people and other runs see.
    pub fn status(&self) -> RunStatus {
        match &self.phase {
            Phase::Empty => RunStatus::Pending,
            Phase::Ended(ended) => match ended.how {
                End::Completed { .. } => RunStatus::Completed,
                End::Failed(_) => RunStatus::Failed,
                End::Compensated(_) => RunStatus::Compensated,
                End::Cancelled => RunStatus::Cancelled,
                End::Stuck(..) => RunStatus::Stuck,
            },
            Phase::Back(_) => RunStatus::Paused,
            Phase::Going | Phase::Ending(_) | Phase::Unwinding(_) if self.paused => RunStatus::Paused,
            Phase::Ending(_) => RunStatus::Running,
            Phase::Going | Phase::Unwinding(_) if self.waits() => RunStatus::Waiting,
            Phase::Unwinding(_) => RunStatus::Compensating,
            // Whoever has a fence has made an attempt: in a run of many steps that is cheaper to ask.
            Phase::Going if self.fence == Fence(0) && self.steps.iter().all(Node::is_untouched) => {
                RunStatus::Pending
            }
            Phase::Going => RunStatus::Running,
        }
    }

    /// Whether an irreversible step has started, so that what was done before it cannot be undone.
    pub fn is_past_return(&self) -> bool {
        self.steps.iter().any(Node::is_past_return)
    }

    /// Whether nothing can undo what an attempt does.
    pub fn is_irreversible(&self, attempt: &AttemptStarted) -> bool {
        let node = self.node(&attempt.step).filter(|_| attempt.purpose == Purpose::Do);
        node.is_some_and(|(_, node)| node.added.irreversible)
    }

    /// The step or the phase to which it was rolled back, while it waits for somebody to say how it goes on.
    pub fn rolled_back_to(&self) -> Option<&Arc<str>> {
        match &self.phase {
            Phase::Back(unwinding) => unwinding.to.as_ref(),
            _ => None,
        }
    }

    /// Whether something was done in a lesser way, or left out other than by its `if`.
    pub fn is_degraded(&self) -> bool {
        self.degraded
    }

    /// How many steps are done with, and how many there are; without those that only ask about a phase.
    pub fn progress(&self) -> (usize, usize) {
        let answered = self.steps.all(&self.asking).filter(|node| node.is_done()).count();
        (self.done - self.left - answered, self.steps.len() - self.left - self.asking.len())
    }

    /// Whether somebody has to act for it to go on at this moment: start, recover or hear of an attempt.
    pub fn wants_driving(&self) -> bool {
        let could_start = match &self.phase {
            Phase::Ending(_) => return true,
            Phase::Empty | Phase::Ended(_) => return false,
            Phase::Going | Phase::Unwinding(_) | Phase::Back(_) => self.could_start(),
        };
        self.is_at_work()
            || self.is_delivering()
            || self.is_asking()
            || self.shared.is_asking()
            || could_start && !self.paused
    }

    /// When its next timer is due by the steady clock, of those by which it goes on without people.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        let own = self.awaited_timers()?.values().filter(|set| !set.of.is_of_others());
        own.map(|set| set.at).min()
    }

    /// Whether the time is over for which a step waits for a signal, by the wall clock. At that very moment it is.
    fn has_waited_too_long(&self, place: StepIndex, wall: Timestamp) -> bool {
        let timer = self.steps.get(place).and_then(|node| match &node.doing.phase {
            StepPhase::Awaiting(timer) => timer.as_ref(),
            _ => None,
        });
        timer.and_then(|timer| self.timers.get(timer)).is_some_and(|set| set.at <= wall)
    }

    /// The newest fence: how many attempts it has started.
    pub fn fence(&self) -> Fence {
        self.fence
    }

    /// Wake-ups that it waits for.
    pub fn open_timers(&self) -> Vec<RunEffect> {
        let timers = self.awaited_timers().into_iter().flatten();
        timers.map(|(timer, set)| RunEffect::Wake { timer: timer.clone(), at: set.deadline() }).collect()
    }

    /// When a timer that it waits for is due.
    pub fn due_at(&self, timer: &TimerId) -> Option<Timestamp> {
        self.awaited_timers()?.get(timer).map(|set| set.at)
    }

    /// The agent's definition that was recorded when it started.
    pub fn agent(&self, name: &AgentName) -> Option<BlobRef> {
        let bindings = &self.about.as_ref()?.started.agents;
        bindings.iter().find(|binding| binding.name == *name).map(|binding| binding.definition)
    }

    /// What the compensation of a step undoes, once that is opened: how the step ended, and its output.
    pub fn undoes(&self, step: &StepId) -> Option<(Undoes, Option<&Payload>)> {
        let (_, node) = self.node(step)?;
        Some((node.compensation.as_ref()?.outcome, node.undone_output()))
    }

    pub(crate) fn people(&self) -> &People {
        &self.people
    }

    pub(crate) fn nodes(&self) -> &Graph {
        &self.steps
    }

    pub(crate) fn life(&self) -> &Phase {
        &self.phase
    }

    pub(crate) fn node(&self, step: &StepId) -> Option<(StepIndex, &Node)> {
        self.steps.find(step)
    }

    /// The open attempt at doing or undoing a step, if that is the one with this fence.
    fn open_attempt(&self, step: &StepId, fence: Fence) -> Option<(StepIndex, Arc<AttemptStarted>)> {
        let (place, node) = self.node(step)?;
        let attempt = node.open_attempts().find(|attempt| attempt.fence == fence)?;
        Some((place, Arc::clone(attempt)))
    }

    /// A run that has ended waits for nothing, though what a partial rollback keeps may wait on when that is no longer
    /// stuck.
    fn awaited_timers(&self) -> Option<&HashMap<TimerId, Timer>> {
        (!matches!(self.phase, Phase::Ended(_))).then_some(&self.timers)
    }

    /// Whether all steps are done with that this step or phase is.
    fn is_reached(&self, until: &str) -> bool {
        self.steps.all(&self.named(until)).all(Node::is_done)
    }
}

/// How the streams of runs are folded by whoever knows no kind by name.
pub const FOLD: KindFold = KindFold::of::<Run>(attention::ended_by);

impl Aggregate for Run {
    const KIND: &'static str = RUN_KIND;
    type Command = Ask;
    type Event = RunEvent;
    type Rejection = RunRejection;
    type Effect = RunEffect;
    type Grants = Grants;

    fn decide(draft: &mut Draft<'_, Self>, ask: Ask, moment: &Moment<'_>) -> Result<(), RunRejection> {
        decide::decide(draft, ask, moment)
    }

    fn evolve(
        &mut self,
        event: &RunEvent,
        at: &At<'_>,
        changes: &mut EffectChanges<RunEffect>,
    ) -> Result<(), IllegalEvent> {
        evolve::evolve(self, event, at, changes)
    }

    fn blobs(event: &RunEvent) -> Vec<BlobRef> {
        event.blobs()
    }

    fn open(&self) -> Vec<RunEffect> {
        evolve::open(self)
    }

    fn attention(&self) -> Attention {
        attention::of(self)
    }

    fn ended_at(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Ended(ended) => Some(ended.at),
            _ => None,
        }
    }

    fn status(&self) -> &'static str {
        Self::status(self).text()
    }

    fn message(&self, effect: &RunEffect) -> Option<Message> {
        self.message(effect)
    }

    fn answered(effect: &RunEffect, answer: Result<Version, Problem>) -> Option<Ask> {
        Self::answered(effect, answer)
    }

    fn due(effect: &RunEffect) -> Option<Ask> {
        match effect {
            RunEffect::Wake { timer, .. } => Some(Ask::Due { timer: timer.clone() }),
            _ => None,
        }
    }

    fn heard(said: Said) -> Option<Ask> {
        said.command::<OfContext>().map(|says| Ask::OfShared(Box::new(OfShared::Lock(says))))
    }

    fn recover(in_flight: &mut dyn Iterator<Item = &RunEffectId>) -> Ask {
        let fences = in_flight.filter_map(|effect| match effect {
            RunEffectId::Attempt(fence) | RunEffectId::Deliver(fence) => Some(*fence),
            _ => None,
        });
        Ask::Recover { in_flight: fences.collect() }
    }

    fn loses(ask: &Ask) -> bool {
        ask.loses()
    }

    fn name(ask: &Ask) -> &'static str {
        ask.name()
    }

    fn asked_by(ask: &Ask) -> Option<Arc<str>> {
        recorded::asked_by(ask)
    }

    fn record(ask: Ask, recording: &mut Recording<'_, '_, Self>) -> Result<Option<Form>, CodecError> {
        recorded::record(ask, recording)
    }

    fn recall(recalling: &Recalling<'_, Self>) -> Result<Ask, NotRecalled> {
        recorded::recall(recalling)
    }

    fn problem(rejection: &RunRejection) -> Problem {
        rejection.problem()
    }

    fn is_fatal(rejection: &RunRejection) -> bool {
        rejection.is_fatal()
    }

    const SNAPSHOT_SCHEMA: u16 = snapshot::SCHEMA;

    fn snapshot(&self) -> Result<Vec<u8>, CodecError> {
        snapshot::write(self)
    }

    fn restore(bytes: &[u8]) -> Result<Self, CodecError> {
        snapshot::read(bytes)
    }
}
