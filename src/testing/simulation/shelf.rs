//! What a simulated run may read.

use std::any::TypeId;
use std::sync::Arc;

use crate::events::ids::Hash;
use crate::kernel::{Blobs, Unreadable, Value, ValueKey};
use crate::store::EventStore;
use crate::store::memory::MemoryStore;
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

    fn remembered(&self, key: &ValueKey) -> Option<Value> {
        let is_it = *key == (self.definition.0, TypeId::of::<Definition>());
        is_it.then(|| Arc::clone(&self.definition.1) as Value)
    }
}
