//! The cache of answers, as who holds the store knows it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::ids::{AgentName, CommandId, RunId, StepId, Version};
use crate::events::time::Timestamp;

/// What somebody wants of the cache of answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheWants {
    /// What is kept. Frames: `Frame::Kept`. Response: `Response::Done`.
    List,
    /// To take no answer any more that was kept until now. Response: `Response::CacheCleared`.
    Clear {
        /// The agent whose answers are meant, in any spelling; none for all.
        agent: Option<AgentName>,
        /// The name of the person or program that wants it.
        by: Arc<str>,
        /// What tells this request from all others.
        #[serde(default)]
        id: Option<CommandId>,
    },
}

impl CacheWants {
    /// Whether it asks how things are, and changes nothing.
    pub const fn only_looks(&self) -> bool {
        matches!(self, Self::List)
    }
}

/// An answer that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// The first digits of its key.
    pub key: String,
    /// The agent that answered.
    pub agent: AgentName,
    /// The run in which it did.
    pub run: RunId,
    /// The step.
    pub step: StepId,
    /// The version of the run's event that kept it.
    pub version: Version,
    /// How much it counts, in bytes.
    pub size_bytes: u64,
    /// When it was kept.
    pub at: Timestamp,
    /// How old it is, in ms.
    pub age_ms: u64,
    /// When it is not taken any more, if its step says that.
    pub expires: Option<Timestamp>,
    /// How often it was taken.
    pub hits: u64,
    /// When it was taken last, or kept.
    pub used_at: Timestamp,
}

/// Answers were taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheCleared {
    /// How many were there.
    pub cleared: u64,
    /// The version of the event on the stream of the cache.
    pub version: Version,
}
