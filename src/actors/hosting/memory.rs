//! Whether all that a decision may read is in memory. What is not is read by a thread that may block, so that no stream
//! holds up the others of its arbiter.

use std::sync::Arc;

use crate::actors::library::{CACHED_BYTES_MAX, Library};
use crate::events::json::Blob;
use crate::kernel::Blobs;
use crate::kernel::fold::Content;

/// Whether all content that a state refers to is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Memory {
    /// It was, when the library had kept so many bytes.
    Whole(u64),
    /// Some of it may not be.
    #[default]
    Partial,
}

impl Memory {
    /// Reads what a state refers to that was loaded.
    pub(super) async fn of(content: &Content, library: Arc<Library>) -> Self {
        let Content::Known(known) = content.clone() else { return Self::Partial };
        if let Some(since) = library.holds(&known) {
            return Self::Whole(since);
        }
        let fetched = tokio::task::spawn_blocking(move || {
            // What cannot be read is told of by whoever needs it.
            let _ = known.iter().try_for_each(|hash| library.read(hash).map(drop));
            library.holds(&known)
        });
        fetched.await.ok().flatten().map_or(Self::Partial, Self::Whole)
    }

    /// Keeps what is about to be stored with a commit.
    pub(super) fn keep(&mut self, blobs: &[Blob], library: &Library) {
        blobs.iter().for_each(|blob| library.keep(blob));
        let hashes = blobs.iter().map(|blob| &blob.reference.hash);
        *self = match (*self, library.holds(hashes)) {
            (Self::Whole(since), Some(fresh)) => Self::Whole(since.min(fresh)),
            _ => Self::Partial,
        };
    }

    pub(super) fn holds_all(self, library: &Library) -> bool {
        matches!(self, Self::Whole(since) if library.kept() - since <= CACHED_BYTES_MAX as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;

    #[tokio::test]
    async fn what_was_kept_is_in_memory_until_so_much_was_kept_after_it() {
        let library = Arc::new(Library::new(Arc::new(MemoryStore::new())));
        let blob = |number: u32| Blob::new([number.to_le_bytes().as_slice(), &[0; 1 << 20]].concat());
        let mut memory = Memory::of(&Content::default(), Arc::clone(&library)).await;
        memory.keep(&[blob(0)], &library);
        let mut number = 0;
        while memory.holds_all(&library) {
            assert!(
                library.holds(&[blob(0).reference.hash]).is_some(),
                "it says so, and it is not: {number}"
            );
            number += 1;
            library.keep(&blob(number));
        }
        assert!(number > 6, "{number}");
        assert_eq!(library.holds(&[blob(0).reference.hash]), None, "it is forgotten no sooner than that");
        assert_eq!(Memory::of(&Content::Unknown, library).await, Memory::Partial);
    }
}
