//! What an agent is asked to do: a step's templates, rendered. It is the `input` of `attempt_started`.

mod transcript;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::events::ids::Version;
use crate::events::json::Json;
use crate::events::problem::{Class, Code, Problem};
use crate::events::run::{Outcome, RunStatus, Usage};

pub use transcript::{Transcript, Written};

/// A rendered step.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// What to execute, for a step with `run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Command>,
    /// The step's `with`; null without one.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub with: Json,
    /// The step's `prompt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The step's `env`: added to what a subprocess gets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The step's `cwd`; relative to the work folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The file of the workflow to start, for a step with `workflow`; `with` is its input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
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
    /// What was said meanwhile: a [`Transcript`] as JSON.
    pub transcript: Option<Json>,
    /// How the child run is, if it is one that was seen through.
    pub child: Option<Child>,
}

/// How a child run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// Where it is.
    pub status: RunStatus,
    /// Its version.
    pub version: Version,
    /// Whether nothing of it may be undone any more.
    pub past_return: bool,
    /// Whether something of it was done in a lesser way or left out.
    pub degraded: bool,
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
    /// The status with which its program ended by itself.
    pub exit_code: Option<i32>,
    /// What it used up.
    pub usage: Usage,
    /// What was said meanwhile: a [`Transcript`] as JSON.
    pub transcript: Option<Json>,
    /// How the child run is, if it is one that was seen through.
    pub child: Option<Child>,
}

impl Failure {
    /// A failure with the class of its code, whose outcome is known.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let (class, message) = (code.class(), message.into());
        let (outcome, usage) = (Outcome::Known, Usage::default());
        Self { code, class, message, outcome, exit_code: None, usage, transcript: None, child: None }
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

    /// The failure of an attempt that was told to stop: what it did is not known.
    pub fn stopped(why: Stop) -> Self {
        let (code, message) = match why {
            Stop::TimedOut => (Code::TimedOut, "it took longer than its timeout"),
            Stop::Cancelled => (Code::Cancelled, "it was cancelled"),
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
    /// Its deadline passed.
    TimedOut,
    /// The run does not want it any more.
    Cancelled,
    /// The process does not make it any more, and another may: nobody waits for this result.
    LetGo,
}
