//! What opening a store does about what it finds.

use std::fs;
use std::path::Path;

use super::{append, open, open_saving_often, tree};
use crate::events::ids::{Position, Version};
use crate::store::conformance::kit::{commit, head_after, inconsistency, noise, stream};
use crate::store::sled::layout::{FORMAT, INDEX, INDEXED, commit_key, number};
use crate::store::sled::{OpenError, SledOptions, SledStore};
use crate::store::{EventStore, ReadError, ViewChange};

fn row(key: &str) -> Vec<ViewChange> {
    vec![ViewChange { key: key.into(), bytes: Some(b"1".to_vec()) }]
}

#[tokio::test]
async fn what_was_not_indexed_is_caught_up() {
    let folder = tempfile::tempdir().unwrap();
    let (mut a, mut b) = (None, None);
    for _ in 0..5 {
        // Each is dropped without being closed, with some streams saved and some not.
        let store = open_saving_often(folder.path());
        assert_eq!(store.head(&stream("a")).await.unwrap(), a);
        assert_eq!(store.head(&stream("b")).await.unwrap(), b);
        for _ in 0..4 {
            append(&store, &stream("a"), &mut a, &["1", "2"], Vec::new()).await;
            append(&store, &stream("b"), &mut b, &["1"], Vec::new()).await;
        }
        assert_eq!(inconsistency(&store).await.unwrap(), None);
    }
    let store = open(folder.path());
    assert_eq!(store.read_stream(&stream("a"), Version(0), 1000).await.unwrap().len(), 40);
    assert_eq!(store.read_stream(&stream("b"), Version(0), 1000).await.unwrap().len(), 20);
}

/// A checkpoint saves a part of the streams after each group. A crash in the middle leaves some saved further
/// than the position up to which all are; what is read again then overlaps with what is saved.
#[tokio::test]
async fn a_checkpoint_that_was_not_finished_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let options = SledOptions { checkpoint_commits: 200, ..SledOptions::default() };
    let store = SledStore::open(folder.path(), options).unwrap();
    for other in 1..200 {
        append(&store, &stream(&format!("other-{other}")), &mut None, &["1"], Vec::new()).await;
    }
    // The first in order of names is saved first; its next commit follows it in the store.
    let (first, mut head) = (stream("first"), None);
    append(&store, &first, &mut head, &["1", "2"], Vec::new()).await;
    append(&store, &first, &mut head, &["3", "4"], Vec::new()).await;
    drop(store);
    let saved = tree(folder.path());
    assert!(saved.scan_prefix(INDEX).next().is_some() && saved.get(INDEXED).unwrap().is_none());
    drop(saved);
    for _ in 0..2 {
        let store = open(folder.path());
        assert_eq!(store.head(&first).await.unwrap(), head);
        append(&store, &first, &mut head, &["5", "6"], Vec::new()).await;
        assert_eq!(inconsistency(&store).await.unwrap(), None);
        store.close().await.unwrap();
    }
    let store = open(folder.path());
    assert_eq!(store.read_stream(&first, Version(0), 100).await.unwrap().len(), 8);
    assert_eq!(inconsistency(&store).await.unwrap(), None);
}

#[tokio::test]
async fn an_index_that_is_gone_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut head = None;
    for text in ["1", "2", "3"] {
        append(&store, &stream("a"), &mut head, &[text], Vec::new()).await;
    }
    store.close().await.unwrap();
    let tree = tree(folder.path());
    let index: Vec<_> = tree.scan_prefix(INDEX).keys().map(Result::unwrap).collect();
    assert_eq!(index.len(), 1, "one stream, one chunk");
    index.iter().for_each(|key| drop(tree.remove(key).unwrap()));
    tree.remove(INDEXED).unwrap();
    drop(tree);
    let store = open(folder.path());
    assert_eq!(store.head(&stream("a")).await.unwrap(), head);
    assert_eq!(store.read_stream(&stream("a"), Version(1), 10).await.unwrap().len(), 2);
}

/// Somebody put an older file back.
#[tokio::test]
async fn an_index_and_a_read_model_that_are_ahead_of_the_events_are_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (mut head, mut first) = (None, None);
    for text in ["1", "2", "3"] {
        append(&store, &stream("a"), &mut head, &[text], Vec::new()).await;
        first = first.or(head);
    }
    store.save_view("behind", Position(1), row("kept")).await.unwrap();
    store.save_view("ahead", Position(3), row("dropped")).await.unwrap();
    store.close().await.unwrap();
    let tree = tree(folder.path());
    tree.remove(commit_key(Position(2))).unwrap();
    tree.remove(commit_key(Position(3))).unwrap();
    drop(tree);
    let store = open(folder.path());
    let lost = Some(ReadError::Damaged {
        position: Position(2),
        what: "the events up to position 3 are missing".into(),
    });
    assert_eq!(store.damage(), lost, "as long as the mark is there, they are missed");
    drop(store);
    fs::remove_file(folder.path().join("mark")).unwrap();
    let store = open(folder.path());
    assert_eq!(*store.committed().borrow(), Position(1));
    assert_eq!(store.head(&stream("a")).await.unwrap(), first);
    assert_eq!(store.view_position("behind").await.unwrap(), Position(1));
    assert_eq!(store.view_rows("behind", None, 10).await.unwrap().len(), 1);
    assert_eq!(store.view_position("ahead").await.unwrap(), Position(0));
    assert_eq!(store.view_rows("ahead", None, 10).await.unwrap(), []);
    assert_eq!(inconsistency(&store).await.unwrap(), None);
}

#[tokio::test]
async fn a_store_that_is_open_elsewhere_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let second = SledStore::open(folder.path(), SledOptions::default());
    assert!(matches!(second, Err(OpenError::Held { .. })), "{second:?}");
    store.close().await.unwrap();
    // The first is closed, not dropped.
    open(folder.path());
}

#[tokio::test]
async fn a_format_of_another_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).close().await.unwrap();
    tree(folder.path()).insert(FORMAT, number(7)).unwrap();
    let opened = SledStore::open(folder.path(), SledOptions::default());
    assert!(matches!(opened, Err(OpenError::UnknownFormat { format: 7, .. })), "{opened:?}");
}

/// An older version says that it does not know a store as soon as there is something in it that it cannot
/// read, and not before.
#[tokio::test]
async fn the_layout_has_another_number_from_the_first_commit_on_that_records_its_decisions() {
    let folder = tempfile::tempdir().unwrap();
    let layout = || tree(folder.path()).get(FORMAT).unwrap().unwrap();
    let store = open(folder.path());
    // Its hashes are those of the other format: no store looks at them.
    let mut old = commit(&stream("old"), None, &["1"]).unwrap();
    old.decisions.clear();
    store.append(old.clone(), Vec::new()).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(layout(), number(1), "all that is in it is as an older version wrote it");

    let store = open(folder.path());
    let append = |stream| store.append(commit(&stream, None, &["1", "2"]).unwrap(), Vec::new());
    append(stream("new")).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(layout(), number(2));

    let store = open(folder.path());
    let next = commit(&stream("old"), Some(head_after(&old)), &["2"]);
    store.append(next.unwrap(), Vec::new()).await.unwrap();
    let read = store.read_stream(&stream("old"), Version(0), 10).await.unwrap();
    let decided: Vec<_> = read.iter().map(|event| event.decision.is_some()).collect();
    assert_eq!(decided, [false, true], "one stream has commits of both");
    assert_eq!(read[0].event.hash, old.last_hash());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    let opened = SledStore::open(&file.join("store"), SledOptions::default());
    let Err(OpenError::Unreadable { folder, .. }) = opened else { panic!("{opened:?}") };
    assert!(folder.ends_with("file/store"));
}

#[tokio::test]
async fn what_nobody_finished_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).close().await.unwrap();
    let unfinished = folder.path().join("blobs/.unfinished-3");
    fs::write(&unfinished, noise(1, 100)).unwrap();
    open(folder.path());
    assert!(!unfinished.exists());
}

/// Killed with SIGKILL while sled saved its page table, a store never opened again: sled takes the file that
/// it had begun for the newest one that is whole.
#[tokio::test]
async fn what_sled_had_begun_to_save_when_it_was_killed_is_left_out() {
    for begun in [&b""[..], b"half a snapshot of sled's page table"] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let mut head = None;
        append(&store, &stream("a"), &mut head, &["1", "2"], Vec::new()).await;
        store.close().await.unwrap();
        drop(store);
        fs::write(folder.path().join("events/snap.0000000000FFFFFF.generating"), begun).unwrap();
        let store = open(folder.path());
        assert_eq!(store.head(&stream("a")).await.unwrap(), head);
        assert_eq!(inconsistency(&store).await.unwrap(), None);
    }
}

/// Killed while a store is made, sled's settings are there in part, and nothing else.
#[tokio::test]
async fn a_store_that_was_killed_while_it_was_made_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let settings = fs::read(folder.path().join("events/conf")).unwrap();
    for length in 0..settings.len() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("events")).unwrap();
        fs::write(folder.path().join("events/conf"), &settings[..length]).unwrap();
        let opened = SledStore::open(folder.path(), SledOptions::default());
        assert!(opened.is_ok(), "settings of {length} bytes: {:?}", opened.err());
    }
}

/// Of a group of which nobody was told yet, a crash may leave any part on the disk. What is found must be its beginning: never
/// a commit without those before it, and never a store that calls itself damaged for that.
#[tokio::test]
async fn a_group_that_a_crash_cut_short_is_there_up_to_where_it_was_cut() {
    const SEGMENT: u64 = 512 * 1024;
    // Few packs, in one segment of sled's log and over the end of one; and as many as are written together at most.
    for (from, commits) in [(0, 60), (SEGMENT - 12 * 1024, 60), (SEGMENT - 64 * 1024, 550)] {
        let folder = tempfile::tempdir().unwrap();
        let (data, mark) = (folder.path().join("events/db"), folder.path().join("mark"));
        let (store, before, mut head) = (open(folder.path()), stream("before"), None);
        append(&store, &before, &mut head, &["1"], Vec::new()).await;
        while fs::metadata(&data).unwrap().len() < from {
            append(&store, &before, &mut head, &[noise(from, 300)], Vec::new()).await;
        }
        let known = store.committed().borrow().0;
        let (begin, marked) = (fs::metadata(&data).unwrap().len(), fs::read(&mark).unwrap());
        // Nearly all of them wait when the writer looks.
        let group = (0..commits).map(|number| {
            let commit = commit(&stream(&number.to_string()), None, &[noise(number, 300)]).unwrap();
            store.append(commit, Vec::new())
        });
        futures_util::future::try_join_all(group).await.unwrap();
        let whole = fs::read(&data).unwrap();
        drop(store);
        let mut found = Vec::new();
        let begin = usize::try_from(begin).unwrap();
        for at in (begin..whole.len()).step_by((whole.len() - begin) / 23) {
            // The disk wrote what came later, and not this.
            let mut hole = whole.clone();
            hole[at..whole.len().min(at + 4_096)].fill(0);
            for bytes in [&whole[..at], &hole] {
                fs::write(&data, bytes).unwrap();
                fs::write(&mark, &marked).unwrap();
                forget_snapshots(&folder.path().join("events"));
                let store = open(folder.path());
                assert_eq!((store.damage(), store.noted_damage()), (None, None), "{commits}, cut at {at}");
                assert_eq!(inconsistency(&store).await.unwrap(), None, "{commits}, cut at {at}");
                found.push(store.committed().borrow().0);
            }
        }
        assert!(found.iter().all(|events| (known..=known + commits).contains(events)), "{found:?}");
        assert!(found.iter().any(|events| *events < known + commits), "nothing was cut off: {found:?}");
    }
}

/// Removes what sled saved of its page table, which may be newer than what a crash left of its log.
fn forget_snapshots(events: &Path) {
    for file in fs::read_dir(events).unwrap().flatten() {
        if file.file_name().to_string_lossy().starts_with("snap") {
            fs::remove_file(file.path()).unwrap();
        }
    }
}
