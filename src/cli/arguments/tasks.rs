//! What the verb takes by which work that is handed out is listed, taken and answered.

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};

use super::positive_duration;
use super::steer::{AfterwardsArguments, WhoArguments};
use crate::events::problem::Class;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct TasksArguments {
    /// Only those of this agent
    #[arg(long, value_name = "A", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) agent: Option<String>,
    #[command(subcommand)]
    pub(in crate::cli) verb: Option<TasksVerb>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TasksVerb {
    /// Take the task of an agent that is open longest, and print what is needed
    Next(NextTaskArguments),
    /// Answer a task with what stands on stdin: JSON, or any other text
    Complete(CompleteTaskArguments),
    /// Say that a task cannot be done: its attempt has failed
    Fail(FailTaskArguments),
    /// Say that somebody goes on with a task: its lease is renewed
    Heartbeat(HeartbeatArguments),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct NextTaskArguments {
    /// The agent in whose name it is done
    #[arg(long, value_name = "A", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) agent: String,
    /// How long it is yours before somebody else may take it [default: 30m]
    #[arg(long, value_name = "D", value_parser = positive_duration)]
    pub(in crate::cli) lease: Option<Duration>,
    /// How long to wait for one if none is open
    #[arg(long, value_name = "D", value_parser = positive_duration)]
    pub(in crate::cli) wait: Option<Duration>,
    #[command(flatten)]
    pub(in crate::cli) who: WhoArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct TakenTaskArguments {
    /// The task: RUN/N/LEASE, as it was printed when it was taken
    pub(in crate::cli) id: String,
    #[command(flatten)]
    pub(in crate::cli) who: WhoArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CompleteTaskArguments {
    #[command(flatten)]
    pub(in crate::cli) task: TakenTaskArguments,
    #[command(flatten)]
    pub(in crate::cli) then: AfterwardsArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct FailTaskArguments {
    #[command(flatten)]
    pub(in crate::cli) task: TakenTaskArguments,
    /// Why it cannot be done, which is recorded
    #[arg(long, value_name = "R")]
    pub(in crate::cli) reason: String,
    /// What the failure asks for: whether the step's `retry` may try it again, or the run must stop
    #[arg(long, value_enum, value_name = "CLASS", default_value_t)]
    pub(in crate::cli) class: FailureClass,
    #[command(flatten)]
    pub(in crate::cli) then: AfterwardsArguments,
}

/// What a failure asks for, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(in crate::cli) enum FailureClass {
    // Nobody knows: tried again as if it could help.
    #[default]
    Unknown,
    Transient,
    Validation,
    Dependency,
    Fatal,
}

impl From<FailureClass> for Class {
    fn from(class: FailureClass) -> Self {
        match class {
            FailureClass::Unknown => Self::Unknown,
            FailureClass::Transient => Self::Transient,
            FailureClass::Validation => Self::Validation,
            FailureClass::Dependency => Self::Dependency,
            FailureClass::Fatal => Self::Fatal,
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct HeartbeatArguments {
    #[command(flatten)]
    pub(in crate::cli) task: TakenTaskArguments,
    /// How far it is, from 0 to 100, and what is being done
    #[arg(long, value_names = ["N", "TEXT"], num_args = 1..=2)]
    pub(in crate::cli) progress: Vec<String>,
    /// How long it is yours from now on [default: 30m]
    #[arg(long, value_name = "D", value_parser = positive_duration)]
    pub(in crate::cli) lease: Option<Duration>,
}
