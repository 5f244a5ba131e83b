//! A store around any other that ends its process, on purpose: for tests of what must survive that.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use rustix::process::{Signal, getpid, kill_process};
use tokio::sync::watch;

use super::{
    AppendError, Appended, EventStore, Head, ReadError, Snapshot, StoredCommit, ViewChange, ViewRow,
};
use crate::events::commit::{Commit, Recorded};
use crate::events::ids::{Hash, Position, StreamId, Version};
use crate::events::json::{Blob, BlobRef};

/// Tells by a commit whether the process ends once it is stored.
#[derive(Clone)]
pub struct Fatal(Arc<dyn Fn(&Commit) -> bool + Send + Sync>);

impl Fatal {
    /// What is fatal.
    pub fn new(is_fatal: impl Fn(&Commit) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_fatal))
    }
}

impl fmt::Debug for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fatal").finish_non_exhaustive()
    }
}

/// Passes everything to the store inside. Once a fatal commit is stored, and before anybody hears of it, the process gets SIGKILL.
pub struct Dying {
    inner: Arc<dyn EventStore>,
    fatal: Fatal,
}

impl fmt::Debug for Dying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dying").field("fatal", &self.fatal).finish_non_exhaustive()
    }
}

impl Dying {
    /// A store whose process ends after the first fatal commit.
    pub const fn new(inner: Arc<dyn EventStore>, fatal: Fatal) -> Self {
        Self { inner, fatal }
    }
}

#[async_trait]
impl EventStore for Dying {
    async fn append(&self, commit: Commit, blobs: Vec<Blob>) -> Result<Appended, AppendError> {
        let is_fatal = (self.fatal.0)(&commit);
        let appended = self.inner.append(commit, blobs).await;
        if is_fatal && appended.is_ok() {
            // It does not come back from that.
            let _ = kill_process(getpid(), Signal::KILL);
            std::future::pending::<()>().await;
        }
        appended
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
        self.inner.save_view(view, position, rows).await
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
