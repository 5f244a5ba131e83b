//! Steps that start runs of their own: the child follows its parent, and what becomes of it becomes of the step.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reenact::actors::system::System;
use reenact::aggregates::run::child::child_id;
use reenact::aggregates::run::{Ask, Order, Run, RunStatus, StartRun};
use reenact::events::ids::{RunId, StepId};
use reenact::events::problem::{Class, Code};
use reenact::events::run::{RunEvent, StepFailed};
use reenact::executors::Failure;
use reenact::executors::function::FunctionCall;
use reenact::testing::simulation::child_of;
use reenact::workflow::parse::{Known, parse};

use super::kit::{Kit, id, on_actix, start_of, status};

/// What begins a run whose steps may start the workflow `child.yaml`.
pub(super) fn family(parent: &str, child: &str) -> StartRun {
    let child = parse(child, "child.yaml", &Known::default()).unwrap().definition;
    StartRun { children: vec![child_of("child.yaml", &child)], ..start_of(parent) }
}

/// The child of step `c` of run `p`.
pub(super) fn child() -> RunId {
    child_id(&id("p"), &StepId::grown("c"), 1, None)
}

pub(super) fn order() -> Order {
    Order { by: "test".into(), reason: None }
}

/// Sees run `p` through.
pub(super) async fn through(system: &System, start: StartRun) -> RunStatus {
    system.begin(&id("p"), start).await.unwrap();
    status(system.ended(&id("p")).await)
}

pub(super) async fn fold(system: &System, run: &RunId) -> Run {
    system.fold(run).await.unwrap().0
}

async fn failed(kit: &Kit, run: &RunId) -> Option<StepFailed> {
    kit.events(run).await.into_iter().find_map(|(_, event)| match event {
        RunEvent::StepFailed(failed) => Some(failed),
        _ => None,
    })
}

pub(super) fn echo(kit: &Kit) {
    kit.functions.register("echo", |call: FunctionCall| async move { Ok::<_, Failure>(call.task.work.with) });
}

#[test]
fn a_child_gets_what_the_step_gives_it_and_the_step_answers_what_the_child_does() {
    on_actix(async {
        let kit = Kit::new();
        echo(&kit);
        let system = kit.start();
        let start = family(
            "[{id: c, workflow: child.yaml, with: {n: 12345678901234567890123}}, {id: after, agent: echo, with: {got: '{{ steps.c.output }}'}}]",
            "name: child\nsteps: [{id: a, agent: echo, with: '{{ input }}'}]\noutput: '{{ steps.a.output.n }}'\n",
        );
        let start = StartRun { tags: [("team".to_owned(), "one".to_owned())].into(), ..start };
        assert_eq!(through(&system, start).await, RunStatus::Completed);
        let run = fold(&system, &child()).await;
        let about = run.about().unwrap();
        let parent = about.started.parent.as_ref().unwrap();
        assert_eq!((parent.run.as_str(), parent.step.as_str()), ("p", "c"));
        assert_eq!(about.started.tags["team"], "one");
        assert_eq!(about.started.workflow, "child");
        let outputs = kit.events(&id("p")).await.into_iter().filter_map(|(_, event)| match event {
            RunEvent::StepCompleted(completed) => Some(completed.output),
            _ => None,
        });
        let outputs: Vec<_> = outputs.collect();
        assert!(format!("{outputs:?}").contains("12345678901234567890123"), "{outputs:?}");
        let told = kit
            .count(
                &id("p"),
                |event| matches!(event, RunEvent::ChildEnded(ended) if *ended.status == *"completed"),
            )
            .await;
        assert_eq!(told, 1);
    });
}

#[test]
fn an_input_that_the_child_does_not_take_fails_the_step_and_starts_nothing() {
    on_actix(async {
        let kit = Kit::new();
        let system = kit.start();
        let start = family(
            "[{id: c, workflow: child.yaml, retry: {attempts: 3}}]",
            "name: child\ninput: {type: object, required: [n]}\nsteps: [{id: a, agent: echo}]\n",
        );
        assert_ne!(through(&system, start).await, RunStatus::Completed);
        let failed = failed(&kit, &id("p")).await.unwrap();
        assert_eq!((failed.code, failed.class), (Code::BadInput, Class::Validation));
        assert!(failed.message.contains("`input.n` is missing"), "{}", failed.message);
        assert!(kit.events(&child()).await.is_empty());
    });
}

#[test]
fn a_child_that_failed_goes_on_when_its_step_is_tried_again() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("work");
        let untried = Arc::new(AtomicBool::new(true));
        kit.functions.register("flaky", move |_: FunctionCall| {
            let first = untried.swap(false, Ordering::SeqCst);
            async move {
                match first {
                    true => Err(Failure::new(Code::FunctionFailed, "not yet").class(Class::Transient)),
                    false => Ok(7),
                }
            }
        });
        gate.open(10);
        let system = kit.start();
        let start = family(
            "[{id: c, workflow: child.yaml, retry: {attempts: 2, initial: 1s, jitter: 0}}]",
            "name: child\non_failure: stop\nsteps: [{id: a, agent: work}, {id: b, agent: flaky}]\noutput: '{{ steps.b.output }}'\n",
        );
        system.begin(&id("p"), start).await.unwrap();
        kit.until(&id("p"), |event| matches!(event, RunEvent::RetryScheduled(_))).await;
        kit.hand.advance(Duration::from_secs(10));
        assert_eq!(status(system.ended(&id("p")).await), RunStatus::Completed);
        assert_eq!(gate.calls(), 1, "what the child had done is not done again");
        assert_eq!(kit.count(&child(), |event| matches!(event, RunEvent::RetryRequested(_))).await, 1);
        assert_eq!(kit.count(&id("p"), |event| matches!(event, RunEvent::ChildEnded(_))).await, 2);
    });
}

#[test]
fn a_child_that_undid_itself_fails_its_step_for_good() {
    on_actix(async {
        let kit = Kit::new();
        echo(&kit);
        kit.functions.register("fail", |_: FunctionCall| async {
            Err::<(), _>(Failure::new(Code::FunctionFailed, "no").class(Class::Transient))
        });
        let system = kit.start();
        let start = family(
            "[{id: c, workflow: child.yaml, retry: {attempts: 5}}]",
            "name: child\nsteps: [{id: a, agent: echo, compensate: {agent: echo}}, {id: b, agent: fail}]\n",
        );
        assert_eq!(through(&system, start).await, RunStatus::Failed, "there is nothing left to undo");
        assert_eq!(fold(&system, &child()).await.status(), RunStatus::Compensated);
        let failed = failed(&kit, &id("p")).await.unwrap();
        assert_eq!((failed.code, failed.class), (Code::ChildFailed, Class::Validation));
        assert!(failed.message.ends_with("failed and was rolled back: no"), "{}", failed.message);
    });
}

#[test]
fn a_child_is_cancelled_with_its_parent_and_before_it() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("work");
        let system = kit.start();
        let start = family("[{id: c, workflow: child.yaml}]", "name: child\nsteps: [{id: a, agent: work}]\n");
        system.begin(&id("p"), start).await.unwrap();
        gate.called(1).await;
        system.ask(&id("p"), Ask::Cancel { order: order(), rollback: false }).await.unwrap();
        assert_eq!(status(system.ended(&id("p")).await), RunStatus::Cancelled);
        assert_eq!(fold(&system, &child()).await.status(), RunStatus::Cancelled);
    });
}

#[test]
fn a_child_is_rolled_back_with_its_parent() {
    on_actix(async {
        let kit = Kit::new();
        echo(&kit);
        kit.functions.register("fail", |_: FunctionCall| async {
            Err::<(), _>(Failure::new(Code::FunctionFailed, "no").class(Class::Validation))
        });
        let system = kit.start();
        let start = family(
            "[{id: c, workflow: child.yaml}, {id: b, agent: fail}]",
            "name: child\nsteps: [{id: a, agent: echo, compensate: {agent: echo}}]\n",
        );
        assert_eq!(through(&system, start).await, RunStatus::Compensated);
        assert_eq!(fold(&system, &child()).await.status(), RunStatus::Compensated);
    });
}

/// What went wrong beyond the point of no return can only be gone on with, in the child as in its parent.
#[test]
fn a_child_that_is_stuck_makes_its_parent_stuck_until_both_go_on() {
    on_actix(async {
        let kit = Kit::new();
        let (first, gate) = (Arc::new(AtomicBool::new(true)), kit.gated("work"));
        gate.open(10);
        kit.functions.register("once", move |_: FunctionCall| {
            let fails = first.swap(false, Ordering::SeqCst);
            async move { if fails { Err(Failure::new(Code::FunctionFailed, "no")) } else { Ok(1) } }
        });
        let system = kit.start();
        let start = family(
            "[{id: c, workflow: child.yaml}]",
            "name: child\nsteps: [{id: a, agent: work, irreversible: true}, {id: b, agent: once}]\n",
        );
        assert_eq!(through(&system, start).await, RunStatus::Stuck);
        assert_eq!(fold(&system, &child()).await.status(), RunStatus::Stuck);
        assert!(fold(&system, &id("p")).await.is_past_return());
        system.ask(&id("p"), Ask::Retry { order: order(), step: None }).await.unwrap();
        system.drive(&id("p")).await;
        assert_eq!(status(system.ended(&id("p")).await), RunStatus::Completed);
        assert_eq!((gate.calls(), fold(&system, &child()).await.status()), (1, RunStatus::Completed));
    });
}

/// Cancelling waits for the outcome of what is irreversible, however long that takes: the parent is past the point of no
/// return then too.
#[test]
fn a_parent_that_is_cancelled_waits_for_what_its_child_cannot_stop() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("work");
        let system = kit.start();
        let start = family(
            "[{id: c, workflow: child.yaml}]",
            "name: child\nsteps: [{id: a, agent: work, irreversible: true}, {id: b, agent: work}]\n",
        );
        system.begin(&id("p"), start).await.unwrap();
        gate.called(1).await;
        system.ask(&id("p"), Ask::Cancel { order: order(), rollback: false }).await.unwrap();
        kit.until(&child(), |event| matches!(event, RunEvent::CancelRequested(_))).await;
        for _ in 0..100 {
            kit.hand.advance(Duration::from_secs(3600));
            tokio::task::yield_now().await;
        }
        assert!(!system.watch(&id("p")).borrow().at_rest);
        gate.open(1);
        assert_eq!(status(system.ended(&id("p")).await), RunStatus::Cancelled);
        assert_eq!(fold(&system, &child()).await.status(), RunStatus::Cancelled);
        assert!(fold(&system, &id("p")).await.is_past_return());
    });
}

#[test]
fn a_run_of_somebody_else_is_never_taken_for_the_child() {
    on_actix(async {
        let kit = Kit::new();
        echo(&kit);
        let system = kit.start();
        system.begin(&child(), start_of("[{id: a, agent: echo}]")).await.unwrap();
        let start = family("[{id: c, workflow: child.yaml}]", "name: child\nsteps: [{id: a, agent: echo}]\n");
        assert_ne!(through(&system, start).await, RunStatus::Completed);
        assert_eq!(failed(&kit, &id("p")).await.unwrap().code, Code::RunIdTaken);
    });
}
