//! What a run needs next, and of whom.

use super::{Phase, Run, RunStatus};
use crate::kernel::{Attention, Own, People};

/// Of the state alone: an open attempt is being made, or has to be recorded as lost.
pub(super) fn of(run: &Run) -> Attention {
    if matches!(run.phase, Phase::Ended(_)) {
        let own = if run.telling { Own::Now } else { Own::None };
        return Attention { own, ..Attention::OVER };
    }
    let is_paused = run.status() == RunStatus::Paused;
    let own = match run.wants_driving() {
        true => Own::Now,
        false if is_paused => Own::None,
        false => run.wakes_at().map_or(Own::None, Own::At),
    };
    let people = if is_paused { People::None } else { people(run) };
    let others = run.is_asking() || run.seen_through > run.resting;
    Attention { own, people, others, over: false }
}

fn people(run: &Run) -> People {
    let is_awaited = run.people.are_awaited() || run.resting > 0 && run.phase == Phase::Going;
    let is_awaited = is_awaited || !run.tasks.open.is_empty() || run.lacks_spend();
    if !is_awaited && run.awaited_agents.is_empty() {
        return People::None;
    }
    let overdue = run.deadlines.first().filter(|_| run.resting > 0).map(|(at, _)| *at);
    People::Until(
        run.people
            .timers
            .first()
            .map(|(at, _)| *at)
            .into_iter()
            .chain(overdue)
            .chain(run.tasks.first_due())
            .min(),
    )
}

/// The status in which a run is over right after an event of that type; none after all others, of which only the fold tells.
/// After such an event nothing follows but what makes the run go on, or begins to tell its parent.
pub(super) fn ended_by(kind: &str) -> Option<&'static str> {
    let status = match kind {
        "run_completed" => RunStatus::Completed,
        "run_failed" => RunStatus::Failed,
        "run_compensated" => RunStatus::Compensated,
        "run_cancelled" => RunStatus::Cancelled,
        "run_stuck" => RunStatus::Stuck,
        _ => return None,
    };
    Some(status.text())
}
