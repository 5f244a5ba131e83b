//! A run that only waits for a child that waits for somebody rests, and goes on when the child does; a process that ends
//! meanwhile lets go of both.

use std::sync::Arc;
use std::time::Duration;

use reenact::actors::system::System;
use reenact::aggregates::run::{Ask, RunStatus, StartRun};
use reenact::events::json::Json;
use reenact::events::problem::Code;
use reenact::events::run::RunEvent;
use reenact::store::EventStore;
use reenact::store::fault::Fault;

use super::children::{child, family, fold};
use super::kit::{Kit, faulty, id, on_actix, status};
use super::recovery::restart;

const ASKS: &str = "name: child\nsteps: [{id: a, agent: work, approve: before}]\n";

fn asking() -> StartRun {
    family("[{id: c, workflow: child.yaml}, {id: after, agent: work}]", ASKS)
}

async fn approve(system: &System) {
    let (request, by) = ("a".to_owned(), "ann".into());
    system.ask(&child(), Ask::Approve { request, by, note: None, edits: None, hash: None }).await.unwrap();
}

fn is_lost(event: &RunEvent) -> bool {
    matches!(event, RunEvent::AttemptLost(lost) if lost.interrupted)
}

#[test]
fn a_run_rests_with_its_child_and_goes_on_with_it() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("work");
        gate.open(2);
        let system = kit.start();
        system.begin(&id("p"), asking()).await.unwrap();
        assert_eq!(status(system.ended(&id("p")).await), RunStatus::Waiting);
        assert_eq!(fold(&system, &child()).await.status(), RunStatus::Waiting);
        approve(&system).await;
        // Nothing of it goes on before somebody drives it, as of any run that people have answered.
        kit.until(&id("p"), |event| matches!(event, RunEvent::ChildStirred(_))).await;
        assert_eq!(gate.calls(), 0);
        system.drive(&id("p")).await;
        assert_eq!(status(system.ended(&id("p")).await), RunStatus::Completed);
        assert_eq!(gate.calls(), 2);
    });
}

#[test]
fn a_run_does_not_rest_while_something_beside_its_child_goes_on() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("work");
        let system = kit.start();
        let start = family("[{id: c, workflow: child.yaml}, {id: b, agent: work, needs: []}]", ASKS);
        system.begin(&id("p"), start).await.unwrap();
        gate.called(1).await;
        assert_eq!(status(system.ended(&child()).await), RunStatus::Waiting);
        assert!(!system.watch(&id("p")).borrow().at_rest);
        gate.open(1);
        assert_eq!(status(system.ended(&id("p")).await), RunStatus::Waiting);
    });
}

/// It is not asked for by anything while it rests, and put away; then somebody answers it.
#[test]
fn a_child_that_was_put_away_is_heard_when_it_goes_on() {
    on_actix(async {
        let kit = Kit { passivate_after: Duration::from_millis(1), ..Kit::new() };
        let gate = kit.gated("work");
        gate.open(2);
        let system = kit.start();
        system.begin(&id("p"), asking()).await.unwrap();
        assert_eq!(status(system.ended(&id("p")).await), RunStatus::Waiting);
        let mut seen = system.watch(&child());
        // Its parent may have told it something just now, so that it is kept for longer.
        let put_away = async { while seen.changed().await.is_ok() {} };
        tokio::pin!(put_away);
        loop {
            kit.hand.advance(Duration::from_secs(60));
            if tokio::time::timeout(Duration::from_millis(20), &mut put_away).await.is_ok() {
                break;
            }
        }
        approve(&system).await;
        kit.until(&id("p"), |event| matches!(event, RunEvent::ChildStirred(_))).await;
        system.drive(&id("p")).await;
        kit.until(&id("p"), |event| matches!(event, RunEvent::RunCompleted(_))).await;
    });
}

#[test]
fn a_process_that_ends_while_all_rests_lets_go_of_it_in_order() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("work");
        gate.open(2);
        let first = kit.start();
        first.begin(&id("p"), asking()).await.unwrap();
        assert_eq!(status(first.ended(&id("p")).await), RunStatus::Waiting);
        first.close();
        first.quiet().await;
        first.shut_down(std::future::pending()).await.unwrap();
        let second = kit.start();
        approve(&second).await;
        second.drive(&id("p")).await;
        assert_eq!(status(second.ended(&id("p")).await), RunStatus::Completed);
        let attempts = kit.count(&id("p"), |event| matches!(event, RunEvent::AttemptStarted(_))).await;
        assert_eq!(attempts, 2, "the second process goes on with the attempt of the first");
    });
}

/// Whoever saw a run through lets go of it, and the process goes on for others.
#[test]
fn a_run_that_is_let_go_of_lets_go_of_its_child() {
    on_actix(async {
        let kit = Kit { grace: Duration::ZERO, ..Kit::new() };
        let gate = kit.gated("work");
        let system = kit.start();
        let start = family("[{id: c, workflow: child.yaml}]", "name: child\nsteps: [{id: a, agent: work}]\n");
        system.begin(&id("p"), start).await.unwrap();
        gate.called(1).await;
        system.interrupt(&id("p"), |_| false).await;
        assert!(!system.is_driven(&id("p")) && !system.is_driven(&child()));
        assert_eq!(kit.count(&id("p"), is_lost).await, 0, "its attempt is gone on with");
        assert_eq!(kit.count(&child(), is_lost).await, 1);
        system.drive(&id("p")).await;
        gate.called(2).await;
        gate.open(2);
        assert_eq!(status(system.ended(&id("p")).await), RunStatus::Completed);
    });
}

#[test]
fn a_child_that_somebody_else_sees_through_is_not_let_go_of() {
    on_actix(async {
        let kit = Kit { grace: Duration::ZERO, ..Kit::new() };
        let gate = kit.gated("work");
        let system = kit.start();
        let start = family("[{id: c, workflow: child.yaml}]", "name: child\nsteps: [{id: a, agent: work}]\n");
        system.begin(&id("p"), start).await.unwrap();
        gate.called(1).await;
        system.interrupt(&id("p"), |run| *run == child()).await;
        assert!(system.is_driven(&child()) && !system.is_driven(&id("p")));
        gate.open(1);
        assert_eq!(status(system.ended(&child()).await), RunStatus::Completed);
    });
}

/// The process dies between the last commit of a child and the telling of it: its parent rests, and the child is over. Who
/// drives all found nobody to drive, and the parent waited until somebody named it.
#[test]
fn a_parent_that_rests_hears_of_the_end_of_its_child_though_the_process_died_before_that_was_told() {
    on_actix(async {
        let store = Arc::new(faulty().mending());
        let kit = Kit { store: Arc::clone(&store) as Arc<dyn EventStore>, ..Kit::new() };
        let gate = kit.gated("work");
        gate.open(1);
        let first = kit.start();
        let start = family(
            "[{id: c, workflow: child.yaml}, {id: after, agent: work}]",
            "name: child\nsteps: [{id: s, wait_for: go}]\n",
        );
        first.begin(&id("p"), start).await.unwrap();
        assert_eq!(status(first.ended(&id("p")).await), RunStatus::Waiting);
        store.fail_append(store.appends() + 2, Fault::BeforeStoring);
        let (name, data, by) = ("go".into(), Json::null(), "ann".into());
        first.ask(&child(), Ask::Signal { name, data, by }).await.unwrap();
        while first.watch(&child()).borrow().parked.is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(kit.count(&id("p"), |event| matches!(event, RunEvent::ChildEnded(_))).await, 0);
        std::mem::forget(first);

        // Where the parent cannot take it, nobody waits for that.
        store.fail_append(store.appends() + 1, Fault::BeforeStoring);
        let second = restart(&kit).start();
        let (mut rested, mut named) = (second.drive_all(), Vec::new());
        while let Some(told) = rested.recv().await {
            let told = told.unwrap();
            assert_eq!(told.how.unwrap_err().code, Code::StoreFailed);
            named.extend(told.stream.run());
        }
        named.sort();
        let mut both = [id("p"), child()];
        both.sort();
        assert_eq!(named, both);
        std::mem::forget(second);

        let third = restart(&kit).start();
        let mut rested = third.drive_all();
        while rested.recv().await.is_some() {}
        assert_eq!(fold(&third, &id("p")).await.status(), RunStatus::Completed);
        assert_eq!(gate.calls(), 1);
        assert_eq!(kit.count(&child(), |event| matches!(event, RunEvent::ParentTold(_))).await, 1);
        let mut rested = restart(&kit).start().drive_all();
        assert!(rested.recv().await.is_none(), "it has been told");
    });
}

#[test]
fn a_child_that_takes_too_long_is_cancelled() {
    on_actix(async {
        let kit = Kit::new();
        kit.gated("work");
        let system = kit.start();
        let start = family("[{id: c, workflow: child.yaml, timeout: 1m}]", ASKS);
        system.begin(&id("p"), start).await.unwrap();
        assert_eq!(status(system.ended(&id("p")).await), RunStatus::Waiting);
        kit.hand.advance(Duration::from_secs(61));
        // That it takes too long keeps nobody waiting: it is found late.
        system.drive(&id("p")).await;
        kit.until(
            &id("p"),
            |event| matches!(event, RunEvent::AttemptFailed(failed) if failed.code == Code::TimedOut),
        )
        .await;
        assert_eq!(fold(&system, &child()).await.status(), RunStatus::Compensated);
    });
}
