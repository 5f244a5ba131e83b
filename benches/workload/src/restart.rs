//! R2: a process starts with many runs that have not ended, of which few are due; and with as many that wait for people.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use futures_util::future::try_join_all;
use reenact::actors::library::Library;
use reenact::aggregates::run::{Ask, Grants, Run, StartRun};
use reenact::events::commit::{Commit, Header};
use reenact::events::ids::{Hash, RunId, StreamId, Version};
use reenact::events::run::RunEvent;
use reenact::events::time::Timestamp;
use reenact::kernel::{Aggregate, Blobs, Draft, Moment};
use reenact::store::EventStore;
use reenact::store::memory::MemoryStore;
use reenact::store::sled::{SledOptions, SledStore};

use crate::engine::{Engine, start_of};
use crate::figures::Figures;
use crate::sleeping::resident_kb;
use crate::woken::{Process, id};

/// A run that sleeps, and one that waits for an approval.
pub(crate) const SLEEPS: &str = "name: sleeps\nsteps:\n  - {id: nap, sleep: 1d}\n  - {id: go, agent: work}\n";
const ASKS: &str = "name: asks\nsteps:\n  - {id: go, agent: work, approve: before}\n";

/// How many commits are on their way to the store at once.
const AT_ONCE: usize = 1_024;

/// How many approvals are given, one after the other.
const APPROVALS: usize = 100;

const DAY: Duration = Duration::from_secs(86_400);

/// How much there is.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// Runs that have not ended.
    pub(crate) runs: usize,
    /// Of those that sleep, how many are due.
    pub(crate) due: usize,
}

/// Adds what becomes of a process that starts with so many runs.
pub(crate) async fn measure(figures: &mut Figures, dir: &Path, size: Size) -> Result<()> {
    let folder = tempfile::tempdir_in(dir)?;
    let sleeping = folder.path().join("sleeping");
    let (now, late) = (now(), Duration::from_secs(5));
    let begun =
        |number: usize| if number < size.due { before(now, DAY + late) } else { before(now, DAY / 2) };
    record(&sleeping, 0..size.runs, SLEEPS, begun).await?;
    figures.add("r2", "list_anew_ms", list_anew(&sleeping).await?.as_secs_f64() * 1e3);
    let mut woken = Process::start(&sleeping, false)?;
    let first = woken.line()?;
    figures.add("r2", "first_attempt_ms", first.as_secs_f64() * 1e3);
    figures.add("r2", "rss_mb", resident_kb(woken.child())? / 1024.0);
    let mut all = first;
    for _ in 1..size.due {
        all = woken.line()?;
    }
    figures.add("r2", "all_due_ms", all.as_secs_f64() * 1e3);
    woken.kill()?;

    let waiting = folder.path().join("waiting");
    record(&waiting, 0..size.runs, ASKS, |_| now).await?;
    // One that sleeps keeps the process.
    record(&waiting, size.runs..size.runs + 1, SLEEPS, |_| now).await?;
    list_anew(&waiting).await?;
    let mut asked = Process::start(&waiting, true)?;
    figures.add("r2", "waiting_start_ms", asked.line()?.as_secs_f64() * 1e3);
    let mut took = Vec::new();
    for number in 0..APPROVALS.min(size.runs) {
        let since = Instant::now();
        asked.ask(&format!("approve {}", number * (size.runs / APPROVALS.min(size.runs))))?;
        asked.text()?;
        took.push(since.elapsed().as_secs_f64() * 1e3);
    }
    figures.add("r2", "waiting_rss_mb", resident_kb(asked.child())? / 1024.0);
    took.sort_by(f64::total_cmp);
    figures.add("r2", "approval_ms", took[took.len() / 2]);
    figures.add("r2", "approval_worst_ms", took[took.len() - 1]);
    asked.kill()
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn before(now: Timestamp, length: Duration) -> Timestamp {
    Timestamp(now.0 - i64::try_from(length.as_micros()).unwrap_or(0))
}

/// Stores runs as an engine would have recorded them that was then killed, without one.
pub(crate) async fn record(
    folder: &Path,
    runs: Range<usize>,
    yaml: &str,
    begun: impl Fn(usize) -> Timestamp,
) -> Result<()> {
    let store = SledStore::open(folder, SledOptions::default())?;
    let library = Library::new(Arc::new(MemoryStore::new()));
    let start = start_of(yaml)?;
    library.keep(&start.definition_blob);
    (&library as &dyn Blobs)
        .remember_value(start.definition_blob.reference.hash, Arc::clone(&start.definition));
    for from in runs.clone().step_by(AT_ONCE) {
        let commits: Result<Vec<_>> = (from..runs.end.min(from + AT_ONCE))
            .map(|number| commit(&id(number)?, start.clone(), begun(number), &library))
            .collect();
        let blob = &start.definition_blob;
        try_join_all(commits?.into_iter().map(|commit| store.append(commit, vec![blob.clone()]))).await?;
    }
    store.close().await?;
    Ok(())
}

/// What a run begins with.
fn commit(run: &RunId, start: StartRun, now: Timestamp, library: &Library) -> Result<Commit> {
    let (mut state, stream) = (Run::default(), StreamId::of_run(run));
    let mut draft = Draft::new(&mut state, &stream, Version(0), now);
    let grants = Grants::default();
    let moment = Moment { now, wall: now, blobs: library, seed: 0, grants: Some(&grants), driven_since: now };
    Run::decide(&mut draft, Ask::Start(Box::new(start)), &moment)?;
    let events: Vec<RunEvent> = draft.finish().events;
    let header = Header {
        stream,
        first: Version(1),
        recorded_at: now,
        correlation: None,
        causation: "start".into(),
        code_version: "bench".into(),
        origin: None,
    };
    Ok(Commit::seal(header, &events, Hash::default())?)
}

/// How long it takes to make the list of all runs from their events, as the process before would have kept it.
pub(crate) async fn list_anew(folder: &Path) -> Result<Duration> {
    let engine = Engine::open(folder, 1, |_| {})?;
    let since = Instant::now();
    engine.system().runs().catch_up().await?;
    let took = since.elapsed();
    engine.shut_down().await?;
    Ok(took)
}
