//! What a run starts beyond the steps of its file: runs of other workflows, and steps that plans add.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::AgentBinding;
use crate::events::ids::{RunId, StepId, Version};
use crate::events::json::BlobRef;
use crate::events::limits::{CHAIN_HANDOFFS, RUN_ITEMS};

/// A workflow that a step starts as a run of its own, resolved when the run started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildBinding {
    /// What the step's definition calls it: the file's absolute path.
    pub file: Arc<str>,
    /// Its definition, as JSON.
    pub definition: BlobRef,
    /// The absolute folder that its relative paths mean.
    pub work_folder: Arc<str>,
    /// The agents that its steps name.
    pub agents: Vec<AgentBinding>,
    /// How many of its attempts may run at once.
    pub parallel: u32,
    /// How many lost attempts end a step of it.
    pub lost_limit: u32,
    /// How long such a run may go on, in µs; none for no limit.
    pub duration_limit_us: Option<u64>,
}

/// How far a run's graph may grow, and what holds for steps that join it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrowthLimits {
    /// How many plans may lie one inside another.
    pub depth: u32,
    /// How many steps one plan may add.
    pub width: u32,
    /// How many steps all plans may add.
    pub total: u32,
    /// How often a fallback agent is tried at most.
    pub fallback_attempts: u32,
    /// Whether a critical step fails where it would be skipped.
    pub critical_fails: bool,
    /// How many steps all fan-outs may add.
    pub items: u32,
    /// How many handoffs the chain of a step may have.
    pub handoffs: u32,
}

impl GrowthLimits {
    /// What holds where nothing else is configured: what `config/default.toml` says.
    pub const USUAL: Self = Self {
        depth: 3,
        width: 100,
        total: 1_000,
        fallback_attempts: 2,
        critical_fails: true,
        items: RUN_ITEMS,
        handoffs: CHAIN_HANDOFFS,
    };
}

impl Default for GrowthLimits {
    /// No plan may add a step; fan-outs may add [`RUN_ITEMS`] steps, and a chain have [`CHAIN_HANDOFFS`].
    fn default() -> Self {
        Self {
            depth: 0,
            width: 0,
            total: 0,
            fallback_attempts: 0,
            critical_fails: false,
            items: RUN_ITEMS,
            handoffs: CHAIN_HANDOFFS,
        }
    }
}

/// The attempt that this commit starts is made by a child run, which is started, or goes on if
/// it was started before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildStarted {
    /// The step that the child is for.
    pub step: StepId,
    /// The child's id, which follows from the run, the step and its generation.
    pub run: RunId,
}

/// A child run has ended, and with it the attempt that it made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildEnded {
    /// The step that the child is for.
    pub step: StepId,
    /// The id of the child.
    pub run: RunId,
    /// How it ended: a run's status.
    pub status: Arc<str>,
    /// The version of the child's stream at its end.
    pub version: Version,
    /// Whether nothing of the child may be undone any more.
    pub past_return: bool,
    /// Whether somebody drove this run when it heard of that.
    pub driven: bool,
}

/// A child run waits for people and for nothing else, or is paused: the attempt goes on only in the child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildRested {
    /// The step that the child is for.
    pub step: StepId,
    /// The id of the child.
    pub run: RunId,
    /// The version of the child's stream then.
    pub version: Version,
}

/// A child run that was at rest goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildStirred {
    /// The step that the child is for.
    pub step: StepId,
    /// The id of the child.
    pub run: RunId,
    /// The version of the child's stream then.
    pub version: Version,
}

/// This run has ended, and whose step it is may rest because it was told that this run does: from here on it is told of the end
/// until it has heard of that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TellingBegan {}

/// The run whose step this one is has heard that it has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentTold {}

/// A step cannot be undone once it starts. Before it does, the run asks whose step it is a child of, on to the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnAsked {
    /// The step that is to start, or whose child asks.
    pub step: StepId,
    /// The run whose step is to start: this one, or the child that asks.
    pub run: RunId,
}

/// The parent's answer to [`ReturnAsked`]: either all steps that were asked about may start, or none of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnAnswered {
    /// Whether those steps may start.
    pub granted: bool,
}

/// A child may start what cannot be undone: from here on nothing of this run may be undone either, until the
/// child has ended without having done so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildPastReturn {
    /// The step that the child is for.
    pub step: StepId,
    /// The id of the child.
    pub run: RunId,
}
