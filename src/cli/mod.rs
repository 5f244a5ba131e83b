//! How people run it: one file per verb.
//!
//! - `arguments`: what the command line says
//! - [`house`](crate::api::door::House): the data folder that a verb works on
//! - `files`, `bind`: workflow files, those that their steps start, and the agents that they name
//! - `control`: recording what people want of a run
//! - `see`: seeing a run through, whoever holds the store
//! - `say`: results on stdout, words on stderr
//! - `text`: results as a person reads them
//! - `lesser`: what is done in a lesser way, told meanwhile
//! - `progress`: what runs, line by line, on a terminal
//! - `usage`: command lines that are not understood

mod approve;
mod arguments;
mod bind;
mod cancel;
mod completions;
mod control;
mod files;
mod history;
mod lesser;
mod list;
mod pause;
mod progress;
mod reject;
mod replay;
mod resume;
mod retry;
mod rollback;
mod run;
mod say;
mod see;
mod signal;
mod start;
mod status;
mod text;
mod transcript;
mod unpause;
mod usage;
mod validate;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::api::door::House;
use crate::config::{Config, Sources};
use crate::events::problem::{Code, Problem};
use crate::text_file;
use crate::views::report::RunReport;
use crate::workflow::run::RunStatus;
use arguments::{Arguments, Verb};
use say::Say;

/// How a verb ended, as the shell sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// It did what was asked; a run completed.
    Good,
    /// A run failed, or a check found something.
    Failed,
    /// It was asked wrongly; nothing was started.
    BadInput,
    /// A run was rolled back.
    RolledBack,
    /// A run waits for somebody.
    Waiting,
    /// A run can go neither forward nor back by itself.
    Stuck,
    /// A run was cancelled.
    Cancelled,
    /// The store is damaged, or held by a process that does not answer.
    StoreUnusable,
    /// What it found out could not be written to stdout.
    Unwritten,
    /// SIGINT or SIGTERM; the run can be resumed.
    Interrupted,
}

impl Exit {
    const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Failed => 1,
            Self::BadInput => 2,
            Self::RolledBack => 3,
            Self::Waiting => 4,
            Self::Stuck => 5,
            Self::Cancelled => 6,
            Self::StoreUnusable => 7,
            Self::Unwritten => 8,
            Self::Interrupted => 130,
        }
    }

    /// How a verb ends that saw a run through to that status.
    const fn of_status(status: RunStatus) -> Self {
        match status {
            RunStatus::Completed => Self::Good,
            RunStatus::Failed => Self::Failed,
            RunStatus::Pending
            | RunStatus::Running
            | RunStatus::Waiting
            | RunStatus::Paused
            | RunStatus::Compensating => Self::Waiting,
            RunStatus::Compensated => Self::RolledBack,
            RunStatus::Stuck => Self::Stuck,
            RunStatus::Cancelled => Self::Cancelled,
        }
    }

    /// How a verb ends that saw this run through.
    fn of_run(report: &RunReport) -> Self {
        match report.status {
            RunStatus::Paused if report.rolled_back_to.is_some() => Self::RolledBack,
            status => Self::of_status(status),
        }
    }

    /// How a verb ends that could not do what was asked.
    const fn of_problem(code: Code) -> Self {
        match code {
            Code::StoreDamaged
            | Code::StoreHeld
            | Code::StoreFailed
            | Code::StoreUnreadable
            | Code::TooManyClients
            | Code::HungUp => Self::StoreUnusable,
            Code::RunParked | Code::Internal => Self::Failed,
            _ => Self::BadInput,
        }
    }
}

/// What every verb has.
struct Scene {
    say: Say,
    house: House,
    cwd: PathBuf,
}

/// Runs the program with these arguments, the first of which is its name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let wants_json = arguments.iter().any(|argument| argument == "--json");
    let parsed = match Arguments::try_parse_from(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => return not_understood(&error, wants_json),
    };
    let say = Say::new(parsed.json);
    let exit = match scene(&parsed) {
        Ok((house, cwd)) => {
            let scene = Scene { say, house, cwd };
            let exit = actix::System::new().block_on(perform(&scene, parsed.verb));
            scene.say.exit(exit)
        }
        Err(problem) => {
            let exit = say.problem(&problem);
            say.exit(exit)
        }
    };
    ExitCode::from(exit.code())
}

/// Answers a command line that was not understood, or that asked for help.
fn not_understood(error: &clap::Error, wants_json: bool) -> ExitCode {
    let is_bare = error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    let say = Say::new(wants_json);
    let exit = if !error.use_stderr() {
        // Help was asked for: it is the result.
        say.written(error.print());
        Exit::Good
    } else if is_bare && !wants_json {
        // Help is the best answer. It goes to stderr: if it cannot be written there is nobody to tell.
        let _ = error.print();
        Exit::BadInput
    } else {
        say.problem(&usage::problem(error))
    };
    ExitCode::from(say.exit(exit).code())
}

/// Which data folder a verb works on, and in which folder it was called.
fn scene(arguments: &Arguments) -> Result<(House, PathBuf), Problem> {
    let sources = Sources::of_process(arguments.config.clone())
        .map_err(|error| Problem::new(Code::FileNotRead, format!("the current folder is gone: {error}")))?;
    let mut config = Config::load(&sources)?;
    if let Some(level) = &arguments.log {
        config.log.level.clone_from(level);
    }
    log_to_stderr(&config)?;
    let named = arguments.data.clone().or_else(|| std::env::var_os("REENACT_DATA").map(PathBuf::from));
    let data = sources.cwd.join(named.unwrap_or_else(|| PathBuf::from(".reenact")));
    if arguments.verb.uses_store() {
        text_file::check_data_folder(&data)?;
    }
    let house = House { data, config, work_folder: sources.cwd.clone() };
    Ok((house, sources.cwd))
}

fn log_to_stderr(config: &Config) -> Result<(), Problem> {
    let level: tracing_subscriber::filter::LevelFilter = config.log.level.parse().map_err(|_| {
        let message = format!("`{}` is no log level", config.log.level);
        Problem::new(Code::BadConfig, message).hint("there are off, error, warn, info, debug and trace")
    })?;
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(say::stderr_is_terminal())
        .with_target(false)
        // A log that cannot be written is none: telling so would end the process, as that cannot be written either.
        .log_internal_errors(false)
        .init();
    Ok(())
}

async fn perform(scene: &Scene, verb: Verb) -> Exit {
    let done = match verb {
        Verb::Run(arguments) => run::run(scene, arguments).await,
        Verb::Resume(arguments) => resume::resume(scene, arguments).await,
        Verb::List(arguments) => list::list(scene, arguments).await,
        Verb::Status(arguments) => status::status(scene, arguments).await,
        Verb::History(arguments) => history::history(scene, arguments).await,
        Verb::Replay(arguments) => replay::replay(scene, arguments).await,
        Verb::Pause(arguments) => pause::pause(scene, arguments).await,
        Verb::Unpause(arguments) => unpause::unpause(scene, arguments).await,
        Verb::Cancel(arguments) => cancel::cancel(scene, arguments).await,
        Verb::Retry(arguments) => retry::retry(scene, arguments).await,
        Verb::Rollback(arguments) => rollback::rollback(scene, arguments).await,
        Verb::Approve(arguments) => approve::approve(scene, arguments).await,
        Verb::Reject(arguments) => reject::reject(scene, arguments).await,
        Verb::Signal(arguments) => signal::signal(scene, arguments).await,
        Verb::Transcript(arguments) => transcript::transcript(scene, arguments).await,
        Verb::Validate(arguments) => validate::validate(scene, &arguments),
        Verb::Verify => verify::verify(scene).await,
        Verb::Completions(arguments) => completions::completions(scene, &arguments),
    };
    done.unwrap_or_else(|problem| scene.say.problem(&problem))
}
