//! What the verb takes that shows messages between agents.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::steer::{AfterwardsArguments, WhoArguments};
use crate::events::run::MessageKind;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct MessagesArguments {
    /// The run: its id, a unique beginning or end of it, or `last` [default: all runs]
    pub(in crate::cli) run: Option<String>,
    /// Only those that this agent sent, or that are for it
    #[arg(long, value_name = "A", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) agent: Option<String>,
    /// Only those of this kind: task, result, request, response, notice, handoff or control
    #[arg(long, value_name = "K", value_parser = kind)]
    pub(in crate::cli) kind: Option<MessageKind>,
    /// Only those that were sent since then: a moment as in `2026-11-21T09:00:00Z`, or so long ago, as in `2h`
    #[arg(long, value_name = "T")]
    pub(in crate::cli) since: Option<String>,
    /// Only those that belong together by this word
    #[arg(long, value_name = "C")]
    pub(in crate::cli) correlation: Option<String>,
    /// Only those that somebody will not handle any more
    #[arg(long)]
    pub(in crate::cli) dead: bool,
    /// How many at most, of the newest
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(in crate::cli) limit: u32,
    #[command(subcommand)]
    pub(in crate::cli) verb: Option<MessagesVerb>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum MessagesVerb {
    /// Send a message again to those that have not handled it and will not any more
    Resend(ResendArguments),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ResendArguments {
    /// The message: RUN/N, as the list of messages names it
    pub(in crate::cli) id: String,
    #[command(flatten)]
    pub(in crate::cli) who: WhoArguments,
    #[command(flatten)]
    pub(in crate::cli) then: AfterwardsArguments,
}

fn kind(text: &str) -> Result<MessageKind, String> {
    let known = MessageKind::ALL.into_iter().find(|kind| kind.text() == text);
    known.ok_or_else(|| format!("there are {}", MessageKind::ALL.map(MessageKind::text).join(", ")))
}
