//! A run rests and goes on, ends and comes alive again. Who sees it through is told of where it is, never of where it
//! was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use reenact::actors::system::System;
use reenact::aggregates::run::{Ask, Order, RunStatus};
use reenact::api::facade::Facade;
use reenact::api::protocol::{Request, Response, Tells};
use reenact::api::start::Resolver;
use reenact::events::ids::RunId;
use reenact::events::problem::Code;
use reenact::events::run::RunEvent;
use reenact::executors::Failure;
use reenact::executors::function::FunctionCall;
use reenact::store::fault::Calls;
use reenact::views::presenters::report::RunReport;
use tokio::sync::mpsc;

use super::kit::{Kit, faulty, id, on_actix, start_of, status};

const TWO: &str = "[{id: a, agent: work}, {id: b, agent: work}]";

fn order() -> Order {
    Order { by: "test".into(), reason: None }
}

/// What somebody is told who sees a run through.
async fn see(facade: &Facade, run: &RunId) -> RunReport {
    let (frames, _none) = mpsc::channel(1);
    match facade
        .answer(
            Request::See { run: run.clone(), live: false, told: None, tells: Tells::Lesser, hears: None },
            &frames,
        )
        .await
    {
        Ok(Response::Report(report)) => *report,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_paused_run_is_seen_through_only_when_nothing_of_it_runs_any_more() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("work");
        let system = kit.start();
        let run = id("r");
        system.begin(&run, start_of(TWO)).await.unwrap();
        gate.called(1).await;
        system.ask(&run, Ask::Pause(order())).await.unwrap();
        assert!(system.is_driven(&run), "what runs of it is still to be heard of");
        let mut ended = Box::pin(system.ended(&run));
        for _ in 0..100 {
            tokio::task::yield_now().await;
            assert!(ended.as_mut().now_or_never().is_none(), "`a` still runs");
        }
        gate.open(1);
        assert_eq!(status(ended.await), RunStatus::Paused);
        assert!(!system.is_driven(&run), "nobody drives it until somebody lets it go on");
        system.ask(&run, Ask::Unpause(order())).await.unwrap();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(gate.calls(), 1, "to let it go on is not to drive it");
        system.drive(&run).await;
        gate.open(1);
        assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
    });
}

/// The run was let go on between the moment in which it rested and the one in which it was looked at.
#[test]
fn a_run_that_goes_on_before_it_is_looked_at_is_seen_through_to_where_it_rests_again() {
    on_actix(async {
        let store = Arc::new(faulty());
        let kit = Kit { store: Arc::clone(&store) as _, ..Kit::new() };
        let gate = kit.gated("work");
        let facade = Facade::new(kit.start(), Some("/nowhere".into()), Resolver::default());
        let run = id("r");
        facade.system().begin(&run, start_of(TWO)).await.unwrap();
        gate.called(1).await;
        facade.system().ask(&run, Ask::Pause(order())).await.unwrap();
        store.hold(Calls::Reads);
        let seen = see(&facade, &run);
        let meanwhile = async {
            gate.open(1);
            // It rests, and who sees it through looks at it.
            store.held(Calls::Reads, 1).await;
            facade.system().ask(&run, Ask::Unpause(order())).await.unwrap();
            store.release(Calls::Reads);
            gate.called(2).await;
            gate.open(1);
        };
        let (report, ()) = tokio::join!(seen, meanwhile);
        assert_eq!(report.status, RunStatus::Completed);
    });
}

/// Fails with every call; answers how often it was called.
fn failing(kit: &Kit) -> Arc<AtomicU64> {
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    kit.functions.register("work", move |_: FunctionCall| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Err::<(), _>(Failure::new(Code::FunctionFailed, "as it was told")) }
    });
    calls
}

#[test]
fn every_retry_is_seen_through_to_its_own_end() {
    // Hosts go at once when their run has ended, or stay for a while, whatever comes first.
    for passivate_after in [Duration::from_millis(1), Duration::from_secs(60)] {
        on_actix(async move {
            let kit = Kit { passivate_after, ..Kit::new() };
            let calls = failing(&kit);
            let facade = Facade::new(kit.start(), Some("/nowhere".into()), Resolver::default());
            let run = id("r");
            facade.system().begin(&run, start_of("[{id: a, agent: work}]")).await.unwrap();
            assert_eq!(see(&facade, &run).await.status, RunStatus::Failed);
            for round in 2..=100 {
                facade.system().ask(&run, Ask::Retry { order: order(), step: None }).await.unwrap();
                let report = see(&facade, &run).await;
                let attempts = report.steps[0].attempts;
                assert_eq!((report.status, u64::from(attempts)), (RunStatus::Failed, round), "an old end");
                assert_eq!(calls.load(Ordering::SeqCst), round);
            }
        });
    }
}

#[test]
fn what_is_wanted_of_a_run_that_nobody_drives_is_recorded_and_starts_nothing() {
    on_actix(async {
        let kit = Kit::new();
        let calls = failing(&kit);
        let system: System = kit.start();
        let run = id("r");
        system.begin(&run, start_of("[{id: a, agent: work}]")).await.unwrap();
        assert_eq!(status(system.ended(&run).await), RunStatus::Failed);
        system.ask(&run, Ask::Retry { order: order(), step: None }).await.unwrap();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!system.is_driven(&run));
        assert_eq!(kit.count(&run, |event| matches!(event, RunEvent::AttemptStarted(_))).await, 1);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    });
}
