//! What the verbs take that steer a run, or answer what it asks.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::said::EachArguments;

/// The person or program that wants something, and the reason: both are recorded.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct OrderArguments {
    #[command(flatten)]
    pub(in crate::cli) who: WhoArguments,
    /// The reason, which is recorded
    #[arg(long, value_name = "R")]
    pub(in crate::cli) reason: Option<String>,
}

/// The person or program that wants something: it is recorded.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct WhoArguments {
    /// The name of whoever wants it, which is recorded [default: the user of the operating system]
    #[arg(long, value_name = "WHO", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) by: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ControlArguments {
    /// The run: its id, a unique beginning or end of it, or `last`
    pub(in crate::cli) run: String,
    #[command(flatten)]
    pub(in crate::cli) order: OrderArguments,
}

/// Whether the run goes on as well.
#[derive(Debug, Args)]
pub(in crate::cli) struct AfterwardsArguments {
    /// Then go on with the run and see it through, as `resume RUN` does
    #[arg(long)]
    pub(in crate::cli) resume: bool,
}

/// How far a run is to go on.
#[derive(Debug, Args)]
pub(in crate::cli) struct UntilArguments {
    /// Pause when this step is done with, or all steps of this phase; `next` is the next phase
    #[arg(long, value_name = "STEP|PHASE|next", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) until: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct UnpauseArguments {
    #[command(flatten)]
    pub(in crate::cli) control: ControlArguments,
    #[command(flatten)]
    pub(in crate::cli) until: UntilArguments,
    #[command(flatten)]
    pub(in crate::cli) then: AfterwardsArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CancelArguments {
    #[command(flatten)]
    pub(in crate::cli) control: ControlArguments,
    /// Then undo what was done
    #[arg(long)]
    pub(in crate::cli) rollback: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RetryArguments {
    #[command(flatten)]
    pub(in crate::cli) control: ControlArguments,
    /// The step that failed and is meant, or the phase whose steps did
    #[arg(long, value_name = "STEP|PHASE")]
    pub(in crate::cli) step: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) each: EachArguments,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(in crate::cli) struct RollbackArguments {
    /// The run: its id, a unique beginning or end of it, or `last`
    #[arg(required = true)]
    pub(in crate::cli) run: Option<String>,
    /// Keep this step, or the steps of this phase, and what does not depend on them; undo only what came after
    #[arg(long, value_name = "STEP|PHASE")]
    pub(in crate::cli) to: Option<String>,
    /// Only show the order, and what cannot be undone
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    #[command(flatten)]
    pub(in crate::cli) order: OrderArguments,
    #[command(subcommand)]
    pub(in crate::cli) settle: Option<RollbackVerb>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RollbackVerb {
    /// Settle a compensation that failed for good
    Resolve(ResolveArguments),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ResolveArguments {
    /// The run: its id, a unique beginning or end of it, or `last`
    pub(in crate::cli) run: String,
    /// The step whose compensation failed
    pub(in crate::cli) step: String,
    #[command(flatten)]
    pub(in crate::cli) how: ResolutionArguments,
    #[command(flatten)]
    pub(in crate::cli) who: WhoArguments,
    /// The reason, which is recorded
    #[arg(long, value_name = "R")]
    pub(in crate::cli) reason: String,
    #[command(flatten)]
    pub(in crate::cli) then: AfterwardsArguments,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct ResolutionArguments {
    /// Try the compensation again
    #[arg(long)]
    pub(in crate::cli) retry: bool,
    /// Leave the step undone
    #[arg(long)]
    pub(in crate::cli) skip: bool,
    /// The step was undone by hand
    #[arg(long)]
    pub(in crate::cli) done: bool,
}

/// The request of a run that is answered, and by whom.
#[derive(Debug, Args)]
pub(in crate::cli) struct AskedArguments {
    /// The run: its id, a unique beginning or end of it, or `last`
    pub(in crate::cli) run: String,
    /// The request: its id or a beginning of it, or the step or the phase that waits for it [default: the one that is open]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) request: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) who: WhoArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ApproveArguments {
    #[command(flatten)]
    pub(in crate::cli) asked: AskedArguments,
    /// What there is to say about it
    #[arg(long, value_name = "N")]
    pub(in crate::cli) note: Option<String>,
    /// A change of the step's arguments, or of its output: k=v as text; k:=JSON; a.b=v nests
    #[arg(long = "set", value_name = "K=V")]
    pub(in crate::cli) edits: Vec<String>,
    /// Grant only what has this hash, which its page names: 8 or more of its first digits
    #[arg(long, value_name = "H", value_parser = beginning_of_a_hash)]
    pub(in crate::cli) hash: Option<String>,
    /// Only tick these points of the checklist, from 1; nothing is granted yet
    #[arg(long, value_name = "N,…", value_delimiter = ',', conflicts_with_all = ["note", "edits", "hash"],
        value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) check: Vec<u32>,
    #[command(flatten)]
    pub(in crate::cli) then: AfterwardsArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RejectArguments {
    #[command(flatten)]
    pub(in crate::cli) asked: AskedArguments,
    /// The reason, which is recorded
    #[arg(long, value_name = "R")]
    pub(in crate::cli) reason: String,
    #[command(flatten)]
    pub(in crate::cli) then: AfterwardsArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SignalArguments {
    /// The run: its id, a unique beginning or end of it, or `last`
    pub(in crate::cli) run: String,
    /// The signal's name: what `wait_for` says
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) name: String,
    /// The data of the signal, as JSON: the output of the step that waits for it [default: null]
    #[arg(value_name = "JSON")]
    pub(in crate::cli) says: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) who: WhoArguments,
    #[command(flatten)]
    pub(in crate::cli) then: AfterwardsArguments,
}

/// Enough of a hash to tell what was looked at from what came after it.
fn beginning_of_a_hash(text: &str) -> Result<String, String> {
    match (8..=64).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("it must be 8 to 64 hexadecimal digits".to_owned()),
    }
}
