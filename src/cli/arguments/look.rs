//! What the verbs take that look at runs.

use clap::Args;

use super::said::EachArguments;

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArguments {
    /// Only those with this status; `interrupted`: those that could go on and that nobody drives
    #[arg(long)]
    pub(in crate::cli) status: Option<String>,
    /// Only those of the workflow with this name
    #[arg(long)]
    pub(in crate::cli) workflow: Option<String>,
    /// Only those with this tag
    #[arg(long = "tag", value_name = "K=V")]
    pub(in crate::cli) tags: Vec<String>,
    /// At most so many, the newest; 0 for all
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(in crate::cli) limit: usize,
    /// Only those that come after this one in the list
    #[arg(long, value_name = "RUN")]
    pub(in crate::cli) after: Option<String>,
    /// Show it again whenever it changes, until ctrl-c; elsewhere than on a terminal, a line for each run that has changed
    #[arg(long)]
    pub(in crate::cli) watch: bool,
    /// Tell moments in UTC, not by the clock of this place
    #[arg(long)]
    pub(in crate::cli) utc: bool,
    /// Show what calls of models used up
    #[arg(long, short = 'v')]
    pub(in crate::cli) verbose: bool,
    /// Show runs below the run whose step has started them
    #[arg(long)]
    pub(in crate::cli) tree: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct StatusArguments {
    /// The run: its id, a unique beginning or end of it, or `last`
    #[arg(default_value = "last")]
    pub(in crate::cli) run: String,
    /// Show it again whenever it changes, until it rests or nobody drives it; ends as `resume` would then
    #[arg(long)]
    pub(in crate::cli) watch: bool,
    /// Show what the run and its steps were given, and what they answered
    #[arg(long, short = 'v')]
    pub(in crate::cli) verbose: bool,
    #[command(flatten)]
    pub(in crate::cli) each: EachArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct HistoryArguments {
    /// The run: its id, a unique beginning or end of it, or `last`; or an agent, as in `agent/NAME`; or any stream by its name, as in `run/ID`
    #[arg(default_value = "last")]
    pub(in crate::cli) run: String,
    /// Only events from this version on
    #[arg(long, value_name = "N")]
    pub(in crate::cli) from: Option<u64>,
    /// Only events up to this version
    #[arg(long, value_name = "N")]
    pub(in crate::cli) to: Option<u64>,
    /// Only events about this step
    #[arg(long)]
    pub(in crate::cli) step: Option<String>,
    /// Only events of this type, as in `step_completed`; may be given again
    #[arg(long = "type", value_name = "TYPE")]
    pub(in crate::cli) types: Vec<String>,
    /// Show each whole on a terminal, too, where it is cut to one line
    #[arg(long)]
    pub(in crate::cli) full: bool,
    /// Go on with each event as it happens, until the run rests or nobody drives it
    #[arg(long)]
    pub(in crate::cli) follow: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ReplayArguments {
    /// The run: its id, a unique beginning or end of it, or `last`; or an agent, as in `agent/NAME`; or any stream by its name, as in `run/ID`
    #[arg(default_value = "last")]
    pub(in crate::cli) run: String,
    /// As of this version [default: step through them on a terminal, elsewhere the newest]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) at: Option<u64>,
}
