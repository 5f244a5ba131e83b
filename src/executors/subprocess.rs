//! Programs as agents, by the protocol of docs/agents.md: a JSON document on stdin, lines on stdout, a status.
//!
//! - `command`: which program, in which folder, with which environment
//! - `protocol`: the document that goes in, and what lines on stdout mean
//! - `input`: the document where the program can read it
//! - `streams`: reads what it writes, within bounds; `conversation`: what is said to it while it runs, and what it says
//! - `mask`: keeps secrets out of it
//! - `exit`: what a status means; `oom`: whether memory ran out
//! - `running`: the program at work
//! - [`programs`]: all that are at work, and what a process that died left at work; `table`: the file in which they stand
//! - `traces`: by what all that a program started is known, and how it ends; `group`: its process group
//! - `proc`: what the kernel says of processes
//! - `helpers`: threads for what blocks
//!
//! Each attempt is a process group of its own, and more than that: what leaves the group is found, too. An attempt that succeeds may leave processes behind on purpose (a step
//! may start a server for the steps after it); one that fails, or is stopped, leaves nothing running, so that the
//! next attempt never works beside the remains of this one.

mod command;
mod conversation;
mod exit;
mod group;
mod helpers;
mod input;
pub(super) mod mask;
mod oom;
mod proc;
pub mod programs;
pub(super) mod protocol;
mod running;
mod streams;
mod table;
#[cfg(test)]
mod tests;
mod traces;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::logs::line::Ended;
use super::logs::{Logs, Speaker};
use super::mask::Masks;
use super::{AgentDefinition, Context, Executor, Failure, Output, Stop, Task, now};
use crate::events::ids::{RunId, StepId};
use crate::events::json::Json;
use crate::events::run::Usage;
use crate::workflow::work::Transcript;
pub use command::{SHELL, program_file};
use conversation::Conversation;
use programs::Programs;
use running::{Running, Stdin};
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

/// The options with which programs are run.
#[derive(Debug, Clone)]
pub struct Options {
    /// What passes of the parent's environment. See [`Options::environment_of`].
    pub environment: BTreeMap<OsString, OsString>,
    /// What is masked in all that programs say, and that functions do.
    pub masks: Masks,
    /// How long a process group has between TERM and KILL.
    pub grace: Duration,
    /// How many bytes a program may write to stdout, and how many are kept of stderr.
    pub output_bytes_max: usize,
    /// The programs that are at work, and where they are written down.
    pub programs: Arc<Programs>,
    /// Where what they say goes while they say it.
    pub logs: Arc<Logs>,
}

impl Default for Options {
    /// The defaults, with what always passes of this process's environment.
    fn default() -> Self {
        Self {
            environment: Self::environment_of(std::env::vars_os(), &[]),
            masks: Masks::default(),
            grace: GRACE,
            output_bytes_max: OUTPUT_BYTES_MAX,
            programs: Programs::in_folder(None),
            logs: Logs::in_folder(None),
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
    /// Whether its program converses while it runs.
    converses: bool,
    /// Whether its programs are none of the protocol: they are told nothing, and what they write and how they end is for somebody
    /// else to look at.
    is_plain: bool,
    /// The agent, as its programs are told of it.
    about: Arc<Json>,
    options: Arc<Options>,
}

impl SubprocessExecutor {
    /// For this agent, which has no program if it is `shell`.
    pub fn new(agent: &AgentDefinition, options: Arc<Options>) -> Self {
        let (command, about) = (agent.command.clone(), Arc::new(protocol::about(agent)));
        Self { command, converses: agent.stream, is_plain: false, about, options }
    }

    /// For programs that know nothing of the protocol. Whatever their status, an attempt has succeeded when they have ended, and its
    /// transcript is all that it answers.
    pub(super) fn plain(options: Arc<Options>) -> Self {
        let about = Arc::new(Json::null());
        Self { command: Vec::new(), converses: false, is_plain: true, about, options }
    }

    async fn start(&self, task: &Task, context: &Context) -> Result<(Running, Streams), Failure> {
        let options = Arc::clone(&self.options);
        let command = command::of(task, &self.command, &options.environment)?;
        let document = if self.is_plain { Vec::new() } else { protocol::document(task, &self.about)? };
        let task = task.clone();
        let (stdin, first) = match self.converses {
            true => (Stdin::KeptOpen, document),
            false => (Stdin::Document(document), Vec::new()),
        };
        // Making a process takes a while: not on a thread that hosts actors.
        let started = helpers::run(move || Running::start(command, &stdin, &options.programs, &task)).await;
        let (running, pipes, stdin) = started
            .map_err(|error| running::not_ready("there is no thread to start the program", &error))??;
        let options = &self.options;
        let unreadable = |error| running::not_ready("what the program writes cannot be read", &error);
        let mut streams = Streams::new(pipes, options.output_bytes_max, options.masks.clone());
        if let (Some(stdin), Ok(streams)) = (stdin, &mut streams) {
            let (voice, incoming) = (context.voice.clone(), context.incoming.clone());
            streams.converse(Conversation::new(stdin, first, voice, incoming).map_err(unreadable)?);
        }
        Ok((running, streams.map_err(unreadable)?))
    }

    fn failure(&self, task: &Task, end: &End, streams: &Streams, kills_before: Option<u64>) -> Failure {
        match end {
            End::Exited(status) if exit::is_killed(*status) && oom::kills() > kills_before => {
                exit::out_of_memory(*status, streams)
            }
            End::Exited(status) => exit::failure(*status, streams),
            End::TooLarge if streams.masks_too_much() => mask::TooMuch.failure(&task.agent),
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
        let (started_at, kills_before) = (now(), oom::kills());
        let started = self.start(&task, &context).await;
        let (mut running, mut streams) = started.map_err(|failure| self.options.masks.failure(failure))?;
        match self.is_plain {
            true => streams.take_as_it_is(),
            false => streams.show_progress_in(context.progress.clone()),
        }
        streams.say_to(self.options.logs.tap(speaker(&task)));
        let mut end = tokio::select! {
            // A program that is done when the deadline passes is done.
            biased;
            end = see_through(&mut running, &mut streams, &self.options.programs) => end,
            why = context.stopped() => End::Stopped(why),
        };
        // It has ended, and nothing that comes from now on changes how: neither a deadline, nor who keeps its pipes open.
        if matches!(end, End::Exited(_)) && streams.hear_out(DRAIN).await.is_err() {
            end = End::TooLarge;
        }
        let is_done = matches!(end, End::Exited(status) if status.success());
        if is_done {
            running.leave();
        } else {
            // First the end, then the message: what a program says when it is told to stop is a part of it.
            end_group(running, self.options.grace, &mut streams).await;
        }
        if streams.end().is_err() && is_done {
            end = End::TooLarge;
        }
        streams.speak_out().await;
        let result = match &end {
            End::Exited(_) if self.is_plain => Ok(Output::default()),
            End::Exited(status) if status.success() => {
                streams.output().and_then(|output| command::made(&task, output, streams.masks()))
            }
            _ => Err(self.failure(&task, &end, &streams, kills_before)),
        };
        self.options.programs.look_again();
        let usage = if result.is_err() { streams.usage() } else { Usage::default() };
        let (tap, named) = (streams.take_tap(), streams.named());
        let mut said = streams.into_transcript();
        if let End::Exited(status) = end {
            (said.exit_code, said.signal) = (status.code(), status.signal());
        }
        (said.started_at, said.ended_at, said.prompt) = (started_at, now(), task.work.prompt.take());
        if let Some(tap) = tap {
            // Before anybody hears of the end: who does finds all that was said.
            tap.end(said.ended_at, ended(&said, &result), named).await;
        }
        let transcript = Some(said.into_json());
        match result {
            Ok(output) => Ok(Output { transcript, ..output }),
            Err(failure) => Err(Failure { transcript, usage, ..failure }),
        }
    }

    async fn end_leftover(&self, run: &RunId, step: &StepId) -> Result<(), Failure> {
        self.options.programs.end_leftover(run, step, self.options.grace).await
    }
}

/// Who says what the program of this task says.
pub(super) fn speaker(task: &Task) -> Speaker {
    Speaker {
        run: task.run.clone(),
        step: task.step.clone(),
        purpose: task.purpose,
        attempt: task.attempt,
        generation: task.generation,
        agent: task.agent.clone(),
    }
}

/// What its log says of how an attempt ended.
pub(super) fn ended(said: &Transcript, result: &Result<Output, Failure>) -> Ended {
    Ended {
        exit: said.exit_code,
        signal: said.signal,
        error: result.as_ref().err().map(|failure| failure.code.to_string()),
        duration_ms: u64::try_from(said.ended_at.since(said.started_at).as_millis()).unwrap_or(u64::MAX),
        artifacts: result.as_ref().map(|output| output.artifacts.clone()).unwrap_or_default(),
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
async fn see_through(running: &mut Running, streams: &mut Streams, programs: &Arc<Programs>) -> End {
    let mut open = true;
    let mut looks =
        tokio::time::interval_at(tokio::time::Instant::now() + programs::LOOK / 4, programs::LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            status = running.wait() => return match status {
                Ok(status) => End::Exited(status),
                Err(error) => End::Unwaitable(error),
            },
            moved = moves(streams, open) => match moved {
                Ok(()) => open = false,
                Err(Full) => return End::TooLarge,
            },
            _ = looks.tick() => {
                let programs = Arc::clone(programs);
                // Nobody waits for it: it is for who comes after this process.
                tokio::spawn(helpers::run(move || programs.look()));
            }
        }
    }
}

/// Reads what a program writes until it has closed all of that; from then on only the conversation with it goes on.
async fn moves(streams: &mut Streams, open: bool) -> Result<(), Full> {
    if open {
        return streams.pump().await;
    }
    streams.converse_on().await;
    Ok(())
}

/// Ends the program and all that it started, reading on meanwhile, so that nobody is stuck who wants to write.
async fn end_group(running: Running, grace: Duration, streams: &mut Streams) {
    let mut ending = std::pin::pin!(running.end(grace));
    tokio::select! {
        () = &mut ending => {}
        () = streams.drain() => ending.await,
    }
    // What was written last may still be in the pipes.
    let _ = tokio::time::timeout(DRAIN, streams.drain()).await;
}
