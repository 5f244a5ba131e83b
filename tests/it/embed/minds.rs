//! Agents of a program that remember: a stream of their own, which outlives every run.

use std::time::Duration;

use reenact::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kit::current_thread;
use crate::support::Sandbox;

const LONG: Duration = Duration::from_secs(30);

#[derive(Clone, Serialize, Deserialize)]
struct Quote {
    item: String,
}

impl Message for Quote {
    const NAME: &'static str = "quote";
    type Answer = u32;
}

/// Wants more for what it was asked for before, and tells the ledger.
async fn prices(quote: Quote, call: MindCall) -> Result<u32, Failure> {
    let asked = call.recall::<u32>(&quote.item)?.unwrap_or(0) + 1;
    call.remember(&quote.item, &asked)?;
    call.send(Outgoing::to("ledger", MessageKind::Notice).body(&asked)?);
    Ok(asked * 10)
}

const DEAL: &str = "steps: [{id: buy, agent: buyer, with: tea}, {id: note, agent: ledger}]\n\
                    output: ['{{ steps.buy.output }}', '{{ steps.note.output }}']";

async fn engine(sandbox: &Sandbox) -> Engine {
    let buyer =
        |item: String, call: FunctionCall| async move { call.ask("pricing", &Quote { item }, LONG).await };
    let ledger = |_: Value, call: FunctionCall| async move {
        call.messages().iter().map(MessageGiven::read).collect::<Result<Vec<u32>, _>>()
    };
    let engine = Engine::open(sandbox.data()).mind("Pricing", prices);
    engine.function("buyer", buyer).function("ledger", ledger).start().await.unwrap()
}

async fn deal(engine: &Engine, id: &str) -> Value {
    let run = engine.run(RunSpec::text(DEAL).id(id).unwrap()).await.unwrap();
    run.outcome().await.unwrap().output().unwrap()
}

#[test]
fn a_mind_outlives_runs_and_engines_and_is_seen_as_it_was() {
    let sandbox = Sandbox::new();
    current_thread(async {
        let first = engine(&sandbox).await;
        assert_eq!(deal(&first, "a").await, serde_json::json!([10, [1]]));
        assert_eq!(deal(&first, "b").await, serde_json::json!([20, [2]]));
        first.shut_down().await.unwrap();
        let second = engine(&sandbox).await;
        assert_eq!(deal(&second, "c").await, serde_json::json!([30, [3]]));
        second.shut_down().await.unwrap();
    });
    assert_eq!(sandbox.reenact(&["rollback", "a"]).code(), Some(3));
    let shown = sandbox.reenact(&["--json", "history", "mind/Pricing"]).json_lines();
    let kinds: Vec<&str> = shown.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message_taken", "remembered"].repeat(3));
    assert_eq!((&shown[2]["data"]["message"], &shown[2]["data"]["from"]), (&"b/1".into(), &"buyer".into()));
    for (at, asked) in [("2", 1), ("4", 2), ("6", 3)] {
        let then = sandbox.reenact(&["--json", "replay", "mind/pricing", "--at", at]).json();
        assert_eq!(then["state"]["memory"]["tea"]["value"], asked, "at {at}: {then}");
    }
    let verified = sandbox.reenact(&["--json", "verify"]).json();
    assert_eq!(verified["ok"], true, "{verified}");
}

#[test]
fn runs_that_ask_one_mind_at_once_are_all_remembered() {
    let sandbox = Sandbox::new();
    current_thread(async {
        let engine = engine(&sandbox).await;
        let deals: Vec<String> = (0..12).map(|n| format!("r{n}")).collect();
        let all = futures_util::future::join_all(deals.iter().map(|id| deal(&engine, id))).await;
        let mut asked: Vec<u64> = all.iter().map(|output| output[1][0].as_u64().unwrap()).collect();
        asked.sort_unstable();
        assert_eq!(asked, (1..=12).collect::<Vec<_>>(), "each was the next");
        engine.shut_down().await.unwrap();
    });
}
