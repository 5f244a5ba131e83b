//! How agents do work. An executor is given a task and answers an output or a failure; it never touches the store:
//! its result returns as a command.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::events::ids::{AgentName, Fence, RunId, StepId};
use crate::events::json::Json;
use crate::events::problem::{Class, Code};
use crate::events::run::{Outcome, Purpose, Usage};
use crate::workflow::work::Work;

/// One attempt at a step, as an executor gets it.
#[derive(Debug, Clone)]
pub struct Task {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepId,
    /// The try, from 1.
    pub attempt: u32,
    /// The generation, from 1.
    pub generation: u32,
    /// Whose result counts.
    pub fence: Fence,
    /// The same for all tries of this generation and purpose.
    pub idempotency_key: Arc<str>,
    /// Whether to do the step or to undo it.
    pub purpose: Purpose,
    /// Who was asked.
    pub agent: AgentName,
    /// The absolute folder that relative paths mean.
    pub work_folder: Arc<str>,
    /// What to do, rendered.
    pub work: Work,
}

/// What an attempt answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// The step's output.
    pub output: Json,
    /// Files that it names as made.
    pub artifacts: Vec<String>,
    /// What it used up.
    pub usage: Usage,
    /// What it asked for beside its work.
    pub requests: Vec<Request>,
}

/// What an attempt asks for beside its work. What the run cannot do yet it refuses, and the attempt fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A message to another agent.
    Send(Json),
    /// A value for the shared context.
    Context {
        /// Its key.
        key: String,
        /// Its value.
        value: Json,
    },
    /// Another agent should go on.
    Handoff(String),
}

/// Why an attempt did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Its code.
    pub code: Code,
    /// What to do about it.
    pub class: Class,
    /// What went wrong, in one line.
    pub message: String,
    /// Whether it is known what the attempt did.
    pub outcome: Outcome,
    /// What it used up.
    pub usage: Usage,
}

impl Failure {
    /// A failure with the class of its code, whose outcome is known.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let (class, message) = (code.class(), message.into());
        Self { code, class, message, outcome: Outcome::Known, usage: Usage::default() }
    }

    /// The same, of another class.
    #[must_use]
    pub fn class(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    /// The failure of an attempt that was told to stop: what it did is not known.
    pub fn stopped(why: Stop) -> Self {
        let (code, message) = match why {
            Stop::TimedOut => (Code::TimedOut, "it took longer than its timeout"),
            Stop::Cancelled => (Code::Cancelled, "it was cancelled"),
        };
        Self { outcome: Outcome::Unknown, ..Self::new(code, message) }
    }
}

/// Why an attempt has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Its deadline passed.
    TimedOut,
    /// The run does not want it any more, or the process ends.
    Cancelled,
}

/// How far an attempt says it is; shown live, not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// 0 to 100.
    pub percent: u8,
    /// What it does at the moment.
    pub text: String,
}

/// What an executor has beside its task.
#[derive(Debug, Clone)]
pub struct Context {
    /// Says when to stop, and why. See [`Context::stopped`].
    pub stop: watch::Receiver<Option<Stop>>,
    /// Where progress is shown.
    pub progress: watch::Sender<Progress>,
}

impl Context {
    /// Ends when the attempt has to stop, and says why. It may be awaited again and again.
    pub async fn stopped(&self) -> Stop {
        let mut stop = self.stop.clone();
        match stop.wait_for(Option::is_some).await {
            Ok(why) => why.unwrap_or(Stop::Cancelled),
            Err(_) => Stop::Cancelled,
        }
    }
}

/// A way to do work. `execute` must end soon after [`Context::stopped`] does (with [`Failure::stopped`]), having
/// cleaned up; an executor that does not is dropped.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Does one attempt.
    ///
    /// # Errors
    /// Why it did not succeed.
    async fn execute(&self, task: Task, context: Context) -> Result<Output, Failure>;
}

/// The executors that a definition may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutorKind {
    /// A Rust closure, registered by name.
    Function,
    /// A program of its own.
    Subprocess,
}

/// An agent as it is defined, by a file or by the configuration. Recorded with each run that names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentDefinition {
    /// Its name.
    pub name: AgentName,
    /// What it is good for, in a line.
    pub description: String,
    /// How it does work.
    pub executor: ExecutorKind,
    /// For a subprocess: the program and its arguments; a relative program means the work folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// How many attempts it does at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Keys that Reenact does not know: files of other tools carry theirs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<String, serde_json::Value>,
}
