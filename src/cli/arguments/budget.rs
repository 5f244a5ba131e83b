//! What the verb takes that shows and raises what runs may spend.

use clap::{Args, Subcommand};

use super::steer::{AfterwardsArguments, OrderArguments};
use crate::events::limits::{CALLS_MAX, TOKENS_MAX};
use crate::events::money::parse_usd;

#[derive(Debug, Args)]
pub(in crate::cli) struct BudgetArguments {
    #[command(subcommand)]
    pub(in crate::cli) verb: BudgetVerb,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum BudgetVerb {
    /// Show what a run may spend, what it has spent, and through which agents
    Show(ShowBudgetArguments),
    /// Let a run spend more than its limits say
    Raise(RaiseBudgetArguments),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowBudgetArguments {
    /// The run: its id, a unique beginning or end of it, or `last`
    #[arg(default_value = "last")]
    pub(in crate::cli) run: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RaiseBudgetArguments {
    /// The run: its id, a unique beginning or end of it, or `last`
    pub(in crate::cli) run: String,
    #[command(flatten)]
    pub(in crate::cli) limits: RaisedArguments,
    #[command(flatten)]
    pub(in crate::cli) order: OrderArguments,
    #[command(flatten)]
    pub(in crate::cli) then: AfterwardsArguments,
}

/// The new limits: those that are named.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(in crate::cli) struct RaisedArguments {
    /// How many calls it may make, those included that it has made
    #[arg(long, value_name = "N", allow_negative_numbers = true,
        value_parser = clap::value_parser!(u64).range(1..=CALLS_MAX))]
    pub(in crate::cli) calls: Option<u64>,
    /// How many tokens it may use, those included that it has used
    #[arg(long, value_name = "N", allow_negative_numbers = true,
        value_parser = clap::value_parser!(u64).range(1..=TOKENS_MAX))]
    pub(in crate::cli) tokens: Option<u64>,
    /// How much it may spend in US dollars, that included which it has spent
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true, value_parser = usd)]
    pub(in crate::cli) usd: Option<u64>,
}

/// An amount of money, in billionths of a dollar.
fn usd(text: &str) -> Result<u64, String> {
    match parse_usd(text) {
        Ok(0) => Err("it is nothing to spend".to_owned()),
        Ok(nanos) => Ok(nanos),
        Err(why) => Err(format!("it {why}")),
    }
}
