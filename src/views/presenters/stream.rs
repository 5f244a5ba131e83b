//! A stream of any kind, for people and programs.

use serde::{Deserialize, Serialize};

use crate::events::ids::{StreamId, Version};
use crate::events::json::Json;
use crate::kernel::Attention;

/// A stream as of one of its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamReport {
    /// Its name: its kind, a slash, and its id.
    pub stream: StreamId,
    /// The version.
    pub version: Version,
    /// Where it is, in a word.
    pub status: String,
    /// What it needs next.
    pub attention: Attention,
    /// What its kind says of its state.
    pub state: Json,
}
