//! Who waits for which streams to be in memory.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::events::ids::StreamId;

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

    pub(super) fn place(&self, stream: &StreamId) -> Place<'_> {
        let notify = Arc::clone(&self.0.entry(stream.clone()).or_default());
        Place { awaited: self, stream: stream.clone(), notify }
    }
}

/// Somebody who waits, until it is dropped: the last one takes the entry along.
pub(super) struct Place<'a> {
    awaited: &'a Awaited,
    stream: StreamId,
    notify: Arc<Notify>,
}

impl Place<'_> {
    /// Ends when it is there, from now on.
    pub(super) fn is_there(&self) -> Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // The map's, and this one.
        let is_last =
            |notify: &Arc<Notify>| Arc::ptr_eq(notify, &self.notify) && Arc::strong_count(notify) <= 2;
        self.awaited.0.remove_if(&self.stream, |_, notify| is_last(notify));
    }
}
