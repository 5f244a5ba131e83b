//! A run that grows while it goes on, and a long file that is only checked.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};
use reenact::aggregates::run::StartRun;
use reenact::events::ids::{RunId, StreamId, Version};
use reenact::events::run::GrowthLimits;
use reenact::executors::Failure;
use reenact::executors::function::FunctionCall;

use crate::engine::{Engine, sequential, start_of};
use crate::figures::{Figures, median};

/// A planner that plans planners, each of which plans steps.
const PLANNER: &str = "name: grown\nsteps:\n  - {id: root, agent: plan, with: {width: WIDTH, deep: true}}\n";

/// Of how many steps the time is taken, at either end.
const SAMPLE: usize = 500;

/// How many events are read at once.
const PAGE: usize = 8_192;

/// Adds what a step costs at the beginning and at the end of a run that grows to about `width` times as many steps, which
/// are done one after the other.
pub(crate) async fn measure(figures: &mut Figures, dir: &Path, width: usize) -> Result<()> {
    let folder = tempfile::tempdir_in(dir)?;
    let engine = Engine::open(folder.path(), 4, |functions| {
        functions.register("plan", |call: FunctionCall| async move { plan(&call.input()?) });
        functions.register("work", |_: FunctionCall| async { Ok::<_, Failure>(1) });
    })?;
    let limit = u32::try_from(width * width * 2)?;
    let growth = GrowthLimits { depth: 3, width: limit, total: limit, ..GrowthLimits::default() };
    let start = start_of(&PLANNER.replace("WIDTH", &width.to_string()))?;
    let run = engine.run(StartRun { parallel: 1, growth, ..start }).await?;
    let ends = ends(&engine, &run).await?;
    engine.shut_down().await?;
    ensure!(ends.len() > width * width, "the run has {} steps only", ends.len());
    // A planner's own commit holds all that it planned: what is compared is the steps.
    let gaps: Vec<f64> = ends.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
    let sample = SAMPLE.min(gaps.len() / 3);
    let first = median(gaps[..sample].to_vec());
    let last = median(gaps[gaps.len() - sample..].to_vec());
    figures.add("grown", "steps", ends.len() as f64);
    figures.add("grown", "first_us", first);
    figures.add("grown", "last_us", last);
    figures.add("grown", "last_of_first", last / first);
    Ok(())
}

fn plan(input: &serde_json::Value) -> Result<serde_json::Value, Failure> {
    let width = input["width"].as_u64().unwrap_or_default();
    let step = |number: u64| match input["deep"].as_bool() {
        Some(true) => {
            serde_json::json!({"id": format!("p{number}"), "agent": "plan", "with": {"width": width}})
        }
        _ => serde_json::json!({"id": format!("s{number}"), "agent": "work"}),
    };
    Ok(serde_json::json!({"add_steps": (0..width).map(step).collect::<Vec<_>>()}))
}

/// When each step was done, in microseconds.
async fn ends(engine: &Engine, run: &RunId) -> Result<Vec<i64>> {
    let (mut ends, mut after) = (Vec::new(), Version(0));
    loop {
        let page = engine.system().store().read_stream(&StreamId::of_run(run), after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(ends) };
        after = last.version;
        let done = page.iter().filter(|recorded| &*recorded.event.kind == "step_completed");
        ends.extend(done.map(|recorded| recorded.header.recorded_at.0));
    }
}

/// Adds how long the program takes to check a file of so many steps, from its start to its end.
pub(crate) fn validate(figures: &mut Figures, program: &Path, dir: &Path, steps: usize) -> Result<()> {
    if !program.exists() {
        eprintln!("validate is left out: {} is not there", program.display());
        return Ok(());
    }
    let folder = tempfile::tempdir_in(dir)?;
    let mut yaml = sequential(steps).replace("agent: work\n    with: {number: ", "run: echo ");
    yaml = yaml.replace('}', "");
    let _ = writeln!(yaml, "output: done");
    let file = folder.path().join("long.yaml");
    fs::write(&file, yaml)?;
    let since = Instant::now();
    let mut command = Command::new(program);
    command.arg("validate").arg(&file).current_dir(folder.path());
    let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    figures.add("validate", "process_ms", since.elapsed().as_secs_f64() * 1e3);
    Ok(())
}
