//! The store on disk: sled, used as `layout` says, and synced so that a power cut loses nothing.
//!
//! ```text
//! append ─ encode ─► queue ─► writer: check versions, one batch, flush, sync ─► answers
//!                               └─► index and committed position, then what reads see
//! ```
//!
//! A store's folder holds `events/` (sled's own), `blobs/` (files of long blobs), `snapshots/`, `mark` (how
//! far it has come), and if it was found damaged `damaged` (what was found). What must be known of sled
//! 0.34.7 stands where it matters: `layout` (sizes), `pack` (keys), `writer` (syncs), `open` (recovery).

mod blobs;
mod index;
mod layout;
mod mark;
mod note;
mod open;
mod pack;
mod read;
mod rest;
mod shared;
mod snapshots;
mod whole;
mod writer;
mod writes;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;

use ::sled::IVec;
use async_trait::async_trait;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use self::blobs::BlobFiles;
pub use self::layout::{FIRST_FORMAT_NUMBER as OLDEST_FORMAT, FORMAT_NUMBER as NEWEST_FORMAT};
pub use self::mark::MARK;
use self::note::DamageNote;
pub use self::note::NOTE as DAMAGE_NOTE;
pub use self::open::OpenError;
use self::open::{Opened, Salvage};
use self::pack::Encoded;
use self::shared::{Shared, lock};
use self::snapshots::SnapshotFiles;
use self::whole::WholeFiles;
use self::writer::{Files, NewCommit, NewView, QUEUE_MAX, Writer, WriterMessage};
use super::{
    AppendError, Appended, EventStore, Head, ReadError, Snapshot, StoredCommit, ViewChange, ViewRow,
    admission, snapshot,
};
use crate::events::commit::{Commit, Recorded};
use crate::events::ids::{Hash, Position, StreamId, Version};
use crate::events::json::{Blob, BlobRef};

/// What holds once the store has answered an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// What was acknowledged survives a power cut.
    #[default]
    Power,
    /// What was acknowledged survives the death of the process, not a power cut.
    Process,
}

/// The options with which a store is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SledOptions {
    /// What holds once the store has answered an append.
    pub durability: Durability,
    /// How much of the tree sled keeps in memory, in bytes.
    pub cache_bytes: u64,
    /// The number of commits after which the stream index is saved at the latest: as many are read again at the next start.
    pub checkpoint_commits: usize,
    /// For a copy of a store that was made to be looked at, without long blobs and snapshots: the folder of
    /// the store itself, in which those are read. Nothing in it is changed.
    pub beneath: Option<PathBuf>,
}

impl Default for SledOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Power,
            cache_bytes: 32 * 1024 * 1024,
            checkpoint_commits: 16 * 1024,
            beneath: None,
        }
    }
}

/// Commits and blobs longer than this share [`BULK_BYTES_MAX`] of the queue.
const BULK_FROM_BYTES: usize = 64 * 1024;

/// How much memory the long ones among the waiting commits may take, in bytes. A longer one waits
/// for all of it.
const BULK_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many hashes of stored blobs are remembered: 2 MB. One that is forgotten costs a look into the
/// tree, or a sync.
const KNOWN_BLOBS_MAX: usize = 32 * 1024;

/// How many reads are made at once. They are short, and mostly of what is in memory: more threads would only
/// get in each other's way.
const READS_AT_ONCE: usize = 4;

/// The store on disk. Its methods must be called within a tokio runtime: reads run on its blocking threads.
#[derive(Debug)]
pub struct SledStore {
    shared: Arc<Shared>,
    /// The requests to the writer; none only while the store is being dropped.
    queue: Option<mpsc::Sender<WriterMessage>>,
    bulk: Arc<Semaphore>,
    reads: Semaphore,
    writer: Option<JoinHandle<()>>,
    /// Removes the copy that was opened. Dropped last, when nothing reads it any more.
    _salvage: Option<Salvage>,
}

impl SledStore {
    /// The damage that is noted for the store in a folder, read without opening it.
    pub fn noted_damage_of(folder: &Path) -> Option<String> {
        DamageNote::open(folder).said()
    }

    /// Opens the store in a folder, which is made if it is not there. Blocks while it reads the commits that
    /// the index does not cover.
    ///
    /// # Errors
    /// When it cannot be opened: see [`OpenError`].
    pub fn open(folder: &Path, options: SledOptions) -> Result<Self, OpenError> {
        let folder = &open::true_path(folder)?;
        let opened = open::open(folder, &options).inspect_err(|error| {
            if let OpenError::Damaged { what, .. } = error {
                DamageNote::open(folder).write(what);
            }
        })?;
        Self::of(folder, options, opened, None)
    }

    /// Opens a copy of what can be read of a store that [`SledStore::open`] finds too damaged. It takes no
    /// appends, and is for [`super::verify`], which says from which position on it cannot be read. The store
    /// itself is not touched.
    ///
    /// # Errors
    /// When not even that can be opened, or there is no room for a copy.
    pub fn salvage(folder: &Path, options: SledOptions) -> Result<Self, OpenError> {
        let folder = &open::true_path(folder)?;
        let (opened, copy) = open::salvage(folder, &options)?;
        Self::of(folder, options, opened, Some(copy))
    }

    fn of(
        folder: &Path,
        options: SledOptions,
        opened: Opened,
        salvage: Option<Salvage>,
    ) -> Result<Self, OpenError> {
        let whole = |name| {
            let beneath = options.beneath.as_ref().map(|beneath| beneath.join(name));
            WholeFiles::open(folder.join(name), beneath).map_err(|error| OpenError::of_io(folder, &error))
        };
        let files = BlobFiles::of(whole(open::BLOBS)?, options.durability);
        let snapshots = SnapshotFiles::of(whole(open::SNAPSHOTS)?);
        let refused = opened.damage.as_ref().map(ToString::to_string);
        let note = DamageNote::open(folder);
        refused.iter().for_each(|what| note.write(what));
        let shared = Arc::new(Shared {
            db: RwLock::new(Some(opened.db.clone())),
            files,
            snapshots,
            durability: options.durability,
            index: Mutex::new(opened.index),
            committed: watch::Sender::new(opened.reached),
            known_blobs: Mutex::default(),
            failed: Mutex::new(refused),
            damage: opened.damage,
            note,
        });
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        let files = Files { data: opened.file, data_path: opened.data_path, mark: opened.mark };
        let (last, format) = (opened.last, opened.format);
        let checkpoint_commits = options.checkpoint_commits;
        let writer = Writer::new(Arc::clone(&shared), opened.db, files, last, format, checkpoint_commits);
        let writer = std::thread::Builder::new()
            .name("reenact-store".to_owned())
            .spawn(move || writer.run(requests))
            .map_err(|error| OpenError::unreadable(folder, &error))?;
        let bulk = Arc::new(Semaphore::new(BULK_BYTES_MAX));
        let reads = Semaphore::new(READS_AT_ONCE);
        Ok(Self { shared, queue: Some(queue), bulk, reads, writer: Some(writer), _salvage: salvage })
    }

    async fn send(&self, request: WriterMessage) -> Result<(), AppendError> {
        let queue = self.queue.as_ref().ok_or(AppendError::Closed)?;
        queue.send(request).await.map_err(|_| self.shared.refusal())
    }

    /// Runs work that may wait for the disk on a blocking thread.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> T + Send + 'static,
    ) -> Result<T, String> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || work(&shared)).await.map_err(|error| error.to_string())
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        // It is never closed, so there is always a turn.
        let _turn = self.reads.acquire().await;
        self.blocking(work).await.unwrap_or_else(|error| Err(ReadError::Failed(error)))
    }

    /// Makes long blobs durable as files; answers the others, which must go into the tree with the commit.
    async fn store_blobs(&self, mut blobs: Vec<Blob>) -> Result<Vec<(Hash, Vec<IVec>)>, AppendError> {
        if !blobs.is_empty() {
            let known = lock(&self.shared.known_blobs);
            blobs.retain(|blob| !known.contains(&blob.reference.hash));
        }
        if blobs.is_empty() {
            return Ok(Vec::new());
        }
        let stored = self.blocking(move |shared| shared.store_blobs(blobs)).await;
        stored.unwrap_or_else(|error| Err(AppendError::Failed(error)))
    }
}

#[async_trait]
impl EventStore for SledStore {
    async fn append(&self, commit: Commit, blobs: Vec<Blob>) -> Result<Appended, AppendError> {
        if let Some(what) = self.shared.failure() {
            return Err(AppendError::Failed(what));
        }
        let bytes = admission::encode(&commit, &blobs)?;
        let blobs = self.store_blobs(blobs).await?;
        let size =
            bytes.len() + blobs.iter().flat_map(|(_, content)| content).map(|part| part.len()).sum::<usize>();
        let room = match u32::try_from(size.min(BULK_BYTES_MAX)) {
            Ok(bulk) if size > BULK_FROM_BYTES => Arc::clone(&self.bulk).acquire_many_owned(bulk).await.ok(),
            _ => None,
        };
        let stored: Vec<_> = blobs.iter().map(|(hash, _)| *hash).collect();
        let (answer, answered) = oneshot::channel();
        self.send(WriterMessage::Commit(NewCommit {
            stream: commit.header.stream.clone(),
            first: commit.header.first,
            count: commit.count(),
            hash: commit.last_hash(),
            format: layout::format_with(commit.format()),
            bytes: Encoded::new(bytes, commit.count()),
            blobs,
            answer,
            room,
        }))
        .await?;
        let appended = answered.await.unwrap_or_else(|_| Err(self.shared.refusal()))?;
        stored.into_iter().for_each(|hash| self.shared.remember_blob(hash));
        Ok(appended)
    }

    async fn head(&self, stream: &StreamId) -> Result<Option<Head>, ReadError> {
        if let Some(head) = lock(&self.shared.index).known_head(stream) {
            return Ok(Some(head).filter(|head| head.version > Version(0)));
        }
        let stream = stream.clone();
        self.read(move |shared| shared.look(|db| index::saved_head(db, &stream))).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        if self.shared.is_known_to_be_empty(stream) {
            return Ok(Vec::new());
        }
        let stream = stream.clone();
        self.read(move |shared| shared.read_stream(&stream, after, limit)).await
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        let upto = *self.shared.committed.borrow();
        self.read(move |shared| shared.look(|db| read::events_between(db, after, upto, limit))).await
    }

    async fn read_commits(&self, after: Position, limit: usize) -> Result<Vec<StoredCommit>, ReadError> {
        let upto = *self.shared.committed.borrow();
        self.read(move |shared| shared.look(|db| read::commits_between(db, after, upto, limit))).await
    }

    fn committed(&self) -> watch::Receiver<Position> {
        self.shared.committed.subscribe()
    }

    fn damage(&self) -> Option<ReadError> {
        self.shared.damage.clone()
    }

    fn noted_damage(&self) -> Option<String> {
        self.shared.note.said()
    }

    fn note_damage(&self, what: &str) {
        self.shared.note.write(what);
    }

    fn forget_damage(&self) {
        self.shared.note.remove();
    }

    async fn read_rest(&self) -> Vec<String> {
        let wrong = self.read(move |shared| shared.look(|db| Ok(rest::wrong(db)))).await;
        wrong.unwrap_or_else(|error| vec![error.to_string()])
    }

    fn blob(&self, hash: &Hash) -> Result<Option<Arc<[u8]>>, ReadError> {
        self.shared.blob(hash)
    }

    async fn blobs(&self, after: Option<Hash>, limit: usize) -> Result<Vec<BlobRef>, ReadError> {
        self.read(move |shared| shared.blobs(after, limit)).await
    }

    async fn view_position(&self, view: &'static str) -> Result<Position, ReadError> {
        self.read(move |shared| shared.look(|db| read::view_position(db, view))).await
    }

    async fn view_row(&self, view: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let key = layout::view_row_key(view, key);
        self.read(move |shared| shared.look(|db| read::view_row(db, &key))).await
    }

    async fn view_rows(
        &self,
        view: &'static str,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<ViewRow>, ReadError> {
        let after = after.map(<[u8]>::to_vec);
        self.read(move |shared| shared.look(|db| read::view_rows(db, view, after.as_deref(), limit))).await
    }

    async fn save_view(
        &self,
        view: &'static str,
        position: Position,
        rows: Vec<ViewChange>,
    ) -> Result<(), AppendError> {
        admission::check_rows(&rows)?;
        let (answer, answered) = oneshot::channel();
        self.send(WriterMessage::View(NewView { view, position, rows, answer })).await?;
        answered.await.unwrap_or_else(|_| Err(self.shared.refusal()))
    }

    async fn save_snapshot(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), AppendError> {
        snapshot::check(&snapshot)?;
        let stream = stream.clone();
        self.change_snapshots(move |files| files.save(&stream, &snapshot)).await
    }

    async fn snapshots(&self, stream: &StreamId) -> Result<Vec<Version>, ReadError> {
        let stream = stream.clone();
        self.read_snapshots(move |files| files.list(&stream)).await
    }

    async fn snapshot(&self, stream: &StreamId, version: Version) -> Result<Option<Snapshot>, ReadError> {
        let stream = stream.clone();
        self.read_snapshots(move |files| files.read(&stream, version)).await
    }

    async fn remove_snapshot(&self, stream: &StreamId, version: Version) -> Result<(), AppendError> {
        let stream = stream.clone();
        self.change_snapshots(move |files| files.remove(&stream, version)).await
    }

    async fn close(&self) -> Result<(), AppendError> {
        let (answer, answered) = oneshot::channel();
        self.send(WriterMessage::Close(answer)).await?;
        answered.await.unwrap_or_else(|_| Err(self.shared.refusal()))
    }
}

impl Drop for SledStore {
    /// Without [`EventStore::close`] the index stays as it was last saved, and is caught up
    /// at the next start.
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take() {
            // The writer contains its panics; if it died of one all the same, there is nothing left to save.
            let _ = writer.join();
        }
        let _ = self.shared.release();
    }
}

#[cfg(test)]
mod tests;
