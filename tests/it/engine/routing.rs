//! A run that somebody asked for: the process ends with every commit in turn, and what was decided is recorded once.

use std::sync::Arc;

use reenact::actors::system::System;
use reenact::aggregates::run::{RunStatus, StartRun};
use reenact::events::ids::AgentName;
use reenact::events::json::{Blob, Json, Payload};
use reenact::events::problem::Problem;
use reenact::events::run::{Category, Domain, Routed, RoutedAgent, RunEvent, Share, Strategy};
use reenact::executors::Failure;
use reenact::executors::function::FunctionCall;
use reenact::store::fault::{Fault, Faulty};
use reenact::store::memory::MemoryStore;
use serde_json::json;

use super::children::fold;
use super::kit::{Kit, id, on_actix, start_of};

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
    for fault in [Fault::BeforeStoring, Fault::AfterStoring] {
        let mut nth = 1;
        while is_recorded_though_it_ends_at(nth, fault) {
            nth += 1;
        }
        assert!(nth > 2, "it ended {nth} times only");
    }
}

/// Whether there was such a commit.
fn is_recorded_though_it_ends_at(nth: u64, fault: Fault) -> bool {
    let mut reached = false;
    on_actix(async {
        let store = Arc::new(Faulty::new(MemoryStore::new()).staying_open());
        let kit = Kit { store: Arc::clone(&store) as _, ..Kit::new() };
        kit.functions.register("writer", |call: FunctionCall| async move {
            Ok::<_, Failure>(json!({"asked": call.task.work.prompt}))
        });
        store.fail_append(nth, fault);
        let first = kit.start();
        reached = see(&first).await.is_err();
        drop(first.shut_down(std::future::ready(())).await);
        store.mend();
        let second = kit.start();
        see(&second).await.unwrap();
        let state = fold(&second, &id("r")).await;
        assert_eq!(
            (state.status(), state.routed()),
            (RunStatus::Completed, Some(&routed())),
            "{nth} {fault:?}"
        );
        let events = kit.events(&id("r")).await;
        assert!(matches!(events[0].1, RunEvent::RunStarted(_)));
        let RunEvent::RequestRouted(told) = &events[1].1 else { panic!("{nth} {fault:?}: {:?}", events[1]) };
        assert_eq!(told.query, Payload::Inline(Json::from(&json!("a letter"))));
        let count = events.iter().filter(|(_, event)| matches!(event, RunEvent::RequestRouted(_))).count();
        assert_eq!(count, 1, "{nth} {fault:?}");
    });
    reached
}

async fn see(system: &System) -> Result<(), Problem> {
    system.begin(&id("r"), start()).await?;
    system.ended(&id("r")).await.map(drop)
}
