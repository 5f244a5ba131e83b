//! What the verb takes by which answers that are kept are listed and taken away.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::steer::WhoArguments;

#[derive(Debug, Args)]
pub(in crate::cli) struct CacheArguments {
    #[command(subcommand)]
    pub(in crate::cli) verb: CacheVerb,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CacheVerb {
    /// Show the answers that are kept, the one that was used last first
    List,
    /// Take no answer any more that was kept until now; what steps answer from now on is kept
    Clear(ClearCacheArguments),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ClearCacheArguments {
    /// Only those of this agent, in any spelling of its name; `shell` of steps with `run`
    #[arg(long, value_name = "A", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) agent: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) who: WhoArguments,
}
