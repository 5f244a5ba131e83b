//! What a person can do about a run that does not go on by itself. Only commands that the
//! run accepts are named.

use serde::{Deserialize, Serialize};

use crate::aggregates::run::{End, Ended, Node, Phase, Run, RunStatus, UndoPhase};
use crate::events::ids::StepId;
use crate::events::problem::Code;
use crate::events::run::StuckWhy;

/// A command that lets a run go on, or end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// What it does, or why it is needed, in a few words.
    pub what: String,
    /// The words of the command behind `reenact`.
    pub command: Vec<String>,
    /// The step whose compensation it settles, if it does that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settles: Option<StepId>,
}

/// How a compensation that failed for good can be settled: the option, and its meaning.
const RESOLUTIONS: [(&str, &str); 3] = [
    ("--retry", "try the compensation again"),
    ("--done", "you undid it by hand"),
    ("--skip", "it stays as it is"),
];

/// What can be done about a run that has ended or is paused. Empty for a run that goes on, or after which
/// only another run could follow.
pub fn ways(run: &Run) -> Vec<Way> {
    let Some(about) = run.about() else { return Vec::new() };
    let id = about.id.as_str();
    let mut ways = Vec::new();
    match run.life() {
        Phase::Ended(Ended { how: End::Stuck(_, Some(_)), .. }) => {
            let failed = run.nodes().iter().filter(|node| node.undo_phase() == Some(&UndoPhase::Failed));
            failed.for_each(|node| ways.extend(settle(id, node)));
            ways.push(way("then see the rollback through", ["resume", id]));
        }
        Phase::Ended(Ended { how: End::Stuck(stuck, None), .. }) => {
            let stuck_children = run.nodes().iter().filter_map(stuck_child);
            ways.extend(stuck_children.map(|child| way("a run that it started is stuck", ["status", child])));
            let forward = match (stuck.why, ways.is_empty()) {
                (StuckWhy::Irreversible, true) => "past an irreversible step",
                (_, true) => "try again",
                (_, false) => "when that is settled",
            };
            ways.push(forward_or_end(run, id, forward));
            ways.extend(
                run.last_return()
                    .map(|node| way("undo what came after it", ["rollback", id, "--to", node.id().as_str()])),
            );
        }
        Phase::Ended(Ended { how: End::Failed(_), .. }) => {
            ways.extend(run.may_retry().then(|| way("try again", ["retry", id])));
            ways.extend(undo(run, id));
        }
        Phase::Back(unwinding) => {
            let to = unwinding.to.as_deref().unwrap_or_default();
            let what = format!("rolled back to `{to}`; forward again");
            if run.may_retry() {
                ways.push(way(&what, ["retry", id]));
            } else {
                ways.extend(undo(run, id));
            }
        }
        _ if run.status() == RunStatus::Paused => ways.push(way("paused", ["unpause", id])),
        _ => {}
    }
    ways
}

/// The command to go forward; where that is refused, the command that ends the run as it is.
fn forward_or_end(run: &Run, id: &str, forward: &str) -> Way {
    match run.may_retry() {
        true => way(forward, ["retry", id]),
        false => way("it cannot be tried again; leave all as it is", ["cancel", id]),
    }
}

fn undo(run: &Run, id: &str) -> Option<Way> {
    let plan = run.rollback_plan(None).ok()?;
    (!plan.order.is_empty()).then(|| way("undo what has a compensation", ["rollback", id]))
}

/// The id of the run that a step has started, if it was stuck when that was last told.
fn stuck_child(node: &Node) -> Option<&str> {
    let child = node.child.as_ref()?;
    let ended = child.ended.as_ref()?;
    (*ended.status == *RunStatus::Stuck.text()).then(|| child.run.as_str())
}

fn settle<'a>(id: &'a str, node: &'a Node) -> impl Iterator<Item = Way> + 'a {
    let error = node.compensation.as_ref().and_then(|undo| undo.error.as_ref());
    let is_stuck = error.is_some_and(|error| error.code == Code::ChildStuck);
    let child = node.child.as_ref().filter(|_| is_stuck).map(|child| {
        way(
            &format!("`{}` cannot be undone while its run is stuck", node.id()),
            ["status", child.run.as_str()],
        )
    });
    let resolutions = RESOLUTIONS.into_iter().map(move |(option, what)| Way {
        settles: Some(node.id().clone()),
        ..way(what, ["rollback", "resolve", id, node.id().as_str(), option, "--reason", "…"])
    });
    child.into_iter().chain(resolutions)
}

fn way<const WORDS: usize>(what: &str, command: [&str; WORDS]) -> Way {
    Way { what: what.to_owned(), command: command.map(str::to_owned).to_vec(), settles: None }
}
