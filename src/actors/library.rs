//! Content by its hash, for decisions: a bounded memory in front of the store.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;

use crate::events::ids::Hash;
use crate::events::json::Blob;
use crate::kernel::{Blobs, Unreadable, Value, ValueKey};
use crate::store::EventStore;

/// How much content is kept in memory. What runs pass from step to step is small; what is larger is read again.
pub const CACHED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How much content is kept as what it means, definitions above all. A process sees few; a test may see many.
const VALUES_MAX: usize = 256;

/// Reads blobs from a store and remembers the latest. A miss blocks for the length of a disk read: who must not block asks
/// [`Library::holds`] before.
pub struct Library {
    store: Arc<dyn EventStore>,
    cache: Mutex<Cache>,
    values: DashMap<ValueKey, Value>,
    /// How many bytes of content were kept so far.
    kept: AtomicU64,
}

/// The latest content: what came first goes first.
#[derive(Default)]
struct Cache {
    /// Each with how many bytes had been kept before it.
    content: HashMap<Hash, (Arc<[u8]>, u64)>,
    order: VecDeque<Hash>,
    bytes: usize,
}

impl Library {
    /// A library of what that store holds.
    pub fn new(store: Arc<dyn EventStore>) -> Self {
        Self { store, cache: Mutex::default(), values: DashMap::new(), kept: AtomicU64::new(0) }
    }

    /// Remembers content that is on its way into the store.
    pub fn keep(&self, blob: &Blob) {
        self.insert(blob.reference.hash, &blob.bytes);
    }

    /// How many bytes of content were kept so far.
    pub fn kept(&self) -> u64 {
        self.kept.load(Ordering::Acquire)
    }

    /// Whether all of this is in memory: if so, how many bytes had been kept before the first of it. It stays so as long as
    /// no more than [`CACHED_BYTES_MAX`] are kept after that.
    pub fn holds<'a>(&self, content: impl IntoIterator<Item = &'a Hash>) -> Option<u64> {
        let mut content = content.into_iter().peekable();
        if content.peek().is_none() {
            return Some(self.kept());
        }
        let cache = self.cache();
        let mut first = self.kept();
        for hash in content {
            first = first.min(cache.content.get(hash)?.1);
        }
        Some(first)
    }

    fn insert(&self, hash: Hash, bytes: &Arc<[u8]>) {
        let mut cache = self.cache();
        // What is larger than a part of the cache would only push everything else out.
        if bytes.len() > CACHED_BYTES_MAX / 4 || cache.content.contains_key(&hash) {
            return;
        }
        let before = self.kept.fetch_add(bytes.len() as u64, Ordering::AcqRel);
        cache.bytes += bytes.len();
        cache.content.insert(hash, (Arc::clone(bytes), before));
        cache.order.push_back(hash);
        while cache.bytes > CACHED_BYTES_MAX {
            let Some(oldest) = cache.order.pop_front() else { return };
            cache.bytes -= cache.content.remove(&oldest).map_or(0, |(bytes, _)| bytes.len());
        }
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blobs for Library {
    fn read(&self, hash: &Hash) -> Result<Arc<[u8]>, Unreadable> {
        let cached = self.cache().content.get(hash).map(|(bytes, _)| Arc::clone(bytes));
        if let Some(bytes) = cached {
            return Ok(bytes);
        }
        let unreadable = |why: String| Unreadable { hash: *hash, why };
        let found = self.store.blob(hash).map_err(|error| unreadable(error.to_string()))?;
        let bytes = found.ok_or_else(|| {
            self.store.note_damage(&format!("the blob {hash} is missing"));
            unreadable("it is not stored".to_owned())
        })?;
        self.insert(*hash, &bytes);
        Ok(bytes)
    }

    fn remembered(&self, key: &ValueKey) -> Option<Value> {
        self.values.get(key).map(|value| Arc::clone(&value))
    }

    fn remember(&self, key: ValueKey, value: Value) {
        if self.values.len() >= VALUES_MAX {
            self.values.clear();
        }
        self.values.insert(key, value);
    }
}
