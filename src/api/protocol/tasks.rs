//! Tasks, as who holds the store knows them.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::events::ids::{AgentName, CommandId, RunId, StepId};
use crate::events::json::Json;
use crate::events::run::Purpose;
use crate::events::time::Timestamp;
use crate::executors::Compensated;
use crate::executors::conversations::ConversationGiven;

/// What somebody wants of tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TasksWanted {
    /// Those that are open.
    List {
        /// The agent whose tasks are wanted; none means all.
        agent: Option<AgentName>,
    },
    /// To take the next.
    Next(TaskWanted),
}

impl TasksWanted {
    /// Whether it asks how things are, and changes nothing.
    pub const fn only_looks(&self) -> bool {
        matches!(self, Self::List { .. })
    }
}

/// Whose next task somebody wants, for how long, and for how long they wait for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskWanted {
    /// The agent, in whatever spelling.
    pub agent: AgentName,
    /// The name of who takes it.
    pub by: Arc<str>,
    /// How long it is theirs.
    pub length: Duration,
    /// Until when they wait for one, by the wall clock; none if they do not.
    pub until: Option<Timestamp>,
    /// What tells this request from all others.
    #[serde(default)]
    pub id: Option<CommandId>,
}

/// A task that is open. Moments are by the wall clock as it is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskKnown {
    /// Its id, without a lease: it names run and attempt.
    pub id: String,
    /// The run that hands it out.
    pub run: RunId,
    /// The step that is tried.
    pub step: StepId,
    /// Whether the step is to be done, or undone.
    pub purpose: Purpose,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// The agent in whose name it is to be taken.
    pub agent: AgentName,
    /// What it is about: how its prompt begins.
    pub description: String,
    /// When it was handed out.
    pub since: Timestamp,
    /// The name of who has it; none if anybody may take it.
    pub by: Option<String>,
    /// When their lease ends.
    pub lease_until: Option<Timestamp>,
    /// How far they said that they are, from 0 to 100.
    pub percent: Option<u8>,
    /// What they said that they are doing.
    pub text: Option<String>,
}

/// The answer to who wants a task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskTaken {
    /// The task that is theirs from now on; none if there was none in time.
    pub task: Option<Box<TaskGiven>>,
    /// Whether that is because the agent is paused.
    #[serde(default)]
    pub paused: bool,
}

/// A task with all that is needed to do it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskGiven {
    /// Its id, with the lease: under it the task is answered.
    pub id: String,
    /// The run that hands it out.
    pub run: RunId,
    /// The step that is tried.
    pub step: StepId,
    /// The agent in whose name it is done.
    pub agent: AgentName,
    /// What it is about: how its prompt begins.
    pub description: String,
    /// What is to be done; none if the step has no prompt.
    pub prompt: Option<String>,
    /// The name of the agent, for tools that start an agent of that kind.
    pub subagent_type: AgentName,
    /// What the step gives it: its `with`.
    pub input: Json,
    /// The files that the step names in that, under `files`.
    pub files: Vec<String>,
    /// When the lease ends, by the wall clock.
    pub lease_until: Timestamp,
    /// How it is answered: the words of the medium.
    pub answer: String,
    /// What the agent's own definition says that it is: its system prompt.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub system: String,
    /// What an answer has to look like, if the step says that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Json>,
    /// Whether the step is to be done, or undone.
    pub purpose: Purpose,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// The same for all attempts of a generation: what is done under it already need not be done again.
    pub idempotency_key: String,
    /// The absolute folder that relative paths mean.
    pub work_folder: String,
    /// The conversation with which the step goes on, if it goes on with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationGiven>,
    /// What is to be undone, if that is what it is for.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<UndoesTask>,
    /// Messages from other agents, which count as handled when the task is answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Json>,
}

/// What a task is to undo.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UndoesTask {
    /// `completed`, or `unknown` where nobody knows how much was done.
    pub outcome: String,
    /// What the step had answered; null if nothing.
    pub output: Json,
}

impl UndoesTask {
    /// The same, as executors are told.
    pub fn of(compensated: Compensated) -> Self {
        Self { outcome: compensated.outcome.text().to_owned(), output: compensated.output }
    }
}
