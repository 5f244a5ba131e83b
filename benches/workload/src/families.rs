//! What a process takes that starts with many runs that wait for signals, of which every second one waits with a run that a step
//! of it started.

use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use futures_util::future::try_join_all;
use reenact::aggregates::run::{StartChild, StartRun};
use reenact::executors::Failure;
use reenact::executors::function::FunctionCall;

use crate::engine::{Engine, start_of};
use crate::figures::Figures;
use crate::sleeping::resident_kb;
use crate::woken::{Process, id};

const WAITS: &str = "name: waits\nsteps:\n  - {id: hear, wait_for: go}\n";
const SLEEPS: &str = "name: sleeps\nsteps:\n  - {id: nap, sleep: 1d}\n";
const FAMILY: &str =
    "name: family\nsteps:\n  - {id: child, workflow: waits.yaml}\n  - {id: after, agent: work}\n";

/// How many runs begin at once.
const AT_ONCE: usize = 256;

/// How many runs an engine begins.
const OF_ONE_ENGINE: usize = 5_000;

/// How many signals are sent, one after the other.
const SIGNALS: usize = 100;

/// Adds what becomes of a process that starts with so many runs, of which half have a child.
pub(crate) async fn measure(figures: &mut Figures, dir: &Path, runs: usize) -> Result<()> {
    let folder = tempfile::tempdir_in(dir)?;
    record(folder.path(), runs).await?;
    let mut process = Process::start(folder.path(), true)?;
    figures.add("families", "start_ms", process.line()?.as_secs_f64() * 1e3);
    let mut took = Vec::new();
    let signals = SIGNALS.min(runs / 2);
    for number in 0..signals {
        let since = Instant::now();
        // The odd ones have a child.
        process.ask(&format!("signal {}", number * (runs / 2 / signals) * 2 + 1))?;
        process.text()?;
        took.push(since.elapsed().as_secs_f64() * 1e3);
    }
    figures.add("families", "rss_mb", resident_kb(process.child())? / 1024.0);
    took.sort_by(f64::total_cmp);
    figures.add("families", "signal_ms", took[took.len() / 2]);
    figures.add("families", "signal_worst_ms", took[took.len() - 1]);
    process.kill()
}

/// Has one engine after the other begin so many of them that it ends soon.
async fn record(folder: &Path, runs: usize) -> Result<()> {
    for from in (0..runs).step_by(OF_ONE_ENGINE) {
        begin_all(folder, from..runs.min(from + OF_ONE_ENGINE)).await?;
    }
    let engine = Engine::open(folder, 16, |_| {})?;
    // One that sleeps keeps the process that drives all of them.
    engine.begin(&id(runs)?, start_of(SLEEPS)?).await?;
    engine.system().runs().catch_up().await?;
    engine.shut_down().await
}

/// Has an engine begin these, and wait until all of them wait.
async fn begin_all(folder: &Path, runs: Range<usize>) -> Result<()> {
    let engine = Engine::open(folder, 16, |functions| {
        functions.register("work", |_: FunctionCall| async { Ok::<_, Failure>(()) });
    })?;
    let waits = start_of(WAITS)?;
    let child = StartChild {
        file: "waits.yaml".into(),
        definition: waits.definition_blob.clone(),
        work_folder: "/".into(),
        agents: Vec::new(),
        parallel: 16,
        lost_limit: 5,
        duration_limit: None,
    };
    let family = StartRun { children: vec![child], ..start_of(FAMILY)? };
    for from in runs.clone().step_by(AT_ONCE) {
        let begun = (from..runs.end.min(from + AT_ONCE)).map(|number| {
            let start = if number % 2 == 1 { family.clone() } else { waits.clone() };
            begin(&engine, number, start)
        });
        try_join_all(begun).await?;
    }
    engine.shut_down().await
}

async fn begin(engine: &Engine, number: usize, start: StartRun) -> Result<()> {
    let run = id(number)?;
    engine.begin(&run, start).await?;
    engine.system().ended(&run).await?;
    Ok(())
}
