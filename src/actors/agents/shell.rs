//! The streams of agents: what is known of each is told to the dispatcher, as soon as it is durable.

use std::convert::Infallible;
use std::sync::Arc;

use actix::Recipient;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::communicator::Communicator;
use crate::actors::hosting::context::HostContext;
use crate::actors::hosting::kind::Kind;
use crate::actors::hosting::live::Live;
use crate::actors::hosting::messages::Tell;
use crate::actors::hosting::shell::{Heard, Shell};
use crate::aggregates::agent::{self, Agent, AgentAsk};
use crate::events::ids::{AgentName, StreamId};
use crate::events::json::Json;
use crate::kernel::core::Environment;
use crate::kernel::standing::KindFold;
use crate::kernel::{Blobs, NoEffect, Now};

/// The kind of agents.
pub struct AgentKind {
    /// The agents of the process.
    pub agents: Arc<Communicator>,
}

impl Kind for AgentKind {
    type Aggregate = Agent;
    type Shell = AgentShell;

    fn folds(&self) -> KindFold {
        agent::FOLD
    }

    fn describe(&self, state: &Agent) -> Json {
        let definitions: Vec<_> = state.definitions().iter().map(ToString::to_string).collect();
        let standing = state.standing();
        let seen = serde_json::json!({
            "name": standing.name, "paused": standing.paused, "draining": standing.draining,
            "newest": standing.newest, "definitions": definitions,
        });
        Json::of(&seen).unwrap_or_default()
    }

    fn shell(&self, stream: &StreamId, context: &HostContext) -> Option<AgentShell> {
        let agent = stream.parts().map(|(_, id)| AgentName::new(id))?;
        // There is one stream for all spellings of a name.
        let is_its_own = StreamId::of_agent(&agent) == *stream;
        is_its_own.then(|| AgentShell { agent, agents: Arc::clone(&self.agents), context: context.clone() })
    }
}

/// Tells the dispatcher of an agent.
pub struct AgentShell {
    agent: AgentName,
    agents: Arc<Communicator>,
    context: HostContext,
}

impl Environment<Agent> for AgentShell {
    fn now(&mut self) -> Now {
        self.context.clock.now()
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::clone(&self.context.library) as Arc<dyn Blobs>
    }

    fn seed(&mut self) -> u64 {
        0
    }

    fn grant(&mut self, _: &Agent, _: &AgentAsk, _: &[NoEffect]) -> Option<()> {
        Some(())
    }

    fn take_back(&mut self) {}
}

impl Shell<Agent> for AgentShell {
    type View = ();
    type Message = Infallible;

    fn view(&self) {}

    fn started(&mut self, _: Recipient<Tell<Infallible>>) {}

    fn perform(&mut self, _: &Agent, effect: NoEffect) {
        match effect {}
    }

    fn close(&mut self, _: &Agent, (): &(), _: bool) {}

    fn clear(&mut self, _: &Agent, _: Vec<NoEffect>) -> BoxFuture<'static, ()> {
        std::future::ready(()).boxed()
    }

    fn told(&mut self, message: Infallible) -> Heard<Agent> {
        match message {}
    }

    fn parked(&mut self) {}

    fn show(&mut self, state: &Agent, _: bool, live: &mut Live) {
        self.agents.dispatcher().know(&self.agent, live.version, state.standing());
    }
}
