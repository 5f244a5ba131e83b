//! What a simulated run may read.

use std::sync::Arc;

use crate::events::ids::Hash;
use crate::store::EventStore;
use crate::store::memory::MemoryStore;
use crate::workflow::aggregate::{Blobs, Unreadable};
use crate::workflow::definition::Definition;

/// Content by its hash; the definition as it was given.
pub(super) struct Shelf<'a> {
    pub(super) store: &'a MemoryStore,
    pub(super) definition: &'a (Hash, Arc<Definition>),
}

impl Blobs for Shelf<'_> {
    fn read(&self, hash: &Hash) -> Result<Arc<[u8]>, Unreadable> {
        let unreadable = |why: String| Unreadable { hash: *hash, why };
        let found = self.store.blob(hash).map_err(|error| unreadable(error.to_string()))?;
        found.ok_or_else(|| unreadable("it is not stored".to_owned()))
    }

    fn definition(&self, hash: &Hash) -> Result<Arc<Definition>, Unreadable> {
        if self.definition.0 == *hash {
            return Ok(Arc::clone(&self.definition.1));
        }
        // The steps of a plan.
        let unreadable = |why: String| Unreadable { hash: *hash, why };
        let bytes = self.read(hash)?;
        let text = std::str::from_utf8(&bytes).map_err(|error| unreadable(error.to_string()))?;
        Definition::from_json(text).map(Arc::new).map_err(|problem| unreadable(problem.message))
    }
}
