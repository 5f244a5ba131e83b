//! The steps of a run, and the phases that they belong to.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{UsageReport, problem};
use crate::aggregates::run::child::is_made_by;
use crate::aggregates::run::task::Held;
use crate::aggregates::run::{Graph, Node, Order, StepError, StepIndex, StepPhase};
use crate::events::ids::{AgentName, RunId, StepId};
use crate::events::json::{Json, Payload};
use crate::events::problem::{Class, Code, Problem};
use crate::events::run::{Resolution, SkipReason, StepKind};
use crate::events::time::Timestamp;
use crate::kernel::{Blobs, Unreadable};

/// A step of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepReport {
    /// The id of the step.
    pub id: StepId,
    /// The status of the step, in a word.
    pub status: String,
    /// The agent that does it; none if no agent does.
    pub agent: Option<String>,
    /// The agent that was to do it first; none if that one has not been replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_agent: Option<String>,
    /// The group of steps that it belongs to, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The run that it has started as a child.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<RunId>,
    /// How many attempts at doing it were made in this generation, lost ones included.
    pub attempts: u32,
    /// How often it was to be done anew after being undone, from 1.
    pub generation: u32,
    /// Whether an earlier output was used instead of an attempt.
    pub cached: bool,
    /// Whether it was done in a lesser way, as by a fallback.
    pub degraded: bool,
    /// Whether it failed and the run goes on all the same.
    #[serde(default, skip_serializing_if = "is_false")]
    pub tolerated: bool,
    /// What a person said who settled its compensation; none if nobody had to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<SettledReport>,
    /// What its last attempt was given, rendered, if that was asked for and an attempt was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Json>,
    /// The step's output; null until it has one.
    pub output: Json,
    /// Why it failed or was skipped, or why its last attempt failed, also one at undoing it.
    pub error: Option<Problem>,
    /// The files that it names as made.
    pub artifacts: Vec<String>,
    /// What the agent says about its work, else the first line of its answer; none where that is no text, and where an older version recorded it.
    pub summary: Option<String>,
    /// Numbers, texts and truth values that the agent counted, as it says.
    pub metrics: BTreeMap<String, serde_json::Value>,
    /// How far its attempt says that it is, while one is made, or who has its task; null where none is, or says nothing.
    #[serde(default)]
    pub progress: Option<StepProgress>,
    /// When it first started.
    pub started_at: Option<Timestamp>,
    /// When it was done with.
    pub ended_at: Option<Timestamp>,
    /// How much of the time between the run waited for somebody, once it is done with. In ms.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting_ms: u64,
    /// What all its attempts used up.
    pub usage: UsageReport,
}

/// How far an attempt says that it is. That is recorded only of tasks, so that of a run in the past others have none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepProgress {
    /// The part that is done, from 0 to 100.
    pub percent: u8,
    /// What it is doing at the moment.
    pub text: String,
}

/// What a person said of a compensation that had failed for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettledReport {
    /// Whether the step stays as it is (`skip`), or was undone by hand (`done`).
    pub how: Resolution,
    /// The name of the person or program that said so.
    pub by: Arc<str>,
    /// Their reason.
    pub reason: String,
}

/// For serde, which passes a reference.
pub(super) fn is_false(value: &bool) -> bool {
    !value
}

/// For serde, which passes a reference.
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// A child run that a step has started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildReport {
    /// The id of the child.
    pub run: RunId,
    /// The step that it was started for.
    pub step: StepId,
    /// The child's status, once the parent was told that it has ended; null before. For a run in the
    /// past, how it ended.
    pub status: Option<String>,
}

/// The step of another run that has started this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentReport {
    /// The id of the other run.
    pub run: RunId,
    /// The step's id in that run.
    pub step: StepId,
}

/// The steps of the definition, each followed by those that grew in it.
pub(in crate::views) fn in_order(nodes: &Graph) -> Vec<&Node> {
    let mut inside: BTreeMap<Option<StepIndex>, Vec<StepIndex>> = BTreeMap::new();
    for (place, node) in nodes.indexed().rev() {
        inside.entry(node.inside).or_default().push(place);
    }
    let mut ordered = Vec::with_capacity(nodes.len());
    let mut left = inside.remove(&None).unwrap_or_default();
    while let Some(place) = left.pop() {
        ordered.extend(nodes.get(place));
        left.extend(inside.remove(&Some(place)).unwrap_or_default());
    }
    ordered
}

pub(super) fn step_report(node: &Node, blobs: &dyn Blobs) -> Result<StepReport, Unreadable> {
    let done = match &node.doing.phase {
        StepPhase::Completed(done) => Some(done),
        _ => None,
    };
    let said = done.and_then(|done| done.said.as_ref());
    let output = node.output().map(|output: &Payload| blobs.json(output)).transpose()?.unwrap_or_default();
    let metrics =
        said.and_then(|said| said.metrics.as_ref()).map(|metrics| blobs.json(metrics)).transpose()?;
    let metrics = metrics.and_then(|metrics| serde_json::from_str(metrics.text()).ok());
    let summary = said.and_then(|said| said.summary.as_deref().map(str::to_owned));
    let agent = primary_agent(node);
    Ok(StepReport {
        id: node.id().clone(),
        status: node.status().to_owned(),
        agent: node.fallback.as_ref().or(agent).map(ToString::to_string),
        primary_agent: node.fallback.as_ref().and(agent).map(ToString::to_string),
        phase: node.added.phase.as_deref().map(str::to_owned),
        child: node.child.as_ref().map(|child| child.run.clone()),
        attempts: node.attempts_now(),
        generation: node.generation,
        cached: done.is_some_and(|done| done.cached),
        degraded: done.is_some_and(|done| done.degraded),
        tolerated: node.status() == "failed" && node.doing.phase == StepPhase::Failed { tolerated: true },
        settled: settled(node),
        input: None,
        summary,
        output,
        error: step_error(node),
        artifacts: done.map(|done| done.artifacts.clone()).unwrap_or_default(),
        metrics: metrics.unwrap_or_default(),
        progress: node.task.as_ref().and_then(|task| far(task.held.as_ref()?)),
        started_at: node.started_at,
        ended_at: node.ended_at,
        waiting_ms: node.ended_at.map_or(0, |_| node.waited_us / 1_000),
        usage: node.usage.into(),
    })
}

/// How far whoever has a task said that they are.
fn far(held: &Held) -> Option<StepProgress> {
    let text = held.text.clone().unwrap_or_default();
    held.percent.map(|percent| StepProgress { percent, text })
}

/// The agent that is to do a step first; none if no agent does it, as where a child run does.
pub(in crate::views) fn primary_agent(node: &Node) -> Option<&AgentName> {
    let agent = match &node.added.kind {
        StepKind::Work { agent } | StepKind::Repeat { agent } => Some(agent),
        StepKind::FanOut { agent, .. } => agent.as_ref(),
        StepKind::Sleep | StepKind::Wait { .. } | StepKind::AskOfPhase => None,
    };
    agent.filter(|agent| !is_made_by(agent))
}

/// The runs that steps have started.
pub(super) fn children(nodes: &Graph) -> Vec<ChildReport> {
    let child = |node: &Node| {
        let child = node.child.as_ref()?;
        let status = child.ended.as_ref().map(|ended| ended.status.to_string());
        Some(ChildReport { run: child.run.clone(), step: node.id().clone(), status })
    };
    nodes.iter().filter_map(child).collect()
}

fn settled(node: &Node) -> Option<SettledReport> {
    let phase = node.undo_phase()?;
    let Order { by, reason } = phase.said()?.clone();
    let how = if phase.is_undone() { Resolution::Done } else { Resolution::Skip };
    Some(SettledReport { how, by, reason: reason.unwrap_or_default() })
}

fn step_error(node: &Node) -> Option<Problem> {
    let of = |error: &StepError| problem(error.code, error.class, &error.message).step(node.id());
    let undoing = node.compensation.as_ref().filter(|undo| !undo.tries.phase.is_undone());
    let undoing = undoing.and_then(|undo| undo.tries.error.as_ref());
    match (&node.doing.phase, undoing.or(node.doing.error.as_ref())) {
        (_, Some(error)) => Some(of(error)),
        (StepPhase::Skipped { reason: SkipReason::Dependency, message }, None) => {
            Some(problem(Code::NoOutput, Class::Dependency, message).step(node.id()))
        }
        _ => None,
    }
}

/// A sign for the status of a step.
pub fn sign(status: &str) -> char {
    match status {
        "completed" => '✓',
        "failed" => '✗',
        "running" => '▸',
        "skipped" | "cancelled" => '-',
        "compensating" => '◂',
        "compensated" => '↩',
        "retrying" | "waiting" => '…',
        _ => ' ',
    }
}
