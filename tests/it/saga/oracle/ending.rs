//! How a run comes to its end before all is done.

use super::{Does, End, Mode, OnError, Oracle, State};

impl Oracle {
    /// An agent has failed for good at a step: where there is another, it is that one's turn.
    pub(super) fn fail_or_fall_back(&mut self, place: usize, fatal: bool, stuck: bool) {
        let step = &mut self.steps[place];
        if !step.rules.fallback || fatal || step.fallen_back || self.mode != Mode::Forward {
            return self.fail(place, fatal, stuck);
        }
        (step.state, step.fallen_back) = (State::Pending, true);
        // What was granted was the first agent's work.
        (step.failures, step.lost, step.granted) = (0, 0, None);
    }

    /// A step failed for good, perhaps because the run is stuck that it started.
    pub(super) fn fail(&mut self, place: usize, fatal: bool, stuck: bool) {
        let on_error = self.steps[place].rules.on_error;
        let fast = fatal || on_error == OnError::FailFast;
        let tolerated = !fast && on_error != OnError::Fail;
        self.steps[place].state = match on_error {
            OnError::Skip if !fast => State::Skipped { dependency: false },
            _ => State::Failed { tolerated },
        };
        self.degraded |= tolerated;
        if tolerated {
            self.hand_up(place, false);
            return self.done(place);
        }
        if self.mode == Mode::Forward {
            (self.mode, self.stuck_child) = (Mode::Failing, stuck);
        }
        if fast && self.mode == Mode::Failing {
            self.stop_all();
        }
    }

    pub(super) fn lose(&mut self, place: usize) {
        let step = &mut self.steps[place];
        step.unknown = true;
        step.state = State::Pending;
        // A child goes on without its parent, and cannot be what ended that.
        step.lost += u32::from(step.rules.does != Does::Child);
        if step.rules.at_most_once || step.lost >= self.model.lost_limit {
            self.fail_or_fall_back(place, false, false);
        }
    }

    /// The run took longer than it may: it fails as by a fatal failure.
    pub(super) fn overrun(&mut self) {
        if self.mode == Mode::Forward {
            (self.mode, self.stuck_child) = (Mode::Failing, false);
            self.stop_all();
        }
    }

    /// Everything that runs is told to stop, but for what is irreversible: that is awaited.
    pub(super) fn stop_all(&mut self) {
        for place in self.places() {
            if !self.steps[place].rules.irreversible {
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
        self.withdraw(|_| true);
        self.cancel_idle(|_| true);
        if self.is_running() {
            return;
        }
        self.close_wholes(|_| true);
        self.cancelled = cancel == Some(true);
        self.mode = match cancel {
            Some(false) => Mode::Ended(End::Cancelled),
            // A child came that far before it could be stopped.
            Some(true) if self.is_past_return() => Mode::Ended(End::StuckForward),
            Some(true) => Mode::Unwinding { to: None },
            None if self.is_past_return() || self.stuck_child => Mode::Ended(End::StuckForward),
            None if !self.model.stops && self.anything_owed(&None) => Mode::Unwinding { to: None },
            None => Mode::Ended(End::Failed),
        };
        if let Mode::Unwinding { to } = self.mode.clone() {
            self.unwind(&to);
        }
    }

    /// What has been tried, waits, and will not go on is cancelled.
    pub(super) fn cancel_idle(&mut self, within: impl Fn(usize) -> bool) {
        for place in self.places() {
            let step = &self.steps[place];
            let waits =
                matches!(step.state, State::Retrying | State::Sleeping | State::Asking | State::Awaiting);
            let is_tried = step.state == State::Pending && step.tried;
            if !within(place) || !(waits || is_tried) {
                continue;
            }
            match step.state {
                State::Asking => self.ask_no_longer(place),
                State::Awaiting => self.wait_no_longer(place),
                _ => {}
            }
            self.steps[place].state = State::Cancelled;
        }
    }

    /// What cannot be completed any more though others grew in it has failed with them, or is cancelled.
    pub(super) fn close_wholes(&mut self, within: impl Fn(usize) -> bool) {
        for place in self.places().rev() {
            if self.steps[place].state == State::Open && within(place) {
                let failed = self.failed_inside(place);
                self.steps[place].state =
                    if failed { State::Failed { tolerated: false } } else { State::Cancelled };
            }
        }
    }

    fn failed_inside(&self, whole: usize) -> bool {
        let failed = |inner: usize| self.steps[inner].state == State::Failed { tolerated: false };
        self.inner(whole).any(|inner| failed(inner) || self.failed_inside(inner))
    }
}
