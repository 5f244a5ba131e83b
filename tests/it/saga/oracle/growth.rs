//! How a run's graph grows: items, rounds, plans.

use std::sync::Arc;

use serde_json::Value;

use super::{Gated, Grows, Known, Oracle, Part, State, Step};
use crate::saga::model::{DEPTH, Plan, TOTAL, Until, WIDTH, planned_name};

impl Oracle {
    /// Lets those go on that stood still while the run did. Answers whether there were any.
    pub(super) fn go_on(&mut self) -> bool {
        let mut changed = false;
        for place in self.places() {
            let step = &self.steps[place];
            if step.state == State::Completed && step.gate == Gated::Again {
                self.ask_after(place);
                changed = true;
            } else if step.state == State::Open && self.inner(place).all(|inner| self.is_done(inner)) {
                self.inner_done(place);
                changed = true;
            }
        }
        changed
    }

    /// Lets items of fan-outs come on their way, from the front, as many as may be.
    pub(super) fn admit(&mut self) {
        for place in self.places() {
            self.steps[place].admitted = self.is_admitted(place);
        }
    }

    /// Whether an item may be on its way.
    pub(super) fn is_admitted(&self, place: usize) -> bool {
        let step = &self.steps[place];
        let (Part::Item(_), Some(whole)) = (step.part, step.inside) else { return false };
        let Grows::Items { width, .. } = step.rules.grows else { return false };
        let on_its_way = |item: &usize| self.steps[*item].admitted && !self.is_done(*item);
        // Those before it come first.
        let before = |item: &usize| {
            *item < place && self.steps[*item].state == State::Pending && !self.steps[*item].admitted
        };
        let taken = self.inner(whole).filter(|item| on_its_way(item) || before(item)).count();
        let waits = step.state == State::Pending && self.steps[whole].state == State::Open;
        step.admitted || waits && taken < width
    }

    pub(super) fn fan_out(&mut self, place: usize, items: usize) {
        (self.steps[place].state, self.steps[place].begun) = (State::Open, true);
        for index in 0..items {
            let id = format!("{}[{index}]", self.steps[place].id);
            self.add_part(place, id, Part::Item(index));
        }
        if items == 0 {
            self.complete(place, Value::Array(Vec::new()), false);
        }
    }

    pub(super) fn add_round(&mut self, place: usize) {
        (self.steps[place].state, self.steps[place].begun) = (State::Open, true);
        let round = self.inner(place).count() + 1;
        let id = format!("{}#{round}", self.steps[place].id);
        self.add_part(place, id, Part::Round);
    }

    fn add_part(&mut self, whole: usize, id: String, part: Part) {
        let (rules, locals) = (self.steps[whole].rules.clone(), self.steps[whole].locals.clone());
        self.add(id, rules, locals, whole, part);
    }

    /// A step joins the graph, or comes back.
    pub(super) fn add(
        &mut self,
        id: String,
        rules: Arc<Step>,
        locals: Arc<[usize]>,
        inside: usize,
        part: Part,
    ) {
        match self.steps.iter_mut().find(|step| step.id == id) {
            Some(step) => {
                assert_eq!(step.state, State::Left, "`{id}` is there already");
                (step.rules, step.locals, step.part, step.state) = (rules, locals, part, State::Pending);
            }
            None => self.steps.push(Known::new(id, rules, locals, Some(inside), part)),
        }
    }

    /// All is done with that grew in a step so far.
    pub(super) fn inner_done(&mut self, whole: usize) {
        if !self.inner(whole).all(|inner| self.is_done(inner)) {
            return;
        }
        let Grows::Rounds { until, max } = self.steps[whole].rules.grows else {
            let outputs =
                self.inner(whole).map(|item| self.steps[item].answer().cloned().unwrap_or_default());
            let outputs = outputs.collect();
            return self.complete(whole, Value::Array(outputs), false);
        };
        let rounds: Vec<usize> = self.inner(whole).collect();
        let Some(last) = rounds.last().map(|last| &self.steps[*last]) else { return };
        if last.state == (State::Skipped { dependency: true }) {
            return self.skip(whole, true);
        }
        let answer = last.answer().cloned();
        let is_last = answer.as_ref().is_some_and(|answer| match until {
            Until::Round(round) => rounds.len() >= round,
            Until::Ok => answer["ok"] == true,
        });
        if is_last {
            self.complete(whole, answer.unwrap_or_default(), false);
        } else if rounds.len() < self.steps[whole].rounds_before + max {
            self.add_round(whole);
        } else {
            self.fail(whole, false, false);
        }
    }

    /// Whether what an attempt answered cannot be taken.
    pub(super) fn is_wrong(&self, place: usize, output: &Value) -> bool {
        let misses = self.steps[place].rules.schema && output.is_object() && output["ok"] != true;
        misses || self.is_bad_plan(place, output)
    }

    pub(super) fn is_bad_plan(&self, place: usize, output: &Value) -> bool {
        let Some(plan) = self.plan(output) else { return false };
        let mut depth = 1;
        let mut outer = Some(place);
        while let Some(step) = outer.map(|outer| &self.steps[outer]) {
            depth += usize::from(step.part == Part::Planned);
            outer = step.inside;
        }
        let width = plan.steps.len();
        // People are asked about a phase as it is.
        let own = self.steps[self.outermost(place)].rules.phase;
        let asked = |phase: &str| self.model.phases.iter().any(|(name, _)| *name == phase);
        let joins =
            plan.steps.iter().filter_map(|step| step.phase).any(|phase| own != Some(phase) && asked(phase));
        joins || plan.fault.is_some() || depth > DEPTH || width > WIDTH || self.planned + width > TOTAL
    }

    fn plan(&self, output: &Value) -> Option<Plan> {
        output["plan"].as_u64().map(Plan::of)
    }

    /// Lets the steps join the graph that a step has planned, if it has.
    pub(super) fn grow(&mut self, place: usize) {
        let Some(plan) = self.steps[place].output.as_ref().and_then(|output| self.plan(output)) else {
            return;
        };
        self.planned += plan.steps.len();
        let ids: Vec<String> = (0..plan.steps.len())
            .map(|index| format!("{}/{}", self.steps[place].id, planned_name(index)))
            .collect();
        let mut next = self.steps.len();
        let mut there = |id: &String| {
            let found = self.steps.iter().position(|step| step.id == *id);
            found.unwrap_or_else(|| {
                next += 1;
                next - 1
            })
        };
        let locals: Arc<[usize]> = ids.iter().map(&mut there).collect();
        for (id, rules) in ids.into_iter().zip(plan.steps) {
            self.add(id, rules, locals.clone(), place, Part::Planned);
        }
    }
}
