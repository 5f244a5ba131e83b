//! What `verify` answers.

use serde::{Deserialize, Serialize};

/// The findings of `verify`, with what it has read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Whether no problem was found.
    pub ok: bool,
    /// How many events the store has.
    pub events: u64,
    /// How many commits those events were stored in.
    pub commits: u64,
    /// How many streams they belong to.
    pub streams: u64,
    /// How long the commits are as they are encoded, in bytes.
    pub event_bytes: u64,
    /// What the data folder takes on the disk, in bytes of allocated blocks.
    pub disk_bytes: u64,
    /// What is wrong, the first bad position first.
    pub problems: Vec<VerifyProblem>,
}

/// Something that `verify` found wrong.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VerifyProblem {
    /// The position of the event; 0 if it is about none.
    pub position: u64,
    /// The name of the stream; none if the problem is not about one.
    pub stream: Option<String>,
    /// The version in it.
    pub version: Option<u64>,
    /// The problem itself, in words for people.
    pub what: String,
}
