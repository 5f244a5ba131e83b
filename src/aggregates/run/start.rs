//! The things that a run begins with, put together by whoever starts it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::events::ids::AgentName;
use crate::events::json::{Blob, Json};
use crate::events::run::{GrowthLimits, Parent, Routed, StuckLimits};
use crate::workflow::definition::Definition;

/// Everything that a run begins with. It was validated before.
#[derive(Debug, Clone)]
pub struct StartRun {
    /// The workflow that it executes.
    pub definition: Arc<Definition>,
    /// The same as JSON.
    pub definition_blob: Blob,
    /// The input, checked, defaults filled in.
    pub input: Json,
    /// The names and values by which people find it.
    pub tags: BTreeMap<String, String>,
    /// The absolute folder that relative paths mean.
    pub work_folder: Arc<str>,
    /// The step of another run that starts it.
    pub parent: Option<Parent>,
    /// The values of `env.NAME` in its expressions, by name.
    pub environment: BTreeMap<String, String>,
    /// The agents that the definition names, as JSON, where files or the configuration define them.
    pub agents: Vec<(AgentName, Blob)>,
    /// How many of its attempts may be open at once; at least 1.
    pub parallel: u32,
    /// How many attempts at a step may be lost with a process that died: with the last of these it fails.
    pub lost_limit: u32,
    /// How long it may go on, without the time for which it waits for people.
    pub duration_limit: Option<std::time::Duration>,
    /// The step or the phase after which it pauses.
    pub until: Option<Arc<str>>,
    /// The workflows that its steps start as runs of their own, and those that these start.
    pub children: Vec<StartChild>,
    /// How far its graph may grow.
    pub growth: GrowthLimits,
    /// When an agent of it is stuck, and who is asked then.
    pub stuck: StuckLimits,
    /// What was decided about the request that it is for, where somebody asked and named no agent.
    pub routed: Option<Routed>,
    /// Whether none of its steps, nor of its children's, takes an earlier answer.
    pub bypasses_cache: bool,
    /// What of this was said for this run.
    pub insists: Insists,
    /// Whether it is to go on by itself from its first commit on.
    pub drive: bool,
}

/// What somebody said of a run that they start, where the definition or the configuration would say it otherwise. A run that
/// began with something else cannot be what they mean. Tags and `until` are only ever said so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Insists {
    /// Whether the number of attempts at once was said for it.
    pub parallel: bool,
    /// Whether the limit of its time was said for it.
    pub duration_limit: bool,
    /// Whether nobody is to drive it yet: one that has begun cannot be meant.
    pub only_recorded: bool,
}

/// A workflow that a step starts as a run of its own. It was validated before.
#[derive(Debug, Clone)]
pub struct StartChild {
    /// The file that the step's definition names.
    pub file: Arc<str>,
    /// Its definition, as JSON.
    pub definition: Blob,
    /// The absolute folder that its relative paths mean.
    pub work_folder: Arc<str>,
    /// The agents that its steps name, as JSON.
    pub agents: Vec<(AgentName, Blob)>,
    /// How many of its attempts may be open at once; at least 1.
    pub parallel: u32,
    /// How many attempts at a step of it may be lost with a process that died: with the last of these it fails.
    pub lost_limit: u32,
    /// How long it may go on, without the time for which it waits for people; none without a limit.
    pub duration_limit: Option<std::time::Duration>,
}
