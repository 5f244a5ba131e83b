//! What the writer and the readers of a store have in common, and what becomes of damage that they meet.

use std::collections::{BTreeMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use sled::{Db, IVec};
use tokio::sync::watch;

use super::blobs::{BlobFile, BlobFiles};
use super::index::{self, Index};
use super::layout;
use super::note::DamageNote;
use super::read::{self, Stretch, read_error};
use super::snapshots::SnapshotFiles;
use super::{Durability, KNOWN_BLOBS_MAX};
use crate::events::commit::Recorded;
use crate::events::ids::{Hash, Position, StreamId, Version};
use crate::events::json::{Blob, BlobRef};
use crate::events::limits::TREE_BLOB_BYTES_MAX;
use crate::store::{AppendError, ReadError};

/// The state that the writer and the readers share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The database; none once the store is closed.
    pub(super) db: RwLock<Option<Db>>,
    pub(super) files: BlobFiles,
    pub(super) snapshots: SnapshotFiles,
    pub(super) durability: Durability,
    pub(super) index: Mutex<Index>,
    pub(super) committed: watch::Sender<Position>,
    pub(super) known_blobs: Mutex<HashSet<Hash>>,
    /// Why nothing is stored any more, once a write has failed.
    pub(super) failed: Mutex<Option<String>>,
    /// The damage that was found when the store was opened.
    pub(super) damage: Option<ReadError>,
    /// The note about damage found at any time, by any reader.
    pub(super) note: DamageNote,
}

/// Locks it, also after a panic: each change of the maps is one step.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) const PANICKED: &str = "the store panicked";

impl Shared {
    pub(super) fn fail(&self, what: &str) {
        lock(&self.failed).get_or_insert_with(|| what.to_owned());
    }

    /// Why nothing is stored any more, if that is so.
    pub(super) fn failure(&self) -> Option<String> {
        self.note.refusal().or_else(|| lock(&self.failed).clone())
    }

    /// Whether the store was found damaged, when it was opened or later: then nothing in it is changed.
    pub(super) fn is_damaged(&self) -> bool {
        self.damage.is_some() || self.note.said().is_some()
    }

    /// Why an append was not answered: the writer is gone.
    pub(super) fn refusal(&self) -> AppendError {
        self.failure().map_or(AppendError::Closed, AppendError::Failed)
    }

    /// Runs `work` on the database while the store is open. A panic of sled becomes an error: sled panics
    /// where it finds its own structures broken.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Db) -> Result<T, ReadError>) -> Result<T, ReadError> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let db = db.as_ref().ok_or(ReadError::Closed)?;
        catch_unwind(AssertUnwindSafe(|| work(db))).unwrap_or_else(|_| Err(self.panicked()))
    }

    /// The error for a panic of sled: after a write that failed, sled's structures are in an unknown state;
    /// otherwise the file is not what was written.
    fn panicked(&self) -> ReadError {
        let what = PANICKED.to_owned();
        match *lock(&self.failed) {
            Some(_) => ReadError::Failed(what),
            None => ReadError::Damaged { position: Position(0), what },
        }
    }

    /// Reads what must never be lost. Damage that it finds is noted: nothing more is written to such a store.
    pub(super) fn look<T>(&self, work: impl FnOnce(&Db) -> Result<T, ReadError>) -> Result<T, ReadError> {
        self.noting(self.read(work))
    }

    /// The same result; if it is damage, it is noted.
    pub(super) fn noting<T>(&self, result: Result<T, ReadError>) -> Result<T, ReadError> {
        result.inspect_err(|error| {
            if let ReadError::Damaged { .. } = error {
                self.note.write(&error.to_string());
            }
        })
    }

    /// Closes the files once no read is under way.
    pub(super) fn release(&self) -> Result<(), String> {
        let db = self.db.write().unwrap_or_else(PoisonError::into_inner).take();
        // sled syncs when it is dropped, and panics if it cannot.
        catch_unwind(AssertUnwindSafe(|| drop(db))).map_err(|_| PANICKED.to_owned())
    }

    /// Makes long blobs durable as files; answers the others, which go into the tree with the commit.
    pub(super) fn store_blobs(&self, blobs: Vec<Blob>) -> Result<Vec<(Hash, Vec<IVec>)>, AppendError> {
        let mut for_tree = Vec::new();
        for blob in blobs {
            let hash = blob.reference.hash;
            if blob.bytes.len() > TREE_BLOB_BYTES_MAX {
                self.files.store(&blob).map_err(|error| {
                    self.fail(&error.to_string());
                    AppendError::Failed(error.to_string())
                })?;
                self.remember_blob(hash);
                continue;
            }
            let first = layout::blob_part_key(&hash, 0);
            let stored = self.look(|db| db.contains_key(first).map_err(|error| read_error(&error)));
            if !stored.map_err(|error| AppendError::Failed(error.to_string()))? {
                for_tree.push((hash, layout::parts(&blob.bytes)));
            }
        }
        Ok(for_tree)
    }

    pub(super) fn remember_blob(&self, hash: Hash) {
        let mut known = lock(&self.known_blobs);
        if known.len() >= KNOWN_BLOBS_MAX {
            known.clear();
        }
        known.insert(hash);
    }

    /// Whether it is known without a look into the tree that a stream has no events. Of a store that is closed, or is about to
    /// be, nothing is.
    pub(super) fn is_known_to_be_empty(&self, stream: &StreamId) -> bool {
        let is_open = self.db.try_read().is_ok_and(|db| db.is_some());
        is_open && lock(&self.index).known_head(stream).is_some_and(|head| head.version == Version(0))
    }

    pub(super) fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        let tail = lock(&self.index).tail(stream);
        self.look(|db| {
            let mut events = Vec::new();
            for extent in index::extents(db, stream, tail, after, limit)? {
                if events.len() >= limit {
                    break;
                }
                let (first, position, count) = (extent.first, extent.position, extent.count);
                Stretch { stream, first, position, count }.read(db, after, limit, &mut events)?;
            }
            Ok(events)
        })
    }

    pub(super) fn blob(&self, hash: &Hash) -> Result<Option<Arc<[u8]>>, ReadError> {
        let in_tree = self.look(|db| read::tree_blob(db, &layout::blob_prefix(hash)))?;
        let found = match in_tree {
            Some(content) if Hash::of(&content) == *hash => BlobFile::Whole(content),
            Some(_) => BlobFile::Another,
            None => self.files.read(hash).map_err(|error| ReadError::Failed(error.to_string()))?,
        };
        self.noting(match found {
            BlobFile::Whole(content) => Ok(Some(Arc::from(content))),
            BlobFile::None => Ok(None),
            BlobFile::Another => {
                let what = format!("the blob {hash} is not what was stored under that name");
                Err(ReadError::Damaged { position: Position(0), what })
            }
        })
    }

    pub(super) fn blobs(&self, after: Option<Hash>, limit: usize) -> Result<Vec<BlobRef>, ReadError> {
        let files = self.files.list(after, limit).map_err(|error| ReadError::Failed(error.to_string()))?;
        let mut sizes: BTreeMap<Hash, u64> = self.look(|db| read::tree_blobs(db, after, limit))?;
        sizes.extend(files.iter().map(|blob| (blob.hash, blob.size_bytes)));
        Ok(sizes.into_iter().take(limit).map(|(hash, size_bytes)| BlobRef { hash, size_bytes }).collect())
    }
}
