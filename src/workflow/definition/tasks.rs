//! Steps whose answer is a plan of tasks.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::events::ids::AgentName;
use crate::workflow::template::Template;

/// What becomes of the answer of a step that is a plan of tasks: each task is a step that its agent does, and a last one brings
/// what they did together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanOfTasks {
    /// The agents to whom tasks may be assigned; empty for all that the run knows, but for the one that plans.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AgentName>,
    /// Who brings together what the tasks came to.
    #[serde(default, skip_serializing_if = "is_default")]
    pub integrate: Integrate,
    /// The command that is run when all tasks are done, before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Template>,
    /// A text that stands in the prompt of every task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Template>,
    /// How often the agent that plans is asked to mend a plan, and how often what it says about one task.
    pub repairs: u32,
    /// How many tasks, mended plans and questions to the agent that plans there may be together.
    pub max: u32,
}

/// Who brings together what the tasks of a plan came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Integrate {
    /// The agent that made the plan.
    #[default]
    Planner,
    /// Another agent.
    By(AgentName),
    /// Nobody: there is no such step.
    Nobody,
}

impl PlanOfTasks {
    /// The agents that it names.
    pub fn agents(&self) -> impl Iterator<Item = &AgentName> {
        let integrates = match &self.integrate {
            Integrate::By(agent) => Some(agent),
            Integrate::Planner | Integrate::Nobody => None,
        };
        self.agents.iter().chain(integrates)
    }

    /// How often a plan is mended if nothing else is said: who has not understood three messages will not understand a fourth.
    pub const REPAIRS: u32 = 3;
    /// The most repairs: each is a call of an agent.
    pub const REPAIRS_MAX: u32 = 20;
    /// How many tasks, mended plans and questions there may be if nothing else is said.
    pub const MAX: u32 = 50;
    /// The most of them: as many steps as one plan may add at all.
    pub const MAX_MAX: u32 = 10_000;
}

impl Default for PlanOfTasks {
    fn default() -> Self {
        Self {
            agents: Vec::new(),
            integrate: Integrate::default(),
            test: None,
            context: None,
            repairs: Self::REPAIRS,
            max: Self::MAX,
        }
    }
}
