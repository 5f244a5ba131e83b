//! The host of a run: what performs a run's effects.
//!
//! - `messages`: what a run is told, beside what it is asked
//! - `children`: attempts that see children through

mod children;
mod messages;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, AsyncContext, Context};
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::agent::{Perform, StopAttempt};
use super::communicator::{Communicator, Report};
use super::dispatcher::Slot;
use super::glance::{Glance, Milestones, OpenAttempt, is_at_rest};
use super::host::{Host, Shell, Submit};
use super::leftovers::Leftovers;
use super::page;
use super::timer::Wake;
use crate::aggregates::run::{Ask, Grants, Run, RunEffect, RunEffectId, RunRejection, RunStatus};
use crate::events::ids::{AgentName, Fence, RunId, TimerId, Version};
use crate::events::problem::Problem;
use crate::events::run::AttemptStarted;
use crate::events::time::Timestamp;
use crate::executors::{Progress, Task};
use crate::kernel::{Aggregate, Effect, EffectChanges};
use crate::workflow::work::Stop;

pub use messages::{Drive, Due, LetGo};

/// The actor of a run.
pub type RunHost = Host<Run, RunShell>;

/// What is due sooner is awaited in memory, where loading it again would cost more.
const SOON: Duration = Duration::from_secs(1);

/// Performs a run's effects.
pub struct RunShell {
    run: RunId,
    communicator: Arc<Communicator>,
    /// What is seen of it. The attempts that agents make for it are listed here only.
    glance: watch::Sender<Glance>,
    /// What those who wait were last woken for.
    reached: Milestones,
    driven: bool,
    /// Whether children may be open that nobody in this process sees through.
    unseen: bool,
    /// Whether it was asked to drive and has not begun to.
    asked_to_drive: bool,
    /// The newest fence that is durable.
    fence: Fence,
    /// Slots for attempts that may start in the next commit.
    slots: HashMap<AgentName, Vec<Slot>>,
    /// Slots that came while a commit was on its way: for the next.
    granted: Vec<Slot>,
    /// How many slots of each agent it waits for at the dispatcher.
    waits: HashMap<AgentName, u32>,
    /// Children that are at rest while attempts of this run see them through.
    resting: HashSet<RunId>,
    /// Attempts whose results do not count, and that are to be stopped when that is recorded.
    given_up: HashMap<Fence, AgentName>,
    leftovers: Leftovers,
}

impl RunShell {
    /// The shell of a run, which goes on as soon as it is loaded if it is driven.
    pub fn new(
        run: RunId,
        communicator: Arc<Communicator>,
        glance: watch::Sender<Glance>,
        driven: bool,
    ) -> Self {
        Self {
            run,
            communicator,
            glance,
            reached: Milestones::default(),
            driven: false,
            unseen: true,
            asked_to_drive: driven,
            fence: Fence(0),
            slots: HashMap::new(),
            granted: Vec::new(),
            waits: HashMap::new(),
            resting: HashSet::new(),
            given_up: HashMap::new(),
            leftovers: Leftovers::default(),
        }
    }

    fn perform(&mut self, state: &Run, started: Arc<AttemptStarted>, actor: &mut Context<RunHost>) {
        let Some(slot) = self.slots.get_mut(&started.agent).and_then(Vec::pop) else {
            // Deciding grants no more attempts than there were slots.
            tracing::error!(run = %self.run, step = %started.step, "an attempt started without a slot");
            return;
        };
        let (run, step, fence) = (self.run.clone(), started.step.clone(), started.fence);
        let (progress, seen) = watch::channel(Progress::default());
        let task = Task::of(state, &started, &*self.communicator.host().library);
        let child = task.as_ref().ok().and_then(|task| task.child.as_ref()).map(|child| child.run.clone());
        let in_flight = self.communicator.in_flight(child.is_some());
        let since = self.communicator.host().clock.now();
        let open = OpenAttempt { started: Arc::clone(&started), since, progress: seen, child };
        self.change_attempts(|glance| glance.add(open));
        match task {
            Ok(task) => {
                let perform = Perform { task, deadline: started.deadline, slot, in_flight, progress };
                self.communicator.perform(state.agent(&started.agent), perform);
            }
            Err(problem) => {
                let result = Some(Err(problem.into()));
                actor.notify(Report { run, step, fence, result, slot, in_flight });
            }
        }
    }

    fn start_effect(&mut self, state: &Run, effect: RunEffect, actor: &mut Context<RunHost>) {
        match effect {
            RunEffect::Attempt(started) => self.perform(state, started, actor),
            RunEffect::Stop { fence, .. } => {
                let open = self.glance.borrow().attempts.get(&fence).cloned();
                if let Some(OpenAttempt { started, .. }) = open {
                    self.stop(state, fence, &started.agent, Stop::Cancelled);
                }
            }
            RunEffect::Wake { timer, at } => {
                self.communicator.set_timer(Wake { at, run: self.run.clone(), timer });
            }
            RunEffect::Ask { request, .. } => self.communicator.write_request(&self.run, &request),
            RunEffect::Start { .. } => {}
        }
    }

    fn stop(&self, state: &Run, fence: Fence, agent: &AgentName, why: Stop) {
        self.communicator.stop(agent, state.agent(agent), StopAttempt { run: self.run.clone(), fence, why });
    }

    /// No result of what is in flight counts any more. What is still open is stopped when it is recorded as lost: until
    /// then a result of being stopped would count.
    fn give_up(&mut self, state: &Run) {
        let mut attempts = BTreeMap::new();
        self.change_attempts(|glance| {
            (attempts, glance.children) = (std::mem::take(&mut glance.attempts), 0)
        });
        self.resting.clear();
        let open: HashSet<_> = state.open().iter().map(RunEffect::id).collect();
        for (fence, attempt) in attempts {
            if open.contains(&RunEffectId::Attempt(fence)) {
                self.given_up.insert(fence, attempt.started.agent.clone());
            } else {
                self.stop(state, fence, &attempt.started.agent, Stop::LetGo);
            }
        }
    }

    /// Tells the dispatcher for how many slots the run waits.
    fn queue(&mut self, state: &Run, actor: &mut Context<RunHost>) {
        let wanted =
            if self.communicator.is_closing() { Grants::default() } else { state.startable(&Ask::Go) };
        let gone = self.waits.keys().filter(|agent| !wanted.0.contains_key(*agent));
        let gone: Vec<_> = gone.cloned().map(|agent| (agent, 0)).collect();
        for (agent, wants) in wanted.0.into_iter().chain(gone) {
            if self.waits.get(&agent).copied().unwrap_or(0) != wants {
                let concurrency = self.communicator.concurrency(&agent, state.agent(&agent));
                let to = actor.address().recipient();
                self.communicator.dispatcher().wait(&self.run, &agent, concurrency, wants, to);
            }
            if wants == 0 {
                self.waits.remove(&agent);
            } else {
                self.waits.insert(agent, wants);
            }
        }
    }

    /// Wakes nobody: what is decided together is shown together.
    fn change_attempts(&self, change: impl FnOnce(&mut Glance)) {
        self.glance.send_if_modified(|seen| {
            change(seen);
            false
        });
    }

    /// Shows what is durable.
    fn show(&mut self, state: &Run, version: Version) {
        let waits = self.waits_for_children(state);
        let at_rest = waits || self.rests(state);
        let reached = &mut self.reached;
        self.glance.send_if_modified(|seen| {
            (seen.done, seen.total) = state.progress();
            seen.wakes_at = if seen.attempts.is_empty() { state.wakes_at() } else { None };
            (seen.version, seen.parked) = (version, None);
            let status = || if waits { RunStatus::Waiting } else { state.status() };
            seen.status = (version > Version(0)).then(status);
            (seen.at_rest, seen.attention) = (at_rest, state.attention());
            let now = seen.milestones();
            std::mem::replace(reached, now) != now
        });
    }

    /// The attempts that agents make for it, and those that will start with this commit.
    fn in_flight(&self, state: &Run) -> BTreeSet<Fence> {
        let starting = (self.fence.0..state.fence().0).map(|before| Fence(before).next());
        self.glance.borrow().attempts.keys().copied().chain(starting).collect()
    }

    /// Waits on for a timer that went off too early, because the clock was set back meanwhile.
    fn wait_on(&self, state: &Run, timer: &TimerId, now: Timestamp) {
        if let Some(at) = state.due_at(timer).filter(|at| *at > now) {
            self.communicator.set_timer(Wake { at, run: self.run.clone(), timer: timer.clone() });
        }
    }

    /// Writes down what a person must undo by hand: a small file, once in the life of few runs, and before anybody hears
    /// that the run has ended.
    fn keep_page(&self, state: &Run, version: Version) {
        if state.status().has_ended()
            && let Some(runs) = &self.communicator.host().runs
        {
            page::keep(runs, state, version);
        }
    }

    /// Whether it need not wait in memory for what comes next: it was activated because it was due, and will be again.
    fn is_left_to_the_waker(&self, state: &Run) -> bool {
        let soon = self.communicator.host().clock.now().after(SOON);
        let is_far = state.attention().due().is_none_or(|due| due.at() > soon);
        is_far && !self.asked_to_drive && self.communicator.is_lent(&self.run)
    }

    fn be_driven(&mut self, driven: bool) {
        self.driven = driven;
        self.communicator.note_driven(&self.run, driven);
    }

    /// Takes over what another process left, or starts what can start.
    fn take_over(&mut self, state: &Run, actor: &mut Context<RunHost>) {
        if !std::mem::take(&mut self.asked_to_drive) || self.driven {
            return;
        }
        self.be_driven(true);
        for effect in state.open_timers() {
            self.start_effect(state, effect, actor);
        }
        // Who made the request may have died before its page was written.
        for request in &state.people().open {
            self.communicator.write_request(&self.run, request);
        }
        if state.wants_driving() {
            let recover = Ask::Recover { in_flight: BTreeSet::new() };
            actor.notify(Submit { command: recover, reply: None });
        }
        self.rest_if_at_rest(state);
    }

    /// A run that goes on only if somebody wants it to is driven by nobody until then.
    fn rest_if_at_rest(&mut self, state: &Run) {
        if self.rests(state) {
            self.be_driven(false);
        }
    }

    /// Whether nothing follows unless somebody wants it to. What people were to say in time is no longer waited for when
    /// somebody drives the run after that.
    fn rests(&self, state: &Run) -> bool {
        is_at_rest(state) && !self.is_too_late(state)
    }

    fn is_too_late(&self, state: &Run) -> bool {
        self.driven && state.is_too_late(self.communicator.host().clock.now())
    }
}

impl Shell<Run> for RunShell {
    fn first<'a>(
        &mut self,
        state: &Run,
        mut commands: impl Iterator<Item = &'a Ask>,
    ) -> Option<BoxFuture<'static, ()>> {
        if !commands.any(Ask::loses) {
            return None;
        }
        self.leftovers.end(&self.run, state, &self.communicator)
    }

    fn prepare(&mut self, state: &Run, ask: &mut Ask, now: Timestamp) -> Option<Grants> {
        for slot in self.granted.drain(..) {
            self.slots.entry(slot.agent().clone()).or_default().push(slot);
        }
        match ask {
            Ask::Recover { in_flight } => {
                *in_flight = self.in_flight(state);
                in_flight.extend(self.at_children(state));
            }
            Ask::Due { timer } => self.wait_on(state, timer, now),
            _ => {}
        }
        if matches!(ask, Ask::Start(start) if start.drive && state.about().is_none()) {
            self.be_driven(true);
        }
        if !self.driven || self.communicator.is_closing() {
            return None;
        }
        // Attempts that earlier commands of this commit started will take their slots when it is durable.
        let spoken_for = usize::try_from(state.fence().0 - self.fence.0).unwrap_or(usize::MAX);
        let mut grants = state.startable(ask);
        for (agent, wanted) in &mut grants.0 {
            let definition = match ask {
                Ask::Start(start) => {
                    let named = start.agents.iter().find(|(name, _)| name == agent);
                    named.map(|(_, blob)| {
                        self.communicator.host().library.keep(blob);
                        blob.reference
                    })
                }
                _ => state.agent(agent),
            };
            let held = self.slots.entry(agent.clone()).or_default();
            let left = u32::try_from(held.len().saturating_sub(spoken_for)).unwrap_or(u32::MAX);
            let missing = wanted.saturating_sub(left);
            let before = held.len();
            if missing > 0 {
                let concurrency = self.communicator.concurrency(agent, definition);
                held.extend(self.communicator.dispatcher().try_acquire(agent, concurrency, missing));
            }
            let acquired = u32::try_from(held.len() - before).unwrap_or(u32::MAX);
            *wanted = (*wanted).min(left.saturating_add(acquired));
        }
        Some(grants)
    }

    fn causation(ask: &Ask) -> &'static str {
        ask.name()
    }

    fn problem(rejection: &RunRejection) -> Problem {
        rejection.problem()
    }

    fn is_fatal(rejection: &RunRejection) -> bool {
        matches!(rejection, RunRejection::Unreadable(_) | RunRejection::Template(_))
    }

    fn abandoned(&mut self) {
        self.slots.clear();
    }

    fn committed(
        &mut self,
        state: &Run,
        changes: EffectChanges<RunEffect>,
        version: Version,
        actor: &mut Context<RunHost>,
    ) {
        for closed in changes.closed() {
            match closed {
                RunEffectId::Attempt(fence) => {
                    self.forget(*fence);
                    if let Some(agent) = self.given_up.remove(fence) {
                        self.stop(state, *fence, &agent, Stop::LetGo);
                    }
                }
                // Its page says what became of it.
                RunEffectId::Ask(request) => self.communicator.write_request(&self.run, request),
                _ => {}
            }
        }
        for effect in changes.still_open() {
            // What is recorded as started is made, and what is to be stopped is, also if the run was let go of while the
            // commit was on its way. Only timers are for who drives it.
            if self.driven || !matches!(effect, RunEffect::Wake { .. }) {
                self.start_effect(state, effect.clone(), actor);
            }
        }
        self.slots.clear();
        self.fence = state.fence();
        self.take_over(state, actor);
        self.adopt(state, actor);
        if self.driven {
            self.queue(state, actor);
        }
        self.rest_if_at_rest(state);
        if version > self.glance.borrow().version {
            self.keep_page(state, version);
        }
        self.show(state, version);
    }

    fn loaded(&mut self, state: &Run, version: Version, actor: &mut Context<RunHost>) {
        if std::mem::take(&mut self.driven) {
            // Somebody else wrote to it, and what was asked meanwhile is forgotten, results among it: the run is taken over
            // as if another process had held it.
            self.give_up(state);
            self.waits.clear();
            self.asked_to_drive = true;
        }
        self.fence = state.fence();
        let (seen, given_up) = (self.glance.borrow(), &self.given_up);
        let is_ours = |fence| seen.attempts.contains_key(&fence) || given_up.contains_key(&fence);
        self.leftovers = Leftovers::of(state, is_ours);
        drop(seen);
        self.unseen = true;
        self.take_over(state, actor);
        self.adopt(state, actor);
        self.show(state, version);
    }

    fn parked(&mut self, problem: &Problem) {
        self.granted.clear();
        self.glance.send_modify(|glance| glance.parked = Some(problem.clone()));
    }

    fn is_idle(&self, state: &Run) -> bool {
        self.glance.borrow().attempts.is_empty()
            && self.waits.is_empty()
            && !(self.driven && state.wants_driving())
    }

    fn is_over(&self, state: &Run) -> bool {
        state.status().has_ended() || self.is_idle(state) && self.is_left_to_the_waker(state)
    }

    fn stopped(&mut self, address: &Addr<RunHost>) {
        self.communicator.forget_run(&self.run, address);
    }
}
