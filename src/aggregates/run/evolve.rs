//! The fold of a run: one total match, which never panics. What cannot follow is an [`IllegalEvent`].
//!
//! Here is what becomes of steps; what attempts come to is in `tries`, how the graph grows and goes on in `graph`, what
//! people do in `control`, how a run is undone in `saga`, what people are asked in `people`, what runs of its own do for it
//! in `children`, which paused agents it waits for in `agents`, what its agents share in `context`, what they say to each
//! other in `messages`, how they hand over in `handoff`, what is seen of those that
//! are stuck in `stuck`, what it spends in `spend`, which attempts are handed out in `tasks`, what it asks of contexts that it shares with other runs in `shared`, of conversations in `conversations`,
//! which earlier answers its steps take in `cache`.

mod agents;
mod cache;
mod children;
mod context;
mod control;
mod conversations;
mod graph;
mod handoff;
mod messages;
mod people;
mod saga;
mod shared;
mod spend;
mod stuck;
mod tasks;
mod tries;
mod turns;

use std::sync::Arc;

use super::tries::Tried;
use super::{
    About, ApprovalState, Done, Driven, End, Ended, Ending, Gated, Node, Phase, Run, RunEffect, StepError,
    StepIndex, StepPhase, TimerOf, Trying, Why,
};
use crate::events::ids::{RunId, StepId};
use crate::events::run::*;
use crate::events::time::Timestamp;
use crate::kernel::{At, EffectChanges, IllegalEvent};

type Changes = EffectChanges<RunEffect>;

/// What is wrong with an event where it cannot follow, in words for whoever reads the store.
type Contradiction = String;

pub(super) fn evolve(
    run: &mut Run,
    event: &RunEvent,
    at: &At<'_>,
    changes: &mut Changes,
) -> Result<(), IllegalEvent> {
    Evolution { run, changes, now: at.time }
        .apply(event, at)
        .map_err(|why| IllegalEvent { version: at.version, why })
}

/// All open effects, as the changes since the beginning would give them.
pub(super) fn open(run: &Run) -> Vec<RunEffect> {
    let mut effects = Vec::new();
    for (place, node) in run.steps.indexed() {
        let is_held_up = run.passing.contains(&place) || run.shared.holds_up(place);
        let is_ready = node.doing.is_ready() && !is_held_up;
        if is_ready && run.phase == Phase::Going && !run.paused {
            effects.push(start(node, Purpose::Do));
        }
        if let Gated::By(request) = &node.gate {
            effects.push(RunEffect::Ask { request: request.clone(), step: node.id().clone() });
        }
        let rests = node.child.as_ref().is_some_and(|child| child.rests);
        let open = node.open_attempts().filter(|attempt| !run.is_writing(attempt.fence));
        effects.extend(open.map(|attempt| run.effect_of(attempt, rests)));
        let stopped = node.open_attempt().filter(|_| node.task.is_none() && node.doing.stop().is_some());
        effects.extend(stopped.map(|open| stop(open)));
        let held = node.task.as_ref().filter(|task| task.held.is_some());
        effects.extend(held.map(|task| RunEffect::HandOut { fence: task.fence, lease: task.leases }));
    }
    effects.extend(saga::open(run));
    effects.extend(run.open_timers());
    effects.extend(children::open(run));
    effects.extend(run.shared.open(run).into_iter().map(RunEffect::Shared));
    effects.extend(run.messages.open());
    effects
}

fn start(node: &Node, purpose: Purpose) -> RunEffect {
    RunEffect::Start { step: node.id().clone(), agent: node.slot(purpose).cloned(), purpose }
}

fn stop(attempt: &AttemptStarted) -> RunEffect {
    RunEffect::Stop { step: attempt.step.clone(), fence: attempt.fence }
}

impl Run {
    /// Whether a step is not to be done any more: the run is about to end, or undoes what it would be part of.
    pub(super) fn is_given_up(&self, place: StepIndex) -> bool {
        match &self.phase {
            Phase::Ending(_) | Phase::Ended(_) => true,
            Phase::Unwinding(unwinding) => unwinding.undoes(place),
            Phase::Going | Phase::Back(_) | Phase::Empty => false,
        }
    }

    /// Whether what runs of a step is not wanted any more.
    fn wants_stop(&self, place: StepIndex, node: &Node) -> bool {
        match &self.phase {
            // Nobody outside is waited for, unless nothing could undo what they may have begun.
            Phase::Ending(ending) => match &node.task {
                Some(task) => !(node.added.irreversible && task.held.is_some()),
                None => ending.fast && !node.added.irreversible,
            },
            Phase::Unwinding(unwinding) => unwinding.undoes(place),
            _ => false,
        }
    }
}

struct Evolution<'f> {
    run: &'f mut Run,
    changes: &'f mut Changes,
    now: Timestamp,
}

impl Evolution<'_> {
    fn apply(&mut self, event: &RunEvent, at: &At<'_>) -> Result<(), Contradiction> {
        self.may_follow(event)?;
        self.follow(event, at)?;
        self.keep_answers_alone(event);
        self.keep_passage();
        self.keep_shared();
        self.keep_deliveries();
        self.keep_time();
        self.note_driven(event);
        self.run.note_waiting(self.now);
        self.run.note_word(at.version, self.changes);
        Ok(())
    }

    fn follow(&mut self, event: &RunEvent, at: &At<'_>) -> Result<(), Contradiction> {
        match event {
            RunEvent::RunStarted(_) | RunEvent::RequestRouted(_) => self.begin(event, at),
            RunEvent::StepAdded(event) => self.step_added(event),
            RunEvent::AttemptStarted(event) => self.attempt_started(event),
            RunEvent::AttemptFailed(event) => self.attempt_failed(event),
            RunEvent::AttemptLost(event) => self.attempt_lost(event),
            RunEvent::RetryScheduled(_) | RunEvent::ModelCalled(_) => self.of_trying(event),
            RunEvent::FallbackEngaged(event) => self.fallback_engaged(event),
            RunEvent::StepCompleted(event) => self.step_completed(event),
            RunEvent::StepSkipped(event) => self.step_skipped(event),
            RunEvent::StepFailed(event) => self.step_failed(event),
            RunEvent::StepCancelled(event) => self.step_cancelled(event),
            RunEvent::TimerSet(event) => self.timer_set(event),
            RunEvent::TimerFired(event) => self.timer_fired(event),
            RunEvent::ApprovalRequested(_) | RunEvent::ApprovalChecked(_) => self.of_people(event),
            RunEvent::ApprovalGranted(_) | RunEvent::ApprovalRefused(_) => self.of_people(event),
            RunEvent::ApprovalExpired(_) => self.of_people(event),
            RunEvent::SignalAwaited(_) | RunEvent::SignalReceived(_) => self.of_people(event),
            RunEvent::ChildStarted(event) => self.child_started(event),
            RunEvent::ChildRested(event) => self.child_rested(event),
            RunEvent::ChildStirred(event) => self.child_stirred(event),
            RunEvent::ChildEnded(event) => self.child_ended(event),
            RunEvent::ReturnAsked(event) => self.return_asked(event),
            RunEvent::ReturnAnswered(event) => self.return_answered(event),
            RunEvent::ChildPastReturn(event) => self.child_past_return(event),
            RunEvent::TellingBegan(_) | RunEvent::ParentTold(_) => self.of_telling(event),
            RunEvent::DrivingBegan(event) => self.driving_began(event),
            RunEvent::ContextChanged(event) => self.context_changed(event),
            RunEvent::ContextAwaited(_) | RunEvent::ContextRead(_) => self.of_shared(event),
            RunEvent::LockRequested(_) | RunEvent::LockAcquired(_) => self.of_shared(event),
            RunEvent::LockGivenBack(_) | RunEvent::PreparationWithdrawn(_) => self.of_shared(event),
            RunEvent::AttemptAnswered(_) | RunEvent::ContextWritten(_) => self.of_shared(event),
            RunEvent::ConversationAwaited(_) | RunEvent::ConversationRead(_) => self.of_shared(event),
            RunEvent::ConversationContinued(_) => self.of_shared(event),
            RunEvent::HandoffDeclared(event) => self.handoff_declared(event),
            RunEvent::AnswerNoted(_) | RunEvent::Escalated(_) => self.of_stuck(event),
            RunEvent::RepairAsked(_) => self.of_stuck(event),
            RunEvent::BudgetSet(_) | RunEvent::BudgetRaised(_) => self.of_budget(event),
            RunEvent::BudgetReserved(_) | RunEvent::BudgetSettled(_) => self.of_budget(event),
            RunEvent::BudgetExhausted(_) => self.of_budget(event),
            RunEvent::TaskOffered(_) | RunEvent::TaskTaken(_) => self.of_task(event),
            RunEvent::TaskProgressed(_) | RunEvent::TaskLapsed(_) => self.of_task(event),
            RunEvent::MessageSent(event) => self.message_sent(event),
            RunEvent::MessageGiven(event) => self.message_given(event),
            RunEvent::MessageHandled(event) => self.message_handled(event),
            RunEvent::MessageExpired(event) => self.message_expired(event),
            RunEvent::DeliveryStarted(event) => self.delivery_started(event),
            RunEvent::DeliveryFailed(_) | RunEvent::DeliveryLost(_) => self.delivery_ended(event),
            RunEvent::AgentAwaited(_) | RunEvent::AgentAwaitEnded(_) => self.of_agent(event),
            RunEvent::RunPaused(_) | RunEvent::RunUnpaused(_) => self.of_pause(event),
            RunEvent::PausePlanned(event) => self.pause_planned(event),
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
            RunEvent::CacheBypassed(_) | RunEvent::AnswerKept(_) => self.of_cache(event),
            RunEvent::CacheAwaited(_) | RunEvent::CacheHit(_) => self.of_cache(event),
            RunEvent::CacheMissed(_) => self.of_cache(event),
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
                | RunEvent::CancelRequested(_)
                | RunEvent::BudgetRaised(_)
                | RunEvent::TellingBegan(_)
                | RunEvent::LockGivenBack(_)
                | RunEvent::ParentTold(_),
            ) => Ok(()),
            (Phase::Ended(_), _) => Err("the run has ended".to_owned()),
            _ => Ok(()),
        }
    }

    /// What comes before there is anything to do.
    fn begin(&mut self, event: &RunEvent, at: &At<'_>) -> Result<(), Contradiction> {
        match event {
            RunEvent::RunStarted(event) => self.run_started(event, at),
            RunEvent::RequestRouted(event) => self.request_routed(event),
            _ => Err("a run does not begin so".to_owned()),
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

    fn request_routed(&mut self, event: &RequestRouted) -> Result<(), Contradiction> {
        if self.run.routed.is_some() || self.run.steps.len() > 0 {
            return Err("a request is routed before there is anything to do".to_owned());
        }
        self.run.routed = Some(Arc::new(event.routed()));
        Ok(())
    }

    fn fallback_engaged(&mut self, event: &FallbackEngaged) -> Result<(), Contradiction> {
        let can_follow = |phase: &StepPhase| [StepPhase::BETWEEN, StepPhase::READY].contains(phase);
        let place = self.expect(&event.step, "be done by another agent", can_follow)?;
        self.close(place)?;
        self.run.messages.meet(&event.to);
        let node = self.node_mut(place)?;
        node.fallback = Some(event.to.clone());
        node.doing.refresh();
        // The grant was for the work of another agent.
        node.granted = None;
        self.make_ready(place)
    }

    fn timer_set(&mut self, event: &TimerSet) -> Result<(), Contradiction> {
        let place = self.expect(&event.step, "sleep", |phase| *phase == StepPhase::READY)?;
        self.take_from_ready(place)?;
        self.note_start(place)?.doing.phase = StepPhase::Sleeping(event.timer.clone());
        self.set_timer(&event.timer, TimerOf::Sleep(place), event.at);
        Ok(())
    }

    fn timer_fired(&mut self, event: &TimerFired) -> Result<(), Contradiction> {
        let timer = self.run.timers.get(&event.timer);
        let of = timer.ok_or_else(|| format!("timer `{}` is not set", event.timer))?.of;
        match of {
            TimerOf::Run => self.end_time(),
            TimerOf::Child(place) => self.child_is_overdue(place, &event.timer),
            // What becomes of the attempt is said next.
            TimerOf::UndoChild(_) | TimerOf::Task(..) => {
                self.unset_timer(event.timer.clone());
                Ok(())
            }
            TimerOf::People(place) if self.is_awaiting(place) => self.close(place),
            // The request expires with what follows in this commit.
            TimerOf::People(_) => {
                self.unset_timer(event.timer.clone());
                Ok(())
            }
            TimerOf::Sleep(place) => self.close(place),
            TimerOf::Lease(..) => Err("a lease ends by an event of its own".to_owned()),
            TimerOf::Retry(place, purpose) => self.retry_due(place, purpose, &event.timer),
        }
    }

    fn step_completed(&mut self, event: &StepCompleted) -> Result<(), Contradiction> {
        let place = self.expect(&event.step, "complete", |phase| match phase.trying() {
            Some(Trying::Open { attempt, .. }) => attempt.attempt == event.attempt,
            Some(Trying::Ready | Trying::Between) => event.attempt == 0,
            Some(Trying::Retrying(_)) => false,
            None => event.attempt == 0 && matches!(phase, StepPhase::Awaiting(_) | StepPhase::Expanded),
        })?;
        let node = self.node_mut(place)?;
        if node.doing.phase == StepPhase::Expanded && !node.is_done_inside() {
            return Err(format!("what grew in step `{}` is not done", event.step));
        }
        if matches!(node.doing.phase, StepPhase::Awaiting(_)) {
            self.take_signal(place)?;
        }
        self.count_try(&event.step, Purpose::Do, event.attempt);
        self.count_usage(&event.step, Purpose::Do, event.attempt, event.usage);
        self.close(place)?;
        let node = self.node_mut(place)?;
        node.usage = node.usage.and(event.usage);
        (node.doing.error, node.refused) = (None, None);
        node.doing.phase = StepPhase::Completed(Done {
            output: event.output.clone(),
            artifacts: event.artifacts.clone(),
            said: event.said.clone(),
            cached: event.cached,
            degraded: event.degraded,
            in_vain: false,
        });
        self.hand_up(place, Some(&event.output))?;
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
        self.node_mut(place)?.doing.phase =
            StepPhase::Skipped { reason: event.reason, message: event.message.clone() };
        self.run.degraded |= event.reason != SkipReason::Condition;
        self.hand_up(place, None)?;
        self.finish(place)
    }

    fn step_failed(&mut self, event: &StepFailed) -> Result<(), Contradiction> {
        let place = self.expect_open(&event.step, "fail")?;
        self.close(place)?;
        let node = self.note_end(place)?;
        let tolerated = event.handling == Handling::Tolerated;
        node.doing.phase = StepPhase::Failed { tolerated };
        node.doing.error =
            Some(StepError { class: event.class, code: event.code, message: event.message.clone() });
        if tolerated {
            self.run.degraded |= !node.is_of_tool();
            self.hand_up(place, None)?;
            return self.finish(place);
        }
        self.begin_to_end(Why::Failed(place), event.handling == Handling::FailsFast);
        self.became_of(place);
        Ok(())
    }

    fn step_cancelled(&mut self, event: &StepCancelled) -> Result<(), Contradiction> {
        let place = self.expect_open(&event.step, "be cancelled")?;
        self.close(place)?;
        self.note_end(place)?.doing.phase = StepPhase::Cancelled;
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
        // What could not be delivered is nobody's any more.
        self.run.awaited_agents.clear();
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
        if fast && !was_fast || !self.run.tasks.open.is_empty() {
            self.stop_what_runs();
        }
    }

    /// Closes what the step has open in the world; what becomes of it is said next.
    fn close(&mut self, place: StepIndex) -> Result<(), Contradiction> {
        self.run.stalled.remove(&place);
        self.run.passing.remove(&place);
        self.leave_shared(place, None);
        match std::mem::replace(&mut self.node_mut(place)?.doing.phase, StepPhase::BETWEEN) {
            StepPhase::Trying(Trying::Ready) => self.take_from_ready(place)?,
            StepPhase::Trying(Trying::Open { attempt, .. }) => self.close_attempt(place, &attempt),
            StepPhase::Trying(Trying::Retrying(timer)) | StepPhase::Sleeping(timer) => {
                self.unset_timer(timer);
            }
            StepPhase::Asking => self.close_request(place, ApprovalState::Withdrawn),
            StepPhase::Awaiting(timer) => self.wait_no_longer(place, timer),
            StepPhase::Trying(Trying::Between)
            | StepPhase::Blocked
            | StepPhase::Expanded
            | StepPhase::Completed(_)
            | StepPhase::Skipped { .. }
            | StepPhase::Failed { .. }
            | StepPhase::Cancelled
            | StepPhase::Left => {}
        }
        Ok(())
    }

    /// The step begins, if it has not begun before.
    fn note_start(&mut self, place: StepIndex) -> Result<&mut Node, Contradiction> {
        let (now, waited_us) = (self.now, self.run.waited_us(self.now));
        let node = self.node_mut(place)?;
        if node.started_at.is_none() {
            (node.started_at, node.waited_before_us) = (Some(now), waited_us);
        }
        Ok(node)
    }

    /// The step is done with, for now.
    fn note_end(&mut self, place: StepIndex) -> Result<&mut Node, Contradiction> {
        let (now, waited_us) = (self.now, self.run.waited_us(self.now));
        let node = self.node_mut(place)?;
        node.ended_at = Some(now);
        let has_started = node.started_at.is_some();
        node.waited_us = if has_started { waited_us.saturating_sub(node.waited_before_us) } else { 0 };
        Ok(node)
    }

    fn is_awaiting(&self, place: StepIndex) -> bool {
        let node = self.run.steps.get(place);
        node.is_some_and(|node| matches!(node.doing.phase, StepPhase::Awaiting(_)))
    }

    fn expect_open(&self, step: &StepId, what: &str) -> Result<StepIndex, Contradiction> {
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
    ) -> Result<StepIndex, Contradiction> {
        let place = self.place(step)?;
        match self.run.steps.get(place) {
            Some(node) if fits(&node.doing.phase) => Ok(place),
            Some(node) => Err(format!("step `{step}` is {} and cannot {what}", node.status())),
            None => Err(format!("there is no step `{step}`")),
        }
    }

    fn place(&self, step: &StepId) -> Result<StepIndex, Contradiction> {
        self.run.steps.index(step).ok_or_else(|| format!("there is no step `{step}`"))
    }

    fn node_mut(&mut self, place: StepIndex) -> Result<&mut Node, Contradiction> {
        self.run.steps.get_mut(place).ok_or_else(|| format!("there is no step number {place:?}"))
    }
}
