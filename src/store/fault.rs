//! A store that fails on purpose, around any other: for tests of what must survive it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use super::{AppendError, Appended, EventStore, Head, ReadError, StoredCommit, ViewChange, ViewRow};
use crate::events::commit::{Commit, Recorded};
use crate::events::ids::{Hash, Position, StreamId, Version};
use crate::events::json::{Blob, BlobRef};

/// How an append fails. Who appended is told the same, for it cannot know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is stored.
    BeforeStoring,
    /// All is stored, and nobody is told.
    AfterStoring,
}

/// Passes everything to the store inside, but for the appends that it was told to fail: they answer
/// [`AppendError::Failed`]. As a store whose disk has failed, it then fails every append until
/// [`Faulty::mend`] is called, which is what opening it again would be; unless [`Faulty::mending`] was chosen.
#[derive(Debug)]
pub struct Faulty<S> {
    inner: S,
    faults: Mutex<BTreeMap<u64, Fault>>,
    appends: AtomicU64,
    failed: AtomicBool,
    mends_itself: bool,
}

const MESSAGE: &str = "a fault on purpose";

impl<S: EventStore> Faulty<S> {
    /// A store that does not fail yet.
    pub fn new(inner: S) -> Self {
        let (faults, appends, failed) = (Mutex::default(), AtomicU64::new(0), AtomicBool::new(false));
        Self { inner, faults, appends, failed, mends_itself: false }
    }

    /// The same, but after each fault it goes on at once, as if it had been opened again.
    #[must_use]
    pub fn mending(self) -> Self {
        Self { mends_itself: true, ..self }
    }

    /// Makes an append fail: the `nth` from when the store was made, from 1. May be called at any time.
    pub fn fail_append(&self, nth: u64, fault: Fault) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).insert(nth, fault);
    }

    /// How many appends were asked for so far.
    pub fn appends(&self) -> u64 {
        self.appends.load(Ordering::SeqCst)
    }

    /// Takes appends again.
    pub fn mend(&self) {
        self.failed.store(false, Ordering::SeqCst);
    }

    /// The store inside.
    pub fn inner(&self) -> &S {
        &self.inner
    }
}

#[async_trait]
impl<S: EventStore> EventStore for Faulty<S> {
    async fn append(&self, commit: Commit, blobs: Vec<Blob>) -> Result<Appended, AppendError> {
        let nth = self.appends.fetch_add(1, Ordering::SeqCst) + 1;
        if self.failed.load(Ordering::SeqCst) {
            return Err(AppendError::Failed(MESSAGE.to_owned()));
        }
        let fault = self.faults.lock().unwrap_or_else(PoisonError::into_inner).remove(&nth);
        match fault {
            None => return self.inner.append(commit, blobs).await,
            Some(Fault::BeforeStoring) => {}
            // A conflict is no commit that could be stored: it is told as one.
            Some(Fault::AfterStoring) => drop(self.inner.append(commit, blobs).await?),
        }
        self.failed.store(!self.mends_itself, Ordering::SeqCst);
        Err(AppendError::Failed(MESSAGE.to_owned()))
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
        self.inner.read_all(after, limit).await
    }

    async fn read_commits(&self, after: Position, limit: usize) -> Result<Vec<StoredCommit>, ReadError> {
        self.inner.read_commits(after, limit).await
    }

    fn committed(&self) -> watch::Receiver<Position> {
        self.inner.committed()
    }

    fn blob(&self, hash: &Hash) -> Result<Option<Arc<[u8]>>, ReadError> {
        self.inner.blob(hash)
    }

    async fn blobs(&self, after: Option<Hash>, limit: usize) -> Result<Vec<BlobRef>, ReadError> {
        self.inner.blobs(after, limit).await
    }

    async fn view_position(&self, view: &'static str) -> Result<Position, ReadError> {
        self.inner.view_position(view).await
    }

    async fn view_row(&self, view: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.inner.view_row(view, key).await
    }

    async fn view_rows(
        &self,
        view: &'static str,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<ViewRow>, ReadError> {
        self.inner.view_rows(view, after, limit).await
    }

    async fn save_view(
        &self,
        view: &'static str,
        position: Position,
        rows: Vec<ViewChange>,
    ) -> Result<(), AppendError> {
        if self.failed.load(Ordering::SeqCst) {
            return Err(AppendError::Failed(MESSAGE.to_owned()));
        }
        self.inner.save_view(view, position, rows).await
    }

    async fn close(&self) -> Result<(), AppendError> {
        self.inner.close().await
    }
}

#[cfg(test)]
mod tests;
