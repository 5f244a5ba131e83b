//! The log, page by page, as it grows: what read models, notices and subscriptions read it with. Who reads holds a page at
//! most, and who is slow reads again from the store.

use std::sync::Arc;

use tokio::sync::watch;

use crate::events::commit::Recorded;
use crate::events::ids::{Position, StreamId, Version};
use crate::store::{EventStore, ReadError};

/// Where somebody is in the log, or in one stream of it.
pub struct LogReader {
    store: Arc<dyn EventStore>,
    stream: Option<StreamId>,
    page_events: usize,
    /// The last event that was read: of the store, and of the stream.
    read: (Position, Version),
    committed: watch::Receiver<Position>,
}

impl LogReader {
    /// One that reads all events after a position, so many at once.
    pub fn of_all(store: Arc<dyn EventStore>, after: Position, page_events: usize) -> Self {
        let committed = store.committed();
        Self { store, stream: None, page_events, read: (after, Version(0)), committed }
    }

    /// One that reads a stream from its first event on, so many at once.
    pub fn of_stream(store: Arc<dyn EventStore>, stream: StreamId, page_events: usize) -> Self {
        Self { stream: Some(stream), ..Self::of_all(store, Position(0), page_events) }
    }

    /// Where events live.
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

    /// Ends when something became durable since the last page was read, and answers that there may be more; or when the store
    /// is gone, and answers that there is not.
    pub async fn more(&mut self) -> bool {
        self.committed.changed().await.is_ok()
    }
}
