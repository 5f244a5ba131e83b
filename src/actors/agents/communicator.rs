//! The address book of agents, and the typed messages to them. What they answer goes back through what they were given.

use std::sync::Arc;

use actix::{Actor, Addr};
use dashmap::DashMap;

use super::agent::{Agent, EndLeftover, Perform, StopAll, StopAttempt};
use super::dispatcher::{Dispatcher, GiveSlot, Slot};
use super::roster::{Member, Roster};
use crate::actors::arbiters::Arbiters;
use crate::actors::clock::Clock;
use crate::actors::library::Library;
use crate::actors::send::send;
use crate::events::ids::{AgentName, Hash, RunId};
use crate::events::json::BlobRef;
use crate::events::problem::Problem;
use crate::workflow::work::Failure;

/// Messages that may wait in an agent's mailbox. Slots bound what is asked of it; the rest are stops.
const MAILBOX: usize = 4_096;

/// How many agents are kept that do nothing. Beyond it those that do nothing are let go of: another is started when it is
/// asked for, and each costs some 20 to 50 KB.
const AGENTS_IDLE_MAX: usize = 64;

/// The agents of a process.
pub struct Communicator {
    agents: DashMap<AgentKey, Entry>,
    dispatcher: Arc<Dispatcher>,
    roster: Roster,
    library: Arc<Library>,
    clock: Arc<dyn Clock>,
    arbiters: Arc<Arbiters>,
}

/// An agent and its definition: two runs may know one name with two definitions.
type AgentKey = (AgentName, Option<Hash>);

#[derive(Clone)]
struct Entry {
    /// An agent ends when nobody has its address any more, and all is read that was sent to it.
    address: Addr<Agent>,
    concurrency: u32,
    /// Held by every attempt that it makes.
    used: Arc<()>,
}

impl Communicator {
    /// A communicator whose agents live on these arbiters.
    pub fn start(
        roster: Roster,
        library: Arc<Library>,
        clock: Arc<dyn Clock>,
        arbiters: Arc<Arbiters>,
    ) -> Arc<Self> {
        Arc::new(Self {
            agents: DashMap::new(),
            dispatcher: Dispatcher::start(),
            roster,
            library,
            clock,
            arbiters,
        })
    }

    /// As many of so many slots of an agent as are free and nobody waits for.
    pub fn slots(&self, name: &AgentName, definition: Option<BlobRef>, wanted: u32) -> Vec<Slot> {
        self.dispatcher.try_acquire(name, self.concurrency(name, definition), wanted)
    }

    /// Lets a run wait for slots of an agent: so many, instead of what it wanted before.
    pub fn wait(&self, run: &RunId, name: &AgentName, definition: Option<BlobRef>, wants: u32, to: GiveSlot) {
        self.dispatcher.wait(run, name, self.concurrency(name, definition), wants, to);
    }

    /// How many attempts an agent makes at once.
    fn concurrency(&self, name: &AgentName, definition: Option<BlobRef>) -> u32 {
        self.agent(name, definition).map_or(1, |entry| entry.concurrency)
    }

    /// Asks an agent for an attempt. An agent that this process does not have answers with a failure at once.
    pub fn perform(&self, name: &AgentName, definition: Option<BlobRef>, perform: Perform) {
        match self.agent(name, definition) {
            Ok(Entry { address, used, .. }) => send(&address, Perform { used: Some(used), ..perform }),
            Err(problem) => {
                let failure = Failure::new(problem.code, problem.message).class(problem.class);
                (perform.report)(Some(Err(failure)), perform.slot);
            }
        }
    }

    /// Asks an agent to stop an attempt.
    pub fn stop(&self, name: &AgentName, definition: Option<BlobRef>, stop: StopAttempt) {
        if let Ok(entry) = self.agent(name, definition) {
            send(&entry.address, stop);
        }
    }

    /// Asks the agent of a lost attempt to end what its process left running, and ends when that is gone. If it does
    /// not go, the next attempt at that step fails for it.
    pub fn end_leftover(
        &self,
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

    /// Lets go of every attempt, or of every attempt of one run; not of those that are irreversible.
    pub fn stop_all(&self, run: Option<&RunId>) {
        self.agents.iter().for_each(|agent| send(&agent.address, StopAll { run: run.cloned() }));
    }

    /// From here on nobody gets a slot.
    pub fn close(&self) {
        self.dispatcher.close();
    }

    /// Lets go of everybody.
    pub fn clear(&self) {
        self.agents.clear();
    }

    /// How many agents are kept.
    pub fn kept(&self) -> usize {
        self.agents.len()
    }

    fn agent(&self, name: &AgentName, definition: Option<BlobRef>) -> Result<Entry, Problem> {
        let key = (name.clone(), definition.map(|blob| blob.hash));
        if let Some(entry) = self.agents.get(&key).filter(|entry| entry.address.connected()) {
            return Ok(entry.clone());
        }
        let Member { executor, slots: concurrency } = self.roster.member(name, definition, &*self.library)?;
        if self.agents.len() >= AGENTS_IDLE_MAX {
            let mut kept = 0;
            self.agents.retain(|_, entry| {
                let is_idle = Arc::strong_count(&entry.used) == 1;
                kept += usize::from(is_idle);
                !is_idle || kept <= AGENTS_IDLE_MAX / 2
            });
        }
        let start = || {
            let clock = Arc::clone(&self.clock);
            let address = Agent::start_in_arbiter(&self.arbiters.next(), move |actor| {
                actor.set_mailbox_capacity(MAILBOX);
                Agent::new(executor, clock)
            });
            Entry { address, concurrency, used: Arc::new(()) }
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
}
