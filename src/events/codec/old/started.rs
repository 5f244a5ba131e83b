//! The shapes that the event had with which a run begins.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::json::{BlobRef, Payload};
use crate::events::run::{AgentBinding, ChildBinding, GrowthLimits, Parent, RunStarted, StuckLimits};

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
        RunStartedV5 {
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
        .into()
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
        RunStartedV5 {
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
        .into()
    }
}

/// `run_started` at schema 4: no agent could hand over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStartedV4 {
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
    pub growth: GrowthLimitsV4,
}

/// `growth` in `run_started` at schema 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrowthLimitsV4 {
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
}

impl From<RunStartedV4> for RunStarted {
    fn from(old: RunStartedV4) -> Self {
        let GrowthLimitsV4 { depth, width, total, fallback_attempts, critical_fails, items } = old.growth;
        RunStartedV5 {
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
                items,
                ..GrowthLimits::default()
            },
        }
        .into()
    }
}

/// `run_started` at schema 5: nobody looked whether an agent is stuck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStartedV5 {
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
    pub growth: GrowthLimits,
}

impl From<RunStartedV5> for RunStarted {
    fn from(old: RunStartedV5) -> Self {
        RunStartedV6 {
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
            growth: old.growth,
            stuck: StuckLimits::default(),
        }
        .into()
    }
}

/// `run_started` at schema 6: no attempt was handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStartedV6 {
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
    pub growth: GrowthLimits,
    /// When an agent of it is stuck.
    pub stuck: StuckLimits,
}

impl From<RunStartedV6> for RunStarted {
    fn from(old: RunStartedV6) -> Self {
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
            growth: old.growth,
            stuck: old.stuck,
            external: Vec::new(),
        }
    }
}
