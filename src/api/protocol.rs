//! What can be asked of whoever holds a store, and what is answered. On the control socket each is a line of JSON:
//! a request, then frames up to the answer or the problem, then perhaps the next request.

mod agents;
mod cache;
mod check;
mod contexts;
mod control;
mod conversations;
mod events;
mod listed;
mod messages;
mod past;
mod seen;
mod tasks;
mod verified;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::spec::RunSpec;
use crate::aggregates::agent::Turn;
use crate::aggregates::run::{CannotUndo, Order, RollbackPlan, RunStatus, Unticked};
use crate::events::ids::{AgentName, CommandId, ContextName, ConversationName, RunId, StepId, Version};
use crate::events::problem::Problem;
use crate::events::run::Purpose;
use crate::executors::AgentDefinition;
pub use crate::executors::logs::live::{Heard, Wants};
pub use crate::executors::logs::read::Which;
use crate::views::presenters::graph::Graph;
pub use crate::views::presenters::history::HistoryLine;
use crate::views::presenters::outcome::Outcome;
use crate::views::presenters::report::RunReport;
use crate::views::presenters::transcript::AttemptReport;
use crate::views::presenters::why::WhyReport;
use crate::views::projections::conversations::ConversationRow;
use crate::views::projections::handoffs::HandoffRow;
use crate::views::projections::runs::{RunFilter, RunRow};
use crate::views::projections::successes::SuccessRow;
pub use agents::{AgentKnown, AgentTurned, SlotsKnown};
pub use cache::{CacheCleared, CacheWants, KeptAnswer};
pub use check::{REQUEST_BYTES_MAX, tags as check_tags};
pub use contexts::{
    ContextAnswer, ContextKnown, ContextWants, ContextWritten, HolderKnown, KeyGiven, KeyKnown, KeyVersioned,
    KeyWritten, LockKnown, LocksKnown, WaiterKnown,
};
pub use control::Control;
pub use conversations::{
    ArchiveKnown, CompressedKnown, ConversationAnswer, ConversationKnown, ConversationWants, PageKnown,
    SummaryKnown, TurnCounted, TurnGiven, TurnKnown, TurnsAdded, TurnsKnown, WhichTurns, WindowKnown,
};
pub use events::WhichEvents;
pub use listed::{Listed, ListedRun, Listing};
pub use messages::{MessageKnown, MessageState, ReceiverKnown, WhichMessages};
pub use past::{Shown, State};
pub use seen::{Live, LiveAttempt, Tells, Told};
pub use tasks::{TaskGiven, TaskKnown, TaskTaken, TaskWanted, TasksWanted, UndoesTask};
pub use verified::{VerifyProblem, VerifyReport};

/// A request to whoever holds a store.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// To record a run, and with `drive` to let it go on. Response: [`Response::Begun`].
    Begin {
        /// Everything that the run begins with. Who answers resolves what is not resolved yet.
        start: Box<RunSpec>,
        /// Whether the run is to go on at once, and not only when it is resumed.
        drive: bool,
        /// Whether it is only to be recorded: one of that id that has begun cannot be meant.
        #[serde(default)]
        only_recorded: bool,
    },
    /// To hear what beginning a run would come to; nothing is recorded. Response: [`Response::Foreseen`].
    Foresee {
        /// Everything that the run would begin with, resolved.
        start: Box<RunSpec>,
    },
    /// To let a run go on and to see it through. Frames: [`Frame::Live`], [`Frame::Heard`], and [`Frame::Event`] for what
    /// happens. Response: [`Response::Report`].
    See {
        /// The run, by its whole id.
        run: RunId,
        /// Whether frames with its progress are wanted.
        live: bool,
        /// Whether it is to be told what happens, and from which event on.
        #[serde(default)]
        told: Option<Told>,
        /// Of what it is told.
        #[serde(default)]
        tells: Tells,
        /// Whether it is to hear what its programs say.
        #[serde(default)]
        hears: Option<Wants>,
    },
    /// To let a run go on until nothing of it goes on by itself any more. Response: [`Response::Outcome`].
    Outcome {
        /// The run, by its whole id.
        run: RunId,
    },
    /// The events of a run, then each as it becomes durable, until its holder ends. Frames: [`Frame::Event`]. Response:
    /// [`Response::Done`].
    Follow {
        /// The run, by its whole id.
        run: RunId,
        /// From the event after this one.
        after: Version,
    },
    /// To let all runs go on that nobody drives, and to see them through. Frames: [`Frame::Report`] for each that ended,
    /// [`Frame::Parked`] for each that cannot go on, [`Frame::Heard`]. Response: [`Response::Done`].
    SeeAll {
        /// Whether it is to hear what their programs say.
        #[serde(default)]
        hears: Option<Wants>,
    },
    /// While a run is seen through: to stop it, unless somebody else sees it through too. It can be resumed.
    Interrupt,
    /// To hear whether a process answers. Response: [`Response::Done`].
    Hello,
    /// One run. Response: [`Response::Report`].
    Report {
        /// Its id, or enough of it.
        run: String,
    },
    /// One run, with what it and its steps were given. Response: [`Response::Report`].
    Whole {
        /// Its id, or enough of it.
        run: String,
    },
    /// One run, again and again as it changes until it rests, or nobody drives it. Frames: [`Frame::Report`]. Response: [`Response::Report`].
    Watch {
        /// Its id, or enough of it.
        run: String,
        /// Whether it is wanted, too, what the run and its steps were given.
        #[serde(default)]
        inputs: bool,
    },
    /// Some runs. Response: [`Response::Runs`].
    List {
        /// The condition that each of them has to meet.
        filter: RunFilter,
    },
    /// Some runs, with who drives them, or does not. Response: [`Response::Listed`]; watched, [`Response::Done`] when nobody
    /// listens any more.
    Listing {
        /// Which.
        listing: Listing,
        /// Whether they are to be sent whenever something of them changes. Frames: [`Frame::Listed`].
        #[serde(default)]
        watch: bool,
    },
    /// A run's events. Frames: [`Frame::Event`]. Response: [`Response::Done`].
    History {
        /// Its id, or enough of it.
        run: String,
        /// Which of them.
        #[serde(flatten)]
        which: WhichEvents,
    },
    /// The runs that nobody drives. Response: [`Response::Runs`].
    Interrupted,
    /// The whole id of a run. Response: [`Response::Resolved`].
    Resolve {
        /// Its id, or enough of it.
        run: String,
    },
    /// To record what a person wants of a run; nobody drives it for that. Response: [`Response::Recorded`].
    Control {
        /// Its id, or enough of it; as `run/ID`, its whole id.
        run: String,
        /// The thing that is wanted.
        control: Control,
        /// The person or program that wants it, and their reason.
        order: Order,
        /// What tells this request from all others. Asked again with it, of whoever holds the store by then, it is one.
        #[serde(default)]
        id: Option<CommandId>,
    },
    /// All agents to which something has happened, and how much is asked of each. Response: [`Response::Agents`].
    Agents {
        /// Others that are to be told of as well.
        named: Vec<AgentName>,
    },
    /// How often agents handed over to each other, over all runs. Response: [`Response::Handoffs`].
    Handoffs,
    /// How often agents did what they were to do, over all runs. Response: [`Response::Successes`].
    Successes,
    /// The agents that the program has itself that holds the store: files can name them. Response: [`Response::OwnAgents`].
    OwnAgents,
    /// To record what a person wants of an agent. Response: [`Response::AgentTurned`].
    TurnAgent {
        /// The agent, in whatever spelling.
        agent: AgentName,
        /// The turn that is wanted.
        to: Turn,
        /// Whether a file or the configuration of who asks defines the agent.
        known: bool,
        /// The person or program that wants it, and their reason.
        order: Order,
        /// What tells this request from all others.
        #[serde(default)]
        id: Option<CommandId>,
    },
    /// What somebody wants of a shared context. Frames: [`Frame::Key`]. Response: [`Response::Context`].
    Context {
        /// The context.
        context: ContextName,
        /// The thing that they want.
        wants: ContextWants,
    },
    /// What somebody wants of a conversation. Frames: [`Frame::Turn`]. Response: [`Response::Conversation`].
    Conversation {
        /// The conversation.
        conversation: ConversationName,
        /// The thing that they want.
        wants: ConversationWants,
    },
    /// The conversations that there are. Response: [`Response::Conversations`].
    Conversations,
    /// Messages between agents, of one run or of all. Frames: [`Frame::Message`]. Response: [`Response::Done`].
    Messages {
        /// Its id, or enough of it; none means all runs.
        run: Option<String>,
        /// Which of them.
        which: WhichMessages,
    },
    /// What somebody wants of tasks. Frames: [`Frame::Task`]. Response: [`Response::Done`], or [`Response::TaskTaken`].
    Tasks(TasksWanted),
    /// What somebody wants of the cache of answers. Frames: [`Frame::Kept`]. Response: [`Response::Done`], or
    /// [`Response::CacheCleared`].
    Cache(CacheWants),
    /// The plan of a rollback that would begin now. Response: [`Response::Planned`].
    Plan {
        /// Its id, or enough of it.
        run: String,
        /// The step or the phase that would be kept.
        to: Option<Arc<str>>,
    },
    /// A run as it was. Response: [`Response::State`].
    StateAt {
        /// Its id, or enough of it.
        run: String,
        /// As of this version; none means the newest.
        at: Option<Version>,
    },
    /// The picture of a run. Response: [`Response::Graph`].
    Graph {
        /// Its id, or enough of it.
        run: String,
    },
    /// The transcript of an attempt. Response: [`Response::Transcript`].
    Transcript {
        /// The run's id, or enough of it.
        run: String,
        /// The step whose attempt it is.
        step: StepId,
        /// Whether the attempt was made to do the step, or to undo it.
        purpose: Purpose,
        /// The number of the attempt for that purpose, from 1; none means the last.
        attempt: Option<u32>,
    },
    /// What was said in attempts of which no log is kept, and which run that is. Frames: [`Frame::Attempt`] for each, and
    /// [`Frame::Event`] for each child that was started, whose programs have logs of their own. Response: [`Response::Resolved`].
    Logs {
        /// The run's id, or enough of it.
        run: String,
        /// In which attempts.
        #[serde(flatten)]
        which: Which,
    },
    /// To be told when nothing of a run goes on by itself any more, without letting it go on. Response: [`Response::Done`].
    Rest {
        /// The run, by its whole id.
        run: RunId,
    },
    /// Why a run, or a step of it, is as it is. Response: [`Response::Why`].
    Why {
        /// The run's id, or enough of it.
        run: String,
        /// The step; none means the run as a whole.
        step: Option<StepId>,
    },
    /// To prove the store whole. Response: [`Response::Verified`].
    Verify,
}

impl Request {
    /// Whether it asks how things are, and changes nothing.
    pub const fn only_looks(&self) -> bool {
        match self {
            Self::Begin { .. }
            | Self::See { .. }
            | Self::Outcome { .. }
            | Self::SeeAll { .. }
            | Self::Interrupt
            | Self::Control { .. }
            | Self::TurnAgent { .. } => false,
            Self::Context { wants, .. } => wants.only_looks(),
            Self::Conversation { wants, .. } => wants.only_looks(),
            Self::Tasks(wanted) => wanted.only_looks(),
            Self::Cache(wants) => wants.only_looks(),
            Self::Hello
            | Self::Foresee { .. }
            | Self::Follow { .. }
            | Self::Report { .. }
            | Self::Whole { .. }
            | Self::Watch { .. }
            | Self::List { .. }
            | Self::Listing { .. }
            | Self::History { .. }
            | Self::Interrupted
            | Self::Resolve { .. }
            | Self::Agents { .. }
            | Self::Handoffs
            | Self::Successes
            | Self::OwnAgents
            | Self::Conversations
            | Self::Messages { .. }
            | Self::Plan { .. }
            | Self::StateAt { .. }
            | Self::Graph { .. }
            | Self::Transcript { .. }
            | Self::Logs { .. }
            | Self::Rest { .. }
            | Self::Why { .. }
            | Self::Verify => true,
        }
    }
}

/// One line of an answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// How far a run is.
    Live(Live),
    /// A run as it is now.
    Report(Box<RunReport>),
    /// Runs as they are now.
    Listed(Listed),
    /// An event of a run.
    Event(Box<HistoryLine>),
    /// A message between agents.
    Message(Box<MessageKnown>),
    /// A task that is open.
    Task(Box<TaskKnown>),
    /// An answer that is kept.
    Kept(Box<KeptAnswer>),
    /// What became of a key of a shared context.
    Key(Box<KeyWritten>),
    /// A turn of a conversation.
    Turn(Box<TurnKnown>),
    /// What a program says.
    Heard(Box<Heard>),
    /// What was said during an attempt.
    Attempt(Box<AttemptReport>),
    /// The last frame: the answer.
    Response(Response),
    /// One run of several cannot go on.
    Parked {
        /// The run that cannot.
        run: RunId,
        /// The problem that keeps it from going on.
        error: Problem,
    },
    /// The last frame: why there is no answer.
    Problem(Problem),
}

/// The answer to a request, where there is one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// The run is recorded.
    Begun {
        /// The id that it has, which is new if none was given.
        run: RunId,
        /// The version of its newest event.
        version: Version,
        /// The status that it had, if it was there before.
        #[serde(default)]
        was: Option<RunStatus>,
    },
    /// The status of the run that is there already and would be attached to; none where one would begin.
    Foreseen(Option<RunStatus>),
    /// A run as it is now.
    Report(Box<RunReport>),
    /// The outcome of a run.
    Outcome(Box<Outcome>),
    /// Rows of the list.
    Runs(Vec<RunRow>),
    /// A part of the list of runs.
    Listed(Listed),
    /// A run's whole id.
    Resolved(RunId),
    /// The control was recorded, or had been before.
    Recorded(Recorded),
    /// Agents, in the order of their names.
    Agents(Vec<AgentKnown>),
    /// Pairs of agents, in the order of their names.
    Handoffs(Vec<HandoffRow>),
    /// Agents that did steps, in the order of their names.
    Successes(Vec<SuccessRow>),
    /// The agents of a program itself.
    OwnAgents(Vec<AgentDefinition>),
    /// What was wanted of an agent is recorded.
    AgentTurned(AgentTurned),
    /// Whether somebody has a task now, and which.
    TaskTaken(TaskTaken),
    /// Answers were taken away.
    CacheCleared(CacheCleared),
    /// The answer of a shared context.
    Context(ContextAnswer),
    /// The answer of a conversation.
    Conversation(Box<ConversationAnswer>),
    /// Conversations, in the order of their names.
    Conversations(Vec<ConversationRow>),
    /// The plan of a rollback.
    Planned(Planned),
    /// A run as it was.
    State(Box<State>),
    /// The picture of a run.
    Graph(Box<Graph>),
    /// The transcript of an attempt.
    Transcript(Box<AttemptReport>),
    /// The causes of how a run or a step is.
    Why(Box<WhyReport>),
    /// The findings in the store.
    Verified(VerifyReport),
    /// All frames were sent.
    Done,
}

/// A run after something that a person wanted was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The id of the run.
    pub run: RunId,
    /// The version of its newest event.
    pub version: Version,
    /// The status of the run by then.
    pub status: RunStatus,
    /// The number of the process that drove the run when this was recorded; none if nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driven_by: Option<u32>,
    /// Of what was granted: the points of the checklist that nobody has ticked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unticked: Vec<Unticked>,
}

/// The plan of a rollback, which nobody has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The run that it would undo.
    pub run: RunId,
    /// Groups of steps in order, each undone in parallel.
    pub order: Vec<Vec<StepId>>,
    /// The steps that would stay as they are, with the reasons.
    pub cannot: Vec<CannotUndo>,
}

impl Planned {
    /// The plan of that run.
    pub fn of(run: RunId, plan: RollbackPlan) -> Self {
        Self { run, order: plan.order, cannot: plan.cannot }
    }
}
