//! What a team that reaches a goal shares, as JSON: tasks with who does them and how far they are, decisions, and what was asked and
//! said about tasks that did not get on.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::aggregates::run::{Node, Run, RunStatus};
use crate::events::ids::{AgentName, RunId, StepId, Version};
use crate::events::json::Json;
use crate::events::run::Because;
use crate::kernel::{Blobs, Unreadable};
use crate::workflow::answer;
use crate::workflow::definition::Definition;
use crate::workflow::goal;

/// What of an answer stands in the file.
const REPORTED: [&str; 8] = [
    "status",
    "progress",
    "completed_items",
    "files_modified",
    "test_results",
    "test_suites",
    "blockers",
    "notes",
];

/// The longest text in the file, in characters, and the longest list: all agents of a team read all of it.
const CHARS_MAX: usize = 2_000;
const ITEMS_MAX: usize = 200;

/// How deep something in an answer may lie that stands in the file.
const DEPTH_MAX: usize = 6;

#[derive(Serialize)]
struct Team {
    run: RunId,
    workflow: String,
    status: RunStatus,
    /// The number of the run's last event that it holds.
    version: Version,
    tasks: Vec<Value>,
    decisions: Vec<Value>,
    messages: Vec<TeamMessage>,
}

/// A question about a task that does not get on, and the answer once there is one.
#[derive(Serialize)]
struct TeamMessage {
    task: StepId,
    from: Option<AgentName>,
    to: AgentName,
    says: String,
    answer: Value,
}

/// The path of a run's own file beside that of another.
pub fn beside(path: &Path, run: &str) -> PathBuf {
    match path.extension().map(|ending| ending.to_string_lossy()) {
        Some(ending) => path.with_extension(format!("{run}.{ending}")),
        None => path.with_extension(run),
    }
}

/// The run that such a file tells of, if that had not ended when it was written.
pub fn unfinished(text: &str) -> Option<RunId> {
    #[derive(Deserialize)]
    struct Of {
        run: RunId,
        status: RunStatus,
    }
    serde_json::from_str::<Of>(text).ok().filter(|of| !of.status.has_ended()).map(|of| of.run)
}

/// What the team of a run shares; none of a run without a plan of tasks.
///
/// # Errors
/// When something that the run has recorded cannot be read.
pub fn team(run: &Run, version: Version, blobs: &dyn Blobs) -> Result<Option<String>, Unreadable> {
    let Some(about) = run.about() else { return Ok(None) };
    let definition = blobs.value::<Definition>(&about.started.definition.hash)?;
    let planners: Vec<StepId> =
        definition.steps.iter().filter(|step| step.plan.is_some()).map(|step| step.id.clone()).collect();
    if planners.is_empty() {
        return Ok(None);
    }
    let mut team = Team {
        run: about.id.clone(),
        workflow: about.started.workflow.clone(),
        status: run.status(),
        version,
        tasks: Vec::new(),
        decisions: Vec::new(),
        messages: Vec::new(),
    };
    for planner in planners {
        team.add(run, &planner, blobs)?;
    }
    Ok(serde_json::to_string_pretty(&team).ok().map(|text| text + "\n"))
}

impl Team {
    fn add(&mut self, run: &Run, planner: &StepId, blobs: &dyn Blobs) -> Result<(), Unreadable> {
        let Some(node) = run.nodes().iter().find(|node| node.id() == planner) else { return Ok(()) };
        let Some(output) = node.output() else { return Ok(()) };
        let listed = goal::listed(&blobs.json(output)?);
        self.decisions.extend(listed.decisions.iter().map(|decision| short(decision, DEPTH_MAX)));
        for (step, task) in listed.tasks {
            let step = planner.planned(&StepId::grown(&step));
            let Some(node) = run.nodes().iter().find(|node| *node.id() == step) else { continue };
            self.tasks.push(task_of(node, &task, blobs)?);
        }
        for node in run.nodes().all(&node.children).filter(|node| node.added.because == Because::Plan) {
            self.messages_about(run, node, blobs)?;
        }
        Ok(())
    }

    fn messages_about(&mut self, run: &Run, node: &Node, blobs: &dyn Blobs) -> Result<(), Unreadable> {
        let asked = node.watch.iter().flat_map(|watch| watch.escalations());
        let answers = run.nodes().all(&node.children).filter(|inner| inner.is_of_manager());
        for (asked, answered) in asked.zip(answers) {
            let answer = answered.output().map(|output| blobs.json(output)).transpose()?;
            let answer = answer.map_or(Value::Null, |answer| short(&answer.value(), DEPTH_MAX));
            let (task, from) = (node.id().clone(), node.agent_of_work().cloned());
            self.messages.push(TeamMessage {
                task,
                from,
                to: asked.to.clone(),
                says: asked.seen.clone(),
                answer,
            });
        }
        Ok(())
    }
}

fn task_of(node: &Node, planned: &Value, blobs: &dyn Blobs) -> Result<Value, Unreadable> {
    let mut task = Map::new();
    for key in ["task_id", "description", "dependencies", "deliverables"] {
        if let Some(value) = planned.get(key) {
            task.insert(key.to_owned(), short(value, DEPTH_MAX));
        }
    }
    task.insert(
        "assigned_to".to_owned(),
        node.agent_of_work().map_or(Value::Null, |agent| agent.as_str().into()),
    );
    task.insert("step_status".to_owned(), node.status().into());
    if let Some(output) = node.output() {
        let answered = answer::as_json(blobs.json(output)?).unwrap_or_else(|_| Json::null());
        let answered = answered.value();
        for key in REPORTED {
            if let Some(value) = answered.get(key) {
                task.insert(key.to_owned(), short(value, DEPTH_MAX));
            }
        }
    }
    Ok(Value::Object(task))
}

/// A value in which no text and no list is long.
fn short(value: &Value, depth: usize) -> Value {
    match value {
        Value::String(text) => crate::events::text::shortened_lines(text, CHARS_MAX).into_owned().into(),
        Value::Array(_) | Value::Object(_) if depth == 0 => Value::Null,
        Value::Array(list) => list.iter().take(ITEMS_MAX).map(|item| short(item, depth - 1)).collect(),
        Value::Object(members) => {
            let members = members.iter().take(ITEMS_MAX);
            Value::Object(members.map(|(key, value)| (key.clone(), short(value, depth - 1))).collect())
        }
        other => other.clone(),
    }
}
