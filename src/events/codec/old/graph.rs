//! The shapes that the event had which says how a graph grows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::ids::StepId;
use crate::events::json::BlobRef;
use crate::events::run::{Because, Item, StepAdded, StepKind, Undo};

/// `step_added` at schema 1: nothing could be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAddedV1 {
    /// The id of the new step.
    pub step: StepId,
    /// The reason for which it was added.
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
        StepAddedV2 {
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
        .into()
    }
}

/// `step_added` at schema 2: no step had a phase, and the run's definition said what each does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAddedV2 {
    /// The id of the new step.
    pub step: StepId,
    /// The reason for which it was added.
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
    /// How it can be undone, if it can.
    pub undo: Option<Undo>,
    /// Whether nothing may be undone any more once it has started.
    pub irreversible: bool,
}

impl From<StepAddedV2> for StepAdded {
    fn from(old: StepAddedV2) -> Self {
        StepAddedV3 {
            step: old.step,
            because: old.because,
            template: old.template,
            kind: old.kind,
            inside: old.inside,
            needs: old.needs,
            item: old.item,
            undo: old.undo,
            irreversible: old.irreversible,
            // The run's definition says it, where it is decided.
            at_most_once: false,
            phase: None,
            planned: None,
        }
        .into()
    }
}

/// `step_added` at schema 3: no step asked about a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAddedV3 {
    /// The id of the new step.
    pub step: StepId,
    /// The reason for which it was added.
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
    /// How it can be undone, if it can.
    pub undo: Option<Undo>,
    /// Whether nothing may be undone any more once it has started.
    pub irreversible: bool,
    /// Whether it is started once at most.
    pub at_most_once: bool,
    /// The group of steps that it belongs to.
    pub phase: Option<Arc<str>>,
    /// The definition of the steps that a plan added.
    pub planned: Option<BlobRef>,
}

impl From<StepAddedV3> for StepAdded {
    fn from(old: StepAddedV3) -> Self {
        StepAddedV4 {
            step: old.step,
            because: old.because,
            template: old.template,
            kind: old.kind,
            inside: old.inside,
            needs: old.needs,
            item: old.item,
            undo: old.undo,
            irreversible: old.irreversible,
            at_most_once: old.at_most_once,
            phase: old.phase,
            planned: old.planned,
        }
        .into()
    }
}

/// `step_added` at schema 4: no step said that it has nothing to undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAddedV4 {
    /// The id of the new step.
    pub step: StepId,
    /// The reason for which it was added.
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
    /// How it can be undone, if it can.
    pub undo: Option<Undo>,
    /// Whether nothing may be undone any more once it has started.
    pub irreversible: bool,
    /// Whether it is started once at most.
    pub at_most_once: bool,
    /// The group of steps that it belongs to.
    pub phase: Option<Arc<str>>,
    /// The definition of the steps that a plan added.
    pub planned: Option<BlobRef>,
}

impl From<StepAddedV4> for StepAdded {
    fn from(old: StepAddedV4) -> Self {
        Self {
            step: old.step,
            because: old.because,
            template: old.template,
            kind: old.kind,
            inside: old.inside,
            needs: old.needs,
            item: old.item,
            undo: old.undo,
            nothing_to_undo: false,
            irreversible: old.irreversible,
            at_most_once: old.at_most_once,
            phase: old.phase,
            planned: old.planned,
        }
    }
}
