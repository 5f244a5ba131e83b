//! The binary lacks the functions of a program that embeds the crate, beside which it works on one data folder: it leaves that
//! one's runs alone.

use std::sync::Arc;
use std::time::Duration;

use reenact::actors::agents::roster::Roster;
use reenact::actors::clock::SystemClock;
use reenact::actors::system::{Settings, System};
use reenact::aggregates::run::RunStatus;
use reenact::events::ids::RunId;
use reenact::events::json::Json;
use reenact::executors::function::{FunctionCall, Functions};
use reenact::executors::{AgentDefinition, Executors, Failure};
use reenact::store::sled::{SledOptions, SledStore};
use reenact::testing::simulation::start_of;
use reenact::workflow::parse::{Known, parse};
use serde_json::json;
use tokio::sync::Notify;

use crate::support::Sandbox;

const STEPS: &str = "name: embedded
steps:
  - {id: a, agent: pay, compensate: {agent: refund}}
  - {id: b, agent: ship}
";

/// A program that embeds the crate does something with the run `embedded`, and ends.
fn embed(sandbox: &Sandbox, functions: Functions, act: impl AsyncFnOnce(&System, &RunId)) {
    actix::System::new().block_on(async {
        let store = SledStore::open(&sandbox.data(), SledOptions::default()).unwrap();
        let executors = Executors { functions, ..Executors::default() };
        let roster = Roster { executors, shell: AgentDefinition::shell(), function_slots: 4 };
        let settings = Settings { arbiters: 1, grace: Duration::ZERO, ..Settings::default() };
        let system = System::start(Arc::new(store), roster, Arc::new(SystemClock), settings);
        act(&system, &RunId::parse("embedded").unwrap()).await;
        system.close();
        system.shut_down(std::future::ready(())).await.unwrap();
    });
}

#[test]
fn a_run_of_a_program_that_embeds_the_crate_is_left_alone_by_the_binary() {
    let sandbox = Sandbox::new();
    sandbox.write("good.yaml", "name: good\nsteps:\n  - {id: a, run: 'true'}\n");
    sandbox.json(4, &["run", "good.yaml", "--id", "good", "--detach"]);
    let (functions, ships) = (Functions::default(), Arc::new(Notify::new()));
    functions.register("pay", |_: FunctionCall| async { Ok::<_, Failure>(1) });
    let shipping = Arc::clone(&ships);
    functions.register("ship", move |_: FunctionCall| {
        shipping.notify_one();
        std::future::pending::<Result<(), Failure>>()
    });
    embed(&sandbox, functions, async |system, run| {
        let definition = parse(STEPS, "embedded.yaml", &Known::default()).unwrap().definition;
        system.begin(run, start_of(definition, Json::parse("{}").unwrap())).await.unwrap();
        ships.notified().await;
    });

    let before = sandbox.history("embedded");
    let ended = sandbox.reenact(&["--json", "resume", "embedded"]);
    assert_eq!(ended.code(), Some(2), "{ended}");
    let error = &ended.json()["error"];
    assert_eq!((&error["code"], error["hint"].as_str().unwrap().is_empty()), (&json!("RE-1307"), false));
    assert!(error["message"].as_str().unwrap().contains("`ship`"), "{error}");
    let ended = sandbox.reenact(&["--json", "resume", "--all"]);
    assert_eq!(ended.code(), Some(1), "{ended}");
    let mut lines = ended.json_lines();
    lines.sort_by_key(|line| line["run"].to_string());
    assert_eq!(lines.len(), 2, "{ended}");
    assert_eq!((&lines[0]["run"], &lines[0]["error"]["code"]), (&json!("embedded"), &json!("RE-1307")));
    assert_eq!((&lines[1]["run"], &lines[1]["status"]), (&json!("good"), &json!("completed")));
    assert_eq!(sandbox.history("embedded"), before, "nothing is recorded of it");
    let status = sandbox.status("embedded");
    assert_eq!((&status["status"], &status["driven"]), (&json!("running"), &json!(false)));

    // What people want of it is recorded.
    assert_eq!(sandbox.json(0, &["pause", "embedded"])["status"], "paused");
    sandbox.json(2, &["resume", "embedded"]);
    assert_eq!(sandbox.json(0, &["unpause", "embedded"])["status"], "running");
    assert_eq!(sandbox.json(0, &["cancel", "embedded", "--rollback"])["status"], "compensating");
    let undone = sandbox.json(2, &["resume", "embedded"]);
    assert!(undone["error"]["message"].as_str().unwrap().contains("`refund`"), "{undone}");
    for kind in ["attempt_failed", "step_failed", "compensation_failed"] {
        assert_eq!(sandbox.count("embedded", kind, None), 0, "{kind}");
    }

    let functions = Functions::default();
    functions.register("refund", |_: FunctionCall| async { Ok::<_, Failure>(1) });
    embed(&sandbox, functions, async |system, run| {
        system.drive(run).await;
        let ended = system.ended(run).await.unwrap();
        assert_eq!(ended.status, RunStatus::Compensated.text());
    });
    assert_eq!(sandbox.json(3, &["resume", "embedded"])["status"], "compensated");
}
