//! Damage is named where it is, and what lies beyond it is still looked at.

use std::path::Path;

use futures_util::future::join_all;

use super::{append, tree};
use crate::events::commit::Recorded;
use crate::events::ids::{Hash, Position, Version};
use crate::events::json::{Blob, BlobRef};
use crate::store::conformance::kit::{commit, noise, stream};
use crate::store::sled::layout::{self, blob_part_key, commit_key, commit_part_key, read_commit_key};
use crate::store::sled::pack::Pack;
use crate::store::sled::{Durability, SledOptions, SledStore};
use crate::store::verify::{Finding, verify};
use crate::store::{AppendError, EventStore, ReadError};

/// How many commits there are, of two events each: the commit `n` from 0 has the positions `2n + 1`
/// and `2n + 2`.
const COMMITS: u64 = 12;

/// Without the syncs, for it is opened hundreds of times.
fn open(folder: &Path) -> SledStore {
    SledStore::open(folder, SledOptions { durability: Durability::Process, ..SledOptions::default() })
        .unwrap()
}

/// The blobs that the second and third commit refer to.
fn blobs() -> [Blob; 2] {
    [Blob::new(noise(1, 5_000)), Blob::new(noise(2, 100_000))]
}

/// Two streams, whose commits alternate.
async fn fill(folder: &Path) {
    let store = super::open(folder);
    let (streams, mut heads) = ([stream("a"), stream("b")], [None; 2]);
    for number in 0..COMMITS {
        let turn = number as usize % 2;
        let texts = [format!("text {number} of some length"), "second".to_owned()];
        let blobs = blobs().into_iter().skip(number as usize - 1.min(number as usize)).take(1);
        let blobs = if (1..=2).contains(&number) { blobs.collect() } else { Vec::new() };
        append(&store, &streams[turn], &mut heads[turn], &texts, blobs).await;
    }
    store.close().await.unwrap();
}

/// The blobs of the second and third commit are named by their first events.
fn inspect(event: &Recorded) -> Result<Vec<BlobRef>, String> {
    Ok(match event.position {
        Position(3) => vec![blobs()[0].reference],
        Position(5) => vec![blobs()[1].reference],
        _ => Vec::new(),
    })
}

/// Fills a store, damages it, and answers what is found.
async fn found_after(damage: impl FnOnce(&Path)) -> Vec<Finding> {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path()).await;
    damage(folder.path());
    let report = verify(&open(folder.path()), inspect).await.unwrap();
    assert!(report.commits >= COMMITS - 1, "it did not go on after the damage");
    report.problems
}

fn change(folder: &Path, key: &[u8], change: impl FnOnce(&mut Vec<u8>)) {
    let tree = tree(folder);
    let mut value = tree.get(key).unwrap().unwrap().to_vec();
    change(&mut value);
    tree.insert(key, value).unwrap();
}

fn places(found: &[Finding]) -> Vec<(u64, Option<Version>)> {
    found.iter().map(|finding| (finding.position.0, finding.version)).collect()
}

#[tokio::test]
async fn a_whole_store_has_no_findings() {
    assert_eq!(found_after(|_| ()).await, []);
}

#[tokio::test]
async fn a_changed_event_is_named_by_position_and_version() {
    let found = found_after(|folder| {
        change(folder, &commit_key(Position(7)), |value| {
            let at = value.windows(4).position(|bytes| bytes == b"text").unwrap();
            value[at] = b'T';
        });
    })
    .await;
    assert_eq!(places(&found), [(7, Some(Version(3)))]);
    assert_eq!(found[0].stream, Some(stream("b")));
}

#[tokio::test]
async fn a_changed_second_event_of_a_commit_is_named_by_its_own_position() {
    let found = found_after(|folder| {
        change(folder, &commit_key(Position(7)), |value| {
            let at = value.windows(6).position(|bytes| bytes == b"second").unwrap();
            value[at] = b'S';
        });
    })
    .await;
    assert_eq!(places(&found), [(8, Some(Version(4)))]);
}

/// Whatever byte of a commit is changed, the first finding is at one of its events.
#[tokio::test]
async fn any_changed_byte_is_found() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path()).await;
    let key = commit_key(Position(9));
    let whole = tree(folder.path()).get(key).unwrap().unwrap();
    for at in (0..whole.len()).step_by(3) {
        let tree = tree(folder.path());
        let mut value = whole.to_vec();
        value[at] ^= 0x04;
        tree.insert(key, value).unwrap();
        drop(tree);
        let report = verify(&open(folder.path()), inspect).await.unwrap();
        let first = report.problems.first().unwrap_or_else(|| panic!("byte {at} changed unnoticed"));
        assert!((9..=10).contains(&first.position.0), "byte {at}: {first:?}");
    }
}

/// Commits of one group share a value. A changed byte is found in the commit that it belongs to, or, where it
/// says how many events that commit has, at the latest in the next.
#[tokio::test]
async fn any_changed_byte_is_found_among_commits_that_share_a_value() {
    let folder = tempfile::tempdir().unwrap();
    // Six wait while one before them is written, unless the writer takes each as it comes: then again.
    let mut rounds = 0..100;
    let (key, whole) = loop {
        let round = rounds.next().expect("no two commits share a value");
        let store = open(folder.path());
        join_all((0..6).map(|number| {
            let (store, stream) = (&store, stream(&format!("r{round}s{number}")));
            async move { append(store, &stream, &mut None, &["1", "2"], Vec::new()).await }
        }))
        .await;
        store.close().await.unwrap();
        let (key, whole) = tree(folder.path()).scan_prefix(layout::COMMITS).last().unwrap().unwrap();
        let (first, _) = read_commit_key(&key).unwrap();
        if Pack::of(first, whole.clone()).count() > 1 {
            break (key, whole);
        }
    };
    let (first, _) = read_commit_key(&key).unwrap();
    let commits: Vec<_> = Pack::of(first, whole.clone()).map(|commit| commit.bytes.len() + 3).collect();
    // What frames the first commit, and a sample of the rest.
    for at in (0..20).chain((20..whole.len()).step_by(17)) {
        let tree = tree(folder.path());
        let mut value = whole.to_vec();
        value[at] ^= 0x04;
        tree.insert(&key, value).unwrap();
        drop(tree);
        let problems = verify(&open(folder.path()), |_| Ok(Vec::new())).await.unwrap().problems;
        let found = problems.first().unwrap_or_else(|| panic!("byte {at} changed unnoticed")).position;
        let ends = commits.iter().scan(1, |end, length| {
            *end += length;
            Some(*end)
        });
        let commit = ends.take_while(|end| *end <= at).count() as u64;
        let begin = first.plus(commit * 2);
        assert!((begin..=begin.plus(2)).contains(&found), "byte {at} of commit {commit}: {problems:?}");
    }
}

#[tokio::test]
async fn a_commit_that_does_not_decode_is_named_and_those_after_it_are_read() {
    let found =
        found_after(|folder| change(folder, &commit_key(Position(7)), |value| value.truncate(20))).await;
    // What follows in its stream does not follow from anything.
    assert_eq!(places(&found), [(7, None), (11, Some(Version(5)))]);
}

#[tokio::test]
async fn a_missing_commit_is_named() {
    let found = found_after(|folder| drop(tree(folder).remove(commit_key(Position(7))).unwrap())).await;
    assert_eq!(places(&found)[0], (7, None));
}

#[tokio::test]
async fn a_damaged_blob_is_named_by_the_event_that_needs_it() {
    let [short, long] = blobs();
    let found = found_after(|folder| {
        change(folder, &blob_part_key(&short.reference.hash, 1), |value| value[0] ^= 1);
        let file = folder.join("blobs").join(long.reference.hash.to_string());
        let mut content = std::fs::read(&file).unwrap();
        content[77] ^= 1;
        std::fs::write(&file, content).unwrap();
    })
    .await;
    assert_eq!(places(&found), [(3, Some(Version(1))), (5, Some(Version(3)))]);
}

#[tokio::test]
async fn a_missing_blob_is_named_by_the_event_that_needs_it() {
    let found = found_after(|folder| {
        std::fs::remove_file(folder.join("blobs").join(blobs()[1].reference.hash.to_string())).unwrap();
    })
    .await;
    assert_eq!(places(&found), [(5, Some(Version(3)))]);
}

#[tokio::test]
async fn a_blob_that_nothing_refers_to_is_looked_at_too() {
    let (name, other) = (Hash::of(b"the right content"), b"another content");
    let found =
        found_after(|folder| std::fs::write(folder.join("blobs").join(name.to_string()), other).unwrap());
    assert_eq!(places(&found.await), [(0, None)]);
}

/// The last commits are read when the store is opened. It can then still be read, but nothing may be
/// appended: it is not known what an append would follow.
#[tokio::test]
async fn a_store_whose_end_is_damaged_is_read_but_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let last = Position(COMMITS * 2 + 1);
    fill(folder.path()).await;
    let store = open(folder.path());
    append(&store, &stream("c"), &mut None, &[noise(1, 10_000)], Vec::new()).await;
    drop(store);
    let key = commit_part_key(last, 1);
    tree(folder.path()).remove(key).unwrap();
    let store = open(folder.path());
    assert!(matches!(store.damage(), Some(ReadError::Damaged { position, .. }) if position == last));
    let appended = store.append(commit(&stream("d"), None, &["1"]).unwrap(), Vec::new()).await;
    assert!(matches!(appended, Err(AppendError::Failed(_))), "{appended:?}");
    assert_eq!(places(&verify(&store, inspect).await.unwrap().problems)[0], (last.0, None));
    assert_eq!(store.read_all(Position(0), 100).await.unwrap().len() as u64, COMMITS * 2);
}
