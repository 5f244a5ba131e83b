//! Read models follow from the log, whenever and in whatever pieces they are folded.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::FutureExt;
use reenact::aggregates::run;
use reenact::events::ids::{Position, StreamId, Version};
use reenact::events::problem::Problem;
use reenact::kernel::Attention;
use reenact::kernel::projection::runner::SHAPE_KEY;
use reenact::kernel::projection::{Page, Projection, Rows};
use reenact::kernel::standing::{KindFold, Known, Standing};
use reenact::store::conformance::kit::{commit, stream};
use reenact::store::fault::{Calls, Faulty};
use reenact::store::memory::MemoryStore;
use reenact::store::{EventStore, ViewChange};
use reenact::views::projector::Projector;
use reenact::views::standings::{NoStandings, Standings};

/// How many notes each stream has, and how long the last is.
struct Counts {
    name: &'static str,
    shape: u32,
}

impl Projection for Counts {
    fn name(&self) -> &'static str {
        self.name
    }

    fn shape(&self) -> u32 {
        self.shape
    }

    fn reads(&self, page: &Page<'_>, _rows: &Rows) -> Vec<Vec<u8>> {
        page.streams().map(|(stream, _)| key(stream)).collect()
    }

    fn fold(&self, page: &Page<'_>, rows: &mut Rows) {
        for (stream, events) in page.streams() {
            let before = rows.get(&key(stream)).map_or(0, |row| row[0]);
            let last = events[events.len() - 1].event.payload.len() as u8;
            rows.set(key(stream), vec![before + events.len() as u8, last]);
        }
    }
}

fn key(stream: &StreamId) -> Vec<u8> {
    stream.as_str().into()
}

const COUNTS: Counts = Counts { name: "counts", shape: 1 };

fn projector(store: &Arc<dyn EventStore>, projections: Vec<Box<dyn Projection>>) -> Projector {
    Projector::new(Arc::clone(store), Arc::new(NoStandings), projections)
}

fn counts(store: &Arc<dyn EventStore>) -> Projector {
    projector(store, vec![Box::new(COUNTS)])
}

/// Adds a note to a stream; answers its position.
async fn note(store: &dyn EventStore, to: &str, texts: &[&str]) -> Position {
    let (to, head) = (stream(to), store.head(&stream(to)).await.unwrap());
    store.append(commit(&to, head, texts).unwrap(), Vec::new()).await.unwrap().position
}

/// A store with some notes in it.
async fn noted(store: &dyn EventStore) -> Position {
    let mut end = Position(0);
    for number in 0..12_usize {
        let to = ["a", "b", "c"][number * 7 % 5 % 3];
        end = note(store, to, &["x", "yy", "zzz"][..=number % 3]).await;
    }
    end
}

/// All rows but the one of the shape.
async fn rows(store: &dyn EventStore, view: &'static str) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let rows = store.view_rows(view, None, usize::MAX).await.unwrap().into_iter();
    rows.filter(|row| row.key != SHAPE_KEY).map(|row| (row.key, row.bytes)).collect()
}

/// The rows that all events up to a position make, said in other words than the projection does.
async fn folded(store: &dyn EventStore, upto: Position) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut counts = BTreeMap::new();
    for recorded in store.read_all(Position(0), upto.0 as usize).await.unwrap() {
        let row = counts.entry(key(&recorded.header.stream)).or_insert_with(|| vec![0, 0]);
        *row = vec![row[0] + 1, recorded.event.payload.len() as u8];
    }
    counts
}

#[tokio::test]
async fn whatever_the_pages_the_rows_are_the_same() {
    for events in [1, 2, 3, 7, 1_000] {
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
        let projector = counts(&store).with_pages_of(events);
        projector.catch_up().await.unwrap();
        note(&*store, "b", &["first"]).await;
        projector.catch_up().await.unwrap();
        let end = noted(&*store).await;
        assert_eq!(projector.behind().await.unwrap(), end.0 - 1);
        projector.catch_up().await.unwrap();
        assert_eq!(rows(&*store, "counts").await, folded(&*store, end).await, "in pages of {events}");
        assert_eq!(store.view_position("counts").await.unwrap(), end);
        assert_eq!(projector.behind().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn rows_of_another_shape_are_dropped_and_folded_anew() {
    let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    let end = noted(&*store).await;
    let projector_of = |shape| {
        let projection = Counts { shape, ..COUNTS };
        projector(&store, vec![Box::new(projection)]).with_pages_of(4)
    };
    projector_of(1).catch_up().await.unwrap();
    let stray = |number: u8| ViewChange { key: vec![b'z', number], bytes: Some(b"of shape 1".to_vec()) };
    store.save_view("counts", end, (0..20).map(stray).collect()).await.unwrap();
    projector_of(1).catch_up().await.unwrap();
    assert_eq!(rows(&*store, "counts").await.len(), 3 + 20, "of the same shape they stay");
    projector_of(2).catch_up().await.unwrap();
    assert_eq!(rows(&*store, "counts").await, folded(&*store, end).await);
    assert_eq!(store.view_row("counts", SHAPE_KEY).await.unwrap(), Some(b"2".to_vec()));
    // An older version does the same with what a newer one kept.
    projector_of(1).catch_up().await.unwrap();
    assert_eq!(rows(&*store, "counts").await, folded(&*store, end).await);
}

/// One that is further than another, or has another shape, is not folded twice by what the other reads again.
#[tokio::test]
async fn read_models_that_are_kept_up_together_go_on_each_from_where_it_is() {
    let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    noted(&*store).await;
    projector(&store, vec![Box::new(Counts { name: "ahead", shape: 1 })]).catch_up().await.unwrap();
    let end = note(&*store, "d", &["more", "and more"]).await;
    for shape in [1, 2] {
        let both: Vec<Box<dyn Projection>> =
            vec![Box::new(Counts { name: "ahead", shape: 1 }), Box::new(Counts { name: "anew", shape })];
        projector(&store, both).with_pages_of(5).catch_up().await.unwrap();
        for view in ["ahead", "anew"] {
            assert_eq!(rows(&*store, view).await, folded(&*store, end).await, "{view}");
        }
    }
}

/// A process dies after any number of saves, also while it drops rows of another shape.
#[tokio::test]
async fn rows_and_their_position_survive_a_crash_together() {
    for saves in 0.. {
        let faulty = Arc::new(Faulty::new(MemoryStore::new()));
        let store: Arc<dyn EventStore> = faulty.clone();
        noted(&*store).await;
        counts(&store).catch_up().await.unwrap();
        let end = noted(&*store).await;
        faulty.hold(Calls::Caches);
        faulty.pass(Calls::Caches, saves);
        let other = projector(&store, vec![Box::new(Counts { shape: 7, ..COUNTS })]).with_pages_of(2);
        let is_done = tokio::select! {
            biased;
            caught_up = other.catch_up() => caught_up.is_ok(),
            () = faulty.held(Calls::Caches, 1) => false,
        };
        faulty.release(Calls::Caches);
        let shape = store.view_row("counts", SHAPE_KEY).await.unwrap();
        if shape == Some(b"7".to_vec()) {
            let position = store.view_position("counts").await.unwrap();
            assert_eq!(rows(&*store, "counts").await, folded(&*store, position).await, "after {saves} saves");
        }
        let next = projector(&store, vec![Box::new(Counts { shape: 7, ..COUNTS })]).with_pages_of(3);
        next.catch_up().await.unwrap();
        assert_eq!(rows(&*store, "counts").await, folded(&*store, end).await, "after {saves} saves");
        if is_done {
            assert!(saves > 20, "{saves}");
            return;
        }
    }
}

#[tokio::test]
async fn who_appended_finds_what_follows_from_it() {
    let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    let projector = counts(&store);
    for number in 1..=5 {
        let position = note(&*store, "mine", &["x"]).await;
        projector.at_least(position).await.unwrap();
        assert_eq!(rows(&*store, "counts").await[&key(&stream("mine"))], [number, 1]);
    }
    let mut later = Box::pin(projector.at_least(Position(6)));
    assert!(later.as_mut().now_or_never().is_none(), "it is not durable yet");
    note(&*store, "mine", &["yy"]).await;
    later.await.unwrap();
    assert_eq!(rows(&*store, "counts").await[&key(&stream("mine"))], [6, 2]);
}

/// What two read models show is where a stream stands, and they see it once.
struct Places(&'static str, Arc<Mutex<BTreeMap<StreamId, Version>>>);

impl Projection for Places {
    fn name(&self) -> &'static str {
        self.0
    }

    fn shape(&self) -> u32 {
        1
    }

    fn fold(&self, page: &Page<'_>, _rows: &mut Rows) {
        for (stream, _) in page.streams() {
            if let Some(Known::At(standing)) = page.known(stream) {
                self.1.lock().unwrap().insert(stream.clone(), standing.version);
            }
        }
    }
}

/// Says of all streams of the kind `test` that they are at a version, and counts how often it is asked.
struct Counted(AtomicUsize, Version);

#[async_trait]
impl Standings for Counted {
    fn kind(&self, kind: &str) -> Option<&KindFold> {
        // Notes are no events of a run, so that no page tells by itself where they are.
        (kind == "test").then_some(&run::FOLD)
    }

    async fn standing(&self, _stream: &StreamId, at_least: Version) -> Result<Standing, Problem> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let version = self.1.max(at_least);
        Ok(Standing { version, status: "running", attention: Attention::default(), ended_at: None })
    }
}

#[tokio::test]
async fn where_a_stream_stands_is_asked_once_for_all_who_show_it_and_not_again_until_it_is_past_that() {
    for (version, asked) in [(Version(1_000), 3), (Version(1), 12)] {
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
        noted(&*store).await;
        let standings = Arc::new(Counted(AtomicUsize::new(0), version));
        let seen = [Arc::default(), Arc::default()];
        let both: Vec<Box<dyn Projection>> = vec![
            Box::new(Places("one", Arc::clone(&seen[0]))),
            Box::new(Places("other", Arc::clone(&seen[1]))),
        ];
        let all = store.read_all(Position(0), usize::MAX).await.unwrap();
        let projector = Projector::new(store, standings.clone(), both).with_pages_of(2);
        projector.catch_up().await.unwrap();
        let pages = all.chunks(2).map(|page| {
            let mut streams: Vec<_> = page.iter().map(|recorded| &recorded.header.stream).collect();
            streams.dedup();
            streams.len()
        });
        let asked = if version > Version(1) { asked } else { pages.sum() };
        assert_eq!(standings.0.load(Ordering::SeqCst), asked);
        assert_eq!(seen[0].lock().unwrap().len(), 3);
        assert_eq!(*seen[0].lock().unwrap(), *seen[1].lock().unwrap());
    }
}
