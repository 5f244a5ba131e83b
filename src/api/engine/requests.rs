//! Requests, in the hands of a program: where one goes, and the run that is made of it.

use std::path::PathBuf;

use serde_json::json;

use super::Engine;
use super::link::Link;
use crate::api::protocol::{Request, Response};
use crate::api::routing::{Route, Router, asked, check, rules};
use crate::api::spec::{QUERY, RunSpec};
use crate::config::Config;
use crate::events::problem::Problem;
use crate::executors::discovery::Catalog;
use crate::views::projections::successes::SuccessRow;
use crate::workflow::routing::Context;

/// The agents that may be asked, how often each succeeded, and where and under which configuration they were found.
struct Found {
    config: Config,
    work_folder: PathBuf,
    catalog: Catalog,
    successes: Vec<SuccessRow>,
}

impl Engine {
    /// Where a request would go and why: how it was understood, and the agents that fit it, the best first. Nothing is recorded.
    ///
    /// Agents are those of the program, and those of the files that a workflow in the current folder could name. What an engine of
    /// another process has is asked of it; rules and files are read here, under the built-in configuration.
    ///
    /// # Errors
    /// [`Code::EmptyRequest`](crate::Code::EmptyRequest); [`Code::NoAgents`](crate::Code::NoAgents) when there are none that could be asked; what is wrong with the rules of routing, or
    /// when the store cannot be read.
    pub async fn route(&self, query: &str) -> Result<Route, Problem> {
        check(query)?;
        let Found { config, work_folder, catalog, successes } = self.found().await?;
        let rules = rules(&config, &work_folder)?;
        Ok(Router::new(&rules, &catalog, &successes)?.route(query, &Context::default()))
    }

    /// What starts a run of a request, by whoever fits it, with the request as the input `query`; the run records the decision. Who
    /// wants to ask again with the id of that run keeps this: by then somebody else may fit better.
    ///
    /// ```
    /// use reenact::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Problem> {
    /// # use reenact::{events::ids::AgentName, executors::function::FunctionExecutor};
    /// # let poet = FunctionExecutor::new(|_| async { Ok::<_, Failure>(Json::from(&serde_json::json!("an old silent pond"))) });
    /// let description = "Writes haiku and other poems".to_owned();
    /// let definition = AgentDefinition { description, ..AgentDefinition::named(AgentName::new("poet")) };
    /// let engine = Engine::in_memory().agent(definition, poet).start().await?;
    /// assert_eq!(engine.route("write a haiku").await?.fits[0].name.as_str(), "poet");
    /// let run = engine.run(engine.ask("write a haiku").await?).await?;
    /// assert_eq!(run.outcome().await?.output::<String>()?, "an old silent pond");
    /// # engine.shut_down().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Code::NobodyAsked`](crate::Code::NobodyAsked) when nobody fits and the configuration names no `default_agent`; and those of [`Engine::route`].
    pub async fn ask(&self, query: &str) -> Result<RunSpec, Problem> {
        let Found { config, work_folder, catalog, successes } = self.found().await?;
        asked(&config, &work_folder, &catalog, &successes, query)?.input(&json!({ QUERY: query }))
    }

    async fn found(&self) -> Result<Found, Problem> {
        let (config, work_folder, catalog) = match &self.link {
            Link::Here(local) => {
                let facade = local.facade()?;
                self.link.within(async move { facade.catalog().await }).await?
            }
            Link::There(house) => {
                let registered = house.agents_of_holder().await;
                let (config, cwd) = (house.config.clone(), house.work_folder.clone());
                let catalog = Catalog::discover(&cwd, &registered, &config.agent_paths, &config.agents);
                (config, cwd, catalog)
            }
        };
        match self.link.ask(Request::Successes, None).await? {
            Response::Successes(successes) => Ok(Found { config, work_folder, catalog, successes }),
            other => Err(other.mismatch()),
        }
    }
}
