//! What is said of what is shown of a run, and of what its programs say.

use clap::{Args, ValueEnum};

/// What of a run is shown while it is seen through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(in crate::cli) enum Show {
    /// What runs and how far it is, on a terminal; elsewhere a line for each thing that happens
    #[default]
    Live,
    /// Each line that a program writes, behind its step, as it comes
    Prefixed,
    /// What each attempt said, in one block when it has ended
    Grouped,
    /// Nothing
    Quiet,
}

/// Whether each step has a line.
#[derive(Debug, Args)]
pub(in crate::cli) struct EachArguments {
    /// Show each step of a fan-out in a line of its own
    #[arg(long)]
    pub(in crate::cli) all: bool,
}

impl Show {
    /// What the option is for.
    pub(super) const HELP: &str = "What of the run is shown meanwhile, on stderr";
}

#[derive(Debug, Args)]
pub(in crate::cli) struct LogsArguments {
    /// The run: its id, a unique beginning or end of it, or `last`
    pub(in crate::cli) run: String,
    /// The step [default: all steps, each line behind its own]
    pub(in crate::cli) step: Option<String>,
    /// Only of attempts with this number, from 1 [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) attempt: Option<u32>,
    /// Only of attempts at undoing
    #[arg(long)]
    pub(in crate::cli) undo: bool,
    /// Go on with what comes, until the run rests
    #[arg(short, long)]
    pub(in crate::cli) follow: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct TranscriptArguments {
    /// The run: its id, a unique beginning or end of it, or `last`
    pub(in crate::cli) run: String,
    /// The step whose attempt it is
    pub(in crate::cli) step: String,
    /// The number of the attempt, from 1 [default: the last]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) attempt: Option<u32>,
    /// Of attempts at undoing the step
    #[arg(long)]
    pub(in crate::cli) undo: bool,
}
