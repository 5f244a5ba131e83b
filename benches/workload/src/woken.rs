//! A process that starts on a store with many runs, drives all of them, and does what it is told to on its input.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use reenact::aggregates::run::{Ask, StartRun};
use reenact::events::ids::RunId;
use reenact::events::json::Json;
use reenact::executors::Failure;
use reenact::executors::function::FunctionCall;

use crate::engine::{Engine, sequential, start_of};

/// The run of that number.
pub(crate) fn id(number: usize) -> Result<RunId> {
    Ok(RunId::parse(&format!("run-{number:06}"))?)
}

/// What the process does that starts: it drives all runs, says when it does something, and approves or signals what it is
/// told to.
/// With `probe` it first does a run of its own, which it takes up when it has looked who is due.
pub(crate) async fn wake(folder: &Path, probe: bool) -> Result<()> {
    let engine = Engine::open(folder, 16, |functions| {
        functions.register("work", |call: FunctionCall| async move {
            say(&call.task.run.to_string());
            Ok::<_, Failure>(())
        });
    })?;
    // Nobody wants to hear which runs have come to rest.
    drop(engine.system().drive_all());
    if probe {
        let start = StartRun { drive: false, ..start_of(&sequential(1))? };
        engine.begin(&RunId::parse("probe")?, start).await?;
    }
    let (sender, mut lines) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| sender.blocking_send(line))
    });
    while let Some(line) = lines.recv().await {
        let (verb, number) = line.split_once(' ').context("a line is a verb and the number of a run")?;
        let (run, request) = (id(number.parse()?)?, "go".to_owned());
        if verb == "signal" {
            signal(&engine, &run).await?;
            continue;
        }
        let ask = Ask::Approve { request, by: "bench".into(), note: None, edits: None, hash: None };
        engine.system().ask(&run, ask).await?;
    }
    Ok(())
}

/// Sends the signal that the child of that run waits for.
async fn signal(engine: &Engine, run: &RunId) -> Result<()> {
    let (parent, _) = engine.system().fold(run).await?;
    let (child, _) = parent.open_children().next().context("it has no child")?;
    let ask = Ask::Signal { name: "go".into(), data: Json::parse("null")?, by: "bench".into() };
    engine.system().ask(child, ask).await?;
    Ok(())
}

/// A line on stdout, at once.
fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // Whoever listened is gone, and with it the measurement.
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// A process that drives all runs of a folder.
pub(crate) struct Process {
    child: Child,
    stdin: ChildStdin,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    since: Instant,
}

impl Process {
    pub(crate) fn start(folder: &Path, probe: bool) -> Result<Self> {
        let since = Instant::now();
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--wake-in").arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.args(probe.then_some("--probe"));
        let mut child = command.spawn()?;
        let stdin = child.stdin.take().context("no stdin")?;
        let lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        Ok(Self { child, stdin, lines, since })
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        Ok(self.lines.next().context("the process ended")??)
    }

    /// When it says something next, from its start.
    pub(crate) fn line(&mut self) -> Result<Duration> {
        self.text()?;
        Ok(self.since.elapsed())
    }

    pub(crate) fn ask(&mut self, text: &str) -> Result<()> {
        writeln!(self.stdin, "{text}")?;
        Ok(self.stdin.flush()?)
    }

    pub(crate) fn child(&self) -> &Child {
        &self.child
    }

    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}
