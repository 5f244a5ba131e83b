//! The order in which the steps of a list run: their ids, and what they need.

use std::collections::HashMap;

use super::diagnostics::Diagnostics;
use super::steps::Draft;
use super::tree::Tree;
use crate::events::ids::StepId;
use crate::events::problem::{Code, Problem, nearest};
use crate::workflow::graph::{Ancestors, Graph};

/// What each step needs, and all that comes before it. If there is no order, as with a cycle, no step is
/// known to come before another.
pub(super) fn order(
    report: &mut Diagnostics<'_>,
    drafts: &[Draft<'_>],
) -> (Vec<Vec<StepId>>, Option<Ancestors>) {
    let places = unique_ids(report, drafts);
    let mut complete = true;
    let mut needs: Vec<Vec<usize>> = Vec::with_capacity(drafts.len());
    for (index, draft) in drafts.iter().enumerate() {
        let Some(named) = &draft.needs else {
            needs.push(index.checked_sub(1).into_iter().collect());
            continue;
        };
        report.step.clone_from(&draft.id);
        let mut found = Vec::with_capacity(named.len());
        for (name, tree) in named {
            match places.get(name) {
                Some(place) => found.push(*place),
                None => {
                    complete = false;
                    // The step that is meant may be one whose own id was refused.
                    if drafts.iter().all(|draft| draft.id.is_some()) {
                        unknown_step(report, name, tree, places.keys().copied());
                    }
                }
            }
        }
        needs.push(found);
    }
    report.step = None;
    let ids = |list: &[usize]| list.iter().filter_map(|index| drafts.get(*index)?.id.clone()).collect();
    let named = needs.iter().map(|list| ids(list)).collect();
    let graph = Graph::new(needs);
    let cycles = graph.cycles();
    for cycle in &cycles {
        refuse_cycle(report, drafts, cycle);
    }
    (named, (complete && cycles.is_empty()).then(|| graph.ancestors()))
}

/// The index of the first step with each id; every other step with the same id is reported.
fn unique_ids<'d>(report: &mut Diagnostics<'_>, drafts: &'d [Draft<'_>]) -> HashMap<&'d str, usize> {
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(drafts.len());
    for (index, draft) in drafts.iter().enumerate() {
        let Some(id) = &draft.id else { continue };
        match places.get(id.as_str()).and_then(|first| drafts.get(*first)) {
            None => {
                places.insert(id.as_str(), index);
            }
            Some(first) => {
                let place = report.told(first.place);
                let message = format!("two steps are called `{id}`: the first is at {place}");
                report.refuse(draft.place, Problem::new(Code::DuplicateStep, message).step(id));
            }
        }
    }
    places
}

fn unknown_step<'a>(
    report: &mut Diagnostics<'_>,
    name: &str,
    tree: &Tree,
    known: impl Iterator<Item = &'a str>,
) {
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    let problem = Problem::new(Code::UnknownStep, format!("there is no step `{name}` to need"));
    report.refuse(
        tree,
        match nearest(name, known) {
            Some(id) => problem.hint(format!("did you mean `{id}`?")),
            None => problem,
        },
    );
}

/// Reports a cycle with all its steps. An arrow means: needs.
fn refuse_cycle(report: &mut Diagnostics<'_>, drafts: &[Draft<'_>], cycle: &[usize]) {
    let steps: Vec<&Draft<'_>> = cycle.iter().filter_map(|index| drafts.get(*index)).collect();
    let Some(first) = steps.first() else { return };
    let names: Vec<&str> =
        steps.iter().chain([first]).filter_map(|draft| Some(draft.id.as_ref()?.as_str())).collect();
    let mut problem =
        Problem::new(Code::Cycle, format!("steps wait for each other in a circle: {}", names.join(" → ")));
    if let Some(implied) =
        steps.iter().find(|draft| draft.needs.is_none()).and_then(|draft| draft.id.as_ref())
    {
        problem = problem
            .hint(format!("`{implied}` runs after the step above it: give it `needs: []`, or other needs"));
    }
    problem.step.clone_from(&first.id);
    let explicit = steps.iter().find_map(|draft| draft.needs.as_ref()?.first());
    report.refuse(explicit.map_or(first.place, |(_, tree)| tree), problem);
}
