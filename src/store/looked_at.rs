//! A damaged store, opened only to look at what can be read of it.
//!
//! Nothing is written to such a store, and its read models cannot be relied upon: they are made anew, in
//! memory. Events that cannot be read are left out when the whole store is read, so that one bad place does
//! not hide all that comes after it; when one stream is read they are an error as ever.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use super::verify::whole_after;
use super::views::Views;
use super::{
    AppendError, Appended, EventStore, Head, ReadError, Snapshot, StoredCommit, ViewChange, ViewRow,
};
use crate::events::commit::{Commit, Recorded};
use crate::events::ids::{Hash, Position, StreamId, Version};
use crate::events::json::{Blob, BlobRef};

/// A store that is only looked at.
#[derive(Debug)]
pub struct LookedAt<S> {
    inner: S,
    views: Mutex<Views>,
}

impl<S: EventStore> LookedAt<S> {
    /// Opens a view of that store.
    pub fn new(inner: S) -> Self {
        Self { inner, views: Mutex::default() }
    }

    fn views(&self) -> MutexGuard<'_, Views> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl<S: EventStore> EventStore for LookedAt<S> {
    async fn append(&self, commit: Commit, blobs: Vec<Blob>) -> Result<Appended, AppendError> {
        self.inner.append(commit, blobs).await
    }

    async fn head(&self, stream: &StreamId) -> Result<Option<Head>, ReadError> {
        self.inner.head(stream).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        self.inner.read_stream(stream, after, limit).await
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        let (mut after, mut at_once) = (after, limit);
        loop {
            match self.inner.read_all(after, at_once).await {
                Err(ReadError::Closed) => return Err(ReadError::Closed),
                // A page of the file is bad: what stands before it is read one by one.
                Err(_) if at_once > 1 => at_once = (at_once / 16).max(1),
                Err(error) => match whole_after(&self.inner, after).await? {
                    Some(next) if next > after => (after, at_once) = (next, limit),
                    // It could be read a moment ago.
                    Some(_) => return Err(error),
                    None => return Ok(Vec::new()),
                },
                events => return events,
            }
        }
    }

    async fn read_commits(&self, after: Position, limit: usize) -> Result<Vec<StoredCommit>, ReadError> {
        self.inner.read_commits(after, limit).await
    }

    fn committed(&self) -> watch::Receiver<Position> {
        self.inner.committed()
    }

    fn damage(&self) -> Option<ReadError> {
        self.inner.damage()
    }

    fn noted_damage(&self) -> Option<String> {
        self.inner.noted_damage()
    }

    fn note_damage(&self, what: &str) {
        self.inner.note_damage(what);
    }

    fn forget_damage(&self) {
        self.inner.forget_damage();
    }

    async fn read_rest(&self) -> Vec<String> {
        self.inner.read_rest().await
    }

    fn blob(&self, hash: &Hash) -> Result<Option<Arc<[u8]>>, ReadError> {
        self.inner.blob(hash)
    }

    async fn blobs(&self, after: Option<Hash>, limit: usize) -> Result<Vec<BlobRef>, ReadError> {
        self.inner.blobs(after, limit).await
    }

    async fn view_position(&self, view: &'static str) -> Result<Position, ReadError> {
        Ok(self.views().position(view))
    }

    async fn view_row(&self, view: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.views().row(view, key))
    }

    async fn view_rows(
        &self,
        view: &'static str,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<ViewRow>, ReadError> {
        Ok(self.views().rows(view, after, limit))
    }

    async fn save_view(
        &self,
        view: &'static str,
        position: Position,
        rows: Vec<ViewChange>,
    ) -> Result<(), AppendError> {
        self.views().save(view, position, rows)
    }

    async fn save_snapshot(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), AppendError> {
        self.inner.save_snapshot(stream, snapshot).await
    }

    async fn snapshots(&self, stream: &StreamId) -> Result<Vec<Version>, ReadError> {
        self.inner.snapshots(stream).await
    }

    async fn snapshot(&self, stream: &StreamId, version: Version) -> Result<Option<Snapshot>, ReadError> {
        self.inner.snapshot(stream, version).await
    }

    async fn remove_snapshot(&self, stream: &StreamId, version: Version) -> Result<(), AppendError> {
        self.inner.remove_snapshot(stream, version).await
    }

    async fn close(&self) -> Result<(), AppendError> {
        self.inner.close().await
    }
}
