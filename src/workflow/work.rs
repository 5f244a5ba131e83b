//! The work that an agent is asked to do: a step's templates, rendered. It is
//! the `input` of `attempt_started`.

mod call;
mod transcript;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::events::ids::{AgentName, Version};
use crate::events::json::Json;
use crate::events::problem::{Class, Code, Problem};
use crate::events::run::{Outcome, RunStatus, Usage};

pub use call::{CalledBy, ModelCall};
pub use transcript::{Transcript, Written};

/// The work of a step, rendered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// The command to execute, for a step with `run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Command>,
    /// The step's `with`; null if it has none.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub with: Json,
    /// The step's `prompt`, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The step's `env`, which is added to the environment of a subprocess.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The step's `cwd`, relative to the work folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The file of the workflow to start, for a step with `workflow`; `with` is its input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// What a manager said who was asked because the agent was stuck. It stands in the prompt too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guidance: Option<Guidance>,
    /// A plan of tasks that was refused, where it is to be mended. It stands in the prompt too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<Repair>,
}

/// A plan of tasks that was refused, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// What was answered.
    pub answered: Json,
    /// Why that is refused.
    pub refused: String,
}

/// What a manager said about an agent that was stuck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guidance {
    /// The name of the manager.
    pub by: AgentName,
    /// What was seen, in a sentence.
    pub seen: String,
    /// What the manager answered.
    pub answer: Json,
}

/// What a step with `run` executes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Command {
    /// A program and its arguments, executed as they are.
    List(Vec<String>),
    /// A text for `sh -c`.
    Shell(String),
}

/// The result of an attempt that succeeded. As JSON it is recorded where more is to be done before the attempt is over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Output {
    /// The output of the step, as JSON.
    pub output: Json,
    /// The files that it names as made.
    pub artifacts: Vec<String>,
    /// What it used up.
    pub usage: Usage,
    /// Requests that it made beside its work.
    pub requests: Vec<AgentRequest>,
    /// What was said during the attempt: a [`Transcript`] as JSON.
    pub transcript: Option<Json>,
    /// The calls of models that it made, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ModelCall>,
    /// The end of the child run that made the attempt, if one did. It writes into its own context, so that nothing of it is
    /// left to be done.
    #[serde(skip)]
    pub child: Option<Child>,
}

/// The end of a child run, as its parent is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// The status of the child at its end.
    pub status: RunStatus,
    /// The version of the child's stream at its end.
    pub version: Version,
    /// Whether nothing of the child may be undone any more.
    pub past_return: bool,
    /// Whether something in the child was done in a lesser way or left out.
    pub degraded: bool,
}

/// A request that an attempt makes beside its work. The run refuses those that it cannot fulfil
/// yet: the attempt fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentRequest {
    /// A message to another agent.
    Send(Json),
    /// A value for the shared context.
    Context {
        /// Where, as it was written: `[ALIAS/]KEY[@VERSION]`.
        key: String,
        /// The new value of the key.
        value: Json,
    },
    /// Another agent is to go on: what was declared, for [`crate::workflow::handoff::Handoff::read`].
    Handoff(String),
    /// A tool is to be used, and its answer told in the agent's next turn.
    Call(ToolCall),
}

/// A call of a tool, as an agent wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The agent's name for this call: the answer is told under it.
    pub id: String,
    /// The name of the tool, as the agent was offered it.
    pub name: String,
    /// What the tool is given: an object.
    pub arguments: Json,
}

/// Why an attempt did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The stable code of the failure.
    pub code: Code,
    /// The class of the failure: what it asks for.
    pub class: Class,
    /// What went wrong, for a person; the last lines that a program wrote stand in lines of their own.
    pub message: String,
    /// Whether it is known what the attempt did.
    pub outcome: Outcome,
    /// The status with which its program exited; none if it did not.
    pub exit_code: Option<i32>,
    /// What it used up.
    pub usage: Usage,
    /// What was said during the attempt: a [`Transcript`] as JSON.
    pub transcript: Option<Json>,
    /// What calls of models say of it; none of most failures, which have no room for that.
    pub of_calls: Option<Box<OfCalls>>,
    /// The end of the child run that made the attempt, if one did.
    pub child: Option<Child>,
}

/// What calls of models say of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OfCalls {
    /// The calls that the attempt made, in order.
    pub calls: Vec<ModelCall>,
    /// How long whoever failed wants nobody to try again; none to leave that to the step's `retry`.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure with the class of its code, whose outcome is known.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let (class, message) = (code.class(), message.into());
        let (outcome, usage) = (Outcome::Known, Usage::default());
        Self {
            code,
            class,
            message,
            outcome,
            exit_code: None,
            usage,
            transcript: None,
            of_calls: None,
            child: None,
        }
    }

    /// A failure of a function that trying again may mend, if the step has a `retry`.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(Code::FunctionFailed, message).class(Class::Transient)
    }

    /// A failure of a function that is the same whenever it is tried: its step is not tried again.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(Code::FunctionFailed, message).class(Class::Validation)
    }

    /// The same, of another class.
    #[must_use]
    pub fn class(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    /// The same, of an attempt that made these calls of models.
    #[must_use]
    pub fn with_calls(mut self, calls: Vec<ModelCall>) -> Self {
        if !calls.is_empty() {
            self.of_calls.get_or_insert_default().calls = calls;
        }
        self
    }

    /// The same; nobody is to try again before so long.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        if wait.is_some() {
            self.of_calls.get_or_insert_default().retry_after = wait;
        }
        self
    }

    /// How long whoever failed wants nobody to try again, if they say that.
    pub fn retry_after(&self) -> Option<Duration> {
        self.of_calls.as_ref().and_then(|of_calls| of_calls.retry_after)
    }

    /// The calls of models that the attempt made, in order.
    pub fn calls(&self) -> &[ModelCall] {
        self.of_calls.as_ref().map_or(&[], |of_calls| &of_calls.calls)
    }

    /// The failure of an attempt that was told to stop: it is not known what it did.
    pub fn stopped(why: Stop) -> Self {
        let (code, message) = match why {
            Stop::TimedOut => (Code::TimedOut, "it took longer than its timeout"),
            Stop::Cancelled => (Code::Cancelled, "it was cancelled"),
            Stop::LockLost => (Code::LockNotHeld, "a lock that it held is not its any more"),
            Stop::LetGo => (Code::Cancelled, "the process that ran it let go of it"),
        };
        Self { outcome: Outcome::Unknown, ..Self::new(code, message) }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::new(failure.code, failure.message).class(failure.class)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::new(problem.code, problem.message).class(problem.class)
    }
}

/// Why an attempt has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The deadline of the attempt has passed.
    TimedOut,
    /// The run does not want the attempt any more.
    Cancelled,
    /// A lock that the attempt held is not its any more: its lease was over before it could be renewed.
    LockLost,
    /// The process does not make the attempt any more, but another may: nobody waits for this result.
    LetGo,
}
