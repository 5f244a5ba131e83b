//! What the verbs take that read and write shared contexts.

use clap::{Args, Subcommand};

use super::steer::WhoArguments;

#[derive(Debug, Args)]
pub(in crate::cli) struct ContextArguments {
    #[command(subcommand)]
    pub(in crate::cli) verb: ContextVerb,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ContextVerb {
    /// Show a context, or what the agents of a run share; or one key of it
    Get(GetContextArguments),
    /// Set keys of a context, all of them or none; `k:=null` removes one
    Set(SetContextArguments),
    /// Show what became of a key, write by write
    History(KeyArguments),
    /// Show who holds the locks of a context, and who waits for them
    Locks(NamedContextArguments),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct NamedContextArguments {
    /// The context
    pub(in crate::cli) context: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct GetContextArguments {
    #[command(flatten)]
    pub(in crate::cli) named: NamedContextArguments,
    /// The key [default: all of them]
    pub(in crate::cli) key: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct KeyArguments {
    #[command(flatten)]
    pub(in crate::cli) named: NamedContextArguments,
    /// The key
    pub(in crate::cli) key: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SetContextArguments {
    #[command(flatten)]
    pub(in crate::cli) named: NamedContextArguments,
    /// A key and its value: k=v as text; k:=JSON
    #[arg(required = true, value_name = "K=V")]
    pub(in crate::cli) keys: Vec<String>,
    /// Set them only if each has this version until then; 0: if it is not there
    #[arg(long, value_name = "VERSION")]
    pub(in crate::cli) expect: Option<u64>,
    #[command(flatten)]
    pub(in crate::cli) who: WhoArguments,
}
