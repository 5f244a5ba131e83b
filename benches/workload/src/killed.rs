//! W4: a process with many runs is killed midway, and another goes on. What ran twice is counted by what the steps
//! themselves wrote down.

use std::collections::{HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use reenact::events::ids::{Position, RunId};
use reenact::events::run::RunEvent;
use reenact::executors::Failure;
use reenact::executors::function::FunctionCall;
use reenact::store::EventStore;
use reenact::store::sled::{SledOptions, SledStore};

use crate::engine::{Engine, sequential, start_of};
use crate::figures::Figures;

/// The steps of each run.
const STEPS: usize = 10;

/// How long a step takes.
const STEP: Duration = Duration::from_millis(20);

/// How many steps run at once: what an agent has by default.
const SLOTS: u32 = 16;

/// How long the whole may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Adds what becomes of so many runs whose process is killed when half of their steps are done.
pub(crate) async fn measure(figures: &mut Figures, dir: &Path, runs: usize) -> Result<()> {
    let folder = tempfile::tempdir_in(dir)?;
    let steps = runs * STEPS;
    let mut first = worker(folder.path(), runs)?;
    let since = Instant::now();
    while Journal::read(folder.path())?.done() < steps / 2 {
        ensure!(since.elapsed() < PATIENCE && first.try_wait()?.is_none(), "half of it is never done");
        std::thread::sleep(Duration::from_millis(5));
    }
    first.kill()?;
    first.wait()?;
    let ended = Journal::read(folder.path())?.done();
    let in_flight = in_flight(folder.path()).await?;
    let since = Instant::now();
    let status = worker(folder.path(), runs)?.wait()?;
    let took = since.elapsed();
    ensure!(status.success(), "the second process ended with {status}");
    let all = Journal::read(folder.path())?;
    let never = steps - all.done();
    let twice: Vec<_> = all.started.iter().filter(|(_, times)| **times > 1).map(|(step, _)| step).collect();
    if never > 0 || !twice.iter().all(|step| in_flight.contains(*step)) {
        bail!(
            "{never} steps never ran; {twice:?} ran twice, and only {in_flight:?} were in flight at the kill"
        );
    }
    let left = STEP.mul_f64((steps - ended) as f64 / f64::from(SLOTS));
    figures.add("w4", "steps", all.done() as f64);
    figures.count("w4", "never_ran", never);
    figures.count("w4", "in_flight", in_flight.len());
    figures.count("w4", "ran_twice", twice.len());
    figures.add("w4", "left_ms", left.as_secs_f64() * 1e3);
    figures.add("w4", "took_ms", took.as_secs_f64() * 1e3);
    figures.add("w4", "of_what_was_left", took.as_secs_f64() / left.as_secs_f64());
    Ok(())
}

/// The steps of which an attempt is recorded and no end: what the killed process was doing, as far as anybody can know.
async fn in_flight(folder: &Path) -> Result<HashSet<String>> {
    let copy = tempfile::tempdir_in(folder)?;
    copy_files(&folder.join("store"), copy.path())?;
    let store = SledStore::open(copy.path(), SledOptions::default())?;
    let (mut open, mut after) = (HashSet::new(), Position(0));
    loop {
        let page = store.read_all(after, 4_096).await?;
        let Some(last) = page.last() else { return Ok(open) };
        after = last.position;
        for recorded in &page {
            let stream = recorded.header.stream.to_string();
            let run = stream.strip_prefix("run/").unwrap_or(&stream);
            let named = |step| format!("{run}/{step}");
            match recorded.decode()? {
                RunEvent::AttemptStarted(started) => drop(open.insert(named(started.step))),
                RunEvent::StepCompleted(completed) => drop(open.remove(&named(completed.step))),
                _ => {}
            }
        }
    }
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if path.is_dir() {
            copy_files(&path, &to.join(name))?;
        } else if path.is_file() {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// What the process does that may be killed: it sees all the runs through, those that it finds and those that are new.
pub(crate) async fn work(folder: &Path, runs: usize) -> Result<()> {
    let journal = folder.join(JOURNAL);
    let engine = Engine::open(&folder.join("store"), SLOTS, |functions| {
        functions.register("work", move |call: FunctionCall| {
            let journal = journal.clone();
            async move {
                let step = format!("{}/{}", call.task.run, call.task.step);
                write(&journal, "begins", &step)?;
                tokio::time::sleep(STEP).await;
                write(&journal, "ends", &step)?;
                Ok::<_, Failure>(())
            }
        });
    })?;
    let start = start_of(&sequential(STEPS))?;
    let ids =
        (0..runs).map(|number| RunId::parse(&format!("run-{number}"))).collect::<Result<Vec<_>, _>>()?;
    for run in &ids {
        engine.begin(run, start.clone()).await?;
    }
    for run in &ids {
        engine.completed(run).await?;
    }
    engine.shut_down().await
}

/// Where the steps write down that they begin and end: a line is written whole, and outlives the process.
const JOURNAL: &str = "journal";

fn write(journal: &Path, what: &str, step: &str) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Failure::new(reenact::events::problem::Code::Internal, error.to_string());
    let mut file = OpenOptions::new().create(true).append(true).open(journal).map_err(failed)?;
    file.write_all(format!("{what} {step}\n").as_bytes()).map_err(failed)
}

fn worker(folder: &Path, runs: usize) -> Result<Child> {
    let mut worker = Command::new(std::env::current_exe()?);
    worker.arg("--work-in").arg(folder).arg("--runs").arg(runs.to_string());
    Ok(worker.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?)
}

/// How often each step began, and how often it ended.
#[derive(Default)]
struct Journal {
    started: HashMap<String, usize>,
    ended: HashMap<String, usize>,
}

impl Journal {
    fn read(folder: &Path) -> Result<Self> {
        let mut journal = Self::default();
        let text = match fs::read_to_string(folder.join(JOURNAL)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("begins", step)) => *journal.started.entry(step.to_owned()).or_default() += 1,
                Some(("ends", step)) => *journal.ended.entry(step.to_owned()).or_default() += 1,
                _ => bail!("the journal has a line `{line}`"),
            }
        }
        Ok(journal)
    }

    fn done(&self) -> usize {
        self.ended.len()
    }
}
