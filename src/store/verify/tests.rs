//! A part of the store's file that cannot be read hides nothing but itself.

use std::ops::RangeInclusive;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::verify;
use crate::events::commit::{Commit, Header, Recorded, Sealing};
use crate::events::decision::Decision;
use crate::events::ids::{Hash, Position, StreamId, Version};
use crate::events::json::{Blob, BlobRef};
use crate::store::conformance::kit::{Note, commit, head_after, stream};
use crate::store::looked_at::LookedAt;
use crate::store::memory::MemoryStore;
use crate::store::{
    AppendError, Appended, EventStore, Head, ReadError, Snapshot, StoredCommit, ViewChange, ViewRow,
};

/// A store in which no read that touches one of these positions succeeds.
struct Torn(MemoryStore, RangeInclusive<u64>);

impl Torn {
    fn meets(&self, after: Position, last: Option<u64>) -> Result<(), ReadError> {
        let touched = after.0 + 1..=last.unwrap_or(after.0 + 1);
        match touched.start() <= self.1.end() && self.1.start() <= touched.end() {
            true => Err(ReadError::Damaged { position: Position(0), what: "a page is bad".to_owned() }),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl EventStore for Torn {
    async fn append(&self, commit: Commit, blobs: Vec<Blob>) -> Result<Appended, AppendError> {
        self.0.append(commit, blobs).await
    }
    async fn head(&self, stream: &StreamId) -> Result<Option<Head>, ReadError> {
        self.0.head(stream).await
    }
    async fn read_stream(
        &self,
        of: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        self.0.read_stream(of, after, limit).await
    }
    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        let events = self.0.read_all(after, limit).await?;
        self.meets(after, events.last().map(|event| event.position.0))?;
        Ok(events)
    }
    async fn read_commits(&self, after: Position, limit: usize) -> Result<Vec<StoredCommit>, ReadError> {
        let commits = self.0.read_commits(after, limit).await?;
        self.meets(after, commits.last().map(|stored| stored.position.0))?;
        Ok(commits)
    }
    fn committed(&self) -> watch::Receiver<Position> {
        self.0.committed()
    }
    fn blob(&self, hash: &Hash) -> Result<Option<Arc<[u8]>>, ReadError> {
        self.0.blob(hash)
    }
    async fn blobs(&self, after: Option<Hash>, limit: usize) -> Result<Vec<BlobRef>, ReadError> {
        self.0.blobs(after, limit).await
    }
    async fn view_position(&self, view: &'static str) -> Result<Position, ReadError> {
        self.0.view_position(view).await
    }
    async fn view_row(&self, view: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.0.view_row(view, key).await
    }
    async fn view_rows(
        &self,
        view: &'static str,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<ViewRow>, ReadError> {
        self.0.view_rows(view, after, limit).await
    }
    async fn save_view(
        &self,
        view: &'static str,
        position: Position,
        rows: Vec<ViewChange>,
    ) -> Result<(), AppendError> {
        self.0.save_view(view, position, rows).await
    }
    async fn save_snapshot(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), AppendError> {
        self.0.save_snapshot(stream, snapshot).await
    }
    async fn snapshots(&self, stream: &StreamId) -> Result<Vec<Version>, ReadError> {
        self.0.snapshots(stream).await
    }
    async fn snapshot(&self, stream: &StreamId, version: Version) -> Result<Option<Snapshot>, ReadError> {
        self.0.snapshot(stream, version).await
    }
    async fn remove_snapshot(&self, stream: &StreamId, version: Version) -> Result<(), AppendError> {
        self.0.remove_snapshot(stream, version).await
    }
    async fn close(&self) -> Result<(), AppendError> {
        self.0.close().await
    }
}

/// A store of a thousand events in commits of two, of which those positions cannot be read.
async fn torn(bad: RangeInclusive<u64>) -> Torn {
    let (store, mut head) = (MemoryStore::new(), None);
    for _ in 0..500 {
        let next = commit(&stream("s"), head, &["1", "2"]).unwrap();
        head = Some(head_after(&next));
        store.append(next, Vec::new()).await.unwrap();
    }
    Torn(store, bad)
}

#[tokio::test]
async fn what_comes_before_and_after_a_bad_part_is_proved() {
    for bad in [1..=1, 301..=340, 999..=999, 1..=1000] {
        let store = torn(bad.clone()).await;
        let report = verify(&store, |_| Ok(Vec::new())).await.unwrap();
        let first = report.problems.first().unwrap();
        assert!(first.is_damage && first.what.contains("a page is bad"), "{bad:?}: {first:?}");
        assert_eq!(first.position, Position(*bad.start()), "{bad:?}");
        let whole = 1_000 - (bad.end() - bad.start() + 1);
        assert!(report.events <= whole && report.events + 4 >= whole, "{bad:?}: {} events", report.events);
    }
}

#[tokio::test]
async fn whoever_looks_at_a_torn_store_sees_what_comes_before_and_after_a_bad_part() {
    for bad in [1..=1, 301..=340, 999..=999, 1..=1000] {
        let store = LookedAt::new(torn(bad.clone()).await);
        let (mut after, mut seen) = (Position(0), 0);
        loop {
            let page = store.read_all(after, 64).await.unwrap();
            let Some(last) = page.last() else { break };
            assert!(last.position > after);
            (after, seen) = (last.position, seen + page.len() as u64);
        }
        let whole = 1_000 - (bad.end() - bad.start() + 1);
        assert!(seen <= whole && seen + 4 >= whole, "{bad:?}: {seen} events");
    }
}

/// What a command said at length is stored once, beside its decision: without it the command
/// cannot be decided again.
#[tokio::test]
async fn content_that_only_a_decision_refers_to_is_missed() {
    let (stream, blob) = (stream("decided"), Blob::new(b"what was said at length".as_slice()));
    let header = Header::clone(&commit(&stream, None, &["1"]).unwrap().header);
    let decision = Decision { blobs: vec![blob.reference], ..Decision::named(&header.causation) };
    let mut sealing = Sealing::new(header, Hash::default());
    sealing.add(decision, &[Note(b"1".to_vec())]).unwrap();
    let commit = sealing.finish();
    let store = MemoryStore::new();
    store.append(commit.clone(), Vec::new()).await.unwrap();
    let report = verify(&store, |_| Ok(Vec::new())).await.unwrap();
    let found: Vec<_> = report.problems.iter().map(|found| (found.position, found.what.as_str())).collect();
    assert_eq!(found, [(Position(1), &*format!("the blob {} is missing", blob.reference.hash))]);
    let store = MemoryStore::new();
    store.append(commit, vec![blob]).await.unwrap();
    assert_eq!(verify(&store, |_| Ok(Vec::new())).await.unwrap().problems, []);
}
