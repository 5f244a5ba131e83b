//! A run that somebody asked for: the process ends with every commit in turn, and what was decided is recorded once.

use reenact::actors::system::System;
use reenact::aggregates::run::{RunStatus, StartRun};
use reenact::events::ids::AgentName;
use reenact::events::json::{Blob, Json, Payload};
use reenact::events::problem::Problem;
use reenact::events::run::{Category, Domain, Routed, RoutedAgent, RunEvent, Share, Strategy};
use reenact::executors::Failure;
use reenact::executors::function::FunctionCall;
use serde_json::json;

use super::children::fold;
use super::kit::{id, start_of, whenever_the_process_ends};

fn routed() -> Routed {
    let agents = vec![RoutedAgent { name: AgentName::new("writer"), score: Share::of(0.7) }];
    Routed {
        domain: Domain::Communication,
        category: Category::Task,
        complexity: 3,
        confidence: Share::of(0.8),
        strategy: Strategy::SingleAgent,
        agents,
    }
}

fn start() -> StartRun {
    let definition = r#"{"name":"writer","description":"","executor":"function"}"#;
    StartRun {
        agents: vec![(AgentName::new("writer"), Blob::new(definition.as_bytes()))],
        routed: Some(routed()),
        input: Json::from(&json!({"query": "a letter"})),
        ..start_of("[{id: ask, agent: writer, prompt: '{{ input.query }}'}]")
    }
}

#[test]
fn whenever_the_process_ends_a_decision_about_a_request_is_recorded_once_behind_the_start() {
    whenever_the_process_ends(2, async |ending| {
        let kit = ending.kit();
        kit.functions.register("writer", |call: FunctionCall| async move {
            Ok::<_, Failure>(json!({"asked": call.task.work.prompt}))
        });
        let second = ending.survived(&kit, see).await;
        let state = fold(&second, &id("r")).await;
        assert_eq!((state.status(), state.routed()), (RunStatus::Completed, Some(&routed())), "{ending}");
        let events = kit.events(&id("r")).await;
        assert!(matches!(events[0].1, RunEvent::RunStarted(_)));
        let RunEvent::RequestRouted(told) = &events[1].1 else { panic!("{ending}: {:?}", events[1]) };
        assert_eq!(told.query, Payload::Inline(Json::from(&json!("a letter"))));
        let count = events.iter().filter(|(_, event)| matches!(event, RunEvent::RequestRouted(_))).count();
        assert_eq!(count, 1, "{ending}");
    });
}

async fn see(system: &System) -> Result<(), Problem> {
    system.begin(&id("r"), start()).await?;
    system.ended(&id("r")).await.map(drop)
}
