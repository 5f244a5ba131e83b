//! Lists in the sentences of refusals, as much of them as fits.

use crate::events::ids::StepId;
use crate::events::problem::Late;

/// How many points are named in a sentence; the page of a request has all.
const POINTS_NAMED: usize = 8;

pub(super) fn told(points: &[(u32, String)]) -> String {
    let named = points.iter().take(POINTS_NAMED).map(|(point, says)| format!("{point}. {says}"));
    let more = (points.len() > POINTS_NAMED).then(|| format!("and {} more", points.len() - POINTS_NAMED));
    named.chain(more).collect::<Vec<_>>().join("; ")
}

pub(super) fn instead(late: &[Late]) -> String {
    let all: Vec<_> = late.iter().map(Late::instead).collect();
    match all.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// How many steps are named in a sentence; the report of the run has all.
const STEPS_NAMED: usize = 8;

pub(super) fn some_of(steps: &[StepId]) -> String {
    let named = quoted(steps.get(..STEPS_NAMED).unwrap_or(steps));
    match steps.len().saturating_sub(STEPS_NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

pub(super) fn quoted(steps: &[StepId]) -> String {
    steps.iter().map(|step| format!("`{step}`")).collect::<Vec<_>>().join(", ")
}
