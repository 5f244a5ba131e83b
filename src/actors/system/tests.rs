use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Settings, System};
use crate::actors::clock::SystemClock;
use crate::actors::roster::Roster;
use crate::events::ids::RunId;
use crate::events::json::{Blob, Json};
use crate::executors::function::FunctionCall;
use crate::executors::{AgentDefinition, Executors, Failure};
use crate::store::memory::MemoryStore;
use crate::workflow::parse::{Known, parse};
use crate::workflow::run::{RunStatus, StartRun};

const HOUR: Duration = Duration::from_secs(3_600);

fn system() -> System {
    let executors = Executors::default();
    executors.functions.register("work", |_: FunctionCall| async { Ok::<_, Failure>(1) });
    let roster = Roster { executors, shell: AgentDefinition::shell(), function_slots: 4 };
    let settings = Settings { arbiters: 1, passivate_after: HOUR, grace: HOUR, runs: None };
    System::start(Arc::new(MemoryStore::default()), roster, Arc::new(SystemClock), settings)
}

fn start() -> StartRun {
    let definition = parse("name: one\nsteps:\n  - {id: a, agent: work}\n", "one.yaml", &Known::default());
    let definition = definition.unwrap().definition;
    StartRun {
        definition_blob: Blob::new(definition.to_json().text().as_bytes()),
        definition: Arc::new(definition),
        input: Json::null(),
        tags: BTreeMap::new(),
        work_folder: "/".into(),
        parent: None,
        environment: BTreeMap::new(),
        agents: Vec::new(),
        parallel: 4,
        lost_limit: 5,
        duration_limit: None,
        until: None,
        drive: true,
    }
}

/// A run that ended was kept in memory as long as one that is asked again and again: at thousands of runs a second that
/// was a gigabyte of them.
#[test]
fn a_run_that_ended_is_put_away_at_once_and_can_still_be_asked_about() {
    actix::System::new().block_on(async {
        let system = system();
        let run = RunId::parse("short").unwrap();
        system.begin(&run, start()).await.unwrap();
        assert_eq!(system.ended(&run).await.unwrap().status, Some(RunStatus::Completed));
        let gone = async {
            while !system.communicator.active_runs().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), gone).await.unwrap();
        assert_eq!(system.ended(&run).await.unwrap().status, Some(RunStatus::Completed));
        system.shut_down(std::future::pending()).await.unwrap();
    });
}
