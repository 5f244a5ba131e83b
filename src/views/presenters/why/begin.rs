//! What is looked for first: what shows how a run, or a step of it, is.

use super::past::Past;
use super::want::Want;
use crate::aggregates::run::{Node, Phase, Run, RunStatus, StepPhase};
use crate::events::ids::StepId;

/// How many of the things are told that a run waits for, or does, at the same time.
const BESIDE_MAX: usize = 3;

/// How far it is followed which step waits for which.
const NEEDS_MAX: usize = 8;

/// What shows how the run is.
pub(super) fn of_run(past: &Past<'_>) -> Vec<Want> {
    let run = past.run;
    let mut wants = match run.status() {
        RunStatus::Waiting => waits(run),
        RunStatus::Pending | RunStatus::Running => goes_on(past),
        RunStatus::Compensating => {
            let undoing = on_its_way(run).map(|node| Want::Newest(node.id().clone())).take(BESIDE_MAX);
            undoing.chain([Want::RolledBack]).collect()
        }
        RunStatus::Paused if matches!(run.life(), Phase::Back(_)) => vec![Want::RolledBack],
        RunStatus::Paused
        | RunStatus::Completed
        | RunStatus::Failed
        | RunStatus::Compensated
        | RunStatus::Cancelled
        | RunStatus::Stuck => vec![Want::End],
    };
    if wants.is_empty() {
        wants.push(Want::Start);
    }
    wants
}

/// What people are asked, which tasks, signals and agents are waited for, and which runs that wait themselves.
fn waits(run: &Run) -> Vec<Want> {
    let people = run.people().open.iter().cloned().map(Want::Asked);
    let agents = run.awaited_agents().keys().cloned().map(Want::AgentPaused);
    let steps = run.nodes().iter().filter(|node| {
        let child_rests = node.child.as_ref().is_some_and(|child| child.rests);
        matches!(node.doing.phase, StepPhase::Awaiting(_)) || child_rests || node.task.is_some()
    });
    let steps = steps.map(|node| Want::Newest(node.id().clone()));
    let spend = run.lacks_spend().then_some(Want::Exhausted);
    people.chain(spend).chain(agents).chain(steps).take(BESIDE_MAX).collect()
}

fn goes_on(past: &Past<'_>) -> Vec<Want> {
    if let Phase::Ending(_) = past.run.life() {
        return vec![Want::Stopped(StepId::grown(""))];
    }
    on_its_way(past.run).take(BESIDE_MAX).map(|node| Want::Newest(node.id().clone())).collect()
}

/// The steps of which something goes on, those first that went wrong before.
fn on_its_way(run: &Run) -> impl Iterator<Item = &Node> {
    let with = |status: &'static str| {
        run.nodes().iter().filter(move |node| {
            node.status() == status && node.doing.phase != StepPhase::Expanded && node.started_at.is_some()
        })
    };
    ["retrying", "running", "waiting", "compensating"].into_iter().flat_map(with)
}

/// What shows how a step is.
pub(super) fn of_step(past: &Past<'_>, step: &StepId) -> Vec<Want> {
    let mut wants = Vec::new();
    add(past, step, NEEDS_MAX, &mut wants);
    wants
}

fn add(past: &Past<'_>, step: &StepId, further: usize, wants: &mut Vec<Want>) {
    let Some(node) = past.node(step) else { return };
    wants.push(Want::Newest(step.clone()));
    let children = || node.children.iter().filter_map(|child| past.run.nodes().get(*child));
    match &node.doing.phase {
        _ if further == 0 => {}
        // It has not begun: because of what it needs, because the run has ended, or because an agent is paused.
        StepPhase::Blocked => {
            let unmet =
                node.added.needs.iter().filter_map(|need| past.node(need)).filter(|need| !need.is_done());
            let unmet: Vec<&StepId> = unmet.map(Node::id).take(BESIDE_MAX).collect();
            unmet.into_iter().for_each(|need| add(past, need, further - 1, wants));
            wants.extend(stands_still(past.run));
        }
        StepPhase::Trying(_) if node.doing.attempts == 0 => {
            wants.extend(past.run.lacks_spend().then_some(Want::Exhausted));
            wants.extend(past.run.awaited_agents().keys().cloned().map(Want::AgentPaused));
            wants.extend(stands_still(past.run));
        }
        StepPhase::Expanded => {
            let open = children().filter(|child| !child.is_done()).take(BESIDE_MAX);
            open.for_each(|child| add(past, child.id(), further - 1, wants));
        }
        _ => {}
    }
}

/// What keeps all steps from beginning.
fn stands_still(run: &Run) -> Option<Want> {
    let stands = run.status().has_ended() || run.status() == RunStatus::Paused;
    stands.then_some(Want::End)
}
