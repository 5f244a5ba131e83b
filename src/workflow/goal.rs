//! Goals: an agent answers a plan of tasks, which become steps.
//!
//! - `read`: the plan as it was answered, checked: all that is wrong with it at once
//! - `fit`: who does a task that is assigned to nobody
//! - `outcome`: what agents say of their tasks, for a summary
//! - `steps`: the steps that the tasks become, and what their agents are told
//! - `asks`: what the agent that plans is told, also about a plan that is refused

mod asks;
mod fit;
mod outcome;
mod read;
mod steps;
#[cfg(test)]
mod tests;

use serde::Deserialize;

use super::definition::{PlanOfTasks, TOOL_EXECUTOR};
use super::json_text::Level;
use crate::events::ids::AgentName;
use crate::events::json::Json;
use crate::events::problem::Problem;
use crate::kernel::ReadBlob;

pub use asks::{ask_for_plan, mend, shape};
pub use outcome::Outcome;
pub use read::{ListedPlan, blockers, listed};

/// The id of the step that brings together what the tasks came to, within its plan.
pub const INTEGRATION: &str = "integration";

/// The id of the step that runs the command which tests it, within its plan.
pub const TESTS: &str = "tests";

/// The longest id of a task, in characters.
pub const ID_CHARS_MAX: usize = 64;

/// The longest description of a task, in characters: it is a prompt, not a file.
pub const DESCRIPTION_CHARS_MAX: usize = 20_000;

/// How many deliverables a task may have, and how many decisions a plan.
pub const LISTED_MAX: usize = 100;

/// The longest deliverable, decision or rationale, in characters.
pub const LISTED_CHARS_MAX: usize = 2_000;

/// How much of what one task came to is told to each that needs it, in characters of JSON. Programs get all of it.
pub const OUTCOME_CHARS_TOLD: usize = 8_000;

/// An agent to which a task may be assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name, as it calls itself.
    pub name: AgentName,
    /// What its definition says of it.
    pub skills: Skills,
}

/// What is asked of an agent's recorded definition when tasks are assigned.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Skills {
    /// What it is good for.
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    executor: String,
    #[serde(default)]
    settings: Settings,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
struct Settings {
    #[serde(default)]
    expertise: Vec<String>,
}

impl Skills {
    /// These skills.
    pub fn new(description: &str, expertise: &[&str]) -> Self {
        let expertise = expertise.iter().map(|word| (*word).to_owned()).collect();
        let (description, executor) = (description.to_owned(), String::new());
        Self { description, executor, settings: Settings { expertise } }
    }

    /// Whether it is a tool, to which nobody assigns a task.
    pub fn is_tool(&self) -> bool {
        self.executor == TOOL_EXECUTOR
    }

    /// What it knows best, in a few words each.
    pub fn expertise(&self) -> &[String] {
        &self.settings.expertise
    }
}

impl ReadBlob for Skills {
    fn read_blob(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}

/// A plan of tasks, as far as it follows from what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TaskPlan {
    tasks: Vec<PlannedTask>,
    decisions: Vec<Decision>,
}

/// A task of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PlannedTask {
    /// Its id as the plan says it.
    id: String,
    /// The id of the step that it becomes.
    step: String,
    description: String,
    agent: AgentName,
    /// The places of the tasks that it depends on.
    needs: Vec<usize>,
    deliverables: Vec<String>,
}

/// Something that was decided for the tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Decision {
    decision: String,
    rationale: String,
    /// The agents that it affects; empty for all.
    affected: Vec<AgentName>,
}

/// The frame in which an answer is a plan of tasks.
#[derive(Debug, Clone, Copy)]
pub struct Goal<'a> {
    /// What the step says of its plan.
    pub plan: &'a PlanOfTasks,
    /// The agent that answered it.
    pub manager: &'a AgentName,
    /// To whom tasks may be assigned.
    pub candidates: &'a [Candidate],
    /// How many tasks there may be still.
    pub tasks_max: usize,
}

impl Goal<'_> {
    /// The steps that a plan adds, as the list of an `add_steps`, in JSON.
    ///
    /// # Errors
    /// Everything that is wrong with the plan, in one [`crate::events::problem::Code::BadTasks`].
    pub fn steps(&self, answer: &Json) -> Result<Json, Problem> {
        let plan = read::plan(answer, self)?;
        Ok(self.steps_of(&plan))
    }
}

/// The member of an object with that name.
fn member<'a>(object: &'a Json, name: &str) -> Option<&'a str> {
    let Ok(Level::Map(members)) = Level::of(object.text()) else { return None };
    members.into_iter().rfind(|(key, _)| key == name).map(|(_, value)| value)
}
