//! Nothing is acknowledged, and nothing acted on, before the store has answered.

use std::sync::Arc;

use async_trait::async_trait;
use reenact::events::commit::{Commit, Header, Recorded};
use reenact::events::ids::{Hash, Position, StepId, StreamId, Version};
use reenact::events::json::{Blob, BlobRef};
use reenact::events::problem::Code;
use reenact::events::run::{AttemptLost, Purpose, RunEvent};
use reenact::store::fault::{Fault, Faulty};
use reenact::store::memory::MemoryStore;
use reenact::store::{AppendError, Appended, EventStore, Head, ReadError, StoredCommit, ViewChange, ViewRow};
use reenact::workflow::run::RunStatus;
use tokio::sync::watch;

use super::kit::{Kit, id, on_actix, start_of, status};

const TWO: &str = "[{id: a, agent: work}, {id: b, agent: work}]";

#[test]
fn a_run_whose_beginning_is_not_stored_is_not_acknowledged_and_starts_nothing() {
    for fault in [Fault::BeforeStoring, Fault::AfterStoring] {
        on_actix(async {
            let store = Arc::new(Faulty::new(MemoryStore::default()));
            store.fail_append(1, fault);
            let kit = Kit { store, ..Kit::new() };
            let gate = kit.gated("work");
            let system = kit.start();
            let refused = system.begin(&id("r"), start_of(TWO)).await.unwrap_err();
            assert_eq!(refused.code, Code::StoreFailed);
            assert_eq!(system.ended(&id("r")).await.unwrap_err().code, Code::StoreFailed, "it is parked");
            drop(system.shut_down(std::future::pending()).await);
            assert_eq!(gate.calls(), 0, "{fault:?}: it acted on what nobody knows to be durable");
        });
    }
}

#[test]
fn a_step_does_not_start_when_the_end_of_the_one_before_it_is_not_stored() {
    for fault in [Fault::BeforeStoring, Fault::AfterStoring] {
        on_actix(async {
            let store = Arc::new(Faulty::new(MemoryStore::default()));
            store.fail_append(2, fault);
            let kit = Kit { store, ..Kit::new() };
            let gate = kit.gated("work");
            let system = kit.start();
            system.begin(&id("r"), start_of(TWO)).await.unwrap();
            gate.open(2);
            assert_eq!(system.ended(&id("r")).await.unwrap_err().code, Code::StoreFailed, "it is parked");
            drop(system.shut_down(std::future::pending()).await);
            assert_eq!(gate.calls(), 1, "{fault:?}: it acted on what nobody knows to be durable");
        });
    }
}

/// While a commit is on its way nothing of it can be seen.
#[test]
fn nothing_is_acted_on_before_it_is_durable() {
    on_actix(async {
        let store = Arc::new(Held::default());
        let kit = Kit { store: Arc::clone(&store) as _, ..Kit::new() };
        let gate = kit.gated("work");
        let system = kit.start();
        store.hold();
        let run = id("r");
        let mut begun = Box::pin(system.begin(&run, start_of(TWO)));
        tokio::select! {
            _ = &mut begun => panic!("it was acknowledged"),
            () = store.held(1) => {}
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!((gate.calls(), system.watch(&run).borrow().version), (0, Version(0)));
        store.let_go();
        begun.await.unwrap();
        gate.open(2);
        assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
    });
}

/// What was asked of the state that turned out to be old was forgotten, the result of the attempt too, and the run stood
/// still for ever.
#[test]
fn a_run_that_somebody_else_wrote_to_is_loaded_again_and_goes_on() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("work");
        let system = kit.start();
        let run = id("r");
        system.begin(&run, start_of(TWO)).await.unwrap();
        gate.called(1).await;
        let stream = StreamId::of_run(&run);
        let head = kit.store.head(&stream).await.unwrap().unwrap();
        let lost =
            AttemptLost { purpose: Purpose::Do, step: StepId::grown("a"), attempt: 1, interrupted: false };
        let header = Header {
            stream,
            first: head.version.next(),
            recorded_at: kit.clock.now(),
            correlation: None,
            causation: "another process".into(),
            code_version: "0".into(),
            origin: None,
        };
        let commit = Commit::seal(header, &[RunEvent::from(lost)], head.hash).unwrap();
        kit.store.append(commit, Vec::new()).await.unwrap();
        gate.open(3);
        assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
        assert_eq!(gate.calls(), 3, "`a` twice, `b` once");
    });
}

/// A store in memory whose appends and reads of streams a test can hold back, and that outlives the engine that closes it.
#[derive(Default)]
pub(super) struct Held {
    inner: MemoryStore,
    /// Whether appends wait.
    hold: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
    /// Whether reads of streams wait.
    hold_reads: watch::Sender<bool>,
    reading: watch::Sender<usize>,
}

impl Held {
    /// From here on appends wait.
    pub(super) fn hold(&self) {
        self.hold.send_replace(true);
    }

    /// From here on reads of streams wait.
    pub(super) fn hold_reads(&self) {
        self.hold_reads.send_replace(true);
    }

    /// Those that wait go on.
    pub(super) fn let_go(&self) {
        self.hold.send_replace(false);
        self.hold_reads.send_replace(false);
    }

    /// Ends when so many reads of streams wait.
    pub(super) async fn held_reads(&self, reads: usize) {
        self.reading.subscribe().wait_for(|reading| *reading >= reads).await.unwrap();
    }

    /// Ends when so many appends wait.
    pub(super) async fn held(&self, appends: usize) {
        self.waiting.subscribe().wait_for(|waiting| *waiting >= appends).await.unwrap();
    }
}

#[async_trait]
impl EventStore for Held {
    async fn append(&self, commit: Commit, blobs: Vec<Blob>) -> Result<Appended, AppendError> {
        self.waiting.send_modify(|waiting| *waiting += 1);
        self.hold.subscribe().wait_for(|hold| !hold).await.unwrap();
        self.waiting.send_modify(|waiting| *waiting -= 1);
        self.inner.append(commit, blobs).await
    }

    async fn head(&self, stream: &StreamId) -> Result<Option<Head>, ReadError> {
        self.inner.head(stream).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        self.reading.send_modify(|reading| *reading += 1);
        self.hold_reads.subscribe().wait_for(|hold| !hold).await.unwrap();
        self.reading.send_modify(|reading| *reading -= 1);
        self.inner.read_stream(stream, after, limit).await
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        self.inner.read_all(after, limit).await
    }

    async fn read_commits(&self, after: Position, limit: usize) -> Result<Vec<StoredCommit>, ReadError> {
        self.inner.read_commits(after, limit).await
    }

    fn committed(&self) -> watch::Receiver<Position> {
        self.inner.committed()
    }

    fn blob(&self, hash: &Hash) -> Result<Option<Arc<[u8]>>, ReadError> {
        self.inner.blob(hash)
    }

    async fn blobs(&self, after: Option<Hash>, limit: usize) -> Result<Vec<BlobRef>, ReadError> {
        self.inner.blobs(after, limit).await
    }

    async fn view_position(&self, view: &'static str) -> Result<Position, ReadError> {
        self.inner.view_position(view).await
    }

    async fn view_row(&self, view: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.inner.view_row(view, key).await
    }

    async fn view_rows(
        &self,
        view: &'static str,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<ViewRow>, ReadError> {
        self.inner.view_rows(view, after, limit).await
    }

    async fn save_view(
        &self,
        view: &'static str,
        position: Position,
        rows: Vec<ViewChange>,
    ) -> Result<(), AppendError> {
        self.inner.save_view(view, position, rows).await
    }

    async fn close(&self) -> Result<(), AppendError> {
        Ok(())
    }
}
