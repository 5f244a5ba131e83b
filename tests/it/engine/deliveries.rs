//! Messages that are handled as soon as they come, in the hands of an engine that is ended anywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reenact::actors::clock::SystemClock;
use reenact::actors::hosting::load::load;
use reenact::aggregates::mind::Mind;
use reenact::aggregates::run::{RunStatus, StartRun};
use reenact::events::codec::Encoded;
use reenact::events::ids::{AgentName, StreamId};
use reenact::events::json::{Blob, Json};
use reenact::events::problem::Problem;
use reenact::events::run::RunEvent;
use reenact::executors::function::FunctionCall;
use reenact::executors::function::message::{Handlers, Message, MessageCall};
use reenact::executors::function::mind::{MindCall, Remembering};
use reenact::executors::function::outgoing::Outgoing;
use reenact::executors::{AgentDefinition, ExecutorKind};
use serde::{Deserialize, Serialize};

use super::children::fold;
use super::kit::{Kit, id, start_of, whenever_the_process_ends};

#[derive(Clone, Serialize, Deserialize)]
struct Count(u64);

impl Message for Count {
    const NAME: &'static str = "count";
    type Answer = u64;
}

/// A step asks `counter`, which asks `doubler` and keeps in the context how much it has counted.
fn kit_of(store: Arc<dyn reenact::store::EventStore>, handled: &Arc<AtomicUsize>) -> (Kit, StartRun) {
    // What is delivered again waits for a second of it.
    let kit = Kit { store, clock: Arc::new(SystemClock), ..Kit::new() };
    kit.functions.register("asker", |call: FunctionCall| async move {
        call.ask("counter", &Count(4), Duration::from_secs(60)).await
    });
    let mut counter = Handlers::default();
    let seen = Arc::clone(handled);
    counter.on(move |count: Count, call: MessageCall| {
        seen.fetch_add(1, Ordering::SeqCst);
        async move {
            let (before, version) =
                call.context_get::<u64>("counted")?.map_or((0, None), |(n, v)| (n, Some(v)));
            call.context_set("counted", &(before + count.0), version)?;
            call.send(Outgoing::of("doubler", &Count(count.0))?);
            call.ask("doubler", &count, Duration::from_secs(60)).await
        }
    });
    let mut doubler = Handlers::default();
    doubler.on(Remembering(|count: Count, call: MindCall| async move {
        let before = call.recall::<u64>("doubled")?.unwrap_or(0);
        call.remember("doubled", &(before + 1))?;
        Ok(count.0 + before)
    }));
    let mut start = start_of("[{id: a, agent: asker}, {id: b, agent: asker}]");
    for (name, handlers) in [("counter", counter), ("doubler", doubler)] {
        let name = AgentName::new(name);
        let executor = ExecutorKind::Function;
        let definition =
            AgentDefinition { executor, handles: handlers.types(), ..AgentDefinition::named(name.clone()) };
        let json = Json::of(&definition).unwrap();
        start.agents.push((name.clone(), Blob::new(json.text().as_bytes())));
        kit.functions.add_handlers(&name, handlers);
    }
    (kit, start)
}

async fn runs(system: &reenact::actors::system::System, start: &StartRun) -> Result<(), Problem> {
    system.begin(&id("a"), start.clone()).await?;
    system.drive(&id("a")).await;
    system.ended(&id("a")).await.map(drop)
}

#[test]
fn an_answer_crosses_agents_and_what_they_write_is_written_once_whenever_the_process_ends() {
    whenever_the_process_ends(6, async |ending| {
        let handled = Arc::new(AtomicUsize::new(0));
        let (kit, start) = kit_of(Arc::clone(&ending.store) as _, &handled);
        let second = ending.survived(&kit, async |system| runs(system, &start).await).await;
        let state = fold(&second, &id("a")).await;
        assert_eq!(state.status(), RunStatus::Completed, "{ending}");
        let events = kit.events(&id("a")).await;
        let count = |kind: &str| events.iter().filter(|(_, event)| event.kind() == kind).count();
        // A step that was lost while it asked asks once more, as another message.
        let asked = 2 + count("attempt_lost");
        assert!(count("context_changed") <= asked, "{ending}");
        assert!(count("context_changed") >= 2, "{ending}");
        assert_eq!(count("step_completed"), 2, "{ending}");
        assert!(handled.load(Ordering::SeqCst) >= count("context_changed"));
        // Each message that the mind took in it took in once, whoever heard of it.
        let mind = load::<Mind>(&*ending.store, &StreamId::new("mind", "doubler")).await.unwrap().0;
        let memory = mind.memory().values().next().unwrap();
        assert_eq!(memory.last.0, mind.count(), "{ending}");
        let sent = events.iter().filter(|(_, event)| match event {
            RunEvent::MessageSent(sent) => sent.receivers.iter().any(|name| name.as_str() == "doubler"),
            _ => false,
        });
        assert!(mind.count() <= sent.count() as u64, "{ending}");
        // What the run was answered is what the mind knows to have answered.
        for (_, event) in &events {
            let RunEvent::MessageSent(sent) = event else { continue };
            if sent.from.as_str() == "doubler" {
                let known = mind.taken(&format!("a/{}", sent.causation.unwrap())).unwrap();
                assert_eq!(known.answer, sent.body, "{ending}");
            }
        }
        second.shut_down(std::future::ready(())).await.unwrap();
    });
}
