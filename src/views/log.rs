//! Reads the log page by page as it grows, for read models, notices and subscriptions. A reader holds at most
//! one page, and a slow reader reads again from the store.

use std::sync::Arc;

use tokio::sync::watch;

use crate::events::commit::Recorded;
use crate::events::ids::{Position, StreamId, Version};
use crate::store::{EventStore, ReadError};

/// How far somebody has read in the log, or in one stream.
pub struct LogReader {
    store: Arc<dyn EventStore>,
    stream: Option<StreamId>,
    page_events: usize,
    /// The position and the version of the last event that was read.
    read: (Position, Version),
    committed: watch::Receiver<Position>,
}

impl LogReader {
    /// A reader of all events after a position, at most `page_events` at once.
    pub fn of_all(store: Arc<dyn EventStore>, after: Position, page_events: usize) -> Self {
        let committed = store.committed();
        Self { store, stream: None, page_events, read: (after, Version(0)), committed }
    }

    /// A reader of one stream from its first event on, at most `page_events` at once.
    pub fn of_stream(store: Arc<dyn EventStore>, stream: StreamId, page_events: usize) -> Self {
        Self { stream: Some(stream), ..Self::of_all(store, Position(0), page_events) }
    }

    /// The store that is read.
    pub fn store(&self) -> &Arc<dyn EventStore> {
        &self.store
    }

    /// The next events that are durable, in order; none when all of them were read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn page(&mut self) -> Result<Vec<Recorded>, ReadError> {
        // What becomes durable from here on is told of by `more`.
        self.committed.mark_unchanged();
        let page = match &self.stream {
            Some(stream) => self.store.read_stream(stream, self.read.1, self.page_events).await?,
            None => self.store.read_all(self.read.0, self.page_events).await?,
        };
        if let Some(last) = page.last() {
            self.read = (last.position, last.version);
        }
        Ok(page)
    }

    /// Waits until something became durable since the last page was read, and answers true; or until the
    /// store is gone, and answers false.
    pub async fn more(&mut self) -> bool {
        self.committed.changed().await.is_ok()
    }
}
