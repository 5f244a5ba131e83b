//! A process that lacks an agent or a function of a run leaves the run alone: nothing of it starts, nothing fails for that, and
//! another that has them goes on with it.

use std::sync::Arc;
use std::time::Duration;

use reenact::actors::system::System;
use reenact::aggregates::run::{Ask, RunStatus, StartRun};
use reenact::events::ids::RunId;
use reenact::events::json::Blob;
use reenact::events::problem::{Class, Code, Problem};
use reenact::events::run::RunEvent;
use reenact::executors::Failure;
use reenact::executors::function::{FunctionCall, Functions};
use reenact::workflow::parse::{Known, parse};

use super::children::{child, echo, family, fold, order};
use super::kit::{Kit, id, on_actix, start_of, status};
use super::recovery::restart;

/// Another process, which has only the functions that are registered then.
fn elsewhere(kit: &Kit) -> Kit {
    Kit { functions: Functions::default(), ..restart(kit) }
}

async fn count(kit: &Kit, run: &RunId) -> usize {
    kit.events(run).await.len()
}

/// Why nobody goes on with a run that is driven here by name.
async fn left_alone(system: &System, run: &RunId) -> Problem {
    system.drive(run).await;
    let problem = system.ended(run).await.unwrap_err();
    assert_eq!(problem.code, Code::AgentLacking);
    problem
}

/// What begins a run whose steps may fall back.
fn start(steps: &str) -> StartRun {
    let known = Known { fallback_attempts: 2, ..Known::default() };
    let file = format!("name: test\nsteps: {steps}\n");
    let definition = parse(&file, "test.yaml", &known).unwrap().definition;
    let definition_blob = Blob::new(definition.to_json().text().as_bytes());
    StartRun { definition: Arc::new(definition), definition_blob, ..start_of("[{id: a, sleep: 1s}]") }
}

fn no(class: Class) -> Failure {
    Failure::new(Code::FunctionFailed, "no").class(class)
}

#[test]
fn a_run_is_left_as_it_is_by_a_process_that_lacks_a_function_of_it_and_goes_on_in_one_that_has_it() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("pay");
        let first = kit.start();
        first
            .begin(&id("p"), start_of("[{id: a, agent: pay, at_most_once: true}, {id: b, agent: ship}]"))
            .await
            .unwrap();
        // It lacks `ship`, and whoever begins a run knows that: nothing of it has begun.
        assert_eq!(left_alone(&first, &id("p")).await.code, Code::AgentLacking);
        let recorded = count(&kit, &id("p")).await;
        assert_eq!((gate.calls(), fold(&first, &id("p")).await.status()), (0, RunStatus::Pending));
        echo(&kit);
        kit.functions.register("ship", |_: FunctionCall| async { Ok::<_, Failure>(1) });
        std::mem::forget(first);

        let second = kit.start();
        second.drive(&id("p")).await;
        gate.called(1).await;
        std::mem::forget(second);
        let open = count(&kit, &id("p")).await;
        assert!(open > recorded);

        // An attempt is open that was made in the process before: that is not recorded as lost, which would fail it.
        let other = elsewhere(&kit);
        echo(&other);
        let third = other.start();
        third
            .begin(&id("good"), StartRun { drive: false, ..start_of("[{id: a, agent: echo}]") })
            .await
            .unwrap();
        let problem = left_alone(&third, &id("p")).await;
        assert!(problem.message.contains("`pay`, `ship`"), "{problem}");
        let (mut rested, mut told) = (third.drive_all(), Vec::new());
        while let Some(rested) = rested.recv().await {
            let rested = rested.unwrap();
            told.push((rested.stream.run().unwrap(), rested.how.map_err(|problem| problem.code)));
        }
        told.sort_by(|(a, _), (b, _)| a.cmp(b));
        let expected = [(id("good"), Ok(RunStatus::Completed.text())), (id("p"), Err(Code::AgentLacking))];
        assert_eq!(told, expected);
        assert_eq!(count(&kit, &id("p")).await, open, "nothing was recorded");
        std::mem::forget(third);

        let fourth = restart(&kit).start();
        fourth.drive(&id("p")).await;
        // Only who makes it again finds out that nobody knows what became of it.
        assert_eq!(status(fourth.ended(&id("p")).await), RunStatus::Failed);
    });
}

#[test]
fn what_people_want_of_a_run_that_is_left_alone_is_recorded() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("pay");
        let first = kit.start();
        for run in ["cancelled", "paused"] {
            first.begin(&id(run), start_of("[{id: a, agent: pay}]")).await.unwrap();
        }
        gate.called(2).await;
        std::mem::forget(first);
        let system = elsewhere(&kit).start();
        for run in ["cancelled", "paused"] {
            left_alone(&system, &id(run)).await;
        }
        let wanted = [
            ("cancelled", Ask::Cancel { order: order(), rollback: false }, RunStatus::Cancelled),
            ("paused", Ask::Pause(order()), RunStatus::Paused),
        ];
        for (run, ask, becomes) in wanted {
            system.ask(&id(run), ask).await.unwrap();
            assert_eq!(fold(&system, &id(run)).await.status(), becomes);
        }
        // Of the one nothing is left that it would need.
        system.drive(&id("cancelled")).await;
        assert_eq!(status(system.ended(&id("cancelled")).await), RunStatus::Cancelled);
        left_alone(&system, &id("paused")).await;
        assert_eq!(gate.calls(), 2);
    });
}

/// A step that is added later, one that stands in for another, and one that undoes another are found out to be missing when they
/// are wanted.
#[test]
fn a_run_is_let_go_of_when_it_wants_an_agent_that_is_not_there() {
    on_actix(async {
        let kit = Kit::new();
        echo(&kit);
        kit.functions.register("fails", |_: FunctionCall| async { Err::<(), _>(no(Class::Validation)) });
        let gate = kit.gated("slow");
        let cases = [
            ("stands-in", "[{id: a, agent: fails, fallback: {agent: later}}]", RunStatus::Completed),
            (
                "undoes",
                "[{id: a, agent: echo, compensate: {agent: later}}, {id: b, agent: fails}]",
                RunStatus::Compensated,
            ),
            (
                "beside",
                "[{id: a, agent: fails, fallback: {agent: later}}, {id: b, agent: slow, needs: []}]",
                RunStatus::Completed,
            ),
        ];
        let system = kit.start();
        for (run, steps, _) in &cases {
            system.begin(&id(run), start(steps)).await.unwrap();
            let problem = system.ended(&id(run)).await.unwrap_err();
            assert_eq!(problem.code, Code::AgentLacking, "{run}");
            assert!(!system.is_driven(&id(run)), "{run}");
            let is_of_it = |event: &RunEvent| match event {
                RunEvent::AttemptStarted(started) => started.agent.as_str() == "later",
                RunEvent::StepFailed(failed) => *run == "stands-in" && failed.step.as_str() == "a",
                _ => false,
            };
            assert_eq!(kit.count(&id(run), is_of_it).await, 0, "{run}");
        }
        // What ran beside it is heard.
        gate.open(1);
        let completed = |event: &RunEvent| matches!(event, RunEvent::StepCompleted(_));
        kit.until(&id("beside"), completed).await;
        std::mem::forget(system);
        kit.functions.register("later", |_: FunctionCall| async { Ok::<_, Failure>(1) });
        let system = restart(&kit).start();
        let mut rested = system.drive_all();
        while rested.recv().await.is_some() {}
        for (run, _, becomes) in cases {
            assert_eq!(fold(&system, &id(run)).await.status(), becomes, "{run}");
        }
    });
}

#[test]
fn a_run_whose_child_is_left_alone_is_too_and_both_go_on_elsewhere() {
    on_actix(async {
        let kit = Kit::new();
        echo(&kit);
        let system = kit.start();
        let mut start = family(
            "[{id: before, agent: echo}, {id: c, workflow: child.yaml}]",
            "name: child\nsteps: [{id: a, agent: echo}, {id: b, agent: later}]\n",
        );
        start.children[0].duration_limit = Some(Duration::from_secs(3_600));
        system.begin(&id("p"), start).await.unwrap();
        let problem = system.ended(&id("p")).await.unwrap_err();
        assert_eq!(problem.code, Code::AgentLacking);
        assert!(problem.message.contains(child().as_str()), "{problem}");
        let attempts = |event: &RunEvent| matches!(event, RunEvent::AttemptStarted(_));
        assert_eq!(kit.count(&child(), attempts).await, 0, "nothing of it has begun");
        let left = [count(&kit, &id("p")).await, count(&kit, &child()).await];
        std::mem::forget(system);
        kit.hand.advance(Duration::from_secs(60));
        let system = restart(&kit).start();
        let (mut rested, mut told) = (system.drive_all(), Vec::new());
        while let Some(rested) = rested.recv().await {
            told.extend(rested.unwrap().how.map_err(|problem| problem.code).err());
        }
        assert_eq!(told, [Code::AgentLacking; 2]);
        let now = [count(&kit, &id("p")).await, count(&kit, &child()).await];
        assert_eq!(now, left, "nothing is recorded of either");
        std::mem::forget(system);
        kit.functions.register("later", |_: FunctionCall| async { Ok::<_, Failure>(1) });
        let system = restart(&kit).start();
        system.drive(&id("p")).await;
        assert_eq!(status(system.ended(&id("p")).await), RunStatus::Completed);
    });
}
