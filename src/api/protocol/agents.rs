//! Agents, as who holds the store knows them.

use serde::{Deserialize, Serialize};

use crate::aggregates::agent::Word;
use crate::events::agent::AgentRegistered;
use crate::events::ids::{AgentName, Version};

/// An agent, as who holds the store knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentKnown {
    /// What it is called.
    pub agent: AgentName,
    /// The version of its stream; 0 of one to which nothing has happened.
    pub version: Version,
    /// In a word: `active`, `paused` or `draining`.
    pub status: String,
    /// Who paused it, while it is paused.
    pub paused: Option<Word>,
    /// Who drains it, while it is draining.
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
    /// How many more are waited for.
    pub waiting: u32,
}

/// An agent after something that a person wanted was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentTurned {
    /// What it is called.
    pub agent: AgentName,
    /// The version of its stream.
    pub version: Version,
    /// In a word: `active`, `paused` or `draining`.
    pub status: String,
}
