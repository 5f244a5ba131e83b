//! The time, as something that a test can hold in its hand.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::events::time::Timestamp;
use crate::executors;

/// Tells the time, and waits for it.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Ends when `now` is `at` or later, perhaps earlier: who waits looks again.
    async fn wait_until(&self, at: Timestamp);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        executors::now()
    }

    async fn wait_until(&self, at: Timestamp) {
        // The wall clock may be set while we sleep: looking again now and then keeps the delay short.
        tokio::time::sleep(at.since(self.now()).min(Duration::from_secs(30))).await;
    }
}

/// A clock that stands still until it is set.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<watch::Sender<Timestamp>>);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(watch::Sender::new(now)))
    }

    /// Lets so much time pass.
    pub fn advance(&self, length: Duration) {
        self.0.send_modify(|now| *now = now.after(length));
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    async fn wait_until(&self, at: Timestamp) {
        let mut now = self.0.subscribe();
        // An error means that the clock is gone, and with it whoever could wait for it.
        let _ = now.wait_for(|now| *now >= at).await;
    }
}
