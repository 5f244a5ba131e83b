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
use reenact::store::fault::Fault;
use serde::{Deserialize, Serialize};

use super::children::fold;
use super::kit::{Kit, faulty, id, on_actix, start_of};

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
    for fault in [Fault::BeforeStoring, Fault::AfterStoring] {
        let mut nth = 1;
        while is_counted_once_though_it_ends_at(nth, fault) {
            nth += 1;
        }
        assert!(nth > 6, "it ended {nth} times only");
    }
}

/// Whether there was such a commit.
fn is_counted_once_though_it_ends_at(nth: u64, fault: Fault) -> bool {
    let mut reached = false;
    on_actix(async {
        let (store, handled) = (Arc::new(faulty()), Arc::new(AtomicUsize::new(0)));
        let (kit, start) = kit_of(Arc::clone(&store) as _, &handled);
        let first = kit.start();
        store.fail_append(nth, fault);
        reached = runs(&first, &start).await.is_err();
        drop(first.shut_down(std::future::ready(())).await);
        store.mend();
        let second = kit.start();
        runs(&second, &start).await.unwrap();
        let state = fold(&second, &id("a")).await;
        assert_eq!(state.status(), RunStatus::Completed, "{nth} {fault:?}");
        let events = kit.events(&id("a")).await;
        let count = |kind: &str| events.iter().filter(|(_, event)| event.kind() == kind).count();
        // A step that was lost while it asked asks once more, as another message.
        let asked = 2 + count("attempt_lost");
        assert!(count("context_changed") <= asked, "{nth} {fault:?}");
        assert!(count("context_changed") >= 2, "{nth} {fault:?}");
        assert_eq!(count("step_completed"), 2, "{nth} {fault:?}");
        assert!(handled.load(Ordering::SeqCst) >= count("context_changed"));
        // Each message that the mind took in it took in once, whoever heard of it.
        let mind = load::<Mind>(&*store, &StreamId::new("mind", "doubler")).await.unwrap().0;
        let memory = mind.memory().values().next().unwrap();
        assert_eq!(memory.last.0, mind.count(), "{nth} {fault:?}");
        let sent = events.iter().filter(|(_, event)| match event {
            RunEvent::MessageSent(sent) => sent.receivers.iter().any(|name| name.as_str() == "doubler"),
            _ => false,
        });
        assert!(mind.count() <= sent.count() as u64, "{nth} {fault:?}");
        // What the run was answered is what the mind knows to have answered.
        for (_, event) in &events {
            let RunEvent::MessageSent(sent) = event else { continue };
            if sent.from.as_str() == "doubler" {
                let known = mind.taken(&format!("a/{}", sent.causation.unwrap())).unwrap();
                assert_eq!(known.answer, sent.body, "{nth} {fault:?}");
            }
        }
        second.shut_down(std::future::ready(())).await.unwrap();
    });
    reached
}
