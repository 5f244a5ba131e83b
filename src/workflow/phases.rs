//! The approvals of whole phases. In a run's graph each approval is a step of its own, which does nothing but
//! ask. After a phase, it needs all steps of the phase, and the steps that need any of those need it; before
//! a phase, the steps of the phase need it. So everything that applies to steps applies to it: how it is
//! waited for, retried, undone, and done anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::definition::{Approval, Definition, Does, OnError, PhaseRules, Step};
use super::graph::Graph;
use crate::events::ids::StepId;
use crate::events::run::Gate;

impl Definition {
    /// The steps of a run's graph: those of the definition, and those that ask about its phases, each with
    /// all that it needs.
    pub fn graph(&self) -> Vec<Arc<Step>> {
        graph(&self.steps, &self.phases)
    }

    /// The step that asks about a phase, by its id. Only [`Definition::graph`] tells what it needs.
    pub fn phase_gate(&self, id: &StepId) -> Option<Step> {
        let (phase, rules) = self.phases.iter().find(|(phase, _)| StepId::of_phase(phase) == *id)?;
        Some(gate(phase, &rules.approval))
    }
}

fn graph(steps: &[Arc<Step>], phases: &BTreeMap<String, PhaseRules>) -> Vec<Arc<Step>> {
    if phases.is_empty() {
        return steps.to_vec();
    }
    let mut graph: Vec<Step> = Vec::with_capacity(steps.len() + phases.len());
    let (members, order) = (members(steps, phases), Order::of(steps));
    for (place, step) in steps.iter().enumerate() {
        let of = step
            .phase
            .as_deref()
            .and_then(|phase| Some((phase, &phases.get(phase)?.approval, members.get(phase)?)));
        let mut step = Step::clone(step);
        match of {
            Some((phase, approval, members)) if approval.gate == Gate::Before => {
                let asks = Step { needs: order.needed_from_outside(steps, members), ..gate(phase, approval) };
                step.needs.push(asks.id.clone());
                graph.extend((members.first() == Some(&place)).then_some(asks));
                graph.push(step);
            }
            Some((phase, approval, members)) => {
                graph.push(step);
                let needs =
                    members.iter().filter_map(|member| steps.get(*member)).map(|step| step.id.clone());
                let asks = || Step { needs: needs.collect(), ..gate(phase, approval) };
                graph.extend((members.last() == Some(&place)).then(asks));
            }
            None => graph.push(step),
        }
    }
    hold_dependents(&mut graph, phases);
    graph.into_iter().map(Arc::new).collect()
}

/// A step outside of a phase that needs a step of it also needs the answer, if the phase
/// is asked about afterwards.
fn hold_dependents(graph: &mut [Step], phases: &BTreeMap<String, PhaseRules>) {
    let held: HashMap<StepId, String> = graph
        .iter()
        .filter(|step| step.does != Does::AskOfPhase)
        .filter_map(|step| Some((step.id.clone(), step.phase.clone()?)))
        .filter(|(_, phase)| phases.get(phase).is_some_and(|rules| rules.approval.gate == Gate::After))
        .collect();
    for step in graph {
        let needed: BTreeSet<&String> = step.needs.iter().filter_map(|need| held.get(need)).collect();
        let others = needed.into_iter().filter(|phase| step.phase.as_ref() != Some(*phase));
        let answers: Vec<StepId> = others.map(|phase| StepId::of_phase(phase)).collect();
        step.needs.extend(answers);
    }
}

/// The indices of the steps of each phase.
fn members<'s>(
    steps: &'s [Arc<Step>],
    phases: &BTreeMap<String, PhaseRules>,
) -> HashMap<&'s str, Vec<usize>> {
    let mut members: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, step) in steps.iter().enumerate() {
        if let Some(phase) = step.phase.as_deref().filter(|phase| phases.contains_key(*phase)) {
            members.entry(phase).or_default().push(place);
        }
    }
    members
}

/// The index of each step, and the steps that need it.
struct Order<'s> {
    places: HashMap<&'s StepId, usize>,
    dependents: HashMap<usize, Vec<usize>>,
}

impl<'s> Order<'s> {
    fn of(steps: &'s [Arc<Step>]) -> Self {
        let places: HashMap<_, _> = steps.iter().enumerate().map(|(place, step)| (&step.id, place)).collect();
        let mut dependents: HashMap<usize, Vec<usize>> = HashMap::new();
        for (place, step) in steps.iter().enumerate() {
            for need in step.needs.iter().filter_map(|need| places.get(need)) {
                dependents.entry(*need).or_default().push(place);
            }
        }
        Self { places, dependents }
    }

    /// What the steps of a phase need from outside, except for what comes after one of its steps.
    fn needed_from_outside(&self, steps: &[Arc<Step>], members: &[usize]) -> Vec<StepId> {
        let mut after = BTreeSet::new();
        let mut next = members.to_vec();
        while let Some(place) = next.pop() {
            if after.insert(place) {
                next.extend(self.dependents.get(&place).into_iter().flatten());
            }
        }
        let needs = members.iter().filter_map(|member| steps.get(*member)).flat_map(|step| &step.needs);
        let places = needs.filter_map(|need| self.places.get(need)).copied();
        let outside: BTreeSet<usize> = places.filter(|place| !after.contains(place)).collect();
        outside.into_iter().filter_map(|place| steps.get(place)).map(|step| step.id.clone()).collect()
    }
}

/// The step that asks about a phase. A refusal fails the run, whatever the `defaults` of the steps say.
fn gate(phase: &str, approval: &Approval) -> Step {
    Step {
        id: StepId::of_phase(phase),
        does: Does::AskOfPhase,
        needs: Vec::new(),
        condition: None,
        for_each: None,
        timeout: None,
        retry: None,
        on_error: OnError::RetryThenFail,
        env: BTreeMap::new(),
        cwd: None,
        compensate: None,
        nothing_to_undo: false,
        handoffs: None,
        fallback: None,
        plan: None,
        criticality: None,
        repeat: None,
        approval: Some(approval.clone()),
        output: None,
        schema: None,
        phase: Some(phase.to_owned()),
        locks: Vec::new(),
        conversation: None,
        cache: None,
        irreversible: false,
        at_most_once: false,
    }
}

/// Cycles that only the approvals of phases cause, each with one of its phases: the ids of the steps in each
/// cycle, including those that ask.
pub(super) fn circles(
    steps: &[Arc<Step>],
    phases: &BTreeMap<String, PhaseRules>,
) -> Vec<(String, Vec<StepId>)> {
    let graph = graph(steps, phases);
    let places: HashMap<&StepId, usize> =
        graph.iter().enumerate().map(|(place, step)| (&step.id, place)).collect();
    let needs =
        graph.iter().map(|step| step.needs.iter().filter_map(|need| places.get(need)).copied().collect());
    let cycles = Graph::new(needs.collect()).cycles();
    let told = cycles.into_iter().filter_map(|cycle| {
        let steps: Vec<&Arc<Step>> = cycle.iter().filter_map(|place| graph.get(*place)).collect();
        let phase = steps.iter().find(|step| step.does == Does::AskOfPhase)?.phase.clone()?;
        Some((phase, steps.iter().map(|step| step.id.clone()).collect()))
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use crate::workflow::parse::{Known, parse};

    fn needs(yaml: &str) -> Vec<String> {
        let definition = parse(yaml, "w.yaml", &Known::default()).unwrap().definition;
        definition
            .graph()
            .iter()
            .map(|step| {
                let needs = step.needs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                format!("{}: {needs}", step.id)
            })
            .collect()
    }

    #[test]
    fn what_needs_a_step_of_a_phase_needs_its_approval_and_it_needs_all_of_them() {
        let yaml = "
name: w
phases: {build: {approve: after}}
steps:
  - {id: a, run: x, phase: build}
  - {id: b, run: x, phase: build}
  - {id: c, needs: [a], run: x, phase: build}
  - {id: d, needs: [a], run: x}
  - {id: e, needs: [], run: x}
";
        let wanted = ["a: ", "b: a", "c: a", "phase:build: a b c", "d: a phase:build", "e: "];
        assert_eq!(needs(yaml), wanted);
    }

    #[test]
    fn before_a_phase_all_is_awaited_that_its_steps_need_of_others_but_for_what_they_let_start() {
        let yaml = "
name: w
phases: {ship: {approve: before}, build: {approve: after}}
steps:
  - {id: a, run: x, phase: build}
  - {id: x, needs: [], run: x}
  - {id: b, needs: [a], run: x, phase: ship}
  - {id: between, needs: [b], run: x}
  - {id: c, needs: [between, x], run: x, phase: ship}
";
        let wanted = [
            "a: ",
            "phase:build: a",
            "x: ",
            "phase:ship: a x phase:build",
            "b: a phase:ship phase:build",
            "between: b",
            "c: between x phase:ship",
        ];
        assert_eq!(needs(yaml), wanted);
    }
}
