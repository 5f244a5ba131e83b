//! How agents hand their work over.

use serde::{Deserialize, Serialize};

use crate::events::ids::{AgentName, StepId};
use crate::events::json::Payload;

/// An attempt that succeeded said that another agent is to go on. In the commit in which its step completes, which follows, as
/// does before that the step that the other agent does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandoffDeclared {
    /// The step whose attempt said so.
    pub step: StepId,
    /// The attempt's number at its step, from 1.
    pub attempt: u32,
    /// The agent that made the attempt.
    pub from: AgentName,
    /// The agent that goes on, as it calls itself.
    pub to: AgentName,
    /// Why, in a sentence for people.
    pub reason: String,
    /// What the other agent has to know: an object with at least one member.
    pub context: Payload,
}
