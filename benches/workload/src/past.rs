//! R1: events read from the store and folded; and a run as it was at any version.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::{join_all, ready};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use reenact::events::ids::{RunId, Version};

use crate::engine::{Engine, fan_out, sequential, start_of};
use crate::figures::median;

/// The steps of each of the runs that are folded whole. So few that no snapshot is taken: what is measured is the fold.
const STEPS: usize = 332;

/// How many of the runs are made at once.
const AT_ONCE: usize = 64;

/// How many events so many runs are folded from, and how long that took.
pub(crate) struct Folded {
    events: u64,
    took: Duration,
}

impl Folded {
    pub(crate) fn events_per_s(&self) -> f64 {
        self.events as f64 / self.took.as_secs_f64()
    }
}

/// How many of the runs are folded at once: while one is folded the next are read.
const FOLDED_AT_ONCE: usize = 4;

/// Folds so many runs of 998 events each, a few at a time, from a store that was just opened.
pub(crate) async fn fold(dir: &Path, runs: usize) -> Result<Folded> {
    let (fresh, start) = (Engine::start(dir)?, start_of(&sequential(STEPS))?);
    let mut ids = Vec::with_capacity(runs);
    while ids.len() < runs {
        let some = (0..AT_ONCE.min(runs - ids.len())).map(|_| fresh.engine.run(start.clone()));
        for run in join_all(some).await {
            ids.push(run?);
        }
    }
    let fresh = fresh.reopen().await?;
    let since = Instant::now();
    let folds = stream::iter(&ids).map(|run| fresh.engine.system().fold(run)).buffered(FOLDED_AT_ONCE);
    let events = folds.try_fold(0, |events, (_, head)| ready(Ok(events + head.version.0))).await?;
    let took = since.elapsed();
    fresh.end().await?;
    Ok(Folded { events, took })
}

/// How long it takes to see a run as it was, in milliseconds.
pub(crate) struct Replayed {
    /// How many events the run has.
    pub(crate) events: f64,
    pub(crate) median_ms: f64,
    pub(crate) worst_ms: f64,
}

/// Folds a run of so many steps side by side (three events each, in a store that was just opened) up to versions all
/// over its past.
pub(crate) async fn replay(dir: &Path, steps: usize) -> Result<Replayed> {
    /// A number that shares no factor with what a snapshot's distance may be.
    const VERSIONS: u64 = 97;
    /// Of each version the fastest counts: of one alone, a slow one would be a neighbour's doing as likely as ours.
    const TRIES: usize = 5;
    let fresh = Engine::start(dir)?;
    let run = fresh.engine.run(start_of(&fan_out(steps))?).await?;
    let fresh = fresh.reopen().await?;
    let last = last(&fresh.engine, &run).await?;
    let mut took = Vec::new();
    for version in (1..=VERSIONS).map(|part| Version(last * part / VERSIONS)) {
        let mut fastest = f64::INFINITY;
        for _ in 0..TRIES {
            let since = Instant::now();
            // Named, so that it is dropped when the time is taken.
            let (_state, head) = fresh.engine.system().fold_at(&run, version).await?;
            fastest = fastest.min(since.elapsed().as_secs_f64() * 1e3);
            ensure!(head.version == version, "version {version} was folded to {}", head.version);
        }
        took.push(fastest);
    }
    fresh.end().await?;
    let worst_ms = took.iter().copied().fold(0.0, f64::max);
    Ok(Replayed { events: last as f64, median_ms: median(took), worst_ms })
}

async fn last(engine: &Engine, run: &RunId) -> Result<u64> {
    let stream = reenact::events::ids::StreamId::of_run(run);
    let head = engine.system().store().head(&stream).await?;
    Ok(head.context("the run has no events")?.version.0)
}
