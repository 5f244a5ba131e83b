//! One run, as people and programs see it: what `status --json` prints.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::ids::{AgentName, RequestId, RunId, StepId, TimerId, Version};
use crate::events::json::{Json, Payload};
use crate::events::problem::{Class, Code, Problem};
use crate::events::run::{RollbackCause, StepKind, Usage};
use crate::events::time::Timestamp;
use crate::workflow::aggregate::{Aggregate, Blobs, Unreadable};
use crate::workflow::run::{
    About, End, Node, Phase, Run, RunEffect, RunStatus, StepError, StepPhase, UndoPhase,
};

/// A run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunReport {
    /// Its id.
    pub run: RunId,
    /// The workflow's name.
    pub workflow: String,
    /// Where it is.
    pub status: RunStatus,
    /// What it answered; null until it has.
    pub output: Json,
    /// Why it failed, or why its output could not be rendered.
    pub error: Option<Problem>,
    /// Whether something was done in a lesser way, or left out other than by its `if`.
    pub degraded: bool,
    /// Its last version.
    pub version: Version,
    /// Whether it needs nobody or somebody drives it; false means interrupted.
    pub driven: bool,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// From start to end, or until now.
    pub duration_ms: u64,
    /// How far it is.
    pub progress: Progress,
    /// Its steps in the order of the definition, those that grew after what grew them.
    pub steps: Vec<StepReport>,
    /// What it used up.
    pub usage: UsageReport,
    /// What it waits for people or programs to do.
    pub waiting_for: Vec<Waiting>,
    /// What people find it by.
    pub tags: BTreeMap<String, String>,
    /// The step or the phase that it was rolled back to, while it is `paused` because of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_to: Option<Arc<str>>,
    /// The file that says what a person must undo by hand, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_file: Option<String>,
    /// What would be done next, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<Vec<EffectReport>>,
}

/// Something that would be done next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EffectReport {
    /// A step could start, or be undone, with a slot of its agent.
    Start {
        /// Which.
        step: StepId,
        /// What for: `do` or `compensate`.
        purpose: String,
        /// Whose slot.
        agent: Option<AgentName>,
    },
    /// An attempt is being made.
    Attempt {
        /// Of which step.
        step: StepId,
        /// What for: `do` or `compensate`.
        purpose: String,
        /// Which.
        attempt: u32,
        /// By whom.
        agent: AgentName,
    },
    /// People are asked.
    Ask {
        /// For which step.
        step: StepId,
        /// Which request.
        request: RequestId,
    },
    /// An attempt is being stopped.
    Stop {
        /// Of which step.
        step: StepId,
    },
    /// The run is to be woken.
    Wake {
        /// By which timer.
        timer: TimerId,
        /// When.
        at: Timestamp,
    },
}

/// What would be done next with a run in that state.
pub fn effects(run: &Run) -> Vec<EffectReport> {
    let report = |effect| match effect {
        RunEffect::Start { step, purpose, agent } => {
            EffectReport::Start { step, purpose: purpose.text().to_owned(), agent }
        }
        RunEffect::Attempt(started) => EffectReport::Attempt {
            step: started.step.clone(),
            purpose: started.purpose.text().to_owned(),
            attempt: started.attempt,
            agent: started.agent.clone(),
        },
        RunEffect::Ask { request, step } => EffectReport::Ask { step, request },
        RunEffect::Stop { step, .. } => EffectReport::Stop { step },
        RunEffect::Wake { timer, at } => EffectReport::Wake { timer, at },
    };
    run.open().into_iter().map(report).collect()
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Progress {
    /// Steps that are done with.
    pub done: usize,
    /// Steps that there are so far.
    pub total: usize,
    /// The one of the other.
    pub percent: u8,
}

/// What a run used up. Money is in US dollars.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct UsageReport {
    calls: u64,
    input_tokens: u64,
    output_tokens: u64,
    usd: f64,
}

/// Something that a run waits for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Waiting {
    /// Of which kind: `sleep` or `retry`, which come by themselves.
    pub kind: String,
    /// What names it.
    pub id: String,
    /// The step that waits.
    pub step: StepId,
    /// Since when.
    pub since: Option<Timestamp>,
    /// When it is over.
    pub expires: Option<Timestamp>,
}

/// A step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepReport {
    /// Its id.
    pub id: StepId,
    /// Where it is.
    pub status: String,
    /// Who does it.
    pub agent: Option<String>,
    /// Who was to do it, where that one has failed and another does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_agent: Option<String>,
    /// Tries so far, lost ones too.
    pub attempts: u32,
    /// How often it was to be done anew, from 1.
    pub generation: u32,
    /// Whether an earlier output was used.
    pub cached: bool,
    /// Whether it was done in a lesser way.
    pub degraded: bool,
    /// What it answered; null until it has.
    pub output: Json,
    /// Why it failed, was skipped, or why its last attempt failed, be that at undoing it.
    pub error: Option<Problem>,
    /// The files that it names as made.
    pub artifacts: Vec<String>,
    /// What an agent says of its work.
    pub summary: Option<String>,
    /// What an agent counted.
    pub metrics: BTreeMap<String, serde_json::Value>,
    /// When it first started.
    pub started_at: Option<Timestamp>,
    /// When it was done with.
    pub ended_at: Option<Timestamp>,
    /// What it used up.
    pub usage: UsageReport,
}

/// Makes the report of a run.
///
/// # Errors
/// When an output is in a blob that cannot be read.
pub fn report(
    run: &Run,
    about: &About,
    version: Version,
    driven: bool,
    now: Timestamp,
    blobs: &dyn Blobs,
) -> Result<RunReport, Unreadable> {
    let (done, total) = run.progress();
    let ended_at = match run.life() {
        Phase::Ended(ended) => Some(ended.at),
        _ => None,
    };
    let steps = in_order(run.nodes())
        .into_iter()
        .map(|node| step_report(node, blobs))
        .collect::<Result<Vec<_>, _>>()?;
    let (output, error) = result(run, blobs)?;
    let usage = run.nodes().iter().fold(Usage::default(), |sum, node| sum.and(node.usage));
    Ok(RunReport {
        run: about.id.clone(),
        workflow: about.started.workflow.clone(),
        status: run.status(),
        output,
        error,
        degraded: run.is_degraded(),
        version,
        driven: driven || run.status().has_ended() || run.status() == RunStatus::Paused,
        started_at: about.at,
        ended_at,
        duration_ms: millis(ended_at.unwrap_or(now).since(about.at)),
        progress: Progress { done, total, percent: percent(done, total) },
        steps,
        usage: usage_report(usage),
        waiting_for: run.nodes().iter().filter_map(|node| waiting(run, node)).collect(),
        tags: about.started.tags.clone(),
        rolled_back_to: run.rolled_back_to().cloned(),
        rollback_file: None,
        effects: None,
    })
}

fn millis(length: std::time::Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn percent(done: usize, total: usize) -> u8 {
    u8::try_from((done * 100).checked_div(total).unwrap_or(0)).unwrap_or(100)
}

fn result(run: &Run, blobs: &dyn Blobs) -> Result<(Json, Option<Problem>), Unreadable> {
    let ended = match run.life() {
        Phase::Ended(ended) => ended,
        Phase::Unwinding(unwinding) => return Ok((Json::null(), failure(&unwinding.cause))),
        _ => return Ok((Json::null(), None)),
    };
    Ok(match &ended.how {
        End::Completed { output, error } => {
            let error = error.as_ref().map(|error| problem(error.code, error.class, &error.message));
            (blobs.json(output)?, error)
        }
        End::Failed(failed) => {
            let mut error = problem(failed.code, failed.class, &failed.message);
            error.step.clone_from(&failed.step);
            (Json::null(), Some(error))
        }
        End::Compensated(cause) => (Json::null(), failure(cause)),
        End::Stuck(stuck, _) => {
            let mut error = problem(stuck.code, stuck.class, &stuck.message);
            error.step.clone_from(&stuck.step);
            (Json::null(), Some(error))
        }
        End::Cancelled => (Json::null(), None),
    })
}

/// The failure that a run is rolled back for, if it is for one.
fn failure(cause: &RollbackCause) -> Option<Problem> {
    let RollbackCause::Failure { step, class, code, message } = cause else { return None };
    let mut error = problem(*code, *class, message);
    error.step.clone_from(step);
    Some(error)
}

/// The steps of the definition, each followed by those that grew in it.
fn in_order(nodes: &[Node]) -> Vec<&Node> {
    let mut inside: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for (place, node) in nodes.iter().enumerate().rev() {
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

fn step_report(node: &Node, blobs: &dyn Blobs) -> Result<StepReport, Unreadable> {
    let (artifacts, cached, degraded) = match &node.phase {
        StepPhase::Completed(done) => (done.artifacts.clone(), done.cached, done.degraded),
        _ => (Vec::new(), false, false),
    };
    let agent = match &node.added.kind {
        StepKind::Work { agent } => Some(agent),
        StepKind::FanOut { agent, .. } => agent.as_ref(),
        StepKind::Repeat { agent } => Some(agent),
        StepKind::Sleep | StepKind::Wait { .. } => None,
    };
    Ok(StepReport {
        id: node.id().clone(),
        status: node.status().to_owned(),
        agent: node.fallback.as_ref().or(agent).map(ToString::to_string),
        primary_agent: node.fallback.as_ref().and(agent).map(ToString::to_string),
        attempts: node.attempts_now(),
        generation: node.generation,
        cached,
        degraded,
        output: node.output().map(|output: &Payload| blobs.json(output)).transpose()?.unwrap_or_default(),
        error: step_error(node),
        artifacts,
        summary: None,
        metrics: BTreeMap::new(),
        started_at: node.started_at,
        ended_at: node.ended_at,
        usage: usage_report(node.usage),
    })
}

fn step_error(node: &Node) -> Option<Problem> {
    let of = |error: &StepError| problem(error.code, error.class, &error.message).step(node.id());
    let undoing = node.compensation.as_ref().filter(|undo| undo.phase != UndoPhase::Undone);
    let undoing = undoing.and_then(|undo| undo.error.as_ref());
    match (&node.phase, undoing.or(node.error.as_ref())) {
        (_, Some(error)) => Some(of(error)),
        (StepPhase::Skipped { reason: crate::events::run::SkipReason::Dependency, message }, None) => {
            Some(problem(Code::NoOutput, Class::Dependency, message).step(node.id()))
        }
        _ => None,
    }
}

fn problem(code: Code, class: Class, message: &str) -> Problem {
    Problem::new(code, message).class(class)
}

fn usage_report(usage: Usage) -> UsageReport {
    UsageReport {
        calls: usage.calls,
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        usd: usage.usd_nanos as f64 / 1e9,
    }
}

fn waiting(run: &Run, node: &Node) -> Option<Waiting> {
    let undo = node.undo_phase();
    let (kind, timer) = match (&node.phase, undo) {
        (_, Some(UndoPhase::Retrying(timer))) | (StepPhase::Retrying(timer), _) => ("retry", timer),
        (StepPhase::Sleeping(timer), _) => ("sleep", timer),
        _ => return None,
    };
    Some(Waiting {
        kind: kind.to_owned(),
        id: timer.to_string(),
        step: node.id().clone(),
        since: node.started_at,
        expires: run.due_at(timer),
    })
}
