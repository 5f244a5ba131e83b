//! Streams are found whole, however their commits lie and whatever of their index is saved.

use super::{append, open, open_saving_often, tree};
use crate::events::ids::Version;
use crate::store::conformance::kit::stream;
use crate::store::sled::layout::{INDEXED, index_prefix, read_number};
use crate::store::sled::shared::lock;
use crate::store::{EventStore, Head, ReadError};

/// More extents than a chunk holds, so that reads cross from chunk to chunk and into memory.
#[tokio::test]
async fn a_stream_that_is_scattered_over_many_chunks_is_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_saving_often(folder.path());
    let (a, b) = (stream("a"), stream("b"));
    let (mut head_a, mut head_b) = (None, None);
    for _ in 0..500 {
        append(&store, &a, &mut head_a, &["1", "2"], Vec::new()).await;
        append(&store, &b, &mut head_b, &["1"], Vec::new()).await;
    }
    let all = store.read_stream(&a, Version(0), usize::MAX).await.unwrap();
    let versions: Vec<_> = all.iter().map(|event| event.version.0).collect();
    assert_eq!(versions, (1..=1000).collect::<Vec<_>>());
    for after in [0, 1, 2, 399, 400, 401, 799, 800, 995, 999, 1000] {
        let found = store.read_stream(&a, Version(after), 7).await.unwrap();
        let wanted = all.iter().skip(after as usize).take(7).cloned().collect::<Vec<_>>();
        assert_eq!(found, wanted, "after {after}");
    }
    store.close().await.unwrap();
    let chunks = tree(folder.path()).scan_prefix(index_prefix(&a)).count();
    assert_eq!(chunks, 3, "500 extents at 200 a chunk");
    let found = open(folder.path()).read_stream(&a, Version(0), usize::MAX).await.unwrap();
    assert_eq!(found, all);
}

/// So that a start after an orderly end has nothing to read again.
#[tokio::test]
async fn closing_saves_the_whole_index() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for name in ["a", "b", "c"] {
        append(&store, &stream(name), &mut None, &["1", "2"], Vec::new()).await;
    }
    store.close().await.unwrap();
    let indexed = tree(folder.path()).get(INDEXED).unwrap().unwrap();
    assert_eq!(read_number(&indexed), Some(6));
}

#[tokio::test]
async fn a_stream_that_lies_in_one_piece_takes_one_extent() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_saving_often(folder.path());
    let (stream, mut head) = (stream("alone"), None);
    for _ in 0..500 {
        append(&store, &stream, &mut head, &["1", "2"], Vec::new()).await;
    }
    store.close().await.unwrap();
    let chunks: Vec<_> = tree(folder.path()).scan_prefix(index_prefix(&stream)).map(Result::unwrap).collect();
    assert_eq!(chunks.len(), 1);
    assert!(chunks[0].1.len() < 64, "a hash and one extent, not {} bytes", chunks[0].1.len());
}

/// Each run that began was looked for in the tree, though its id is beyond all ids that there are.
#[tokio::test]
async fn a_stream_is_found_whether_its_name_lies_among_those_that_are_saved_or_beyond_them() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["m", "k", "z", "zz", "y", "a", "zzz", "m0"];
    let mut heads: Vec<(&str, Option<Head>)> = Vec::new();
    for (number, name) in names.into_iter().enumerate() {
        // Each of them is opened anew, of each kind with some streams saved, all of them, or none.
        let store = if number % 2 == 0 { open_saving_often(folder.path()) } else { open(folder.path()) };
        let known = lock(&store.shared.index).known_head(&stream(name));
        let is_beyond = heads.iter().all(|(other, _)| *other < name);
        assert!(known.is_some() || !is_beyond, "`{name}` is beyond all that there are");
        assert_eq!(store.head(&stream(name)).await.unwrap(), None);
        assert_eq!(store.read_stream(&stream(name), Version(0), 10).await.unwrap(), []);
        let mut head = None;
        append(&store, &stream(name), &mut head, &["1", "2"], Vec::new()).await;
        append(&store, &stream(name), &mut head, &["3"], Vec::new()).await;
        heads.push((name, head));
        for (name, head) in &heads {
            assert_eq!(store.head(&stream(name)).await.unwrap(), *head, "{name}");
            assert_eq!(store.read_stream(&stream(name), Version(0), 10).await.unwrap().len(), 3, "{name}");
        }
        if number % 3 == 0 {
            store.close().await.unwrap();
            let closed = store.read_stream(&stream("zzzz"), Version(0), 10).await;
            assert_eq!(closed, Err(ReadError::Closed));
        }
    }
}
