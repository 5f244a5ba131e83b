//! What runs spend, by real calls of a function: no limit is overspent by one, whenever the process ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reenact::actors::system::System;
use reenact::aggregates::run::{Ask, Raise, RunStatus, StartRun};
use reenact::events::json::Blob;
use reenact::events::problem::Problem;
use reenact::events::run::{RunEvent, Spend, SpendLimits, Usage};
use reenact::executors::Failure;
use reenact::executors::function::FunctionCall;
use reenact::store::fault::{Fault, Faulty};
use reenact::store::memory::MemoryStore;
use reenact::workflow::parse::{Known, parse};

use super::children::fold;
use super::kit::{Kit, id, on_actix, start_of, status};

/// A run of such a workflow that begins with these limits.
fn start(limits: &str, steps: &str) -> StartRun {
    let file = format!("name: test\nlimits: {limits}\nsteps: {steps}\n");
    let definition = parse(&file, "test.yaml", &Known::default()).unwrap().definition;
    let definition_blob = Blob::new(definition.to_json().text().as_bytes());
    StartRun { definition: Arc::new(definition), definition_blob, ..start_of("[{id: a, run: x}]") }
}

fn raise(calls: u64) -> Ask {
    let limits = SpendLimits { calls: Some(calls), ..SpendLimits::default() };
    Ask::RaiseBudget(Box::new(Raise { limits, by: "ada".into(), reason: None }))
}

/// Registers a function that counts its calls, and reports each.
fn counted(kit: &Kit) -> Arc<AtomicU64> {
    let calls = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&calls);
    kit.functions.register("dear", move |call: FunctionCall| {
        count.fetch_add(1, Ordering::SeqCst);
        call.used(Usage { calls: 1, input_tokens: 10, output_tokens: 5, usd_nanos: 7 });
        async { Ok::<_, Failure>(()) }
    });
    calls
}

#[test]
fn fifty_parallel_steps_with_a_limit_of_twenty_calls_make_exactly_twenty() {
    on_actix(async {
        let kit = Kit { slots: 50, ..Kit::new() };
        let calls = counted(&kit);
        let system = kit.start();
        let items: Vec<u32> = (0..50).collect();
        let steps = format!("[{{id: a, agent: dear, for_each: {items:?}}}]");
        system.begin(&id("r"), start("{calls: 20}", &steps)).await.unwrap();
        assert_eq!(status(system.ended(&id("r")).await), RunStatus::Waiting);
        assert_eq!(calls.load(Ordering::SeqCst), 20);
        let run = fold(&system, &id("r")).await;
        assert_eq!(run.budget().unwrap().used, Spend { calls: 20, tokens: 300, usd_nanos: 140 });
        let (_, usage) = run.usage_by_agent().first_key_value().unwrap();
        assert_eq!((usage.calls, usage.input_tokens), (20, 200));
        system.ask(&id("r"), raise(49)).await.unwrap();
        system.drive(&id("r")).await;
        assert_eq!(status(system.ended(&id("r")).await), RunStatus::Waiting);
        assert_eq!(calls.load(Ordering::SeqCst), 49);
        system.ask(&id("r"), raise(50)).await.unwrap();
        system.drive(&id("r")).await;
        assert_eq!(status(system.ended(&id("r")).await), RunStatus::Completed);
        assert_eq!(calls.load(Ordering::SeqCst), 50);
    });
}

#[test]
fn whenever_the_process_ends_no_limit_is_overspent_and_nothing_recorded_is_paid_twice() {
    for fault in [Fault::BeforeStoring, Fault::AfterStoring] {
        let mut nth = 1;
        while is_kept_though_it_ends_at(nth, fault) {
            nth += 1;
        }
        assert!(nth > 6, "it ended {nth} times only");
    }
}

const STEPS: &str =
    "[{id: a, agent: dear}, {id: b, agent: dear}, {id: c, agent: dear}, {id: d, agent: dear}]";

/// Whether there was such a commit.
fn is_kept_though_it_ends_at(nth: u64, fault: Fault) -> bool {
    let mut reached = false;
    on_actix(async {
        let store = Arc::new(Faulty::new(MemoryStore::new()).staying_open());
        let kit = Kit { store: Arc::clone(&store) as _, ..Kit::new() };
        let calls = counted(&kit);
        store.fail_append(nth, fault);
        let first = kit.start();
        reached = see(&first, &calls).await.is_err();
        drop(first.shut_down(std::future::ready(())).await);
        store.mend();
        let second = kit.start();
        see(&second, &calls).await.unwrap();
        let run = fold(&second, &id("r")).await;
        assert_eq!(run.status(), RunStatus::Completed, "{nth} {fault:?}");
        let budget = run.budget().unwrap();
        assert_eq!(budget.reserved, Spend::default(), "{nth} {fault:?}");
        let made = calls.load(Ordering::SeqCst);
        assert!(made <= budget.used.calls, "{nth} {fault:?}: {made} of {}", budget.used.calls);
        // A call whose answer is recorded is not made again: one at most was lost.
        assert!(budget.used.calls <= 5, "{nth} {fault:?}: {}", budget.used.calls);
        kept(&kit, nth, fault).await;
    });
    reached
}

/// Each attempt has one reservation, which is settled once.
async fn kept(kit: &Kit, nth: u64, fault: Fault) {
    let events = kit.events(&id("r")).await;
    let mut held = std::collections::BTreeSet::new();
    for (_, event) in &events {
        match event {
            RunEvent::BudgetReserved(reserved) => {
                assert!(held.insert(reserved.fence), "{nth} {fault:?}: reserved twice");
            }
            RunEvent::BudgetSettled(settled) => {
                assert!(held.remove(&settled.fence), "{nth} {fault:?}: settled twice");
            }
            _ => {}
        }
    }
    let count = |fits: fn(&RunEvent) -> bool| events.iter().filter(|(_, event)| fits(event)).count();
    let started = count(|event| matches!(event, RunEvent::AttemptStarted(_)));
    let reserved = count(|event| matches!(event, RunEvent::BudgetReserved(_)));
    assert_eq!((started, held.len()), (reserved, 0), "{nth} {fault:?}");
}

/// Begins the run if it has not begun, and sees it through: whenever it waits, one call more is allowed than are counted.
async fn see(system: &System, calls: &AtomicU64) -> Result<(), Problem> {
    system.begin(&id("r"), start("{calls: 3}", STEPS)).await?;
    loop {
        system.drive(&id("r")).await;
        let ended = system.ended(&id("r")).await?;
        let (run, _) = system.fold(&id("r")).await?;
        let (budget, made) = (run.budget().unwrap(), calls.load(Ordering::SeqCst));
        let limit = budget.limits.calls.unwrap();
        assert!(made <= budget.used.calls, "{made} calls were made, and {} counted", budget.used.calls);
        assert!(budget.used.calls <= limit, "{} calls are counted, and {limit} may be", budget.used.calls);
        if ended.status != RunStatus::Waiting.text() {
            return Ok(());
        }
        system.ask(&id("r"), raise(limit + 1)).await?;
    }
}
