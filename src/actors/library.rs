//! Content by its hash, for decisions: a bounded memory in front of the store.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;

use crate::events::ids::Hash;
use crate::events::json::Blob;
use crate::kernel::{Blobs, Unreadable, Value, ValueKey};
use crate::store::EventStore;

/// How much content is kept in memory. What runs pass from step to step is small; what is larger is read again.
const CACHED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How much content is kept as what it means, definitions above all. A process sees few; a test may see many.
const VALUES_MAX: usize = 256;

/// Reads blobs from a store and remembers the latest. A miss blocks for the length of a disk read.
pub struct Library {
    store: Arc<dyn EventStore>,
    cache: Mutex<Cache>,
    values: DashMap<ValueKey, Value>,
}

#[derive(Default)]
struct Cache {
    content: HashMap<Hash, Arc<[u8]>>,
    /// In the order of arrival.
    order: VecDeque<Hash>,
    bytes: usize,
}

impl Library {
    /// A library of what that store holds.
    pub fn new(store: Arc<dyn EventStore>) -> Self {
        Self { store, cache: Mutex::default(), values: DashMap::new() }
    }

    /// Remembers content that is on its way into the store.
    pub fn keep(&self, blob: &Blob) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.insert(blob.reference.hash, Arc::clone(&blob.bytes));
    }
}

impl Cache {
    fn insert(&mut self, hash: Hash, bytes: Arc<[u8]>) {
        // What is larger than a part of the cache would only push everything else out.
        if bytes.len() > CACHED_BYTES_MAX / 4 || self.content.contains_key(&hash) {
            return;
        }
        self.bytes += bytes.len();
        self.content.insert(hash, bytes);
        self.order.push_back(hash);
        while self.bytes > CACHED_BYTES_MAX {
            let Some(oldest) = self.order.pop_front() else { return };
            self.bytes -= self.content.remove(&oldest).map_or(0, |bytes| bytes.len());
        }
    }
}

impl Blobs for Library {
    fn read(&self, hash: &Hash) -> Result<Arc<[u8]>, Unreadable> {
        let cached = self.cache.lock().unwrap_or_else(PoisonError::into_inner).content.get(hash).cloned();
        if let Some(bytes) = cached {
            return Ok(bytes);
        }
        let unreadable = |why: String| Unreadable { hash: *hash, why };
        let found = self.store.blob(hash).map_err(|error| unreadable(error.to_string()))?;
        let bytes = found.ok_or_else(|| {
            self.store.note_damage(&format!("the blob {hash} is missing"));
            unreadable("it is not stored".to_owned())
        })?;
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).insert(*hash, Arc::clone(&bytes));
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
