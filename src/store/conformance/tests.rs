use std::collections::HashMap;
use std::sync::Mutex;

use super::*;
use crate::store::memory::MemoryStore;
use crate::store::sled::{SledOptions, SledStore};

#[tokio::test]
async fn the_memory_store_conforms() {
    let disks: Mutex<HashMap<String, MemoryStore>> = Mutex::default();
    let open = async |name: &str| {
        let mut disks = disks.lock().unwrap();
        Arc::new(disks.entry(name.to_owned()).or_default().reopen()) as Arc<dyn EventStore>
    };
    check(open).await.unwrap();
}

#[tokio::test]
async fn the_sled_store_conforms() {
    let folder = tempfile::tempdir().unwrap();
    check(async |name: &str| {
        let store = SledStore::open(&folder.path().join(name), SledOptions::default()).unwrap();
        Arc::new(store) as Arc<dyn EventStore>
    })
    .await
    .unwrap();
}

/// The index is saved all the time, so that reads find a part of each stream in the tree and
/// a part in memory.
#[tokio::test]
async fn the_sled_store_conforms_whenever_it_saves_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let options = SledOptions { checkpoint_commits: 3, ..SledOptions::default() };
    check(async |name: &str| {
        let store = SledStore::open(&folder.path().join(name), options.clone()).unwrap();
        Arc::new(store) as Arc<dyn EventStore>
    })
    .await
    .unwrap();
}
