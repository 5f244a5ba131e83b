//! A manager is asked about an agent that is stuck, and the process ends with every commit in turn.

use reenact::actors::system::System;
use reenact::aggregates::run::{RunStatus, StartRun};
use reenact::events::ids::AgentName;
use reenact::events::json::Blob;
use reenact::events::problem::Problem;
use reenact::events::run::{RunEvent, StuckLimits};
use reenact::executors::Failure;
use reenact::executors::function::FunctionCall;
use serde_json::json;

use super::children::fold;
use super::kit::{id, start_of, whenever_the_process_ends};

fn start() -> StartRun {
    let agents = ["writer", "boss"].map(|name| {
        let definition = format!(r#"{{"name":"{name}","description":"","executor":"function"}}"#);
        let definition = Blob::new(definition.as_bytes());
        (AgentName::new(name), definition)
    });
    let manager = Some(AgentName::new("boss"));
    StartRun {
        agents: agents.into(),
        stuck: StuckLimits { answers: 1, handoffs: 1, time_us: None, manager },
        ..start_of("[{id: s, agent: writer, prompt: write, repeat: {until: output.done, max: 5}}]")
    }
}

#[test]
fn whenever_the_process_ends_a_manager_is_asked_once_and_heard() {
    whenever_the_process_ends(5, async |ending| {
        let kit = ending.kit();
        kit.functions.register("writer", |call: FunctionCall| async move {
            let is_told = call.task.work.prompt.is_some_and(|prompt| prompt.contains("the other way"));
            Ok::<_, Failure>(json!({"done": is_told}))
        });
        kit.functions.register("boss", |_: FunctionCall| async { Ok::<_, Failure>("the other way") });
        let second = ending.survived(&kit, see).await;
        assert_eq!(fold(&second, &id("r")).await.status(), RunStatus::Completed, "{ending}");
        let events = kit.events(&id("r")).await;
        let count = |fits: fn(&RunEvent) -> bool| events.iter().filter(|(_, event)| fits(event)).count();
        assert_eq!(count(|event| matches!(event, RunEvent::Escalated(_))), 1, "{ending}");
        assert_eq!(count(|event| matches!(event, RunEvent::StepCompleted(_))), 4, "{ending}");
    });
}

async fn see(system: &System) -> Result<(), Problem> {
    system.begin(&id("r"), start()).await?;
    system.ended(&id("r")).await.map(drop)
}
