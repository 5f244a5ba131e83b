//! Nothing is acknowledged, and nothing acted on, before the store has answered.

use std::sync::Arc;

use reenact::events::commit::{Commit, Header};
use reenact::events::ids::{StepId, StreamId, Version};
use reenact::events::problem::Code;
use reenact::events::run::{AttemptLost, Purpose, RunEvent};
use reenact::store::fault::{Calls, Fault, Faulty};
use reenact::store::memory::MemoryStore;
use reenact::workflow::run::RunStatus;

use super::kit::{Kit, faulty, id, on_actix, start_of, status};

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

/// While a commit is on its way nothing of it can be seen.
#[test]
fn nothing_is_acted_on_before_it_is_durable() {
    on_actix(async {
        let store = Arc::new(faulty());
        let kit = Kit { store: Arc::clone(&store) as _, ..Kit::new() };
        let gate = kit.gated("work");
        let system = kit.start();
        store.hold(Calls::Appends);
        let run = id("r");
        let mut begun = Box::pin(system.begin(&run, start_of(TWO)));
        tokio::select! {
            _ = &mut begun => panic!("it was acknowledged"),
            () = store.held(Calls::Appends, 1) => {}
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!((gate.calls(), system.watch(&run).borrow().version), (0, Version(0)));
        store.release(Calls::Appends);
        begun.await.unwrap();
        gate.open(2);
        assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
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
            recorded_at: kit.clock.now(),
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
