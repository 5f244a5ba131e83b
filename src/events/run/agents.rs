//! A run waits for agents that are paused.

use serde::{Deserialize, Serialize};

use crate::events::ids::AgentName;

/// An agent that could do or undo steps of the run now is paused: those wait. A run of which nothing else goes on is `waiting`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentAwaited {
    /// The agent, as the run's steps name it.
    pub agent: AgentName,
}

/// The run waits for that agent no longer: it is not paused any more, or no step wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentAwaitEnded {
    /// The agent, as the run's steps name it.
    pub agent: AgentName,
}
