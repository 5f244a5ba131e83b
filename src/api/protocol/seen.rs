//! What is told of a run while it is seen through.

use serde::{Deserialize, Serialize};

use crate::events::ids::{AgentName, Fence, StepId, Version};
use crate::events::time::Timestamp;

/// What is told of a run while it is seen through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tells {
    /// What is done in a lesser way, or left out.
    #[default]
    Lesser,
    /// Each thing that a person would call one: what starts, ends, is tried again, waits, is undone.
    Everything,
}

/// The event from which on it is told what happens to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// From the event after this one.
    After(Version),
    /// From the event that happens next.
    FromNow,
}

/// How far a run is, for a person who looks on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// Steps that are done with.
    pub done: usize,
    /// Steps that there are so far.
    pub total: usize,
    /// While nothing runs: when something does again.
    #[serde(default)]
    pub wakes_at: Option<Timestamp>,
    /// Attempts that are open.
    pub running: Vec<LiveAttempt>,
}

/// An attempt that is being made, for a person who looks on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveAttempt {
    /// The fence of the attempt, which no other attempt of its run has.
    pub fence: Fence,
    /// The step whose attempt it is.
    pub step: StepId,
    /// The agent that makes it.
    pub agent: AgentName,
    /// The number of the attempt for that purpose at its step, from 1.
    pub attempt: u32,
    /// Whether it is made to undo the step.
    #[serde(default)]
    pub undoes: bool,
    /// The time since which it is made, by the wall clock as it is set now.
    pub since: Timestamp,
    /// How far it says it is, in percent.
    pub percent: u8,
    /// What it says that it is doing; empty if it says nothing.
    pub text: String,
}
