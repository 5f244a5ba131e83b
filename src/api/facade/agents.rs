//! What is known of agents, and what people want of them.

use std::collections::BTreeMap;

use super::{Facade, view_problem};
use crate::actors::hosting::load::load;
use crate::aggregates::agent::{Agent, AgentStanding, Turn};
use crate::aggregates::run::Order;
use crate::api::protocol::{AgentKnown, AgentTurned, SlotsKnown};
use crate::events::ids::{AgentName, CommandId, StreamId, Version};
use crate::events::problem::{Code, Problem};
use crate::kernel::core::Envelope;
use crate::views::projections::agents::AgentRow;
use crate::views::projections::handoffs::HandoffRow;
use crate::views::projections::successes::SuccessRow;

impl Facade {
    /// All agents to which something has happened, and those that are named.
    pub(super) async fn agents(&self, named: Vec<AgentName>) -> Result<Vec<AgentKnown>, Problem> {
        let rows = self.system.live().known_agents().await?.into_iter();
        let mut all: BTreeMap<String, (Version, AgentStanding)> = rows
            .filter_map(|AgentRow { version, standing }| {
                Some((standing.name.as_ref()?.key(), (version, standing)))
            })
            .collect();
        for name in named {
            let nothing =
                || (Version(0), AgentStanding { name: Some(name.clone()), ..AgentStanding::default() });
            all.entry(name.key()).or_insert_with(nothing);
        }
        let dispatcher = self.system.live().agents().dispatcher();
        let known = all.into_values().filter_map(|(version, standing)| {
            let status = standing.status().to_owned();
            let AgentStanding { name, paused, draining, newest } = standing;
            let agent = name?;
            let load = dispatcher.load(&agent);
            let slots = SlotsKnown { in_use: load.in_use, waiting: load.waiting };
            Some(AgentKnown { agent, version, status, paused, draining, newest, slots })
        });
        Ok(known.collect())
    }

    /// How often agents handed over to each other, over all runs.
    pub(super) async fn handoffs(&self) -> Result<Vec<HandoffRow>, Problem> {
        self.system.handoffs().list().await.map_err(|error| view_problem(&error))
    }

    /// How often agents did what they were to do, over all runs.
    pub(super) async fn successes(&self) -> Result<Vec<SuccessRow>, Problem> {
        self.system.successes().list().await.map_err(|error| view_problem(&error))
    }

    /// Records what somebody wants of an agent. `known` is whether a file or the configuration defines it.
    pub(super) async fn turn_agent(
        &self,
        agent: &AgentName,
        (to, known): (Turn, bool),
        order: Order,
        id: Option<CommandId>,
    ) -> Result<AgentTurned, Problem> {
        let known = known || self.system.live().agents().has_function(agent);
        let envelope = Envelope { id, ..Envelope::default() };
        self.system.live().turn(agent, (to, known), order, &envelope).await?;
        let (state, head) = load::<Agent>(&**self.system.store(), &StreamId::of_agent(agent)).await?;
        let gone = || Problem::new(Code::UnknownAgent, format!("no agent is named `{agent}`"));
        let standing = state.standing();
        // To let an agent take work that does changes nothing, and there may be nothing of it.
        let name = standing.name.clone().or_else(|| known.then(|| agent.clone())).ok_or_else(gone)?;
        Ok(AgentTurned { agent: name, version: head.version, status: standing.status().to_owned() })
    }
}
