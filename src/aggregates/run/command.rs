//! What may be asked of a run, and what it may want done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::budget::Raise;
use super::child::is_made_by;
use super::kin::{ForParent, OfChild, Word};
use super::shared::{OfShared, SharedEffect, SharedEffectId};
use super::start::StartRun;
use super::task::OfTask;
use crate::events::decision::Grant;
use crate::events::ids::{AgentName, Fence, MessageNumber, RequestId, StepId, TimerId, Version};
use crate::events::json::{Json, Payload};
use crate::events::run::{AttemptStarted, DeliveryStarted, Purpose, Resolution};
use crate::kernel::{self, Deadline, Effect, Lasts};
use crate::workflow::approval::Edits;
use crate::workflow::work::{Failure, Output};

/// A command to a run: something that it is asked to do, or is told.
#[derive(Debug, Clone)]
pub enum Ask {
    /// To begin. Asked again with the same definition and input, nothing happens.
    Start(Box<StartRun>),
    /// To take the result of an attempt. With an old fence, nothing happens.
    Completed {
        /// The step that was tried.
        step: StepId,
        /// The fence of the attempt, by which its result is told from that of an earlier one.
        fence: Fence,
        /// What the step answers, with artifacts and usage.
        output: Output,
    },
    /// To take the failure of an attempt. With an old fence, nothing happens.
    Failed {
        /// The step that was tried.
        step: StepId,
        /// The fence of the attempt, by which its failure is told from that of an earlier one.
        fence: Fence,
        /// The error, and whether the attempt may be made again.
        failure: Failure,
    },
    /// To see that a timer's moment has come. Asked too early, or of a timer that is not set, nothing happens.
    Due {
        /// The id of the timer whose moment has come.
        timer: TimerId,
    },
    /// To go on after another process held it: every open attempt is lost but those that this process makes.
    Recover {
        /// The attempts that it makes.
        in_flight: BTreeSet<Fence>,
    },
    /// To do what the parent wants whose child it is.
    ForParent(Box<ForParent>),
    /// To hear what a child of it says.
    OfChild(Box<OfChild>),
    /// To hear that the child of an attempt never began.
    NoChild {
        /// The step whose attempt it is.
        step: StepId,
        /// The fence of the attempt.
        fence: Fence,
    },
    /// To hear that its parent has heard of its end. Of an end that was not its last, nothing happens.
    ParentTold {
        /// The version with which it had ended.
        version: Version,
    },
    /// To hear that it may not pass the point of no return.
    ReturnRefused {
        /// What the parent answered, for people.
        reason: String,
    },
    /// To hear something of a context that it shares with other runs. What it does not wait for changes nothing.
    OfShared(Box<OfShared>),
    /// To do what somebody outside wants of a task.
    OfTask(Box<OfTask>),
    /// To let go of every open attempt, because this process ends in order.
    Interrupt,
    /// To start what can start.
    Go,
    /// To hear that an agent is paused. If no step wants it, nothing happens.
    AgentPaused {
        /// The agent, as the run's steps name it.
        agent: AgentName,
    },
    /// To hear that an agent is not paused any more. If the run does not wait for it, nothing happens.
    AgentFree {
        /// The agent, as the run's steps name it.
        agent: AgentName,
    },
    /// To let what runs end, and to start nothing new. Asked again, nothing happens.
    Pause(Order),
    /// To go on after a pause. Asked of a run that is not paused, nothing happens.
    Unpause(Order),
    /// To go on only until a step or the steps of a phase are done with. Asked again, nothing happens.
    PauseAfter {
        /// Who and why.
        order: Order,
        /// The step or the phase; `next` is the first phase that is not done with, if no step or phase is called that.
        until: Arc<str>,
    },
    /// To end: what runs is told to stop. Asked again, nothing happens.
    Cancel {
        /// The person or program that asks, and their reason.
        order: Order,
        /// Whether what was done is to be undone.
        rollback: bool,
    },
    /// To try again what failed.
    Retry {
        /// The person or program that asks, and their reason.
        order: Order,
        /// The step or the phase that is meant; none means all that failed.
        step: Option<Arc<str>>,
    },
    /// To undo what was done.
    Rollback {
        /// The person or program that asks, and their reason.
        order: Order,
        /// The step or the phase that is kept, and with it all that does not depend on it; none undoes everything.
        to: Option<Arc<str>>,
    },
    /// To grant what is asked.
    Approve {
        /// The request, by its id or the beginning of that, or by the step or the phase that asks.
        request: String,
        /// The name of the person who grants it.
        by: Arc<str>,
        /// Their remark, if they make one.
        note: Option<String>,
        /// What of the arguments, or of the output, is to be changed.
        edits: Option<Edits>,
        /// The hash of what they have looked at, or the beginning of it: what has another is not granted.
        hash: Option<String>,
    },
    /// To refuse what is asked.
    Reject {
        /// The request, by its id or the beginning of that, or by the step or the phase that asks.
        request: String,
        /// The name of the person who refuses it.
        by: Arc<str>,
        /// Their reason for refusing it.
        reason: String,
    },
    /// To record that points of a request's checklist were looked at.
    Check {
        /// The request, by its id or the beginning of that, or by the step or the phase that asks.
        request: String,
        /// The name of the reviewer.
        by: Arc<str>,
        /// The numbers of the points that they looked at, from 1.
        points: Vec<u32>,
    },
    /// To take a signal.
    Signal {
        /// The name of the signal.
        name: Arc<str>,
        /// The data that the step which takes it is to answer.
        data: Json,
        /// The name of the person or program that sends it.
        by: Arc<str>,
    },
    /// To send a message for an attempt or a delivery that is open. With an old fence it is refused.
    Say {
        /// The step that is tried, or whose attempt sent what led to that.
        step: StepId,
        /// The fence of the attempt or the delivery.
        fence: Fence,
        /// The message, as agents send it.
        message: Json,
        /// Where its sender waits for the answer, how many it had asked before.
        asks: Option<u32>,
    },
    /// To hear that an open attempt has handled a message. With an old fence, or of a message that it was not given, it is refused.
    Handled {
        /// The step that is tried.
        step: StepId,
        /// The fence of the attempt.
        fence: Fence,
        /// The number of the message.
        number: MessageNumber,
    },
    /// To take what came of a delivery. With an old fence, nothing happens.
    Delivered {
        /// The fence of the delivery.
        fence: Fence,
        /// The answer of who was delivered it, with what they want beside that.
        output: Output,
    },
    /// To take the failure of a delivery. With an old fence, nothing happens.
    NotDelivered {
        /// The fence of the delivery.
        fence: Fence,
        /// What went wrong, and whether it may be delivered again.
        failure: Failure,
    },
    /// To spend more than its limits let it.
    RaiseBudget(Box<Raise>),
    /// To send a message again to those for whom it is dead.
    Resend {
        /// The number of the message.
        number: MessageNumber,
        /// The name of the person or program that wants it.
        by: Arc<str>,
    },
    /// To settle a compensation that failed for good.
    Resolve {
        /// The name of the person or program that settles it.
        by: Arc<str>,
        /// Their reason for settling it so.
        reason: String,
        /// The step whose compensation it is.
        step: StepId,
        /// Whether the compensation is to be tried again, left out, or taken as done.
        how: Resolution,
    },
}

/// The person or program that asks, and their reason.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Order {
    /// The name of the person or program.
    pub by: Arc<str>,
    /// Their reason; none if they gave none.
    pub reason: Option<String>,
}

impl Ask {
    /// The name by which commits record the command.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Completed { .. } => "attempt_completed",
            Self::Failed { .. } => "attempt_failed",
            Self::Due { .. } => "timer_due",
            Self::Recover { .. } => "recover",
            Self::ForParent(_) => "for_parent",
            Self::OfChild(_) => "of_child",
            Self::NoChild { .. } => "no_child",
            Self::ParentTold { .. } => "parent_told",
            Self::ReturnRefused { .. } => "return_refused",
            Self::OfShared(says) => says.name(),
            Self::OfTask(asked) => asked.name(),
            Self::Interrupt => "interrupt",
            Self::Go => "go",
            Self::AgentPaused { .. } => "agent_paused",
            Self::AgentFree { .. } => "agent_free",
            Self::Pause(_) => "pause",
            Self::Unpause(_) => "unpause",
            Self::PauseAfter { .. } => "pause_after",
            Self::Cancel { .. } => "cancel",
            Self::Retry { .. } => "retry",
            Self::Rollback { .. } => "rollback",
            Self::Resolve { .. } => "resolve",
            Self::Approve { .. } => "approve",
            Self::Reject { .. } => "reject",
            Self::Check { .. } => "check",
            Self::Signal { .. } => "signal",
            Self::RaiseBudget(_) => "raise_budget",
            Self::Resend { .. } => "resend",
            Self::Say { .. } => "say",
            Self::Handled { .. } => "message_handled",
            Self::Delivered { .. } => "message_delivered",
            Self::NotDelivered { .. } => "message_not_delivered",
        }
    }

    /// What it begins the run with, if that has not begun.
    pub fn begins(&self) -> Option<&StartRun> {
        match self {
            Self::Start(start) => Some(start),
            Self::ForParent(asked) => asked.begins(),
            _ => None,
        }
    }

    /// Whether it is no person who asks, but what drives the run: it is never refused.
    pub fn comes_from_driving(&self) -> bool {
        matches!(
            self,
            Self::Completed { .. }
                | Self::Failed { .. }
                | Self::Due { .. }
                | Self::Recover { .. }
                | Self::OfShared(_)
                | Self::Delivered { .. }
                | Self::NotDelivered { .. }
                | Self::Interrupt
                | Self::Go
                | Self::AgentPaused { .. }
                | Self::AgentFree { .. }
        )
    }

    /// Whether it may record open attempts as lost.
    pub fn loses(&self) -> bool {
        matches!(self, Self::Recover { .. } | Self::Interrupt)
    }
}

/// Slots of agents for attempts that may start in the commit of a command, as numbers; the slots themselves are kept by who
/// grants them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(pub BTreeMap<AgentName, u32>);

impl kernel::Grants for Grants {
    fn record(&self) -> Vec<Grant> {
        let granted = self.0.iter().filter(|(_, slots)| **slots > 0);
        let record =
            |(agent, slots): (&AgentName, &u32)| Grant { what: agent.shared(), amount: u64::from(*slots) };
        granted.map(record).collect()
    }

    fn recall(recorded: &[Grant]) -> Self {
        let slots = |amount| u32::try_from(amount).unwrap_or(u32::MAX);
        let grants = recorded.iter().map(|Grant { what, amount }| (AgentName::new(what), slots(*amount)));
        Self(grants.collect())
    }
}

impl Grants {
    /// Whether a slot of an agent is left.
    pub(super) fn has(&self, agent: &AgentName) -> bool {
        self.0.get(agent).is_some_and(|left| *left > 0)
    }

    /// Takes one slot of an agent.
    pub(super) fn take(&mut self, agent: &AgentName) {
        if let Some(left) = self.0.get_mut(agent) {
            *left = left.saturating_sub(1);
        }
    }
}

/// Something that a run wants done outside of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEffect {
    /// A step could start, or be undone. With an agent it waits for a slot.
    Start {
        /// The step that could start.
        step: StepId,
        /// The agent whose slot it needs; none if it needs no slot.
        agent: Option<AgentName>,
        /// Whether it is to be done or undone.
        purpose: Purpose,
    },
    /// An attempt is to be made by an agent, and its result reported.
    Attempt(Arc<AttemptStarted>),
    /// An attempt is to be made by a run of its own.
    Child {
        /// The attempt, with the step that it is one at.
        attempt: Arc<AttemptStarted>,
        /// Whether that run rests: it waits for people, so that no answer of it is due.
        rests: bool,
    },
    /// An attempt is to be made by whoever takes it as a task.
    Task(Arc<AttemptStarted>),
    /// Somebody has taken such an attempt, and is to be told what it is about.
    HandOut {
        /// The fence of the attempt.
        fence: Fence,
        /// The number of their lease.
        lease: u32,
    },
    /// The parent is to be told how this run is.
    Tell(Word),
    /// The parent is to be asked whether the point of no return may be passed.
    AskReturn,
    /// A child is to be told whether it may pass that point.
    AnswerReturn {
        /// The step that it is for.
        step: StepId,
        /// Whether the child may pass it.
        granted: bool,
    },
    /// People are to be asked.
    Ask {
        /// The request that is open.
        request: RequestId,
        /// The step that the request is about.
        step: StepId,
    },
    /// An attempt is to be stopped; its result is still awaited.
    Stop {
        /// The step whose attempt it is.
        step: StepId,
        /// The fence of the attempt.
        fence: Fence,
    },
    /// A context that it shares with other runs is to be asked for something.
    Shared(SharedEffect),
    /// A message is to be delivered, and what comes of that reported.
    Deliver(Arc<DeliveryStarted>),
    /// An open attempt is to be given a message.
    Give {
        /// The fence of the attempt.
        fence: Fence,
        /// The number of the message.
        number: MessageNumber,
    },
    /// An open attempt or delivery is to be told the answer for which it waits.
    Answer {
        /// The fence of the attempt or the delivery.
        fence: Fence,
        /// How many it had asked before.
        nth: u32,
        /// What the answer says.
        answer: Payload,
    },
    /// The run is to be woken.
    Wake {
        /// The timer that is due then.
        timer: TimerId,
        /// The moment before which the run is not woken.
        at: Deadline,
    },
}

/// What tells an effect from the others of its run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RunEffectId {
    /// Names a [`RunEffect::Start`] by its step.
    Start(StepId),
    /// Names a [`RunEffect::Attempt`], a [`RunEffect::Child`] or a [`RunEffect::Task`] by the fence of the attempt.
    Attempt(Fence),
    /// Names a [`RunEffect::HandOut`] by the fence of the attempt.
    HandOut(Fence),
    /// Names the [`RunEffect::Tell`], of which a run has one at most.
    Tell,
    /// Names the [`RunEffect::AskReturn`], of which a run has one at most.
    AskReturn,
    /// Names a [`RunEffect::AnswerReturn`] by the step whose child it answers.
    AnswerReturn(StepId),
    /// Names a [`RunEffect::Ask`] by its request.
    Ask(RequestId),
    /// Names a [`RunEffect::Stop`] by the fence of the attempt.
    Stop(Fence),
    /// Names a [`RunEffect::Shared`].
    Shared(SharedEffectId),
    /// Names a [`RunEffect::Deliver`] by its fence.
    Deliver(Fence),
    /// Names a [`RunEffect::Give`] by who is given the message, and its number.
    Give(Fence, MessageNumber),
    /// Names a [`RunEffect::Answer`] by who waits for it, and how many it had asked before.
    Answer(Fence, u32),
    /// Names a [`RunEffect::Wake`] by its timer.
    Wake(TimerId),
}

impl Effect for RunEffect {
    type Id = RunEffectId;

    fn id(&self) -> RunEffectId {
        match self {
            Self::Start { step, .. } => RunEffectId::Start(step.clone()),
            Self::Attempt(started) | Self::Task(started) | Self::Child { attempt: started, .. } => {
                RunEffectId::Attempt(started.fence)
            }
            Self::HandOut { fence, .. } => RunEffectId::HandOut(*fence),
            Self::Tell(_) => RunEffectId::Tell,
            Self::AskReturn => RunEffectId::AskReturn,
            Self::AnswerReturn { step, .. } => RunEffectId::AnswerReturn(step.clone()),
            Self::Ask { request, .. } => RunEffectId::Ask(request.clone()),
            Self::Stop { fence, .. } => RunEffectId::Stop(*fence),
            Self::Shared(effect) => RunEffectId::Shared(effect.id()),
            Self::Deliver(started) => RunEffectId::Deliver(started.fence),
            Self::Give { fence, number } => RunEffectId::Give(*fence, *number),
            Self::Answer { fence, nth, .. } => RunEffectId::Answer(*fence, *nth),
            Self::Wake { timer, .. } => RunEffectId::Wake(timer.clone()),
        }
    }

    fn lasts(&self) -> Lasts {
        match self {
            Self::Start { .. } | Self::Task(_) => Lasts::Hint,
            Self::Attempt(_) | Self::Deliver(_) => Lasts::Process,
            Self::Child { rests: false, .. } | Self::AskReturn => Lasts::Answer,
            Self::Child { rests: true, .. } => Lasts::Elsewhere,
            Self::Ask { .. }
            | Self::Stop { .. }
            | Self::Tell(_)
            | Self::HandOut { .. }
            | Self::Give { .. }
            | Self::Answer { .. }
            | Self::AnswerReturn { .. } => Lasts::Told,
            Self::Shared(effect) => effect.lasts(),
            Self::Wake { at, .. } => Lasts::Until(*at),
        }
    }
}

impl RunEffect {
    /// An attempt, with whoever makes it.
    pub(super) fn attempt(attempt: &Arc<AttemptStarted>, rests: bool) -> Self {
        let attempt = Arc::clone(attempt);
        if is_made_by(&attempt.agent) { Self::Child { attempt, rests } } else { Self::Attempt(attempt) }
    }
}
