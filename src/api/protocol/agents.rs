//! Agents, as who holds the store knows them.

use serde::{Deserialize, Serialize};

use crate::aggregates::agent::Word;
use crate::events::agent::AgentRegistered;
use crate::events::ids::{AgentName, Version};

/// An agent, as who holds the store knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentKnown {
    /// The name of the agent, as it was last named.
    pub agent: AgentName,
    /// The version of its stream; 0 of one to which nothing has happened.
    pub version: Version,
    /// In a word: `active`, `paused` or `draining`.
    pub status: String,
    /// The pause that holds; none of an agent that is not paused.
    pub paused: Option<Word>,
    /// The wish to drain it that holds; none of an agent that is not draining.
    pub draining: Option<Word>,
    /// The definition whose limits hold, once a run has brought one.
    pub newest: Option<AgentRegistered>,
    /// How much is asked of it now, in the process that holds the store.
    pub slots: SlotsKnown,
}

/// How much is asked of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotsKnown {
    /// How many attempts it makes, or is about to.
    pub in_use: u32,
    /// How many more attempts wait for a slot of it.
    pub waiting: u32,
}

/// An agent after something that a person wanted was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentTurned {
    /// The name of the agent, as it was last named.
    pub agent: AgentName,
    /// The version of its stream, by then.
    pub version: Version,
    /// In a word, by then: `active`, `paused` or `draining`.
    pub status: String,
}
