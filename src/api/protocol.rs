//! What can be asked of whoever holds a store, and what is answered. On the control socket each is a line of JSON:
//! a request, then frames up to the answer or the problem, then perhaps the next request.

mod agents;
mod check;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::spec::RunSpec;
use crate::aggregates::agent::Turn;
use crate::aggregates::run::{CannotUndo, Order, RollbackPlan, RunStatus};
use crate::events::ids::{AgentName, CommandId, Fence, RunId, StepId, Version};
use crate::events::json::Json;
use crate::events::problem::Problem;
use crate::events::run::{Purpose, Resolution};
use crate::events::time::Timestamp;
use crate::executors::AgentDefinition;
pub use crate::views::presenters::history::HistoryLine;
use crate::views::presenters::outcome::Outcome;
use crate::views::presenters::report::RunReport;
use crate::views::presenters::stream::StreamReport;
use crate::views::presenters::transcript::AttemptReport;
use crate::views::presenters::why::WhyReport;
use crate::views::projections::runs::{RunFilter, RunRow};
use crate::workflow::approval::Edits;
pub use agents::{AgentKnown, AgentTurned, SlotsKnown};
pub use check::{REQUEST_BYTES_MAX, tags as check_tags};

/// Something asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// To record a run, and with `drive` to let it go on. Response: [`Response::Begun`].
    Begin {
        /// What it begins with. What is not resolved yet is by whoever answers.
        start: Box<RunSpec>,
        /// Whether it is to go on.
        drive: bool,
    },
    /// To let a run go on and to see it through. Frames: [`Frame::Live`], and [`Frame::Event`] for what is done in a lesser way.
    /// Response: [`Response::Report`].
    See {
        /// Which.
        run: RunId,
        /// Whether progress is wanted.
        live: bool,
        /// Whether it is to be told what is done in a lesser way, and from which event on.
        #[serde(default)]
        told: Option<Told>,
    },
    /// To let a run go on until nothing of it goes on by itself any more. Response: [`Response::Outcome`].
    Outcome {
        /// Which.
        run: RunId,
    },
    /// The events of a run, then each as it becomes durable, until its holder ends. Frames: [`Frame::Event`]. Response:
    /// [`Response::Done`].
    Follow {
        /// Which.
        run: RunId,
        /// From the event after this one.
        after: Version,
    },
    /// To let all runs go on that nobody drives, and to see them through. Frames: [`Frame::Report`] for each that ended,
    /// [`Frame::Parked`] for each that cannot go on. Response: [`Response::Done`].
    SeeAll,
    /// While a run is seen through: to stop it, unless somebody else sees it through too. It can be resumed.
    Interrupt,
    /// Whether somebody is there. Response: [`Response::Done`].
    Hello,
    /// One run. Response: [`Response::Report`].
    Report {
        /// Its id, or enough of it.
        run: String,
    },
    /// One run, again and again as it changes until it ends. Frames: [`Frame::Report`]. Response: [`Response::Report`].
    Watch {
        /// Its id, or enough of it.
        run: String,
    },
    /// Some runs. Response: [`Response::Runs`].
    List {
        /// Which.
        filter: RunFilter,
    },
    /// A run's events. Frames: [`Frame::Event`]. Response: [`Response::Done`].
    History {
        /// Its id, or enough of it.
        run: String,
        /// From this version.
        from: Option<Version>,
        /// Up to this version.
        to: Option<Version>,
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
        /// What is wanted.
        control: Control,
        /// Who wants it, and why.
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
    /// The agents that the program has itself that holds the store: files can name them. Response: [`Response::OwnAgents`].
    OwnAgents,
    /// To record what a person wants of an agent. Response: [`Response::AgentTurned`].
    TurnAgent {
        /// The agent, in whatever spelling.
        agent: AgentName,
        /// What is wanted.
        to: Turn,
        /// Whether who asks knows it: a file or the configuration defines it.
        known: bool,
        /// Who wants it, and why.
        order: Order,
        /// What tells this request from all others.
        #[serde(default)]
        id: Option<CommandId>,
    },
    /// What a rollback would do. Response: [`Response::Planned`].
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
    /// What was said during an attempt. Response: [`Response::Transcript`].
    Transcript {
        /// The run's id, or enough of it.
        run: String,
        /// The step.
        step: StepId,
        /// What the attempt was for.
        purpose: Purpose,
        /// Which; none means the last.
        attempt: Option<u32>,
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
            | Self::SeeAll
            | Self::Interrupt
            | Self::Control { .. }
            | Self::TurnAgent { .. } => false,
            Self::Hello
            | Self::Follow { .. }
            | Self::Report { .. }
            | Self::Watch { .. }
            | Self::List { .. }
            | Self::History { .. }
            | Self::Interrupted
            | Self::Resolve { .. }
            | Self::Agents { .. }
            | Self::OwnAgents
            | Self::Plan { .. }
            | Self::StateAt { .. }
            | Self::Transcript { .. }
            | Self::Why { .. }
            | Self::Verify => true,
        }
    }
}

/// From where on it is told what of a run is done in a lesser way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// From the event after this one.
    After(Version),
    /// From what happens next.
    FromNow,
}

/// What people want of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// To let what runs end, and to start nothing new.
    Pause,
    /// To go on after a pause.
    Unpause,
    /// To end.
    Cancel {
        /// Whether what was done is to be undone.
        rollback: bool,
    },
    /// To try again what failed.
    Retry {
        /// The step or the phase that is meant; none means all that failed.
        step: Option<Arc<str>>,
    },
    /// To undo what was done.
    Rollback {
        /// The step or the phase that is kept; none undoes everything.
        to: Option<Arc<str>>,
    },
    /// To grant what is asked.
    Approve {
        /// Which request: its id or a beginning of it, or the step or the phase that waits for it.
        request: String,
        /// What they say.
        note: Option<String>,
        /// What of the arguments, or of the output, is to be changed.
        edits: Option<Edits>,
        /// The hash of what was looked at, or the beginning of it.
        #[serde(default)]
        hash: Option<String>,
    },
    /// To refuse what is asked. It needs a reason.
    Reject {
        /// Which request, as for [`Control::Approve`].
        request: String,
    },
    /// To record that points of a request's checklist were looked at.
    Check {
        /// Which request, as for [`Control::Approve`].
        request: String,
        /// Which points, from 1.
        points: Vec<u32>,
    },
    /// To take a signal.
    Signal {
        /// Its name.
        name: Arc<str>,
        /// What it says.
        data: Json,
    },
    /// To settle a compensation that failed for good. It needs a reason.
    Resolve {
        /// Of which step.
        step: StepId,
        /// What becomes of it.
        how: Resolution,
    },
}

/// One line of an answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// How far a run is.
    Live(Live),
    /// A run as it is now.
    Report(Box<RunReport>),
    /// An event.
    Event(Box<HistoryLine>),
    /// The last frame: the answer.
    Response(Response),
    /// One run of several cannot go on.
    Parked {
        /// Which.
        run: RunId,
        /// Why.
        error: Problem,
    },
    /// The last frame: why there is no answer.
    Problem(Problem),
}

/// What was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// The run is recorded.
    Begun {
        /// Its id.
        run: RunId,
        /// Its version.
        version: Version,
    },
    /// A run.
    Report(Box<RunReport>),
    /// What came of a run.
    Outcome(Box<Outcome>),
    /// Rows of the list.
    Runs(Vec<RunRow>),
    /// A run's whole id.
    Resolved(RunId),
    /// What was wanted is recorded.
    Recorded(Recorded),
    /// Agents, by name.
    Agents(Vec<AgentKnown>),
    /// The agents of a program itself.
    OwnAgents(Vec<AgentDefinition>),
    /// What was wanted of an agent is recorded.
    AgentTurned(AgentTurned),
    /// What a rollback would do.
    Planned(Planned),
    /// A run as it was.
    State(Box<State>),
    /// What was said during an attempt.
    Transcript(Box<AttemptReport>),
    /// The causes of how a run or a step is.
    Why(Box<WhyReport>),
    /// What the proof found.
    Verified(VerifyReport),
    /// All frames were sent.
    Done,
}

/// A run after something that a person wanted was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its id.
    pub run: RunId,
    /// Its version.
    pub version: Version,
    /// Where it is.
    pub status: RunStatus,
}

/// What a rollback would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Of which run.
    pub run: RunId,
    /// Groups of steps in order, each undone in parallel.
    pub order: Vec<Vec<StepId>>,
    /// What cannot be undone, and why.
    pub cannot: Vec<CannotUndo>,
}

impl Planned {
    /// The plan of that run.
    pub fn of(run: RunId, plan: RollbackPlan) -> Self {
        Self { run, order: plan.order, cannot: plan.cannot }
    }
}

/// A run, or a stream of another kind, as it was right after one of its events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// What is shown of it.
    pub shown: Shown,
    /// The event.
    pub event: HistoryLine,
    /// The newest version that there is.
    pub newest: Version,
}

/// What is shown of a stream as it was.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// A run; its effects are what would have been done next.
    Run(Box<RunReport>),
    /// A stream of another kind.
    Stream(Box<StreamReport>),
}

impl Shown {
    /// What it is asked for by.
    pub fn name(&self) -> &str {
        match self {
            Self::Run(report) => report.run.as_str(),
            Self::Stream(report) => report.stream.as_str(),
        }
    }
}

/// How far a run is, for a person who looks on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// Steps that are done with.
    pub done: usize,
    /// Steps that there are so far.
    pub total: usize,
    /// While nothing runs: when something does again.
    #[serde(default)]
    pub wakes_at: Option<Timestamp>,
    /// Attempts that are open.
    pub running: Vec<LiveAttempt>,
}

/// An open attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveAttempt {
    /// Which.
    pub fence: Fence,
    /// Of which step.
    pub step: StepId,
    /// By whom.
    pub agent: AgentName,
    /// The number of the attempt for that purpose at its step, from 1.
    pub attempt: u32,
    /// Whether it is made to undo the step.
    #[serde(default)]
    pub undoes: bool,
    /// Since when.
    pub since: Timestamp,
    /// How far it says it is, in percent.
    pub percent: u8,
    /// What it says it does.
    pub text: String,
}

/// What `verify` found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Whether there is no problem.
    pub ok: bool,
    /// How many events there are.
    pub events: u64,
    /// How many commits.
    pub commits: u64,
    /// How many streams.
    pub streams: u64,
    /// How long the commits are as they are encoded, in bytes.
    pub event_bytes: u64,
    /// What the data folder takes on the disk, in bytes of allocated blocks.
    pub disk_bytes: u64,
    /// What is wrong, the first bad position first.
    pub problems: Vec<VerifyProblem>,
}

/// Something that `verify` found wrong.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VerifyProblem {
    /// The position of the event; 0 if it is about none.
    pub position: u64,
    /// The stream.
    pub stream: Option<String>,
    /// The version in it.
    pub version: Option<u64>,
    /// What is wrong.
    pub what: String,
}
