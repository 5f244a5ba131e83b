//! Requests of which nobody says who is to do what they ask for.

use reenact::executors::function::FunctionExecutor;
use reenact::prelude::*;
use serde_json::{Value, json};

use super::kit::current_thread;
use crate::support::Sandbox;

/// An engine with two agents, of which one fails.
fn engine(sandbox: &Sandbox) -> reenact::api::engine::builder::Builder {
    let agent = |name: &str, description: &str| AgentDefinition {
        description: description.to_owned(),
        ..AgentDefinition::named(reenact::events::ids::AgentName::new(name))
    };
    Engine::open(sandbox.data())
        .work_folder(sandbox.work(""))
        .agent(
            agent("poet", "Writes haiku and other poems"),
            FunctionExecutor::new(|call: FunctionCall| async move {
                Ok(Json::from(&json!({"asked": call.task.work.prompt})))
            }),
        )
        .agent(
            agent("dns_specialist", "Configures DNS zones and records"),
            FunctionExecutor::new(|_| async { Err(Failure::new(Code::FunctionFailed, "no zone")) }),
        )
}

#[test]
fn a_program_asks_whoever_fits_a_request_and_the_run_records_who_that_is() {
    let sandbox = Sandbox::new();
    current_thread(async {
        let engine = engine(&sandbox).start().await.unwrap();
        let route = engine.route("write a haiku about rain").await.unwrap();
        assert_eq!(route.fits[0].name.as_str(), "poet");
        assert!(engine.list(Default::default()).await.unwrap().is_empty(), "nothing is recorded");
        let run = engine.run(engine.ask("write a haiku about rain").await.unwrap()).await.unwrap();
        let output: Value = run.outcome().await.unwrap().output().unwrap();
        assert_eq!(output, json!({"asked": "write a haiku about rain"}));
        let decided = run.status().await.unwrap().routed.unwrap();
        assert_eq!(decided.agents[0].name.as_str(), "poet");
        // How often an agent succeeded weighs.
        let before = engine.route("configure the DNS records").await.unwrap().fits[0].clone();
        let spec = engine.ask("configure the DNS records").await.unwrap();
        assert!(matches!(engine.run(spec).await.unwrap().outcome().await.unwrap(), Outcome::Failed(_)));
        let after = engine.route("configure the DNS records").await.unwrap().fits[0].clone();
        assert!(after.score < before.score, "{before:?} {after:?}");
        // The agents of an engine are known to who is connected to it.
        let beside = Engine::connect(sandbox.data()).await.unwrap();
        assert_eq!(beside.route("write a haiku").await.unwrap().fits[0].name.as_str(), "poet");
        for (query, code) in [(" ", Code::EmptyRequest), ("zzz", Code::NobodyAsked)] {
            assert_eq!(engine.ask(query).await.unwrap_err().code, code, "{query}");
        }
        engine.shut_down().await.unwrap();
    });
}
