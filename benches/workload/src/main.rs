//! Measures the engine on this machine's disk, and beside it what the same disk does without the engine in the same
//! minute. A line is `name metric value`; values are medians of the rounds. See `docs/performance.md`.

mod baseline;
mod cached;
mod chains;
mod conversation;
mod embedded;
mod engine;
mod families;
mod figures;
mod grown;
mod killed;
mod looks;
mod models;
mod past;
mod programs;
mod restart;
mod routed;
mod runs;
mod seen;
mod sleeping;
mod talk;
mod tasks;
mod woken;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;

use baseline::{append_p50_us, grouped_per_s};
use figures::Figures;
use runs::{chain, fan, limited_fan, many, unwind};

/// Measures the engine, and the same disk without it.
#[derive(Parser)]
struct Arguments {
    /// The folder whose disk is measured [default: the target folder]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// How often everything is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only these measurements, such as `w1_64,w2`
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Leave out what they are compared with: for profilers
    #[arg(long)]
    alone: bool,
    /// Tiny sizes, one round: shows that everything runs
    #[arg(long)]
    smoke: bool,
    /// Be the process of W4 that is killed: its runs and their journal are in this folder
    #[arg(long, hide = true, requires = "runs")]
    work_in: Option<PathBuf>,
    /// Be the process of R2 that starts: the store is in this folder
    #[arg(long, hide = true)]
    wake_in: Option<PathBuf>,
    /// Let that process do a run of its own first
    #[arg(long, hide = true)]
    probe: bool,
    /// How many runs that process sees through
    #[arg(long, hide = true)]
    runs: Option<usize>,
}

/// How much of everything.
struct Sizes {
    appends: usize,
    records: usize,
    runs: usize,
    steps: usize,
    killed_runs: usize,
    /// Runs of a thousand events that are folded.
    folded: usize,
    /// Steps of the run that is seen as it was.
    replayed: usize,
    /// A run grows to the square of this, and a file of ten times as many steps is checked.
    grown: usize,
    /// Programs that are steps side by side, and one after the other.
    programs: (usize, usize),
    /// Runs that have not ended when a process starts.
    restart: restart::Size,
    /// What is looked at.
    looks: looks::Size,
    /// Agents among which a request is routed, beside ten.
    routed: usize,
    /// Messages of which nothing is recorded.
    told: u64,
    /// Messages of each of 64 runs.
    messages: u64,
    /// Tasks that are open at once.
    tasks: usize,
    /// Turns of a conversation after which it is looked what one costs.
    turns: [usize; 3],
}

const FULL: Sizes = Sizes {
    appends: 500,
    records: 20_000,
    runs: 1_000,
    steps: 200,
    killed_runs: 200,
    folded: 1_003,
    replayed: 33_333,
    grown: 100,
    programs: (2_000, 500),
    restart: restart::Size { runs: 100_000, due: 100 },
    looks: looks::Size { listed: 100_000, steps: 10_000, folded: 103 },
    routed: 1_000,
    told: 1_000_000,
    messages: 150,
    tasks: 10_000,
    turns: [10, 100, 1_000],
};
const SMOKE: Sizes = Sizes {
    appends: 10,
    records: 300,
    runs: 20,
    steps: 10,
    killed_runs: 8,
    folded: 2,
    replayed: 400,
    grown: 8,
    programs: (40, 10),
    restart: restart::Size { runs: 200, due: 5 },
    looks: looks::Size { listed: 200, steps: 200, folded: 2 },
    routed: 40,
    told: 1_000,
    messages: 4,
    tasks: 100,
    turns: [2, 4, 60],
};

/// How many times as many steps show whether undoing one of them costs more.
const MANY: usize = 16;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let (Some(folder), Some(runs)) = (&arguments.work_in, arguments.runs) {
        return actix::System::new().block_on(killed::work(folder, runs));
    }
    if let Some(folder) = &arguments.wake_in {
        return actix::System::new().block_on(woken::wake(folder, arguments.probe));
    }
    let dir = match &arguments.dir {
        Some(dir) => dir.clone(),
        None => beside()?,
    };
    let (sizes, rounds) = if arguments.smoke { (SMOKE, 1) } else { (FULL, arguments.rounds) };
    let (mut figures, reenact) = (Figures::default(), beside()?.join("reenact"));
    for _ in 0..rounds {
        actix::System::new().block_on(round(&mut figures, &arguments, &sizes, &dir))?;
    }
    if arguments.wants("w5") {
        let (fan, chain) = sizes.programs;
        (0..rounds).try_for_each(|_| programs::measure(&mut figures, &reenact, &dir, fan, chain))?;
    }
    if arguments.wants("models") {
        models::streams(&mut figures, &reenact, &dir, sizes.steps)?;
    }
    if arguments.wants("sleeping") {
        sleeping::measure(&mut figures, &reenact, &dir)?;
    }
    print!("{figures}");
    ensure!(figures.are_positive(), "a figure is zero: something did not run");
    Ok(())
}

/// The folder of this program.
fn beside() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.parent().context("a program is in a folder")?.to_owned())
}

impl Arguments {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    fn baseline(&self, measure: impl FnOnce() -> Result<f64>) -> Result<Option<f64>> {
        if self.alone { Ok(None) } else { measure().map(Some) }
    }
}

/// Measures everything once. What is compared is measured right before and right after: disks of shared machines change
/// by the minute.
async fn round(figures: &mut Figures, arguments: &Arguments, sizes: &Sizes, dir: &Path) -> Result<()> {
    let group64 = || arguments.baseline(|| grouped_per_s(dir, 64, sizes.records));
    let append = || arguments.baseline(|| append_p50_us(dir, sizes.appends));
    for (name, in_flight) in [("w1_64", 64), ("w1_256", 256)] {
        if arguments.wants(name) {
            let before = group64()?;
            let done = many(dir, sizes.runs, in_flight).await?;
            figures.beside("group64", "records_per_s", before, group64()?);
            figures.add(name, "steps_per_s", done.steps_per_s());
            figures.add(name, "commits_per_s", done.commits_per_s());
            figures.add(name, "cpu_us_per_step", done.cpu_us_per_step());
            figures.compare(name, "of_group64", done.steps_per_s());
            figures.add("w1", "disk_ratio", done.disk_ratio());
        }
    }
    if arguments.wants("engine_w1_64") {
        embedded::measure(figures, dir, sizes.runs).await?;
    }
    if arguments.wants("talk") {
        talk::ephemeral(figures, sizes.told).await?;
        talk::durable(figures, dir, sizes.runs, sizes.messages).await?;
    }
    if arguments.wants("conversation") {
        conversation::measure(figures, dir, sizes.turns).await?;
    }
    if arguments.wants("tasks") {
        tasks::next(figures, dir, sizes.tasks).await?;
        tasks::next_by_process(figures, &beside()?.join("reenact"), dir, sizes.tasks).await?;
        tasks::workers(figures, dir, sizes.tasks).await?;
    }
    if arguments.wants("models") {
        models::measure(figures, dir, sizes.steps, sizes.turns).await?;
    }
    if arguments.wants("cached") {
        cached::steps(figures, dir, sizes.steps).await?;
    }
    if arguments.wants("group256") {
        figures.add("group256", "records_per_s", grouped_per_s(dir, 256, sizes.records)?);
    }
    if arguments.wants("w2") {
        let before = append()?;
        let done = chain(dir, sizes.steps).await?;
        figures.beside("append", "p50_us", before, append()?);
        figures.add("w2", "us_per_step", done.us_per_step());
        figures.add("w2", "cpu_us_per_step", done.cpu_us_per_step());
        figures.compare("w2", "of_append", done.us_per_step());
        figures.add("w2", "syncs_per_step", done.commits_per_step());
    }
    if arguments.wants("w3") {
        let before = append()?;
        let done = fan(dir, sizes.steps).await?;
        figures.beside("append", "p50_us", before, append()?);
        figures.add("w3", "total_us", done.us());
        figures.compare("w3", "of_append", done.us());
        figures.add("w3", "commits", done.commits());
    }
    if arguments.wants("budget") {
        budget(figures, sizes, dir).await?;
    }
    if arguments.wants("unwind") {
        let before = fan(dir, sizes.steps).await?;
        let took = unwind(dir, sizes.steps).await?;
        let after = fan(dir, sizes.steps).await?;
        figures.add("unwind", "total_us", took);
        figures.add("unwind", "of_w3", took / f64::midpoint(before.us(), after.us()));
        let many = unwind(dir, sizes.steps * MANY).await?;
        figures.add("unwind", "each_of_many", many / (took * MANY as f64));
    }
    of_what_is_there(figures, arguments, sizes, dir).await
}

/// Measures a fan whose run has a limit that is not met, beside one without.
async fn budget(figures: &mut Figures, sizes: &Sizes, dir: &Path) -> Result<()> {
    let before = fan(dir, sizes.steps).await?;
    let limited = limited_fan(dir, sizes.steps).await?;
    let after = fan(dir, sizes.steps).await?;
    figures.add("budget", "total_us", limited.us());
    figures.add("budget", "speed_of_w3", f64::midpoint(before.us(), after.us()) / limited.us());
    Ok(())
}

/// Measures what becomes of runs that are there: those of a process that was killed, those that wait, and long histories.
async fn of_what_is_there(
    figures: &mut Figures,
    arguments: &Arguments,
    sizes: &Sizes,
    dir: &Path,
) -> Result<()> {
    if arguments.wants("w4") {
        killed::measure(figures, dir, sizes.killed_runs).await?;
    }
    if arguments.wants("r2") {
        restart::measure(figures, dir, sizes.restart).await?;
    }
    if arguments.wants("families") {
        families::measure(figures, dir, sizes.restart.runs).await?;
    }
    if arguments.wants("grown") {
        grown::measure(figures, dir, sizes.grown).await?;
    }
    if arguments.wants("validate") {
        grown::validate(figures, &beside()?.join("reenact"), dir, 10 * sizes.grown)?;
    }
    if arguments.wants("chains") {
        chains::validate(figures, &beside()?.join("reenact"), dir, sizes.grown)?;
    }
    if arguments.wants("cold") {
        let append = || arguments.baseline(|| append_p50_us(dir, sizes.appends));
        let before = append()?;
        let took = seen::cold_us(&beside()?.join("reenact"), dir)?;
        figures.beside("append", "p50_us", before, append()?);
        figures.add("cold", "us", took);
        figures.compare("cold", "of_append", took);
    }
    if arguments.wants("why") {
        seen::why(figures, &beside()?.join("reenact"), dir, sizes.replayed).await?;
    }
    if arguments.wants("looks") {
        looks::measure(figures, &beside()?.join("reenact"), dir, sizes.looks).await?;
    }
    if arguments.wants("route") {
        routed::measure(figures, &beside()?.join("reenact"), dir, sizes.routed)?;
    }
    if arguments.wants("r1") {
        figures.add("r1", "events_per_s", past::fold(dir, sizes.folded).await?.events_per_s());
    }
    if arguments.wants("replay") {
        let replayed = past::replay(dir, sizes.replayed).await?;
        figures.add("replay", "events", replayed.events);
        figures.add("replay", "median_ms", replayed.median_ms);
        figures.add("replay", "worst_ms", replayed.worst_ms);
    }
    Ok(())
}
