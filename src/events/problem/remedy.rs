//! What can be done about a problem, as data: each medium has its own words for it. The command line names a verb, a
//! program calls a method.

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::Deserializer;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::events::ids::{RequestId, RunId, StepId};

/// One thing that can be done about a problem. Where it is about a run, that is the one that the problem names, unless it
/// names another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// What is said in the same words everywhere: it names nothing of the medium.
    Plain(Cow<'static, str>),

    /// Read how the program is called.
    ReadHelp,
    /// Read a document of Reenact.
    Read(Document),
    /// Give the run an id that is not taken, or none.
    AnotherId,
    /// Leave out what is said of a run that exists and cannot have an effect any more, or do this instead; then the run of that
    /// id is meant.
    LeaveOut(Late),
    /// Give an input that is missing: its name, with the names of what it is in, as in `release.version`.
    GiveInput(String),
    /// Say why it is wanted.
    GiveReason,
    /// Raise the limit of the run's time.
    RaiseDuration,
    /// Raise a limit of what the run spends.
    RaiseBudget,
    /// Name the data folder that is meant.
    NameFolder,
    /// Use a data folder of one's own.
    OwnFolder,
    /// Say that the programs may be run that the folder's configuration names; none means the folder that is meant.
    Trust(Option<String>),
    /// Prove the store whole.
    Verify,

    /// Look at the list of runs.
    LookAtRuns,
    /// Look at how the run is.
    LookAtRun(Look),
    /// Look at the run's events.
    LookAtHistory(Look),
    /// Look at what was said during the last attempt at a step of the run.
    LookAtTranscript(StepId),
    /// Look at what was said during the last attempt at undoing a step of the run.
    LookAtUndoing(StepId),
    /// Look at the chain of causes of how the run is.
    LookAtWhy,
    /// Look at the events of a stream of another kind.
    LookAtStream(String),

    /// Let an agent take work again.
    UnpauseAgent,
    /// Let the paused run go on.
    Unpause,
    /// Let the run go on, and see it through.
    Resume,
    /// Let the run go on, which first records that somebody was waited for in vain.
    RecordExpiry,
    /// Try again what failed.
    Retry,
    /// Try again all that failed, without naming a part of it.
    RetryAll,
    /// Go forward again after a rollback to a step.
    GoForward,
    /// Pause the run, so that nothing new starts.
    Pause,
    /// End the run as it is.
    Cancel,
    /// Undo what was done.
    RollBack,
    /// Undo what a rollback to a step has kept, too.
    RollBackRest,
    /// Undo everything, without naming a step that is kept.
    RollBackAll,
    /// Undo what came after this step.
    RollBackTo(StepId),
    /// Go back to a step before another, from where that one is done anew, with all that grew in it.
    DoAgainFrom {
        /// The step to go back to, which is kept.
        kept: StepId,
        /// The step that is done anew.
        step: StepId,
    },
    /// Keep the whole that the named step is a part of.
    KeepWhole(StepId),
    /// Settle the compensation of this step, which failed for good.
    ResolveCompensation(StepId),
    /// Wait until the run has ended.
    AwaitEnd,
    /// Start another run in place of this one.
    StartAnother,
    /// Start another run, which does again what this one cannot.
    DoAnew,
    /// Nothing: the run has ended, and nothing of it runs.
    NothingRuns,

    /// Have one of these answer.
    AskOneOf(Vec<Arc<str>>),
    /// Have so many more people grant it.
    MoreGrants(u32),
    /// Count the points of a checklist from 1.
    CountFromOne,
    /// Tick points of a checklist, once they were looked at.
    Tick {
        /// The request whose checklist it is.
        request: RequestId,
        /// The numbers of the points, from 1.
        points: Vec<u32>,
    },
}

/// What a look at a run shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// The status of the run.
    Status,
    /// The steps that it has, with their status.
    Steps,
    /// The steps that are done, and could be kept.
    StepsDone,
    /// What the run is stuck in.
    Stuck,
    /// The steps that were done of late.
    Done,
    /// The things that it waits for.
    Waits,
    /// The page and the hash of a request.
    Asked,
    /// The number of attempts that a step has.
    Attempts,
    /// The outputs of its steps.
    Outputs,
    /// The error with which it failed.
    Why,
    /// The commands that can be given to it.
    Commands,
    /// The versions that it has.
    Versions,
    /// The answer that a request had, or why it has none.
    Fate,
}

/// What may be said of a run that is to begin, and is too late for one that has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    /// The names and values by which it is found.
    Tags,
    /// The step or the phase after which it pauses, where that can still be said in another way.
    Until(Arc<str>),
    /// The same, of a run that will not pause any more.
    UntilEnded,
    /// How long it may go on.
    Duration,
    /// How many attempts it makes at once.
    Parallel,
    /// That none of its steps takes an earlier answer.
    Cache,
    /// That it is only recorded.
    OnlyRecorded,
}

impl Late {
    /// What the run is instead, in words that follow its name and "exists, and".
    pub const fn instead(&self) -> &'static str {
        match self {
            Self::Tags => "has other tags",
            Self::Until(_) | Self::UntilEnded => "was not to pause there",
            Self::Duration => "has another limit of its time",
            Self::Parallel => "has another limit of attempts at once",
            Self::Cache => "takes earlier answers",
            Self::OnlyRecorded => "has begun",
        }
    }
}

/// A document that explains a part of Reenact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Document {
    /// The document on workflow files.
    Workflows,
    /// The document on Markdown chains.
    Chains,
    /// The document on the definitions of agents.
    Agents,
    /// The document on what may be spent.
    Budgets,
    /// The document on bounds.
    Limits,
    /// The document on shared contexts.
    Contexts,
    /// The document on conversations.
    Conversations,
    /// The document on handoffs.
    Handoffs,
    /// The document on goals.
    Goals,
    /// The document on messages between agents.
    Messages,
    /// The document on the tools that are built in.
    Tools,
    /// The document on models.
    Models,
    /// The document on routing.
    Routing,
    /// The document on the configuration.
    Configuration,
}

impl Remedy {
    /// Words that are the same everywhere.
    pub const fn plain(text: &'static str) -> Self {
        Self::Plain(Cow::Borrowed(text))
    }
}

impl From<String> for Remedy {
    fn from(text: String) -> Self {
        Self::Plain(Cow::Owned(text))
    }
}

impl From<&str> for Remedy {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// What can be done about a problem, and about which run. In JSON it is a text where plain words say all of it, as they do
/// after a medium has worded it, and else an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedies {
    /// The run that they are about, where that is known.
    pub run: Option<RunId>,
    /// One beside, or after, the other.
    pub all: Arc<[Remedy]>,
}

impl Remedies {
    /// Remedies of no run in particular.
    pub fn of(all: &[Remedy]) -> Self {
        Self { run: None, all: all.into() }
    }

    /// What of them is said in the same words everywhere.
    pub fn plain(&self) -> String {
        let plain = self.all.iter().filter_map(|remedy| match remedy {
            Remedy::Plain(text) => Some(&**text),
            _ => None,
        });
        plain.collect::<Vec<_>>().join("; ")
    }

    /// Whether plain words say all.
    fn is_plain(&self) -> bool {
        self.all.iter().all(|remedy| matches!(remedy, Remedy::Plain(_)))
    }
}

impl From<Remedy> for Remedies {
    fn from(remedy: Remedy) -> Self {
        vec![remedy].into()
    }
}

impl From<String> for Remedies {
    fn from(text: String) -> Self {
        Remedy::from(text).into()
    }
}

impl From<&str> for Remedies {
    fn from(text: &str) -> Self {
        Remedy::from(text).into()
    }
}

impl From<Vec<Remedy>> for Remedies {
    fn from(all: Vec<Remedy>) -> Self {
        Self { run: None, all: all.into() }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written<'a> {
    Plain(String),
    Data {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<Cow<'a, RunId>>,
        all: Cow<'a, [Remedy]>,
    },
}

impl Serialize for Remedies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = match self.is_plain() {
            true => Written::Plain(self.plain()),
            false => {
                Written::Data { run: self.run.as_ref().map(Cow::Borrowed), all: Cow::Borrowed(&self.all) }
            }
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Remedies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Plain(text) => text.into(),
            Written::Data { run, all } => {
                Self { run: run.map(Cow::into_owned), all: all.into_owned().into() }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_crosses_between_processes_as_data() {
        let step = StepId::grown("a");
        let remedies = Remedies {
            run: Some(RunId::parse("r").unwrap()),
            all: vec![Remedy::plain("or so"), Remedy::RollBackTo(step), Remedy::LookAtRun(Look::Stuck)]
                .into(),
        };
        let json = serde_json::to_string(&remedies).unwrap();
        assert_eq!(
            json,
            r#"{"run":"r","all":[{"plain":"or so"},{"roll_back_to":"a"},{"look_at_run":"stuck"}]}"#
        );
        assert_eq!(serde_json::from_str::<Remedies>(&json).unwrap(), remedies);
    }

    #[test]
    fn what_is_said_in_plain_words_is_a_text() {
        let remedies: Remedies = vec![Remedy::plain("do this"), Remedy::plain("then that")].into();
        let json = serde_json::to_string(&remedies).unwrap();
        assert_eq!(json, "\"do this; then that\"");
        assert_eq!(serde_json::from_str::<Remedies>(&json).unwrap(), Remedies::from("do this; then that"));
    }
}
