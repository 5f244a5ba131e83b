//! Waiting for runs to come to rest, and to stir again.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::Notify;

use super::Communicator;
use crate::actors::glance::Glance;
use crate::events::ids::RunId;
use crate::events::problem::{Code, Problem};

impl Communicator {
    /// Ends when a run has, or when it rests until somebody acts, and nothing of it runs any more.
    ///
    /// # Errors
    /// Why it cannot go on.
    pub async fn at_rest(self: &Arc<Self>, run: &RunId) -> Result<Glance, Problem> {
        loop {
            let mut glance = self.run(run).1;
            let over = |seen: &Glance| seen.parked.is_some() || seen.at_rest;
            match glance.wait_for(over).await.map(|seen| seen.clone()) {
                Ok(Glance { parked: Some(problem), .. }) => return Err(problem),
                Ok(seen) => return Ok(seen),
                Err(_) if self.is_closing() => {
                    return Err(Problem::new(Code::ShuttingDown, "the process is ending"));
                }
                // Its host was put away while it slept: it is started again.
                Err(_) => {}
            }
        }
    }

    /// Ends when a run that is at rest stirs, or cannot go on. It need not be in memory until then.
    pub async fn stirs(&self, run: &RunId) {
        loop {
            let place = self.awaited.place(run);
            let there = place.notify.notified();
            let entry = self.runs.get(run).filter(|entry| entry.address.connected());
            let Some(mut glance) = entry.map(|entry| entry.glance.clone()) else {
                there.await;
                continue;
            };
            let stirs = |seen: &Glance| seen.parked.is_some() || seen.status.is_some() && !seen.at_rest;
            // An error means that its host was put away again.
            if glance.wait_for(stirs).await.is_ok() {
                return;
            }
        }
    }
}

/// Who waits for which runs to be in memory.
#[derive(Default)]
pub(super) struct Awaited(DashMap<RunId, Arc<Notify>>);

impl Awaited {
    /// A run is in memory, or will be when whoever says so lets go of its place in the address book.
    pub(super) fn is_there(&self, run: &RunId) {
        if let Some((_, notify)) = self.0.remove(run) {
            notify.notify_waiters();
        }
    }

    fn place(&self, run: &RunId) -> Place<'_> {
        let notify = Arc::clone(&self.0.entry(run.clone()).or_default());
        Place { awaited: self, run: run.clone(), notify }
    }
}

/// Somebody who waits, until it is dropped: the last one takes the entry along.
struct Place<'a> {
    awaited: &'a Awaited,
    run: RunId,
    notify: Arc<Notify>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // The map's, and this one.
        let is_last =
            |notify: &Arc<Notify>| Arc::ptr_eq(notify, &self.notify) && Arc::strong_count(notify) <= 2;
        self.awaited.0.remove_if(&self.run, |_, notify| is_last(notify));
    }
}
