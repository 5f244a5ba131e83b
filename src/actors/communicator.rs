//! Who is where: the addresses of runs and agents, and the typed messages between them. Runs reach agents, and
//! agents runs, through nothing else.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, ArbiterHandle, Handler, Message};
use dashmap::{DashMap, DashSet};
use tokio::sync::{broadcast, oneshot, watch};

use super::agent::{Agent, EndLeftover, Perform, StopAll, StopAttempt};
use super::dispatcher::{Dispatcher, Slot};
use super::glance::Glance;
use super::host::{Host, HostContext, Submit};
use super::roster::{Member, Roster};
use super::run::{Drive, Due, LetGo, RunHost, RunShell, undriven};
use super::timer::{Forget, SetTimer, TimerActor, Wake};
use crate::events::ids::{AgentName, Fence, Hash, RunId, StepId, StreamId, TimerId, Version};
use crate::events::json::BlobRef;
use crate::events::problem::{Code, Problem};
use crate::executors::Task;
use crate::workflow::run::Ask;
use crate::workflow::work::{Failure, Output};

/// Messages that may wait in an agent's mailbox. Slots bound what is asked of it; the rest are stops.
const AGENT_MAILBOX: usize = 4_096;

/// Messages that may wait in a run's mailbox: results, timers and commands.
const RUN_MAILBOX: usize = 1_024;

/// How many runs may wait to be looked at because somebody wanted something of them. Beyond it, all that are due are looked
/// at, which finds them too.
const NUDGES_MAX: usize = 1_024;

/// What came of an attempt.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Report {
    /// Of which run.
    pub run: RunId,
    /// Of which step.
    pub step: StepId,
    /// Of which attempt.
    pub fence: Fence,
    /// The result.
    pub result: Result<Output, Failure>,
    /// The slot that is free again.
    pub slot: Slot,
    /// Until the run has heard of it, the attempt is being made.
    pub in_flight: InFlight,
}

/// Counts an attempt among those that are being made, until it is dropped.
#[derive(Debug)]
pub struct InFlight(watch::Sender<usize>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// The address book of a process.
pub struct Communicator {
    runs: DashMap<RunId, RunEntry>,
    /// The runs that go on by themselves, those among them that sleep and are not in memory.
    driven: DashSet<RunId>,
    /// Those that somebody asked for by name, from then on.
    named: DashSet<RunId>,
    /// Those that nobody asked for by name: who drives all of them lets them go when they sleep.
    lent: DashSet<RunId>,
    /// Runs of which somebody wanted something that nobody drives. Who drives all of them listens.
    nudges: broadcast::Sender<RunId>,
    agents: DashMap<AgentKey, AgentEntry>,
    timer: OnceLock<Addr<TimerActor>>,
    /// Tells the timer which of two messages was sent first.
    timer_numbers: AtomicU64,
    arbiters: Vec<ArbiterHandle>,
    next_arbiter: AtomicUsize,
    host: HostContext,
    roster: Roster,
    dispatcher: Arc<Dispatcher>,
    /// Attempts that agents are making.
    in_flight: watch::Sender<usize>,
    closing: AtomicBool,
}

struct RunEntry {
    address: Addr<RunHost>,
    glance: watch::Receiver<Glance>,
}

/// An agent and its definition: two runs may know one name with two definitions.
type AgentKey = (AgentName, Option<Hash>);

#[derive(Clone)]
struct AgentEntry {
    address: Addr<Agent>,
    concurrency: u32,
}

impl Communicator {
    /// A communicator whose actors live on these arbiters, or on the current one if there are none.
    pub fn start(host: HostContext, roster: Roster, arbiters: Vec<ArbiterHandle>) -> Arc<Self> {
        let communicator = Arc::new(Self {
            runs: DashMap::new(),
            driven: DashSet::new(),
            named: DashSet::new(),
            lent: DashSet::new(),
            nudges: broadcast::Sender::new(NUDGES_MAX),
            agents: DashMap::new(),
            timer: OnceLock::new(),
            timer_numbers: AtomicU64::new(0),
            arbiters,
            next_arbiter: AtomicUsize::new(0),
            host,
            roster,
            dispatcher: Dispatcher::start(),
            in_flight: watch::Sender::new(0),
            closing: AtomicBool::new(false),
        });
        let timer = TimerActor::new(Arc::downgrade(&communicator), Arc::clone(&communicator.host.clock));
        let _ = communicator.timer.set(timer.start());
        communicator
    }

    /// Slots of agents.
    pub fn dispatcher(&self) -> &Arc<Dispatcher> {
        &self.dispatcher
    }

    /// What every host has.
    pub fn host(&self) -> &HostContext {
        &self.host
    }

    /// Whether nothing new may start, because the process is ending.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// The address of a run's host, which is started if there is none: one for each id.
    pub fn run(self: &Arc<Self>, run: &RunId) -> (Addr<RunHost>, watch::Receiver<Glance>) {
        if let Some(entry) = self.runs.get(run).filter(|entry| entry.address.connected()) {
            return (entry.address.clone(), entry.glance.clone());
        }
        let mut entry = self.runs.entry(run.clone()).or_insert_with(|| self.start_run(run));
        if !entry.address.connected() {
            *entry = self.start_run(run);
        }
        (entry.address.clone(), entry.glance.clone())
    }

    /// Whether a run goes on by itself.
    pub fn is_driven(&self, run: &RunId) -> bool {
        self.driven.contains(run)
    }

    /// Notes whether a run goes on by itself.
    pub fn note_driven(&self, run: &RunId, driven: bool) {
        if driven {
            self.driven.insert(run.clone());
        } else {
            self.driven.remove(run);
            self.named.remove(run);
        }
    }

    /// What is seen of a run that is in memory.
    pub fn glance(&self, run: &RunId) -> Option<Glance> {
        self.runs.get(run).map(|entry| entry.glance.borrow().clone())
    }

    /// Whether a run is driven only because all are.
    pub fn is_lent(&self, run: &RunId) -> bool {
        self.lent.contains(run)
    }

    /// Whether somebody drives all runs that can go on.
    pub fn drives_all(&self) -> bool {
        self.nudges.receiver_count() > 0
    }

    /// The runs of which somebody wants something from here on, and that nobody drives.
    pub fn nudged(&self) -> broadcast::Receiver<RunId> {
        self.nudges.subscribe()
    }

    /// Lets whoever drives all runs look at this one.
    pub fn nudge(&self, run: &RunId) {
        if !self.is_driven(run) {
            // Without anybody who drives all, it waits until somebody drives it.
            let _ = self.nudges.send(run.clone());
        }
    }

    /// The runs that are in memory.
    pub fn active_runs(&self) -> Vec<RunId> {
        self.runs.iter().map(|entry| entry.key().clone()).collect()
    }

    /// A run's host was put away.
    pub fn forget_run(&self, run: &RunId, address: &Addr<RunHost>) {
        // As long as it is listed, no other host takes its place: what that one notes comes later.
        if self.lent.remove(run).is_some() {
            self.note_driven(run, false);
            if let Some(timer) = self.timer.get() {
                send(timer, Forget { run: run.clone(), before: self.timer_number() });
            }
        }
        self.runs.remove_if(run, |_, entry| entry.address == *address);
    }

    fn start_run(self: &Arc<Self>, run: &RunId) -> RunEntry {
        let (glance, seen) = watch::channel(Glance::default());
        let (host, run, communicator) = (self.host.clone(), run.clone(), Arc::clone(self));
        let driven = self.is_driven(&run);
        let address = Host::start_in_arbiter(&self.arbiter(), move |actor| {
            actor.set_mailbox_capacity(RUN_MAILBOX);
            Host::new(StreamId::of_run(&run), host, RunShell::new(run, communicator, glance, driven))
        });
        RunEntry { address, glance: seen }
    }

    /// Sends a message to a run, starting its host if need be.
    async fn tell<M>(self: &Arc<Self>, run: &RunId, message: M)
    where
        M: Message<Result = ()> + Clone + Send + 'static,
        RunHost: Handler<M>,
        <RunHost as Actor>::Context: ToEnvelope<RunHost, M>,
    {
        // A host that was put away just now is started again.
        while self.run(run).0.send(message.clone()).await.is_err() && !self.is_closing() {}
    }

    /// Lets a run go on, now and by itself from here on.
    pub async fn drive(self: &Arc<Self>, run: &RunId) {
        self.named.insert(run.clone());
        self.lent.remove(run);
        self.tell(run, Drive).await;
    }

    /// Lets a run go on until it has nothing to do for now; then it is put away, and nobody drives it. What is seen of it
    /// ends with that.
    pub async fn lend(self: &Arc<Self>, run: &RunId) -> watch::Receiver<Glance> {
        let was_driven = self.is_driven(run);
        self.lent.insert(run.clone());
        // Looked at after that, so that of two who drive it at once the one who names it wins.
        if was_driven || self.named.contains(run) {
            self.lent.remove(run);
        }
        let glance = self.run(run).1;
        self.tell(run, Drive).await;
        glance
    }

    /// Asks a run something, and answers the version after it, once that is durable.
    ///
    /// # Errors
    /// Why the run refuses, or cannot answer.
    pub async fn ask(self: &Arc<Self>, run: &RunId, ask: Ask) -> Result<Version, Problem> {
        loop {
            let (reply, answer) = oneshot::channel();
            let submit = Submit { command: undriven(ask.clone()), reply: Some(reply) };
            match self.run(run).0.send(submit).await {
                Ok(()) => {
                    let gone = || Problem::new(Code::ShuttingDown, "the run's host ended");
                    return answer.await.unwrap_or_else(|_| Err(gone()));
                }
                Err(error) if self.is_closing() => {
                    return Err(Problem::new(Code::ShuttingDown, error.to_string()));
                }
                Err(_) => {}
            }
        }
    }

    /// Wakes a run whose timer is due, if it is still to go on by itself.
    pub async fn wake(self: &Arc<Self>, run: RunId, timer: TimerId) {
        if self.is_driven(&run) && !self.is_closing() {
            self.tell(&run, Due(timer)).await;
        }
    }

    /// Sets a timer of a run.
    pub fn set_timer(&self, wake: Wake) {
        if let Some(timer) = self.timer.get() {
            send(timer, SetTimer { wake, number: self.timer_number() });
        }
    }

    fn timer_number(&self) -> u64 {
        self.timer_numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// How many attempts an agent makes at once.
    pub fn concurrency(self: &Arc<Self>, name: &AgentName, definition: Option<BlobRef>) -> u32 {
        self.agent(name, definition).map_or(1, |entry| entry.concurrency)
    }

    /// Asks an agent for an attempt. An agent that this process does not have answers with a failure at once.
    pub fn perform(self: &Arc<Self>, definition: Option<BlobRef>, perform: Perform) {
        match self.agent(&perform.task.agent, definition) {
            Ok(entry) => send(&entry.address, perform),
            Err(problem) => {
                let Perform { task, slot, in_flight, .. } = perform;
                let failure = Failure::new(problem.code, problem.message).class(problem.class);
                let Task { run, step, fence, .. } = task;
                self.report(Report { run, step, fence, result: Err(failure), slot, in_flight });
            }
        }
    }

    /// Asks an agent to stop an attempt.
    pub fn stop(self: &Arc<Self>, name: &AgentName, definition: Option<BlobRef>, stop: StopAttempt) {
        if let Ok(entry) = self.agent(name, definition) {
            send(&entry.address, stop);
        }
    }

    /// Asks the agent of a lost attempt to end what its process left running, and ends when that is gone. If it does
    /// not go, the next attempt at that step fails for it.
    pub fn end_leftover(
        self: &Arc<Self>,
        name: &AgentName,
        definition: Option<BlobRef>,
        leftover: EndLeftover,
    ) -> impl Future<Output = ()> + Send + 'static + use<> {
        let entry = self.agent(name, definition);
        async move {
            let step = leftover.step.clone();
            // An agent that this process does not have is told of when it is asked for an attempt.
            let Ok(entry) = entry else { return };
            if let Ok(Err(failure)) = entry.address.send(leftover).await {
                tracing::warn!(%step, %failure, "what a lost attempt left running does not end");
            }
        }
    }

    /// Brings the result of an attempt to its run. A host is never put away while an attempt is open; if it died, the
    /// attempt counts as lost.
    pub fn report(self: &Arc<Self>, report: Report) {
        send(&self.run(&report.run).0, report);
    }

    /// Counts one more attempt among those that are being made.
    pub fn in_flight(&self) -> InFlight {
        self.in_flight.send_modify(|count| *count += 1);
        InFlight(self.in_flight.clone())
    }

    /// From here on nothing starts.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.dispatcher.close();
    }

    /// Ends when all that runs were asked by now is recorded.
    pub async fn settled(self: &Arc<Self>) {
        let runs = self.active_runs();
        // What a run answers to nothing new is no matter; that it does is.
        futures_util::future::join_all(runs.iter().map(|run| self.ask(run, Ask::Go))).await;
    }

    /// Ends when no attempt is being made.
    pub async fn all_reported(&self) {
        let mut in_flight = self.in_flight.subscribe();
        // An error means that the sender is gone, which is this very communicator.
        let _ = in_flight.wait_for(|count| *count == 0).await;
    }

    /// Stops every attempt, or every attempt of one run.
    pub fn stop_all(&self, run: Option<&RunId>) {
        self.agents.iter().for_each(|agent| send(&agent.address, StopAll { run: run.cloned() }));
    }

    /// Lets a run stay as it is: nothing more starts.
    pub async fn let_go(self: &Arc<Self>, run: &RunId) {
        self.tell(run, LetGo).await;
    }

    /// Lets go of everybody.
    pub fn clear(&self) {
        self.runs.clear();
        self.agents.clear();
    }

    fn agent(self: &Arc<Self>, name: &AgentName, definition: Option<BlobRef>) -> Result<AgentEntry, Problem> {
        let key = (name.clone(), definition.map(|blob| blob.hash));
        if let Some(entry) = self.agents.get(&key).filter(|entry| entry.address.connected()) {
            return Ok(entry.clone());
        }
        let Member { executor, slots: concurrency } =
            self.roster.member(name, definition, &*self.host.library)?;
        let (communicator, clock) = (Arc::clone(self), Arc::clone(&self.host.clock));
        let start = || {
            let address = Agent::start_in_arbiter(&self.arbiter(), move |actor| {
                actor.set_mailbox_capacity(AGENT_MAILBOX);
                Agent::new(executor, communicator, clock)
            });
            AgentEntry { address, concurrency }
        };
        let entry = match self.agents.entry(key) {
            dashmap::Entry::Occupied(entry) if entry.get().address.connected() => entry.get().clone(),
            dashmap::Entry::Occupied(mut entry) => {
                entry.insert(start());
                entry.get().clone()
            }
            dashmap::Entry::Vacant(entry) => entry.insert(start()).clone(),
        };
        Ok(entry)
    }

    /// The arbiters in turn.
    fn arbiter(&self) -> ArbiterHandle {
        let turn = self.next_arbiter.fetch_add(1, Ordering::Relaxed) % self.arbiters.len().max(1);
        self.arbiters.get(turn).cloned().unwrap_or_else(actix::Arbiter::current)
    }
}

/// Sends without waiting where there is room, else as soon as there is.
fn send<A, M>(address: &Addr<A>, message: M)
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message<Result = ()> + Send + 'static,
{
    if let Err(actix::dev::SendError::Full(message)) = address.try_send(message) {
        let address = address.clone();
        actix::spawn(async move { address.send(message).await });
    }
}
