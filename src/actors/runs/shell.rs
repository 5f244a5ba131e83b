//! The shell of a run: what performs a run's effects. What its decisions borrow is in `environment`.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use actix::Recipient;
use actix::dev::SendError;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use tokio::sync::watch;

use super::deliveries::Deliveries;
use super::live_state::{LiveState, OpenAttempt};
use super::shared::{self, Renewal};
use super::slots::{Slots, brought};
use super::speech::Speech;
use super::told::ToRun;
use super::{InFlight, Runs, log, turns};
use crate::actors::agents::agent::{Assigned, AttemptCallback, EndLeftover, Job, Perform, StopAttempt};
use crate::actors::agents::dispatcher::{Bring, News};
use crate::actors::hosting::context::HostContext;
use crate::actors::hosting::live::Live;
use crate::actors::hosting::messages::Tell;
use crate::actors::hosting::shell::{Heard, Shell};
use crate::actors::pages::{Pages, page};
use crate::aggregates::run::{Ask, Grants, HeldLock, Run, RunEffect, RunEffectId, SharedEffect};
use crate::events::ids::{AgentName, Fence, RequestId, RunId, Version};
use crate::events::run::{AttemptStarted, Parent};
use crate::events::time::Timestamp;
use crate::executors::{Assignment, Progress};
use crate::kernel::Blobs;
use crate::workflow::definition::Definition;
use crate::workflow::work::Stop;

/// Performs a run's effects.
pub struct RunShell {
    pub(super) run: RunId,
    pub(super) runs: Weak<Runs>,
    /// The place and the words of files for people; none if none are written.
    pages: Option<Pages>,
    pub(super) context: HostContext,
    address: Option<Recipient<Tell<ToRun>>>,
    /// What can be seen of the run. The attempts that agents make for it are listed here only.
    live_state: watch::Sender<LiveState>,
    /// The version that was shown last; none before it is loaded.
    shown: Option<Version>,
    pub(super) slots: Slots,
    /// What renews the locks of attempts.
    renewals: HashMap<Fence, Renewal>,
    /// What is delivered for it, and who waits for answers.
    deliveries: Deliveries,
    /// How many slots of each agent it waits for at the dispatcher.
    waits: HashMap<AgentName, u32>,
    /// When it goes on by itself, as it was logged last.
    due: Option<Timestamp>,
    /// Whether it has a plan of tasks, once that is known.
    has_plan: Option<bool>,
    /// Whether it cannot go on.
    is_parked: bool,
}

impl RunShell {
    /// The shell of a run.
    pub fn new(run: RunId, runs: Weak<Runs>, pages: Option<Pages>, context: HostContext) -> Self {
        let deliveries = Deliveries::new(run.clone(), Weak::clone(&runs), Arc::clone(&context.library));
        Self {
            run,
            runs,
            pages,
            context,
            address: None,
            live_state: watch::Sender::new(LiveState::default()),
            shown: None,
            slots: Slots::default(),
            renewals: HashMap::new(),
            deliveries,
            waits: HashMap::new(),
            due: None,
            has_plan: None,
            is_parked: false,
        }
    }

    /// Wakes nobody: what is decided together is shown together.
    fn change(&self, change: impl FnOnce(&mut LiveState)) {
        self.live_state.send_if_modified(|seen| {
            change(seen);
            false
        });
    }

    /// Has an agent make an attempt.
    fn make(&mut self, state: &Run, started: Arc<AttemptStarted>) {
        let Some(runs) = self.runs.upgrade() else { return };
        let agents = runs.agents();
        let brought = brought(state, &started.agent);
        let definition = brought.definition;
        let held = self.slots.held.get_mut(&started.agent).and_then(Vec::pop);
        // An attempt that was begun by another process goes on without having waited for its turn.
        let slot = held.or_else(|| agents.slots(&started.agent, brought, 1).pop());
        let Some(slot) = slot else {
            // Deciding grants no more attempts than there were slots.
            tracing::error!(run = %self.run, step = %started.step, "an attempt started without a slot");
            return;
        };
        runs.register(&started.agent, brought);
        log::attempt_begins(&self.run, &started);
        let (progress, seen) = watch::channel(Progress::default());
        let assignment = Assignment::of(state, &started);
        let in_flight = runs.in_flight();
        let since = self.context.clock.now().steady;
        let irreversible = state.is_irreversible(&started);
        let open =
            OpenAttempt { started: Arc::clone(&started), definition, irreversible, since, progress: seen };
        self.change(|live_state| {
            live_state.attempts.insert(started.fence, open);
        });
        self.tell_of_family(&runs, state);
        self.renew_locks(state, &started);
        let report = self.reporter(&started, in_flight);
        let (run, fence, deadline) = (self.run.clone(), started.fence, started.deadline);
        let library = Arc::clone(&self.context.library);
        let job = match assignment {
            // What has to be read first holds up nobody else.
            Ok(assignment) if library.holds(&assignment.content()).is_none() => {
                Ok(Assigned::Unread(Box::new(move || {
                    assignment.read(&*library).map(Box::new).map(Job::Attempt)
                })))
            }
            Ok(assignment) => assignment.read(&*library).map(Box::new).map(Job::Attempt).map(Assigned::Read),
            Err(problem) => Err(problem),
        };
        match job {
            Ok(job) => {
                let (used, voice) = (None, Speech::voice(&self.runs, &run, &started.step, fence));
                let incoming = runs.conversations().begin(&run, fence);
                let perform = Perform {
                    run,
                    fence,
                    irreversible,
                    job,
                    deadline,
                    slot,
                    progress,
                    voice,
                    incoming,
                    report,
                    used,
                };
                agents.perform(&started.agent, definition, perform);
            }
            Err(problem) => report(Some(Err(problem.into())), slot),
        }
    }

    fn renew_locks(&mut self, state: &Run, started: &AttemptStarted) {
        let (locks, fence) = (state.held(&started.step).to_vec(), started.fence);
        if locks.is_empty() {
            return;
        }
        let (now, host) = (self.context.clock.now().steady, self.address.clone());
        let lost = move |_: &HeldLock| {
            host.into_iter().for_each(|host| drop(host.try_send(Tell(ToRun::LockLost(fence)))))
        };
        let renewal = Renewal::of(Weak::clone(&self.runs), self.run.clone(), locks, now, lost);
        self.renewals.insert(fence, renewal);
    }

    /// What brings the result of an attempt to its run, whoever hosts it by then.
    fn reporter(&self, started: &AttemptStarted, in_flight: InFlight) -> AttemptCallback {
        let (runs, run, host) = (Weak::clone(&self.runs), self.run.clone(), self.address.clone());
        let (step, fence) = (started.step.clone(), started.fence);
        Box::new(move |result, slot| {
            let report = ToRun::Reported { step, fence, result, slot, in_flight };
            let Some(host) = host else { return };
            let unsent = match host.try_send(Tell(report)) {
                Ok(()) => return,
                Err(SendError::Full(Tell(report)) | SendError::Closed(Tell(report))) => report,
            };
            // Its host has much to do, or another is there by now.
            if let Some(runs) = runs.upgrade() {
                runs.tell(&run, unsent);
            }
        })
    }

    fn stop(&self, fence: Fence, why: Stop) {
        let open = self.live_state.borrow().attempts.get(&fence).cloned();
        if let (Some(OpenAttempt { started, definition, .. }), Some(runs)) = (open, self.runs.upgrade()) {
            log::attempt_stops(&self.run, &started.step, fence, why);
            let stop = StopAttempt { run: self.run.clone(), fence, why };
            runs.agents().stop(&started.agent, definition, stop);
        }
    }

    /// Who listens to what programs of a run say, listens to its children.
    fn tell_of_family(&self, runs: &Runs, state: &Run) {
        if let Some(Parent { run, step }) = state.parent() {
            runs.logs().begin_child(&self.run, run, step);
        }
    }

    /// An attempt is not made any more, be it open or not.
    fn forget(&mut self, fence: Fence) {
        self.renewals.remove(&fence);
        if let Some(runs) = self.runs.upgrade() {
            runs.conversations().end(&self.run, fence);
        }
        self.change(|live_state| drop(live_state.attempts.remove(&fence)));
    }

    fn hand_out(&self, state: &Run, fence: Fence) {
        if let Some(runs) = self.runs.upgrade() {
            runs.handing.hand(state, &self.run, fence);
        }
    }

    fn write_request(&self, request: &RequestId) {
        if let Some(runs) = self.runs.upgrade() {
            let in_flight = runs.in_flight();
            runs.scribe().write(&self.run, request, Box::new(in_flight));
        }
    }

    /// Has written what a team shares, if the run has one.
    fn keep_team(&mut self, runs: &Runs, state: &Run) {
        let Some(about) = state.about() else { return };
        let library = &self.context.library;
        let has_plan = self.has_plan.get_or_insert_with(|| {
            let blobs: &dyn Blobs = &**library;
            let definition = blobs.value::<Definition>(&about.started.definition.hash);
            definition.is_ok_and(|definition| definition.steps.iter().any(|step| step.plan.is_some()))
        });
        if *has_plan {
            runs.team().write(&self.run, Box::new(runs.in_flight()));
        }
    }

    /// Tells the dispatcher for how many slots the run waits.
    fn queue(&mut self, runs: &Runs, state: &Run, driven: bool) {
        let may_start = driven && !runs.hosting().book().is_closing();
        let wanted = if may_start { state.startable(&Ask::Go) } else { Grants::default() };
        let gone = self.waits.keys().filter(|agent| !wanted.0.contains_key(*agent));
        let gone: Vec<_> = gone.cloned().map(|agent| (agent, 0)).collect();
        for (agent, wants) in wanted.0.into_iter().chain(gone) {
            if self.waits.get(&agent).copied().unwrap_or(0) != wants
                && wants > 0
                && let Some(to) = self.bringer()
                && let Err(problem) = runs.agents().wait(&self.run, &agent, brought(state, &agent), wants, to)
            {
                if let Some(host) = &self.address {
                    // Where it is not told now, it is after the next commit.
                    let _ = host.try_send(Tell(ToRun::Lacks(problem)));
                }
                continue;
            }
            if self.waits.get(&agent).copied().unwrap_or(0) != wants {
                log::waits_for_slots(&self.run, &agent, wants);
            }
            if wants == 0 {
                runs.agents().dispatcher().wait_no_longer(&self.run, &agent);
                self.waits.remove(&agent);
            } else {
                self.waits.insert(agent, wants);
            }
        }
    }

    /// What brings news of slots to this host. A run that is gone drops the slot, which then goes to the next.
    fn bringer(&self) -> Option<Bring> {
        let address = self.address.clone()?;
        Some(Arc::new(move |news| {
            let address = address.clone();
            async move {
                let _ = address.send(Tell(ToRun::OfSlot(news))).await;
            }
            .boxed()
        }))
    }
}

impl Shell<Run> for RunShell {
    type View = watch::Receiver<LiveState>;
    type Message = ToRun;

    fn view(&self) -> watch::Receiver<LiveState> {
        self.live_state.subscribe()
    }

    fn started(&mut self, host: Recipient<Tell<ToRun>>) {
        self.address = Some(host);
    }

    fn perform(&mut self, state: &Run, effect: RunEffect) {
        match effect {
            RunEffect::Attempt(started) => self.make(state, started),
            RunEffect::Stop { fence, .. } => self.stop(fence, Stop::Cancelled),
            RunEffect::Ask { request, step } => {
                log::asks(&self.run, &step, &request);
                self.write_request(&request);
            }
            RunEffect::HandOut { fence, .. } => self.hand_out(state, fence),
            RunEffect::Shared(SharedEffect::Read { step, keys }) => {
                shared::read(&self.context, self.address.clone(), step, keys);
            }
            RunEffect::Shared(SharedEffect::LookUp(awaited)) => {
                if let Some(runs) = self.runs.upgrade() {
                    runs.lookups.look_up(&self.context, self.address.clone(), awaited);
                }
            }
            RunEffect::Shared(SharedEffect::Hear { step, conversation }) => {
                turns::hear(&self.context, self.address.clone(), step, conversation);
            }
            RunEffect::Shared(SharedEffect::Continue { step, fence, .. }) => {
                if let Some(runs) = self.runs.upgrade() {
                    turns::go_on(&runs, self.address.clone(), (&self.run, state), step, fence);
                }
            }
            RunEffect::Deliver(started) => self.deliveries.deliver(state, &started, &mut self.slots),
            RunEffect::Give { fence, number } => self.deliveries.give(state, fence, number),
            RunEffect::Answer { fence, nth, answer } => self.deliveries.answer((fence, nth), answer),
            // What is said to other streams is said for it, and who takes tasks asks for them.
            RunEffect::Task(_)
            | RunEffect::Child { .. }
            | RunEffect::Tell(_)
            | RunEffect::AskReturn
            | RunEffect::AnswerReturn { .. }
            | RunEffect::Wake { .. }
            | RunEffect::Shared(_)
            | RunEffect::Start { .. } => {}
        }
    }

    fn close(&mut self, _: &Run, effect: &RunEffectId, given_up: bool) {
        match effect {
            RunEffectId::Attempt(fence) => {
                if given_up {
                    self.stop(*fence, Stop::LetGo);
                }
                self.forget(*fence);
            }
            RunEffectId::Deliver(fence) => self.deliveries.end(*fence),
            RunEffectId::Answer(fence, nth) => self.deliveries.wait_no_longer(*fence, *nth),
            // Its page says what became of it.
            RunEffectId::Ask(request) => self.write_request(request),
            _ => {}
        }
    }

    fn clear(&mut self, state: &Run, effects: Vec<RunEffect>) -> BoxFuture<'static, ()> {
        let Some(runs) = self.runs.upgrade() else { return std::future::ready(()).boxed() };
        let attempts = effects.into_iter().filter_map(|effect| match effect {
            RunEffect::Attempt(started) => Some(started),
            _ => None,
        });
        let ending = attempts.map(|attempt| {
            let leftover = EndLeftover { run: self.run.clone(), step: attempt.step.clone() };
            runs.agents().end_leftover(&attempt.agent, state.agent(&attempt.agent), leftover)
        });
        join_all(ending.collect::<Vec<_>>()).map(drop).boxed()
    }

    fn told(&mut self, message: ToRun) -> Heard<Run> {
        match message {
            // Its turn has come too late: the slot goes to the next.
            ToRun::OfSlot(_) if self.is_parked => Heard::Seen,
            ToRun::OfSlot(News::Paused(agent)) => {
                self.waits.remove(&agent);
                Heard::Command(Ask::AgentPaused { agent })
            }
            ToRun::OfSlot(News::Slot(slot)) => {
                // The dispatcher has counted it; what the run still waits for is told after the next commit.
                self.waits.remove(slot.agent());
                self.slots.granted.push(slot);
                Heard::Command(Ask::Go)
            }
            ToRun::Lacks(problem) => Heard::LeaveAlone(problem),
            ToRun::Shared { effect, says } => {
                Heard::Settled(RunEffectId::Shared(effect), Some(Ask::OfShared(Box::new(says))))
            }
            ToRun::Waits { fence, nth, reply } => {
                self.deliveries.wait(fence, nth, reply);
                Heard::Seen
            }
            ToRun::Delivered { fence, result, .. } => self.deliveries.came_to(fence, result),
            ToRun::LockLost(fence) => {
                self.stop(fence, Stop::LockLost);
                Heard::Seen
            }
            // The slot is given back before deciding, so that the next attempt can have it in the same commit.
            ToRun::Reported { step, fence, result, .. } => {
                log::attempt_ended(&self.run, &step, fence, result.as_ref());
                if result.is_none() {
                    self.forget(fence);
                }
                let ask = result.map(|result| match result {
                    Ok(output) => Ask::Completed { step, fence, output },
                    Err(failure) => Ask::Failed { step, fence, failure },
                });
                Heard::Settled(RunEffectId::Attempt(fence), ask)
            }
        }
    }

    fn parked(&mut self) {
        self.is_parked = true;
        let fences: Vec<Fence> = self.live_state.borrow().attempts.keys().copied().collect();
        fences.into_iter().for_each(|fence| self.stop(fence, Stop::LetGo));
        self.deliveries.end_all();
        let Some(runs) = self.runs.upgrade() else { return };
        for agent in std::mem::take(&mut self.waits).into_keys() {
            runs.agents().dispatcher().wait_no_longer(&self.run, &agent);
        }
    }

    fn show(&mut self, state: &Run, driven: bool, live: &mut Live) {
        self.slots.give_back(driven);
        let Some(runs) = self.runs.upgrade() else { return };
        self.queue(&runs, state, driven);
        runs.look_at_agents(&self.run, state);
        // What a person must undo by hand is written down before anybody hears that the run has ended: a small file, once in
        // the life of few runs.
        let is_news = self.shown.is_some_and(|shown| live.version > shown);
        if is_news || self.shown.is_none() {
            log::recorded(&self.run, live.version, state.status().text(), driven);
            let due = state.wakes_at().filter(|_| driven);
            if let Some(at) = due.filter(|at| self.due.replace(*at) != Some(*at)) {
                log::waits_for_timer(&self.run, state, at);
            }
        }
        if is_news
            && live.attention.over
            && let Some(pages) = &self.pages
        {
            page::keep(pages, state, live.version);
        }
        if is_news || self.shown.is_none() {
            self.keep_team(&runs, state);
        }
        match live.attention.over {
            true if state.parent().is_some() => runs.logs().end_child(&self.run),
            // Its own children come later.
            false if self.shown.is_none() => self.tell_of_family(&runs, state),
            _ => {}
        }
        self.shown = Some(live.version);
        self.change(|live_state| live_state.look(state, live.version));
        live.busy = self.live_state.borrow().is_at_work() || self.deliveries.is_at_work();
    }
}
