//! What the command line says.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Over the options that every verb takes.
const ANYWHERE: &str = "Options of every verb";

/// Durable workflows of agents: kill it, and it goes on where it was.
#[derive(Debug, Parser)]
#[command(name = "reenact", version, max_term_width = 100, disable_help_subcommand = true)]
pub(super) struct Arguments {
    /// Where runs are kept [default: $REENACT_DATA, else .reenact]
    #[arg(long, global = true, value_name = "DIR", help_heading = ANYWHERE)]
    pub(super) data: Option<PathBuf>,
    /// A configuration file beside the usual ones
    #[arg(long, global = true, value_name = "FILE", help_heading = ANYWHERE)]
    pub(super) config: Option<PathBuf>,
    /// Print one JSON document on stdout instead of text
    #[arg(long, global = true, help_heading = ANYWHERE)]
    pub(super) json: bool,
    /// What to log to stderr: off, error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL", help_heading = ANYWHERE)]
    pub(super) log: Option<String>,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Start a run of a workflow file and see it through
    Run(RunArguments),
    /// Go on with what was interrupted
    Resume(ResumeArguments),
    /// Show runs, newest first
    List(ListArguments),
    /// Show one run: steps, attempts, what it waits for
    Status(StatusArguments),
    /// Show what happened to a run, event by event
    History(HistoryArguments),
    /// Check workflow files; nothing runs
    Validate(ValidateArguments),
    /// Prove that the store is whole
    Verify,
}

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// The workflow file
    pub(super) file: PathBuf,
    /// An input: k=v as text, converted where the schema says so; k:=JSON; a.b=v nests
    #[arg(long = "input", value_name = "K=V")]
    pub(super) inputs: Vec<String>,
    /// Inputs from a JSON or YAML file; --input goes over it
    #[arg(long, value_name = "FILE")]
    pub(super) input_file: Option<PathBuf>,
    /// The run's id; again with the same workflow and input, it attaches to that run
    #[arg(long)]
    pub(super) id: Option<String>,
    /// A tag to find the run by
    #[arg(long = "tag", value_name = "K=V")]
    pub(super) tags: Vec<String>,
    /// How many attempts may run at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) parallel: Option<u32>,
    /// Only record the run; `resume` lets it go on
    #[arg(long)]
    pub(super) detach: bool,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArguments {
    /// The run: its id, a unique beginning or end of it, or `last` [default: the one that is interrupted]
    #[arg(conflicts_with = "all")]
    pub(super) run: Option<String>,
    /// All runs that are interrupted; with --json a line for each
    #[arg(long)]
    pub(super) all: bool,
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// Only those with this status
    #[arg(long)]
    pub(super) status: Option<String>,
    /// Only those of the workflow with this name
    #[arg(long)]
    pub(super) workflow: Option<String>,
    /// Only those with this tag
    #[arg(long = "tag", value_name = "K=V")]
    pub(super) tags: Vec<String>,
    /// At most so many
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
}

#[derive(Debug, Args)]
pub(super) struct StatusArguments {
    /// The run: its id, a unique beginning or end of it, or `last`
    pub(super) run: String,
    /// Show it again whenever it changes, until it ends
    #[arg(long)]
    pub(super) watch: bool,
}

#[derive(Debug, Args)]
pub(super) struct HistoryArguments {
    /// The run: its id, a unique beginning or end of it, or `last`
    pub(super) run: String,
    /// From this version
    #[arg(long, value_name = "N")]
    pub(super) from: Option<u64>,
    /// Up to this version
    #[arg(long, value_name = "N")]
    pub(super) to: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct ValidateArguments {
    /// The workflow files
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
}
