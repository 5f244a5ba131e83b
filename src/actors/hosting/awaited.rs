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
        let notify = Some(Arc::clone(&self.0.entry(stream.clone()).or_default()));
        Place { awaited: self, stream: stream.clone(), notify }
    }
}

/// Somebody who waits, until it is dropped: the last one takes the entry along.
pub(super) struct Place<'a> {
    awaited: &'a Awaited,
    stream: StreamId,
    notify: Option<Arc<Notify>>,
}

impl Place<'_> {
    /// What ends when it is there, from now on.
    pub(super) fn is_there(&self) -> Option<Notified<'_>> {
        self.notify.as_ref().map(|notify| notify.notified())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.notify = None;
        // Nobody gets at the entry while it is looked at.
        self.awaited.0.remove_if(&self.stream, |_, notify| Arc::strong_count(notify) == 1);
    }
}
