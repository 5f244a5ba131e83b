//! Shapes that were once written. They are only read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::ids::StepId;
use crate::events::json::{BlobRef, Payload};
use crate::events::run::{
    AgentBinding, AttemptLost, Because, Item, Parent, Purpose, RunStarted, StepAdded, StepKind,
};

/// `attempt_lost` at schema 1: it always meant an attempt at doing the step, and a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptLostV1 {
    /// Of which step.
    pub step: StepId,
    /// Which.
    pub attempt: u32,
}

impl From<AttemptLostV1> for AttemptLost {
    fn from(old: AttemptLostV1) -> Self {
        Self { purpose: Purpose::Do, step: old.step, attempt: old.attempt, interrupted: false }
    }
}

/// `run_started` at schema 1: a run went on as long as it took, and to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStartedV1 {
    /// The workflow's name.
    pub workflow: String,
    /// The definition.
    pub definition: BlobRef,
    /// What the run was given.
    pub input: Payload,
    /// What people find it by.
    pub tags: BTreeMap<String, String>,
    /// The folder that relative paths mean.
    pub work_folder: Arc<str>,
    /// The step that started it.
    pub parent: Option<Parent>,
    /// What `env.NAME` means.
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
            duration_limit_us: None,
            until: None,
        }
    }
}

/// `step_added` at schema 1: nothing could be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAddedV1 {
    /// The new step.
    pub step: StepId,
    /// Why it is there.
    pub because: Because,
    /// The step of the definition that says what it does.
    pub template: StepId,
    /// What becomes of it when it starts.
    pub kind: StepKind,
    /// The step that it grew in.
    pub inside: Option<StepId>,
    /// What must be done with before it starts.
    pub needs: Vec<StepId>,
    /// The item that it does, in a fan-out.
    pub item: Option<Item>,
}

impl From<StepAddedV1> for StepAdded {
    fn from(old: StepAddedV1) -> Self {
        Self {
            step: old.step,
            because: old.because,
            template: old.template,
            kind: old.kind,
            inside: old.inside,
            needs: old.needs,
            item: old.item,
            undo: None,
            irreversible: false,
        }
    }
}
