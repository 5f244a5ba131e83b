//! Nothing is acknowledged, and nothing acted on, before the store has answered.

use std::sync::Arc;
use std::time::Duration;

use reenact::aggregates::run::{Ask, Order, RunStatus};
use reenact::events::commit::{Commit, Header};
use reenact::events::ids::{StepId, StreamId, Version};
use reenact::events::limits::COMMIT_BYTES_MAX;
use reenact::events::problem::Code;
use reenact::events::run::{AttemptLost, Purpose, RunEvent};
use reenact::store::fault::{Calls, Fault, Faulty};
use reenact::store::memory::MemoryStore;

use super::kit::{Kit, faulty, id, on_actix, on_actix_with_much, start_of, status};

const TWO: &str = "[{id: a, agent: work}, {id: b, agent: work}]";

#[test]
fn a_run_whose_beginning_is_not_stored_is_not_acknowledged_and_starts_nothing() {
    for fault in [Fault::BeforeStoring, Fault::AfterStoring] {
        on_actix(async {
            let store = Arc::new(Faulty::new(MemoryStore::default()));
            store.fail_append(1, fault);
            let kit = Kit { store, ..Kit::new() };
            let gate = kit.gated("work");
            let system = kit.start();
            let refused = system.begin(&id("r"), start_of(TWO)).await.unwrap_err();
            assert_eq!(refused.code, Code::StoreFailed);
            assert_eq!(system.ended(&id("r")).await.unwrap_err().code, Code::StoreFailed, "it is parked");
            drop(system.shut_down(std::future::pending()).await);
            assert_eq!(gate.calls(), 0, "{fault:?}: it acted on what nobody knows to be durable");
        });
    }
}

#[test]
fn a_step_does_not_start_when_the_end_of_the_one_before_it_is_not_stored() {
    for fault in [Fault::BeforeStoring, Fault::AfterStoring] {
        on_actix(async {
            let store = Arc::new(Faulty::new(MemoryStore::default()));
            store.fail_append(2, fault);
            let kit = Kit { store, ..Kit::new() };
            let gate = kit.gated("work");
            let system = kit.start();
            system.begin(&id("r"), start_of(TWO)).await.unwrap();
            gate.open(2);
            assert_eq!(system.ended(&id("r")).await.unwrap_err().code, Code::StoreFailed, "it is parked");
            drop(system.shut_down(std::future::pending()).await);
            assert_eq!(gate.calls(), 1, "{fault:?}: it acted on what nobody knows to be durable");
        });
    }
}

/// While a commit is on its way nothing of it can be seen, be it stored or not.
#[test]
fn nothing_is_acted_on_before_it_is_durable() {
    for calls in [Calls::Appends, Calls::Answers] {
        on_actix(async {
            let store = Arc::new(faulty());
            let kit = Kit { store: Arc::clone(&store) as _, ..Kit::new() };
            let gate = kit.gated("work");
            let system = kit.start();
            store.hold(calls);
            let run = id("r");
            let mut begun = Box::pin(system.begin(&run, start_of(TWO)));
            tokio::select! {
                _ = &mut begun => panic!("it was acknowledged"),
                () = store.held(calls, 1) => {}
            }
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert_eq!((gate.calls(), system.watch(&run).borrow().version), (0, Version(0)), "{calls:?}");
            store.release(calls);
            begun.await.unwrap();
            gate.open(2);
            assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
        });
    }
}

#[test]
fn a_store_that_does_not_answer_reads_keeps_a_run_waiting_and_no_longer() {
    on_actix(async {
        let store = Arc::new(faulty());
        let kit = Kit { store: Arc::clone(&store) as _, ..Kit::new() };
        kit.gated("work").open(2);
        let system = kit.start();
        store.hold(Calls::Reads);
        let run = id("r");
        let mut begun = Box::pin(system.begin(&run, start_of(TWO)));
        tokio::select! {
            _ = &mut begun => panic!("it was acknowledged"),
            () = store.held(Calls::Reads, 1) => {}
        }
        assert_eq!(store.appends(), 0);
        store.release(Calls::Reads);
        begun.await.unwrap();
        assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
    });
}

#[test]
fn on_a_slow_store_a_run_goes_on_answer_by_answer() {
    on_actix(async {
        let store = Arc::new(faulty());
        let kit = Kit { store: Arc::clone(&store) as _, ..Kit::new() };
        let gate = kit.gated("work");
        gate.open(2);
        let (system, run) = (kit.start(), id("r"));
        store.hold(Calls::Answers);
        let begun = async { system.begin(&run, start_of(TWO)).await.unwrap() };
        let answers = async {
            for calls in [0, 1, 2] {
                store.held(Calls::Answers, 1).await;
                assert_eq!(gate.calls(), calls, "what an answer lets start had not started before it");
                store.pass(Calls::Answers, 1);
                if calls < 2 {
                    gate.called(calls + 1).await;
                }
            }
        };
        tokio::join!(begun, answers);
        assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
        assert_eq!(store.appends(), 3);
    });
}

/// A disk that hangs must not hold those who want to leave.
#[test]
fn an_engine_ends_while_its_store_does_not_answer_and_the_next_one_goes_on() {
    for calls in [Calls::Appends, Calls::Answers] {
        on_actix(async {
            let store = Arc::new(faulty());
            let kit = Kit { store: Arc::clone(&store) as _, grace: Duration::from_millis(20), ..Kit::new() };
            let gate = kit.gated("work");
            let (system, run) = (kit.start(), id("r"));
            system.begin(&run, start_of(TWO)).await.unwrap();
            gate.called(1).await;
            store.hold(calls);
            gate.open(1);
            store.held(calls, 1).await;
            system.interrupt(&run, |_| false).await;
            let ended = system.shut_down(std::future::pending()).await;
            assert_eq!(ended.unwrap_err().code, Code::StoreFailed, "{calls:?}");
            assert_eq!(gate.calls(), 1, "{calls:?}: it acted on what nobody knows to be durable");
            store.release(calls);
            let next = kit.start();
            next.drive(&run).await;
            gate.open(2);
            assert_eq!(status(next.ended(&run).await), RunStatus::Completed);
        });
    }
}

/// Runs had been begun by the hundred thousand. Their list was not done when they were, and for that the store was left open.
#[test]
fn an_engine_closes_its_store_while_the_list_of_runs_is_far_behind() {
    on_actix(async {
        let store = Arc::new(faulty());
        let kit = Kit { store: Arc::clone(&store) as _, grace: Duration::from_millis(20), ..Kit::new() };
        let (system, run) = (kit.start(), id("r"));
        kit.gated("work").open(2);
        store.hold(Calls::Caches);
        system.begin(&run, start_of(TWO)).await.unwrap();
        assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
        system.shut_down(std::future::pending()).await.unwrap();
        store.release(Calls::Caches);
    });
}

/// What was asked of the state that turned out to be old was forgotten, the result of the attempt too, and the run stood
/// still for ever.
#[test]
fn a_run_that_somebody_else_wrote_to_is_loaded_again_and_goes_on() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("work");
        let system = kit.start();
        let run = id("r");
        system.begin(&run, start_of(TWO)).await.unwrap();
        gate.called(1).await;
        let stream = StreamId::of_run(&run);
        let head = kit.store.head(&stream).await.unwrap().unwrap();
        let lost =
            AttemptLost { purpose: Purpose::Do, step: StepId::grown("a"), attempt: 1, interrupted: false };
        let header = Header {
            stream,
            first: head.version.next(),
            recorded_at: kit.clock.now().steady,
            correlation: None,
            causation: "another process".into(),
            code_version: "0".into(),
            origin: None,
        };
        let commit = Commit::seal(header, &[RunEvent::from(lost)], head.hash).unwrap();
        kit.store.append(commit, Vec::new()).await.unwrap();
        gate.open(3);
        assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
        assert_eq!(gate.calls(), 3, "`a` twice, `b` once");
    });
}

fn order(reason_bytes: usize) -> Order {
    Order { by: "ada".into(), reason: Some("x".repeat(reason_bytes)) }
}

/// A commit of any length was once written, and one that was too long to be read was the end of every run.
#[test]
fn a_decision_that_is_too_long_is_refused_and_stops_its_run_only() {
    on_actix_with_much(async {
        let kit = Kit::new();
        let gate = kit.gated("work");
        let system = kit.start();
        for run in ["long", "other"] {
            system.begin(&id(run), start_of(TWO)).await.unwrap();
        }
        gate.called(2).await;
        let cancel = Ask::Cancel { order: order(COMMIT_BYTES_MAX), rollback: false };
        let refused = system.ask(&id("long"), cancel).await.unwrap_err();
        assert_eq!(refused.code, Code::CommitRefused, "{refused}");
        assert_eq!(system.ended(&id("long")).await.unwrap_err().code, Code::CommitRefused, "it is parked");
        gate.open(100);
        assert_eq!(status(system.ended(&id("other")).await), RunStatus::Completed);
        drop(system.shut_down(std::future::ready(())).await);
        assert_eq!(kit.count(&id("long"), |event| matches!(event, RunEvent::CancelRequested(_))).await, 0);
        let system = kit.start();
        system.drive(&id("long")).await;
        assert_eq!(
            status(system.ended(&id("long")).await),
            RunStatus::Completed,
            "the next process goes on with it"
        );
        drop(system.shut_down(std::future::pending()).await);
    });
}

/// Each fits into a commit, all of them together do not.
#[test]
fn what_is_asked_together_and_is_too_long_together_is_stored_apart() {
    on_actix_with_much(async {
        let store = Arc::new(faulty());
        let kit = Kit { store: Arc::clone(&store) as _, ..Kit::new() };
        let _gate = kit.gated("work");
        let system = kit.start();
        let run = id("r");
        system.begin(&run, start_of(TWO)).await.unwrap();
        store.hold(Calls::Appends);
        let third = COMMIT_BYTES_MAX * 2 / 5;
        let asks = [
            Ask::Pause(order(1)),
            Ask::Unpause(order(third)),
            Ask::Pause(order(third)),
            Ask::Unpause(order(third)),
        ];
        let asked = futures_util::future::join_all(asks.map(|ask| system.ask(&run, ask)));
        let released = async {
            store.held(Calls::Appends, 1).await;
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            store.release(Calls::Appends);
        };
        let (answers, ()) = tokio::join!(asked, released);
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        drop(system.shut_down(std::future::ready(())).await);
    });
}
