//! Why a run, or a step of it, is as it is: the chain of causes from that back, each link an event. A [`Walk`] looks at the
//! events of one run from the last to the first. What it has found says what it looks for further back, so that a chain
//! never comes to an event twice.
//!
//! - `want`: what is looked for, and which event is it
//! - `begin`: what is looked for first; `follow`: what follows from an event that was found
//! - `past`: what is known of a run beside its events: its steps, what they use
//! - `turns`: where turns and calls of agents that use tools come from
//! - `says`: an event in a sentence

mod begin;
mod follow;
mod past;
mod says;
mod turns;
mod walk;
mod want;

use serde::{Deserialize, Serialize};

use crate::events::ids::{RunId, StepId, Version};

pub use past::{Past, Used};
pub use says::command;
pub use walk::{Seen, Walk};

/// So many links of a chain are told at most; what is further back is left out.
pub const LINKS_MAX: usize = 200;

/// The chain of causes: what `why --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyReport {
    /// The run that was asked about.
    pub run: RunId,
    /// The step that was asked about; null for the run as a whole.
    pub step: Option<StepId>,
    /// What came of it first, the root last.
    pub chain: Vec<Cause>,
}

/// A link of the chain: an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The run to which it happened: the one that was asked about, one that it has started, or one that has started it.
    pub run: RunId,
    /// The event's number in that run.
    pub version: Version,
    /// The name of its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The step that it is about; null if it is about none.
    pub step: Option<StepId>,
    /// What happened, in a sentence.
    pub says: String,
}
