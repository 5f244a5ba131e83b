//! Programs as agents, by the protocol of docs/agents.md: a JSON document on stdin, lines on stdout, a status.
//!
//! - `command`: which program, in which folder, with which environment
//! - `protocol`: the document that goes in, and what lines on stdout mean
//! - `streams`: moves bytes in all three directions at once, within bounds
//! - `exit`: what a status means
//! - `running`: the program at work, and the record of it
//! - `group`: every process that it made, and how they end
//! - `proc`: what the kernel says of processes
//! - [`lost`]: what an attempt of a process that died left running
//!
//! Each attempt is a process group of its own. An attempt that succeeds may leave processes behind on purpose (a step
//! may start a server for the steps after it); one that fails, or is stopped, leaves nothing running, so that the
//! next attempt never works beside the remains of this one.

mod command;
mod exit;
mod group;
pub mod lost;
mod proc;
pub(super) mod protocol;
mod running;
mod streams;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Context, Executor, Failure, Output, Stop, Task, now};
use crate::events::ids::{RunId, StepId};
use crate::events::problem::Code;
use running::Running;
use streams::{Full, Streams};

/// What of the parent's environment every program gets.
pub const ENVIRONMENT_ALWAYS: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

/// What a program may write to stdout, protocol lines other than `PROGRESS:` included; and how much is kept of what it
/// writes to stderr.
pub const OUTPUT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// From TERM to KILL.
pub const GRACE: Duration = Duration::from_secs(5);

/// How long stdout is read after the program has ended. What it wrote itself is in the pipe by then; this is for a
/// helper that ends a moment later (`exec > >(tee log)`), and bounds what a daemon that keeps stdout open costs.
const DRAIN: Duration = Duration::from_millis(500);

/// How programs are run.
#[derive(Debug, Clone)]
pub struct Options {
    /// What passes of the parent's environment. See [`Options::environment_of`].
    pub environment: BTreeMap<OsString, OsString>,
    /// How long a process group has between TERM and KILL.
    pub grace: Duration,
    /// How many bytes a program may write to stdout, and how many are kept of stderr.
    pub output_bytes_max: usize,
    /// Where running groups are written down, so that the next process can end them: `DATA/processes`. Without it
    /// nobody can.
    pub processes: Option<PathBuf>,
}

impl Default for Options {
    /// The defaults, with what always passes of this process's environment.
    fn default() -> Self {
        Self {
            environment: Self::environment_of(std::env::vars_os(), &[]),
            grace: GRACE,
            output_bytes_max: OUTPUT_BYTES_MAX,
            processes: None,
        }
    }
}

impl Options {
    /// What passes of an environment: [`ENVIRONMENT_ALWAYS`] and the names in `further`.
    pub fn environment_of(
        all: impl Iterator<Item = (OsString, OsString)>,
        further: &[String],
    ) -> BTreeMap<OsString, OsString> {
        let passes = |name: &OsString| {
            ENVIRONMENT_ALWAYS.iter().any(|always| name == always)
                || further.iter().any(|other| name == other.as_str())
        };
        all.filter(|(name, _)| passes(name)).collect()
    }
}

/// Runs the program of one agent; or, without a program, what each step says in `run`.
#[derive(Debug, Clone)]
pub struct SubprocessExecutor {
    command: Vec<String>,
    options: Arc<Options>,
}

impl SubprocessExecutor {
    /// For an agent with this program and these arguments; none for the agent `shell`.
    pub fn new(command: Vec<String>, options: Arc<Options>) -> Self {
        Self { command, options }
    }

    async fn start(&self, task: &Task) -> Result<(Running, Streams), Failure> {
        let options = Arc::clone(&self.options);
        let mut command = command::of(task, &self.command, &options.environment)?;
        let document = protocol::document(task)?;
        let record = options.processes.as_ref().map(|folder| lost::Record::of(folder, task));
        if let Some(record) = &record {
            command.give(lost::MARK_VARIABLE, record.mark());
        }
        // Making a process copies page tables and touches the disk: not on a thread that hosts actors.
        let started = tokio::task::spawn_blocking(move || Running::start(command, record));
        let (running, pipes) = started.await.map_err(|error| {
            Failure::new(Code::NotStarted, format!("the program could not be started: {error}"))
        })??;
        Ok((running, Streams::new(pipes, document, options.output_bytes_max)))
    }

    fn failure(&self, task: &Task, end: &End, streams: &Streams) -> Failure {
        match end {
            End::Exited(status) => exit::failure(*status, streams),
            End::TooLarge => exit::too_large(&task.agent, self.options.output_bytes_max),
            End::Stopped(why) => exit::stopped(*why, streams),
            End::Unwaitable(error) => exit::unwaitable(error),
        }
    }
}

#[async_trait]
impl Executor for SubprocessExecutor {
    async fn execute(&self, mut task: Task, context: Context) -> Result<Output, Failure> {
        self.end_leftover(&task.run, &task.step).await?;
        let started_at = now();
        let (mut running, mut streams) = self.start(&task).await?;
        streams.show_progress_in(context.progress.clone());
        let mut end = tokio::select! {
            // A program that is done when the deadline passes is done.
            biased;
            end = see_through(&mut running, &mut streams) => end,
            why = context.stopped() => End::Stopped(why),
        };
        // It has ended, and nothing that comes from now on changes how: neither a deadline, nor who keeps its pipes open.
        if matches!(end, End::Exited(_)) && streams.hear_out(DRAIN).await.is_err() {
            end = End::TooLarge;
        }
        let result = match &end {
            End::Exited(status) if status.success() => {
                running.leave().await;
                streams.output()
            }
            _ => {
                // First the end, then the message: what a program says when it is told to stop is a part of it.
                end_group(running, self.options.grace, &mut streams).await;
                Err(self.failure(&task, &end, &streams))
            }
        };
        let mut said = streams.into_transcript();
        if let End::Exited(status) = end {
            (said.exit_code, said.signal) = (status.code(), status.signal());
        }
        (said.started_at, said.ended_at, said.prompt) = (started_at, now(), task.work.prompt.take());
        let transcript = Some(said.to_json());
        match result {
            Ok(output) => Ok(Output { transcript, ..output }),
            Err(failure) => Err(Failure { transcript, ..failure }),
        }
    }

    async fn end_leftover(&self, run: &RunId, step: &StepId) -> Result<(), Failure> {
        match &self.options.processes {
            Some(folder) => lost::end_leftover(folder, run, step, self.options.grace).await,
            None => Ok(()),
        }
    }
}

/// How the wait for a program ended.
enum End {
    Exited(std::process::ExitStatus),
    TooLarge,
    Stopped(Stop),
    Unwaitable(std::io::Error),
}

/// Feeds the program and reads it until it has ended.
async fn see_through(running: &mut Running, streams: &mut Streams) -> End {
    let mut open = true;
    loop {
        tokio::select! {
            status = running.wait() => return match status {
                Ok(status) => End::Exited(status),
                Err(error) => End::Unwaitable(error),
            },
            moved = streams.pump(), if open => match moved {
                Ok(()) => open = false,
                Err(Full) => return End::TooLarge,
            },
        }
    }
}

/// Ends the program and all of its group, reading on meanwhile, so that nobody is stuck who wants to write.
async fn end_group(running: Running, grace: Duration, streams: &mut Streams) {
    let mut ending = std::pin::pin!(running.end(grace));
    tokio::select! {
        () = &mut ending => {}
        () = streams.drain() => ending.await,
    }
    // What was written last may still be in the pipes.
    let _ = tokio::time::timeout(DRAIN, streams.drain()).await;
}
