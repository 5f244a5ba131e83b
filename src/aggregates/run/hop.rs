//! A handoff that was made, as a run remembers it.

use serde::{Deserialize, Serialize};

use super::index::StepIndex;
use crate::events::ids::AgentName;
use crate::events::json::Payload;

/// A handoff that was made, in the chain of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hop {
    /// The step whose attempt handed over: the one with which the chain began, or one that a handoff added.
    pub(crate) by: StepIndex,
    pub(crate) from: AgentName,
    pub(crate) to: AgentName,
    pub(crate) reason: String,
    pub(crate) context: Payload,
}
