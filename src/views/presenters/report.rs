//! One run, as people and programs see it: what `status --json` prints.

mod effects;
mod escalations;
mod failure;
mod goals;
mod handoffs;
mod phases;
mod spend;
mod steps;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::aggregates::run::{About, End, Order, Phase, Run, RunStatus};
use crate::events::ids::{AgentName, Hash, RunId, Version};
use crate::events::json::{Json, Payload};
use crate::events::problem::{Class, Code, Problem};
use crate::events::run::{AgentBinding, Parent, RollbackCause, Routed, RunStarted, Usage};
use crate::events::time::Timestamp;
use crate::kernel::{Blobs, Unreadable};
use crate::views::presenters::ways::{Invocation, Way, ways};
use crate::workflow::definition::Definition;
pub use effects::{EffectReport, effects};
pub use escalations::EscalationReport;
pub use failure::{FailureReport, FailureSearch};
pub use goals::{GoalReport, TaskReport, TestsReport};
pub use handoffs::{HandoffReport, HandoffsReport};
pub use phases::PhaseReport;
pub use spend::{AgentUsage, Amounts, BudgetReport, LimitReport, SpendReport};
pub use steps::{ChildReport, ParentReport, SettledReport, StepProgress, StepReport, sign};
pub(super) use steps::{in_order, primary_agent};
pub use waiting::{Approvers, Waiting};

/// A run as of its last version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunReport {
    /// The id of the run.
    pub run: RunId,
    /// The name of the workflow.
    pub workflow: String,
    /// The status of the run.
    pub status: RunStatus,
    /// What the run was given, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Json>,
    /// The run's output; null until it has one.
    pub output: Json,
    /// Why it failed, or why its output could not be rendered.
    pub error: Option<Problem>,
    /// The attempt that it failed with, if that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureReport>,
    /// Whether something was done in a lesser way, or left out other than by its `if`.
    pub degraded: bool,
    /// The number of its last event, from 1.
    pub version: Version,
    /// Whether it has not ended, and somebody drives it, or nobody needs to while it rests. None where that is not known: this
    /// process may not ask who holds the store.
    pub driven: Option<bool>,
    /// Whether it has not ended, and would go on if somebody drove it, which nobody does. None as for `driven`.
    #[serde(default)]
    pub interrupted: Option<bool>,
    /// Whether it is that because it waited for somebody until now: nothing of it was stopped in the middle.
    #[serde(default, skip_serializing_if = "steps::is_false")]
    pub ready: bool,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended; none while it has not.
    pub ended_at: Option<Timestamp>,
    /// The time from its start to its end, or until now, in ms.
    pub duration_ms: u64,
    /// How much of that time it waited for somebody: see [`Run::waited`]. In ms.
    #[serde(default)]
    pub waiting_ms: u64,
    /// How many of its steps are done with.
    pub progress: RunProgress,
    /// Its steps in the order of the definition, each followed by those that grew in it.
    pub steps: Vec<StepReport>,
    /// Its phases, in the order in which its steps name them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<PhaseReport>,
    /// What was decided about the request that it is for, where somebody asked and named no agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routed: Option<Routed>,
    /// How its agents handed over.
    #[serde(default)]
    pub handoffs: HandoffsReport,
    /// Which of its agents were stuck, and who was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalations: Vec<EscalationReport>,
    /// How far its plans of tasks are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goals: Vec<GoalReport>,
    /// What it used up.
    pub usage: UsageReport,
    /// The same for each agent that reports something.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spend: Vec<AgentUsage>,
    /// What it may spend, and what of that is used and reserved; none without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetReport>,
    /// What it waits for: people and programs, other runs, and what comes by itself.
    pub waiting_for: Vec<Waiting>,
    /// Names and values by which people find the run.
    pub tags: BTreeMap<String, String>,
    /// The agents that it knows, with the definitions with which it began, if that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AgentReport>,
    /// The step of another run that has started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentReport>,
    /// The runs that its steps have started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ChildReport>,
    /// What a person can do about it; empty if it goes on by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<Way>,
    /// Files of the run, its own and those that its steps start, that say something else by now, where that was looked for: the
    /// run goes on as it was recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed_files: Vec<String>,
    /// How what its files say by now is run, as another run; none where they say the same, or cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_changed: Option<Invocation>,
    /// Who paused it, while it is paused, or has cancelled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Order>,
    /// The step or the phase to which it was rolled back, while it is `paused` because of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_to: Option<Arc<str>>,
    /// The file that says what a person must undo by hand, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_file: Option<String>,
    /// What would be done next, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<Vec<EffectReport>>,
}

/// An agent as it was defined when a run began, which keeps to that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentReport {
    /// The name of the agent, as steps name it.
    pub name: AgentName,
    /// The hash of its definition.
    pub definition: Hash,
}

/// The agents with which a run began.
pub fn agents(started: &RunStarted) -> Vec<AgentReport> {
    let agent =
        |bound: &AgentBinding| AgentReport { name: bound.name.clone(), definition: bound.definition.hash };
    started.agents.iter().map(agent).collect()
}

/// How many steps of a run are done with.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RunProgress {
    /// How many steps are done with.
    pub done: usize,
    /// How many steps there are so far.
    pub total: usize,
    /// `done` in percent of `total`, from 0 to 100.
    pub percent: u8,
}

/// What a run or a step used up. Money is in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct UsageReport {
    /// Calls of a model.
    pub calls: u64,
    /// Tokens that went in.
    pub input_tokens: u64,
    /// Tokens that came out.
    pub output_tokens: u64,
    /// Money, in US dollars, to look at: what is recorded is whole.
    pub usd: f64,
}

impl UsageReport {
    /// Money, to the nearest billionth of a dollar, for people to read.
    pub fn usd_nanos(&self) -> u64 {
        (self.usd * 1e9).round() as u64
    }
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
    let in_order = steps::in_order(run.nodes()).into_iter().filter(|node| !node.asks_of_phase());
    let mut steps = in_order.map(|node| steps::step_report(node, blobs)).collect::<Result<Vec<_>, _>>()?;
    let definition = blobs.value::<Definition>(&about.started.definition.hash)?;
    let goals = goals::goals(run.nodes(), &definition, &steps);
    let (output, mut error) = result(run);
    let output = output.map(|output| blobs.json(output)).transpose()?.unwrap_or_default();
    let errors = steps.iter_mut().filter_map(|step| step.error.as_mut());
    errors.for_each(|error| name_the_run(error, run, about));
    let errors = steps.iter_mut().filter_map(|step| step.error.as_mut()).chain(&mut error);
    failure::place(run, about, errors, blobs);
    let driven = !run.status().has_ended() && (driven || rests(run.status()));
    let usage = run.nodes().iter().fold(Usage::default(), |sum, node| sum.and(node.usage));
    Ok(RunReport {
        run: about.id.clone(),
        workflow: about.started.workflow.clone(),
        status: run.status(),
        input: None,
        output,
        error,
        failure: None,
        degraded: run.is_degraded(),
        version,
        driven: Some(driven),
        interrupted: Some(!driven && !run.status().has_ended()),
        ready: !driven && run.has_waited_until_now(),
        started_at: about.at,
        ended_at,
        duration_ms: millis(ended_at.unwrap_or(now).since(about.at)),
        waiting_ms: millis(run.waited(now)),
        progress: RunProgress { done, total, percent: percent(done, total) },
        steps,
        phases: phases::phases(run.nodes()),
        routed: run.routed().cloned(),
        handoffs: handoffs::handoffs(run.nodes()),
        escalations: escalations::escalations(run.nodes()),
        goals,
        usage: usage.into(),
        spend: spend::by_agent(run),
        budget: spend::budget(run),
        waiting_for: waiting::waiting_for(run),
        tags: about.started.tags.clone(),
        agents: Vec::new(),
        parent: about.started.parent.clone().map(|Parent { run, step }| ParentReport { run, step }),
        children: steps::children(run.nodes()),
        changed_files: Vec::new(),
        start_changed: None,
        stopped: run.stopped_by().cloned(),
        rolled_back_to: run.rolled_back_to().cloned(),
        ways: ways(run),
        rollback_file: None,
        effects: None,
    })
}

/// Says of which run an error is, whom what helps is about: of what became of a child, the child.
fn name_the_run(error: &mut Problem, run: &Run, about: &About) {
    let is_of_child = matches!(error.code, Code::ChildFailed | Code::ChildStuck);
    let node = error.step.as_ref().filter(|_| is_of_child).and_then(|step| run.node(step));
    let child = node.and_then(|(_, node)| node.child.as_ref());
    error.remedies.run = Some(child.map_or(&about.id, |child| &child.run).clone());
}

/// Whether a run with that status needs nobody to drive it until somebody acts.
const fn rests(status: RunStatus) -> bool {
    matches!(status, RunStatus::Paused | RunStatus::Waiting)
}

fn millis(length: std::time::Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn percent(done: usize, total: usize) -> u8 {
    u8::try_from((done * 100).checked_div(total).unwrap_or(0)).unwrap_or(100)
}

/// What a run answered, and why it failed, or why its output could not be rendered.
pub(super) fn result(run: &Run) -> (Option<&Payload>, Option<Problem>) {
    let (output, mut error) = match run.life() {
        Phase::Unwinding(unwinding) => (None, failure(&unwinding.cause)),
        Phase::Ended(ended) => match &ended.how {
            End::Completed { output, error } => {
                let error = error.as_ref().map(|error| problem(error.code, error.class, &error.message));
                (Some(output), error)
            }
            End::Failed(failed) => {
                let mut error = problem(failed.code, failed.class, &failed.message);
                error.step.clone_from(&failed.step);
                (None, Some(error))
            }
            End::Compensated(cause) => (None, failure(cause)),
            End::Stuck(stuck, _) => {
                let mut error = problem(stuck.code, stuck.class, &stuck.message);
                error.step.clone_from(&stuck.step);
                (None, Some(error))
            }
            End::Cancelled => (None, None),
        },
        _ => (None, None),
    };
    if let (Some(error), Some(about)) = (&mut error, run.about()) {
        name_the_run(error, run, about);
    }
    (output, error)
}

/// The failure that caused a rollback; none if something else did.
fn failure(cause: &RollbackCause) -> Option<Problem> {
    let RollbackCause::Failure { step, class, code, message } = cause else { return None };
    let mut error = problem(*code, *class, message);
    error.step.clone_from(step);
    Some(error)
}

fn problem(code: Code, class: Class, message: &str) -> Problem {
    Problem::new(code, message).class(class)
}

impl From<Usage> for UsageReport {
    fn from(usage: Usage) -> Self {
        Self {
            calls: usage.calls,
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            usd: usage.usd_nanos as f64 / 1e9,
        }
    }
}
