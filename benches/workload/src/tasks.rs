//! Work that is handed out: what the next task costs where few and where many are open, and many who take tasks at once, some of
//! whom forget what they took.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use reenact::api::engine::tasks::NextTask;
use reenact::prelude::{Engine, Outcome, RunHandle, RunSpec};
use serde_json::json;

use crate::figures::Figures;

/// How many tasks are open where there are few.
const FEW: usize = 10;

/// How many take tasks at once.
const WORKERS: usize = 64;

/// One in so many tasks is forgotten by who took it.
const FORGOTTEN: usize = 50;

/// What the next task costs by turns: each is taken where so many are open.
pub(crate) async fn next(figures: &mut Figures, dir: &Path, many: usize) -> Result<()> {
    let (few, lots) = (Desk::with(dir, FEW, 1).await?, Desk::with(dir, many, 1).await?);
    let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
    for _ in 0..FEW - 2 {
        of_few.push(few.take_one().await?);
        of_many.push(lots.take_one().await?);
    }
    let (of_few, of_many) = (median(of_few), median(of_many));
    figures.add("next_task", "us", of_many);
    figures.add("next_task", "of_few", of_many / of_few);
    few.close().await?;
    lots.close().await?;
    // The same, where each is one of a run of its own.
    let (few, lots) = (Desk::with(dir, 1, FEW).await?, Desk::with(dir, 1, many / 10).await?);
    let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
    for _ in 0..FEW - 2 {
        of_few.push(few.take_one().await?);
        of_many.push(lots.take_one().await?);
    }
    figures.add("next_task", "of_few_runs", median(of_many) / median(of_few));
    few.close().await?;
    lots.close().await
}

/// The same as a person meets it: whole processes, of which each opens the store and loads the run.
pub(crate) async fn next_by_process(
    figures: &mut Figures,
    reenact: &Path,
    dir: &Path,
    many: usize,
) -> Result<()> {
    let shapes = [
        (("process_ms", "process_of_few"), (FEW, 1), (many, 1)),
        (("process_runs_ms", "process_of_few_runs"), (1, FEW), (1, many / 10)),
    ];
    for ((ms, ratio), few, lots) in shapes {
        let few = Desk::with(dir, few.0, few.1).await?.put_away().await?;
        let lots = Desk::with(dir, lots.0, lots.1).await?.put_away().await?;
        let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
        for _ in 0..FEW - 2 {
            of_few.push(take_by(reenact, few.path())?);
            of_many.push(take_by(reenact, lots.path())?);
        }
        let (of_few, of_many) = (median(of_few), median(of_many));
        figures.add("next_task", ms, of_many);
        figures.add("next_task", ratio, of_many / of_few);
    }
    Ok(())
}

/// How long a process lasts that takes a task of that folder, in ms.
fn take_by(reenact: &Path, folder: &Path) -> Result<f64> {
    let mut command = Command::new(reenact);
    command.args(["--data", "data", "tasks", "next", "--agent", "clerk"]).current_dir(folder);
    let since = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(since.elapsed().as_secs_f64() * 1e3)
}

/// Many who take tasks at once: all are done once, whoever forgets what they took.
pub(crate) async fn workers(figures: &mut Figures, dir: &Path, tasks: usize) -> Result<()> {
    let desk = Desk::with(dir, tasks, 1).await?;
    let (done, left) = (Arc::new(Mutex::new(HashMap::new())), Arc::new(AtomicUsize::new(tasks)));
    let since = Instant::now();
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| tokio::spawn(work(desk.engine.clone(), worker, Arc::clone(&done), Arc::clone(&left))))
        .collect();
    for worker in workers {
        worker.await??;
    }
    figures.add("task_workers", "per_s", tasks as f64 / since.elapsed().as_secs_f64());
    let done = done.lock().unwrap_or_else(PoisonError::into_inner).clone();
    ensure!(done.len() == tasks && done.values().all(|times| *times == 1), "a task is lost, or done twice");
    ensure!(matches!(desk.runs.first(), Some(run) if matches!(run.outcome().await?, Outcome::Completed(_))));
    desk.close().await
}

type Done = Arc<Mutex<HashMap<u64, u32>>>;

async fn work(engine: Engine, worker: usize, done: Done, left: Arc<AtomicUsize>) -> Result<()> {
    let mut taken = worker;
    while left.load(Ordering::Relaxed) > 0 {
        taken += 1;
        let is_forgotten = taken.is_multiple_of(FORGOTTEN);
        let length = Duration::from_millis(if is_forgotten { 50 } else { 60_000 });
        let next = NextTask::of("clerk").by(&format!("w{worker}")).lease(length);
        let Some(task) = engine.next_task(next.wait(Duration::from_millis(500))).await? else { continue };
        if is_forgotten {
            continue;
        }
        let item = task.input.value().get("item").and_then(|item| item.as_u64()).unwrap_or(u64::MAX);
        engine.complete_task(&task.id, &json!({ "item": item })).await?;
        *done.lock().unwrap_or_else(PoisonError::into_inner).entry(item).or_insert(0) += 1;
        left.fetch_sub(1, Ordering::Relaxed);
    }
    Ok(())
}

/// An engine with runs that hand out tasks.
struct Desk {
    engine: Engine,
    runs: Vec<RunHandle>,
    folder: tempfile::TempDir,
}

impl Desk {
    /// So many tasks in each of so many runs.
    async fn with(dir: &Path, tasks: usize, runs: usize) -> Result<Self> {
        let folder = tempfile::tempdir_in(dir)?;
        let agent = "---\nname: clerk\ndescription: Does it\nexecutor: external\n---\n";
        std::fs::create_dir_all(folder.path().join("agents"))?;
        std::fs::write(folder.path().join("agents/clerk.md"), agent)?;
        let file = folder.path().join("many.yaml");
        let steps = "name: many\nsteps: [{id: all, agent: clerk, for_each: 'input.items', with: {item: '{{ item }}'}}]";
        std::fs::write(&file, steps)?;
        let engine = Engine::open(folder.path().join("data")).start().await?;
        let items: Vec<usize> = (0..tasks).collect();
        let spec = RunSpec::file(&file).input(&json!({ "items": items }))?;
        let spec = engine.resolve(spec).await.map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
        let mut handles = Vec::with_capacity(runs);
        for _ in 0..runs {
            let run = engine.run(spec.clone()).await?;
            ensure!(matches!(run.outcome().await?, Outcome::Waiting(_)), "it does not wait for people");
            handles.push(run);
        }
        let open = engine.tasks(None).await?.len();
        ensure!(open == tasks * runs, "{open} tasks are open");
        Ok(Self { engine, runs: handles, folder })
    }

    /// How long taking one lasts, in µs.
    async fn take_one(&self) -> Result<f64> {
        let since = Instant::now();
        let task = self.engine.next_task(NextTask::of("clerk")).await?;
        ensure!(task.is_some(), "no task is open");
        Ok(since.elapsed().as_secs_f64() * 1e6)
    }

    /// The folder, when nobody holds it any more.
    async fn put_away(self) -> Result<tempfile::TempDir> {
        self.engine.shut_down().await?;
        Ok(self.folder)
    }

    async fn close(self) -> Result<()> {
        Ok(self.engine.shut_down().await?)
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
