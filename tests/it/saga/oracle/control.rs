//! What people may ask of a run, and what follows. Each answers whether it is done; refused, nothing changes.

use super::{End, Known, Mode, Oracle, State, Undoing};

/// What somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::saga) enum Command {
    Pause,
    Unpause,
    Cancel { rollback: bool },
    Retry,
    Rollback { to: Option<usize> },
    Resolve { step: usize, how: How },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::saga) enum How {
    Retry,
    Skip,
    Done,
}

impl Oracle {
    pub(in crate::saga) fn command(&mut self, command: Command) -> bool {
        let taken = match command {
            Command::Pause => self.pause(),
            Command::Unpause => self.unpause(),
            Command::Cancel { rollback } => self.cancel(rollback),
            Command::Retry => self.retry(),
            Command::Rollback { to } => self.roll_back(to),
            Command::Resolve { step, how } => self.resolve(step, how),
        };
        if taken {
            self.follow();
        }
        taken
    }

    fn pause(&mut self) -> bool {
        let alive = !matches!(self.mode, Mode::Ended(_));
        self.paused |= alive && !matches!(self.mode, Mode::Halted { .. });
        alive
    }

    fn unpause(&mut self) -> bool {
        if let Mode::Halted { to } = self.mode {
            self.do_anew(to);
        }
        self.paused = false;
        !matches!(self.mode, Mode::Ended(_))
    }

    fn cancel(&mut self, rollback: bool) -> bool {
        match self.mode {
            // Again, and the same: there is nothing more to do. Not the same is another wish, which comes too late.
            Mode::Cancelling { rollback: wanted } => return wanted == rollback,
            Mode::Ended(End::Cancelled) => return !rollback,
            Mode::Ended(End::Compensated) => return rollback && self.cancelled,
            Mode::Forward | Mode::Failing | Mode::Halted { .. } | Mode::Ended(End::StuckForward) => {}
            Mode::Unwinding { .. } | Mode::Ended(_) => return false,
        }
        if rollback && self.is_past_return() {
            return false;
        }
        (self.mode, self.paused) = (Mode::Cancelling { rollback }, false);
        self.stop_all();
        true
    }

    fn retry(&mut self) -> bool {
        if let Mode::Halted { to } = self.mode {
            if self.any_refuses_retry() {
                return false;
            }
            self.do_anew(to);
            return true;
        }
        if !matches!(self.mode, Mode::Ended(End::Failed | End::StuckForward)) || self.any_refuses_retry() {
            return false;
        }
        self.try_again();
        self.mode = Mode::Forward;
        true
    }

    /// A step that may be started once, was, and failed.
    fn any_refuses_retry(&self) -> bool {
        let refuses = |step: &Known| self.of(step).at_most_once && step.tried && is_to_try_again(step);
        self.steps.iter().any(refuses)
    }

    fn try_again(&mut self) {
        for place in 0..self.steps.len() {
            if is_to_try_again(&self.steps[place]) {
                let whole = self.items(place).next().is_some();
                let step = &mut self.steps[place];
                step.state = if whole { State::Open } else { State::Pending };
                (step.failures, step.lost, step.admitted) = (0, 0, false);
            }
        }
    }

    /// After a partial rollback: what was undone is done anew, in a new generation.
    fn do_anew(&mut self, to: usize) {
        self.try_again();
        let scope: Vec<bool> = (0..self.steps.len()).map(|place| self.is_undone(place, Some(to))).collect();
        for (step, undone) in self.steps.iter_mut().zip(scope) {
            if !undone {
                continue;
            }
            if step.undo != Undoing::No || step.state == State::Completed {
                (step.failed, step.unknown) = (false, false);
                (step.undo, step.undo_failures, step.undo_lost) = (Undoing::No, 0, 0);
                step.generation += 1;
            }
            (step.state, step.output, step.failures, step.lost) = (State::Pending, None, 0, 0);
            (step.tried, step.admitted) = (false, false);
        }
        self.mode = Mode::Forward;
    }

    fn roll_back(&mut self, to: Option<usize>) -> bool {
        if let Mode::Unwinding { .. } | Mode::Ended(End::Compensated) = self.mode {
            return false;
        }
        let allowed = |passed: usize| {
            to.is_some_and(|to| to == passed || self.is_item_of(passed, to) || self.depends(to, passed))
        };
        if !self.irreversible().all(allowed) {
            return false;
        }
        let kept = |place: usize| !self.is_undone(place, to);
        if (0..self.steps.len())
            .any(|place| to.is_some() && kept(place) && self.steps[place].undo != Undoing::No)
        {
            return false;
        }
        let can_be_kept =
            |to: usize| self.steps[to].is_done() && !matches!(self.steps[to].state, State::Skipped { .. });
        if !to.is_none_or(can_be_kept) {
            return false;
        }
        if let Mode::Ended(End::StuckBack { .. }) = self.mode {
            self.steps
                .iter_mut()
                .filter(|step| step.undo == Undoing::Failed)
                .for_each(Known::try_undoing_again);
        }
        for place in 0..self.steps.len() {
            if self.is_undone(place, to) {
                self.stop(place);
            }
        }
        (self.mode, self.paused, self.cancelled) = (Mode::Unwinding { to }, false, false);
        true
    }

    fn resolve(&mut self, step: usize, how: How) -> bool {
        if self.steps[step].undo != Undoing::Failed {
            return false;
        }
        match how {
            How::Retry => self.steps[step].try_undoing_again(),
            How::Skip | How::Done => self.steps[step].undo = Undoing::Settled,
        }
        if let Mode::Ended(End::StuckBack { to }) = self.mode {
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

fn is_to_try_again(step: &Known) -> bool {
    matches!(
        step.state,
        State::Failed { tolerated: false } | State::Cancelled | State::Skipped { dependency: true }
    )
}
