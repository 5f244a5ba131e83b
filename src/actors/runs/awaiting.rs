//! Agents that are paused, and runs that wait for them: who is paused is known before anything starts, and who waited is told
//! when an agent takes work again, be it by the next process.

use std::collections::HashSet;
use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::OnceCell;

use super::{RunKind, Runs};
use crate::actors::agents::communicator::Brought;
use crate::actors::agents::shell::AgentKind;
use crate::actors::hosting::context::read_problem;
use crate::aggregates::agent::{AgentAsk, Turn};
use crate::aggregates::run::{Ask, Order, Run, StartRun};
use crate::events::agent::AgentRegistered;
use crate::events::ids::{AgentName, Hash, RunId, StreamId, Version};
use crate::events::json::Blob;
use crate::events::problem::{Code, Problem};
use crate::events::time::Timestamp;
use crate::kernel::ReadBlob;
use crate::kernel::core::Envelope;
use crate::views::projections::agents::{AgentRow, AgentsView};
use crate::workflow::definition::Definition;

/// The number of agents, and of definitions of each, of which it is remembered that they are registered. Beyond it they are
/// registered once more, which changes nothing.
const REGISTERED_MAX: usize = 4_096;

/// Everything that runs know of agents, and the way to register them.
pub(super) struct Awaiting {
    view: Arc<AgentsView>,
    /// Set once it is known which agents are paused.
    known: OnceCell<()>,
    /// What this process registered of each agent, by [`AgentName::key`].
    registered: DashMap<String, Registered>,
}

/// The definitions of an agent that this process registered.
#[derive(Default)]
struct Registered {
    all: HashSet<Hash>,
    /// The newest of them, and when the run began that brought it.
    newest: Option<(Hash, Timestamp)>,
}

impl Registered {
    /// Whether that definition is to be registered: it was not, or is in force again. The agent itself decides so too; what it
    /// would find no news is not even asked, as most attempts bring what the one before brought.
    fn is_news(&mut self, hash: Hash, since: Timestamp) -> bool {
        let is_back = self.newest.is_some_and(|(newest, at)| newest != hash && at < since);
        if !self.all.insert(hash) && !is_back {
            return false;
        }
        if self.newest.is_none_or(|(_, at)| at <= since) {
            self.newest = Some((hash, since));
        }
        true
    }
}

impl Awaiting {
    pub(super) fn new(view: Arc<AgentsView>) -> Self {
        Self { view, known: OnceCell::new(), registered: DashMap::new() }
    }

    /// Whether that definition is to be registered.
    fn is_news(&self, agent: &AgentName, hash: Hash, since: Timestamp) -> bool {
        if self.registered.len() >= REGISTERED_MAX {
            self.registered.clear();
        }
        let mut registered = self.registered.entry(agent.key()).or_default();
        if registered.all.len() >= REGISTERED_MAX {
            *registered = Registered::default();
        }
        registered.is_news(hash, since)
    }
}

impl Runs {
    /// Ends when it is known which agents are paused, and when all runs are told that waited for one that is not any more.
    /// Before that nothing may start.
    ///
    /// # Errors
    /// When that cannot be read.
    pub async fn ready(&self) -> Result<(), Problem> {
        let know = || async {
            for AgentRow { version, standing } in
                self.awaiting.view.list().await.map_err(|error| read_problem(&error))?
            {
                if let Some(agent) = &standing.name {
                    self.agents.dispatcher().know(agent, version, &standing);
                }
            }
            self.release(None).await
        };
        self.awaiting.known.get_or_try_init(know).await.map(drop)
    }

    /// What is known of all agents to which something has happened.
    ///
    /// # Errors
    /// When that cannot be read.
    pub async fn known_agents(&self) -> Result<Vec<AgentRow>, Problem> {
        self.awaiting.view.list().await.map_err(|error| read_problem(&error))
    }

    /// Lets an agent take work or not, and answers the version of its stream after that, once it is durable. If it takes work
    /// again, the runs are told that waited for it. `known` is whether somebody knows the agent though nothing has happened to
    /// it.
    ///
    /// # Errors
    /// [`Code::UnknownAgent`]; or why it cannot be recorded, or runs cannot be told.
    pub async fn turn(
        &self,
        agent: &AgentName,
        (to, known): (Turn, bool),
        Order { by, reason }: Order,
        envelope: &Envelope,
    ) -> Result<Version, Problem> {
        let ask = AgentAsk::Turn { agent: agent.clone(), by, reason, to, known };
        let stream = StreamId::of_agent(agent);
        let version = self.hosting.order::<AgentKind>(&stream, envelope, || ask.clone()).await?;
        if to == Turn::Unpause {
            self.release(Some(agent)).await?;
        }
        Ok(version)
    }

    /// Refuses to begin a run whose workflow, or that of a child, names an agent that is draining; a run that is there is not
    /// begun.
    ///
    /// # Errors
    /// [`Code::AgentDraining`], or when it cannot be read whether the run is there.
    pub(in crate::actors) async fn admit(&self, run: &RunId, start: &StartRun) -> Result<(), Problem> {
        let drains = |definition: &Definition| {
            definition.agents().find(|agent| self.agents.dispatcher().is_draining(agent))
        };
        // What children are is read only where that can matter.
        let children = if self.agents.dispatcher().drains_any() { &start.children[..] } else { &[] };
        let of_child = |blob: &Blob| drains(&Definition::read_blob(&blob.bytes).ok()?);
        let found = drains(&start.definition);
        let found = found.or_else(|| children.iter().find_map(|child| of_child(&child.definition)));
        let Some(agent) = found else { return Ok(()) };
        let head = self.context().store.head(&StreamId::of_run(run)).await;
        match head.map_err(|error| read_problem(&error))? {
            Some(_) => Ok(()),
            None => Err(Problem::new(Code::AgentDraining, format!("agent `{agent}` takes no new runs"))),
        }
    }

    /// Registers an agent with the definition that a run brings, if it has one and was not seen with it.
    pub(super) fn register(&self, agent: &AgentName, brought: Brought) {
        let Brought { definition: Some(definition), since } = brought else { return };
        if !self.awaiting.is_news(agent, definition.hash, since) {
            return;
        }
        let Some(limits) = self.agents.limits(agent, brought) else { return };
        let (concurrency, rate) = (limits.concurrency, limits.rate);
        let registered = AgentRegistered { agent: agent.clone(), definition, since, concurrency, rate };
        let (hosting, in_flight) = (Arc::clone(&self.hosting), self.in_flight());
        let stream = StreamId::of_agent(agent);
        actix::spawn(async move {
            let ask = || AgentAsk::Register(registered.clone());
            if let Err(problem) = hosting.ask::<AgentKind>(&stream, ask, false).await {
                // The next process that sees it does.
                tracing::debug!(%stream, %problem, "an agent is not registered");
            }
            drop(in_flight);
        });
    }

    /// A run may have been told that an agent is paused just when it was not any more.
    pub(super) fn look_at_agents(&self, run: &RunId, state: &Run) {
        if state.awaited_agents().is_empty() || !self.awaiting.known.initialized() {
            return;
        }
        let dispatcher = self.agents.dispatcher();
        let free = state.awaited_agents().keys().filter(|agent| !dispatcher.is_paused(agent));
        for agent in free {
            let (hosting, stream) = (Arc::clone(&self.hosting), StreamId::of_run(run));
            let free = Ask::AgentFree { agent: agent.clone() };
            actix::spawn(async move {
                let ask = || free.clone();
                // What a run cannot be told that cannot go on does not matter.
                let _ = hosting.order::<RunKind>(&stream, &Envelope::default(), ask).await;
            });
        }
    }

    /// Tells the runs that wait for an agent, or for any, that it is not paused any more, if it is not.
    async fn release(&self, agent: Option<&AgentName>) -> Result<(), Problem> {
        for (run, agent) in self.awaiting.view.waiting(agent).await.map_err(|error| read_problem(&error))? {
            if self.agents.dispatcher().is_paused(&agent) {
                continue;
            }
            if let Err(problem) = self.order(&run, Ask::AgentFree { agent }, &Envelope::default()).await {
                // A run that cannot go on keeps no other from it.
                tracing::warn!(%run, %problem, "it is not told that an agent takes work again");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each run that began later asked the agent's stream, once for every agent that it names.
    #[test]
    fn a_definition_is_registered_once_and_again_only_when_it_is_in_force_again() {
        let (one, other) = (Hash::of(b"one"), Hash::of(b"other"));
        let mut seen = Registered::default();
        assert!(seen.is_news(one, Timestamp(1)));
        assert!(!seen.is_news(one, Timestamp(1)) && !seen.is_news(one, Timestamp(5)), "it is known");
        assert!(seen.is_news(other, Timestamp(7)));
        assert!(!seen.is_news(one, Timestamp(6)), "its run began before the other's");
        assert!(seen.is_news(one, Timestamp(8)), "it is in force again");
        assert!(!seen.is_news(one, Timestamp(9)));
    }
}
