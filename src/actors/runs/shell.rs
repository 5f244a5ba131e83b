//! The shell of a run: what performs a run's effects, and what its decisions borrow.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use actix::Recipient;
use actix::dev::SendError;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use tokio::sync::watch;

use super::live_state::{LiveState, OpenAttempt};
use super::{InFlight, Runs, log};
use crate::actors::agents::agent::{Assigned, AttemptCallback, Attempted, EndLeftover, Perform, StopAttempt};
use crate::actors::agents::communicator::Brought;
use crate::actors::agents::dispatcher::{Bring, News, Slot};
use crate::actors::hosting::context::HostContext;
use crate::actors::hosting::live::Live;
use crate::actors::hosting::messages::Tell;
use crate::actors::hosting::shell::{Heard, Shell};
use crate::actors::pages::{Pages, page};
use crate::aggregates::run::{Ask, Grants, Run, RunEffect, RunEffectId, StartRun};
use crate::events::ids::{AgentName, Fence, RequestId, RunId, StepId, Version};
use crate::events::problem::Problem;
use crate::events::run::{AttemptStarted, Parent};
use crate::events::time::Timestamp;
use crate::executors::{Assignment, Progress};
use crate::kernel::core::Environment;
use crate::kernel::{Blobs, Now};
use crate::workflow::work::Stop;

/// Each decision of this process has another seed.
static SEED: AtomicU64 = AtomicU64::new(0);

/// What is told to the shell of a run.
pub enum ToRun {
    /// News of a slot that it waits for.
    OfSlot(News),
    /// It could use an agent that this process does not have.
    Lacks(Problem),
    /// What came of an attempt; none if the attempt was let go of before it had succeeded.
    Reported {
        /// The step that was tried.
        step: StepId,
        /// The fence of the attempt.
        fence: Fence,
        /// The output or the failure; none if the attempt was let go of before it had succeeded.
        result: Option<Attempted>,
        /// The slot that is free again.
        slot: Slot,
        /// Until the run has heard of it, the attempt is being made.
        in_flight: InFlight,
    },
}

/// Performs a run's effects.
pub struct RunShell {
    run: RunId,
    runs: Weak<Runs>,
    /// The place and the words of files for people; none if none are written.
    pages: Option<Pages>,
    context: HostContext,
    address: Option<Recipient<Tell<ToRun>>>,
    /// What can be seen of the run. The attempts that agents make for it are listed here only.
    live_state: watch::Sender<LiveState>,
    /// The version that was shown last; none before it is loaded.
    shown: Option<Version>,
    slots: Slots,
    /// How many slots of each agent it waits for at the dispatcher.
    waits: HashMap<AgentName, u32>,
    /// When it goes on by itself, as it was logged last.
    due: Option<Timestamp>,
    /// Whether it cannot go on.
    is_parked: bool,
}

/// Slots for attempts that may start in the next commit.
#[derive(Default)]
struct Slots {
    held: HashMap<AgentName, Vec<Slot>>,
    /// How many of them attempts will take that start with this commit.
    spoken_for: HashMap<AgentName, usize>,
    /// Those that came while a commit was on its way.
    granted: Vec<Slot>,
}

impl RunShell {
    /// The shell of a run.
    pub fn new(run: RunId, runs: Weak<Runs>, pages: Option<Pages>, context: HostContext) -> Self {
        Self {
            run,
            runs,
            pages,
            context,
            address: None,
            live_state: watch::Sender::new(LiveState::default()),
            shown: None,
            slots: Slots::default(),
            waits: HashMap::new(),
            due: None,
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
        let report = self.reporter(&started, in_flight);
        let (run, fence, deadline) = (self.run.clone(), started.fence, started.deadline);
        let library = Arc::clone(&self.context.library);
        let task = match assignment {
            // What has to be read first holds up nobody else.
            Ok(assignment) if library.holds(&assignment.content()).is_none() => {
                Ok(Assigned::Unread(Box::new(move || assignment.read(&*library))))
            }
            Ok(assignment) => assignment.read(&*library).map(Box::new).map(Assigned::Task),
            Err(problem) => Err(problem),
        };
        match task {
            Ok(task) => {
                let used = None;
                let perform =
                    Perform { run, fence, irreversible, task, deadline, slot, progress, report, used };
                agents.perform(&started.agent, definition, perform);
            }
            Err(problem) => report(Some(Err(problem.into())), slot),
        }
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
        self.change(|live_state| drop(live_state.attempts.remove(&fence)));
    }

    fn write_request(&self, request: &RequestId) {
        if let Some(runs) = self.runs.upgrade() {
            let in_flight = runs.in_flight();
            runs.scribe().write(&self.run, request, Box::new(in_flight));
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

impl Environment<Run> for RunShell {
    fn now(&mut self) -> Now {
        self.context.clock.now()
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::clone(&self.context.library) as Arc<dyn Blobs>
    }

    fn seed(&mut self) -> u64 {
        SEED.fetch_add(1, Ordering::Relaxed)
    }

    fn grant(&mut self, state: &Run, ask: &Ask, opened: &[RunEffect]) -> Option<Grants> {
        let runs = self.runs.upgrade().filter(|runs| !runs.hosting().book().is_closing())?;
        if let Some(start) = ask.begins().filter(|_| state.about().is_none()) {
            let needs = start.needs();
            let needs = needs.iter().map(|agent| (agent, begins_with(&runs, start, agent).definition));
            // It is recorded, and left alone.
            runs.agents().has_all(&self.run, needs).ok()?;
        }
        self.slots.note(opened);
        let mut grants = state.startable(ask);
        for (agent, wanted) in &mut grants.0 {
            let brought = match ask.begins().filter(|_| state.about().is_none()) {
                Some(start) => begins_with(&runs, start, agent),
                None => brought(state, agent),
            };
            *wanted = self.slots.acquire(&runs, agent, brought, *wanted);
        }
        Some(grants)
    }

    fn may_drive(&mut self, state: &Run) -> Result<(), Problem> {
        let Some(runs) = self.runs.upgrade() else { return Ok(()) };
        let needs = state.needs().into_iter().map(|agent| (agent, state.agent(agent)));
        runs.agents().has_all(&self.run, needs)
    }

    fn take_back(&mut self) {
        self.slots = Slots::default();
    }
}

/// What a run brings of an agent.
fn brought(state: &Run, agent: &AgentName) -> Brought {
    let about = state.about().filter(|_| state.parent().is_none());
    Brought { definition: state.agent(agent), since: about.map_or(Timestamp(0), |about| about.at) }
}

/// What a run brings of an agent that begins now.
fn begins_with(runs: &Runs, start: &StartRun, agent: &AgentName) -> Brought {
    let context = runs.context();
    let bound = start.agents.iter().find(|(name, _)| name == agent).map(|(_, blob)| blob);
    bound.into_iter().for_each(|blob| context.library.keep(blob));
    let now = context.clock.now().steady;
    let since = if start.parent.is_none() { now } else { Timestamp(0) };
    Brought { definition: bound.map(|blob| blob.reference), since }
}

impl Slots {
    /// Attempts that earlier commands of this commit started will take their slots when it is durable.
    fn note(&mut self, opened: &[RunEffect]) {
        for slot in self.granted.drain(..) {
            self.held.entry(slot.agent().clone()).or_default().push(slot);
        }
        for effect in opened {
            if let RunEffect::Attempt(started) = effect {
                *self.spoken_for.entry(started.agent.clone()).or_default() += 1;
            }
        }
    }

    /// Answers how many of so many slots there are, which are held from here on.
    fn acquire(&mut self, runs: &Runs, agent: &AgentName, brought: Brought, wanted: u32) -> u32 {
        let spoken_for = self.spoken_for.get(agent).copied().unwrap_or(0);
        let held = self.held.entry(agent.clone()).or_default();
        let left = u32::try_from(held.len().saturating_sub(spoken_for)).unwrap_or(u32::MAX);
        let missing = wanted.saturating_sub(left);
        let before = held.len();
        if missing > 0 {
            held.extend(runs.agents().slots(agent, brought, missing));
        }
        let acquired = u32::try_from(held.len() - before).unwrap_or(u32::MAX);
        wanted.min(left.saturating_add(acquired))
    }

    /// The commit is durable, and its attempts have their slots. Where nobody drives the run, none is for the next either.
    fn give_back(&mut self, driven: bool) {
        self.held.clear();
        self.spoken_for.clear();
        if !driven {
            self.granted.clear();
        }
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
            // What is said to other runs is said for it.
            RunEffect::Child { .. }
            | RunEffect::Tell(_)
            | RunEffect::AskReturn
            | RunEffect::AnswerReturn { .. }
            | RunEffect::Wake { .. }
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
        match live.attention.over {
            true if state.parent().is_some() => runs.logs().end_child(&self.run),
            // Its own children come later.
            false if self.shown.is_none() => self.tell_of_family(&runs, state),
            _ => {}
        }
        self.shown = Some(live.version);
        self.change(|live_state| live_state.look(state, live.version));
        live.busy = self.live_state.borrow().is_at_work();
    }
}
