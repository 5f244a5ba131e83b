//! Snapshots on the disk: what is not whole is dropped.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::events::ids::{Hash, Version};
use crate::store::conformance::kit::stream;
use crate::store::{AppendError, ReadError, SNAPSHOT_BYTES_MAX, Snapshot};

fn snapshot(version: u64) -> Snapshot {
    Snapshot { version: Version(version), hash: Hash::of(b"event"), schema: 3, bytes: vec![7; 1000] }
}

/// A store with snapshots of versions 10 and 20, and where the newer one lies.
async fn two_snapshots(folder: &Path) -> (SledStore, PathBuf) {
    let store = open(folder);
    for version in [10, 20] {
        store.save_snapshot(&stream("one"), snapshot(version)).await.unwrap();
    }
    let of_stream = fs::read_dir(folder.join("snapshots")).unwrap().next().unwrap().unwrap().path();
    (store, of_stream.join(format!("{:020}", 20)))
}

async fn is_damaged(store: &SledStore, name: &str, version: u64) -> bool {
    let found = store.snapshot(&stream(name), Version(version)).await;
    matches!(found, Err(ReadError::Damaged { .. }))
}

#[tokio::test]
async fn a_snapshot_that_is_torn_or_changed_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let (store, path) = two_snapshots(folder.path()).await;
    let whole = fs::read(&path).unwrap();
    let torn = (0..whole.len()).step_by(61).chain([0, 1, 33, 74, 75]).map(|length| whole[..length].to_vec());
    let changed = (0..whole.len()).step_by(37).chain(0..80).map(|place| {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x40;
        bytes
    });
    let longer = [whole.as_slice(), b"x"].concat();
    for bad in torn.chain(changed).chain([longer]) {
        fs::write(&path, &bad).unwrap();
        assert!(is_damaged(&store, "one", 20).await, "{} bytes", bad.len());
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(store.snapshot(&stream("one"), Version(20)).await.unwrap(), Some(snapshot(20)));
}

#[tokio::test]
async fn a_snapshot_under_another_version_or_of_another_stream_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let (store, path) = two_snapshots(folder.path()).await;
    fs::copy(&path, path.with_file_name(format!("{:020}", 25))).unwrap();
    assert!(is_damaged(&store, "one", 25).await);
    store.save_snapshot(&stream("other"), snapshot(5)).await.unwrap();
    let folders = fs::read_dir(folder.path().join("snapshots")).unwrap().map(|entry| entry.unwrap().path());
    let other = folders.into_iter().find(|folder| Some(folder.as_path()) != path.parent()).unwrap();
    fs::copy(&path, other.join(path.file_name().unwrap())).unwrap();
    assert!(is_damaged(&store, "other", 20).await);
    assert_eq!(store.snapshot(&stream("other"), Version(5)).await.unwrap(), Some(snapshot(5)));
}

#[tokio::test]
async fn a_file_of_any_size_takes_no_memory_before_it_is_known_to_be_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let (store, path) = two_snapshots(folder.path()).await;
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(32_768 * SNAPSHOT_BYTES_MAX as u64).unwrap();
    assert!(is_damaged(&store, "one", 20).await);
}

#[tokio::test]
async fn what_a_dead_process_did_not_finish_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = two_snapshots(folder.path()).await;
    drop(store);
    let unfinished = folder.path().join("snapshots/.unfinished-0");
    fs::write(&unfinished, b"half").unwrap();
    let store = open(folder.path());
    assert!(!unfinished.exists());
    assert_eq!(store.snapshot(&stream("one"), Version(20)).await.unwrap(), Some(snapshot(20)));
}

/// A full disk must not end a store whose commits still fit.
#[tokio::test]
async fn a_store_goes_on_when_a_snapshot_cannot_be_saved() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    fs::remove_dir_all(folder.path().join("snapshots")).unwrap();
    fs::write(folder.path().join("snapshots"), b"no folder").unwrap();
    let refused = store.save_snapshot(&stream("one"), snapshot(1)).await;
    assert!(matches!(refused, Err(AppendError::Failed(_))), "{refused:?}");
    append(&store, &stream("one"), &mut None, &["1"], Vec::new()).await;
}
