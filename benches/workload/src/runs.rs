//! W1, W2 and W3: many runs at once, one run step by step, one run with its steps side by side.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use reenact::aggregates::run::StartRun;
use rustix::time::{ClockId, clock_gettime};

use crate::engine::{Engine, Left, parallel, sequential, start_of, undoable};

/// The steps of each of the many runs.
pub(crate) const STEPS_OF_MANY: usize = 10;

/// What was done, and what it took.
pub(crate) struct Done {
    steps: usize,
    took: Duration,
    cpu: Duration,
    left: Left,
}

impl Done {
    pub(crate) fn us(&self) -> f64 {
        self.took.as_secs_f64() * 1e6
    }

    pub(crate) fn us_per_step(&self) -> f64 {
        self.us() / self.steps as f64
    }

    pub(crate) fn steps_per_s(&self) -> f64 {
        self.steps as f64 / self.took.as_secs_f64()
    }

    pub(crate) fn commits(&self) -> f64 {
        self.left.commits as f64
    }

    pub(crate) fn commits_per_s(&self) -> f64 {
        self.commits() / self.took.as_secs_f64()
    }

    /// Every commit of a single run is synced by itself: the next one is decided by its answer.
    pub(crate) fn commits_per_step(&self) -> f64 {
        self.commits() / self.steps as f64
    }

    /// Of all threads.
    pub(crate) fn cpu_us_per_step(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.steps as f64
    }

    /// Allocated blocks after a clean close, for each byte of events.
    pub(crate) fn disk_ratio(&self) -> f64 {
        self.left.disk_bytes as f64 / self.left.event_bytes as f64
    }
}

/// W1: so many runs of ten steps each, so many of them at once.
pub(crate) async fn many(dir: &Path, runs: usize, in_flight: usize) -> Result<Done> {
    let start = start_of(&sequential(STEPS_OF_MANY))?;
    measure(dir, &start, STEPS_OF_MANY, runs, in_flight).await
}

/// W2: one run of so many steps, one after the other.
pub(crate) async fn chain(dir: &Path, steps: usize) -> Result<Done> {
    measure(dir, &start_of(&sequential(steps))?, steps, 1, 1).await
}

/// W3: one run of so many steps at once, and a last one that needs them all.
pub(crate) async fn fan(dir: &Path, steps: usize) -> Result<Done> {
    measure(dir, &start_of(&parallel(steps))?, steps + 1, 1, 1).await
}

/// The same as [`fan`], of a run with limits that it does not meet: each step is reserved for and settled.
pub(crate) async fn limited_fan(dir: &Path, steps: usize) -> Result<Done> {
    let file = format!("limits: {{calls: {}, tokens: 1000000, usd: 5}}\n{}", 10 * steps, parallel(steps));
    measure(dir, &start_of(&file)?, steps + 1, 1, 1).await
}

/// How long it takes to undo so many steps that do not depend on each other, in microseconds.
pub(crate) async fn unwind(dir: &Path, steps: usize) -> Result<f64> {
    let fresh = Engine::start(dir)?;
    // What is loaded and started once is not what undoing costs.
    fresh.engine.run(start_of(&sequential(1))?).await?;
    let took = fresh.engine.roll_back(start_of(&undoable(steps))?).await?;
    fresh.end().await?;
    Ok(took.as_secs_f64() * 1e6)
}

async fn measure(dir: &Path, start: &StartRun, steps: usize, runs: usize, in_flight: usize) -> Result<Done> {
    let fresh = Arc::new(Engine::start(dir)?);
    // What is loaded and started once is not what a step costs.
    fresh.engine.run(start_of(&sequential(1))?).await?;
    let left_before = 2;
    let begun = Arc::new(AtomicUsize::new(0));
    let (since, cpu) = (Instant::now(), cpu_time());
    let drivers: Vec<_> = (0..in_flight)
        .map(|_| {
            let (fresh, begun, start) = (Arc::clone(&fresh), Arc::clone(&begun), start.clone());
            actix::spawn(async move {
                while begun.fetch_add(1, Ordering::Relaxed) < runs {
                    fresh.engine.run(start.clone()).await?;
                }
                Ok::<_, anyhow::Error>(())
            })
        })
        .collect();
    for driver in drivers {
        driver.await??;
    }
    let (took, cpu) = (since.elapsed(), cpu_time().saturating_sub(cpu));
    let fresh = Arc::into_inner(fresh).ok_or_else(|| anyhow::anyhow!("a driver holds the engine"))?;
    let mut left = fresh.end().await?;
    left.commits -= left_before;
    Ok(Done { steps: steps * runs, took, cpu, left })
}

/// What all threads of this process have computed for.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
