//! One script of random operations on both stores: sled must answer what memory answers.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::events::ids::{Position, Version};
use crate::events::json::Blob;
use crate::store::conformance::kit::{commit, noise, stream};
use crate::store::memory::MemoryStore;
use crate::store::sled::{SledOptions, SledStore};
use crate::store::{AppendError, EventStore, ViewChange};

#[derive(Debug, Clone)]
enum Operation {
    /// `late`: how many versions ago it was decided.
    Append {
        stream: u8,
        lengths: Vec<u16>,
        late: u8,
        blob: Option<u32>,
    },
    ReadStream {
        stream: u8,
        after: u64,
        limit: usize,
    },
    ReadAll {
        after: u64,
        limit: usize,
    },
    ReadCommits {
        after: u64,
        limit: usize,
    },
    Head {
        stream: u8,
    },
    Blob {
        length: u32,
    },
    Blobs {
        limit: usize,
    },
    SaveView {
        key: u8,
        length: Option<u16>,
    },
    ViewRows {
        after: Option<u8>,
        limit: usize,
    },
    /// The store is closed and opened again.
    Reopen,
    /// The store is opened again without having been closed.
    Crash,
}

/// Few blobs, so that some come again.
fn blob_length() -> impl Strategy<Value = u32> {
    prop_oneof![Just(600), Just(5_000), Just(70_000)]
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let (number, limit) = (0..60_u64, prop_oneof![0..5_usize, Just(1_000)]);
    let length = prop_oneof![8 => 0..300_u16, 1 => 3_000..10_000_u16];
    let lengths = prop::collection::vec(length, 1..4);
    let late = prop_oneof![6 => Just(0_u8), 1 => 1..3_u8];
    let blob = prop::option::weighted(0.2, blob_length());
    prop_oneof![
        12 => (0..4_u8, lengths, late, blob)
            .prop_map(|(stream, lengths, late, blob)| Append { stream, lengths, late, blob }),
        3 => (0..4_u8, number.clone(), limit.clone())
            .prop_map(|(stream, after, limit)| ReadStream { stream, after, limit }),
        2 => (number.clone(), limit.clone()).prop_map(|(after, limit)| ReadAll { after, limit }),
        1 => (number, limit.clone()).prop_map(|(after, limit)| ReadCommits { after, limit }),
        1 => (0..4_u8).prop_map(|stream| Head { stream }),
        1 => blob_length().prop_map(|length| Blob { length }),
        1 => limit.clone().prop_map(|limit| Blobs { limit }),
        2 => (0..9_u8, prop::option::of(0..4_000_u16)).prop_map(|(key, length)| SaveView { key, length }),
        1 => (prop::option::of(0..9_u8), limit).prop_map(|(after, limit)| ViewRows { after, limit }),
        1 => Just(Reopen),
        1 => Just(Crash),
    ]
}

fn blob_of(length: u32) -> Blob {
    Blob::new(noise(u64::from(length), length as usize))
}

/// Does an operation on both stores and compares; answers its name if it did something.
async fn step(
    oracle: &mut MemoryStore,
    store: &mut SledStore,
    operation: &Operation,
    folder: &Path,
) -> Option<&'static str> {
    use Operation::*;
    let done = |name, something: bool| something.then_some(name);
    match operation.clone() {
        Append { stream: number, lengths, late, blob } => {
            let stream = stream(&number.to_string());
            let head = oracle.head(&stream).await.unwrap();
            let seed = u64::from(late) + head.map_or(0, |head| head.version.0);
            let texts: Vec<_> = lengths.iter().map(|length| noise(seed, usize::from(*length))).collect();
            let head = head.map(|mut head| {
                head.version.0 -= u64::from(late).min(head.version.0);
                head
            });
            // A commit that is not stored may leave a long blob behind, which memory does not.
            let blob = blob.filter(|_| late == 0).map(blob_of);
            let (next, blobs) = (commit(&stream, head, &texts).unwrap(), blob);
            let answer = oracle.append(next.clone(), blobs.iter().cloned().collect()).await;
            assert_eq!(store.append(next, blobs.into_iter().collect()).await, answer);
            match answer {
                Ok(_) => Some("append"),
                Err(AppendError::Conflict { .. }) => Some("conflict"),
                Err(_) => None,
            }
        }
        ReadStream { stream: number, after, limit } => {
            let (stream, after) = (stream(&number.to_string()), Version(after));
            let answer = oracle.read_stream(&stream, after, limit).await.unwrap();
            assert_eq!(store.read_stream(&stream, after, limit).await.unwrap(), answer);
            done("read_stream", !answer.is_empty())
        }
        ReadAll { after, limit } => {
            let answer = oracle.read_all(Position(after), limit).await.unwrap();
            assert_eq!(store.read_all(Position(after), limit).await.unwrap(), answer);
            done("read_all", !answer.is_empty())
        }
        ReadCommits { after, limit } => {
            let answer = oracle.read_commits(Position(after), limit).await.unwrap();
            assert_eq!(store.read_commits(Position(after), limit).await.unwrap(), answer);
            done("read_commits", !answer.is_empty())
        }
        Head { stream: number } => {
            let stream = stream(&number.to_string());
            let answer = oracle.head(&stream).await.unwrap();
            assert_eq!(store.head(&stream).await.unwrap(), answer);
            done("head", answer.is_some())
        }
        other => step_aside(oracle, store, other, folder).await,
    }
}

/// The operations that are not about events.
async fn step_aside(
    oracle: &mut MemoryStore,
    store: &mut SledStore,
    operation: Operation,
    folder: &Path,
) -> Option<&'static str> {
    use Operation::*;
    let done = |name, something: bool| something.then_some(name);
    match operation {
        Blob { length } => {
            let hash = blob_of(length).reference.hash;
            let answer = oracle.blob(&hash).unwrap();
            assert_eq!(store.blob(&hash).unwrap(), answer);
            done("blob", answer.is_some())
        }
        Blobs { limit } => {
            let answer = oracle.blobs(None, limit).await.unwrap();
            assert_eq!(store.blobs(None, limit).await.unwrap(), answer);
            done("blobs", !answer.is_empty())
        }
        SaveView { key, length } => {
            let bytes = length.map(|length| noise(u64::from(key), usize::from(length)));
            let (rows, position) = (vec![ViewChange { key: vec![key], bytes }], *oracle.committed().borrow());
            oracle.save_view("view", position, rows.clone()).await.unwrap();
            store.save_view("view", position, rows).await.unwrap();
            Some("save_view")
        }
        ViewRows { after, limit } => {
            let after = after.map(|key| vec![key]);
            let answer = oracle.view_rows("view", after.as_deref(), limit).await.unwrap();
            assert_eq!(store.view_rows("view", after.as_deref(), limit).await.unwrap(), answer);
            let position = oracle.view_position("view").await.unwrap();
            assert_eq!(store.view_position("view").await.unwrap(), position);
            done("view_rows", !answer.is_empty())
        }
        Reopen => {
            store.close().await.unwrap();
            *store = open(folder);
            *oracle = oracle.reopen();
            Some("reopen")
        }
        Crash => {
            // Two handles at once are not allowed, so the first must go before the second comes.
            let elsewhere = tempfile::tempdir().unwrap();
            drop(std::mem::replace(store, open(elsewhere.path())));
            *store = open(folder);
            Some("crash")
        }
        _ => None,
    }
}

fn open(folder: &Path) -> SledStore {
    SledStore::open(folder, SledOptions { checkpoint_commits: 5, ..SledOptions::default() }).unwrap()
}

/// The kinds of operations of which each must have succeeded at least once, or it was not tested.
const KINDS: [&str; 12] = [
    "append",
    "blob",
    "blobs",
    "conflict",
    "crash",
    "head",
    "read_all",
    "read_commits",
    "read_stream",
    "reopen",
    "save_view",
    "view_rows",
];

#[test]
fn the_sled_store_answers_what_the_memory_store_answers() {
    let did = Mutex::new(BTreeSet::new());
    let scripts = prop::collection::vec(operation(), 1..60);
    // A script may lack a kind, and all of a round may.
    for _ in 0..10 {
        let mut runner =
            TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
        let result = runner.run(&scripts, |script| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let folder = tempfile::tempdir().unwrap();
                let (mut oracle, mut store) = (MemoryStore::new(), open(folder.path()));
                for operation in &script {
                    let done = step(&mut oracle, &mut store, operation, folder.path()).await;
                    did.lock().unwrap().extend(done);
                    assert_eq!(*store.committed().borrow(), *oracle.committed().borrow());
                }
            });
            Ok(())
        });
        result.unwrap();
        if did.lock().unwrap().iter().eq(&KINDS) {
            return;
        }
    }
    panic!("some kind of operation never succeeded, only {:?} did", did.lock().unwrap());
}
