//! A store in memory: for tests, and the oracle for the others. What it does with a few lines of maps is what
//! they must do on a disk.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use super::views::Views;
use super::{
    AppendError, Appended, EventStore, Head, ReadError, Snapshot, StoredCommit, ViewChange, ViewRow,
    admission, snapshot,
};
use crate::events::commit::{Commit, Recorded};
use crate::events::ids::{Hash, Position, StreamId, Version};
use crate::events::json::{Blob, BlobRef};

/// Everything in maps behind one mutex. [`MemoryStore::reopen`] is its restart.
#[derive(Debug)]
pub struct MemoryStore {
    disk: Arc<Mutex<Disk>>,
    committed: watch::Sender<Position>,
    closed: Mutex<bool>,
}

/// The content, which outlives a handle.
#[derive(Debug, Default, Clone)]
struct Disk {
    events: Vec<Arc<Recorded>>,
    commits: BTreeMap<Position, (Arc<Commit>, u64)>,
    /// For each stream the indices of its events in `events`.
    streams: HashMap<StreamId, Vec<usize>>,
    blobs: BTreeMap<Hash, Arc<[u8]>>,
    views: Views,
    snapshots: BTreeMap<(StreamId, Version), Snapshot>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store with no events.
    pub fn new() -> Self {
        Self::on(Arc::default())
    }

    /// Another handle on the same events, as if the process had started again.
    #[must_use]
    pub fn reopen(&self) -> Self {
        Self::on(Arc::clone(&self.disk))
    }

    /// Another store with the same content: later changes of one are not seen by the other.
    #[must_use]
    pub fn copy(&self) -> Self {
        let disk = locked(&self.disk).clone();
        Self::on(Arc::new(Mutex::new(disk)))
    }

    fn on(disk: Arc<Mutex<Disk>>) -> Self {
        let last = locked(&disk).last();
        Self { disk, committed: watch::Sender::new(last), closed: Mutex::new(false) }
    }

    fn write(&self) -> Result<MutexGuard<'_, Disk>, AppendError> {
        if *locked(&self.closed) { Err(AppendError::Closed) } else { Ok(locked(&self.disk)) }
    }

    fn read(&self) -> Result<MutexGuard<'_, Disk>, ReadError> {
        if *locked(&self.closed) { Err(ReadError::Closed) } else { Ok(locked(&self.disk)) }
    }
}

/// Locks it, also after a panic: each change of the maps is one step, so they are never left half changed.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    fn last(&self) -> Position {
        Position(self.events.len() as u64)
    }

    fn head(&self, stream: &StreamId) -> Option<Head> {
        let last = self.streams.get(stream)?.last()?;
        let recorded = self.events.get(*last)?;
        Some(Head { version: recorded.version, hash: recorded.event.hash })
    }

    fn append(&mut self, commit: Commit, blobs: Vec<Blob>) -> Result<Appended, AppendError> {
        let size_bytes = admission::encode(&commit, &blobs)?.len() as u64;
        let actual = self.head(&commit.header.stream).map_or(Version(0), |head| head.version);
        if actual.next() != commit.header.first {
            let expected = Version(commit.header.first.0 - 1);
            return Err(AppendError::Conflict { expected, actual });
        }
        for blob in blobs {
            self.blobs.entry(blob.reference.hash).or_insert(blob.bytes);
        }
        let (first, from) = (self.last().next(), self.events.len());
        self.events.extend(commit.clone().into_recorded(first).map(Arc::new));
        self.streams.entry(commit.header.stream.clone()).or_default().extend(from..self.events.len());
        self.commits.insert(first, (Arc::new(commit), size_bytes));
        Ok(Appended { position: self.last() })
    }
}

/// The index of the first item after the item with that number, where numbers count from 1.
fn index_after(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn append(&self, commit: Commit, blobs: Vec<Blob>) -> Result<Appended, AppendError> {
        let mut disk = self.write()?;
        let appended = disk.append(commit, blobs)?;
        // Still under the lock: the watch never goes back.
        self.committed.send_replace(appended.position);
        Ok(appended)
    }

    async fn head(&self, stream: &StreamId) -> Result<Option<Head>, ReadError> {
        Ok(self.read()?.head(stream))
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        let disk = self.read()?;
        let places = disk.streams.get(stream).map(Vec::as_slice).unwrap_or_default();
        let wanted = places.iter().skip(index_after(after.0)).take(limit);
        Ok(wanted.filter_map(|place| disk.events.get(*place)).map(|event| (**event).clone()).collect())
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        let disk = self.read()?;
        let later = disk.events.iter().skip(index_after(after.0)).take(limit);
        Ok(later.map(|event| (**event).clone()).collect())
    }

    async fn read_commits(&self, after: Position, limit: usize) -> Result<Vec<StoredCommit>, ReadError> {
        let disk = self.read()?;
        let later = disk.commits.range((Bound::Excluded(after), Bound::Unbounded)).take(limit);
        Ok(later
            .map(|(position, (commit, size_bytes))| StoredCommit {
                position: *position,
                size_bytes: *size_bytes,
                commit: Ok((**commit).clone()),
            })
            .collect())
    }

    fn committed(&self) -> watch::Receiver<Position> {
        self.committed.subscribe()
    }

    fn blob(&self, hash: &Hash) -> Result<Option<Arc<[u8]>>, ReadError> {
        Ok(self.read()?.blobs.get(hash).cloned())
    }

    async fn blobs(&self, after: Option<Hash>, limit: usize) -> Result<Vec<BlobRef>, ReadError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let disk = self.read()?;
        let later = disk.blobs.range((from, Bound::Unbounded)).take(limit);
        Ok(later.map(|(hash, bytes)| BlobRef { hash: *hash, size_bytes: bytes.len() as u64 }).collect())
    }

    async fn view_position(&self, view: &'static str) -> Result<Position, ReadError> {
        Ok(self.read()?.views.position(view))
    }

    async fn view_row(&self, view: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.read()?.views.row(view, key))
    }

    async fn view_rows(
        &self,
        view: &'static str,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<ViewRow>, ReadError> {
        Ok(self.read()?.views.rows(view, after, limit))
    }

    async fn save_view(
        &self,
        view: &'static str,
        position: Position,
        rows: Vec<ViewChange>,
    ) -> Result<(), AppendError> {
        self.write()?.views.save(view, position, rows)
    }

    async fn save_snapshot(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), AppendError> {
        snapshot::check(&snapshot)?;
        self.write()?.snapshots.insert((stream.clone(), snapshot.version), snapshot);
        Ok(())
    }

    async fn snapshots(&self, stream: &StreamId) -> Result<Vec<Version>, ReadError> {
        let disk = self.read()?;
        let all = disk.snapshots.range((stream.clone(), Version(0))..=(stream.clone(), Version(u64::MAX)));
        Ok(all.map(|((_, version), _)| *version).collect())
    }

    async fn snapshot(&self, stream: &StreamId, version: Version) -> Result<Option<Snapshot>, ReadError> {
        Ok(self.read()?.snapshots.get(&(stream.clone(), version)).cloned())
    }

    async fn remove_snapshot(&self, stream: &StreamId, version: Version) -> Result<(), AppendError> {
        self.write()?.snapshots.remove(&(stream.clone(), version));
        Ok(())
    }

    async fn close(&self) -> Result<(), AppendError> {
        match std::mem::replace(&mut *locked(&self.closed), true) {
            true => Err(AppendError::Closed),
            false => Ok(()),
        }
    }
}
