//! The store of events: the trait that every store implements, and the stores.
//!
//! To the store an event is a name, a schema number and bytes; what they mean is not its business.
//!
//! - [`memory`]: for tests and as the oracle of the others
//! - [`sled`]: on disk, durable before it answers
//! - [`looked_at`]: reads what can be read of a damaged store
//! - [`verify`]: proves a store whole, or names what is damaged
//! - [`conformance`]: what every store must do, as a suite that anyone can run on their own
//! - [`fault`]: wraps any store in one that fails on purpose

mod admission;
pub mod conformance;
pub mod fatal;
pub mod fault;
pub mod looked_at;
pub mod memory;
pub mod sled;
mod snapshot;
pub mod verify;
mod views;

use std::sync::Arc;

use async_trait::async_trait;

pub use self::snapshot::{SNAPSHOT_BYTES_MAX, Snapshot};
pub use crate::events::commit::Head;
use crate::events::commit::{Commit, Recorded};
use crate::events::ids::{Hash, Position, StreamId, Version};
use crate::events::json::{Blob, BlobRef};
pub use crate::events::limits::{VIEW_KEY_BYTES_MAX, VIEW_ROW_BYTES_MAX};
use crate::events::problem::Code;
pub use crate::events::rows::{ViewChange, ViewRow};

/// The answer to an append: the commit is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The position of its last event.
    pub position: Position,
}

/// Why a commit was not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Somebody else wrote to the stream. Nothing was stored: read again and decide anew.
    #[error("the stream is at version {actual}, not {expected}")]
    Conflict {
        /// The version that the commit follows.
        expected: Version,
        /// The version at which the stream is.
        actual: Version,
    },
    /// The commit can never be stored, as the text says. Nothing was stored.
    #[error("the commit cannot be stored: {0}")]
    Refused(String),
    /// The disk failed. Whether the commit is stored is not known until the store is opened again, and until
    /// then every append fails like this.
    #[error("the disk failed: {0}")]
    Failed(String),
    /// The store is closed. Nothing was stored.
    #[error("the store is closed")]
    Closed,
}

impl AppendError {
    /// The code under which people are told of it.
    pub const fn code(&self) -> Code {
        match self {
            Self::Conflict { .. } => Code::Conflict,
            Self::Refused(_) => Code::CommitRefused,
            Self::Failed(_) => Code::StoreFailed,
            Self::Closed => Code::ShuttingDown,
        }
    }
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// What is stored there is not what was written.
    #[error("damaged at position {position}: {what}")]
    Damaged {
        /// The first bad position; 0 if the damage is not at an event.
        position: Position,
        /// The kind of damage, in words for people.
        what: String,
    },
    /// The disk failed; the text says how.
    #[error("the disk failed: {0}")]
    Failed(String),
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

impl ReadError {
    /// The code under which people are told of it.
    pub const fn code(&self) -> Code {
        match self {
            Self::Damaged { .. } => Code::StoreDamaged,
            Self::Failed(_) => Code::StoreUnreadable,
            Self::Closed => Code::ShuttingDown,
        }
    }
}

/// A store of events. An adapter owns its batching; `append` answers when the commit is durable.
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// Stores a commit and the blobs that it refers to, all or nothing, right after version `first - 1` of
    /// its stream. Blobs that are there already are not stored again.
    ///
    /// # Errors
    /// See [`AppendError`]: only after `Failed` it is unknown whether the commit is stored. A blob may be
    /// stored without its commit, but never a commit without its blobs.
    async fn append(&self, commit: Commit, blobs: Vec<Blob>) -> Result<Appended, AppendError>;

    /// The last event of a stream; none if the stream is empty.
    async fn head(&self, stream: &StreamId) -> Result<Option<Head>, ReadError>;

    /// At most `limit` events of a stream, in order, from the one after `after`.
    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError>;

    /// At most `limit` events of the store, in order, from the one after `after`.
    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<Recorded>, ReadError>;

    /// At most `limit` commits, in order, from the first that begins after `after`: as they lie in the store,
    /// damaged ones too. This is for proving a store whole; to read events, use [`EventStore::read_all`].
    async fn read_commits(&self, after: Position, limit: usize) -> Result<Vec<StoredCommit>, ReadError>;

    /// The position of the last durable event, and every later one as it comes.
    fn committed(&self) -> tokio::sync::watch::Receiver<Position>;

    /// The first damage that was found when the store was opened. Such a store takes no appends.
    fn damage(&self) -> Option<ReadError> {
        None
    }

    /// Damage that a process noted when it met it. A store with such a note takes no appends.
    fn noted_damage(&self) -> Option<String> {
        None
    }

    /// Notes durably that the store is damaged: from here on it takes no appends.
    fn note_damage(&self, _what: &str) {}

    /// Takes back what was noted: the store was proved whole.
    fn forget_damage(&self) {}

    /// Reads what is stored beside commits and blobs; answers what of it cannot be read, a line for each.
    async fn read_rest(&self) -> Vec<String> {
        Vec::new()
    }

    /// The content of a blob; none if it is not stored. Blocks for the length of a disk read.
    ///
    /// # Errors
    /// `Damaged` when the content does not have the hash that names it.
    fn blob(&self, hash: &Hash) -> Result<Option<Arc<[u8]>>, ReadError>;

    /// Every blob that is stored, in the order of hashes: at most `limit` after `after`.
    async fn blobs(&self, after: Option<Hash>, limit: usize) -> Result<Vec<BlobRef>, ReadError>;

    /// The position up to which a read model was saved; 0 if it never was.
    async fn view_position(&self, view: &'static str) -> Result<Position, ReadError>;

    /// The bytes of a row of a read model; none if there is no such row.
    async fn view_row(&self, view: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError>;

    /// At most `limit` rows of a read model in the order of keys, after the key `after`.
    async fn view_rows(
        &self,
        view: &'static str,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<ViewRow>, ReadError>;

    /// Saves changed rows of a read model, together with the position up to which they are folded. It is a
    /// cache: it becomes durable with some later commit, and never before the events that it was folded from.
    ///
    /// # Errors
    /// The same as those of [`EventStore::append`].
    async fn save_view(
        &self,
        view: &'static str,
        position: Position,
        rows: Vec<ViewChange>,
    ) -> Result<(), AppendError>;

    /// Saves a snapshot of a stream; one of that version is replaced. It is a cache: it may be lost in a
    /// crash, and nothing goes wrong if it cannot be saved.
    ///
    /// # Errors
    /// The same as those of [`EventStore::append`], except for conflicts: the store does not look at what the
    /// stream holds. After `Failed` the store goes on.
    async fn save_snapshot(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), AppendError>;

    /// The versions of which snapshots of a stream exist, in ascending order.
    async fn snapshots(&self, stream: &StreamId) -> Result<Vec<Version>, ReadError>;

    /// The snapshot of a stream at a version; none if none was saved.
    ///
    /// # Errors
    /// `Damaged` when it is not what was saved: the caller is to remove it.
    async fn snapshot(&self, stream: &StreamId, version: Version) -> Result<Option<Snapshot>, ReadError>;

    /// Removes a snapshot of a stream, if there is one of that version.
    ///
    /// # Errors
    /// The same as those of [`EventStore::save_snapshot`].
    async fn remove_snapshot(&self, stream: &StreamId, version: Version) -> Result<(), AppendError>;

    /// Saves what is only in memory, and ends. Later calls fail with `Closed`.
    async fn close(&self) -> Result<(), AppendError>;
}

/// A commit as it lies in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCommit {
    /// The position of its first event.
    pub position: Position,
    /// The length of its encoded form, in bytes.
    pub size_bytes: u64,
    /// The commit, or why its bytes are not one.
    pub commit: Result<Commit, String>,
}
