//! Who is where: the addresses of runs and agents, and the typed messages between them. Runs reach agents, and
//! agents runs, through nothing else.

mod all;
mod rest;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, ArbiterHandle, Handler, Message};
use dashmap::{DashMap, DashSet};
use tokio::sync::{oneshot, watch};

use self::all::Lending;
use super::agent::{Agent, EndLeftover, Perform, StopAll, StopAttempt};
use super::children::Children;
use super::dispatcher::{Dispatcher, Slot};
use super::glance::Glance;
use super::host::{Host, HostContext, Submit};
use super::inspect::Inspector;
use super::roster::{Member, Roster};
use super::run::{Due, LetGo, RunHost, RunShell};
use super::scribe::Scribe;
use super::timer::{SetTimer, TimerActor, Wake};
use crate::aggregates::run::{Ask, StartRun};
use crate::events::ids::{AgentName, Fence, Hash, RequestId, RunId, StepId, StreamId, TimerId, Version};
use crate::events::json::BlobRef;
use crate::events::problem::{Code, Problem};
use crate::executors::Task;
use crate::kernel::Blobs;
use crate::workflow::definition::WORKFLOW_AGENT;
use crate::workflow::work::{Failure, Output};

/// Messages that may wait in an agent's mailbox. Slots bound what is asked of it; the rest are stops.
const AGENT_MAILBOX: usize = 4_096;

/// Messages that may wait in a run's mailbox: results, timers and commands.
const RUN_MAILBOX: usize = 1_024;

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
    /// The result; none if the attempt was let go of before it had succeeded.
    pub result: Option<Result<Output, Failure>>,
    /// The slot that is free again.
    pub slot: Slot,
    /// Until the run has heard of it, the attempt is being made.
    pub in_flight: InFlight,
}

/// Tells a run whether a child that an attempt of it sees through is at rest: then there is nothing to be made.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct ChildRests {
    /// The child.
    pub child: RunId,
    /// Whether it is.
    pub rests: bool,
}

/// Counts an attempt, or a page, among those that are being made, until it is dropped.
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
    lending: Lending,
    agents: DashMap<AgentKey, AgentEntry>,
    timer: OnceLock<Addr<TimerActor>>,
    /// Tells the timer which of two messages was sent first.
    timer_numbers: AtomicU64,
    arbiters: Vec<ArbiterHandle>,
    next_arbiter: AtomicUsize,
    host: HostContext,
    roster: Roster,
    dispatcher: Arc<Dispatcher>,
    scribe: Arc<Scribe>,
    /// Attempts that agents are making, but for those that see children through: what these wait for is made too. And
    /// pages that are being written.
    in_flight: watch::Sender<usize>,
    /// Attempts that see children through.
    children: watch::Sender<usize>,
    /// Runs that are not in memory, and those who want to know when one is again.
    awaited: rest::Awaited,
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
    pub(super) fn start(
        host: HostContext,
        roster: Roster,
        inspector: Inspector,
        arbiters: Vec<ArbiterHandle>,
    ) -> Arc<Self> {
        let scribe = Scribe::new(host.clone(), inspector);
        let communicator = Arc::new(Self {
            runs: DashMap::new(),
            driven: DashSet::new(),
            lending: Lending::default(),
            agents: DashMap::new(),
            timer: OnceLock::new(),
            timer_numbers: AtomicU64::new(0),
            arbiters,
            next_arbiter: AtomicUsize::new(0),
            host,
            roster,
            dispatcher: Dispatcher::start(),
            scribe,
            in_flight: watch::Sender::new(0),
            children: watch::Sender::new(0),
            awaited: rest::Awaited::default(),
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

    /// Has the page of a request for an approval written, or written anew.
    pub fn write_request(&self, run: &RunId, request: &RequestId) {
        self.scribe.write(run, request, self.in_flight(false));
    }

    /// From here on nothing is looked at for a page that takes long.
    pub fn hurry_pages(&self) {
        self.scribe.hurry();
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
            self.lending.forget(run);
        }
    }

    /// What is seen of a run that is in memory.
    pub fn glance(&self, run: &RunId) -> Option<Glance> {
        self.runs.get(run).map(|entry| entry.glance.borrow().clone())
    }

    /// The runs that are in memory.
    pub fn active_runs(&self) -> Vec<RunId> {
        self.runs.iter().map(|entry| entry.key().clone()).collect()
    }

    /// A run's host was put away.
    pub fn forget_run(&self, run: &RunId, address: &Addr<RunHost>) {
        // As long as it is listed, no other host takes its place: what that one notes comes later.
        self.take_back(run);
        self.runs.remove_if(run, |_, entry| entry.address == *address);
    }

    fn start_run(self: &Arc<Self>, run: &RunId) -> RunEntry {
        let (glance, seen) = watch::channel(Glance::default());
        let (host, run, communicator) = (self.host.clone(), run.clone(), Arc::clone(self));
        let driven = self.is_driven(&run);
        self.awaited.is_there(&run);
        let address = Host::start_in_arbiter(&self.arbiter(), move |actor| {
            actor.set_mailbox_capacity(RUN_MAILBOX);
            Host::new(StreamId::of_run(&run), host, RunShell::new(run, communicator, glance, driven))
        });
        RunEntry { address, glance: seen }
    }

    /// Sends a message to a run, starting its host if need be.
    pub(super) async fn tell<M>(self: &Arc<Self>, run: &RunId, message: M)
    where
        M: Message<Result = ()> + Clone + Send + 'static,
        RunHost: Handler<M>,
        <RunHost as Actor>::Context: ToEnvelope<RunHost, M>,
    {
        // A host that was put away just now is started again.
        while self.run(run).0.send(message.clone()).await.is_err() && !self.is_closing() {}
    }

    /// Asks a run something, and answers the version after it, once that is durable.
    ///
    /// # Errors
    /// Why the run refuses, or cannot answer.
    pub async fn ask(self: &Arc<Self>, run: &RunId, ask: Ask) -> Result<Version, Problem> {
        loop {
            let (reply, answer) = oneshot::channel();
            let submit = Submit { command: ask.clone(), reply: Some(reply) };
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

    /// Begins a run, or finds the run of that id that does the same. If it is to be driven it goes on by itself from
    /// here.
    ///
    /// # Errors
    /// When the id is taken by a run that does something else, or the store refuses.
    pub async fn begin(self: &Arc<Self>, run: &RunId, start: StartRun) -> Result<Version, Problem> {
        let (hash, drive) = (start.definition_blob.reference.hash, start.drive);
        (&*self.host.library as &dyn Blobs).remember_value(hash, Arc::clone(&start.definition));
        let version = self.ask(run, Ask::Start(Box::new(start))).await?;
        if drive && !self.is_driven(run) {
            self.drive(run).await;
        }
        self.nudge(run);
        Ok(version)
    }

    /// Asks a run what somebody wants of it who does not drive it, and answers the version after it, once that is
    /// durable. If nobody drives the run, what a process left open that is gone counts as lost first, so that it need not
    /// be awaited; the run is not driven for that.
    ///
    /// # Errors
    /// Why the run refuses, or cannot answer.
    pub async fn order(self: &Arc<Self>, run: &RunId, ask: Ask) -> Result<Version, Problem> {
        if !self.is_driven(run) {
            self.ask(run, Ask::Recover { in_flight: BTreeSet::new() }).await?;
        }
        let version = self.ask(run, ask).await?;
        self.nudge(run);
        Ok(version)
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
                self.report(Report { run, step, fence, result: Some(Err(failure)), slot, in_flight });
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

    /// Counts one more attempt among those that are being made, or among those that see a child through.
    pub fn in_flight(&self, sees_child: bool) -> InFlight {
        let counter = if sees_child { &self.children } else { &self.in_flight };
        counter.send_modify(|count| *count += 1);
        InFlight(counter.clone())
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

    /// Whether attempts see children through.
    pub fn sees_children(&self) -> bool {
        *self.children.borrow() > 0
    }

    /// Ends when no attempt sees a child through.
    pub async fn no_children(&self) {
        let mut children = self.children.subscribe();
        // The sender is this very communicator's.
        let _ = children.wait_for(|count| *count == 0).await;
    }

    /// Ends when no attempt is being made, and no page written. Those that see children through are not awaited: they
    /// only wait themselves.
    pub async fn all_reported(&self) {
        let mut in_flight = self.in_flight.subscribe();
        // An error means that the sender is gone, which is this very communicator.
        let _ = in_flight.wait_for(|count| *count == 0).await;
    }

    /// Lets go of every attempt, or of every attempt of one run.
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
        let Member { executor, slots: concurrency } = if name.as_str() == WORKFLOW_AGENT {
            Member { executor: Arc::new(Children::new(Arc::clone(self))), slots: u32::MAX }
        } else {
            self.roster.member(name, definition, &*self.host.library)?
        };
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
