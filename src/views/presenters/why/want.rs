//! What is looked for, further and further back, and whether an event is it.

use std::sync::Arc;

use super::past::Past;
use crate::events::ids::{AgentName, ContextKey, ContextName, MessageNumber, RequestId, StepId, TimerId};
use crate::events::problem::Code;
use crate::events::run::{Because, Handling, Purpose, RunEvent, SkipReason};

/// What is looked for. Each is the newest such event of those that were not looked at yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Want {
    /// With what the run began.
    Start,
    /// What ended, paused or turned back the run.
    End,
    /// The last that became of a step.
    Newest(StepId),
    /// How a step came to what it answered, or to nothing.
    Made(StepId),
    /// Why a step answered nothing. One that has answered is no cause.
    Unmade(StepId),
    /// A step failed for good.
    Failed(StepId),
    /// An attempt ended without success.
    Tried(StepId, Purpose),
    /// An attempt began.
    Began(StepId, Purpose),
    /// Attempts before the one with that number ended without success.
    Earlier(StepId, Purpose, u32),
    /// Another agent took a step over.
    FellBack(StepId),
    /// People were asked.
    Asked(RequestId),
    /// Somebody granted it.
    Granted(RequestId),
    /// It was refused, or nobody answered in time.
    Refused(RequestId),
    /// A step began to wait for a signal.
    Awaited(StepId),
    /// A signal came.
    Sent(Arc<str>),
    /// Somebody wrote a key of the context.
    Written(ContextKey),
    /// A step read a key of a shared context.
    Read(StepId, ContextName, ContextKey),
    /// A step began to wait for a lock.
    Locked(StepId),
    /// A step was told what is at hand of its conversation.
    Heard(StepId),
    /// A step took an earlier answer.
    Cached(StepId),
    /// A step handed its work over.
    HandedOver(StepId),
    /// It was decided who does what somebody asked for.
    Routed,
    /// A manager was asked about a step.
    Escalated(StepId),
    /// Who made a plan was asked to mend it.
    Mended(StepId),
    /// Somebody took the task that an attempt is.
    Taken(StepId, Purpose, u32),
    /// Somebody had that task for too long.
    Lapsed(StepId, Purpose, u32),
    /// An attempt handled a message that it was given.
    Handled(StepId, Purpose, u32),
    /// Somebody sent a message.
    Message(MessageNumber),
    /// Why a step was stopped.
    Stopped(StepId),
    /// What still ran when the time of the run was over. Nobody goes further back for it alone.
    Overrun,
    /// The time of the run was over.
    TimeOver,
    /// The run began to be undone.
    RolledBack,
    /// Somebody cancelled it.
    Cancelled,
    /// It was a step's turn to be undone.
    Opened(StepId),
    /// A step could not be undone.
    NotUndone(StepId),
    /// An agent was found to be paused.
    AgentPaused(AgentName),
    /// What was left to spend was not enough.
    Exhausted,
    /// A run of its own ended an attempt.
    ChildEnded(StepId),
    /// A step joined the graph.
    Added(StepId),
}

/// What an event is to a want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    /// Nothing.
    No,
    /// What was looked for.
    Found,
    /// A part of it; there may be more.
    Part,
    /// It shows that there is no such event.
    Never,
}

impl Want {
    /// What is looked for instead of what a step answered that has handed its work over: what the last of the chain did.
    pub(super) fn at_the_end_of_its_chain(self, past: &Past<'_>) -> Self {
        let last = |step: &StepId| {
            let node = past.node(step).filter(|node| !node.handoffs.is_empty())?;
            let last = past.inside(node).rfind(|inner| inner.added.because == Because::Handoff);
            last.map(|last| last.id().clone())
        };
        match &self {
            Self::Made(step) => last(step).map_or(self, Self::Made),
            Self::Unmade(step) => last(step).map_or(self, Self::Unmade),
            _ => self,
        }
    }

    /// Whether it alone is worth going further back.
    pub(super) fn is_sought(&self) -> bool {
        !matches!(self, Self::Overrun | Self::Start)
    }

    /// Whether an event of that type could be it.
    pub(super) fn could_be(&self, kind: &str) -> bool {
        match self {
            Self::Start => kind == "run_started",
            Self::Routed => kind == "request_routed",
            Self::End => kind.starts_with("run_") || matches!(kind, "rollback_started" | "cancel_requested"),
            Self::Newest(_) => true,
            Self::Made(_) | Self::Unmade(_) => kind.starts_with("step_") || kind == "approval_granted",
            Self::Failed(_) => matches!(kind, "step_failed" | "step_skipped"),
            Self::Tried(..) | Self::Earlier(..) | Self::Overrun | Self::Began(..) => {
                kind.starts_with("attempt_") || kind == "timer_fired"
            }
            Self::FellBack(_) => kind == "fallback_engaged",
            Self::Asked(_) | Self::Granted(_) | Self::Refused(_) => kind.starts_with("approval_"),
            Self::Awaited(_) | Self::Sent(_) => kind.starts_with("signal_"),
            Self::Written(_) => kind == "context_changed",
            Self::Read(..) => kind == "context_read",
            Self::Locked(_) => kind == "lock_requested",
            Self::Heard(_) => kind == "conversation_read",
            Self::Cached(_) => kind == "cache_hit",
            Self::HandedOver(_) => kind == "handoff_declared",
            Self::Escalated(_) => kind == "escalated",
            Self::Mended(_) => kind == "repair_asked",
            Self::Taken(..) => matches!(kind, "task_taken" | "attempt_started"),
            Self::Lapsed(..) => matches!(kind, "task_lapsed" | "attempt_started"),
            Self::Handled(..) => matches!(kind, "message_handled" | "attempt_started"),
            Self::Message(_) => kind == "message_sent",
            Self::Stopped(_) => {
                matches!(kind, "step_failed" | "timer_fired" | "cancel_requested" | "rollback_started")
            }
            Self::TimeOver => kind == "timer_fired",
            Self::RolledBack => kind == "rollback_started",
            Self::Cancelled => kind == "cancel_requested",
            Self::Opened(_) | Self::NotUndone(_) => kind.starts_with("compensation_"),
            Self::AgentPaused(_) => kind == "agent_awaited",
            Self::Exhausted => kind == "budget_exhausted",
            Self::ChildEnded(_) => kind == "child_ended",
            Self::Added(_) => kind == "step_added",
        }
    }

    /// What an event of that type says somewhere, if it is it; none where that is not known.
    pub(super) fn names(&self, kind: &str) -> Option<&str> {
        match self {
            Self::Made(step) | Self::Unmade(step) if kind.starts_with("step_") => Some(step.as_str()),
            Self::Newest(step)
            | Self::Failed(step)
            | Self::Tried(step, _)
            | Self::Began(step, _)
            | Self::Earlier(step, ..)
            | Self::Handled(step, ..)
            | Self::FellBack(step)
            | Self::HandedOver(step)
            | Self::Cached(step)
            | Self::Escalated(step)
            | Self::Mended(step)
            | Self::Taken(step, ..)
            | Self::Lapsed(step, ..)
            | Self::Awaited(step)
            | Self::Read(step, ..)
            | Self::Locked(step)
            | Self::Heard(step)
            | Self::Opened(step)
            | Self::NotUndone(step)
            | Self::ChildEnded(step)
            | Self::Added(step) => Some(step.as_str()),
            Self::Asked(request) | Self::Granted(request) | Self::Refused(request) => Some(request.as_str()),
            Self::Written(key) => Some(key.as_str()),
            _ => None,
        }
    }

    pub(super) fn met_by(&self, event: &RunEvent, past: &Past<'_>) -> Met {
        let found = match self {
            Self::Made(step) => return made(step, event, past, Met::Found),
            Self::Unmade(step) => return made(step, event, past, Met::Never),
            Self::Earlier(step, purpose, before) => return earlier(step, *purpose, *before, event),
            Self::Overrun => return overrun(event),
            Self::Taken(step, purpose, attempt) | Self::Lapsed(step, purpose, attempt) => {
                return of_task(self, (step, *purpose, *attempt), event);
            }
            Self::Handled(step, purpose, attempt) => return handled(step, *purpose, *attempt, event),
            Self::Message(number) => matches!(event, RunEvent::MessageSent(sent) if sent.number == *number),
            Self::Start => matches!(event, RunEvent::RunStarted(_)),
            Self::Routed => matches!(event, RunEvent::RequestRouted(_)),
            Self::End => is_end(event),
            Self::Newest(step) => tells_of(event) == Some(step),
            Self::Failed(step) => is_failure(event) == Some(step),
            Self::Tried(step, purpose) => tried(event) == Some((step, *purpose)),
            Self::Began(step, purpose) => {
                matches!(event, RunEvent::AttemptStarted(began) if (&began.step, began.purpose) == (step, *purpose))
            }
            Self::FellBack(step) => matches!(event, RunEvent::FallbackEngaged(to) if to.step == *step),
            Self::Asked(request) => {
                matches!(event, RunEvent::ApprovalRequested(asked) if asked.request == *request)
            }
            Self::Granted(request) => {
                matches!(event, RunEvent::ApprovalGranted(granted) if granted.request == *request)
            }
            Self::Refused(request) => match event {
                RunEvent::ApprovalRefused(refused) => refused.request == *request,
                RunEvent::ApprovalExpired(expired) => expired.request == *request,
                _ => false,
            },
            Self::Awaited(step) => matches!(event, RunEvent::SignalAwaited(awaited) if awaited.step == *step),
            Self::Sent(name) => matches!(event, RunEvent::SignalReceived(came) if came.name == *name),
            Self::Written(key) => matches!(event, RunEvent::ContextChanged(changed) if changed.key == *key),
            Self::Read(step, context, key) => {
                matches!(event, RunEvent::ContextRead(read) if (&read.step, &read.context, &read.key) == (step, context, key))
            }
            Self::Locked(step) => matches!(event, RunEvent::LockRequested(lock) if lock.step == *step),
            Self::Heard(step) => matches!(event, RunEvent::ConversationRead(read) if read.step == *step),
            Self::Cached(step) => matches!(event, RunEvent::CacheHit(hit) if hit.step == *step),
            Self::HandedOver(step) => matches!(event, RunEvent::HandoffDeclared(told) if told.step == *step),
            Self::Escalated(step) => matches!(event, RunEvent::Escalated(asked) if asked.step == *step),
            Self::Mended(step) => matches!(event, RunEvent::RepairAsked(asked) if asked.step == *step),
            Self::Stopped(step) => stops(event, step),
            Self::TimeOver => {
                matches!(event, RunEvent::TimerFired(fired) if fired.timer == TimerId::duration())
            }
            Self::RolledBack => matches!(event, RunEvent::RollbackStarted(_)),
            Self::Cancelled => matches!(event, RunEvent::CancelRequested(_)),
            Self::Opened(step) => {
                matches!(event, RunEvent::CompensationStarted(opened) if opened.step == *step)
            }
            Self::NotUndone(step) => {
                matches!(event, RunEvent::CompensationFailed(failed) if failed.step == *step)
            }
            Self::AgentPaused(agent) => {
                matches!(event, RunEvent::AgentAwaited(awaited) if awaited.agent == *agent)
            }
            Self::Exhausted => matches!(event, RunEvent::BudgetExhausted(_)),
            Self::ChildEnded(step) => matches!(event, RunEvent::ChildEnded(ended) if ended.step == *step),
            Self::Added(step) => matches!(event, RunEvent::StepAdded(added) if added.step == *step),
        };
        if found { Met::Found } else { Met::No }
    }
}

fn made(step: &StepId, event: &RunEvent, past: &Past<'_>, if_made: Met) -> Met {
    match event {
        RunEvent::StepCompleted(done) if done.step == *step => if_made,
        RunEvent::StepSkipped(skipped) if skipped.step == *step => Met::Found,
        RunEvent::StepFailed(failed) if failed.step == *step => Met::Found,
        RunEvent::StepCancelled(cancelled) if cancelled.step == *step => Met::Found,
        RunEvent::StepCompensated(undone) if undone.step == *step => Met::Found,
        // Somebody changed what it had answered.
        RunEvent::ApprovalGranted(granted) if granted.output.is_some() => {
            let asked = past.request(&granted.request).map(|request| &request.asked.step);
            if asked == Some(step) { Met::Part } else { Met::No }
        }
        RunEvent::StepAdded(added) if added.step == *step => Met::Never,
        _ => Met::No,
    }
}

fn earlier(step: &StepId, purpose: Purpose, before: u32, event: &RunEvent) -> Met {
    let number = match event {
        RunEvent::AttemptFailed(failed) => Some(failed.attempt),
        RunEvent::AttemptLost(lost) => Some(lost.attempt),
        // There is none before the first.
        RunEvent::AttemptStarted(began)
            if (&began.step, began.purpose, began.attempt) == (step, purpose, 1) =>
        {
            return Met::Never;
        }
        _ => None,
    };
    match number.filter(|number| *number < before && tried(event) == Some((step, purpose))) {
        Some(_) => Met::Part,
        None => Met::No,
    }
}

fn handled(step: &StepId, purpose: Purpose, attempt: u32, event: &RunEvent) -> Met {
    let is_its = |of: &StepId, for_what, number| (of, for_what, number) == (step, purpose, attempt);
    match event {
        // What was delivered, or what it asked, it was not given.
        RunEvent::MessageHandled(done) if done.delivery.is_some() => Met::No,
        RunEvent::MessageHandled(done) if is_its(&done.step, done.purpose, done.attempt) => Met::Part,
        // It was given none.
        RunEvent::AttemptStarted(began) if is_its(&began.step, began.purpose, began.attempt) => Met::Never,
        _ => Met::No,
    }
}

/// Whether an event says of a task, named by its attempt, that it was taken or lapsed, whichever is wanted.
fn of_task(wanted: &Want, task: (&StepId, Purpose, u32), event: &RunEvent) -> Met {
    let is_lapse = matches!(wanted, Want::Lapsed(..));
    match event {
        RunEvent::TaskTaken(taken) if !is_lapse && (&taken.step, taken.purpose, taken.attempt) == task => {
            Met::Found
        }
        RunEvent::TaskLapsed(lapsed)
            if is_lapse && (&lapsed.step, lapsed.purpose, lapsed.attempt) == task =>
        {
            Met::Found
        }
        // Nobody has.
        RunEvent::AttemptStarted(began) if (&began.step, began.purpose, began.attempt) == task => Met::Never,
        _ => Met::No,
    }
}

fn overrun(event: &RunEvent) -> Met {
    match event {
        RunEvent::AttemptFailed(failed) if failed.code == Code::Cancelled => Met::Part,
        RunEvent::TimerFired(fired) if fired.timer == TimerId::duration() => Met::Never,
        _ => Met::No,
    }
}

fn is_end(event: &RunEvent) -> bool {
    matches!(
        event,
        RunEvent::RunCompleted(_)
            | RunEvent::RunFailed(_)
            | RunEvent::RunCompensated(_)
            | RunEvent::RunCancelled(_)
            | RunEvent::RunStuck(_)
            | RunEvent::RunPaused(_)
            | RunEvent::RollbackStarted(_)
            | RunEvent::CancelRequested(_)
    )
}

fn is_failure(event: &RunEvent) -> Option<&StepId> {
    match event {
        RunEvent::StepFailed(failed) => Some(&failed.step),
        RunEvent::StepSkipped(skipped) if skipped.reason == SkipReason::Failure => Some(&skipped.step),
        _ => None,
    }
}

fn tried(event: &RunEvent) -> Option<(&StepId, Purpose)> {
    match event {
        RunEvent::AttemptFailed(failed) => Some((&failed.step, failed.purpose)),
        RunEvent::AttemptLost(lost) => Some((&lost.step, lost.purpose)),
        _ => None,
    }
}

/// Whether an event is why a step is stopped that is not to be done any more.
fn stops(event: &RunEvent, step: &StepId) -> bool {
    match event {
        RunEvent::StepFailed(failed) => failed.handling != Handling::Tolerated && failed.step != *step,
        RunEvent::TimerFired(fired) => fired.timer == TimerId::duration(),
        RunEvent::CancelRequested(_) | RunEvent::RollbackStarted(_) => true,
        _ => false,
    }
}

/// The step of which an event tells what became of it.
fn tells_of(event: &RunEvent) -> Option<&StepId> {
    Some(match event {
        RunEvent::StepAdded(event) => &event.step,
        RunEvent::AttemptStarted(event) => &event.step,
        RunEvent::AttemptFailed(event) => &event.step,
        RunEvent::AttemptLost(event) => &event.step,
        RunEvent::RetryScheduled(event) => &event.step,
        RunEvent::FallbackEngaged(event) => &event.step,
        RunEvent::HandoffDeclared(event) => &event.step,
        RunEvent::Escalated(event) => &event.step,
        RunEvent::RepairAsked(event) => &event.step,
        RunEvent::TaskOffered(event) => &event.step,
        RunEvent::TaskTaken(event) => &event.step,
        RunEvent::TaskProgressed(event) => &event.step,
        RunEvent::TaskLapsed(event) => &event.step,
        RunEvent::StepCompleted(event) => &event.step,
        RunEvent::StepSkipped(event) => &event.step,
        RunEvent::StepFailed(event) => &event.step,
        RunEvent::StepCancelled(event) => &event.step,
        RunEvent::TimerSet(event) => &event.step,
        RunEvent::ApprovalRequested(event) => &event.step,
        RunEvent::SignalAwaited(event) => &event.step,
        RunEvent::ContextAwaited(event) => &event.step,
        RunEvent::LockRequested(event) => &event.step,
        RunEvent::ConversationAwaited(event) => &event.step,
        RunEvent::ChildRested(event) => &event.step,
        RunEvent::ChildEnded(event) => &event.step,
        RunEvent::CompensationStarted(event) => &event.step,
        RunEvent::StepCompensated(event) => &event.step,
        RunEvent::CompensationFailed(event) => &event.step,
        RunEvent::CompensationResolved(event) => &event.step,
        _ => return None,
    })
}
