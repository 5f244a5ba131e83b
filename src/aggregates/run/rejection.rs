//! Why a run may refuse, and what can be done instead.

mod impossible;
mod spend;
mod words;

use std::sync::Arc;

use crate::events::ids::{AgentName, Fence, Hash, MessageNumber, RequestId, RunId, StepId};
use crate::events::problem::{Code, Late, Problem, Remedies, Remedy};
use crate::events::run::RunStatus;
use crate::events::time::Timestamp;
use crate::kernel::Unreadable;

pub use impossible::Impossible;
pub use spend::NotRaised;
use words::{instead, quoted, some_of, told};

/// Why a run refuses a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunRejection {
    /// It was never started.
    #[error("there is no such run")]
    NotStarted,
    /// Its id is taken by a run that does something else.
    #[error("run `{0}` exists, with another definition or input")]
    Taken(RunId),
    /// It began with something else, which cannot be changed any more.
    #[error("run `{run}` exists, and {}", instead(late))]
    Begun {
        /// The run that exists.
        run: RunId,
        /// What was said of it that cannot have an effect any more.
        late: Vec<Late>,
    },
    /// Something that it needs to decide cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Its state is one that no history gives: it cannot decide anything any more.
    #[error(transparent)]
    Impossible(#[from] Impossible),
    /// Its status, or that of a step or a request, does not allow that.
    #[error("{}", .0.why)]
    Refused(Box<Refused>),
}

/// Why where a run is does not allow something, and what can be done instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The state of the run that does not allow it.
    pub why: Refusal,
    /// What can be done instead; empty means what the code of the problem says.
    pub remedies: Vec<Remedy>,
}

/// Why where a run is does not allow something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A run that has ended is to be paused.
    #[error("the run is {} and cannot pause", .0.text())]
    EndedBeforePause(RunStatus),
    /// A run that has ended is to go on.
    #[error("the run is {} and cannot go on", .0.text())]
    EndedBeforeUnpause(RunStatus),
    /// A run that has ended is to be cancelled.
    #[error("the run is {} and cannot be cancelled", .0.text())]
    EndedBeforeCancel(RunStatus),
    /// A run that has ended is sent a signal.
    #[error("the run is {} and waits for no signal", .0.text())]
    EndedBeforeSignal(RunStatus),
    /// A message of a run that has ended is to be sent again.
    #[error("the run is {}, and nobody handles messages of it any more", .0.text())]
    EndedBeforeResend(RunStatus),
    /// A request of a run that has ended is answered.
    #[error("the run is {} and takes no answers", .0.text())]
    EndedBeforeAnswer(RunStatus),
    /// A request is answered of a run that is stuck in a rollback which keeps the step that asks.
    #[error("the run is {}, and nothing of it goes on", .0.text())]
    NothingGoesOn(RunStatus),
    /// A run is to be rolled back that is.
    #[error("the run is rolled back already")]
    RolledBack,

    /// A run that is stuck in a compensation is to be cancelled.
    #[error("the run is stuck in a compensation and cannot be cancelled")]
    StuckBeforeCancel,
    /// A run that is being rolled back is to be cancelled.
    #[error("the run is being rolled back and cannot be cancelled")]
    RollingBackBeforeCancel,
    /// A run that is being rolled back is to be rolled back.
    #[error("the run is being rolled back already")]
    RollingBack,
    /// A run that is being cancelled with a rollback is to be cancelled without one, or the other way about.
    #[error("the run is being cancelled already, in the other way")]
    CancelledOtherwise,
    /// A run that is being cancelled is to be rolled back to a step.
    #[error("the run is being cancelled, and nothing of it will go on")]
    BeingCancelled,

    /// A run that is stuck in a compensation is to be tried again.
    #[error("the run is stuck in a compensation")]
    StuckBeforeRetry,
    /// A run is to be tried again of which nothing has failed.
    #[error("the run is {} and has nothing to try again", .0.text())]
    NothingToRetry(RunStatus),
    /// A step would be started again that may be started once only.
    #[error("step `{0}` may be started once only, and was")]
    StartedOnce(StepId),
    /// Only these failed of what is to be tried again, and their failure is tolerated.
    #[error("{} failed, which is tolerated: the run went on without {}", some_of(.0), if .0.len() == 1 { "it" } else { "them" })]
    Tolerated(Vec<StepId>),
    /// A step or a phase is to be tried again that has not failed.
    #[error("step `{0}` has not failed")]
    NotFailed(Arc<str>),
    /// One step is to be tried again where others failed, too: these.
    #[error("without {} the run fails again", quoted(.0))]
    OthersFailed(Vec<StepId>),
    /// The run has no step or phase with that name.
    #[error("the run has no step `{0}`")]
    NoSuchStep(Arc<str>),

    /// A run is to go on until what is done with.
    #[error("`{0}` is done with already")]
    DoneAlready(Arc<str>),
    /// A run is to go on until the end of its next phase, and has none left.
    #[error("the run has no phase that is not done with")]
    NoPhaseLeft,

    /// A compensation is settled that has not failed for good.
    #[error("step `{step}` is {status}: its compensation has not failed for good")]
    NotStuck {
        /// The step whose compensation was meant.
        step: StepId,
        /// Its status, as people see it.
        status: &'static str,
    },
    /// A rollback would keep a step that is undone, or is to be.
    #[error("step `{step}` is {status}, and would be kept")]
    KeepsUndone {
        /// The step that would be kept.
        step: StepId,
        /// Its status, as people see it.
        status: &'static str,
    },
    /// A rollback is to keep a step that is not done.
    #[error("step `{step}` is {status}: only a step that is done can be kept")]
    KeepsUnfinished {
        /// The step that was to be kept.
        step: StepId,
        /// Its status, as people see it.
        status: &'static str,
    },
    /// A rollback is to keep a part of a step.
    #[error("step `{part}` is a part of `{whole}`")]
    KeepsPart {
        /// What was to be kept: the part itself, or a name that stands for it.
        part: Arc<str>,
        /// The step that it is a part of, which can be kept as a whole only.
        whole: StepId,
    },
    /// Something is to be undone before which an irreversible step has started.
    #[error("step `{step}` is irreversible and {}: nothing before it can be undone", if *.is_running { "is running" } else { "has been started" })]
    PastReturn {
        /// The irreversible step that has started.
        step: StepId,
        /// Whether an attempt at it is open.
        is_running: bool,
    },
    /// The parent of a child does not let it pass the point of no return.
    #[error("the point of no return may not be passed: {0}")]
    ReturnRefused(NoReturn),

    /// The run has no request that is called so.
    #[error("the run has no request `{0}`")]
    NoSuchRequest(String),
    /// A request is closed.
    #[error("request `{request}` of step `{step}` {became}")]
    RequestClosed {
        /// The request that was answered.
        request: RequestId,
        /// The step that asks.
        step: StepId,
        /// What has become of it, which is why it takes no answer.
        became: Became,
    },
    /// Somebody grants what they have granted.
    #[error("{by} has granted request `{request}` already")]
    GrantedAlready {
        /// The name of the person who granted it before.
        by: Arc<str>,
        /// The request that was granted.
        request: RequestId,
    },
    /// What is granted is not what somebody has looked at.
    #[error("what request `{request}` of step `{step}` asks has changed: its hash is `{hash}` now")]
    RequestChanged {
        /// The request that was answered.
        request: RequestId,
        /// The step that asks.
        step: StepId,
        /// The hash that it has.
        hash: Hash,
    },
    /// Somebody answers who is not asked.
    #[error("{by} is not asked to answer request `{request}`")]
    NotAsked {
        /// The name of the person who answered.
        by: Arc<str>,
        /// The request that they answered.
        request: RequestId,
    },
    /// What a request asks cannot be changed in the way that was wanted.
    #[error("step `{step}`: {why}")]
    CannotEdit {
        /// The step that asks.
        step: StepId,
        /// What is wrong with the change, for people.
        why: String,
    },
    /// The output as it is granted is not what the step may answer.
    #[error("{message}")]
    BadOutput {
        /// The code with which the step would fail.
        code: Code,
        /// What is wrong with the output, for people.
        message: String,
    },
    /// A checklist has no such point.
    #[error("the checklist of request `{request}` has {points} points, and no point {point}")]
    NoSuchPoint {
        /// The request whose checklist was meant.
        request: RequestId,
        /// How many points its checklist has.
        points: usize,
        /// The one that is not there.
        point: u32,
    },
    /// A request is granted that wants all points of its checklist ticked, and some are not: these, from 1.
    #[error("request `{request}` is granted only when its whole checklist is ticked, and {} not: {}",
        if points.len() == 1 { "1 point is".to_owned() } else { format!("{} points are", points.len()) }, told(points))]
    NotTicked {
        /// The request that was granted.
        request: RequestId,
        /// The points that nobody has ticked, with what they say.
        points: Vec<(u32, String)>,
    },
    /// A signal comes too late.
    #[error("step `{step}` waits for the signal `{name}` no longer: its time is over")]
    SignalLate {
        /// The step that waited.
        step: StepId,
        /// The name of the signal.
        name: String,
    },
    /// More signals wait for a step than are kept.
    #[error("{0} signals wait for a step to take them")]
    TooManySignals(usize),

    /// A message is to be sent again that there is not.
    #[error("the run has no message {number}, its last is {last}")]
    NoSuchMessage {
        /// The number that was meant.
        number: MessageNumber,
        /// The number of the last one; 0 if nothing was sent.
        last: MessageNumber,
    },
    /// A message is to be sent again that somebody is still to handle.
    #[error("message {0} is on its way")]
    MessageOnItsWay(MessageNumber),
    /// A message is to be sent again with which everything is done.
    #[error("message {0} was handled, or sent again, or is too long dead")]
    MessageSettled(MessageNumber),
    /// A message is to be sent again to an agent that the run still does not have.
    #[error("the run has no agent `{0}`")]
    NoReceiver(AgentName),
    /// A message is to be sent again, and too many wait, as this says.
    #[error("{0}")]
    MailboxFull(String),

    /// A message is to be sent for an attempt, or a delivery, that is not open any more.
    #[error("nothing of step `{0}` is open any more that could say something")]
    NothingOpen(StepId),
    /// A message may not be sent, or be said to be handled, as this says.
    #[error("{message}")]
    NotSaid {
        /// The code with which an attempt would fail that sent it.
        code: Code,
        /// What is wrong, for people.
        message: String,
    },

    /// A task is meant that the run has not handed out yet.
    #[error("the run has no task {fence}, its last is {last}")]
    NoSuchTask {
        /// The number that was meant.
        fence: Fence,
        /// The number of its last attempt; 0 if it has made none.
        last: Fence,
    },
    /// A lease is meant that nobody was given.
    #[error("task {fence} has no lease {lease}: it was taken {last} times")]
    NoSuchLease {
        /// The number of the task.
        fence: Fence,
        /// The number that was meant.
        lease: u32,
        /// How often it was taken.
        last: u32,
    },
    /// Nobody waits for an answer to a task.
    #[error("task {fence} is not open: it was answered, took too long, or is not wanted any more; the run is {}", status.text())]
    TaskOver {
        /// The number of the task.
        fence: Fence,
        /// The status of the run.
        status: RunStatus,
    },
    /// The run hands out nothing as it is.
    #[error("the run is {} and hands out no task", status.text())]
    TaskNotHandedOut {
        /// The number of the task.
        fence: Fence,
        /// The status of the run.
        status: RunStatus,
    },
    /// Somebody takes a task that another has.
    #[error("{by} has task {fence} until {until}")]
    TaskHeld {
        /// The number of the task.
        fence: Fence,
        /// The name of who has it.
        by: Arc<str>,
        /// When their lease ends.
        until: Timestamp,
    },
    /// Somebody answers a task under a lease that was over before another took it.
    #[error("lease {lease} of task {fence} is over, and {by} has it until {until}")]
    TaskTakenOver {
        /// The number of the task.
        fence: Fence,
        /// The lease under which it was answered.
        lease: u32,
        /// The name of who has it.
        by: Arc<str>,
        /// When their lease ends.
        until: Timestamp,
    },
    /// Somebody answers a task whose lease is over.
    #[error("lease {lease} of task {fence} is over, and nobody has the task")]
    LeaseOver {
        /// The number of the task.
        fence: Fence,
        /// The lease under which it was answered.
        lease: u32,
    },

    /// It is not let spend more.
    #[error(transparent)]
    NotRaised(#[from] NotRaised),

    /// A child does not do what its parent wants.
    #[error("the child run is {}: {why}", .status.text())]
    OfChild {
        /// The status of the child.
        status: RunStatus,
        /// What does not allow it in the child.
        why: Box<Refusal>,
    },
}

/// Why a child may not pass the point of no return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoReturn {
    /// The parent's own parent does not let it.
    #[error("its own parent does not let it")]
    OfParent,
    /// The parent waits for nothing of the child any more.
    #[error("no attempt of it is open any more")]
    NotOpen,
    /// The parent is not to go forward any more with the step that the child is for.
    #[error("it does not go forward with it any more")]
    NotForward,
}

/// What became of a request that is closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Became {
    /// The step is not to go on.
    #[error("is not asked any more")]
    Withdrawn,
    /// As many people have granted it as had to.
    #[error("has been granted")]
    Granted,
    /// It was refused by them.
    #[error("has been refused by {0}")]
    Refused(Arc<str>),
    /// Nobody answered in time.
    #[error("has expired")]
    Expired,
}

impl Refusal {
    /// The rejection, with what can be done instead.
    pub(super) fn but(self, remedies: impl Into<Vec<Remedy>>) -> RunRejection {
        RunRejection::Refused(Box::new(Refused { why: self, remedies: remedies.into() }))
    }

    /// The code that people are told.
    pub const fn code(&self) -> Code {
        match self {
            Self::EndedBeforePause(_)
            | Self::EndedBeforeUnpause(_)
            | Self::EndedBeforeCancel(_)
            | Self::EndedBeforeSignal(_)
            | Self::EndedBeforeResend(_)
            | Self::EndedBeforeAnswer(_)
            | Self::NothingGoesOn(_)
            | Self::RolledBack => Code::RunEnded,
            Self::StuckBeforeCancel | Self::RollingBackBeforeCancel | Self::RollingBack => Code::Compensating,
            Self::CancelledOtherwise | Self::BeingCancelled => Code::Conflicting,
            Self::StuckBeforeRetry
            | Self::NothingToRetry(_)
            | Self::StartedOnce(_)
            | Self::Tolerated(_)
            | Self::NotFailed(_)
            | Self::OthersFailed(_) => Code::CannotRetry,
            Self::NoSuchStep(_) | Self::DoneAlready(_) | Self::NoPhaseLeft => Code::NoSuchStep,
            Self::NotStuck { .. } => Code::NotStuck,
            Self::KeepsUndone { .. } | Self::KeepsUnfinished { .. } | Self::KeepsPart { .. } => {
                Code::CannotRollBack
            }
            Self::PastReturn { .. } | Self::ReturnRefused(_) => Code::PastNoReturn,
            Self::NoSuchRequest(_) | Self::NoSuchPoint { .. } => Code::UnknownRequest,
            Self::RequestClosed { .. } | Self::GrantedAlready { .. } | Self::SignalLate { .. } => {
                Code::RequestClosed
            }
            Self::RequestChanged { .. } => Code::RequestChanged,
            Self::NotTicked { .. } => Code::NotTicked,
            Self::NotAsked { .. } => Code::NotAnApprover,
            Self::CannotEdit { .. } => Code::CannotEdit,
            Self::BadOutput { code, .. } => *code,
            Self::TooManySignals(_) => Code::Busy,
            Self::NoSuchMessage { .. } => Code::NoSuchMessage,
            Self::MessageOnItsWay(_) | Self::MessageSettled(_) => Code::MessageNotDead,
            Self::MailboxFull(_) => Code::MailboxFull,
            Self::NoReceiver(_) => Code::NoSuchReceiver,
            Self::NothingOpen(_) => Code::Cancelled,
            Self::NotSaid { code, .. } => *code,
            Self::NoSuchTask { .. } | Self::NoSuchLease { .. } => Code::NoSuchTask,
            Self::TaskOver { .. } => Code::TaskOver,
            Self::TaskNotHandedOut { .. } => Code::TaskNotHandedOut,
            Self::TaskHeld { .. } => Code::TaskHeld,
            Self::NotRaised(why) => why.code(),
            Self::TaskTakenOver { .. } | Self::LeaseOver { .. } => Code::LeaseOver,
            Self::OfChild { status: RunStatus::Stuck, .. } => Code::ChildStuck,
            Self::OfChild { .. } => Code::ChildFailed,
        }
    }
}

impl From<NotRaised> for RunRejection {
    fn from(why: NotRaised) -> Self {
        Refusal::from(why).into()
    }
}

impl From<Refusal> for RunRejection {
    fn from(refusal: Refusal) -> Self {
        refusal.but([])
    }
}

impl RunRejection {
    /// Whether the run cannot go on after it.
    pub(super) const fn is_fatal(&self) -> bool {
        matches!(self, Self::Unreadable(_) | Self::Impossible(_))
    }

    /// The same as a problem that people are told.
    pub fn problem(&self) -> Problem {
        let problem = |code| Problem::new(code, self.to_string());
        match self {
            Self::NotStarted => problem(Code::UnknownRun),
            Self::Taken(_) => problem(Code::RunIdTaken),
            Self::Begun { run, late } => {
                let all = late.iter().cloned().map(Remedy::LeaveOut).chain([Remedy::AnotherId]);
                let remedies: Remedies = all.collect::<Vec<_>>().into();
                problem(Code::RunIdTaken).hint(Remedies { run: Some(run.clone()), ..remedies })
            }
            Self::Unreadable(unreadable) => unreadable.problem(),
            Self::Impossible(_) => problem(Code::Impossible),
            Self::Refused(refused) => match &*refused.remedies {
                [] => problem(refused.why.code()),
                remedies => problem(refused.why.code()).hint(Remedies::from(remedies.to_vec())),
            },
        }
    }
}
