//! Agents that use tools, in the hands of an engine that is ended anywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reenact::actors::system::System;
use reenact::aggregates::run::{RunStatus, StartRun};
use reenact::events::codec::Encoded;
use reenact::events::ids::AgentName;
use reenact::events::json::Blob;
use reenact::events::problem::Problem;
use reenact::events::run::RunEvent;
use reenact::executors::Failure;
use reenact::executors::function::FunctionCall;
use serde_json::{Value, json};

use super::children::fold;
use super::kit::{Kit, id, start_of, whenever_the_process_ends};

/// An agent that wants three calls in two turns, and then has its answer; and what does the calls.
fn start() -> StartRun {
    let wants = |turn: u32, calls: &[Value]| json!({ "step": format!("s/turn[{turn}]"), "says": { "output": { "tool_calls": calls } } });
    let call = |n: u32| json!({ "name": "add", "arguments": { "n": n } });
    let script = json!([wants(1, &[call(1), call(2)]), wants(2, &[call(3)]), { "step": "s", "says": { "output": "done" } }]);
    let helper = json!({
        "name": "helper", "description": "", "executor": "scripted", "script": script,
        "settings": { "tools": ["add"] },
    });
    let add = json!({ "name": "add", "description": "", "executor": "function" });
    let agents = [("helper", helper), ("add", add)]
        .map(|(name, definition)| (AgentName::new(name), Blob::new(definition.to_string().as_bytes())));
    StartRun { agents: agents.into(), ..start_of("[{id: s, agent: helper, prompt: go}]") }
}

/// How often it was done for each number.
type Done = Arc<[AtomicUsize; 3]>;

fn adds(kit: &Kit) -> Done {
    let done = Done::default();
    let counts = Arc::clone(&done);
    kit.functions.register("add", move |call: FunctionCall| {
        let counts = Arc::clone(&counts);
        async move {
            let n = call.input::<serde_json::Map<String, Value>>()?["n"].as_u64().unwrap() as usize;
            counts[n - 1].fetch_add(1, Ordering::SeqCst);
            Ok::<_, Failure>(n * 10)
        }
    });
    done
}

async fn see(system: &System) -> Result<(), Problem> {
    system.begin(&id("r"), start()).await?;
    system.ended(&id("r")).await.map(drop)
}

#[test]
fn every_turn_and_every_call_is_recorded_once_whenever_the_process_ends() {
    whenever_the_process_ends(6, async |ending| {
        let kit = ending.kit();
        let done = adds(&kit);
        let second = ending.survived(&kit, see).await;
        let run = fold(&second, &id("r")).await;
        assert_eq!(run.status(), RunStatus::Completed, "{ending}");
        let events = kit.events(&id("r")).await;
        let completed = events.iter().filter_map(|(_, event)| match event {
            RunEvent::StepCompleted(completed) => Some(completed.step.as_str()),
            _ => None,
        });
        let mut completed: Vec<&str> = completed.collect();
        completed.sort_unstable();
        let all = [
            "s",
            "s/turn[1]",
            "s/turn[1]/tool[1]",
            "s/turn[1]/tool[2]",
            "s/turn[2]",
            "s/turn[2]/tool[1]",
            "s/turn[3]",
        ];
        assert_eq!(completed, all, "{ending}: each once");
        let lost = events.iter().filter(|(_, event)| event.kind() == "attempt_lost").count();
        let calls: usize = done.iter().map(|count| count.load(Ordering::SeqCst)).sum();
        assert!((3..=3 + lost).contains(&calls), "{ending}: {calls} calls, {lost} attempts lost");
        second.shut_down(std::future::ready(())).await.unwrap();
    });
}
