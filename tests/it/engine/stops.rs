//! Attempts that end otherwise than they should, and an engine that stops.

use std::sync::Arc;
use std::time::Duration;

use reenact::aggregates::run::RunStatus;
use reenact::events::problem::{Class, Code};
use reenact::events::run::RunEvent;
use reenact::executors::Failure;
use reenact::executors::function::FunctionCall;
use reenact::store::fault::Calls;

use super::kit::{Kit, faulty, id, on_actix, start_of, status};

fn is_started(event: &RunEvent) -> bool {
    matches!(event, RunEvent::AttemptStarted(_))
}

fn is_lost(event: &RunEvent) -> bool {
    matches!(event, RunEvent::AttemptLost(_))
}

#[test]
fn a_function_that_panics_fails_its_run_and_nothing_else() {
    on_actix(async {
        let kit = Kit::new();
        kit.functions.register("bad", |call: FunctionCall| async move {
            assert!(call.task.step.as_str() != "a", "on purpose");
            Ok::<_, Failure>(())
        });
        let gate = kit.gated("good");
        let system = kit.start();
        system.begin(&id("good"), start_of("[{id: a, agent: good}]")).await.unwrap();
        gate.called(1).await;
        let retried = "[{id: a, agent: bad, retry: {attempts: 3, initial: 1ms}}]";
        system.begin(&id("bad"), start_of(retried)).await.unwrap();
        assert_eq!(status(system.ended(&id("bad")).await), RunStatus::Failed);
        let fatal = |event: &RunEvent| {
            matches!(event, RunEvent::AttemptFailed(failed)
                if failed.code == Code::Panicked && failed.class == Class::Fatal && failed.message.contains("on purpose"))
        };
        assert_eq!(kit.count(&id("bad"), fatal).await, 1, "it is not tried again");
        gate.open(1);
        assert_eq!(status(system.ended(&id("good")).await), RunStatus::Completed);
        system.begin(&id("next"), start_of("[{id: b, agent: bad}]")).await.unwrap();
        assert_eq!(status(system.ended(&id("next")).await), RunStatus::Completed);
    });
}

#[test]
fn an_engine_that_is_shut_down_gives_attempts_up_after_a_grace_and_loses_nothing() {
    on_actix(async {
        let kit = Kit { grace: Duration::from_millis(20), ..Kit::new() };
        let gate = kit.gated("slow");
        let first = kit.start();
        first.begin(&id("r"), start_of("[{id: a, agent: slow}, {id: b, agent: slow}]")).await.unwrap();
        gate.called(1).await;
        first.shut_down(std::future::pending()).await.unwrap();
        let given_up = |event: &RunEvent| matches!(event, RunEvent::AttemptLost(lost) if lost.interrupted);
        assert_eq!(kit.count(&id("r"), given_up).await, 1);
        assert_eq!(kit.count(&id("r"), is_started).await, 1, "nothing new starts");
        gate.open(2);
        let second = kit.start();
        second.drive(&id("r")).await;
        assert_eq!(status(second.ended(&id("r")).await), RunStatus::Completed);
        assert_eq!((gate.calls(), kit.count(&id("r"), is_lost).await), (3, 1));
    });
}

/// Between two steps nothing is in flight but the commit that says that the next one starts. An engine that looked only
/// for attempts ended at that moment, under the step that had just begun.
#[test]
fn a_commit_on_its_way_is_awaited_by_an_engine_that_is_shut_down() {
    on_actix(async {
        let store = Arc::new(faulty());
        let kit = Kit { store: Arc::clone(&store) as _, ..Kit::new() };
        let gate = kit.gated("work");
        let system = kit.start();
        system.begin(&id("r"), start_of("[{id: a, agent: work}, {id: b, agent: work}]")).await.unwrap();
        gate.called(1).await;
        store.hold(Calls::Appends);
        gate.open(1);
        store.held(Calls::Appends, 1).await;
        let shutting_down = system.shut_down(std::future::pending());
        let meanwhile = async {
            // The shut-down has begun when the commit is durable: that of `a` completed and `b` started.
            tokio::task::yield_now().await;
            store.release(Calls::Appends);
            gate.called(2).await;
            gate.open(1);
        };
        let (ended, ()) = tokio::join!(shutting_down, meanwhile);
        ended.unwrap();
        let completed = |event: &RunEvent| matches!(event, RunEvent::StepCompleted(_));
        assert_eq!(kit.count(&id("r"), is_started).await, 2);
        assert_eq!(kit.count(&id("r"), completed).await, 2, "the second had begun: it is let end");
    });
}

/// Within the grace of an interrupted client another one goes on with the run. What was still in flight was recorded as
/// lost, and made a second time beside the first.
#[test]
fn a_run_that_is_resumed_while_it_is_let_go_of_keeps_its_attempts() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("slow");
        let system = kit.start();
        system.begin(&id("r"), start_of("[{id: a, agent: slow}]")).await.unwrap();
        gate.called(1).await;
        let run = id("r");
        let going_on = async {
            while system.is_driven(&run) {
                tokio::task::yield_now().await;
            }
            system.drive(&run).await;
            // Asked the same again, it answers when all that it heard before is decided.
            system.begin(&run, start_of("[{id: a, agent: slow}]")).await.unwrap();
            gate.open(2);
            status(system.ended(&run).await)
        };
        let (ended, ()) = tokio::join!(going_on, system.interrupt(&run, |_| false));
        assert_eq!(ended, RunStatus::Completed);
        assert_eq!((gate.calls(), kit.count(&run, is_lost).await), (1, 0));
    });
}
