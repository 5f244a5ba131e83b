//! W1 through `Engine` and `RunHandle`, as programs embed them; and what a run that is begun and completed so costs beyond the
//! bare core.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use reenact::actors::agents::roster::Roster;
use reenact::actors::clock::SystemClock;
use reenact::actors::system::{Settings, System};
use reenact::aggregates::run::RunStatus;
use reenact::api::engine::builder::Builder;
use reenact::events::ids::AgentName;
use reenact::executors::function::FunctionCall;
use reenact::executors::function::typed::StepFunction;
use reenact::executors::{AgentDefinition, Executors, Failure};
use reenact::prelude::{Engine, Outcome, RunId, RunSpec};
use reenact::store::memory::MemoryStore;

use crate::engine::{SLOTS, sequential, start_of};
use crate::figures::{Figures, median};
use crate::runs::{STEPS_OF_MANY, many as bare_many};

/// Answers its number and one.
async fn work(input: serde_json::Value) -> Result<u64, Failure> {
    Ok(input["number"].as_u64().unwrap_or_default() + 1)
}

/// An engine with the function `work`, and as many slots for it as the bare core has.
async fn start(engine: Builder) -> Result<Engine> {
    let agent =
        AgentDefinition { concurrency: Some(SLOTS), ..AgentDefinition::named(AgentName::new("work")) };
    Ok(engine.agent(agent, work.executor()).start().await?)
}

async fn resolved(engine: &Engine, steps: usize) -> Result<RunSpec> {
    let spec = RunSpec::text(sequential(steps)).parallel(SLOTS);
    engine.resolve(spec).await.map_err(|problems| anyhow!("the bench's workflow: {problems:?}"))
}

async fn through(engine: &Engine, spec: RunSpec) -> Result<()> {
    let outcome = engine.run(spec).await?.outcome().await?;
    ensure!(matches!(outcome, Outcome::Completed(_)), "a run did not complete: {outcome:?}");
    Ok(())
}

/// W1 with 64 runs at once, beside the bare core right before and right after; and what one run costs beyond it.
pub(crate) async fn measure(figures: &mut Figures, dir: &Path, runs: usize) -> Result<()> {
    let before = bare_many(dir, runs, 64).await?.steps_per_s();
    let embedded = many(dir, runs, 64).await?;
    let after = bare_many(dir, runs, 64).await?.steps_per_s();
    figures.add("engine_w1_64", "steps_per_s", embedded);
    figures.add("engine_w1_64", "of_w1_64", embedded / f64::midpoint(before, after));
    overhead(figures, runs).await
}

/// W1: so many runs of ten steps each, so many of them at once. Answers the steps a second.
async fn many(dir: &Path, runs: usize, in_flight: usize) -> Result<f64> {
    let folder = tempfile::tempdir_in(dir)?;
    let engine = start(Engine::open(folder.path())).await?;
    // What is loaded and started once is not what a step costs.
    through(&engine, resolved(&engine, 1).await?).await?;
    let spec = resolved(&engine, STEPS_OF_MANY).await?;
    let (begun, since) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    let drivers: Vec<_> = (0..in_flight)
        .map(|_| {
            let (engine, begun, spec) = (engine.clone(), Arc::clone(&begun), spec.clone());
            actix::spawn(async move {
                while begun.fetch_add(1, Ordering::Relaxed) < runs {
                    through(&engine, spec.clone()).await?;
                }
                Ok::<_, anyhow::Error>(())
            })
        })
        .collect();
    for driver in drivers {
        driver.await??;
    }
    let steps_per_s = (STEPS_OF_MANY * runs) as f64 / since.elapsed().as_secs_f64();
    engine.shut_down().await?;
    Ok(steps_per_s)
}

/// How long a run of one step takes on a store in memory, begun and completed one after the other by turns: through the bare
/// core, and through an engine.
async fn overhead(figures: &mut Figures, runs: usize) -> Result<()> {
    let executors = Executors::default();
    executors.functions.register("work", |call: FunctionCall| async move { work(call.input()?).await });
    let roster = Roster { executors, shell: AgentDefinition::shell(), function_slots: SLOTS };
    let store = Arc::new(MemoryStore::new());
    let system = System::start(store, roster, Arc::new(SystemClock), Settings::default());
    let engine = start(Engine::in_memory()).await?;
    let (start, spec) = (start_of(&sequential(1))?, resolved(&engine, 1).await?);
    let (mut bare, mut embedded) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let since = Instant::now();
        let run = RunId::from_uuid(uuid::Uuid::now_v7());
        system.begin(&run, start.clone()).await?;
        let ended = system.ended(&run).await?;
        bare.push(since.elapsed().as_secs_f64() * 1e6);
        ensure!(ended.status == RunStatus::Completed.text(), "the run {run} did not complete");
        let since = Instant::now();
        through(&engine, spec.clone()).await?;
        embedded.push(since.elapsed().as_secs_f64() * 1e6);
    }
    system.shut_down(std::future::pending()).await?;
    engine.shut_down().await?;
    let (bare, embedded) = (median(bare), median(embedded));
    figures.add("engine", "run_bare_us", bare);
    figures.add("engine", "run_handle_us", embedded);
    Ok(())
}
