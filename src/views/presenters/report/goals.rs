//! How far the plans of tasks of a run are: who does what, and what they say that they made and tested.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::StepReport;
use crate::aggregates::run::{Graph, Node};
use crate::events::ids::{AgentName, StepId};
use crate::events::run::Because;
use crate::workflow::definition::Definition;
use crate::workflow::goal::Outcome;

/// A plan of tasks. What was made and tested is what the agents say: nothing of it was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoalReport {
    /// The step whose plan it is.
    pub step: StepId,
    /// The steps of the plan, in order.
    pub tasks: Vec<TaskReport>,
    /// How often each agent was called for it, also to mend and to say something.
    pub calls: BTreeMap<AgentName, u32>,
    /// The files that were made or changed, each once.
    pub files: Vec<String>,
    /// How many tests passed and failed; none where nobody says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<TestsReport>,
}

/// A task of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReport {
    /// The step that it is.
    pub step: StepId,
    /// The agent that does it; none if no agent does.
    pub agent: Option<String>,
    /// The status of the step, in a word.
    pub status: String,
}

/// Tests, as agents report them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TestsReport {
    /// How many passed.
    pub passed: u64,
    /// How many failed.
    pub failed: u64,
}

pub(super) fn goals(nodes: &Graph, definition: &Definition, steps: &[StepReport]) -> Vec<GoalReport> {
    let planners = definition.steps.iter().filter(|step| step.plan.is_some());
    planners
        .filter_map(|step| nodes.iter().find(|node| *node.id() == step.id))
        .map(|node| goal(nodes, node, steps))
        .collect()
}

fn goal(nodes: &Graph, planner: &Node, steps: &[StepReport]) -> GoalReport {
    let by_id: BTreeMap<&StepId, &StepReport> = steps.iter().map(|step| (&step.id, step)).collect();
    let mut report = GoalReport {
        step: planner.id().clone(),
        tasks: Vec::new(),
        calls: BTreeMap::new(),
        files: Vec::new(),
        tests: None,
    };
    report.called(planner);
    for task in nodes.all(&planner.children).filter(|node| node.added.because == Because::Plan) {
        report.called(task);
        nodes.all(&task.children).for_each(|inner| report.called(inner));
        let Some(step) = by_id.get(task.id()) else { continue };
        let (agent, status) = (step.agent.clone(), step.status.clone());
        report.tasks.push(TaskReport { step: step.id.clone(), agent, status });
        let outcome = Outcome::read(&step.output);
        let files = outcome.files.iter().chain(&step.artifacts);
        for file in files {
            if !report.files.contains(file) {
                report.files.push(file.clone());
            }
        }
        if let Some((passed, failed)) = outcome.tests {
            let sum = report.tests.get_or_insert_default();
            sum.passed = sum.passed.saturating_add(passed);
            sum.failed = sum.failed.saturating_add(failed);
        }
    }
    report
}

impl GoalReport {
    fn called(&mut self, node: &Node) {
        if let Some(agent) = node.agent_of_work().filter(|_| node.doing.attempts > 0) {
            let calls = self.calls.entry(agent.clone()).or_default();
            *calls = calls.saturating_add(node.doing.attempts);
        }
    }
}
