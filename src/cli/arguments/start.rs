//! What the verbs take that start a run.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use super::shape::DryRunArguments;
use super::{EachArguments, Show, positive_duration};

/// What any run may be given that somebody starts.
#[derive(Debug, Args)]
pub(in crate::cli) struct GivenArguments {
    /// An input: k=v as text, converted where the schema says so; k:=JSON; a.b=v nests
    #[arg(long = "input", value_name = "K=V")]
    pub(in crate::cli) inputs: Vec<String>,
    /// Inputs from a JSON or YAML file; --input goes over it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) input_file: Option<PathBuf>,
    /// The run's id; again with the same work, input and flags, it attaches to that run
    #[arg(long)]
    pub(in crate::cli) id: Option<String>,
    /// A limit of what the run spends, over the workflow's own: calls=N, tokens=N, or usd=AMOUNT
    #[arg(long = "limit", value_name = "K=N")]
    pub(in crate::cli) limits: Vec<String>,
    /// A tag to find the run by
    #[arg(long = "tag", value_name = "K=V")]
    pub(in crate::cli) tags: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) of_agents: OfAgentsArguments,
}

/// What a person says of the agents of one run, over every file.
#[derive(Debug, Args)]
pub(in crate::cli) struct OfAgentsArguments {
    /// The model of agents that name none or say `inherit`: a name or an alias
    #[arg(long, value_name = "M", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) model: Option<String>,
    /// The provider at which all models of the run are asked, in place of their own
    #[arg(long, value_name = "P", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) provider: Option<String>,
    /// A key of an agent for this run only, over its file and the configuration
    #[arg(long = "set", value_name = "agents.NAME.KEY=V")]
    pub(in crate::cli) set: Vec<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RunArguments {
    /// The file of the workflow
    #[arg(required_unless_present = "goal")]
    pub(in crate::cli) file: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) goal: GoalArguments,
    #[command(flatten)]
    pub(in crate::cli) given: GivenArguments,
    /// How many attempts may run at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(in crate::cli) parallel: Option<u32>,
    /// How long the run may go on, as in `90s` or `2h`; over the workflow's own limit
    #[arg(long, value_name = "D", value_parser = positive_duration)]
    pub(in crate::cli) timeout: Option<Duration>,
    /// Pause when this step is done with, or all steps of this phase
    #[arg(long, value_name = "STEP|PHASE")]
    pub(in crate::cli) until: Option<String>,
    /// Take no earlier answer for steps with a `cache`: all are given anew, and kept
    #[arg(long)]
    pub(in crate::cli) no_cache: bool,
    #[command(flatten)]
    pub(in crate::cli) answers: AnswersArguments,
    /// Only record the run; `resume` lets it go on
    #[arg(long)]
    pub(in crate::cli) detach: bool,
    #[command(flatten)]
    pub(in crate::cli) dry: DryRunArguments,
    #[command(flatten)]
    pub(in crate::cli) each: EachArguments,
    #[arg(long, value_enum, default_value_t, help = Show::HELP)]
    pub(in crate::cli) show: Show,
}

/// Who answers what the steps of a run ask for.
#[derive(Debug, Args)]
pub(in crate::cli) struct AnswersArguments {
    /// Who answers what steps ask for; a run that is resumed goes on in its mode
    #[arg(long, value_enum, value_name = "MODE", default_value_t, help_heading = "Answers")]
    pub(in crate::cli) mode: RunMode,
    /// The cassette to record into or to replay [default: NAME.cassette.json beside the workflow's file]
    #[arg(long, value_name = "FILE", help_heading = "Answers")]
    pub(in crate::cli) cassette: Option<PathBuf>,
    /// The answers for `--mode scripted`, as in the script of a scripted agent
    #[arg(long, value_name = "FILE", help_heading = "Answers")]
    pub(in crate::cli) script: Option<PathBuf>,
}

/// Who answers what the steps of a run ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(in crate::cli) enum RunMode {
    /// Who does the work
    #[default]
    Live,
    /// Who does the work; all answers are kept in a cassette
    Record,
    /// A cassette: nothing is started, and nobody is asked
    Replay,
    /// A script; only what steps run themselves is run
    Scripted,
}

/// What a run may be given that has no file, but a goal.
#[derive(Debug, Args)]
pub(in crate::cli) struct GoalArguments {
    /// What is to be reached, in a text: the agent that `goal.manager` names plans tasks, and others do them
    #[arg(long, value_name = "TEXT", conflicts_with = "file", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) goal: Option<String>,
    /// What it has to fulfil: a text file
    #[arg(long, value_name = "FILE", requires = "goal", conflicts_with = "file")]
    pub(in crate::cli) requirements: Option<PathBuf>,
    /// To whom tasks may be assigned [default: all that are usable, but for the one that plans]
    #[arg(long, value_name = "A,B", requires = "goal", conflicts_with = "file", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) agents: Vec<String>,
    /// The folder in which the agents work [default: this one]
    #[arg(long, value_name = "DIR", requires = "goal", conflicts_with = "file")]
    pub(in crate::cli) dir: Option<PathBuf>,
    /// How many tasks, mended plans and questions to the agent that plans there may be [default: 50]
    #[arg(long, value_name = "N", requires = "goal", conflicts_with = "file", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(in crate::cli) max_iterations: Option<u32>,
    /// Wait until somebody has granted the plan; `approve --resume` lets it go on
    #[arg(long, requires = "goal", conflicts_with = "file")]
    pub(in crate::cli) approve_plan: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RouteArguments {
    /// What is wanted, in a text
    #[arg(value_name = "QUERY", required_unless_present = "eval")]
    pub(in crate::cli) query: Option<String>,
    /// Something that is known beside it: domain=D, category=C, or any other key and words
    #[arg(long = "context", value_name = "K=V")]
    pub(in crate::cli) context: Vec<String>,
    /// Show what everything was told by
    #[arg(long)]
    pub(in crate::cli) explain: bool,
    /// Route the requests of this file, a JSON object a line with what is right, and show how many were
    #[arg(long, value_name = "FILE", conflicts_with_all = ["query", "context", "explain"])]
    pub(in crate::cli) eval: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AskArguments {
    /// What it is to do, in a text; braces in it mean nothing
    #[arg(value_name = "QUERY", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) query: String,
    /// The agent, in any spelling of its name [default: the one that fits, as `route` shows, else the configuration's `default_agent`]
    #[arg(long, value_name = "A", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) agent: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) given: GivenArguments,
    /// Only record the run; `resume` lets it go on
    #[arg(long)]
    pub(in crate::cli) detach: bool,
    #[arg(long, value_enum, default_value_t, help = Show::HELP)]
    pub(in crate::cli) show: Show,
}
