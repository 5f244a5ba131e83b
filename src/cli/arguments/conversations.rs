//! What the verb takes by which conversations are read and gone on with.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};

use super::steer::WhoArguments;
use crate::events::conversation::Role;

#[derive(Debug, Args)]
pub(in crate::cli) struct ConversationArguments {
    #[command(subcommand)]
    pub(in crate::cli) verb: ConversationVerb,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ConversationVerb {
    /// Add a turn, or many from JSON lines, and begin the conversation if it is new
    Add(AddTurnArguments),
    /// Show the conversations that there are
    List,
    /// Show how much was said, how much of it is in the window, and what stands for the rest
    Show(ShowConversationArguments),
    /// Show turns: those in the window, as an agent is given them, or others
    Turns(TurnsArguments),
    /// Find turns by their words, also those that have left the window
    Search(SearchTurnsArguments),
    /// Keep a turn in the window, however old it gets
    Pin(PinTurnArguments),
    /// Let a turn leave the window again
    Unpin(PinTurnArguments),
    /// Print the whole conversation as JSON lines: what it is, then every turn
    Export(NamedConversationArguments),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct NamedConversationArguments {
    /// The conversation
    pub(in crate::cli) conversation: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AddTurnArguments {
    #[command(flatten)]
    pub(in crate::cli) named: NamedConversationArguments,
    /// What is said; `-` to read it from stdin
    #[arg(required_unless_present_any = ["file", "lines"], conflicts_with_all = ["file", "lines"])]
    pub(in crate::cli) text: Option<String>,
    /// Who speaks [default: user]
    #[arg(long, value_enum, conflicts_with = "lines")]
    pub(in crate::cli) role: Option<RoleArgument>,
    /// The name of who speaks
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "lines")]
    pub(in crate::cli) name: Option<String>,
    /// Keep it in the window until it is unpinned
    #[arg(long, conflicts_with = "lines")]
    pub(in crate::cli) pin: bool,
    /// A file with what is said
    #[arg(long, value_name = "F")]
    pub(in crate::cli) file: Option<PathBuf>,
    /// A file with a turn on each line, as `export` prints them; `-` for stdin
    #[arg(long, value_name = "F", conflicts_with = "file")]
    pub(in crate::cli) lines: Option<PathBuf>,
    /// What tells this turn from all others: adding it again adds nothing
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) id: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) who: WhoArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum RoleArgument {
    System,
    User,
    Assistant,
    Tool,
}

impl From<RoleArgument> for Role {
    fn from(role: RoleArgument) -> Self {
        match role {
            RoleArgument::System => Self::System,
            RoleArgument::User => Self::User,
            RoleArgument::Assistant => Self::Assistant,
            RoleArgument::Tool => Self::Tool,
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowConversationArguments {
    #[command(flatten)]
    pub(in crate::cli) named: NamedConversationArguments,
    /// Show the pages of the archive, too, with the turns on each
    #[arg(long)]
    pub(in crate::cli) archived: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct TurnsArguments {
    #[command(flatten)]
    pub(in crate::cli) named: NamedConversationArguments,
    /// Those that have left the window
    #[arg(long, conflicts_with = "all")]
    pub(in crate::cli) archived: bool,
    /// All that there ever were
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// Begin with this turn
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(in crate::cli) from: u64,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(in crate::cli) limit: u32,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SearchTurnsArguments {
    #[command(flatten)]
    pub(in crate::cli) named: NamedConversationArguments,
    /// The words that are looked for, in whatever form
    pub(in crate::cli) query: String,
    /// How many turns at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(in crate::cli) limit: u32,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PinTurnArguments {
    #[command(flatten)]
    pub(in crate::cli) named: NamedConversationArguments,
    /// The number of the turn
    pub(in crate::cli) turn: u64,
    #[command(flatten)]
    pub(in crate::cli) who: WhoArguments,
}
