//! A store around any other that fails, stops answering or is slow on purpose: for tests of
//! what must survive it.

mod turnstile;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use self::turnstile::Turnstile;
use super::{
    AppendError, Appended, EventStore, Head, ReadError, Snapshot, StoredCommit, ViewChange, ViewRow,
};
use crate::events::commit::{Commit, Recorded};
use crate::events::ids::{Hash, Position, StreamId, Version};
use crate::events::json::{Blob, BlobRef};

/// The ways in which an append may fail. Both are answered with the same error: the caller cannot know which it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The commit is not stored.
    BeforeStoring,
    /// The commit is stored, but the answer says that it failed.
    AfterStoring,
}

/// The calls that can be made to wait. Only asynchronous ones can: [`EventStore::blob`] is always answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    /// Appends and closing, before anything is stored.
    Appends,
    /// The answers to appends: the commits are stored.
    Answers,
    /// Saving what is a cache: read models and snapshots.
    Caches,
    /// Everything that reads the store.
    Reads,
}

/// Passes everything to the store inside, except for the appends that it was told to fail: they answer
/// [`AppendError::Failed`]. Like a store whose disk has failed, it then fails every append until
/// [`Faulty::mend`] is called, which stands for opening it again; unless [`Faulty::mending`] was chosen.
///
/// It stops answering where it was told to ([`Faulty::hold`]), until it is released. A test makes it slow by
/// letting single calls through ([`Faulty::pass`]).
#[derive(Debug)]
pub struct Faulty<S> {
    inner: S,
    faults: Mutex<BTreeMap<u64, Fault>>,
    appends: AtomicU64,
    failed: AtomicBool,
    refuses_caches: AtomicBool,
    mends_itself: bool,
    stays_open: bool,
    append_calls: Turnstile,
    answers: Turnstile,
    caches: Turnstile,
    reads: Turnstile,
}

const MESSAGE: &str = "a fault on purpose";

impl<S: EventStore> Faulty<S> {
    /// A store that does not fail yet.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            faults: Mutex::default(),
            appends: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            refuses_caches: AtomicBool::new(false),
            mends_itself: false,
            stays_open: false,
            append_calls: Turnstile::default(),
            answers: Turnstile::default(),
            caches: Turnstile::default(),
            reads: Turnstile::default(),
        }
    }

    /// Makes the store go on at once after each fault, as if it had been opened again.
    #[must_use]
    pub fn mending(self) -> Self {
        Self { mends_itself: true, ..self }
    }

    /// Makes closing do nothing: the owner that closed it is gone, and a test looks at what is left.
    #[must_use]
    pub fn staying_open(self) -> Self {
        Self { stays_open: true, ..self }
    }

    /// Makes one append fail: the `nth` since the store was made, counted from 1. May be called at any time.
    pub fn fail_append(&self, nth: u64, fault: Fault) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).insert(nth, fault);
    }

    /// How many appends were asked for so far.
    pub fn appends(&self) -> u64 {
        self.appends.load(Ordering::SeqCst)
    }

    /// Ends the failure: appends are taken again.
    pub fn mend(&self) {
        self.failed.store(false, Ordering::SeqCst);
    }

    /// From here on saving a read model or a snapshot fails; appends go on.
    pub fn refuse_caches(&self) {
        self.refuses_caches.store(true, Ordering::SeqCst);
    }

    /// From here on calls of this kind wait.
    pub fn hold(&self, calls: Calls) {
        self.gate(calls).shut();
    }

    /// Lets the calls of this kind that wait go on, and all that come later.
    pub fn release(&self, calls: Calls) {
        self.gate(calls).open();
    }

    /// Lets `count` of the held calls go on, now or when they come.
    pub fn pass(&self, calls: Calls, count: usize) {
        self.gate(calls).pass(count);
    }

    /// Waits until `count` calls of this kind wait.
    pub async fn held(&self, calls: Calls, count: usize) {
        self.gate(calls).held(count).await;
    }

    /// How many calls of this kind wait.
    pub fn waiting(&self, calls: Calls) -> usize {
        self.gate(calls).waiting()
    }

    /// The store to which calls are passed.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn gate(&self, calls: Calls) -> &Turnstile {
        match calls {
            Calls::Appends => &self.append_calls,
            Calls::Answers => &self.answers,
            Calls::Caches => &self.caches,
            Calls::Reads => &self.reads,
        }
    }

    /// The store inside, once a read may go on.
    async fn read(&self) -> &S {
        self.reads.enter().await;
        &self.inner
    }

    /// The store inside, once saving a cache may go on; fails where caches are refused.
    async fn cache(&self) -> Result<&S, AppendError> {
        self.caches.enter().await;
        match self.failed.load(Ordering::SeqCst) || self.refuses_caches.load(Ordering::SeqCst) {
            true => Err(AppendError::Failed(MESSAGE.to_owned())),
            false => Ok(&self.inner),
        }
    }

    async fn append_or_fail(&self, commit: Commit, blobs: Vec<Blob>) -> Result<Appended, AppendError> {
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
}

#[async_trait]
impl<S: EventStore> EventStore for Faulty<S> {
    async fn append(&self, commit: Commit, blobs: Vec<Blob>) -> Result<Appended, AppendError> {
        self.append_calls.enter().await;
        let appended = self.append_or_fail(commit, blobs).await;
        self.answers.enter().await;
        appended
    }

    async fn head(&self, stream: &StreamId) -> Result<Option<Head>, ReadError> {
        self.read().await.head(stream).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        self.read().await.read_stream(stream, after, limit).await
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        self.read().await.read_all(after, limit).await
    }

    async fn read_commits(&self, after: Position, limit: usize) -> Result<Vec<StoredCommit>, ReadError> {
        self.read().await.read_commits(after, limit).await
    }

    fn committed(&self) -> watch::Receiver<Position> {
        self.inner.committed()
    }

    fn blob(&self, hash: &Hash) -> Result<Option<Arc<[u8]>>, ReadError> {
        self.inner.blob(hash)
    }

    async fn blobs(&self, after: Option<Hash>, limit: usize) -> Result<Vec<BlobRef>, ReadError> {
        self.read().await.blobs(after, limit).await
    }

    async fn view_position(&self, view: &'static str) -> Result<Position, ReadError> {
        self.read().await.view_position(view).await
    }

    async fn view_row(&self, view: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.read().await.view_row(view, key).await
    }

    async fn view_rows(
        &self,
        view: &'static str,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<ViewRow>, ReadError> {
        self.read().await.view_rows(view, after, limit).await
    }

    async fn save_view(
        &self,
        view: &'static str,
        position: Position,
        rows: Vec<ViewChange>,
    ) -> Result<(), AppendError> {
        self.cache().await?.save_view(view, position, rows).await
    }

    async fn save_snapshot(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), AppendError> {
        self.cache().await?.save_snapshot(stream, snapshot).await
    }

    async fn snapshots(&self, stream: &StreamId) -> Result<Vec<Version>, ReadError> {
        self.read().await.snapshots(stream).await
    }

    async fn snapshot(&self, stream: &StreamId, version: Version) -> Result<Option<Snapshot>, ReadError> {
        self.read().await.snapshot(stream, version).await
    }

    async fn remove_snapshot(&self, stream: &StreamId, version: Version) -> Result<(), AppendError> {
        self.cache().await?.remove_snapshot(stream, version).await
    }

    async fn close(&self) -> Result<(), AppendError> {
        if self.stays_open {
            return Ok(());
        }
        self.append_calls.enter().await;
        self.inner.close().await
    }
}

#[cfg(test)]
mod tests;
