//! Attempts that no process makes: they are handed out as tasks, to whoever takes one for a time.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Purpose;
use crate::events::ids::{AgentName, Fence, StepId};
use crate::events::time::Timestamp;

/// The attempt that this commit starts is a task: somebody outside has to take it. The step is `waiting`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskOffered {
    /// What it is for.
    pub purpose: Purpose,
    /// The step that is tried.
    pub step: StepId,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// The attempt's number in its run, by which the task is named.
    pub fence: Fence,
    /// The agent in whose name it is to be taken.
    pub agent: AgentName,
    /// What it is about, in a few words: how its prompt begins.
    pub description: String,
}

/// Somebody takes a task that nobody has: until that moment only they may answer it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskTaken {
    /// What the attempt is for.
    pub purpose: Purpose,
    /// The step that is tried.
    pub step: StepId,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// How often the attempt was taken, this time counted: an answer under an older lease is refused.
    pub lease: u32,
    /// The name of who takes it.
    pub by: Arc<str>,
    /// When the lease ends, by the wall clock.
    pub until: Timestamp,
}

/// Who has a task goes on with it: the lease lasts until that moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskProgressed {
    /// What the attempt is for.
    pub purpose: Purpose,
    /// The step that is tried.
    pub step: StepId,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// The number of the lease.
    pub lease: u32,
    /// When it ends from here on, by the wall clock.
    pub until: Timestamp,
    /// How far the work is, from 0 to 100; none if that was not said.
    pub percent: Option<u8>,
    /// What is being done at the moment; none if that was not said.
    pub text: Option<String>,
}

/// A lease is over without an answer: anybody may take the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLapsed {
    /// What the attempt is for.
    pub purpose: Purpose,
    /// The step that is tried.
    pub step: StepId,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// The number of the lease.
    pub lease: u32,
}
