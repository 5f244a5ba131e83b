//! Whether all that a decision may read is in memory. What is not is read by a thread that may block, so that no stream
//! holds up the others of its arbiter.

use std::collections::HashSet;

use crate::actors::library::{CACHED_BYTES_MAX, Library};
use crate::events::ids::Hash;
use crate::events::json::Blob;
use crate::kernel::fold::{CONTENT_KNOWN_MAX, Content};

/// Whether all content that a state refers to is in memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Memory {
    /// It was, when the library had kept so many bytes.
    Whole(u64),
    /// Some of this was not.
    Partial(HashSet<Hash>),
    /// It is not known what it refers to.
    #[default]
    Unknown,
}

impl Memory {
    /// Of a state that was loaded. What is not in memory is not read for that: no decision may need it.
    pub(super) fn of(content: Content) -> Self {
        match content {
            Content::Known(known) => Self::Partial(known),
            Content::Unknown => Self::Unknown,
        }
    }

    /// Keeps what is about to be stored with a commit.
    pub(super) fn keep(&mut self, blobs: &[Blob], library: &Library) {
        // Most commits have none, and all streams share one library.
        if blobs.is_empty() {
            return;
        }
        blobs.iter().for_each(|blob| library.keep(blob));
        let hashes = blobs.iter().map(|blob| &blob.reference.hash);
        match self {
            Self::Whole(since) => match library.holds(hashes.clone()) {
                Some(fresh) => *since = (*since).min(fresh),
                None => *self = Self::Unknown,
            },
            Self::Partial(known) if known.len() < CONTENT_KNOWN_MAX => known.extend(hashes.copied()),
            Self::Partial(_) | Self::Unknown => *self = Self::Unknown,
        }
    }

    /// Whether a decision reads nothing that is not in memory.
    pub(super) fn holds_all(&mut self, library: &Library) -> bool {
        if let Self::Partial(known) = self
            && let Some(since) = library.holds(&*known)
        {
            *self = Self::Whole(since);
        }
        matches!(self, Self::Whole(since) if library.kept() - *since <= CACHED_BYTES_MAX as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::memory::MemoryStore;

    fn blob(number: u32) -> Blob {
        Blob::new([number.to_le_bytes().as_slice(), &[0; 1 << 20]].concat())
    }

    #[test]
    fn what_was_kept_is_in_memory_until_so_much_was_kept_after_it() {
        let library = Library::new(Arc::new(MemoryStore::new()));
        let mut memory = Memory::of(Content::none());
        assert!(memory.holds_all(&library), "it refers to nothing");
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
    }

    #[test]
    fn what_is_not_in_memory_is_found_once_it_was_read() {
        let library = Library::new(Arc::new(MemoryStore::new()));
        let mut memory =
            Memory::of(Content::Known([blob(1), blob(2)].map(|blob| blob.reference.hash).into()));
        assert!(!memory.holds_all(&library));
        library.keep(&blob(1));
        assert!(!memory.holds_all(&library), "one of the two");
        memory.keep(&[blob(3)], &library);
        library.keep(&blob(2));
        assert!(memory.holds_all(&library));
        assert!(!Memory::of(Content::Unknown).holds_all(&library));
    }
}
