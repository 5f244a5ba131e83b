//! What a test gives to decisions.

use std::sync::Arc;

use crate::events::ids::Hash;
use crate::kernel::core::Environment;
use crate::kernel::{Aggregate, Blobs, Now, Unreadable, Value, ValueKey};
use crate::store::EventStore;
use crate::store::memory::MemoryStore;

/// What a test gives to decisions, beside the time and the stored blobs.
pub trait Supply<A: Aggregate> {
    /// What the command may use of scarce things.
    fn grants(&mut self, state: &A, command: &A::Command) -> A::Grants;

    /// The value of one blob that need not be decoded, if there is one.
    fn remembered(&self) -> Option<(ValueKey, Value)> {
        None
    }
}

impl<A: Aggregate<Grants = ()>> Supply<A> for () {
    fn grants(&mut self, _: &A, _: &A::Command) {}
}

pub(super) struct Supplied<'a, L> {
    pub(super) now: Now,
    pub(super) seed: &'a mut u64,
    pub(super) blobs: Arc<dyn Blobs>,
    pub(super) lends: &'a mut L,
}

impl<A: Aggregate, L: Supply<A>> Environment<A> for Supplied<'_, L> {
    fn now(&mut self) -> Now {
        self.now
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::clone(&self.blobs)
    }

    fn seed(&mut self) -> u64 {
        *self.seed += 1;
        *self.seed
    }

    fn grant(&mut self, state: &A, command: &A::Command, _: &[A::Effect]) -> Option<A::Grants> {
        Some(self.lends.grants(state, command))
    }

    fn take_back(&mut self) {}
}

/// The stored blobs, by their hashes.
pub(super) struct Shelf {
    pub(super) store: Arc<MemoryStore>,
    pub(super) remembered: Option<(ValueKey, Value)>,
}

impl Blobs for Shelf {
    fn read(&self, hash: &Hash) -> Result<Arc<[u8]>, Unreadable> {
        let unreadable = |why: String| Unreadable { hash: *hash, why };
        let found = self.store.blob(hash).map_err(|error| unreadable(error.to_string()))?;
        found.ok_or_else(|| unreadable("it is not stored".to_owned()))
    }

    fn remembered(&self, key: &ValueKey) -> Option<Value> {
        let (of, value) = self.remembered.as_ref()?;
        (of == key).then(|| Arc::clone(value))
    }
}
