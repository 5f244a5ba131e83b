//! How a run goes forward: what starts, and what becomes of it.

use serde_json::{Value, json};

use super::{Condition, Does, End, Gated, Grows, Mode, OnError, Oracle, Outcome, Part, RETRY, State};
use crate::saga::model::{SLEEP, TIMEOUT};

impl Oracle {
    pub(super) fn go_forward(&mut self) {
        if self.goes() {
            self.end_what_is_late();
        }
        while self.goes() && (self.look() || self.start_work()) {}
        let live = |place: &usize| self.steps[*place].state != State::Left;
        if self.mode == Mode::Forward && self.places().filter(live).all(|place| self.is_done(place)) {
            self.mode = Mode::Ended(End::Completed);
        }
        if self.mode == Mode::Failing {
            self.wind_up(None);
        }
    }

    /// Whether anything may start.
    pub(super) fn goes(&self) -> bool {
        self.mode == Mode::Forward && !self.paused && self.driven
    }

    pub(super) fn is_ready(&self, place: usize) -> bool {
        let step = &self.steps[place];
        let whole = step.inside.map(|inside| &self.steps[inside]);
        let opens = match step.part {
            Part::Whole => true,
            Part::Item(_) => whole.is_some_and(|whole| whole.state == State::Open) && self.is_admitted(place),
            Part::Round => whole.is_some_and(|whole| whole.state == State::Open),
            Part::Planned | Part::Handed => {
                whole.is_some_and(|whole| whole.state == State::Completed && whole.gate == Gated::No)
            }
        };
        step.state == State::Pending && opens && self.needs(place).all(|need| self.is_done(need))
    }

    /// The steps that one needs itself.
    pub(super) fn needs(&self, place: usize) -> impl Iterator<Item = usize> {
        let step = &self.steps[place];
        let own: &[usize] = if step.is_part() { &[] } else { &step.rules.needs };
        own.iter().map(|need| step.locals[*need]).chain(step.waits_for.iter().copied())
    }

    /// Looks at all that could start, in waves: whether it is to be done at all, and what needs no agent. Answers whether
    /// anything came of it.
    fn look(&mut self) -> bool {
        let mut changed = self.go_on();
        self.admit();
        let wave: Vec<usize> = self.places().filter(|place| self.is_ready(*place)).collect();
        for place in wave {
            if self.goes() && self.is_ready(place) {
                changed |= self.look_at(place);
            }
        }
        changed
    }

    fn look_at(&mut self, place: usize) -> bool {
        let (step, rules) = (&self.steps[place], self.steps[place].rules.clone());
        if !step.is_part() {
            if !step.begun && !self.holds(place, rules.condition) {
                self.skip(place, false);
                return true;
            }
            if rules.gate.is_some_and(|gate| gate.before) && step.granted.is_none() {
                self.ask_before(place);
                return true;
            }
        }
        match (rules.grows, rules.does) {
            (Grows::Items { count, .. }, _) if step.is_whole() => self.fan_out(place, count),
            (Grows::Rounds { .. }, _) if step.is_whole() => self.add_round(place),
            (_, Does::AskOfPhase) => self.complete(place, Value::Null, false),
            (_, Does::Wait { .. }) => self.await_signal(place),
            (_, Does::Sleep) => {
                let step = &mut self.steps[place];
                (step.state, step.begun, step.wakes) = (State::Sleeping, true, self.now + SLEEP);
            }
            (_, Does::Work | Does::Child) => return false,
        }
        true
    }

    fn holds(&self, place: usize, condition: Condition) -> bool {
        match condition {
            Condition::Always => true,
            Condition::Never => false,
            Condition::After(need) => self.steps[self.steps[place].locals[need]].state == State::Completed,
        }
    }

    /// Starts attempts, agent by agent. Answers whether anything came of it.
    fn start_work(&mut self) -> bool {
        let mut started = false;
        for agent in ["other", "third", "workflow", "world"] {
            let ready: Vec<usize> = self.places().filter(|place| self.is_ready(*place)).collect();
            for place in ready {
                if !self.goes() || self.steps[place].agent() != agent || !self.makes_attempts(place) {
                    continue;
                }
                if self.work(place).is_none() {
                    self.skip(place, true);
                    return true;
                }
                let step = &mut self.steps[place];
                (step.state, step.tried, step.begun) = (State::Running { stopping: false }, true, true);
                step.attempt += 1;
                (step.deadline, step.overdue) = (self.now + TIMEOUT, false);
                started = true;
            }
        }
        started
    }

    fn makes_attempts(&self, place: usize) -> bool {
        let step = &self.steps[place];
        matches!(step.rules.does, Does::Work | Does::Child) && !step.is_whole()
    }

    /// What an attempt at a step is given: what was granted, where something was; none if it uses what is not there.
    pub(super) fn work(&self, place: usize) -> Option<Value> {
        let step = &self.steps[place];
        let whole = if step.part == Part::Round { step.inside } else { Some(place) };
        if let Some(granted) = whole.and_then(|whole| self.steps[whole].granted) {
            return Some(self.requests[granted].edited());
        }
        match (step.part, step.rules.uses) {
            (Part::Handed, _) => Some(step.handed.clone()),
            (Part::Item(item), _) => Some(json!({ "got": item })),
            (_, Some(used)) => {
                let output = self.steps[step.locals[used]].answer()?;
                Some(json!({ "got": output }))
            }
            (_, None) => Some(Value::Null),
        }
    }

    pub(super) fn skip(&mut self, place: usize, dependency: bool) {
        self.steps[place].state = State::Skipped { dependency };
        self.hand_up(place, false);
        self.degraded |= dependency;
        self.done(place);
    }

    pub(super) fn do_result(&mut self, place: usize, outcome: &Outcome) {
        let rules = self.steps[place].rules.clone();
        let ending = self.mode != Mode::Forward;
        let wrong =
            matches!(outcome, Outcome::Done { output, hand: None, .. } if self.is_wrong(place, output));
        let step = &mut self.steps[place];
        step.failed |= wrong || !matches!(outcome, Outcome::Done { .. });
        step.unknown |= matches!(outcome, Outcome::TimedOut | Outcome::Cancelled);
        if let Outcome::Done { child, .. } | Outcome::Failed { child, .. } = outcome {
            step.child = child.or(step.child);
        }
        let (retriable, fatal, stuck) = match outcome {
            Outcome::Done { .. } if wrong => (false, false, false),
            Outcome::Done { output, child, hand, .. } => {
                self.degraded |= step.fallen_back || child.is_some_and(|child| child.degraded);
                if let Some(hand) = hand {
                    self.hand_over(place, hand, output);
                }
                return self.come_through(place, output.clone(), hand.is_none(), hand.is_some());
            }
            Outcome::Cancelled if ending => return step.state = State::Cancelled,
            Outcome::Failed { retriable, fatal, stuck, .. } => (*retriable, *fatal, *stuck),
            Outcome::TimedOut | Outcome::Cancelled => (true, false, false),
        };
        step.failures += 1;
        let patient = matches!(rules.on_error, OnError::Fail | OnError::Skip);
        let tries =
            if step.fallen_back { rules.tries.min(super::super::model::FALLBACK_TRIES) } else { rules.tries };
        if retriable && patient && !ending && step.failures < tries {
            (step.state, step.wakes) = (State::Retrying, self.now + RETRY);
        } else {
            self.fail_or_fall_back(place, fatal, stuck);
        }
    }

    /// A step came through, by an attempt or without.
    pub(super) fn complete(&mut self, place: usize, output: Value, by_attempt: bool) {
        self.come_through(place, output, by_attempt, false);
    }

    /// The same, where perhaps another agent goes on with it.
    fn come_through(&mut self, place: usize, output: Value, by_attempt: bool, hands_over: bool) {
        let step = &mut self.steps[place];
        (step.state, step.output) = (State::Completed, Some(output));
        let asks = step.rules.gate.is_some_and(|gate| !gate.before) && !step.is_part() && !hands_over;
        self.hand_up(place, true);
        if asks {
            self.ask_after(place);
        } else if by_attempt {
            self.grow(place);
        }
        if self.is_done(place) {
            self.done(place);
        }
    }

    /// A step is done with. What it is inside of may be, too, or go on.
    pub(super) fn done(&mut self, place: usize) {
        self.pause_after(place);
        let Some(whole) = self.steps[place].inside else { return };
        match self.steps[whole].state {
            State::Open => self.inner_done(whole),
            State::Completed if self.is_done(whole) => self.done(whole),
            _ => {}
        }
    }

    /// A run that was to go on until here only pauses, unless there is nothing more to do.
    fn pause_after(&mut self, place: usize) {
        let Some(until) = self.until.clone() else { return };
        let step = &self.steps[place];
        let is_meant =
            step.id == until || step.rules.phase == Some(until.as_str()) && self.is_reached(&until);
        let live = |place: &usize| self.steps[*place].state != State::Left;
        let is_last = self.places().filter(live).all(|place| self.is_done(place));
        if self.mode == Mode::Forward && !self.paused && is_meant && !is_last {
            self.paused = true;
            self.forget_until();
        }
    }

    pub(super) fn is_reached(&self, until: &str) -> bool {
        self.named(until).into_iter().all(|place| self.is_done(place))
    }

    /// It pauses once.
    pub(super) fn forget_until(&mut self) {
        let reached = self.until.as_ref().is_some_and(|until| self.is_reached(until));
        self.until = self.until.take().filter(|_| !reached);
    }
}
