//! What the verbs take that show what is, was or would be, and change nothing.

use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(in crate::cli) struct DryRunArguments {
    /// Only show what would be done, in which order; nothing is started or recorded
    #[arg(long, conflicts_with_all = ["detach", "show"])]
    pub(in crate::cli) dry_run: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct GraphArguments {
    /// A workflow file; or a run: its id, a unique beginning or end of it, or `last`
    #[arg(value_name = "FILE|RUN", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) of: String,
    /// How it is written
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(in crate::cli) format: Option<GraphFormat>,
}

/// The formats of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum GraphFormat {
    /// For Mermaid, as on pages of Git hosts
    Mermaid,
    /// For Graphviz
    Dot,
    /// For a terminal, layer by layer; the default
    Text,
}

impl GraphArguments {
    /// Whether a file is meant: one that is there, or what can be no run, as it is a path or is called like a file.
    pub(in crate::cli) fn is_of_file(&self) -> bool {
        let path = Path::new(&self.of);
        let ending = path.extension().and_then(|ending| ending.to_str());
        path.is_file()
            || (self.of.contains('/') && !self.of.starts_with("run/"))
            || ending.is_some_and(|ending| matches!(ending, "yaml" | "yml" | "json" | "md"))
    }

    /// The file, if one is meant.
    pub(in crate::cli) fn file(&self) -> Option<PathBuf> {
        self.is_of_file().then(|| PathBuf::from(&self.of))
    }
}
