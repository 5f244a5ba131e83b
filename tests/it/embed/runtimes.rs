//! From every runtime, and from none.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use reenact::prelude::*;
use serde::{Deserialize, Serialize};

use super::kit::{current_thread, multi_thread, recorded};

#[derive(Serialize, Deserialize)]
struct Order {
    item: String,
    count: u32,
}

const SHOP: &str = "
name: shop
steps:
  - {id: reserve, agent: reserve, with: '{{ input }}'}
  - {id: nap, sleep: 20ms}
  - {id: paid, wait_for: paid, timeout: 1h}
output: {reserved: '{{ steps.reserve.output }}', paid: '{{ steps.paid.output }}'}
";

/// All that a program may want of a run that goes well.
async fn shop() {
    let engine = Engine::in_memory()
        .function("reserve", |order: Order| async move {
            Ok::<_, Failure>(format!("{} of {}", order.count, order.item))
        })
        .start()
        .await
        .unwrap();
    let order = Order { item: "tea".to_owned(), count: 2 };
    let spec = RunSpec::text(SHOP).input(&order).unwrap().id("order-1").unwrap().tag("customer", "ada");
    let run = engine.run(spec).await.unwrap();
    let Outcome::Waiting(waiting) = run.outcome().await.unwrap() else { panic!("it waits for a signal") };
    assert_eq!((waiting[0].kind.as_str(), waiting[0].id.as_str()), ("signal", "paid"));
    let recorded_at = run.by("bank").signal("paid", &serde_json::json!({"euros": 5})).await.unwrap().version;
    let run = engine.handle(&RunId::parse("order-1").unwrap());
    let output: serde_json::Value = run.outcome().await.unwrap().output().unwrap();
    assert_eq!(output, serde_json::json!({"reserved": "2 of tea", "paid": {"euros": 5}}));
    assert_eq!(recorded(&run, "signal_received").await["by"], "bank");

    let report = run.status().await.unwrap();
    assert_eq!((report.status.text(), report.tags["customer"].as_str()), ("completed", "ada"));
    let first = run.history(Version(0), 3).await.unwrap();
    let rest = run.history(Version(3), 10_000).await.unwrap();
    assert_eq!((first.len(), first[0].kind.as_str()), (3, "run_started"));
    assert_eq!((rest[0].version, rest.last().unwrap().version), (Version(4), report.version));
    assert!(run.history(report.version, 1).await.unwrap().is_empty());
    let before = run.replay(recorded_at).await.unwrap();
    assert_eq!(before.steps.iter().filter(|step| step.status == "completed").count(), 3);
    assert_eq!(engine.find("last").await.unwrap().id(), run.id());
    assert_eq!(engine.list(Default::default()).await.unwrap().len(), 1);
    engine.shut_down().await.unwrap();
}

#[test]
fn an_engine_is_used_from_a_current_thread_runtime() {
    current_thread(shop());
}

#[test]
fn an_engine_is_used_from_a_multi_thread_runtime() {
    multi_thread(shop());
}

/// Wakes a thread that does nothing but wait.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn an_engine_is_used_from_no_runtime_at_all() {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let (mut context, mut shop) = (Context::from_waker(&waker), pin!(shop()));
    while shop.as_mut().poll(&mut context) == Poll::Pending {
        std::thread::park();
    }
}

#[test]
fn handles_are_used_from_other_threads_and_runtimes_than_the_one_that_started_the_engine() {
    let engine = current_thread(async { Engine::in_memory().start().await.unwrap() });
    let run = multi_thread({
        let engine = engine.clone();
        async move { engine.run(RunSpec::text("steps: [{id: nap, sleep: 50ms}]")).await.unwrap() }
    });
    assert!(current_thread(run.outcome()).unwrap().is_good());
    current_thread(engine.shut_down()).unwrap();
}

#[test]
fn two_engines_in_one_process_keep_to_their_own_folders() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    current_thread(async {
        let mut engines = Vec::new();
        for (number, folder) in folders.iter().enumerate() {
            let engine =
                Engine::open(folder.path()).function("who", move || async move { Ok::<_, Failure>(number) });
            engines.push(engine.start().await.unwrap());
        }
        let spec = RunSpec::text("steps: [{id: who, agent: who}]\noutput: '{{ steps.who.output }}'")
            .id("r")
            .unwrap();
        for (number, engine) in engines.iter().enumerate() {
            let run = engine.run(spec.clone()).await.unwrap();
            assert_eq!(run.outcome().await.unwrap().output::<usize>().unwrap(), number);
        }
        for engine in engines {
            engine.shut_down().await.unwrap();
        }
    });
}
