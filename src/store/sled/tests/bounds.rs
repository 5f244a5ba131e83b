//! The bounds of what the store takes: room on the disk, and none of it in places that are never synced.

use std::fs;
use std::sync::Arc;

use futures_util::future::join_all;

use super::{append, open, open_saving_often, tree};
use crate::events::commit::{Commit, StoredEvent};
use crate::events::ids::Position;
use crate::events::json::{Blob, BlobRef};
use crate::events::limits::{BLOB_BYTES_MAX, COMMIT_BYTES_MAX};
use crate::store::conformance::kit::{commit, inconsistency, noise, stream};
use crate::store::sled::layout::VALUE_BYTES_MAX;
use crate::store::verify::{disk_bytes, verify};
use crate::store::{AppendError, EventStore, VIEW_ROW_BYTES_MAX, ViewChange};

/// sled puts a page of more than 128 KiB into a file of its own, which it never syncs. A page holds up to 16
/// values or a few more, so values of 8 KiB would get there.
#[tokio::test]
async fn no_page_ever_becomes_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_saving_often(folder.path());
    let (stream, mut head) = (stream("worst"), None);
    // Just below, at and above the length of a value and of a blob in the tree.
    let lengths = [3_600, 3_900, 4_000, 4_096, 4_200, 8_000, 64_000, 65_536, 65_537];
    for seed in 0..180 {
        let length = lengths[seed as usize % lengths.len()];
        let blob = Blob::new(noise(1_000 + seed, length));
        let position = append(&store, &stream, &mut head, &[noise(seed, length)], vec![blob]).await;
        let rows = (0..8).map(|row: u64| ViewChange {
            key: format!("{row:0200}").into(),
            bytes: Some(noise(seed * 8 + row, VIEW_ROW_BYTES_MAX)),
        });
        store.save_view("view", position, rows.collect()).await.unwrap();
    }
    store.close().await.unwrap();
    let own = fs::read_dir(folder.path().join("events/blobs")).unwrap();
    assert_eq!(own.count(), 0, "sled wrote pages to files that it never syncs");
    for entry in tree(folder.path()).iter() {
        let (key, value) = entry.unwrap();
        assert!(value.len() <= VALUE_BYTES_MAX, "{key:?} has {} bytes", value.len());
    }
}

/// 1,000 streams of 11 commits, as many appended at once as a busy node would.
#[tokio::test]
async fn a_closed_store_takes_little_more_room_than_its_events() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()));
    for group in 0..4_u64 {
        let runs = (0..250_u64).map(|run| {
            let store = Arc::clone(&store);
            async move {
                let (stream, mut head) = (stream(&format!("0197{group:08}-{run:024}")), None);
                for number in 0..11 {
                    let text = noise(group * 250 * 11 + run * 11 + number, 70);
                    append(&store, &stream, &mut head, &[text.clone(), text], Vec::new()).await;
                }
            }
        });
        join_all(runs).await;
    }
    store.close().await.unwrap();
    let disk = disk_bytes(folder.path()).unwrap();
    let report = verify(&open(folder.path()), |_| Ok(Vec::new())).await.unwrap();
    assert_eq!((report.problems.as_slice(), report.commits, report.streams), ([].as_slice(), 11_000, 1_000));
    let ratio = disk as f64 / report.event_bytes as f64;
    assert!(ratio <= 3.0, "{disk} bytes for {} bytes of commits: {ratio:.2}", report.event_bytes);
}

/// A store that was opened anew does not remember which blobs it has: it must look.
#[tokio::test]
async fn a_blob_that_is_there_is_not_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let (blob, another) = (Blob::new(noise(1, 60_000)), Blob::new(noise(2, 60_000)));
    let store = open(folder.path());
    append(&store, &stream("first"), &mut None, &["with a blob"], vec![blob.clone()]).await;
    store.close().await.unwrap();
    let store = open(folder.path());
    let missing = store.shared.store_blobs(vec![blob, another.clone()]).unwrap();
    let missing: Vec<_> = missing.into_iter().map(|(hash, _)| hash).collect();
    assert_eq!(missing, [another.reference.hash]);
}

/// Commits that are too big to wait in numbers still get through.
#[tokio::test]
async fn big_commits_wait_for_room_and_get_through() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let text = noise(1, 10_000_000);
    join_all((0..7).map(|number| {
        let (store, text) = (&store, &text);
        async move { append(store, &stream(&format!("big-{number}")), &mut None, &[text], Vec::new()).await }
    }))
    .await;
    assert_eq!(*store.committed().borrow(), Position(7));
    assert_eq!(inconsistency(&store).await.unwrap(), None);
}

/// A commit of more than 64 MiB was once written, and could never be read again: no verb opened
/// that store any more.
#[tokio::test]
async fn what_is_written_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let texts: Vec<_> = (0..8).map(|_| vec![7_u8; 9 * 1024 * 1024]).collect();
    append(&store, &stream("long"), &mut None, &texts, Vec::new()).await;
    append(&store, &stream("other"), &mut None, &["short"], Vec::new()).await;
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.damage(), None);
    let report = verify(&store, |_| Ok(Vec::new())).await.unwrap();
    assert_eq!((report.problems.as_slice(), report.events), ([].as_slice(), 9));
    assert!(report.event_bytes > 64 * 1024 * 1024);
}

/// What versions wrote that had no bound is read, up to where the numbers of parts came to an end.
#[test]
fn a_commit_beyond_the_bound_is_read_and_never_written() {
    let mut long = commit(&stream("long"), None, &["1", "2"]).unwrap();
    long.events.iter_mut().for_each(|event| event.payload = vec![7; 120 * 1024 * 1024]);
    let bytes = long.encode().unwrap();
    assert!(bytes.len() > COMMIT_BYTES_MAX);
    assert_eq!(Commit::from_bytes(&bytes).unwrap(), long);
    assert!(long.to_bytes().is_err());
}

#[tokio::test]
async fn what_is_too_long_is_refused_and_the_store_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut long = commit(&stream("long"), None, &["1"]).unwrap();
    let payload = vec![7; COMMIT_BYTES_MAX];
    long.events = vec![StoredEvent { payload, ..long.events.remove(0) }];
    let refused = store.append(long, Vec::new()).await;
    assert!(matches!(refused, Err(AppendError::Refused(_))), "{refused:?}");
    let small = || commit(&stream("small"), None, &["1"]).unwrap();
    let blob = Blob::new(b"short".as_slice());
    let reference = BlobRef { size_bytes: BLOB_BYTES_MAX + 1, ..blob.reference };
    let refused = store.append(small(), vec![Blob { reference, ..blob }]).await;
    assert!(matches!(refused, Err(AppendError::Refused(_))), "{refused:?}");
    store.append(small(), Vec::new()).await.unwrap();
}
