//! The fold of a run: one total match, which never panics. What cannot follow is an [`IllegalEvent`].

use std::sync::Arc;

use super::{
    About, End, Ended, Ending, Expansion, Node, Phase, Run, RunEffect, RunEffectId, StepError, StepPhase,
    Timer,
};
use crate::events::ids::{Fence, RunId, StepId, TimerId};
use crate::events::run::*;
use crate::events::time::Timestamp;
use crate::workflow::aggregate::{At, EffectChanges, IllegalEvent};

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
    let (going, fast) = match &run.phase {
        Phase::Empty | Phase::Ended(_) => return Vec::new(),
        Phase::Going => (true, false),
        Phase::Ending(ending) => (false, ending.fast),
    };
    let mut effects = Vec::new();
    for node in &run.steps {
        match &node.phase {
            StepPhase::Ready if going => effects.push(start(node)),
            StepPhase::Running(attempt) => {
                effects.push(RunEffect::Attempt(Arc::clone(attempt)));
                if fast {
                    effects.push(stop(attempt));
                }
            }
            StepPhase::Retrying(timer) | StepPhase::Sleeping(timer) => {
                let due = run.timers.get(timer).map(|set| set.at);
                effects.extend(due.map(|at| RunEffect::Wake { timer: timer.clone(), at }));
            }
            _ => {}
        }
    }
    effects
}

fn start(node: &Node) -> RunEffect {
    RunEffect::Start { step: node.id().clone(), agent: node.slot().cloned() }
}

fn stop(attempt: &AttemptStarted) -> RunEffect {
    RunEffect::Stop { step: attempt.step.clone(), fence: attempt.fence }
}

struct Fold<'f> {
    run: &'f mut Run,
    changes: &'f mut Changes,
    now: Timestamp,
}

impl Fold<'_> {
    fn apply(&mut self, event: &RunEvent, at: &At<'_>) -> Result<(), Contradiction> {
        match (&self.run.phase, event) {
            (Phase::Empty, RunEvent::RunStarted(_)) => {}
            (Phase::Empty, _) => return Err("the run has not started".to_owned()),
            (_, RunEvent::RunStarted(_)) => return Err("the run has started already".to_owned()),
            (Phase::Ended(_), _) => return Err("the run has ended".to_owned()),
            (Phase::Going | Phase::Ending(_), _) => {}
        }
        match event {
            RunEvent::RunStarted(event) => self.run_started(event, at),
            RunEvent::StepAdded(event) => self.step_added(event),
            RunEvent::AttemptStarted(event) => self.attempt_started(event),
            RunEvent::AttemptFailed(event) => self.attempt_failed(event),
            RunEvent::AttemptLost(event) => self.attempt_lost(event),
            RunEvent::RetryScheduled(event) => self.retry_scheduled(event),
            RunEvent::StepCompleted(event) => self.step_completed(event),
            RunEvent::StepSkipped(event) => self.step_skipped(event),
            RunEvent::StepFailed(event) => self.step_failed(event),
            RunEvent::StepCancelled(event) => self.step_cancelled(event),
            RunEvent::TimerSet(event) => self.timer_set(event),
            RunEvent::TimerFired(event) => self.timer_fired(event),
            RunEvent::RunCompleted(event) => self.run_completed(event),
            RunEvent::RunFailed(event) => self.run_failed(event),
            _ => Err("not folded".to_owned()),
        }
    }

    fn run_started(&mut self, event: &RunStarted, at: &At<'_>) -> Result<(), Contradiction> {
        let id: RunId = at.stream.run().ok_or("the stream is not a run's")?;
        self.run.about = Some(Arc::new(About { id, at: at.time, started: event.clone() }));
        self.run.phase = Phase::Going;
        Ok(())
    }

    fn step_added(&mut self, event: &StepAdded) -> Result<(), Contradiction> {
        if self.run.index.contains_key(&event.step) {
            return Err(format!("there is a step `{}` already", event.step));
        }
        let inside = event.inside.as_ref().map(|parent| self.place(parent)).transpose()?;
        let place = self.run.steps.len();
        let mut unmet = 0;
        for need in &event.needs {
            match self.run.index.get(need).copied() {
                Some(needed) => {
                    let node = self.node_mut(needed)?;
                    if !node.is_done() {
                        node.dependents.push(place);
                        unmet += 1;
                    }
                }
                None => {
                    self.run.awaited.entry(need.clone()).or_default().push(place);
                    unmet += 1;
                }
            }
        }
        let dependents = self.run.awaited.remove(&event.step).unwrap_or_default();
        self.run.index.insert(event.step.clone(), place);
        self.run.steps.push(Node {
            added: Arc::new(event.clone()),
            inside,
            dependents,
            unmet,
            phase: StepPhase::Blocked,
            attempts: 0,
            failures: 0,
            lost: 0,
            generation: 1,
            usage: Usage::default(),
            error: None,
            started_at: None,
            ended_at: None,
        });
        match inside {
            Some(parent) => self.expand(parent, place),
            None if unmet == 0 => self.make_ready(place),
            None => Ok(()),
        }
    }

    /// A step grew in another, which is then no longer done by itself.
    fn expand(&mut self, parent: usize, child: usize) -> Result<(), Contradiction> {
        let phase = std::mem::replace(&mut self.node_mut(parent)?.phase, StepPhase::Between);
        let mut expansion = match phase {
            StepPhase::Expanded(expansion) => expansion,
            StepPhase::Ready => {
                self.take_from_ready(parent)?;
                Expansion::default()
            }
            _ => return Err("a step can only grow in one that starts".to_owned()),
        };
        expansion.children.push(child);
        let (now, node) = (self.now, self.node_mut(parent)?);
        node.started_at.get_or_insert(now);
        node.phase = StepPhase::Expanded(expansion);
        self.release(parent)
    }

    /// Lets as many of the steps inside start as may be on their way at once.
    fn release(&mut self, parent: usize) -> Result<(), Contradiction> {
        let node = self.node_mut(parent)?;
        let width = match node.added.kind {
            StepKind::FanOut { max_parallel: Some(width), .. } => width as usize,
            _ => usize::MAX,
        };
        let StepPhase::Expanded(expansion) = &mut node.phase else { return Ok(()) };
        let mut released = Vec::new();
        while expansion.released - expansion.done < width {
            let Some(child) = expansion.children.get(expansion.released) else { break };
            released.push(*child);
            expansion.released += 1;
        }
        released.into_iter().try_for_each(|child| self.make_ready(child))
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
        self.run.running += 1;
        self.changes.opened.push(RunEffect::Attempt(attempt));
        Ok(())
    }

    fn attempt_failed(&mut self, event: &AttemptFailed) -> Result<(), Contradiction> {
        let place = self.end_attempt(&event.step, event.attempt)?;
        let node = self.node_mut(place)?;
        node.failures += 1;
        node.usage = node.usage.and(event.usage);
        node.error = Some(StepError { class: event.class, code: event.code, message: event.message.clone() });
        Ok(())
    }

    fn attempt_lost(&mut self, event: &AttemptLost) -> Result<(), Contradiction> {
        let place = self.end_attempt(&event.step, event.attempt)?;
        if !event.interrupted {
            self.node_mut(place)?.lost += 1;
        }
        self.make_ready(place)
    }

    fn retry_scheduled(&mut self, event: &RetryScheduled) -> Result<(), Contradiction> {
        let place = self.expect(&event.step, "be tried again", |phase| *phase == StepPhase::Between)?;
        self.set_timer(place, &event.timer, event.at, StepPhase::Retrying)
    }

    fn timer_set(&mut self, event: &TimerSet) -> Result<(), Contradiction> {
        let place = self.expect(&event.step, "sleep", |phase| *phase == StepPhase::Ready)?;
        self.take_from_ready(place)?;
        let now = self.now;
        self.node_mut(place)?.started_at.get_or_insert(now);
        self.set_timer(place, &event.timer, event.at, StepPhase::Sleeping)
    }

    fn timer_fired(&mut self, event: &TimerFired) -> Result<(), Contradiction> {
        let timer = self.run.timers.get(&event.timer).cloned();
        let place = timer.ok_or_else(|| format!("timer `{}` is not set", event.timer))?.step;
        let retries = matches!(self.node_mut(place)?.phase, StepPhase::Retrying(_));
        self.close(place)?;
        if retries { self.make_ready(place) } else { Ok(()) }
    }

    fn step_completed(&mut self, event: &StepCompleted) -> Result<(), Contradiction> {
        let place = self.expect(&event.step, "complete", |phase| match phase {
            StepPhase::Running(attempt) => attempt.attempt == event.attempt,
            StepPhase::Ready | StepPhase::Between => event.attempt == 0,
            StepPhase::Expanded(inside) => event.attempt == 0 && inside.done == inside.children.len(),
            _ => false,
        })?;
        self.close(place)?;
        let node = self.node_mut(place)?;
        node.usage = node.usage.and(event.usage);
        node.error = None;
        node.phase = StepPhase::Completed {
            output: event.output.clone(),
            artifacts: event.artifacts.clone(),
            cached: event.cached,
            degraded: event.degraded,
        };
        self.run.degraded |= event.degraded;
        self.finish(place)
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
        self.begin_to_end(place, event.handling == Handling::FailsFast);
        Ok(())
    }

    fn step_cancelled(&mut self, event: &StepCancelled) -> Result<(), Contradiction> {
        let place = self.expect_open(&event.step, "be cancelled")?;
        self.close(place)?;
        let now = self.now;
        let node = self.node_mut(place)?;
        node.phase = StepPhase::Cancelled;
        node.ended_at = Some(now);
        Ok(())
    }

    fn run_completed(&mut self, event: &RunCompleted) -> Result<(), Contradiction> {
        if self.run.phase != Phase::Going || self.run.done != self.run.steps.len() {
            return Err("not all of its steps are done with".to_owned());
        }
        self.run.degraded |= event.degraded;
        let how = End::Completed { output: event.output.clone(), error: event.error.clone() };
        self.run.phase = Phase::Ended(Ended { at: self.now, how });
        Ok(())
    }

    fn run_failed(&mut self, event: &RunFailed) -> Result<(), Contradiction> {
        if self.run.running > 0 {
            return Err("attempts are still open".to_owned());
        }
        self.run.phase = Phase::Ended(Ended { at: self.now, how: End::Failed(event.clone()) });
        Ok(())
    }

    /// Nothing new starts from here on.
    fn begin_to_end(&mut self, place: usize, fast: bool) {
        let was_fast = matches!(&self.run.phase, Phase::Ending(ending) if ending.fast);
        match &mut self.run.phase {
            Phase::Ending(ending) => ending.fast |= fast,
            phase => *phase = Phase::Ending(Ending { step: place, fast }),
        }
        if fast && !was_fast {
            let running = self.run.steps.iter().filter_map(|node| match &node.phase {
                StepPhase::Running(attempt) => Some(stop(attempt)),
                _ => None,
            });
            self.changes.opened.extend(running);
        }
    }

    /// The step is done with: those that need it may start.
    fn finish(&mut self, place: usize) -> Result<(), Contradiction> {
        let now = self.now;
        let node = self.node_mut(place)?;
        node.ended_at = Some(now);
        let (inside, dependents) = (node.inside, std::mem::take(&mut node.dependents));
        self.run.done += 1;
        for dependent in dependents {
            let node = self.node_mut(dependent)?;
            node.unmet = node.unmet.saturating_sub(1);
            if node.unmet == 0 && node.phase == StepPhase::Blocked {
                self.make_ready(dependent)?;
            }
        }
        let Some(parent) = inside else { return Ok(()) };
        if let StepPhase::Expanded(expansion) = &mut self.node_mut(parent)?.phase {
            expansion.done += 1;
        }
        self.release(parent)
    }

    fn make_ready(&mut self, place: usize) -> Result<(), Contradiction> {
        let node = self.node_mut(place)?;
        node.phase = StepPhase::Ready;
        let (slot, effect) = (node.slot().cloned(), start(node));
        self.run.ready.entry(slot).or_default().insert(place);
        if self.run.phase == Phase::Going {
            self.changes.opened.push(effect);
        }
        Ok(())
    }

    fn take_from_ready(&mut self, place: usize) -> Result<(), Contradiction> {
        let node = self.node_mut(place)?;
        let (slot, id) = (node.slot().cloned(), node.id().clone());
        if let Some(steps) = self.run.ready.get_mut(&slot) {
            steps.remove(&place);
            if steps.is_empty() {
                self.run.ready.remove(&slot);
            }
        }
        self.changes.closed.push(RunEffectId::Start(id));
        Ok(())
    }

    fn set_timer(
        &mut self,
        place: usize,
        timer: &TimerId,
        at: Timestamp,
        phase: fn(TimerId) -> StepPhase,
    ) -> Result<(), Contradiction> {
        self.node_mut(place)?.phase = phase(timer.clone());
        self.run.timers.insert(timer.clone(), Timer { step: place, at });
        self.changes.opened.push(RunEffect::Wake { timer: timer.clone(), at });
        Ok(())
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
        match std::mem::replace(&mut self.node_mut(place)?.phase, StepPhase::Between) {
            StepPhase::Ready => self.take_from_ready(place)?,
            StepPhase::Running(attempt) => self.close_attempt(attempt.fence),
            StepPhase::Retrying(timer) | StepPhase::Sleeping(timer) => {
                self.run.timers.remove(&timer);
                self.changes.closed.push(RunEffectId::Wake(timer));
            }
            _ => {}
        }
        Ok(())
    }

    fn close_attempt(&mut self, fence: Fence) {
        self.run.running -= 1;
        self.changes.closed.push(RunEffectId::Attempt(fence));
        if matches!(&self.run.phase, Phase::Ending(ending) if ending.fast) {
            self.changes.closed.push(RunEffectId::Stop(fence));
        }
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

impl Node {
    /// The agent whose slot it needs to start.
    pub(super) fn slot(&self) -> Option<&crate::events::ids::AgentName> {
        match &self.added.kind {
            StepKind::Work { agent } => Some(agent),
            StepKind::Sleep | StepKind::FanOut { .. } => None,
        }
    }
}
