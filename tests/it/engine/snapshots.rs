//! The fold of a snapshot and its tail is the fold of all; a snapshot that is not what the events give is dropped.

use std::sync::Arc;

use reenact::actors::hosting::load::{load, prove};
use reenact::aggregates::run::{Run, RunStatus};
use reenact::events::ids::{Hash, RunId, StreamId, Version};
use reenact::events::problem::Code;
use reenact::kernel::{Aggregate, At, EffectChanges};
use reenact::store::fault::{Calls, Faulty};
use reenact::store::memory::MemoryStore;
use reenact::store::{EventStore, Head, Snapshot};

use super::kit::{Kit, faulty, id, on_actix, start_of, status};

/// Steps of a run of more than 3,000 events.
const STEPS: usize = 1_100;

fn wide() -> String {
    let items: Vec<_> = (0..STEPS).map(|item| item.to_string()).collect();
    format!("[{{id: each, agent: work, for_each: [{}]}}]", items.join(", "))
}

/// A run that has ended, and its store.
struct Past {
    kit: Kit,
    store: Arc<Faulty<MemoryStore>>,
    run: RunId,
    stream: StreamId,
}

impl Past {
    async fn of_a_long_run() -> Self {
        let store = Arc::new(faulty());
        let kit = Kit { store: Arc::clone(&store) as _, ..Kit::new() };
        let run = id("long");
        kit.gated("work").open(STEPS);
        let system = kit.start();
        system.begin(&run, start_of(&wide())).await.unwrap();
        assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
        system.shut_down(std::future::pending()).await.unwrap();
        let stream = StreamId::of_run(&run);
        Self { kit, store, run, stream }
    }

    /// The fold of all events up to a version, one by one.
    async fn folded(&self, upto: u64) -> (Run, Head) {
        let (mut state, mut head) = (Run::default(), Head::default());
        for (recorded, event) in self.kit.events(&self.run).await {
            if recorded.version.0 > upto {
                break;
            }
            let at =
                At { stream: &self.stream, version: recorded.version, time: recorded.header.recorded_at };
            state.evolve(&event, &at, &mut EffectChanges::default()).unwrap();
            head = Head { version: recorded.version, hash: recorded.event.hash };
        }
        (state, head)
    }

    async fn versions(&self) -> Vec<u64> {
        self.store.snapshots(&self.stream).await.unwrap().into_iter().map(|version| version.0).collect()
    }

    /// Saves what is no snapshot of that version.
    async fn plant(&self, snapshot: Snapshot) {
        self.store.save_snapshot(&self.stream, snapshot).await.unwrap();
    }
}

#[test]
fn any_version_of_a_long_run_is_what_its_events_give() {
    on_actix(async {
        let past = Past::of_a_long_run().await;
        let versions = past.versions().await;
        let newest = *versions.last().expect("it took snapshots");
        let last = past.store.head(&past.stream).await.unwrap().unwrap().version.0;
        let system = past.kit.start();
        for at in [1, 2, 1_000, newest - 1, newest, newest + 1, last - 1, last] {
            let found = system.fold_at(&past.run, Version(at)).await.unwrap();
            assert!(found == past.folded(at).await, "version {at}, snapshots {versions:?}");
        }
        assert!(system.fold(&past.run).await.unwrap() == past.folded(last).await);
        for beyond in [0, last + 1, u64::MAX] {
            let refused = system.fold_at(&past.run, Version(beyond)).await.map(|_| ()).unwrap_err();
            assert_eq!(refused.code, Code::NoSuchVersion);
            assert!(refused.message.contains(&last.to_string()), "{}", refused.message);
        }
        let nobody = system.fold_at(&id("nobody"), Version(1)).await.unwrap();
        assert!(nobody == (Run::default(), Head::default()));
    });
}

#[test]
fn a_snapshot_that_is_not_to_be_used_is_dropped_and_the_events_are_folded() {
    on_actix(async {
        let past = Past::of_a_long_run().await;
        let (state, Head { version, hash }) = past.folded(2_500).await;
        let (later, _) = past.folded(2_600).await;
        let good = Snapshot { version, hash, schema: Run::SNAPSHOT_SCHEMA, bytes: state.snapshot().unwrap() };
        let last = past.store.head(&past.stream).await.unwrap().unwrap().version;
        let bad = [
            ("of another history", Snapshot { hash: Hash::of(b"another"), ..good.clone() }),
            ("of another history, at its end", Snapshot { version: last, ..good.clone() }),
            ("beyond the last event", Snapshot { version: last.next(), ..good.clone() }),
            ("of another schema", Snapshot { schema: Run::SNAPSHOT_SCHEMA + 1, ..good.clone() }),
            ("that does not decode", Snapshot { bytes: vec![0xff; 100], ..good.clone() }),
            (
                "that is cut off",
                Snapshot { bytes: good.bytes[..good.bytes.len() - 1].to_vec(), ..good.clone() },
            ),
            ("that the events cannot follow", Snapshot { bytes: later.snapshot().unwrap(), ..good.clone() }),
        ];
        for (what, snapshot) in bad {
            for version in past.versions().await {
                past.store.remove_snapshot(&past.stream, Version(version)).await.unwrap();
            }
            past.plant(snapshot).await;
            let found = load::<Run>(&*past.store, &past.stream).await.unwrap();
            assert!(found == past.folded(last.0).await, "a snapshot {what} was used");
            assert!(past.versions().await.is_empty(), "a snapshot {what} is still there");
        }
    });
}

#[test]
fn a_proof_drops_snapshots_that_differ_and_no_others() {
    on_actix(async {
        let past = Past::of_a_long_run().await;
        let good = past.versions().await;
        assert_eq!(prove::<Run>(&*past.store, &past.stream).await.unwrap(), []);
        assert_eq!(past.versions().await, good);
        let (state, _) = past.folded(2_499).await;
        let (_, Head { version, hash }) = past.folded(2_500).await;
        let bytes = state.snapshot().unwrap();
        past.plant(Snapshot { version, hash, schema: Run::SNAPSHOT_SCHEMA, bytes }).await;
        let system = past.kit.start();
        let trusted = system.fold_at(&past.run, version).await.unwrap();
        assert!(trusted.0 == state, "snapshots are used");
        assert_eq!(prove::<Run>(&*past.store, &past.stream).await.unwrap(), [version]);
        assert_eq!(past.versions().await, good);
        assert!(system.fold_at(&past.run, version).await.unwrap() == past.folded(version.0).await);
        assert_eq!(prove::<Run>(&*past.store, &past.stream).await.unwrap(), [], "the second time");
    });
}

/// While one is being saved the run goes on, and takes no other.
#[test]
fn a_run_does_not_wait_for_its_snapshots() {
    on_actix(async {
        let store = Arc::new(faulty());
        let kit = Kit { store: Arc::clone(&store) as _, ..Kit::new() };
        let (run, gate) = (id("long"), kit.gated("work"));
        let system = kit.start();
        store.hold(Calls::Caches);
        system.begin(&run, start_of(&wide())).await.unwrap();
        store.held(Calls::Caches, 1).await;
        gate.open(STEPS - 1);
        gate.called(STEPS).await;
        let (_, head) = system.fold(&run).await.unwrap();
        assert!(head.version > Version(3_000), "enough for several");
        assert_eq!(store.waiting(Calls::Caches), 1);
        gate.open(1);
        assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
    });
}

#[test]
fn a_snapshot_that_cannot_be_saved_changes_nothing() {
    on_actix(async {
        let store = Arc::new(faulty());
        store.refuse_caches();
        let kit = Kit { store: Arc::clone(&store) as _, ..Kit::new() };
        let run = id("long");
        kit.gated("work").open(STEPS);
        let system = kit.start();
        system.begin(&run, start_of(&wide())).await.unwrap();
        assert_eq!(status(system.ended(&run).await), RunStatus::Completed);
        assert_eq!(store.snapshots(&StreamId::of_run(&run)).await.unwrap(), []);
        assert_eq!(system.fold(&run).await.unwrap().0.status(), RunStatus::Completed);
    });
}
