//! What the rules of a run say, in the plainest way: facts about steps, and what follows from them, found by looking at
//! all of them again and again. It shares no code with the engine.

mod control;
mod ending;
mod unwinding;

use std::collections::BTreeSet;

use serde_json::{Value, json};

pub(super) use control::{Command, How};

use super::model::{Condition, Does, Model, OnError, Step, name};

/// A run, as the rules have it.
#[derive(Debug, Clone)]
pub(super) struct Oracle {
    pub(super) model: Model,
    pub(super) steps: Vec<Known>,
    pub(super) mode: Mode,
    pub(super) paused: bool,
    /// Whether it was undone because somebody cancelled it.
    cancelled: bool,
    pub(super) degraded: bool,
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
    /// Everything is undone, or what comes after a step.
    Unwinding {
        to: Option<usize>,
    },
    /// It was rolled back to that step.
    Halted {
        to: usize,
    },
    Ended(End),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Completed,
    Failed,
    Compensated,
    Cancelled,
    StuckForward,
    /// In a rollback to that step, or all the way.
    StuckBack {
        to: Option<usize>,
    },
}

/// What is known of a step.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) id: String,
    pub(super) place: usize,
    /// The fan-out that it is an item of, and which.
    pub(super) item: Option<(usize, usize)>,
    pub(super) state: State,
    /// Whether an item's turn has come, where not all may be on their way at once.
    pub(super) admitted: bool,
    pub(super) generation: u32,
    /// The number of its last try.
    pub(super) attempt: u32,
    /// Failures that count against its tries, and tries whose process died.
    pub(super) failures: u32,
    pub(super) lost: u32,
    pub(super) output: Option<Value>,
    /// Tries of this generation: whether there was one, whether one of them failed, or ended nobody knows how.
    pub(super) tried: bool,
    pub(super) failed: bool,
    pub(super) unknown: bool,
    pub(super) undo: Undoing,
    pub(super) undo_attempt: u32,
    pub(super) undo_failures: u32,
    pub(super) undo_lost: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    Running {
        stopping: bool,
    },
    Retrying,
    Sleeping,
    /// Its items are being done.
    Open,
    Completed,
    Skipped {
        dependency: bool,
    },
    Failed {
        tolerated: bool,
    },
    Cancelled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undoing {
    No,
    /// It is its turn, and no try is open.
    Ready,
    Running,
    Retrying,
    Failed,
    Settled,
}

/// How a try ended.
#[derive(Debug, Clone)]
pub(super) enum Result {
    Done(Value),
    Failed { retriable: bool, fatal: bool },
    TimedOut,
    Cancelled,
}

/// A try that is open: step, whether it undoes, number, generation, whether it was told to stop.
pub(super) type Try = (String, bool, u32, u32, bool);

impl Oracle {
    pub(super) fn new(model: Model) -> Self {
        let steps = (0..model.steps.len()).map(|place| Known::new(name(place), place, None)).collect();
        let mut oracle =
            Self { model, steps, mode: Mode::Forward, paused: false, cancelled: false, degraded: false };
        oracle.follow();
        oracle
    }

    /// Every try that must be open now.
    pub(super) fn open(&self) -> BTreeSet<Try> {
        let mut open = BTreeSet::new();
        for step in &self.steps {
            if let State::Running { stopping } = step.state {
                open.insert((step.id.clone(), false, step.attempt, step.generation, stopping));
            }
            if step.undo == Undoing::Running {
                open.insert((step.id.clone(), true, step.undo_attempt, step.generation, false));
            }
        }
        open
    }

    /// Every timer of a step that must be set now.
    pub(super) fn timers(&self) -> BTreeSet<String> {
        let mut timers = BTreeSet::new();
        for step in &self.steps {
            match step.state {
                State::Retrying => drop(timers.insert(format!("retry/{}/{}", step.id, step.attempt))),
                State::Sleeping => drop(timers.insert(format!("sleep/{}", step.id))),
                _ => {}
            }
            if step.undo == Undoing::Retrying {
                timers.insert(format!("compensate/{}/{}", step.id, step.undo_attempt));
            }
        }
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
            Mode::Forward if self.steps.iter().all(|step| step.state == State::Pending && !step.tried) => {
                "pending"
            }
            Mode::Forward | Mode::Failing | Mode::Cancelling { .. } => "running",
        }
    }

    /// What the run answers.
    pub(super) fn output(&self) -> Value {
        self.steps.iter().filter(|step| step.item.is_none()).map(|step| json!(step.status())).collect()
    }

    /// What the attempt at a step is given.
    pub(super) fn given(&self, id: &str, undoes: bool) -> Value {
        let step = &self.steps[self.place_of(id)];
        if undoes {
            let outcome = if step.output.is_some() { "completed" } else { "unknown" };
            return json!({ "undo": step.output, "outcome": outcome });
        }
        match (step.item, self.of(step).uses) {
            (Some((_, item)), _) => json!({ "got": item }),
            (None, Some(used)) => json!({ "got": self.steps[used].output }),
            (None, None) => Value::Null,
        }
    }

    /// A try ended.
    pub(super) fn result(&mut self, id: &str, undoes: bool, result: &Result) {
        let place = self.place_of(id);
        if undoes {
            self.undo_result(place, result);
        } else {
            self.do_result(place, result);
        }
        self.follow();
    }

    /// A timer fired.
    pub(super) fn due(&mut self, timer: &str) {
        if timer == "duration" {
            self.overrun();
        }
        for step in &mut self.steps {
            if timer == format!("retry/{}/{}", step.id, step.attempt) && step.state == State::Retrying {
                step.state = State::Pending;
            } else if timer == format!("sleep/{}", step.id) && step.state == State::Sleeping {
                step.complete(Value::Null);
            } else if timer == format!("compensate/{}/{}", step.id, step.undo_attempt) {
                step.undo = Undoing::Ready;
            }
        }
        self.follow();
    }

    /// The process died, and another took over: whatever ran is lost.
    pub(super) fn crash(&mut self) {
        for place in 0..self.steps.len() {
            if matches!(self.steps[place].state, State::Running { .. }) {
                self.lose(place);
            }
            if self.steps[place].undo == Undoing::Running {
                let step = &mut self.steps[place];
                step.undo_lost += 1;
                let too_often = step.undo_lost >= self.model.lost_limit;
                step.undo = if too_often { Undoing::Failed } else { Undoing::Ready };
            }
        }
        self.follow();
    }

    /// Everything that follows.
    fn follow(&mut self) {
        loop {
            match &self.mode {
                Mode::Forward => self.go_forward(),
                Mode::Failing => self.wind_up(None),
                Mode::Cancelling { rollback } => self.wind_up(Some(*rollback)),
                Mode::Unwinding { to } => self.unwind(*to),
                Mode::Halted { .. } | Mode::Ended(_) => {
                    self.paused = false;
                    return;
                }
            }
            let rests = matches!(self.mode, Mode::Halted { .. } | Mode::Ended(_));
            if !rests && !self.has_more() {
                return;
            }
        }
    }

    /// Whether looking again could find more: going forward ends in a mode of its own.
    fn has_more(&self) -> bool {
        match self.mode {
            Mode::Failing | Mode::Cancelling { .. } => !self.is_running(),
            Mode::Unwinding { to } => self.can_unwind(to),
            _ => false,
        }
    }

    fn go_forward(&mut self) {
        let mut changed = true;
        while changed && self.mode == Mode::Forward && !self.paused {
            changed = false;
            self.admit();
            for place in 0..self.steps.len() {
                if self.mode == Mode::Forward && self.is_ready(place) {
                    self.start(place);
                    changed = true;
                }
            }
            changed |= self.gather();
        }
        self.gather();
        if self.mode == Mode::Forward && self.steps.iter().all(Known::is_done) {
            self.mode = Mode::Ended(End::Completed);
        }
        if self.mode == Mode::Failing {
            self.wind_up(None);
        }
    }

    fn is_ready(&self, place: usize) -> bool {
        let step = &self.steps[place];
        if step.state != State::Pending {
            return false;
        }
        match step.item {
            Some((whole, _)) => step.admitted && self.steps[whole].state == State::Open,
            None => self.of(step).needs.iter().all(|need| self.steps[*need].is_done()),
        }
    }

    /// Lets items of fan-outs come on their way, from the front, as many as may be.
    fn admit(&mut self) {
        for place in 0..self.steps.len() {
            let Some((whole, _)) = self.steps[place].item else { continue };
            let width = self.of(&self.steps[place]).fan_out.map_or(usize::MAX, |(_, width)| width);
            let on_their_way = self.items(whole).filter(|item| item.admitted && !item.is_done()).count();
            let waits = self.steps[place].state == State::Pending && self.steps[whole].state == State::Open;
            self.steps[place].admitted |= waits && on_their_way < width;
        }
    }

    fn start(&mut self, place: usize) {
        let rules = self.of(&self.steps[place]).clone();
        let fresh = !self.steps[place].tried && self.steps[place].item.is_none();
        let holds = match rules.condition {
            Condition::Always => true,
            Condition::Never => false,
            Condition::After(need) => self.steps[need].state == State::Completed,
        };
        if fresh && !holds {
            self.steps[place].state = State::Skipped { dependency: false };
        } else if let (Some((items, _)), None) = (rules.fan_out, self.steps[place].item) {
            self.fan_out(place, items);
        } else if rules.does == Does::Sleep {
            self.steps[place].state = State::Sleeping;
        } else if rules.uses.is_some_and(|used| self.steps[used].output.is_none()) {
            self.steps[place].state = State::Skipped { dependency: true };
            self.degraded = true;
        } else {
            let step = &mut self.steps[place];
            (step.state, step.tried) = (State::Running { stopping: false }, true);
            step.attempt += 1;
        }
    }

    fn fan_out(&mut self, place: usize, items: usize) {
        self.steps[place].state = State::Open;
        if self.items(place).next().is_none() {
            let of = self.steps[place].place;
            for index in 0..items {
                let id = format!("{}[{index}]", self.steps[place].id);
                let mut item = Known::new(id, of, Some((place, index)));
                item.generation = self.steps[place].generation;
                self.steps.push(item);
            }
        }
    }

    /// Completes the fan-outs whose items are all done.
    fn gather(&mut self) -> bool {
        let mut changed = false;
        for place in 0..self.steps.len() {
            if self.steps[place].state == State::Open && self.items(place).all(Known::is_done) {
                let outputs = self.items(place).map(|item| item.output.clone().unwrap_or_default()).collect();
                self.steps[place].complete(Value::Array(outputs));
                changed = true;
            }
        }
        changed
    }

    fn do_result(&mut self, place: usize, result: &Result) {
        let rules = self.of(&self.steps[place]).clone();
        let ending = self.mode != Mode::Forward;
        let step = &mut self.steps[place];
        step.failed |= !matches!(result, Result::Done(_));
        step.unknown |= matches!(result, Result::TimedOut | Result::Cancelled);
        let (retriable, fatal) = match result {
            Result::Done(output) => return step.complete(output.clone()),
            Result::Cancelled if ending => return step.state = State::Cancelled,
            Result::Failed { retriable, fatal } => (*retriable, *fatal),
            Result::TimedOut | Result::Cancelled => (true, false),
        };
        step.failures += 1;
        let patient = matches!(rules.on_error, OnError::Fail | OnError::Skip);
        if retriable && patient && !ending && step.failures < rules.tries {
            step.state = State::Retrying;
        } else {
            self.fail(place, fatal);
        }
    }

    fn is_running(&self) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step.state, State::Running { .. }) || step.undo == Undoing::Running)
    }

    pub(super) fn place_of(&self, id: &str) -> usize {
        self.steps.iter().position(|step| step.id == id).unwrap_or_else(|| panic!("no step `{id}`"))
    }

    fn items(&self, whole: usize) -> impl Iterator<Item = &Known> {
        self.steps.iter().filter(move |step| step.item.is_some_and(|(of, _)| of == whole))
    }

    fn of(&self, step: &Known) -> &Step {
        &self.model.steps[step.place]
    }
}

impl Known {
    fn new(id: String, place: usize, item: Option<(usize, usize)>) -> Self {
        Self {
            id,
            place,
            item,
            state: State::Pending,
            admitted: false,
            generation: 1,
            attempt: 0,
            failures: 0,
            lost: 0,
            output: None,
            tried: false,
            failed: false,
            unknown: false,
            undo: Undoing::No,
            undo_attempt: 0,
            undo_failures: 0,
            undo_lost: 0,
        }
    }

    fn complete(&mut self, output: Value) {
        (self.state, self.output) = (State::Completed, Some(output));
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Completed | State::Skipped { .. } | State::Failed { tolerated: true })
    }

    pub(super) fn status(&self) -> &'static str {
        match (self.undo, self.state) {
            (Undoing::Settled, _) => "compensated",
            (Undoing::Ready | Undoing::Running | Undoing::Retrying, _) => "compensating",
            (_, State::Pending) => "pending",
            (_, State::Running { .. } | State::Open) => "running",
            (_, State::Retrying) => "retrying",
            (_, State::Sleeping) => "waiting",
            (_, State::Completed) => "completed",
            (_, State::Skipped { .. }) => "skipped",
            (_, State::Failed { .. }) => "failed",
            (_, State::Cancelled) => "cancelled",
        }
    }
}
