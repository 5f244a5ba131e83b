//! Steps that take earlier answers, in the hands of an engine that is ended anywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use reenact::actors::system::System;
use reenact::aggregates::run::RunStatus;
use reenact::events::codec::Encoded;
use reenact::events::ids::Position;
use reenact::events::problem::Problem;
use reenact::executors::Failure;
use reenact::executors::function::FunctionCall;
use reenact::store::fault::Fault;

use super::children::fold;
use super::kit::{Kit, faulty, id, on_actix, start_of};

const STEPS: &str = "[{id: think, agent: think, prompt: p, cache: {ttl: 1h}}, {id: again, agent: think, prompt: p, cache: {ttl: 1h}}]";

fn thinks(kit: &Kit) -> Arc<AtomicUsize> {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    kit.functions.register("think", move |_: FunctionCall| {
        let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
        async move { Ok::<_, Failure>(serde_json::json!({"n": number, "text": "x".repeat(600)})) }
    });
    calls
}

async fn run(system: &System, run: &str) -> Result<(), Problem> {
    system.begin(&id(run), start_of(STEPS)).await?;
    system.ended(&id(run)).await.map(drop)
}

async fn count(kit: &Kit, run: &str, kind: &str) -> usize {
    kit.count(&id(run), |event| event.kind() == kind).await
}

/// Whatever was recorded is not asked for again, and whatever was not is.
#[test]
fn whenever_the_process_ends_a_step_completes_once_by_an_attempt_or_by_an_earlier_answer() {
    for fault in [Fault::BeforeStoring, Fault::AfterStoring] {
        let mut nth = 1;
        while completes_though_it_ends_at(nth, fault) {
            nth += 1;
        }
        assert!(nth > 6, "it ended {nth} times only");
    }
}

/// Whether there was such a commit.
fn completes_though_it_ends_at(nth: u64, fault: Fault) -> bool {
    let mut reached = false;
    on_actix(async {
        let store = Arc::new(faulty());
        let kit = Kit { store: Arc::clone(&store) as _, ..Kit::new() };
        let calls = thinks(&kit);
        let first = kit.start();
        store.fail_append(nth, fault);
        for name in ["a", "b"] {
            reached |= run(&first, name).await.is_err();
        }
        drop(first.shut_down(std::future::ready(())).await);
        if !reached {
            return;
        }
        store.mend();
        let second = kit.start();
        for name in ["a", "b", "c"] {
            run(&second, name).await.unwrap();
            assert_eq!(fold(&second, &id(name)).await.status(), RunStatus::Completed, "{nth} {fault:?}");
            assert_eq!(count(&kit, name, "step_completed").await, 2, "{nth} {fault:?}");
            assert_eq!(count(&kit, name, "attempt_failed").await, 0, "{nth} {fault:?}");
        }
        assert_eq!(count(&kit, "c", "cache_hit").await, 2, "{nth} {fault:?}");
        let lost = count(&kit, "a", "attempt_lost").await + count(&kit, "b", "attempt_lost").await;
        let calls = calls.load(Ordering::SeqCst);
        assert!(calls <= 1 + lost.max(1), "{nth} {fault:?}: {calls} calls, {lost} lost");
        second.shut_down(std::future::ready(())).await.unwrap();
    });
    reached
}

#[test]
fn an_answer_is_taken_until_it_is_too_old_and_not_after_it_was_taken_away() {
    on_actix(async {
        let kit = Kit::new();
        let calls = thinks(&kit);
        let system = kit.start();
        run(&system, "a").await.unwrap();
        assert_eq!((count(&kit, "a", "answer_kept").await, count(&kit, "a", "cache_hit").await), (1, 1));
        run(&system, "b").await.unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        let rows = system.cache().list().await.unwrap();
        assert_eq!((rows.len(), rows[0].1.hits), (1, 3));
        kit.hand.advance(Duration::from_secs(3_600));
        run(&system, "c").await.unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 2, "it was too old");
        let mut start = start_of(STEPS);
        start.bypasses_cache = true;
        system.begin(&id("d"), start).await.unwrap();
        system.ended(&id("d")).await.unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 4, "each is given anew");
        run(&system, "e").await.unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 4, "what was given anew was kept");
        system.shut_down(std::future::ready(())).await.unwrap();
        // Whoever folds it anew knows the same.
        let rows = kit.store.view_rows("cache", None, 1_000).await.unwrap();
        let removed =
            rows.into_iter().map(|row| reenact::events::rows::ViewChange { key: row.key, bytes: None });
        kit.store.save_view("cache", Position(0), removed.collect()).await.unwrap();
        let system = kit.start();
        run(&system, "f").await.unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 4);
        system.shut_down(std::future::ready(())).await.unwrap();
    });
}

/// Nobody waits for what another is about to answer: a hundred that ask at once may all be asked.
#[test]
fn two_that_ask_the_same_at_once_are_both_asked() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("hold");
        let system = kit.start();
        let steps = "[{id: a, agent: hold, cache: {}}]";
        for name in ["a", "b"] {
            system.begin(&id(name), start_of(steps)).await.unwrap();
        }
        gate.called(2).await;
        gate.open(2);
        let runs = ["a", "b"].map(id);
        try_join_all(runs.iter().map(|run| system.ended(run))).await.unwrap();
        assert_eq!(system.cache().list().await.unwrap().len(), 1);
        system.shut_down(std::future::ready(())).await.unwrap();
    });
}
