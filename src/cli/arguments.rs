//! The arguments of the command line, verb by verb.
//!
//! - `budget`: what the verb takes that shows and raises what runs may spend
//! - `cache`: what the verb takes by which answers that are kept are listed and taken away
//! - `contexts`: what the verbs take that read and write shared contexts; `conversations`: the same of conversations
//! - `look`: what the verbs take that look at runs
//! - `messages`: what the verb takes that shows messages between agents
//! - `said`: what the verbs take that tell what programs say
//! - `setup`: what the verbs take that set Reenact up, and tell how it is set up
//! - `shape`: what the verbs take that show what is, was or would be, and change nothing
//! - `start`: what the verbs take that start a run
//! - `steer`: what the verbs take that steer a run, or answer what it asks
//! - `tasks`: what the verb takes by which work is handed out

mod budget;
mod cache;
mod contexts;
mod conversations;
mod look;
mod messages;
mod rehearsed;
mod said;
mod setup;
mod shape;
mod start;
mod steer;
mod tasks;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anstream::ColorChoice;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use self::budget::{BudgetArguments, BudgetVerb, RaiseBudgetArguments, RaisedArguments};
pub(super) use self::cache::{CacheArguments, CacheVerb, ClearCacheArguments};
pub(super) use self::contexts::{ContextArguments, ContextVerb, SetContextArguments};
pub(super) use self::conversations::{
    AddTurnArguments, ConversationArguments, ConversationVerb, PinTurnArguments, SearchTurnsArguments,
    TurnsArguments,
};
pub(super) use self::look::{HistoryArguments, ListArguments, ReplayArguments, StatusArguments};
pub(super) use self::messages::{MessagesArguments, MessagesVerb, ResendArguments};
pub(super) use self::rehearsed::TestArguments;
pub(super) use self::said::{EachArguments, LogsArguments, Show, TranscriptArguments};
pub(super) use self::setup::{
    CompletionsArguments, ConfigArguments, ConfigVerb, HelpArguments, InitArguments,
};
pub(super) use self::shape::{DryRunArguments, GraphArguments, GraphFormat};
pub(super) use self::start::{
    AnswersArguments, AskArguments, GivenArguments, GoalArguments, OfAgentsArguments, RouteArguments,
    RunArguments, RunMode,
};
pub(super) use self::steer::{
    AfterwardsArguments, ApproveArguments, AskedArguments, CancelArguments, ControlArguments, OrderArguments,
    RejectArguments, ResolutionArguments, ResolveArguments, RetryArguments, RollbackArguments, RollbackVerb,
    SignalArguments, UnpauseArguments, UntilArguments, WhoArguments,
};
pub(super) use self::tasks::{
    CompleteTaskArguments, FailTaskArguments, HeartbeatArguments, NextTaskArguments, TakenTaskArguments,
    TasksArguments, TasksVerb,
};
use crate::events::time::parse_duration;

/// Over the options that every verb takes.
const ANYWHERE: &str = "Options of every verb";

/// Durable workflows of agents: kill it, and it goes on where it was.
#[derive(Debug, Parser)]
#[command(name = "reenact", version, max_term_width = 100, disable_help_subcommand = true)]
pub(super) struct Arguments {
    /// Where runs are kept [default: $REENACT_DATA, else the nearest .reenact upwards that is yours, else .reenact]
    #[arg(long, global = true, value_name = "DIR", help_heading = ANYWHERE)]
    pub(super) data: Option<PathBuf>,
    /// A configuration file beside the usual ones
    #[arg(long, global = true, value_name = "FILE", help_heading = ANYWHERE)]
    pub(super) config: Option<PathBuf>,
    /// Print one JSON document on stdout instead of text
    #[arg(long, global = true, help_heading = ANYWHERE)]
    pub(super) json: bool,
    /// Whether texts have colours: `auto` looks for a terminal, NO_COLOR, CLICOLOR and CLICOLOR_FORCE
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t, help_heading = ANYWHERE)]
    pub(super) color: Colours,
    /// What to log: off, error, warn, info, debug or trace; by module as in `info,reenact::store=debug`
    #[arg(long, global = true, value_name = "LEVEL", help_heading = ANYWHERE)]
    pub(super) log: Option<String>,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// When texts have colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Colours {
    // On a terminal that has some, unless the environment says otherwise.
    #[default]
    Auto,
    Always,
    Never,
}

/// When texts have colours, by a command line that nobody may have understood: what is wrong with it is said in them.
pub(super) fn colours(arguments: &[OsString]) -> ColorChoice {
    let mut words = arguments.iter().filter_map(|word| word.to_str()).take_while(|word| *word != "--");
    let mut named = None;
    while let Some(word) = words.next() {
        let value = if word == "--color" { words.next() } else { word.strip_prefix("--color=") };
        named = value.and_then(|value| Colours::from_str(value, false).ok()).or(named);
    }
    match named.unwrap_or_default() {
        Colours::Auto => ColorChoice::Auto,
        Colours::Always => ColorChoice::Always,
        Colours::Never => ColorChoice::Never,
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Begin a new project, from a template
    Init(InitArguments),
    /// Start a run of a workflow file, or one that reaches a goal, and see it through
    Run(RunArguments),
    /// Have an agent do something, without a workflow file, and see that through
    Ask(AskArguments),
    /// Show where a request would go, and why; nothing runs
    Route(RouteArguments),
    /// Go on with what was interrupted
    Resume(ResumeArguments),
    /// Show runs, newest first
    List(ListArguments),
    /// Show one run: steps, attempts, what it waits for
    Status(StatusArguments),
    /// Show what happened to a run, event by event
    History(HistoryArguments),
    /// Show a run as it was, version by version
    Replay(ReplayArguments),
    /// Draw a workflow file, or a run with where its steps are
    Graph(GraphArguments),
    /// Let what runs of a run end, and start nothing new
    Pause(ControlArguments),
    /// Let a paused run go on
    Unpause(UnpauseArguments),
    /// End a run; what runs of it is stopped
    Cancel(CancelArguments),
    /// Try again what failed, and see the run through
    Retry(RetryArguments),
    /// Undo what a run did, all of it or back to a step, and see that through
    Rollback(RollbackArguments),
    /// Grant what a run asks people for, or tick points of its checklist
    Approve(ApproveArguments),
    /// Refuse what a run asks people for: its step fails
    Reject(RejectArguments),
    /// Send a run a signal, for the step that waits for it or will
    Signal(SignalArguments),
    /// Show what programs say, while they say it
    Logs(LogsArguments),
    /// Show what was said during an attempt at a step
    Transcript(TranscriptArguments),
    /// Show why a run or a step is as it is: the chain of causes, back to the root
    Why(WhyArguments),
    /// Show the agents, check their files, or say whether one takes work
    Agents(AgentsArguments),
    /// Show and set what runs and people share, and who holds its locks
    Context(ContextArguments),
    /// Show and go on with what is said, of which as much is at hand as fits into a window
    Conversation(ConversationArguments),
    /// Show what a run may spend and has spent, or let it spend more
    Budget(BudgetArguments),
    /// Show what agents say to each other, and what becomes of it
    Messages(MessagesArguments),
    /// List, take and answer work that is handed out to people and programs outside
    Tasks(TasksArguments),
    /// Show the answers that are kept for steps with a `cache`, and take them away
    Cache(CacheArguments),
    /// Check workflow files; nothing runs
    Validate(ValidateArguments),
    /// Run tests of workflows: each is a run of its own, answered by a cassette or a script
    Test(TestArguments),
    /// Print a Markdown chain as a workflow file in YAML that does the same
    Convert(ConvertArguments),
    /// Print the JSON Schema of workflow files, for editors
    Schema,
    /// Prove that the store is whole
    Verify,
    /// Serve an assistant, by the Model Context Protocol (MCP) on stdin and stdout
    Mcp,
    /// Let the programs be run that a folder's own reenact.toml names, as it is now
    Trust(TrustArguments),
    /// Say what is wrong with this set-up, and what to do about it
    Doctor,
    /// Show the configuration
    Config(ConfigArguments),
    /// Print what a shell needs to complete command lines
    Completions(CompletionsArguments),
    /// Show what a verb does and takes, or write all of that as manual pages
    Help(HelpArguments),
}

/// What a verb does to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// It opens no store.
    None,
    /// It appends no event, tells nobody and starts nothing.
    Looks,
    /// It records or drives.
    Acts,
}

impl Verb {
    /// Whether the verb does what it is for without a configuration that can be read.
    pub(super) const fn bears_bad_configuration(&self) -> bool {
        matches!(self, Self::Init(_) | Self::Doctor | Self::Schema | Self::Completions(_) | Self::Help(_))
    }

    /// Whether it is the process of a test that another started for it: no program runs there that a folder's own configuration
    /// names.
    pub(super) const fn is_life(&self) -> bool {
        matches!(self, Self::Test(TestArguments { life: true, .. }))
    }

    /// Whether each step of a run is to have a line, also those of a fan-out.
    pub(super) const fn shows_each_step(&self) -> bool {
        match self {
            Self::Run(RunArguments { each, .. })
            | Self::Retry(RetryArguments { each, .. })
            | Self::Status(StatusArguments { each, .. }) => each.all,
            Self::Resume(ResumeArguments { run, all, .. }) => *all && run.is_some(),
            _ => false,
        }
    }

    /// Whether the verb opens a store, and whether it changes anything there.
    pub(super) fn reach(&self) -> Reach {
        match self {
            Self::Agents(AgentsArguments { verb }) => match verb {
                None | Some(AgentsVerb::List(_) | AgentsVerb::Show(_)) => Reach::Looks,
                Some(AgentsVerb::Validate(_)) => Reach::None,
                Some(AgentsVerb::Pause(_) | AgentsVerb::Unpause(_) | AgentsVerb::Drain(_)) => Reach::Acts,
            },
            Self::Budget(BudgetArguments { verb: BudgetVerb::Raise(_) })
            | Self::Context(ContextArguments { verb: ContextVerb::Set(_) })
            | Self::Conversation(ConversationArguments {
                verb: ConversationVerb::Add(_) | ConversationVerb::Pin(_) | ConversationVerb::Unpin(_),
            })
            | Self::Messages(MessagesArguments { verb: Some(_), .. })
            | Self::Cache(CacheArguments { verb: CacheVerb::Clear(_) })
            | Self::Test(TestArguments { life: true, .. })
            | Self::Tasks(TasksArguments { verb: Some(_), .. }) => Reach::Acts,
            Self::Validate(_)
            | Self::Test(_)
            | Self::Convert(_)
            | Self::Schema
            | Self::Trust(_)
            | Self::Init(_)
            | Self::Doctor
            | Self::Config(_)
            | Self::Completions(_)
            | Self::Help(_) => Reach::None,
            Self::Graph(graph) if graph.is_of_file() => Reach::None,
            Self::Run(RunArguments { dry: DryRunArguments { dry_run: true }, .. }) => Reach::None,
            Self::List(_)
            | Self::Graph(_)
            | Self::Status(_)
            | Self::History(_)
            | Self::Replay(_)
            | Self::Transcript(_)
            | Self::Logs(_)
            | Self::Why(_)
            | Self::Budget(_)
            | Self::Context(_)
            | Self::Conversation(_)
            | Self::Messages(_)
            | Self::Tasks(_)
            | Self::Cache(_)
            | Self::Verify
            | Self::Route(_)
            | Self::Rollback(RollbackArguments { dry_run: true, .. }) => Reach::Looks,
            Self::Run(_)
            | Self::Ask(_)
            | Self::Resume(_)
            | Self::Pause(_)
            | Self::Unpause(_)
            | Self::Cancel(_)
            | Self::Retry(_)
            | Self::Rollback(_)
            | Self::Approve(_)
            | Self::Reject(_)
            | Self::Signal(_)
            | Self::Mcp => Reach::Acts,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct ResumeArguments {
    /// The run: its id, a unique beginning or end of it, or `last` [default: the one that is interrupted]
    pub(super) run: Option<String>,
    /// All runs that are interrupted; with --json a line for each. With RUN: a line for each of its steps
    #[arg(long)]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) until: UntilArguments,
    #[arg(long, value_enum, default_value_t, help = Show::HELP)]
    pub(super) show: Show,
}

#[derive(Debug, Args)]
pub(super) struct ValidateArguments {
    /// The files of the workflows
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ConvertArguments {
    /// The file of the chain
    pub(super) file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct WhyArguments {
    /// The run: its id, a unique beginning or end of it, or `last`
    #[arg(default_value = "last")]
    pub(super) run: String,
    /// The step [default: the run as a whole]
    pub(super) step: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct AgentsArguments {
    #[command(subcommand)]
    pub(super) verb: Option<AgentsVerb>,
}

#[derive(Debug, Subcommand)]
pub(super) enum AgentsVerb {
    /// Show all agents: those of files, of the configuration, and those that are recorded
    List(AgentListArguments),
    /// Show one: where it is defined, its limits, whether it takes work
    Show(AgentArguments),
    /// Check an agent's file, or all files of a folder; nothing is recorded
    Validate(AgentFileArguments),
    /// Let it start nothing: what wants it waits, what runs goes on
    Pause(AgentOrderArguments),
    /// Let it take all work again
    Unpause(AgentOrderArguments),
    /// Let no new run begin with it; runs that are there go on
    Drain(AgentOrderArguments),
}

#[derive(Debug, Default, Args)]
pub(super) struct AgentListArguments {
    /// Show in place of the agents who may hand work over to whom
    #[arg(long)]
    pub(super) handoffs: bool,
}

#[derive(Debug, Args)]
pub(super) struct AgentArguments {
    /// The agent, in any spelling of its name
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(super) name: String,
}

#[derive(Debug, Args)]
pub(super) struct AgentFileArguments {
    /// The file, or the folder
    pub(super) path: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct AgentOrderArguments {
    #[command(flatten)]
    pub(super) agent: AgentArguments,
    #[command(flatten)]
    pub(super) order: OrderArguments,
}

#[derive(Debug, Args)]
pub(super) struct TrustArguments {
    /// The folder [default: this one]
    #[arg(value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
}

/// A length of time in which something can be done.
fn positive_duration(text: &str) -> Result<Duration, String> {
    let length = parse_duration(text).map_err(|error| error.to_string())?;
    if length.is_zero() { Err("it must be longer than zero".to_owned()) } else { Ok(length) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::wording::command;
    use crate::events::ids::{RequestId, RunId, StepId};
    use crate::events::run::Resolution;
    use crate::views::presenters::ways::Act;

    #[test]
    fn every_command_that_is_told_is_one_that_is_understood() {
        let (run, step, request) = (RunId::parse("r").unwrap(), StepId::grown("s[0]"), RequestId::named("q"));
        let resolve = |how| Act::Resolve { step: step.clone(), how };
        let (hash, change, by) = ("0123456789abcdef".to_owned(), Some("n:=1".to_owned()), Some("ada".into()));
        for act in [
            Act::Look,
            Act::LookAtHistory,
            Act::LookAtTranscript(step.clone()),
            Act::LookAtUndoing(step.clone()),
            Act::LookAtWhy,
            Act::LookAtBudget,
            Act::Resume,
            Act::Unpause,
            Act::Pause,
            Act::Retry,
            Act::Cancel,
            Act::RollBack,
            Act::RollBackTo(step.clone()),
            resolve(Resolution::Retry),
            resolve(Resolution::Skip),
            resolve(Resolution::Done),
            Act::Approve { request: request.clone(), hash, change, by },
            Act::Check { request: request.clone(), points: vec![1, 3] },
            Act::Reject(request),
        ] {
            let words = command(&run, &act);
            let parsed = Arguments::try_parse_from(std::iter::once("reenact".to_owned()).chain(words));
            assert!(parsed.is_ok(), "{act:?}: {parsed:?}");
        }
    }
}
