//! How the graph of a run grows, and what a step of it is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::ids::{AgentName, StepId};
use crate::events::json::{BlobRef, Payload};

/// The graph grows by a step, which is then `pending`. What it needs and what it is inside of was added before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAdded {
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
    /// How it can be undone, if it can.
    pub undo: Option<Undo>,
    /// Whether, once it has started, nothing of the run may be undone any more.
    pub irreversible: bool,
    /// Whether it is started once at most.
    pub at_most_once: bool,
    /// The group of steps that it belongs to.
    pub phase: Option<Arc<str>>,
    /// Where `template` is found if not in the run's definition: the definition of the steps that a plan added, as JSON.
    pub planned: Option<BlobRef>,
}

/// How a step can be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Who undoes it.
    pub agent: AgentName,
    /// When that is owed.
    pub when: UndoWhen,
}

/// When a step's compensation is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UndoWhen {
    /// When the step completed, or nobody knows whether it did.
    #[default]
    Completed,
    /// Also when it failed.
    Attempted,
}

/// What becomes of a step when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// An agent does it.
    Work {
        /// Who.
        agent: AgentName,
    },
    /// It waits for a timer.
    Sleep,
    /// It grows a step for each item of a list.
    FanOut {
        /// Who does those steps, if an agent does.
        agent: Option<AgentName>,
        /// How many of them may be on their way at once.
        max_parallel: Option<u32>,
    },
    /// It waits for a signal.
    Wait {
        /// Its name.
        signal: Arc<str>,
    },
    /// It grows a step for each round, one after the other.
    Repeat {
        /// Who does those steps.
        agent: AgentName,
    },
    /// People are asked about its phase, and that is all.
    AskOfPhase,
}

/// Why a step is in the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// The definition has it.
    Definition,
    /// A planner thought of it.
    Plan,
    /// A fan-out has an item for it.
    ForEach,
    /// A loop goes round.
    Repeat,
    /// An agent handed over.
    Handoff,
    /// An agent called a tool.
    Tool,
    /// A workflow written in Rust reached it.
    Code,
}

/// One item of a fan-out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its place in the list, from 0.
    pub index: u32,
    /// The item itself.
    pub value: Payload,
}
