//! A program that embeds an engine.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reenact::api::engine::builder::Builder;
use reenact::prelude::*;
use tokio::sync::Semaphore;

/// How long anything that a test waits for may take; only a test that fails waits for so long.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

/// Runs a test as `#[tokio::main(flavor = "current_thread")]` would.
pub(super) fn current_thread<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(DEADLINE, test).await.expect("it hangs") })
}

/// Runs a test as `#[tokio::main]` would, on a task that may move from thread to thread.
pub(super) fn multi_thread<T: Send + 'static>(test: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let test = tokio::spawn(test);
        tokio::time::timeout(DEADLINE, test).await.expect("it hangs").unwrap()
    })
}

/// Lets calls of a function wait, and counts them. With the function goes its hold on this.
#[derive(Clone)]
pub(super) struct Turnstile(Arc<(Semaphore, AtomicUsize)>);

impl Turnstile {
    pub(super) fn new() -> Self {
        Self(Arc::new((Semaphore::new(0), AtomicUsize::new(0))))
    }

    /// Adds the function `gated` to an engine: it answers how often it was called when it is let through.
    pub(super) fn added_to(&self, engine: Builder) -> Builder {
        let gate = self.clone();
        engine.function("gated", move || {
            let gate = gate.clone();
            async move {
                let call = gate.0.1.fetch_add(1, Ordering::SeqCst) + 1;
                gate.0.0.acquire().await.unwrap().forget();
                Ok::<_, Failure>(call)
            }
        })
    }

    pub(super) fn open(&self) {
        self.0.0.add_permits(1);
    }

    /// How many hold it beside the test.
    pub(super) fn holders(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// Ends when a run has recorded an event of that type; answers what it says.
pub(super) async fn recorded(run: &RunHandle, kind: &str) -> serde_json::Value {
    let mut events = run.events();
    while let Some(event) = events.next().await {
        let event = event.unwrap();
        if event.kind == kind {
            return event.data.value();
        }
    }
    panic!("the engine ended before `{kind}` was recorded");
}

/// A run of one step of the function `gated`.
pub(super) const GATED: &str =
    "name: gated\nsteps: [{id: wait, agent: gated}]\noutput: '{{ steps.wait.output }}'";
