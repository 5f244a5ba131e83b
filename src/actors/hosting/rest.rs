//! Waiting for streams to come to rest, and to stir again.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::Notify;

use super::book::Hosting;
use super::live::Live;
use crate::events::ids::StreamId;
use crate::events::problem::{Code, Problem};

impl Hosting {
    /// Ends when a stream is over, or when it rests until somebody acts, and nothing of it runs any more.
    ///
    /// # Errors
    /// Why it cannot go on.
    pub async fn at_rest(self: &Arc<Self>, stream: &StreamId) -> Result<Live, Problem> {
        loop {
            let mut live = self.watch(stream)?;
            let over = |seen: &Live| seen.parked.is_some() || seen.at_rest;
            match live.wait_for(over).await.map(|seen| seen.clone()) {
                Ok(Live { parked: Some(problem), .. }) => return Err(problem),
                Ok(seen) => return Ok(seen),
                Err(_) if self.is_closing() => {
                    return Err(Problem::new(Code::ShuttingDown, "the process is ending"));
                }
                // Its host was put away while it slept: it is started again.
                Err(_) => {}
            }
        }
    }

    /// Ends when a stream that is at rest stirs, or cannot go on. It need not be in memory until then.
    pub async fn stirs(&self, stream: &StreamId) {
        loop {
            let place = self.awaited.place(stream);
            let there = place.notify.notified();
            let Some(mut live) = self.live(stream) else {
                there.await;
                continue;
            };
            let stirs = |seen: &Live| seen.parked.is_some() || seen.loaded && !seen.at_rest;
            // An error means that its host was put away again.
            if live.wait_for(stirs).await.is_ok() {
                return;
            }
        }
    }
}

/// Who waits for which streams to be in memory.
#[derive(Default)]
pub(super) struct Awaited(DashMap<StreamId, Arc<Notify>>);

impl Awaited {
    /// A stream is in memory, or will be when whoever says so lets go of its place in the book.
    pub(super) fn is_there(&self, stream: &StreamId) {
        if let Some((_, notify)) = self.0.remove(stream) {
            notify.notify_waiters();
        }
    }

    fn place(&self, stream: &StreamId) -> Place<'_> {
        let notify = Arc::clone(&self.0.entry(stream.clone()).or_default());
        Place { awaited: self, stream: stream.clone(), notify }
    }
}

/// Somebody who waits, until it is dropped: the last one takes the entry along.
struct Place<'a> {
    awaited: &'a Awaited,
    stream: StreamId,
    notify: Arc<Notify>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // The map's, and this one.
        let is_last =
            |notify: &Arc<Notify>| Arc::ptr_eq(notify, &self.notify) && Arc::strong_count(notify) <= 2;
        self.awaited.0.remove_if(&self.stream, |_, notify| is_last(notify));
    }
}
