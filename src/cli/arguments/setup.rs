//! What the verbs take that set Reenact up, and tell how it is set up.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Subcommand};

use crate::api::project::{DEFAULT_TEMPLATE, TEMPLATES};

#[derive(Debug, Args)]
pub(in crate::cli) struct InitArguments {
    /// The folder of the project, which is made if it is not there [default: this one]
    #[arg(value_name = "DIR")]
    pub(in crate::cli) dir: Option<PathBuf>,
    /// What the project begins with
    #[arg(long, value_name = "T", default_value = DEFAULT_TEMPLATE, value_parser = templates())]
    pub(in crate::cli) template: String,
    /// With `--template goal`: what the goal is for
    #[arg(long = "type", value_name = "TYPE", value_parser = ["web", "cli", "library"])]
    pub(in crate::cli) kind: Option<String>,
}

fn templates() -> PossibleValuesParser {
    TEMPLATES
        .iter()
        .map(|template| PossibleValue::new(template.name).help(template.shows))
        .collect::<Vec<_>>()
        .into()
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ConfigArguments {
    #[command(subcommand)]
    pub(in crate::cli) verb: ConfigVerb,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ConfigVerb {
    /// Show each setting, and where its value comes from
    Show,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct HelpArguments {
    /// The verb, and the verb in it [default: all of them]
    #[arg(value_name = "VERB")]
    pub(in crate::cli) verbs: Vec<String>,
    /// Write a manual page of each verb into this folder, which is made if it is not there
    #[arg(long, value_name = "DIR", conflicts_with = "verbs")]
    pub(in crate::cli) man: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CompletionsArguments {
    /// The shell to print completions for
    #[arg(value_enum)]
    pub(in crate::cli) shell: clap_complete::Shell,
}
