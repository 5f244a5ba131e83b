//! A stream of any kind, for people and programs.

use serde::{Deserialize, Serialize};

use crate::events::ids::{StreamId, Version};
use crate::events::json::Json;
use crate::kernel::Attention;

/// A stream at one of its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamReport {
    /// Its name: its kind, a slash, and its id.
    pub stream: StreamId,
    /// The version that this is about.
    pub version: Version,
    /// Its status, in a word.
    pub status: String,
    /// What the state needs next, and from whom.
    pub attention: Attention,
    /// The state as its kind shows it, as JSON.
    pub state: Json,
}
