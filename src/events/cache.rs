//! The events of the cache of answers, on the stream `cache/answers`: that people take answers away. Which answers are kept, the events
//! of runs say. The fold is in `aggregates::cache`. The names are a contract, and the bytes too: see [`super::codec`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::AgentName;

/// No answer that stands before this in the store is taken any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheCleared {
    /// The agent whose answers are meant, as who clears them calls it; none for all.
    pub agent: Option<AgentName>,
    /// The name of the person or program that wants it.
    pub by: Arc<str>,
}

/// Something that happened to the cache of answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum CacheEvent {
    /// See [`CacheCleared`].
    CacheCleared(CacheCleared),
}

impl From<CacheCleared> for CacheEvent {
    fn from(event: CacheCleared) -> Self {
        Self::CacheCleared(event)
    }
}
