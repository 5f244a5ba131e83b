//! Runs that share a context: they read and write it, and hold its locks, in the hands of an engine that is ended anywhere.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use reenact::actors::hosting::kind::Kinds;
use reenact::actors::system::System;
use reenact::aggregates::run::{RunStatus, StartRun};
use reenact::events::codec::Encoded;
use reenact::events::ids::{RunId, StreamId, Version};
use reenact::events::json::Blob;
use reenact::events::problem::Problem;
use reenact::events::run::RunEvent;
use reenact::executors::Failure;
use reenact::executors::function::FunctionCall;
use reenact::workflow::parse::{Known, parse};
use serde_json::{Value, json};

use super::children::fold;
use super::kit::{Kit, id, on_actix, start_of, whenever_the_process_ends};

/// Each adds one to what it has read, and writes that only if nobody else has written meanwhile.
const LOCKED: &str = "contexts: {t: team}\nsteps: [{id: add, agent: add, locks: [t/count, team/again], \
                      with: {n: \"{{ contexts.t.n | default(0) }}\"}}]\n";

fn start(workflow: &str) -> StartRun {
    let definition = parse(&format!("name: test\n{workflow}"), "test.yaml", &Known::default()).unwrap();
    let definition = definition.definition;
    let definition_blob = Blob::new(definition.to_json().text().as_bytes());
    StartRun { definition: Arc::new(definition), definition_blob, ..start_of("[{id: a, sleep: 1s}]") }
}

fn adds(kit: &Kit) {
    kit.functions.register("add", |call: FunctionCall| async move {
        let (read, version) = call.context_get::<Option<u64>>("t/n")?.unwrap();
        let given: u64 = call.input::<serde_json::Map<String, Value>>()?["n"].as_u64().unwrap();
        assert_eq!(read.unwrap_or(0), given, "an expression sees what the function sees");
        call.context_set("t/n", &(given + 1), Some(version))?;
        Ok::<_, Failure>(given + 1)
    });
}

async fn team(system: &System) -> Value {
    let stream = StreamId::new("context", "team");
    let kind = system.kind(&stream).unwrap();
    kind.seen(&**system.store(), &stream, Version(u64::MAX)).await.unwrap().1.value()
}

async fn kinds(kit: &Kit, run: &RunId) -> Vec<&'static str> {
    kit.events(run).await.iter().map(|(_, event)| event.kind()).collect()
}

#[test]
fn what_a_step_reads_and_writes_under_a_lock_is_recorded_in_order() {
    on_actix(async {
        let kit = Kit::new();
        adds(&kit);
        let system = kit.start_with(Kinds::default());
        system.begin(&id("a"), start(LOCKED)).await.unwrap();
        system.ended(&id("a")).await.unwrap();
        for lock in ["again", "count"] {
            let is_back = |event: &RunEvent| matches!(event, RunEvent::LockGivenBack(back) if back.lock.as_str() == lock);
            kit.until(&id("a"), is_back).await;
        }
        let kinds = kinds(&kit, &id("a")).await;
        let expected = [
            "run_started",
            "step_added",
            // Its `if`, if it had one, would use it.
            "context_awaited",
            "context_read",
            "lock_requested",
            "lock_acquired",
            "context_awaited",
            "context_read",
            "lock_requested",
            "lock_acquired",
            "context_awaited",
            "context_read",
            "attempt_started",
            "attempt_answered",
            "context_written",
            "step_completed",
            "run_completed",
            "lock_given_back",
            "lock_given_back",
        ];
        assert_eq!(kinds, expected);
        let team = team(&system).await;
        assert_eq!((&team["keys"]["n"]["last"], &team["locks"]), (&json!(1), &json!({})));
        assert_eq!(team["keys"]["n"]["by"], "a/add");
        system.shut_down(std::future::ready(())).await.unwrap();
    });
}

/// The write is known by its id: that of a run which asks again, because the answer was lost, is not made twice, and does not
/// find its own value in its way.
#[test]
fn no_run_adds_twice_or_not_at_all_whenever_the_process_ends() {
    whenever_the_process_ends(20, async |ending| {
        let kit = ending.kit();
        adds(&kit);
        let second = ending.survived(&kit, all_add).await;
        until(&kit, &second, |team| team["locks"] == json!({})).await;
        let team = team(&second).await;
        assert_eq!(team["keys"]["n"]["last"], 2, "{ending}: {team}");
        for run in ["a", "b"].map(id) {
            assert_eq!(fold(&second, &run).await.status(), RunStatus::Completed, "{ending}");
            let count = |kind: &'static str| {
                let events = kit.events(&run);
                async move { events.await.iter().filter(|(_, event)| event.kind() == kind).count() }
            };
            assert_eq!(count("step_completed").await, 1, "{ending}");
            assert_eq!(count("attempt_failed").await, 0, "{ending}");
        }
        second.shut_down(std::future::ready(())).await.unwrap();
    });
}

/// Sees both runs through.
async fn all_add(system: &System) -> Result<(), Problem> {
    for run in ["a", "b"] {
        system.begin(&id(run), start(LOCKED)).await?;
    }
    // Whoever waits for another whose process is gone waits in vain: the first that cannot go on says so.
    let runs = ["a", "b"].map(id);
    try_join_all(runs.iter().map(|run| system.ended(run))).await.map(drop)
}

/// Two steps that hold what the other wants cannot be: a step gets its locks in one order. Somebody else may keep one for good.
#[test]
fn a_step_that_waits_for_a_lock_in_vain_fails_and_says_who_holds_it() {
    on_actix(async {
        let kit = Kit::new();
        adds(&kit);
        let gate = kit.gated("hold");
        let system = kit.start();
        let hold = "contexts: {t: team}\nsteps: [{id: hold, agent: hold, locks: [t/count]}]\n";
        system.begin(&id("a"), start(hold)).await.unwrap();
        gate.called(1).await;
        let waits = "contexts: {t: team}\nsteps: [{id: add, agent: hold, locks: [t/count], timeout: 5s}]\n";
        system.begin(&id("b"), start(waits)).await.unwrap();
        kit.until(&id("b"), |event| matches!(event, RunEvent::LockRequested(_))).await;
        let waits = |team: &Value| team["locks"]["count"]["waiting"].as_array().map(Vec::len) == Some(1);
        until(&kit, &system, waits).await;
        kit.hand.advance(Duration::from_secs(5));
        system.ended(&id("b")).await.unwrap();
        let failed = kit.events(&id("b")).await.into_iter().find_map(|(_, event)| match event {
            RunEvent::StepFailed(failed) => Some(failed),
            _ => None,
        });
        let failed = failed.unwrap();
        assert_eq!(failed.code.text(), "RE-1408");
        assert!(failed.message.contains("which `a/hold#1` holds"), "{}", failed.message);
        gate.open(1);
        system.ended(&id("a")).await.unwrap();
        system.shut_down(std::future::ready(())).await.unwrap();
    });
}

/// Ends when that holds of the context.
async fn until(kit: &Kit, system: &System, holds: impl Fn(&Value) -> bool) {
    let mut committed = kit.store.committed();
    loop {
        committed.mark_unchanged();
        if holds(&team(system).await) {
            return;
        }
        committed.changed().await.unwrap();
    }
}
