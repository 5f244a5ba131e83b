//! How the graph of a run grows, and what one of its steps is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::ids::{AgentName, StepId};
use crate::events::json::{BlobRef, Payload};

/// The graph grows by one step, which is then `pending`. The steps that it needs or is inside of
/// were added before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAdded {
    /// The id of the new step.
    pub step: StepId,
    /// Why it is there.
    pub because: Because,
    /// The step of the definition that says what it does.
    pub template: StepId,
    /// What happens when the step starts.
    pub kind: StepKind,
    /// The step that it grew in; none for a step of the run's own definition.
    pub inside: Option<StepId>,
    /// The steps that must be done with before it starts.
    pub needs: Vec<StepId>,
    /// The item that it is for, if it grew in a fan-out.
    pub item: Option<Item>,
    /// How it can be undone, if it can.
    pub undo: Option<Undo>,
    /// Whether it does nothing that would have to be undone, as its author says.
    pub nothing_to_undo: bool,
    /// Whether, once it has started, nothing of the run may be undone any more.
    pub irreversible: bool,
    /// Whether it is started once at most.
    pub at_most_once: bool,
    /// The group of steps that it belongs to, by name, if any.
    pub phase: Option<Arc<str>>,
    /// Where `template` is found if not in the run's definition: the definition of the steps that a
    /// plan added, as JSON.
    pub planned: Option<BlobRef>,
}

/// How a step can be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// The agent that undoes it.
    pub agent: AgentName,
    /// The cases in which that is owed.
    pub when: UndoWhen,
}

/// When a step's compensation is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UndoWhen {
    /// When the step completed, or it is not known whether it did.
    #[default]
    Completed,
    /// Also when the step failed.
    Attempted,
}

/// What happens when a step starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// An agent does it.
    Work {
        /// The name of that agent.
        agent: AgentName,
    },
    /// It waits for a timer.
    Sleep,
    /// It grows a step for each item of a list.
    FanOut {
        /// The agent that does those steps; none if they are not done by an agent.
        agent: Option<AgentName>,
        /// How many of them may be on their way at once; none for no limit of its own.
        max_parallel: Option<u32>,
    },
    /// It waits for a signal.
    Wait {
        /// The name of the signal.
        signal: Arc<str>,
    },
    /// It grows a step for each round, one after the other.
    Repeat {
        /// The agent that does those steps.
        agent: AgentName,
    },
    /// Nothing but a request for an approval of its phase.
    AskOfPhase,
}

/// Why a step is in the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// It stands in the definition.
    Definition,
    /// A planner's answer added it.
    Plan,
    /// It is for one item of a fan-out.
    ForEach,
    /// It is one round of a loop.
    Repeat,
    /// An agent handed its work over.
    Handoff,
    /// An agent called a tool.
    Tool,
    /// A workflow written in Rust reached it.
    Code,
    /// An agent is stuck at the step that it grew in, and a manager is asked.
    Escalation,
    /// An agent that uses tools is asked once more.
    Turn,
}

/// One item of a fan-out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its place in the list, from 0.
    pub index: u32,
    /// The item itself, as JSON.
    pub value: Payload,
}
