use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Settings, System};
use crate::actors::agents::roster::Roster;
use crate::actors::clock::SystemClock;
use crate::aggregates::run::{Ask, Insists, RunStatus, StartRun};
use crate::events::ids::{AgentName, RunId};
use crate::events::json::{Blob, Json};
use crate::events::run::{GrowthLimits, StuckLimits};
use crate::executors::function::FunctionCall;
use crate::executors::{AgentDefinition, ExecutorKind, Executors, Failure};
use crate::store::EventStore;
use crate::store::fault::{Calls, Faulty};
use crate::store::memory::MemoryStore;
use crate::workflow::parse::{Known, parse};

const HOUR: Duration = Duration::from_secs(3_600);

fn system() -> System {
    system_on(Arc::new(MemoryStore::default()))
}

fn system_on(store: Arc<dyn EventStore>) -> System {
    let executors = Executors::default();
    executors.functions.register("work", |_: FunctionCall| async { Ok::<_, Failure>(1) });
    let roster = Roster { executors, shell: AgentDefinition::shell(), function_slots: 4 };
    let settings = Settings {
        arbiters: 1,
        passivate_after: HOUR,
        cache_bytes: 1 << 20,
        grace: HOUR,
        runs: None,
        team: None,
        check: Vec::new(),
        ..Settings::default()
    };
    System::start(store, roster, Arc::new(SystemClock), settings)
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
        children: Vec::new(),
        growth: GrowthLimits::default(),
        stuck: StuckLimits::default(),
        routed: None,
        bypasses_cache: false,
        insists: Insists::default(),
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
        assert_eq!(system.ended(&run).await.unwrap().status, RunStatus::Completed.text());
        let gone = async {
            while !system.hosting.book().in_memory().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), gone).await.unwrap();
        assert_eq!(system.ended(&run).await.unwrap().status, RunStatus::Completed.text());
        system.shut_down(std::future::pending()).await.unwrap();
    });
}

/// It stayed open, nobody made it, and who went on with the run took it for lost.
#[test]
fn an_attempt_whose_start_was_on_its_way_to_the_store_when_the_run_was_let_go_of_is_made() {
    actix::System::new().block_on(async {
        let store = Arc::new(Faulty::new(MemoryStore::default()));
        let system = system_on(Arc::clone(&store) as Arc<dyn EventStore>);
        let run = RunId::parse("let-go").unwrap();
        store.hold(Calls::Appends);
        let let_go = async {
            store.held(Calls::Appends, 1).await;
            system.live.let_go(&run).await;
            store.release(Calls::Appends);
        };
        let start = Ask::Start(Box::new(start()));
        let (begun, ()) = tokio::join!(system.live.ask(&run, start), let_go);
        begun.unwrap();
        system.quiet().await;
        assert_eq!(system.fold(&run).await.unwrap().0.status(), RunStatus::Completed);
        system.shut_down(std::future::pending()).await.unwrap();
    });
}

/// Each definition of an agent that a process had ever seen kept an actor, some 20 to 50 KB, for as long as the process lived.
#[test]
fn agents_that_do_nothing_are_let_go_of() {
    actix::System::new().block_on(async {
        let system = system();
        for number in 0..200 {
            let name = AgentName::new("work");
            let definition = AgentDefinition {
                executor: ExecutorKind::Function,
                description: format!("number {number}"),
                ..AgentDefinition::named(name.clone())
            };
            let definition = Blob::new(serde_json::to_vec(&definition).unwrap());
            let run = RunId::parse(&format!("r{number}")).unwrap();
            system.begin(&run, StartRun { agents: vec![(name, definition)], ..start() }).await.unwrap();
            assert_eq!(system.ended(&run).await.unwrap().status, RunStatus::Completed.text());
        }
        assert!(system.live.agents().kept() <= 65, "{}", system.live.agents().kept());
        system.shut_down(std::future::pending()).await.unwrap();
    });
}
