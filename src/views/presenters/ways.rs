//! What a person can do about a run that does not go on by itself. Only commands that the
//! run accepts are named.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::aggregates::run::{End, Ended, Node, Phase, Run, RunStatus, UndoPhase};
use crate::events::ids::{RequestId, RunId, StepId};
use crate::events::problem::Code;
use crate::events::run::{Resolution, StuckWhy};

/// Something to do that lets a run go on, or end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// What it does, or why it is needed, in a few words.
    pub what: String,
    /// The way to do it, which each medium has its own words for.
    pub command: Invocation,
    /// The step whose compensation it settles, if it does that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settles: Option<StepId>,
}

/// How something is done with a run: as data, until a medium has words for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Invocation {
    /// Something that is done with a run, as data.
    Act {
        /// The run that it is done with.
        run: RunId,
        /// The thing that is done with it.
        act: Act,
    },
    /// The words of the medium, in which it is one command.
    Words(Vec<String>),
}

/// Something that a person can do with a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Start another run, of what its file says by now.
    StartChanged {
        /// The file of the workflow.
        file: String,
        /// What it is given, an argument for each; none where that is more than can be said so.
        input: Option<Vec<String>>,
        /// The names and values by which people find it.
        tags: BTreeMap<String, String>,
    },
    /// Look at how it is.
    Look,
    /// Look at its events.
    LookAtHistory,
    /// Look at what a step said.
    LookAtTranscript(StepId),
    /// Look at what was said when it was undone.
    LookAtUndoing(StepId),
    /// Look at the causes of how it is.
    LookAtWhy,
    /// Look at what it may spend, and has spent.
    LookAtBudget,
    /// Let it go on, and see it through.
    Resume,
    /// Let it go on after a pause.
    Unpause,
    /// Pause it, so that nothing new starts.
    Pause,
    /// Try again what failed.
    Retry,
    /// End it as it is.
    Cancel,
    /// Undo what was done.
    RollBack,
    /// Undo what came after a step.
    RollBackTo(StepId),
    /// Settle a compensation that failed for good.
    Resolve {
        /// The step whose compensation it is.
        step: StepId,
        /// Whether the compensation is tried again, left out, or taken as done.
        how: Resolution,
    },
    /// Grant what is asked.
    Approve {
        /// The request that is granted.
        request: RequestId,
        /// The hash of what is granted, or the beginning of it.
        hash: String,
        /// A change of what is asked: `name=text` or `name:=JSON`.
        change: Option<String>,
        /// The name of the person who grants it; none stands for the user of the operating system.
        by: Option<Arc<str>>,
    },
    /// Note that points of a checklist were looked at.
    Check {
        /// The request whose checklist it is.
        request: RequestId,
        /// The numbers of those points, from 1.
        points: Vec<u32>,
    },
    /// Refuse what is asked.
    Reject(RequestId),
}

/// The words of a medium for what can be done with a run.
pub type Wording = fn(&RunId, &Act) -> Vec<String>;

/// How a compensation that failed for good can be settled, and what that means.
const RESOLUTIONS: [(Resolution, &str); 3] = [
    (Resolution::Retry, "try the compensation again"),
    (Resolution::Done, "you undid it by hand"),
    (Resolution::Skip, "it stays as it is"),
];

/// What can be done about a run that has ended or is paused. Empty for a run that goes on, or after which
/// only another run could follow.
pub fn ways(run: &Run) -> Vec<Way> {
    let Some(about) = run.about() else { return Vec::new() };
    let id = &about.id;
    let mut ways = Vec::new();
    match run.life() {
        Phase::Ended(Ended { how: End::Stuck(_, Some(_)), .. }) => {
            let failed = run.nodes().iter().filter(|node| node.undo_phase() == Some(&UndoPhase::Failed));
            failed.for_each(|node| ways.extend(settle(id, node)));
            ways.push(way("then see the rollback through", id, Act::Resume));
        }
        Phase::Ended(Ended { how: End::Stuck(stuck, None), .. }) => {
            let stuck_children = run.nodes().iter().filter_map(stuck_child);
            ways.extend(stuck_children.map(|child| way("a run that it started is stuck", child, Act::Look)));
            let forward = match (stuck.why, ways.is_empty()) {
                (StuckWhy::Irreversible, true) => "past an irreversible step",
                (_, true) => "try again",
                (_, false) => "when that is settled",
            };
            ways.push(forward_or_end(run, id, forward));
            ways.extend(
                run.last_return()
                    .map(|node| way("undo what came after it", id, Act::RollBackTo(node.id().clone()))),
            );
        }
        Phase::Ended(Ended { how: End::Failed(_), .. }) => {
            ways.extend(run.may_retry().then(|| way("try again", id, Act::Retry)));
            ways.extend(undo(run, id));
        }
        Phase::Back(unwinding) => {
            let to = unwinding.to.as_deref().unwrap_or_default();
            let has_undone = run.nodes().iter().any(|node| node.undo_phase().is_some());
            let vain = if has_undone { "" } else { ", and nothing was there to undo" };
            let what = format!("rolled back to `{to}`{vain}; forward again");
            if run.may_retry() {
                ways.push(way(&what, id, Act::Retry));
            } else {
                ways.extend(undo(run, id));
            }
        }
        _ if run.status() == RunStatus::Paused => ways.push(way("paused", id, Act::Unpause)),
        _ => {}
    }
    ways
}

/// Forward; where that is refused, the run can be ended as it is.
fn forward_or_end(run: &Run, id: &RunId, forward: &str) -> Way {
    match run.may_retry() {
        true => way(forward, id, Act::Retry),
        false => way("it cannot be tried again; leave all as it is", id, Act::Cancel),
    }
}

fn undo(run: &Run, id: &RunId) -> Option<Way> {
    let plan = run.rollback_plan(None).ok()?;
    (!plan.order.is_empty()).then(|| way("undo what has a compensation", id, Act::RollBack))
}

/// The run that a step has started, if it was stuck when that was last told.
fn stuck_child(node: &Node) -> Option<&RunId> {
    let child = node.child.as_ref()?;
    let ended = child.ended.as_ref()?;
    (*ended.status == *RunStatus::Stuck.text()).then_some(&child.run)
}

fn settle<'a>(id: &'a RunId, node: &'a Node) -> impl Iterator<Item = Way> + 'a {
    let error = node.compensation.as_ref().and_then(|undo| undo.tries.error.as_ref());
    let is_stuck = error.is_some_and(|error| error.code == Code::ChildStuck);
    let child = node.child.as_ref().filter(|_| is_stuck).map(|child| {
        way(&format!("`{}` cannot be undone while its run is stuck", node.id()), &child.run, Act::Look)
    });
    let resolutions = RESOLUTIONS.into_iter().map(move |(how, what)| Way {
        settles: Some(node.id().clone()),
        ..way(what, id, Act::Resolve { step: node.id().clone(), how })
    });
    child.into_iter().chain(resolutions)
}

fn way(what: &str, run: &RunId, act: Act) -> Way {
    Way { what: what.to_owned(), command: Invocation::Act { run: run.clone(), act }, settles: None }
}
