//! Models as agents: an attempt is a conversation with one, of one turn or, where its answer has to be mended, a few.
//!
//! - [`models`]: which are configured, and which an agent means; [`price`]: what their tokens cost
//! - [`conversation`]: what is said, in no provider's format; `prompt`: what a model is told for an attempt; `tools`: what it may
//!   have done, and wants; `window`: whether it can see all of that
//! - `wire`: the formats of providers; `sse`: the events that their answers come in
//! - `call`: one call, within its bounds; [`failure`]: why one failed; `breaker`: leaves a provider alone that does not answer
//! - `attempt`: the turns of an attempt, and what is told of them

mod attempt;
mod breaker;
mod call;
pub mod conversation;
pub mod failure;
pub mod models;
pub mod price;
mod prompt;
mod sse;
mod tools;
mod window;
mod wire;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;

use super::http;
use super::logs::Logs;
use super::mask::Masks;
use super::{AgentDefinition, Context, Executor, Failure, Output, Task};
use crate::events::problem::{Code, Problem};
use attempt::Attempt;
use breaker::Breakers;
use models::Models;

/// What the attempts of a process at asking models have in common.
#[derive(Debug, Default)]
pub struct Asking {
    /// The models that can be asked.
    pub models: Models,
    breakers: Breakers,
    client: OnceLock<Result<reqwest::Client, String>>,
}

impl Asking {
    /// Asks these models.
    pub fn new(models: Models) -> Self {
        Self { models, ..Self::default() }
    }

    /// Connections are kept, and shared by all attempts.
    fn client(&self) -> Result<&reqwest::Client, Failure> {
        let client = self.client.get_or_init(|| {
            http::client()
                .connect_timeout(self.models.bounds.connect)
                .build()
                .map_err(|error| error.to_string())
        });
        client.as_ref().map_err(|why| Failure::new(Code::Internal, format!("nothing can be asked: {why}")))
    }
}

/// Asks the model of one agent.
#[derive(Debug)]
pub struct LlmExecutor {
    agent: AgentDefinition,
    asking: Arc<Asking>,
    masks: Masks,
    logs: Arc<Logs>,
}

impl LlmExecutor {
    /// For this agent, whose model is among those that can be asked.
    ///
    /// # Errors
    /// Those of [`Models::choose`].
    pub fn new(
        agent: &AgentDefinition,
        asking: Arc<Asking>,
        masks: Masks,
        logs: Arc<Logs>,
    ) -> Result<Self, Problem> {
        asking.models.choose(agent)?;
        Ok(Self { agent: agent.clone(), asking, masks, logs })
    }
}

#[async_trait]
impl Executor for LlmExecutor {
    async fn execute(&self, task: Task, context: Context) -> Result<Output, Failure> {
        let client = self.asking.client()?;
        let chosen = self.asking.models.choose(&self.agent)?;
        let key = models::Key::of(chosen.provider_name, chosen.provider)?;
        let mut attempt = Attempt::new(self, (client, chosen, key), &task);
        let result = tokio::select! {
            // An answer that is there when the deadline passes is there.
            biased;
            result = attempt.talk() => result,
            why = context.stopped() => Err(Failure::stopped(why)),
        };
        attempt.end(result).await
    }
}
