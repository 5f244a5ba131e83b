mod bounds;
mod damage;
mod index;
mod oracle;
mod recovery;
mod snapshots;

use std::path::Path;

use super::{SledOptions, SledStore};
use crate::events::ids::{Position, StreamId};
use crate::events::json::Blob;
use crate::store::conformance::kit::{commit, head_after, stream};
use crate::store::{AppendError, EventStore, Head};

/// Opens a store in that folder.
fn open(folder: &Path) -> SledStore {
    SledStore::open(folder, SledOptions::default()).unwrap()
}

/// Opens a store that saves its index every few commits.
fn open_saving_often(folder: &Path) -> SledStore {
    SledStore::open(folder, SledOptions { checkpoint_commits: 3, ..SledOptions::default() }).unwrap()
}

/// The tree of a store that is closed.
fn tree(folder: &Path) -> ::sled::Db {
    super::open::open_tree(folder, &folder.join("events"), &SledOptions::default()).unwrap()
}

/// Appends a commit with an event for each text; answers the position of the last.
async fn append<T: AsRef<[u8]>>(
    store: &SledStore,
    stream: &StreamId,
    head: &mut Option<Head>,
    texts: &[T],
    blobs: Vec<Blob>,
) -> Position {
    let next = commit(stream, *head, texts).unwrap();
    *head = Some(head_after(&next));
    store.append(next, blobs).await.unwrap().position
}

/// A run whose data folder was removed, or moved away, went on to record into nothing, and to act on it.
#[tokio::test]
async fn a_store_whose_folder_is_gone_acknowledges_nothing() {
    for replaced in [false, true] {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("store");
        let (store, stream, mut head) = (open(&folder), stream("s"), None);
        append(&store, &stream, &mut head, &["kept"], Vec::new()).await;
        std::fs::rename(&folder, above.path().join("moved")).unwrap();
        let other = replaced.then(|| open(&folder));
        let next = commit(&stream, head, &["lost"]).unwrap();
        assert!(matches!(store.append(next.clone(), Vec::new()).await, Err(AppendError::Failed(_))));
        assert!(matches!(store.append(next, Vec::new()).await, Err(AppendError::Failed(_))));
        if let Some(other) = other {
            append(&other, &stream, &mut None, &["its own"], Vec::new()).await;
        }
    }
}
