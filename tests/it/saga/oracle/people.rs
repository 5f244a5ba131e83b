//! What people are asked, and what they say: approvals and signals.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Does, Gated, Grows, Mode, Oracle, State};
use crate::saga::model::{APPROVERS, ApprovalRule, EXPIRY, POINTS, WAIT};

/// A request for an approval.
#[derive(Debug, Clone)]
pub(in crate::saga) struct ApprovalRequest {
    /// As the engine calls it; empty until that is known.
    pub(in crate::saga) id: String,
    /// Whose.
    pub(in crate::saga) place: usize,
    pub(in crate::saga) rules: ApprovalRule,
    /// What would be done, or what was answered.
    pub(in crate::saga) what: Value,
    pub(in crate::saga) edits: Vec<Value>,
    pub(in crate::saga) granted: BTreeSet<String>,
    pub(in crate::saga) checked: BTreeSet<u32>,
    pub(in crate::saga) expires: Option<i64>,
    pub(in crate::saga) open: bool,
}

/// What somebody means: a request, or a step or a phase that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::saga) enum Named {
    Request(usize),
    Step(String),
}

impl ApprovalRequest {
    /// The work with all changes.
    pub(super) fn edited(&self) -> Value {
        self.edits.iter().fold(self.what.clone(), merged)
    }
}

/// A map with some values changed, in maps inside too.
fn merged(what: Value, edit: &Value) -> Value {
    match (what, edit) {
        (Value::Object(mut map), Value::Object(edits)) => {
            for (key, edit) in edits {
                let before = map.remove(key).unwrap_or_default();
                let both = before.is_object() && edit.is_object();
                map.insert(key.clone(), if both { merged(before, edit) } else { edit.clone() });
            }
            Value::Object(map)
        }
        (_, edit) => edit.clone(),
    }
}

impl Oracle {
    /// Asks whether a step may start; one that uses what is not there is skipped.
    pub(super) fn ask_before(&mut self, place: usize) {
        let step = &self.steps[place];
        let what = match (step.rules.does, step.rules.grows) {
            (_, Grows::Items { count, .. }) => json!((0..count).collect::<Vec<_>>()),
            (Does::Work | Does::Child, _) => match self.work(place) {
                Some(work) => work,
                None => return self.skip(place, true),
            },
            (Does::AskOfPhase, _) => self.phase_as_it_is(place),
            (Does::Sleep | Does::Wait { .. }, _) => Value::Null,
        };
        (self.steps[place].state, self.steps[place].begun) = (State::Asking, true);
        self.ask(place, what);
    }

    /// Asks whether those may start that need a step, now that it has answered.
    pub(super) fn ask_after(&mut self, place: usize) {
        let what = match self.steps[place].rules.does {
            Does::AskOfPhase => self.phase_as_it_is(place),
            _ => self.steps[place].output.clone().unwrap_or_default(),
        };
        self.ask(place, what);
    }

    /// How the steps of a phase are, and what grew in them: which, where each is, and whether it has answered.
    fn phase_as_it_is(&self, asks: usize) -> Value {
        let of_it = |place: &usize| {
            let (step, asks) = (&self.steps[*place], &self.steps[asks]);
            step.inside.is_none()
                && step.rules.does != Does::AskOfPhase
                && step.rules.phase == asks.rules.phase
        };
        let mut told = Vec::new();
        self.places().filter(of_it).for_each(|place| self.tell_with_inner(place, &mut told));
        Value::Array(told)
    }

    fn tell_with_inner(&self, place: usize, told: &mut Vec<Value>) {
        let step = &self.steps[place];
        told.push(json!([step.id, step.status(), step.answer().is_some()]));
        self.inner(place).for_each(|inner| self.tell_with_inner(inner, told));
    }

    fn ask(&mut self, place: usize, what: Value) {
        let step = &mut self.steps[place];
        let rules = step.rules.gate.expect("it has a gate");
        step.gate = Gated::Asked;
        self.requests.push(ApprovalRequest {
            id: String::new(),
            place,
            rules,
            what,
            edits: Vec::new(),
            granted: BTreeSet::new(),
            checked: BTreeSet::new(),
            expires: rules.expires.then_some(self.now + EXPIRY),
            open: true,
        });
    }

    /// The open requests that are meant, in the order of their ids; none if there is none, or if one is closed that is
    /// named itself.
    fn meant(&self, named: &Named) -> Vec<usize> {
        let all = 0..self.requests.len();
        let mut meant: Vec<usize> = match named {
            Named::Request(one) => vec![*one],
            Named::Step(name) => {
                let steps = self.named(name);
                let of_them =
                    |place: usize| steps.iter().any(|step| *step == place || self.is_within(place, *step));
                all.filter(|request| of_them(self.requests[*request].place)).collect()
            }
        };
        meant.retain(|request| self.requests[*request].open);
        meant.sort_by_key(|request| &self.requests[*request].id);
        meant
    }

    fn may_answer(&self, request: usize, by: &str) -> bool {
        let live = !matches!(self.mode, Mode::Ended(_));
        let in_time = self.requests[request].expires.is_none_or(|at| self.now < at);
        live && in_time && (!self.requests[request].rules.closed || APPROVERS.contains(&by))
    }

    /// Grants requests, together or not at all.
    pub(super) fn approve(&mut self, named: &Named, by: &str, edit: Option<&Value>) -> bool {
        let meant = self.meant(named);
        let may = |request: &usize| {
            let again = self.requests[*request].granted.contains(by) && edit.is_none();
            self.may_answer(*request, by)
                && self.is_looked_at(*request)
                && !again
                && self.may_become(*request, edit)
        };
        if meant.is_empty() || !meant.iter().all(may) {
            return false;
        }
        for request in meant {
            self.grant(request, by, edit);
        }
        true
    }

    /// Whether all points of its checklist are ticked, where they have to be.
    fn is_looked_at(&self, request: usize) -> bool {
        let request = &self.requests[request];
        !request.rules.ticked || (1..=POINTS).all(|point| request.checked.contains(&point))
    }

    /// Whether an answer can be changed so, and be what the step answers.
    fn may_become(&self, request: usize, edit: Option<&Value>) -> bool {
        let (request, step) = (&self.requests[request], &self.steps[self.requests[request].place]);
        let works = matches!(step.rules.does, Does::Work | Does::Child);
        let is_fan_out = matches!(step.rules.grows, Grows::Items { .. });
        if request.rules.before || step.rules.does == Does::AskOfPhase {
            return edit.is_none() || works && !is_fan_out;
        }
        let output = step.output.clone().unwrap_or_default();
        let is_map = output.is_object() || output.is_null();
        let output = edit.map_or(output.clone(), |edit| merged(output, edit));
        let misses = step.rules.schema && output.is_object() && output["ok"] != true;
        let plans = self.makes_plans(request.place) && self.is_bad_plan(request.place, &output);
        (edit.is_none() || is_map) && !misses && !plans
    }

    /// Whether its answer may be a plan: only what an attempt answered.
    fn makes_plans(&self, place: usize) -> bool {
        matches!(self.steps[place].rules.does, Does::Work | Does::Child) && !self.steps[place].is_whole()
    }

    fn grant(&mut self, index: usize, by: &str, edit: Option<&Value>) {
        let request = &mut self.requests[index];
        let place = request.place;
        if let Some(edit) = edit {
            // Who granted it before granted something else.
            request.granted.clear();
            request.edits.push(edit.clone());
            let step = &mut self.steps[place];
            if !request.rules.before {
                step.output = Some(merged(step.output.clone().unwrap_or_default(), edit));
            }
        }
        request.granted.insert(by.to_owned());
        let (before, is_granted) = (request.rules.before, request.granted.len() >= request.rules.needed);
        request.open = !is_granted;
        if !before && edit.is_some() {
            self.hand_up(place, true);
        }
        if !is_granted {
            return;
        }
        self.steps[place].gate = Gated::No;
        if before {
            (self.steps[place].granted, self.steps[place].state) = (Some(index), State::Pending);
            return;
        }
        if self.makes_plans(place) {
            self.grow(place);
        }
        if self.is_done(place) {
            self.done(place);
        }
    }

    pub(super) fn reject(&mut self, named: &Named, by: &str) -> bool {
        let meant = self.meant(named);
        if meant.is_empty() || !meant.iter().all(|request| self.may_answer(*request, by)) {
            return false;
        }
        for request in meant {
            // A refusal that ends the run ends other requests with it.
            if self.requests[request].open {
                self.refuse(request);
                self.withdraw_if_ending();
            }
        }
        true
    }

    /// It is refused, or nobody answered it in time.
    pub(super) fn refuse(&mut self, request: usize) {
        let place = self.requests[request].place;
        self.requests[request].open = false;
        let step = &mut self.steps[place];
        step.gate = Gated::No;
        step.refused = step.state == State::Completed;
        self.fail(place, false, false);
    }

    pub(super) fn check(&mut self, named: &Named, by: &str, point: u32) -> bool {
        let meant = self.meant(named);
        let may = |request: &usize| self.may_answer(*request, by) && (1..=POINTS).contains(&point);
        if meant.is_empty() || !meant.iter().all(may) {
            return false;
        }
        for request in meant {
            self.requests[request].checked.insert(point);
        }
        true
    }

    /// What some steps answered is not to be approved any more; should the run go on, it is asked about again.
    pub(super) fn withdraw(&mut self, within: impl Fn(usize) -> bool) {
        for request in self.requests.iter_mut().filter(|request| request.open && !request.rules.before) {
            if within(request.place) {
                request.open = false;
                self.steps[request.place].gate = Gated::Again;
            }
        }
    }

    fn withdraw_if_ending(&mut self) {
        if matches!(self.mode, Mode::Failing | Mode::Cancelling { .. }) {
            self.withdraw(|_| true);
        }
    }

    /// Nobody is asked about a step any more that is not to be done.
    pub(super) fn ask_no_longer(&mut self, place: usize) {
        self.steps[place].gate = Gated::No;
        self.requests
            .iter_mut()
            .filter(|request| request.place == place)
            .for_each(|request| request.open = false);
    }

    pub(super) fn await_signal(&mut self, place: usize) {
        let step = &mut self.steps[place];
        (step.state, step.begun, step.wakes) = (State::Awaiting, true, self.now + WAIT);
        let name = step.signal().expect("it waits for one");
        self.awaiting.push(place);
        if let Some(data) = self.kept.get_mut(name).and_then(|kept| kept.pop_front()) {
            self.wait_no_longer(place);
            self.complete(place, data, false);
        }
    }

    pub(super) fn wait_no_longer(&mut self, place: usize) {
        self.awaiting.retain(|other| *other != place);
    }

    /// The first step that waits for it, and has not waited too long, takes it; where nobody waits it is kept.
    pub(super) fn signal(&mut self, name: &str, data: &Value) -> bool {
        if matches!(self.mode, Mode::Ended(_)) {
            return false;
        }
        let waits = |place: &usize| self.steps[*place].signal() == Some(name);
        let waiting: Vec<usize> = self.awaiting.iter().copied().filter(waits).collect();
        let in_time =
            |place: &usize| !self.steps[*place].has_timeout() || self.now < self.steps[*place].wakes;
        let first = waiting.iter().copied().find(in_time);
        if first.is_none() && !waiting.is_empty() {
            // It came too late, which only was not recorded yet.
            return false;
        }
        match first {
            Some(place) => {
                self.wait_no_longer(place);
                self.complete(place, data.clone(), false);
            }
            None => self.kept.entry(name.to_owned()).or_default().push_back(data.clone()),
        }
        true
    }

    /// Signals that no step has taken.
    pub(in crate::saga) fn kept(&self) -> BTreeMap<String, Vec<Value>> {
        let kept = self.kept.iter().filter(|(_, kept)| !kept.is_empty());
        kept.map(|(name, kept)| (name.clone(), kept.iter().cloned().collect())).collect()
    }
}
