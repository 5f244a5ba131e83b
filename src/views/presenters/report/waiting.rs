//! What a run waits for: people, other programs, and what comes by itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::spend::LimitReport;
use super::steps::is_false;
use crate::aggregates::run::{
    ApprovalRequest, Exhausted, Node, Run, StepIndex, StepPhase, Trying, UndoPhase,
};
use crate::events::ids::{Hash, RunId, StepId, TaskId};
use crate::events::time::Timestamp;

/// Something that a run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The kind of wait: `approval` and `signal`, which people or programs give; `agent`, which is paused; `child`, a run that
    /// itself waits; `spend`, that a limit is raised; `task`, an attempt that somebody has to take and answer; `lock`, which somebody else holds; `sleep` and `retry`, which come by themselves.
    pub kind: String,
    /// The name of what it waits for: the id of a request, of a task or of a child, the name of a signal, of an agent or of a lock (`CONTEXT/NAME`), a timer.
    pub id: String,
    /// The step that waits.
    pub step: StepId,
    /// The phase, if people are asked about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The time since which it waits; none if that is not known.
    pub since: Option<Timestamp>,
    /// When the waiting ends in any case: a sleep is over, a request is refused, a wait fails.
    pub expires: Option<Timestamp>,
    /// The agent in whose name a task is to be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The name of who took a task last, while nobody has recorded that their lease is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Arc<str>>,
    /// When that lease ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<Timestamp>,
    /// For spend: the limit that does not allow the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitReport>,
    /// For an approval: who may answer, and who has granted it.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approvers>,
}

/// The people who may answer a request, and those who have granted it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approvers {
    /// The names of those who may answer; empty means anybody.
    pub approvers: Vec<Arc<str>>,
    /// How many different people have to grant it.
    pub needed: u32,
    /// The names of those who have granted it.
    pub granted: Vec<Arc<str>>,
    /// The points of the checklist that nobody has ticked, from 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unticked: Vec<u32>,
    /// Whether a grant counts only when all of them are ticked.
    #[serde(default, skip_serializing_if = "is_false")]
    pub require_checklist: bool,
    /// The hash of exactly what a grant would approve now: `approve --hash` grants nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash>,
    /// The page with everything that a reviewer must know, if runs have folders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// Everything that a run waits for: requests to people first, in the order in which they were made.
pub(super) fn waiting_for(run: &Run) -> Vec<Waiting> {
    let people = run.people();
    let mut open: Vec<_> = people.open.iter().filter_map(|id| people.requests.get(id)).collect();
    open.sort_by_key(|request| (request.at, request.place));
    let steps = run.nodes().iter().filter_map(|node| step_waits(run, node));
    open.into_iter()
        .map(|request| approval(run, request))
        .chain(spend(run))
        .chain(agents(run))
        .chain(steps)
        .chain(locks(run))
        .collect()
}

/// The limit that does not allow the next attempt, if that is what keeps something from starting.
fn spend(run: &Run) -> Option<Waiting> {
    let Exhausted { what, since } = run.exhausted().filter(|_| run.lacks_spend())?;
    let limit = Some(LimitReport::of(what, run.budget()?));
    Some(Waiting { limit, ..Waiting::new("spend", what.kind.text(), &what.step, Some(*since)) })
}

/// The paused agents, for each step that wants one.
fn agents(run: &Run) -> impl Iterator<Item = Waiting> {
    let step = |place: StepIndex| run.nodes().get(place).map(|node| node.id().clone());
    run.awaited_agents().iter().flat_map(move |(agent, since)| {
        let steps = run.steps_for(agent).filter_map(step);
        steps.map(|step| Waiting::new("agent", agent.as_str(), &step, Some(*since)))
    })
}

/// The locks that steps wait for.
fn locks(run: &Run) -> impl Iterator<Item = Waiting> {
    run.locks_awaited().map(|(step, of, until)| Waiting {
        expires: Some(until),
        ..Waiting::new("lock", format!("{}/{}", of.context, of.lock), step, None)
    })
}

fn approval(run: &Run, request: &ApprovalRequest) -> Waiting {
    let asked = &request.asked;
    let asks_of_phase = run.nodes().get(request.place).filter(|node| node.asks_of_phase());
    Waiting {
        phase: asks_of_phase.and_then(|node| node.added.phase.as_deref()).map(str::to_owned),
        expires: asked.expires,
        approval: Some(Approvers {
            approvers: asked.approvers.clone(),
            needed: asked.needed,
            granted: request.granted.keys().cloned().collect(),
            unticked: request.unticked().map(|(point, _)| point).collect(),
            require_checklist: asked.require_checklist,
            hash: Some(request.hash()),
            file: None,
        }),
        ..Waiting::new("approval", asked.request.to_string(), &asked.step, Some(request.at))
    }
}

fn step_waits(run: &Run, node: &Node) -> Option<Waiting> {
    if let Some(task) = &node.task {
        let id = TaskId { run: run.about()?.id.clone(), fence: task.fence, lease: None };
        return Some(Waiting {
            expires: run.task_attempt(task.fence).and_then(|attempt| attempt.deadline),
            agent: run.task_attempt(task.fence).map(|attempt| attempt.agent.to_string()),
            by: task.held.as_ref().map(|held| Arc::clone(&held.by)),
            lease_until: task.held.as_ref().map(|held| held.until),
            ..Waiting::new("task", id.to_string(), node.id(), node.started_at)
        });
    }
    let (kind, id, timer) = match (&node.doing.phase, node.undo_phase()) {
        (_, Some(UndoPhase::Trying(Trying::Retrying(timer))))
        | (StepPhase::Trying(Trying::Retrying(timer)), _) => ("retry", timer.to_string(), Some(timer)),
        (StepPhase::Sleeping(timer), _) => ("sleep", timer.to_string(), Some(timer)),
        (StepPhase::Awaiting(timer), _) => ("signal", node.signal()?.to_string(), timer.as_ref()),
        _ => {
            let child = node.child.as_ref().filter(|child| child.rests)?;
            return Some(Waiting::for_child(&child.run, node.id(), node.started_at));
        }
    };
    let expires = timer.and_then(|timer| run.due_at(timer));
    Some(Waiting { expires, ..Waiting::new(kind, id, node.id(), node.started_at) })
}

impl Waiting {
    /// One of which nothing else is known.
    fn new(kind: &str, id: impl Into<String>, step: &StepId, since: Option<Timestamp>) -> Self {
        Self {
            kind: kind.to_owned(),
            id: id.into(),
            step: step.clone(),
            phase: None,
            since,
            expires: None,
            agent: None,
            by: None,
            lease_until: None,
            limit: None,
            approval: None,
        }
    }

    /// The waiting for a child that itself waits.
    pub fn for_child(run: &RunId, step: &StepId, since: Option<Timestamp>) -> Self {
        Self::new("child", run.to_string(), step, since)
    }
}
