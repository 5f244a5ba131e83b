//! The shapes that payloads of events had in earlier versions. They are only read, and turned into today's.

mod attempts;
mod graph;
mod people;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::ids::{RunId, StepId, Version};
use crate::events::json::{BlobRef, Payload};
use crate::events::run::{
    AgentBinding, ChildBinding, ChildEnded, GrowthLimits, Parent, RollbackCause, RollbackStarted, RoundOrder,
    RunStarted,
};

pub use attempts::{AttemptFailedV1, AttemptFailedV2, AttemptLostV1, StepCompensatedV1, StepCompletedV1};
pub use graph::{StepAddedV1, StepAddedV2, StepAddedV3, StepAddedV4};
pub use people::ApprovalRequestedV1;

/// `run_started` at schema 1: a run went on as long as it took, and to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStartedV1 {
    /// The name of the workflow.
    pub workflow: String,
    /// The definition as JSON.
    pub definition: BlobRef,
    /// The input of the run.
    pub input: Payload,
    /// The names and values by which people find the run.
    pub tags: BTreeMap<String, String>,
    /// The folder that relative paths mean.
    pub work_folder: Arc<str>,
    /// The step that started it.
    pub parent: Option<Parent>,
    /// Values of the environment that expressions read as `env.NAME`.
    pub environment: BTreeMap<String, String>,
    /// The agents that its steps name.
    pub agents: Vec<AgentBinding>,
    /// How many attempts may run at once.
    pub parallel: u32,
    /// How many lost attempts end a step.
    pub lost_limit: u32,
}

impl From<RunStartedV1> for RunStarted {
    fn from(old: RunStartedV1) -> Self {
        RunStartedV2 {
            workflow: old.workflow,
            definition: old.definition,
            input: old.input,
            tags: old.tags,
            work_folder: old.work_folder,
            parent: old.parent,
            environment: old.environment,
            agents: old.agents,
            parallel: old.parallel,
            lost_limit: old.lost_limit,
            duration_limit_us: None,
            until: None,
        }
        .into()
    }
}

/// `run_started` at schema 2: no step started another workflow, and no plan grew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStartedV2 {
    /// The name of the workflow.
    pub workflow: String,
    /// The definition as JSON.
    pub definition: BlobRef,
    /// The input of the run.
    pub input: Payload,
    /// The names and values by which people find the run.
    pub tags: BTreeMap<String, String>,
    /// The folder that relative paths mean.
    pub work_folder: Arc<str>,
    /// The step that started it.
    pub parent: Option<Parent>,
    /// Values of the environment that expressions read as `env.NAME`.
    pub environment: BTreeMap<String, String>,
    /// The agents that its steps name.
    pub agents: Vec<AgentBinding>,
    /// How many attempts may run at once.
    pub parallel: u32,
    /// How many lost attempts end a step.
    pub lost_limit: u32,
    /// How long the run may go on, in µs; none for no limit.
    pub duration_limit_us: Option<u64>,
    /// The step after which it pauses.
    pub until: Option<Arc<str>>,
}

impl From<RunStartedV2> for RunStarted {
    fn from(old: RunStartedV2) -> Self {
        Self {
            workflow: old.workflow,
            definition: old.definition,
            input: old.input,
            tags: old.tags,
            work_folder: old.work_folder,
            parent: old.parent,
            environment: old.environment,
            agents: old.agents,
            parallel: old.parallel,
            lost_limit: old.lost_limit,
            duration_limit_us: old.duration_limit_us,
            until: old.until,
            children: Vec::new(),
            growth: GrowthLimits::default(),
        }
    }
}

/// `run_started` at schema 3: nothing bounded what fan-outs add.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStartedV3 {
    /// The name of the workflow.
    pub workflow: String,
    /// The definition as JSON.
    pub definition: BlobRef,
    /// The input of the run.
    pub input: Payload,
    /// The names and values by which people find the run.
    pub tags: BTreeMap<String, String>,
    /// The folder that relative paths mean.
    pub work_folder: Arc<str>,
    /// The step that started it.
    pub parent: Option<Parent>,
    /// Values of the environment that expressions read as `env.NAME`.
    pub environment: BTreeMap<String, String>,
    /// The agents that its steps name.
    pub agents: Vec<AgentBinding>,
    /// How many attempts may run at once.
    pub parallel: u32,
    /// How many lost attempts end a step.
    pub lost_limit: u32,
    /// How long the run may go on, in µs; none for no limit.
    pub duration_limit_us: Option<u64>,
    /// The step or the phase after which it pauses.
    pub until: Option<Arc<str>>,
    /// The workflows that its steps start.
    pub children: Vec<ChildBinding>,
    /// How far its graph may grow by plans.
    pub growth: GrowthLimitsV3,
}

/// `growth` in `run_started` at schema 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrowthLimitsV3 {
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
}

impl From<RunStartedV3> for RunStarted {
    fn from(old: RunStartedV3) -> Self {
        let GrowthLimitsV3 { depth, width, total, fallback_attempts, critical_fails } = old.growth;
        Self {
            workflow: old.workflow,
            definition: old.definition,
            input: old.input,
            tags: old.tags,
            work_folder: old.work_folder,
            parent: old.parent,
            environment: old.environment,
            agents: old.agents,
            parallel: old.parallel,
            lost_limit: old.lost_limit,
            duration_limit_us: old.duration_limit_us,
            until: old.until,
            children: old.children,
            growth: GrowthLimits {
                depth,
                width,
                total,
                fallback_attempts,
                critical_fails,
                ..GrowthLimits::default()
            },
        }
    }
}

/// `rollback_started` at schema 1: one step could be kept, and no phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackStartedV1 {
    /// Why the run was rolled back.
    pub cause: RollbackCause,
    /// The step that is kept.
    pub to: Option<StepId>,
}

impl From<RollbackStartedV1> for RollbackStarted {
    fn from(old: RollbackStartedV1) -> Self {
        let to = old.to.as_ref().map(|step| step.as_str().into());
        RollbackStartedV2 { cause: old.cause, to, keeps: old.to.into_iter().collect() }.into()
    }
}

/// `rollback_started` at schema 2: the rounds of a loop were undone at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackStartedV2 {
    /// Why the run was rolled back.
    pub cause: RollbackCause,
    /// The step or the phase that is kept.
    pub to: Option<Arc<str>>,
    /// All steps that are kept with it.
    pub keeps: Vec<StepId>,
}

impl From<RollbackStartedV2> for RollbackStarted {
    fn from(old: RollbackStartedV2) -> Self {
        Self { cause: old.cause, to: old.to, keeps: old.keeps, rounds: RoundOrder::AtOnce }
    }
}

/// `child_ended` at schema 1: it counted as if somebody drove the run that heard of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildEndedV1 {
    /// The step that it is for.
    pub step: StepId,
    /// The id of the child.
    pub run: RunId,
    /// The status of the child at its end.
    pub status: Arc<str>,
    /// The version of the child's stream at its end.
    pub version: Version,
    /// Whether nothing of it may be undone any more.
    pub past_return: bool,
}

impl From<ChildEndedV1> for ChildEnded {
    fn from(old: ChildEndedV1) -> Self {
        let ChildEndedV1 { step, run, status, version, past_return } = old;
        Self { step, run, status, version, past_return, driven: true }
    }
}
