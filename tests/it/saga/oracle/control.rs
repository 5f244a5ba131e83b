//! What people may ask of a run, and what follows. Each answers whether it is done; refused, nothing changes.

use serde_json::Value;

use super::{End, Gated, Kept, Known, Mode, Named, Oracle, State, Undoing};

/// What somebody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::saga) enum Command {
    Pause,
    Unpause,
    /// At the end of a step or a phase.
    PauseAfter {
        until: String,
    },
    Cancel {
        rollback: bool,
    },
    /// Of all that failed, or of a step or a phase.
    Retry {
        only: Option<String>,
    },
    /// All the way, or to a step or a phase.
    Rollback {
        to: Option<String>,
    },
    Resolve {
        step: usize,
        how: How,
    },
    Approve {
        what: Named,
        by: String,
        edit: Option<Value>,
    },
    Reject {
        what: Named,
        by: String,
    },
    Check {
        what: Named,
        by: String,
        point: u32,
    },
    Signal {
        name: String,
        data: Value,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::saga) enum How {
    Retry,
    Skip,
    Done,
}

impl Oracle {
    pub(in crate::saga) fn command(&mut self, command: &Command) -> bool {
        let taken = match command {
            Command::Pause => self.pause(),
            Command::Unpause => self.unpause(),
            Command::PauseAfter { until } => self.plan_pause(until),
            Command::Cancel { rollback } => self.cancel(*rollback),
            Command::Retry { only } => self.retry(only.as_deref()),
            Command::Rollback { to } => self.roll_back(to.as_deref()),
            Command::Resolve { step, how } => self.resolve(*step, *how),
            Command::Approve { what, by, edit } => self.approve(what, by, edit.as_ref()),
            Command::Reject { what, by } => self.reject(what, by),
            Command::Check { what, by, point } => self.check(what, by, *point),
            Command::Signal { name, data } => self.signal(name, data),
        };
        if taken {
            self.follow();
        }
        taken
    }

    fn pause(&mut self) -> bool {
        let alive = !matches!(self.mode, Mode::Ended(_));
        if alive && !self.paused && !matches!(self.mode, Mode::Halted { .. }) {
            self.paused = true;
            self.forget_until();
        }
        alive
    }

    fn unpause(&mut self) -> bool {
        if self.paused || matches!(self.mode, Mode::Halted { .. }) {
            self.forget_until();
        }
        if let Mode::Halted { to } = self.mode.clone() {
            self.do_anew(&to);
        }
        self.paused = false;
        !matches!(self.mode, Mode::Ended(_))
    }

    /// It takes the place of what the run was to go on until before.
    fn plan_pause(&mut self, until: &str) -> bool {
        let may = matches!(self.mode, Mode::Forward | Mode::Halted { .. });
        let is_ahead = !self.named(until).is_empty() && !self.is_reached(until);
        if may && is_ahead {
            self.until = Some(until.to_owned());
        }
        may && is_ahead
    }

    fn cancel(&mut self, rollback: bool) -> bool {
        match self.mode {
            // Again, and the same: there is nothing more to do. Not the same is another wish, which comes too late.
            Mode::Cancelling { rollback: wanted } => return wanted == rollback,
            Mode::Ended(End::Cancelled) => return !rollback,
            Mode::Unwinding { .. } | Mode::Ended(End::Compensated) => return rollback && self.cancelled,
            Mode::Forward | Mode::Failing | Mode::Halted { .. } | Mode::Ended(End::StuckForward) => {}
            Mode::Ended(_) => return false,
        }
        if rollback && self.is_past_return() {
            return false;
        }
        (self.mode, self.paused) = (Mode::Cancelling { rollback }, false);
        self.stop_all();
        true
    }

    fn retry(&mut self, only: Option<&str>) -> bool {
        let halted = match &self.mode {
            Mode::Halted { to } => Some(to.clone()),
            Mode::Ended(End::Failed | End::StuckForward) => None,
            _ => return false,
        };
        let anew = |place: usize| halted.as_ref().is_some_and(|to| self.is_undone(place, to));
        let again: Vec<usize> =
            self.places().filter(|place| !anew(*place) && self.is_to_try_again(*place)).collect();
        if self.any_refuses_retry() || !only.is_none_or(|only| self.is_enough(only, &again)) {
            return false;
        }
        match halted {
            Some(to) => self.do_anew(&to),
            None => {
                self.try_again();
                self.mode = Mode::Forward;
                self.begin_time();
            }
        }
        true
    }

    /// Whether all that failed is, or is part of, what is named, and something is.
    fn is_enough(&self, only: &str, again: &[usize]) -> bool {
        let named = self.named(only);
        let meant = |place: usize| named.iter().any(|step| *step == place || self.is_within(place, *step));
        let failed = |place: usize| {
            let leaf = self.inner(place).next().is_none();
            leaf && self.steps[place].state == State::Failed { tolerated: false }
        };
        again.iter().any(|place| meant(*place)) && again.iter().all(|place| meant(*place) || !failed(*place))
    }

    /// A step that may be started once, was, and failed. One whose answer was refused is not started again.
    fn any_refuses_retry(&self) -> bool {
        let refuses = |place: usize| {
            let step = &self.steps[place];
            step.rules.at_most_once && step.tried && !step.refused && self.is_to_try_again(place)
        };
        self.places().any(refuses)
    }

    fn is_to_try_again(&self, place: usize) -> bool {
        let step = &self.steps[place];
        !step.inside.is_some_and(|whole| self.is_done(whole))
            && matches!(
                step.state,
                State::Failed { tolerated: false } | State::Cancelled | State::Skipped { dependency: true }
            )
    }

    fn try_again(&mut self) {
        let again: Vec<usize> = self.places().filter(|place| self.is_to_try_again(*place)).collect();
        for place in again {
            let rounds = self.inner(place).count();
            let step = &mut self.steps[place];
            step.state = if rounds > 0 { State::Open } else { State::Pending };
            if std::mem::take(&mut step.refused) {
                (step.state, step.gate) = (State::Completed, Gated::Again);
            }
            if std::mem::take(&mut step.fallen_back) {
                // What was granted is the other agent's work.
                step.granted = None;
            }
            (step.failures, step.lost, step.rounds_before) = (0, 0, rounds);
        }
        for step in self.steps.iter_mut().filter(|step| step.state == State::Pending) {
            step.admitted = false;
        }
    }

    /// After a partial rollback: what was undone is done anew, in a new generation. What grew in it may grow again.
    fn do_anew(&mut self, to: &Kept) {
        self.try_again();
        let scope: Vec<bool> = self.places().map(|place| self.is_undone(place, to)).collect();
        for (step, _) in self.steps.iter_mut().zip(scope).filter(|(_, undone)| *undone) {
            if step.undo != Undoing::No || step.state == State::Completed {
                (step.failed, step.unknown) = (false, false);
                (step.undo, step.undo_failures, step.undo_lost) = (Undoing::No, 0, 0);
                step.generation += 1;
            }
            step.forget_its_chain();
            step.state = if step.inside.is_some() { State::Left } else { State::Pending };
            (step.output, step.refused, step.child, step.granted) = (None, false, None, None);
            (step.gate, step.failures, step.lost, step.fallen_back) = (Gated::No, 0, 0, false);
            (step.tried, step.begun, step.admitted, step.rounds_before) = (false, false, false, 0);
        }
        self.mode = Mode::Forward;
        self.begin_time();
    }

    fn roll_back(&mut self, to: Option<&str>) -> bool {
        if let Mode::Unwinding { .. } | Mode::Ended(End::Compensated) = self.mode {
            return false;
        }
        if to.is_some() && matches!(self.mode, Mode::Cancelling { .. }) {
            return false;
        }
        let kept: Kept = to.map(|to| self.named(to));
        let is_before = |passed: usize| {
            let passed = self.outermost(passed);
            let kept = kept.iter().flatten();
            kept.into_iter().any(|kept| *kept == passed || self.depends(*kept, passed))
        };
        if !self.irreversible().all(is_before) {
            return false;
        }
        let stays = |place: usize| !self.is_undone(place, &kept);
        if kept.is_some() && self.places().any(|place| stays(place) && self.steps[place].undo != Undoing::No)
        {
            return false;
        }
        if !self.can_keep(to, &kept) {
            return false;
        }
        if let Mode::Ended(End::StuckBack { .. }) = self.mode {
            let failed = self.steps.iter_mut().filter(|step| step.undo == Undoing::Failed);
            failed.for_each(Known::try_undoing_again);
        }
        for place in self.places() {
            if self.is_undone(place, &kept) {
                self.stop(place);
            }
        }
        (self.mode, self.paused, self.cancelled) = (Mode::Unwinding { to: kept }, false, false);
        true
    }

    /// Whether what is kept is done. What a phase leaves out is done, too.
    fn can_keep(&self, to: Option<&str>, kept: &Kept) -> bool {
        let (Some(to), Some(kept)) = (to, kept) else { return true };
        let skipped = |place: usize| matches!(self.steps[place].state, State::Skipped { .. });
        let is_phase = self.steps.iter().all(|step| step.id != to);
        !kept.is_empty()
            && kept.iter().all(|place| {
                let is_part = self.steps[*place].inside.is_some();
                !is_part && self.is_done(*place) && (is_phase || !skipped(*place))
            })
    }

    fn resolve(&mut self, step: usize, how: How) -> bool {
        if self.steps[step].undo != Undoing::Failed {
            return false;
        }
        match how {
            How::Retry => self.steps[step].try_undoing_again(),
            How::Skip | How::Done => self.steps[step].undo = Undoing::Settled,
        }
        if let Mode::Ended(End::StuckBack { to }) = self.mode.clone() {
            self.mode = Mode::Unwinding { to };
        }
        true
    }
}

impl Known {
    fn try_undoing_again(&mut self) {
        (self.undo, self.undo_failures, self.undo_lost) = (Undoing::Ready, 0, 0);
    }
}
