//! Walking through the past of a stream: each version is what its events give, and few of them are read for the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use reenact::actors::hosting::past::Past;
use reenact::aggregates::run::{Run, RunStatus};
use reenact::events::commit::{Commit, Recorded};
use reenact::events::ids::{Hash, Position, StreamId, Version};
use reenact::events::json::{Blob, BlobRef};
use reenact::store::memory::MemoryStore;
use reenact::store::*;

use super::kit::{Kit, id, on_actix, start_of, status};

/// A store that counts how many events of streams are read.
struct Counting(MemoryStore, AtomicUsize);

impl Counting {
    fn read(&self) -> usize {
        self.1.swap(0, Ordering::SeqCst)
    }
}

#[test]
fn the_next_version_is_never_far() {
    on_actix(async {
        let store = Arc::new(Counting(MemoryStore::new(), AtomicUsize::new(0)));
        let kit = Kit { store: Arc::clone(&store) as _, ..Kit::new() };
        let run = id("long");
        kit.gated("work").open(1_100);
        let items: Vec<_> = (0..1_100).map(|item| item.to_string()).collect();
        let system = kit.start();
        let file = format!("[{{id: each, agent: work, for_each: [{}]}}]", items.join(", "));
        system.begin(&run, start_of(&file)).await.unwrap();
        assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
        let stream = StreamId::of_run(&run);
        let newest = store.head(&stream).await.unwrap().unwrap().version.0;
        let mut past = Past::<Run>::of(stream);
        let back = (newest - 300..newest).rev();
        let there = newest - 299..=newest;
        let about = [newest, 1, 2, 1_500, 1_499, 300, newest, 299, 2_000];
        let mut far = 0;
        let walked: Vec<u64> = back.chain(there).collect();
        for (place, at) in about.into_iter().chain(walked.iter().copied()).enumerate() {
            store.read();
            let (state, head) = past.at(&*store, Version(at)).await.unwrap();
            let read = store.read();
            assert_eq!(head.version.0, at);
            let folded = system.fold_at(&run, Version(at)).await.unwrap();
            assert!((state, head) == (&folded.0, folded.1), "version {at}");
            if place > about.len() {
                far += usize::from(read > 256);
            }
        }
        assert!(
            far <= 4,
            "{far} of {} steps of one read more than what lies between two folds",
            walked.len()
        );
    });
}

#[async_trait]
impl EventStore for Counting {
    async fn append(&self, commit: Commit, blobs: Vec<Blob>) -> Result<Appended, AppendError> {
        self.0.append(commit, blobs).await
    }

    async fn head(&self, stream: &StreamId) -> Result<Option<Head>, ReadError> {
        self.0.head(stream).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        let read = self.0.read_stream(stream, after, limit).await?;
        self.1.fetch_add(read.len(), Ordering::SeqCst);
        Ok(read)
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        self.0.read_all(after, limit).await
    }

    async fn read_commits(&self, after: Position, limit: usize) -> Result<Vec<StoredCommit>, ReadError> {
        self.0.read_commits(after, limit).await
    }

    fn committed(&self) -> tokio::sync::watch::Receiver<Position> {
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
        at: Position,
        rows: Vec<ViewChange>,
    ) -> Result<(), AppendError> {
        self.0.save_view(view, at, rows).await
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
