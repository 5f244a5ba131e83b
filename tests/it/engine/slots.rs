//! No agent makes more attempts at once than it has slots, and everybody gets a turn.

use std::sync::{Arc, Mutex};

use reenact::aggregates::run::{Ask, Order, RunStatus, StartRun};
use reenact::events::run::RunEvent;
use reenact::executors::Failure;
use reenact::executors::function::FunctionCall;
use reenact::store::fault::{Calls, Fault};

use tokio::sync::watch;

use super::kit::{Kit, faulty, id, on_actix, start_of, status};

/// Registers a function that yields a few times, and tells which runs called it, in order. It waits until it may go on.
fn busy(kit: &Kit, order: Arc<Mutex<Vec<String>>>) -> watch::Sender<bool> {
    let (go, going) = watch::channel(false);
    kit.functions.register("busy", move |call: FunctionCall| {
        let (order, mut going) = (Arc::clone(&order), going.clone());
        async move {
            order.lock().unwrap().push(call.task.run.to_string());
            going.wait_for(|goes| *goes).await.unwrap();
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            Ok::<_, Failure>(())
        }
    });
    go
}

#[test]
fn a_thousand_runs_share_four_slots_and_all_end() {
    on_actix(async {
        let kit = Kit { slots: 4, ..Kit::new() };
        let gate = kit.gated("gate");
        let system = kit.start();
        let runs: Vec<_> = (0..1000).map(|run| id(&format!("r{run}"))).collect();
        for run in &runs {
            system.begin(run, start_of("[{id: a, agent: gate}, {id: b, agent: gate}]")).await.unwrap();
        }
        gate.called(4).await;
        assert_eq!(gate.calls(), 4, "all others wait");
        gate.open(2000);
        for run in &runs {
            assert_eq!(status(system.ended(run).await), RunStatus::Completed);
        }
        assert_eq!((gate.most(), gate.calls()), (4, 2000));
    });
}

#[test]
fn a_wide_run_does_not_keep_the_slots_from_others() {
    on_actix(async {
        let kit = Kit { slots: 2, ..Kit::new() };
        let order = Arc::new(Mutex::new(Vec::new()));
        let go = busy(&kit, Arc::clone(&order));
        let gate = kit.gated("gate");
        let system = kit.start();
        // Both slots of the function are taken by then: all others come to a queue.
        let items: Vec<_> = (0..500).map(|item| item.to_string()).collect();
        let wide = format!("[{{id: a, agent: busy, for_each: [{}]}}]", items.join(", "));
        let single = "[{id: g, agent: gate}, {id: a, agent: busy}]";
        let runs: Vec<_> = (0..20).map(|run| id(&format!("single{run}"))).collect();
        gate.open(1000);
        system.begin(&id("wide"), start_of(&wide)).await.unwrap();
        for run in &runs {
            system.begin(run, start_of(single)).await.unwrap();
        }
        gate.called(20).await;
        go.send(true).unwrap();
        for run in &runs {
            assert_eq!(status(system.ended(run).await), RunStatus::Completed);
        }
        assert_eq!(status(system.ended(&id("wide")).await), RunStatus::Completed);
        let order = order.lock().unwrap();
        let last = order.iter().rposition(|run| run.starts_with("single")).unwrap();
        assert!(last < order.len() - 100, "the others were served last: call {last} of {}", order.len());
    });
}

/// Such a slot went back unused, and the run to the end of the queue.
#[test]
fn a_slot_that_comes_while_a_commit_is_on_its_way_is_kept_for_the_next() {
    on_actix(async {
        let store = Arc::new(faulty());
        let kit = Kit { slots: 1, store: Arc::clone(&store) as _, ..Kit::new() };
        let order = Arc::new(Mutex::new(Vec::new()));
        busy(&kit, Arc::clone(&order)).send_replace(true);
        let (first, other) = (kit.gated("first"), kit.gated("other"));
        let system = kit.start();
        // `wide` waits for the slot of `first`, which `one` has, and `late` waits behind it.
        system.begin(&id("one"), start_of("[{id: a, agent: first}]")).await.unwrap();
        first.called(1).await;
        let wide = "[{id: a, agent: other}, {id: b, needs: [], agent: first}]";
        system.begin(&id("wide"), start_of(wide)).await.unwrap();
        other.called(1).await;
        system.begin(&id("late"), start_of("[{id: a, agent: first}, {id: b, agent: busy}]")).await.unwrap();
        store.hold(Calls::Appends);
        other.open(1);
        store.held(Calls::Appends, 1).await;
        first.open(1);
        // The end of `one` is on its way too: by then its slot is given on.
        store.held(Calls::Appends, 2).await;
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        store.release(Calls::Appends);
        first.called(2).await;
        let is_first = |event: &RunEvent| matches!(event, RunEvent::AttemptStarted(started) if started.step.as_str() == "b");
        assert_eq!(kit.count(&id("wide"), is_first).await, 1, "another run was served before it");
        first.open(2);
        for run in ["one", "wide", "late"] {
            assert_eq!(status(system.ended(&id(run)).await), RunStatus::Completed);
        }
    });
}

#[test]
fn a_run_makes_no_more_attempts_at_once_than_its_limit() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("gate");
        let system = kit.start();
        let steps = "[{id: a, agent: gate, for_each: [1, 2, 3, 4, 5, 6, 7, 8, 9]}]";
        let start = StartRun { parallel: 3, ..start_of(steps) };
        system.begin(&id("r"), start).await.unwrap();
        for done in 0..9 {
            gate.called((done + 3).min(9)).await;
            gate.open(1);
        }
        assert_eq!(status(system.ended(&id("r")).await), RunStatus::Completed);
        assert_eq!((gate.most(), gate.calls()), (3, 9));
    });
}

/// The slot for which it waited came to it all the same and was kept, so that whoever waited behind it starved.
#[test]
fn a_run_that_parks_gives_up_its_place_in_the_queue() {
    on_actix(async {
        let store = Arc::new(faulty());
        let kit = Kit { store: Arc::clone(&store) as _, slots: 1, ..Kit::new() };
        let gate = kit.gated("gate");
        let system = kit.start();
        system.begin(&id("first"), start_of("[{id: a, agent: gate}]")).await.unwrap();
        gate.called(1).await;
        system.begin(&id("parked"), start_of("[{id: a, agent: gate}]")).await.unwrap();
        store.fail_append(store.appends() + 1, Fault::BeforeStoring);
        let order = Order { by: "test".into(), reason: None };
        system.ask(&id("parked"), Ask::Pause(order)).await.unwrap_err();
        store.mend();
        system.begin(&id("second"), start_of("[{id: a, agent: gate}]")).await.unwrap();
        gate.open(2);
        for run in ["first", "second"] {
            assert_eq!(status(system.ended(&id(run)).await), RunStatus::Completed, "{run}");
        }
        assert_eq!(gate.calls(), 2);
    });
}
