//! The address book of agents, and the typed messages to them. What they answer goes back through what they were given.

use std::sync::Arc;

use actix::{Actor, Addr};
use dashmap::DashMap;

use super::agent::{Agent, EndLeftover, Perform, StopAll, StopAttempt};
use super::dispatcher::{Bring, Dispatcher, Limits, Slot};
use super::inbox::Inbox;
use super::roster::{Member, Roster};
use crate::actors::arbiters::Arbiters;
use crate::actors::clock::Clock;
use crate::actors::library::Library;
use crate::actors::send::send;
use crate::events::ids::{AgentName, Hash, RunId};
use crate::events::json::BlobRef;
use crate::events::problem::{Code, Problem};
use crate::events::time::Timestamp;

/// Messages that may wait in an agent's mailbox. Slots bound what is asked of it; the rest are stops.
const MAILBOX: usize = 4_096;

/// How many agents are kept that do nothing. Beyond it those that do nothing are let go of: another is started when it is
/// asked for, and each costs some 20 to 50 KB.
const AGENTS_IDLE_MAX: usize = 64;

/// The agents of a process.
pub struct Communicator {
    agents: DashMap<AgentKey, Entry>,
    /// Where agents get what is not recorded, by the keys of their names.
    inboxes: DashMap<String, Inbox>,
    dispatcher: Arc<Dispatcher>,
    roster: Roster,
    library: Arc<Library>,
    clock: Arc<dyn Clock>,
    arbiters: Arc<Arbiters>,
}

/// An agent and its definition: two runs may know one name with two definitions.
type AgentKey = (AgentName, Option<Hash>);

/// What a run brings of an agent.
#[derive(Debug, Clone, Copy)]
pub struct Brought {
    /// Its definition, if the run has one recorded.
    pub definition: Option<BlobRef>,
    /// When the run began; 0 for one that a step of another started, which began with that one.
    pub since: Timestamp,
}

#[derive(Clone)]
struct Entry {
    /// An agent ends when nobody has its address any more, and all is read that was sent to it.
    address: Addr<Agent>,
    /// How much it does, whoever brought the definition.
    limits: Limits,
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
            inboxes: DashMap::new(),
            dispatcher: Dispatcher::start(Arc::clone(&clock)),
            roster,
            library,
            clock,
            arbiters,
        })
    }

    /// Whether the program that embeds this registered a function for an agent, in whatever spelling.
    pub fn has_function(&self, name: &AgentName) -> bool {
        self.roster.executors.functions.executor(name).is_ok()
    }

    /// The way to an agent that handles messages, for those that need not survive this process; none if it handles none.
    pub fn inbox(&self, name: &AgentName) -> Option<Inbox> {
        let (name, handlers) = self.roster.executors.functions.handlers(name)?;
        let start = || Inbox::start(name.clone(), handlers, &self.arbiters.next());
        Some(self.inboxes.entry(name.key()).or_insert_with(start).clone())
    }

    /// The ways to all agents that handle messages.
    pub fn inboxes(&self) -> Vec<Inbox> {
        let names = self.roster.executors.functions.names();
        names.iter().filter_map(|name| self.inbox(name)).collect()
    }

    /// The dispatcher: who has the slots of agents, and who waits for them.
    pub fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// Whether this process has these agents, of a run that needs them.
    ///
    /// # Errors
    /// [`Code::AgentLacking`], which names those that it does not have; what is wrong with the cassette, if they answer from one.
    pub fn has_all<'a>(
        &self,
        run: &RunId,
        needs: impl Iterator<Item = (&'a AgentName, Option<BlobRef>)>,
    ) -> Result<(), Problem> {
        let mut lacking = Vec::new();
        for (name, definition) in needs {
            let key = (name.clone(), definition.map(|blob| blob.hash));
            if self.agents.contains_key(&key) {
                continue;
            }
            match self.roster.member(name, definition, &*self.library) {
                Ok(_) => {}
                Err(problem) if is_of_cassette(problem.code) => return Err(problem.of_run(run)),
                Err(_) => lacking.push(format!("`{name}`")),
            }
        }
        if lacking.is_empty() { Ok(()) } else { Err(lacks(run, &lacking.join(", "))) }
    }

    /// As many of so many slots of an agent as are free and nobody waits for; none of one that this process does not have.
    pub fn slots(&self, name: &AgentName, brought: Brought, wanted: u32) -> Vec<Slot> {
        let limits = self.limits(name, brought);
        limits.map_or_else(Vec::new, |limits| self.dispatcher.try_acquire(name, &limits, wanted))
    }

    /// Lets a run wait for slots of an agent: so many, instead of what it wanted before.
    ///
    /// # Errors
    /// [`Code::AgentLacking`] when this process does not have it.
    pub fn wait(
        &self,
        run: &RunId,
        name: &AgentName,
        brought: Brought,
        wants: u32,
        to: Bring,
    ) -> Result<(), Problem> {
        let limits = self.limits(name, brought).ok_or_else(|| lacks(run, &format!("`{name}`")))?;
        self.dispatcher.wait(run, name, &limits, wants, to);
        Ok(())
    }

    /// How much an agent does, as the definition says that a run brings; none of one that this process does not have.
    pub fn limits(&self, name: &AgentName, Brought { definition, since }: Brought) -> Option<Limits> {
        self.agent(name, definition).ok().map(|entry| Limits { since, ..entry.limits })
    }

    /// Asks an agent for an attempt. An agent that this process does not have lets go of it: nothing fails for that.
    pub fn perform(&self, name: &AgentName, definition: Option<BlobRef>, mut perform: Perform) {
        perform.slot.take_up();
        match self.agent(name, definition) {
            Ok(Entry { address, used, .. }) => send(&address, Perform { used: Some(used), ..perform }),
            Err(_) => (perform.report)(None, perform.slot),
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
        self.inboxes.clear();
    }

    /// The number of agents that are kept, at work or not.
    pub fn kept(&self) -> usize {
        self.agents.len()
    }

    fn agent(&self, name: &AgentName, definition: Option<BlobRef>) -> Result<Entry, Problem> {
        let key = (name.clone(), definition.map(|blob| blob.hash));
        if let Some(entry) = self.agents.get(&key).filter(|entry| entry.address.connected()) {
            return Ok(entry.clone());
        }
        let Member { executor, slots, rate } = self.roster.member(name, definition, &*self.library)?;
        let (concurrency, since) = (slots, Timestamp(0));
        let limits = Limits { definition: key.1, since, concurrency, rate };
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
            Entry { address, limits, used: Arc::new(()) }
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

/// Whether the agents are there, and what they answer from or into is not.
const fn is_of_cassette(code: Code) -> bool {
    matches!(code, Code::NoCassette | Code::BadCassette | Code::CassetteVersion | Code::NotRecorded)
}

fn lacks(run: &RunId, agents: &str) -> Problem {
    Problem::new(Code::AgentLacking, format!("run `{run}` needs what this process does not have: {agents}"))
}
