//! How a run comes to its end before all is done.

use super::{End, Mode, OnError, Oracle, State};

impl Oracle {
    /// A step failed for good.
    pub(super) fn fail(&mut self, place: usize, fatal: bool) {
        let on_error = self.of(&self.steps[place]).on_error;
        let fast = fatal || on_error == OnError::FailFast;
        let tolerated = !fast && on_error != OnError::Fail;
        self.steps[place].state = match on_error {
            OnError::Skip if !fast => State::Skipped { dependency: false },
            _ => State::Failed { tolerated },
        };
        self.degraded |= tolerated;
        if tolerated {
            return;
        }
        if self.mode == Mode::Forward {
            self.mode = Mode::Failing;
        }
        if fast {
            self.stop_all();
        }
    }

    pub(super) fn lose(&mut self, place: usize) {
        let rules = self.of(&self.steps[place]).clone();
        let step = &mut self.steps[place];
        step.unknown = true;
        step.lost += 1;
        step.state = State::Pending;
        if rules.at_most_once || step.lost >= self.model.lost_limit {
            self.fail(place, false);
        }
    }

    /// The run took longer than it may: it fails as by a fatal failure.
    pub(super) fn overrun(&mut self) {
        if self.mode == Mode::Forward {
            self.mode = Mode::Failing;
            self.stop_all();
        }
    }

    /// Everything that runs is told to stop, but for what is irreversible: that is awaited.
    pub(super) fn stop_all(&mut self) {
        for place in 0..self.steps.len() {
            if !self.of(&self.steps[place]).irreversible {
                self.stop(place);
            }
        }
    }

    pub(super) fn stop(&mut self, place: usize) {
        if let State::Running { stopping } = &mut self.steps[place].state {
            *stopping = true;
        }
    }

    /// The run is about to end: what need not be awaited is cancelled, and when nothing runs, it ends.
    pub(super) fn wind_up(&mut self, cancel: Option<bool>) {
        self.cancel_idle(|_| true);
        self.gather();
        if self.is_running() {
            return;
        }
        self.close_fan_outs(|_| true);
        self.cancelled = cancel == Some(true);
        self.mode = match cancel {
            Some(false) => Mode::Ended(End::Cancelled),
            Some(true) => Mode::Unwinding { to: None },
            None if self.is_past_return() => Mode::Ended(End::StuckForward),
            None if !self.model.stops && self.anything_owed(None) => Mode::Unwinding { to: None },
            None => Mode::Ended(End::Failed),
        };
        if let Mode::Unwinding { to } = self.mode {
            self.unwind(to);
        }
    }

    /// What has been tried, waits, and will not go on is cancelled.
    pub(super) fn cancel_idle(&mut self, within: impl Fn(usize) -> bool) {
        for place in 0..self.steps.len() {
            let step = &mut self.steps[place];
            let idle = matches!(step.state, State::Retrying | State::Sleeping)
                || (step.state == State::Pending && step.tried);
            if idle && within(place) {
                step.state = State::Cancelled;
            }
        }
    }

    /// A fan-out that cannot be completed any more has failed with its items, or is cancelled.
    pub(super) fn close_fan_outs(&mut self, within: impl Fn(usize) -> bool) {
        for place in 0..self.steps.len() {
            if self.steps[place].state == State::Open && within(place) {
                let failed = self.items(place).any(|item| item.state == State::Failed { tolerated: false });
                self.steps[place].state =
                    if failed { State::Failed { tolerated: false } } else { State::Cancelled };
            }
        }
    }
}
