//! The fold of a run: one total match, which never panics. What cannot follow is an [`IllegalEvent`].
//!
//! Here is what attempts do to steps; how the graph grows and goes on is in `graph`, what people do in `control`, and
//! how a run is undone in `saga`, what they are asked in `people`, what runs of its own do for it in `children`, which paused
//! agents it waits for in `agents`.

mod agents;
mod children;
mod control;
mod graph;
mod people;
mod saga;

use std::sync::Arc;

use super::node::{StepError, Trace};
use super::{
    About, Answer, Done, Driven, End, Ended, Ending, Gated, Node, Phase, Run, RunEffect, RunEffectId,
    StepPhase, TimerOf, Why,
};
use crate::events::ids::{RunId, StepId};
use crate::events::run::*;
use crate::events::time::Timestamp;
use crate::kernel::{At, EffectChanges, IllegalEvent};

type Changes = EffectChanges<RunEffect>;

/// What an event contradicts.
type Contradiction = String;

pub(super) fn evolve(
    run: &mut Run,
    event: &RunEvent,
    at: &At<'_>,
    changes: &mut Changes,
) -> Result<(), IllegalEvent> {
    Fold { run, changes, now: at.time }
        .apply(event, at)
        .map_err(|why| IllegalEvent { version: at.version, why })
}

/// All open effects, as the changes since the beginning would give them.
pub(super) fn open(run: &Run) -> Vec<RunEffect> {
    let mut effects = Vec::new();
    for (place, node) in run.steps.iter().enumerate() {
        let is_ready = node.phase == StepPhase::Ready && !run.passing.contains(&place);
        if is_ready && run.phase == Phase::Going && !run.paused {
            effects.push(start(node));
        }
        if let Gated::By(request) = &node.gate {
            effects.push(RunEffect::Ask { request: request.clone(), step: node.id().clone() });
        }
        let attempts = [node.open_attempt(), node.open_undo_attempt()];
        for attempt in attempts.into_iter().flatten() {
            let rests = node.child.as_ref().is_some_and(|child| child.rests);
            effects.push(RunEffect::attempt(attempt, rests));
            if (node.stopping || node.overdue) && attempt.purpose == Purpose::Do {
                effects.push(stop(attempt));
            }
        }
    }
    effects.extend(saga::open(run));
    effects.extend(run.open_timers());
    effects.extend(children::open(run));
    effects
}

fn start(node: &Node) -> RunEffect {
    RunEffect::Start { step: node.id().clone(), agent: node.slot().cloned(), purpose: Purpose::Do }
}

fn stop(attempt: &AttemptStarted) -> RunEffect {
    RunEffect::Stop { step: attempt.step.clone(), fence: attempt.fence }
}

impl Run {
    /// Whether a step is not to be done any more: the run is about to end, or undoes what it would be part of.
    pub(super) fn is_given_up(&self, place: usize) -> bool {
        match &self.phase {
            Phase::Ending(_) | Phase::Ended(_) => true,
            Phase::Unwinding(unwinding) => unwinding.undoes(place),
            Phase::Going | Phase::Back(_) | Phase::Empty => false,
        }
    }

    /// Whether what runs of a step is not wanted any more.
    fn wants_stop(&self, place: usize, node: &Node) -> bool {
        match &self.phase {
            Phase::Ending(ending) => ending.fast && !node.added.irreversible,
            Phase::Unwinding(unwinding) => unwinding.undoes(place),
            _ => false,
        }
    }
}

struct Fold<'f> {
    run: &'f mut Run,
    changes: &'f mut Changes,
    now: Timestamp,
}

impl Fold<'_> {
    fn apply(&mut self, event: &RunEvent, at: &At<'_>) -> Result<(), Contradiction> {
        self.may_follow(event)?;
        self.follow(event, at)?;
        self.keep_passage();
        self.keep_time();
        self.note_driven(event);
        self.run.note_word(at.version, self.changes);
        Ok(())
    }

    fn follow(&mut self, event: &RunEvent, at: &At<'_>) -> Result<(), Contradiction> {
        match event {
            RunEvent::RunStarted(event) => self.run_started(event, at),
            RunEvent::StepAdded(event) => self.step_added(event),
            RunEvent::AttemptStarted(event) => match event.purpose {
                Purpose::Do => self.attempt_started(event),
                Purpose::Compensate => self.undo_started(event),
            },
            RunEvent::AttemptFailed(event) => match event.purpose {
                Purpose::Do => self.attempt_failed(event),
                Purpose::Compensate => self.undo_failed(event),
            },
            RunEvent::AttemptLost(event) => match event.purpose {
                Purpose::Do => self.attempt_lost(event),
                Purpose::Compensate => self.undo_lost(event),
            },
            RunEvent::RetryScheduled(event) => match event.purpose {
                Purpose::Do => self.retry_scheduled(event),
                Purpose::Compensate => self.undo_retry_scheduled(event),
            },
            RunEvent::FallbackEngaged(event) => self.fallback_engaged(event),
            RunEvent::StepCompleted(event) => self.step_completed(event),
            RunEvent::StepSkipped(event) => self.step_skipped(event),
            RunEvent::StepFailed(event) => self.step_failed(event),
            RunEvent::StepCancelled(event) => self.step_cancelled(event),
            RunEvent::TimerSet(event) => self.timer_set(event),
            RunEvent::TimerFired(event) => self.timer_fired(event),
            RunEvent::ApprovalRequested(event) => self.approval_requested(event),
            RunEvent::ApprovalChecked(event) => self.approval_checked(event),
            RunEvent::ApprovalGranted(event) => self.approval_granted(event),
            RunEvent::ApprovalRefused(event) => self.approval_refused(event),
            RunEvent::ApprovalExpired(event) => self.approval_expired(event),
            RunEvent::SignalAwaited(event) => self.signal_awaited(event),
            RunEvent::SignalReceived(event) => self.signal_received(event),
            RunEvent::ChildStarted(event) => self.child_started(event),
            RunEvent::ChildRested(event) => self.child_rested(event),
            RunEvent::ChildStirred(event) => self.child_stirred(event),
            RunEvent::ChildEnded(event) => self.child_ended(event),
            RunEvent::ReturnAsked(event) => self.return_asked(event),
            RunEvent::ReturnAnswered(event) => self.return_answered(event),
            RunEvent::ChildPastReturn(event) => self.child_past_return(event),
            RunEvent::DrivingBegan(event) => self.driving_began(event),
            RunEvent::AgentAwaited(event) => self.agent_awaited(event),
            RunEvent::AgentAwaitEnded(event) => self.agent_await_ended(event),
            RunEvent::RunPaused(event) => self.run_paused(event),
            RunEvent::RunUnpaused(event) => self.run_unpaused(event),
            RunEvent::CancelRequested(event) => self.cancel_requested(event),
            RunEvent::RetryRequested(event) => self.retry_requested(event),
            RunEvent::RollbackStarted(event) => self.rollback_started(event),
            RunEvent::CompensationStarted(event) => self.compensation_started(event),
            RunEvent::StepCompensated(event) => self.step_compensated(event),
            RunEvent::CompensationFailed(event) => self.compensation_failed(event),
            RunEvent::CompensationResolved(event) => self.compensation_resolved(event),
            RunEvent::RunCompleted(event) => self.run_completed(event),
            RunEvent::RunFailed(event) => self.run_gives_up(End::Failed(event.clone())),
            RunEvent::RunCompensated(_) => self.run_compensated(),
            RunEvent::RunCancelled(_) => self.run_gives_up(End::Cancelled),
            RunEvent::RunStuck(event) => self.run_stuck(event),
        }
    }

    /// Whether an event of that type can follow at all where the run is in its life.
    fn may_follow(&self, event: &RunEvent) -> Result<(), Contradiction> {
        match (&self.run.phase, event) {
            (Phase::Empty, RunEvent::RunStarted(_)) => Ok(()),
            (Phase::Empty, _) => Err("the run has not started".to_owned()),
            (_, RunEvent::RunStarted(_)) => Err("the run has started already".to_owned()),
            (
                Phase::Ended(_),
                RunEvent::RollbackStarted(_)
                | RunEvent::RetryRequested(_)
                | RunEvent::CompensationResolved(_)
                | RunEvent::CancelRequested(_),
            ) => Ok(()),
            (Phase::Ended(_), _) => Err("the run has ended".to_owned()),
            _ => Ok(()),
        }
    }

    fn run_started(&mut self, event: &RunStarted, at: &At<'_>) -> Result<(), Contradiction> {
        let id: RunId = at.stream.run().ok_or("the stream is not a run's")?;
        self.run.about = Some(Arc::new(About { id, at: at.time, started: event.clone() }));
        self.run.phase = Phase::Going;
        self.run.until.clone_from(&event.until);
        self.run.time_left_us = event.duration_limit_us;
        self.run.driven = Driven { at: at.time, time_left_us: event.duration_limit_us.unwrap_or_default() };
        Ok(())
    }

    fn attempt_started(&mut self, event: &AttemptStarted) -> Result<(), Contradiction> {
        let place = self.place(&event.step)?;
        let (fence, now) = (self.run.fence, self.now);
        let node = self.node_mut(place)?;
        if node.phase != StepPhase::Ready {
            return Err(format!("step `{}` is {} and cannot start an attempt", event.step, node.status()));
        }
        if event.attempt != node.attempts + 1 || event.fence <= fence {
            return Err(format!("attempt {} of step `{}` is out of order", event.attempt, event.step));
        }
        self.take_from_ready(place)?;
        let attempt = Arc::new(event.clone());
        let node = self.node_mut(place)?;
        node.attempts = event.attempt;
        node.started_at.get_or_insert(now);
        node.phase = StepPhase::Running(Arc::clone(&attempt));
        self.run.fence = event.fence;
        self.open_attempt(place, &attempt);
        Ok(())
    }

    fn attempt_failed(&mut self, event: &AttemptFailed) -> Result<(), Contradiction> {
        let place = self.end_attempt(&event.step, event.attempt)?;
        let node = self.node_mut(place)?;
        node.failures += 1;
        node.trace = node.trace.max(match event.outcome {
            Outcome::Known => Trace::Failed,
            Outcome::Unknown => Trace::Unknown,
        });
        node.usage = node.usage.and(event.usage);
        node.error = Some(StepError { class: event.class, code: event.code, message: event.message.clone() });
        Ok(())
    }

    fn attempt_lost(&mut self, event: &AttemptLost) -> Result<(), Contradiction> {
        let place = self.end_attempt(&event.step, event.attempt)?;
        let node = self.node_mut(place)?;
        node.trace = Trace::Unknown;
        // A child goes on whoever sees it through: it cannot be what ended the process.
        node.lost += u32::from(!event.interrupted && node.child.is_none());
        self.make_ready(place)
    }

    fn retry_scheduled(&mut self, event: &RetryScheduled) -> Result<(), Contradiction> {
        let place = self.expect(&event.step, "be tried again", |phase| *phase == StepPhase::Between)?;
        self.node_mut(place)?.phase = StepPhase::Retrying(event.timer.clone());
        self.set_timer(&event.timer, TimerOf::Step(place), event.at);
        Ok(())
    }

    fn fallback_engaged(&mut self, event: &FallbackEngaged) -> Result<(), Contradiction> {
        let can_follow = |phase: &StepPhase| matches!(phase, StepPhase::Between | StepPhase::Ready);
        let place = self.expect(&event.step, "be done by another agent", can_follow)?;
        self.close(place)?;
        let node = self.node_mut(place)?;
        (node.fallback, node.failures, node.lost) = (Some(event.to.clone()), 0, 0);
        // What was granted is another agent's work.
        node.granted = None;
        self.make_ready(place)
    }

    fn timer_set(&mut self, event: &TimerSet) -> Result<(), Contradiction> {
        let place = self.expect(&event.step, "sleep", |phase| *phase == StepPhase::Ready)?;
        self.take_from_ready(place)?;
        let now = self.now;
        let node = self.node_mut(place)?;
        node.started_at.get_or_insert(now);
        node.phase = StepPhase::Sleeping(event.timer.clone());
        self.set_timer(&event.timer, TimerOf::Step(place), event.at);
        Ok(())
    }

    fn timer_fired(&mut self, event: &TimerFired) -> Result<(), Contradiction> {
        let timer = self.run.timers.get(&event.timer);
        let of = timer.ok_or_else(|| format!("timer `{}` is not set", event.timer))?.of;
        match of {
            TimerOf::Run => self.end_time(),
            TimerOf::Undo(place) => self.undo_ready(place),
            TimerOf::Child(place) => self.child_is_overdue(place, &event.timer),
            // What becomes of the attempt is said next.
            TimerOf::UndoChild(_) => {
                self.unset_timer(event.timer.clone());
                Ok(())
            }
            TimerOf::People(place) => match self.node_mut(place)?.phase {
                StepPhase::Awaiting(_) => self.close(place),
                // The request expires with what follows in this commit.
                _ => {
                    self.unset_timer(event.timer.clone());
                    Ok(())
                }
            },
            TimerOf::Step(place) => {
                let retries = matches!(self.node_mut(place)?.phase, StepPhase::Retrying(_));
                self.close(place)?;
                if retries { self.make_ready(place) } else { Ok(()) }
            }
        }
    }

    fn step_completed(&mut self, event: &StepCompleted) -> Result<(), Contradiction> {
        let place = self.expect(&event.step, "complete", |phase| match phase {
            StepPhase::Running(attempt) => attempt.attempt == event.attempt,
            StepPhase::Ready | StepPhase::Between | StepPhase::Awaiting(_) | StepPhase::Expanded => {
                event.attempt == 0
            }
            _ => false,
        })?;
        let node = self.node_mut(place)?;
        if node.phase == StepPhase::Expanded && !node.is_done_inside() {
            return Err(format!("what grew in step `{}` is not done", event.step));
        }
        if matches!(node.phase, StepPhase::Awaiting(_)) {
            self.take_signal(place)?;
        }
        self.close(place)?;
        let node = self.node_mut(place)?;
        node.usage = node.usage.and(event.usage);
        node.error = None;
        node.phase = StepPhase::Completed(Done {
            output: event.output.clone(),
            artifacts: event.artifacts.clone(),
            cached: event.cached,
            degraded: event.degraded,
        });
        self.run.degraded |= event.degraded;
        if self.run.is_given_up(place) {
            // It came through after all, and nobody is asked about that unless the run goes on.
            self.withdraw(|asking, _| asking == place);
        }
        self.finish_if_done(place)
    }

    fn step_skipped(&mut self, event: &StepSkipped) -> Result<(), Contradiction> {
        let place = self.expect_open(&event.step, "be skipped")?;
        self.close(place)?;
        self.node_mut(place)?.phase =
            StepPhase::Skipped { reason: event.reason, message: event.message.clone() };
        self.run.degraded |= event.reason != SkipReason::Condition;
        self.finish(place)
    }

    fn step_failed(&mut self, event: &StepFailed) -> Result<(), Contradiction> {
        let place = self.expect_open(&event.step, "fail")?;
        self.close(place)?;
        let now = self.now;
        let node = self.node_mut(place)?;
        let tolerated = event.handling == Handling::Tolerated;
        node.phase = StepPhase::Failed { tolerated };
        node.ended_at = Some(now);
        node.error = Some(StepError { class: event.class, code: event.code, message: event.message.clone() });
        if tolerated {
            self.run.degraded = true;
            return self.finish(place);
        }
        self.begin_to_end(Why::Failed(place), event.handling == Handling::FailsFast);
        self.became_of(place);
        Ok(())
    }

    fn step_cancelled(&mut self, event: &StepCancelled) -> Result<(), Contradiction> {
        let place = self.expect_open(&event.step, "be cancelled")?;
        self.close(place)?;
        let now = self.now;
        let node = self.node_mut(place)?;
        node.phase = StepPhase::Cancelled;
        node.ended_at = Some(now);
        self.became_of(place);
        Ok(())
    }

    fn run_completed(&mut self, event: &RunCompleted) -> Result<(), Contradiction> {
        if self.run.phase != Phase::Going || self.run.done != self.run.steps.len() {
            return Err("not all of its steps are done with".to_owned());
        }
        self.run.degraded |= event.degraded;
        self.run_ends(End::Completed { output: event.output.clone(), error: event.error.clone() })
    }

    /// What was about to end does, and nothing of it is undone.
    pub(super) fn run_gives_up(&mut self, how: End) -> Result<(), Contradiction> {
        match self.run.phase {
            Phase::Ending(_) => self.run_ends(how),
            _ => Err("it is not about to end".to_owned()),
        }
    }

    /// Nothing follows unless somebody asks for it.
    fn run_ends(&mut self, how: End) -> Result<(), Contradiction> {
        if self.run.running > 0 {
            return Err("attempts are still open".to_owned());
        }
        self.stop_time();
        self.run.paused = false;
        self.run.stalled.clear();
        self.run.phase = Phase::Ended(Ended { at: self.now, how });
        Ok(())
    }

    /// Nothing new starts from here on; a run that is being undone already goes on with that.
    fn begin_to_end(&mut self, why: Why, fast: bool) {
        let was_fast = matches!(&self.run.phase, Phase::Ending(ending) if ending.fast);
        match &mut self.run.phase {
            Phase::Unwinding(_) | Phase::Back(_) => return,
            Phase::Ending(ending) => ending.fast |= fast,
            phase => {
                *phase = Phase::Ending(Ending { why, fast });
                self.close_starts();
            }
        }
        self.withdraw(|_, _| true);
        if fast && !was_fast {
            self.stop_what_runs();
        }
    }

    /// Tells attempts to stop that are not wanted any more.
    fn stop_what_runs(&mut self) {
        for place in 0..self.run.steps.len() {
            let Some(node) = self.run.steps.get(place) else { continue };
            let wanted = node.stopping || !self.run.wants_stop(place, node);
            let Some(attempt) = node.open_attempt().filter(|_| !wanted) else { continue };
            let attempt = Arc::clone(attempt);
            self.stirs(place, &attempt);
            self.changes.open(stop(&attempt));
            if let Some(node) = self.run.steps.get_mut(place) {
                node.stopping = true;
            }
        }
    }

    /// Ends the open attempt with that number.
    fn end_attempt(&mut self, step: &StepId, number: u32) -> Result<usize, Contradiction> {
        let of_it = |phase: &StepPhase| matches!(phase, StepPhase::Running(open) if open.attempt == number);
        let place = self.expect(step, "end that attempt", of_it)?;
        self.close(place)?;
        Ok(place)
    }

    /// Closes what the step has open in the world; what becomes of it is said next.
    fn close(&mut self, place: usize) -> Result<(), Contradiction> {
        self.run.stalled.remove(&place);
        self.run.passing.remove(&place);
        let node = self.node_mut(place)?;
        (node.stopping, node.overdue) = (false, false);
        match std::mem::replace(&mut node.phase, StepPhase::Between) {
            StepPhase::Ready => self.take_from_ready(place)?,
            StepPhase::Running(attempt) => self.close_attempt(place, &attempt),
            StepPhase::Retrying(timer) | StepPhase::Sleeping(timer) => drop(self.unset_timer(timer)),
            StepPhase::Asking => self.close_request(place, Answer::Withdrawn),
            StepPhase::Awaiting(timer) => self.wait_no_longer(place, timer),
            _ => {}
        }
        Ok(())
    }

    fn open_attempt(&mut self, place: usize, attempt: &Arc<AttemptStarted>) {
        self.run.running += 1;
        self.changes.open(RunEffect::attempt(attempt, false));
        self.child_is_sent(place, attempt);
    }

    fn close_attempt(&mut self, place: usize, attempt: &AttemptStarted) {
        self.run.running = self.run.running.saturating_sub(1);
        self.child_is_let_go(place, attempt);
        self.changes.close(RunEffectId::Attempt(attempt.fence));
        self.changes.close(RunEffectId::Stop(attempt.fence));
    }

    fn expect_open(&self, step: &StepId, what: &str) -> Result<usize, Contradiction> {
        let place = self.place(step)?;
        match self.run.steps.get(place) {
            Some(node) if !node.is_closed() => Ok(place),
            _ => Err(format!("step `{step}` is done with and cannot {what}")),
        }
    }

    fn expect(
        &self,
        step: &StepId,
        what: &str,
        fits: impl Fn(&StepPhase) -> bool,
    ) -> Result<usize, Contradiction> {
        let place = self.place(step)?;
        match self.run.steps.get(place) {
            Some(node) if fits(&node.phase) => Ok(place),
            Some(node) => Err(format!("step `{step}` is {} and cannot {what}", node.status())),
            None => Err(format!("there is no step `{step}`")),
        }
    }

    fn place(&self, step: &StepId) -> Result<usize, Contradiction> {
        self.run.index.get(step).copied().ok_or_else(|| format!("there is no step `{step}`"))
    }

    fn node_mut(&mut self, place: usize) -> Result<&mut Node, Contradiction> {
        self.run.steps.get_mut(place).ok_or_else(|| format!("there is no step number {place}"))
    }
}
