//! What the rules of a run say, in the plainest way: facts about steps, and what follows from them, found by looking at
//! all of them again and again. It shares no code with the engine.

mod control;
mod ending;
mod forward;
mod growth;
mod handoffs;
mod known;
mod people;
mod unwinding;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

pub(super) use control::{Command, How};
pub(super) use handoffs::Hand;
pub(super) use known::Undoing;
use known::{Gated, Known, Part, State};
pub(super) use people::{ApprovalRequest, Named};

use super::model::{Condition, DURATION, Does, Grows, Model, OnError, RETRY, Step, Vertex, name};

/// A run, as the rules have it.
#[derive(Debug, Clone)]
pub(super) struct Oracle {
    pub(super) model: Model,
    pub(super) steps: Vec<Known>,
    pub(super) mode: Mode,
    pub(super) paused: bool,
    /// Whether somebody sees it through: without, what is asked is recorded, and nothing starts.
    pub(super) driven: bool,
    /// Whether it was undone because somebody cancelled it.
    cancelled: bool,
    pub(super) degraded: bool,
    /// What time it is, in µs.
    pub(super) now: i64,
    /// Every request that there was.
    pub(super) requests: Vec<ApprovalRequest>,
    /// Steps that wait for a signal, in the order in which they began to.
    awaiting: Vec<usize>,
    /// Signals that no step has taken.
    kept: BTreeMap<String, VecDeque<Value>>,
    /// The step or the phase after which it pauses, once.
    until: Option<String>,
    /// How many steps were planned.
    planned: usize,
    /// What is left of its time, and since when that runs.
    time_left: i64,
    time_runs: Option<i64>,
    /// What was left of it when whoever drives the run was last seen to, and when that was.
    left_when_seen: i64,
    seen_at: i64,
    /// How many events were looked at for that.
    pub(super) heard: usize,
    /// What the tries have written: versions and values.
    pub(super) context: BTreeMap<String, (u64, Value)>,
    /// Whether it fails because a child is stuck.
    stuck_child: bool,
}

/// Where a run is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    Forward,
    /// A step failed. What runs ends, at once if that is `fast`.
    Failing,
    Cancelling {
        rollback: bool,
    },
    /// Everything is undone, or what comes after some steps.
    Unwinding {
        to: Kept,
    },
    /// It was rolled back to those steps.
    Halted {
        to: Kept,
    },
    Ended(End),
}

/// The steps that a rollback keeps; none if it undoes everything.
pub(super) type Kept = Option<Vec<usize>>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    Completed,
    Failed,
    Compensated,
    Cancelled,
    StuckForward,
    /// In a rollback to those steps, or all the way.
    StuckBack {
        to: Kept,
    },
}

/// How a try ended.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Done { output: Value, child: Option<ChildEnd>, writes: Vec<Write>, hand: Option<Hand> },
    Failed { retriable: bool, fatal: bool, stuck: bool, child: Option<ChildEnd> },
    TimedOut,
    Cancelled,
}

/// A value that a try writes for the others, of whose key it may expect a version.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) key: String,
    pub(super) expected: Option<u64>,
    pub(super) value: Value,
}

/// How a child run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChildEnd {
    pub(super) compensated: bool,
    pub(super) past_return: bool,
    pub(super) degraded: bool,
}

/// A try that is open: step, whether it undoes, number, generation, agent, whether it was told to stop.
pub(super) type Try = (String, bool, u32, u32, &'static str, bool);

impl Oracle {
    pub(super) fn new(model: Model, now: i64) -> Self {
        let steps = steps_of(&model);
        let mut oracle = Self {
            steps,
            mode: Mode::Forward,
            paused: false,
            driven: true,
            cancelled: false,
            degraded: false,
            now,
            requests: Vec::new(),
            awaiting: Vec::new(),
            kept: BTreeMap::new(),
            until: model.until.clone(),
            planned: 0,
            time_left: DURATION,
            time_runs: None,
            left_when_seen: DURATION,
            seen_at: now,
            heard: 0,
            context: BTreeMap::new(),
            stuck_child: false,
            model,
        };
        oracle.follow();
        oracle
    }

    /// Every try that must be open now.
    pub(super) fn open(&self) -> BTreeSet<Try> {
        let mut open = BTreeSet::new();
        for step in &self.steps {
            if let State::Running { stopping } = step.state {
                let agent = step.agent();
                let stopping = stopping || step.overdue;
                open.insert((step.id.clone(), false, step.attempt, step.generation, agent, stopping));
            }
            if step.undo == Undoing::Running {
                let agent = step.undo_agent();
                open.insert((step.id.clone(), true, step.undo_attempt, step.generation, agent, false));
            }
        }
        open
    }

    /// Every timer that must be set now, and when it fires. A run that has ended waits for none.
    pub(super) fn timers(&self) -> BTreeMap<String, i64> {
        let mut timers = BTreeMap::new();
        if matches!(self.mode, Mode::Ended(_)) {
            return timers;
        }
        for step in &self.steps {
            let timer = match step.state {
                State::Retrying => Some(format!("retry/{}/{}", step.id, step.attempt)),
                State::Sleeping => Some(format!("sleep/{}", step.id)),
                State::Awaiting => step.has_timeout().then(|| format!("wait/{}", step.id)),
                _ => None,
            };
            timers.extend(timer.map(|timer| (timer, step.wakes)));
            if step.is_running() && step.agent() == "workflow" && !step.overdue {
                timers.insert(format!("child/{}/{}", step.id, step.attempt), step.deadline);
            }
            if step.undo == Undoing::Retrying {
                timers.insert(format!("compensate/{}/{}", step.id, step.undo_attempt), step.undo_wakes);
            }
        }
        for request in self.requests.iter().filter(|request| request.open) {
            timers.extend(request.expires.map(|at| (format!("approval/{}", request.id), at)));
        }
        timers.extend(self.time_runs.map(|since| ("duration".to_owned(), since + self.time_left)));
        timers
    }

    pub(super) fn status(&self) -> &'static str {
        match self.mode {
            Mode::Ended(End::Completed) => "completed",
            Mode::Ended(End::Failed) => "failed",
            Mode::Ended(End::Compensated) => "compensated",
            Mode::Ended(End::Cancelled) => "cancelled",
            Mode::Ended(End::StuckForward | End::StuckBack { .. }) => "stuck",
            Mode::Halted { .. } => "paused",
            _ if self.paused => "paused",
            Mode::Unwinding { .. } => "compensating",
            Mode::Forward if self.waits_for_people() => "waiting",
            Mode::Forward
                if self.steps.iter().all(|step| step.state == State::Pending && step.attempt == 0) =>
            {
                "pending"
            }
            Mode::Forward | Mode::Failing | Mode::Cancelling { .. } => "running",
        }
    }

    /// Whether nothing goes on before somebody has said something.
    fn waits_for_people(&self) -> bool {
        let goes_on = |place: usize| {
            let timed = matches!(self.steps[place].state, State::Retrying | State::Sleeping);
            timed || self.steps[place].gate == Gated::Again || self.is_ready(place)
        };
        let asked = self.requests.iter().any(|request| request.open) || !self.awaiting.is_empty();
        self.mode == Mode::Forward
            && !self.paused
            && asked
            && !self.is_running()
            && !self.places().any(goes_on)
    }

    /// What the run answers.
    pub(super) fn output(&self) -> Value {
        let told = |step: &&Known| step.inside.is_none() && step.rules.does != Does::AskOfPhase;
        self.steps.iter().filter(told).map(|step| json!(step.status())).collect()
    }

    /// What the attempt at a step is given, and, if it undoes, told.
    pub(super) fn given(&self, id: &str, undoes: bool) -> (Value, Value) {
        let place = self.place_of(id);
        let step = &self.steps[place];
        if undoes {
            let outcome = if step.output.is_some() { "completed" } else { "unknown" };
            let told = json!({ "undo": step.output, "outcome": outcome });
            // A child run is just rolled back.
            return (if step.rules.undo.is_some() { told.clone() } else { Value::Null }, told);
        }
        (self.work(place).expect("what it is given is there"), Value::Null)
    }

    /// A try ended.
    pub(super) fn result(&mut self, id: &str, undoes: bool, outcome: &Outcome) {
        let place = self.place_of(id);
        let outcome = &self.written(place, undoes, outcome);
        if undoes {
            self.undo_result(place, outcome);
        } else {
            self.do_result(place, outcome);
        }
        self.follow();
    }

    /// A try writes all or nothing: nothing where a key has another version than it expects, which fails it, and where its
    /// answer is not taken.
    fn written(&mut self, place: usize, undoes: bool, outcome: &Outcome) -> Outcome {
        let Outcome::Done { output, writes, hand, .. } = outcome else { return outcome.clone() };
        let failed = |retriable| Outcome::Failed { retriable, fatal: false, stuck: false, child: None };
        if hand.as_ref().is_some_and(|hand| self.is_bad_handoff(place, undoes, hand, output)) {
            return failed(false);
        }
        let mut context = self.context.clone();
        for Write { key, expected, value } in writes {
            let version = context.get(key).map_or(0, |(version, _)| *version);
            if expected.is_some_and(|expected| expected != version) {
                return failed(true);
            }
            context.insert(key.clone(), (version + 1, value.clone()));
        }
        if undoes || hand.is_some() || !self.is_wrong(place, output) {
            self.context = context;
        }
        outcome.clone()
    }

    /// A timer fired.
    pub(super) fn due(&mut self, timer: &str) {
        self.goes_off(timer);
        self.follow();
    }

    fn goes_off(&mut self, timer: &str) {
        if timer == "duration" {
            self.overrun();
        }
        for place in self.places() {
            let step = &mut self.steps[place];
            if timer == format!("child/{}/{}", step.id, step.attempt) && step.is_running() {
                step.overdue = true;
            } else if timer == format!("retry/{}/{}", step.id, step.attempt) && step.state == State::Retrying
            {
                step.state = State::Pending;
            } else if timer == format!("sleep/{}", step.id) && step.state == State::Sleeping {
                self.complete(place, Value::Null, false);
            } else if timer == format!("wait/{}", step.id) && step.state == State::Awaiting {
                self.wait_no_longer(place);
                self.fail(place, false, false);
            } else if timer == format!("compensate/{}/{}", step.id, step.undo_attempt) {
                step.undo = Undoing::Ready;
            }
        }
        let expired = self.requests.iter().position(|request| timer == format!("approval/{}", request.id));
        if let Some(expired) = expired.filter(|expired| self.requests[*expired].open) {
            self.refuse(expired);
        }
    }

    /// The process died, and another took over: whatever ran is lost, but for what sees a child through, which whoever comes
    /// next goes on with.
    pub(super) fn crash(&mut self) {
        for place in self.places() {
            let step = &self.steps[place];
            if matches!(step.state, State::Running { .. }) && step.agent() != "workflow" {
                self.lose(place);
            }
            if self.steps[place].undo == Undoing::Running && self.steps[place].undo_agent() != "workflow" {
                let step = &mut self.steps[place];
                step.undo_lost += 1;
                let too_often = step.undo_lost >= self.model.lost_limit;
                step.undo = if too_often { Undoing::Failed } else { Undoing::Ready };
            }
        }
        self.follow();
    }

    /// Everything that follows.
    pub(super) fn follow(&mut self) {
        loop {
            match self.mode.clone() {
                Mode::Forward => self.go_forward(),
                Mode::Failing => self.wind_up(None),
                Mode::Cancelling { rollback } => self.wind_up(Some(rollback)),
                Mode::Unwinding { to } => self.unwind(&to),
                Mode::Halted { .. } | Mode::Ended(_) => {
                    self.paused = false;
                    break;
                }
            }
            let rests = matches!(self.mode, Mode::Halted { .. } | Mode::Ended(_));
            if !rests && !self.has_more() {
                break;
            }
        }
        self.keep_time();
    }

    /// Whether looking again could find more: going forward ends in a mode of its own.
    fn has_more(&self) -> bool {
        match &self.mode {
            Mode::Failing | Mode::Cancelling { .. } => !self.is_running(),
            Mode::Unwinding { to } => self.can_unwind(to),
            _ => false,
        }
    }

    /// The time of a run counts while it goes forward, and does not wait for people.
    fn keep_time(&mut self) {
        let runs = self.mode == Mode::Forward && !self.paused && !self.waits_for_people();
        match self.time_runs {
            None if runs && self.model.duration => self.time_runs = Some(self.now),
            Some(_) if !runs => {
                self.time_left = self.left_now();
                self.time_runs = None;
            }
            _ => {}
        }
    }

    /// A run that goes forward again has all its time again.
    fn begin_time(&mut self) {
        (self.time_left, self.time_runs, self.left_when_seen) = (DURATION, None, DURATION);
    }

    fn left_now(&self) -> i64 {
        self.time_runs.map_or(self.time_left, |since| (self.time_left - (self.now - since)).max(0))
    }

    /// Something happened that only happens where somebody drives the run.
    pub(super) fn saw_driver(&mut self) {
        (self.left_when_seen, self.seen_at) = (self.left_now(), self.now);
    }

    /// Somebody drives it after nobody did. Answers whether that can be so.
    pub(super) fn is_driven_again(&mut self, since: i64) -> bool {
        let can = self.model.duration && self.seen_at < since && since <= self.now;
        self.time_left = self.left_when_seen;
        self.time_runs = self.time_runs.map(|_| since);
        self.saw_driver();
        can
    }

    /// Nothing starts that would be stopped at once because its time is over, or nobody has answered in time.
    fn end_what_is_late(&mut self) {
        let is_late = |at: Option<&i64>| at.is_some_and(|at| *at <= self.now);
        if self.places().all(|place| self.is_done(place)) {
            return;
        }
        if is_late(self.timers().get("duration")) {
            return self.overrun();
        }
        while self.goes() {
            let timers = self.timers().into_iter().filter(|(timer, at)| {
                *at <= self.now && (timer.starts_with("approval/") || timer.starts_with("wait/"))
            });
            let Some((_, timer)) = timers.map(|(timer, at)| (at, timer)).min() else { return };
            self.goes_off(&timer);
        }
    }

    fn is_running(&self) -> bool {
        self.steps.iter().any(|step| step.is_running() || step.undo == Undoing::Running)
    }

    pub(super) fn place_of(&self, id: &str) -> usize {
        self.steps.iter().position(|step| step.id == id).unwrap_or_else(|| panic!("no step `{id}`"))
    }

    fn places(&self) -> std::ops::Range<usize> {
        0..self.steps.len()
    }

    /// What grew in a step.
    fn inner(&self, whole: usize) -> impl Iterator<Item = usize> {
        self.places().filter(move |place| {
            let step = &self.steps[*place];
            step.inside == Some(whole) && step.state != State::Left
        })
    }

    /// Whether those that need it may start.
    pub(super) fn is_done(&self, place: usize) -> bool {
        let step = &self.steps[place];
        match step.state {
            State::Completed => step.gate == Gated::No && self.inner(place).all(|inner| self.is_done(inner)),
            State::Skipped { .. } => true,
            State::Failed { tolerated } => tolerated,
            _ => false,
        }
    }

    /// Whether a step grew in another, directly or not.
    fn is_within(&self, place: usize, whole: usize) -> bool {
        let inside = self.steps[place].inside;
        inside.is_some_and(|inside| inside == whole || self.is_within(inside, whole))
    }

    /// The steps that somebody names: one, or those of a phase.
    pub(super) fn named(&self, name: &str) -> Vec<usize> {
        if let Some(place) = self.steps.iter().position(|step| step.id == name) {
            return vec![place];
        }
        let in_phase = |place: &usize| {
            let step = &self.steps[*place];
            step.inside.is_none() && step.rules.phase == Some(name)
        };
        self.places().filter(in_phase).collect()
    }
}

/// The steps of a file, and those that ask about its phases.
fn steps_of(model: &Model) -> Vec<Known> {
    let vertices = model.vertices();
    let place_of = |vertex: Vertex| vertices.iter().position(|other| *other == vertex).expect("it is there");
    let locals: Arc<[usize]> = (0..model.steps.len()).map(|place| place_of(Vertex::Step(place))).collect();
    let known = vertices.iter().map(|vertex| {
        let (id, rules) = match vertex {
            Vertex::Step(place) => (name(*place), Arc::clone(&model.steps[*place])),
            Vertex::Phase(phase) => {
                (format!("phase:{phase}"), Arc::new(Step::asks_of(phase, model.gate(phase))))
            }
        };
        let known = Known::new(id, rules, Arc::clone(&locals), None, Part::Whole);
        Known { waits_for: model.waits_for(*vertex).into_iter().map(place_of).collect(), ..known }
    });
    known.collect()
}
