//! What a rollback undoes, and when.

use super::{End, Known, Mode, Oracle, Result, State, Undoing};

impl Oracle {
    pub(super) fn undo_result(&mut self, place: usize, result: &Result) {
        let tries = self.of(&self.steps[place]).undo.map_or(0, |undo| undo.tries);
        let step = &mut self.steps[place];
        let retriable = match result {
            Result::Done(_) => return step.undo = Undoing::Settled,
            Result::Failed { retriable, .. } => *retriable,
            Result::TimedOut | Result::Cancelled => true,
        };
        step.undo_failures += 1;
        let again = retriable && step.undo_failures < tries;
        step.undo = if again { Undoing::Retrying } else { Undoing::Failed };
    }

    /// Whether a step's work is to be undone and is not yet.
    pub(super) fn owes(&self, step: &Known) -> bool {
        let Some(undo) = self.of(step).undo else { return false };
        let whole = self.of(step).fan_out.is_some() && step.item.is_none();
        let did = step.output.is_some() || step.unknown || (undo.when_attempted && step.failed);
        !whole && did && step.undo != Undoing::Settled
    }

    pub(super) fn anything_owed(&self, to: Option<usize>) -> bool {
        (0..self.steps.len()).any(|place| self.is_undone(place, to) && self.owes(&self.steps[place]))
    }

    /// Whether a rollback to that step undoes this one.
    pub(super) fn is_undone(&self, place: usize, to: Option<usize>) -> bool {
        to.is_none_or(|to| self.depends(place, to))
    }

    /// Whether a step comes after another: directly, or by one in between.
    pub(super) fn depends(&self, place: usize, on: usize) -> bool {
        if place == on {
            return false;
        }
        let step = &self.steps[place];
        // An item needs what its whole needs. What needs a whole needs its items.
        let reaches = |need: usize| need == on || self.is_item_of(on, need) || self.depends(need, on);
        self.of(step).needs.iter().any(|need| reaches(*need))
    }

    pub(super) fn is_item_of(&self, place: usize, whole: usize) -> bool {
        self.steps[place].item.is_some_and(|(of, _)| of == whole)
    }

    /// Whether an irreversible step was begun, and may have done its work.
    pub(super) fn is_past_return(&self) -> bool {
        self.irreversible().next().is_some()
    }

    /// Irreversible steps that were begun, and may have done their work.
    pub(super) fn irreversible(&self) -> impl Iterator<Item = usize> {
        self.steps.iter().enumerate().filter_map(|(place, step)| {
            let running = matches!(step.state, State::Running { .. });
            let did = running || step.unknown || (step.tried && step.output.is_some());
            (self.of(step).irreversible && did).then_some(place)
        })
    }

    /// Whether it is a step's turn: all that depend on it are done with.
    fn is_its_turn(&self, place: usize, to: Option<usize>) -> bool {
        let step = &self.steps[place];
        let idle =
            matches!(step.undo, Undoing::No | Undoing::Ready) && !matches!(step.state, State::Running { .. });
        let free = |(other, after): (usize, &Known)| {
            let busy = self.owes(after) || matches!(after.state, State::Running { .. });
            !(busy && self.depends(other, place))
        };
        idle && self.is_undone(place, to) && self.owes(step) && self.steps.iter().enumerate().all(free)
    }

    pub(super) fn can_unwind(&self, to: Option<usize>) -> bool {
        !self.paused && self.has_turns(to)
    }

    fn has_turns(&self, to: Option<usize>) -> bool {
        (0..self.steps.len()).any(|place| self.is_its_turn(place, to))
    }

    pub(super) fn unwind(&mut self, to: Option<usize>) {
        let scope: Vec<bool> = (0..self.steps.len()).map(|place| self.is_undone(place, to)).collect();
        let within = |place: usize| scope.get(place).copied().unwrap_or(false);
        self.cancel_idle(within);
        if !self.is_doing(to) {
            self.close_fan_outs(within);
        }
        if self.paused {
            return self.end_unwinding(to);
        }
        let turns: Vec<usize> = (0..self.steps.len()).filter(|place| self.is_its_turn(*place, to)).collect();
        for place in turns {
            let step = &mut self.steps[place];
            step.undo = Undoing::Running;
            step.undo_attempt += 1;
        }
        self.end_unwinding(to);
    }

    /// Whether something runs that is to be undone.
    fn is_doing(&self, to: Option<usize>) -> bool {
        let running = |step: &Known| matches!(step.state, State::Running { .. });
        self.steps.iter().enumerate().any(|(place, step)| running(step) && self.is_undone(place, to))
    }

    fn end_unwinding(&mut self, to: Option<usize>) {
        let open = |step: &Known| matches!(step.undo, Undoing::Ready | Undoing::Running | Undoing::Retrying);
        if self.is_running() || self.steps.iter().any(open) {
            return;
        }
        if !self.anything_owed(to) {
            self.mode = to.map_or(Mode::Ended(End::Compensated), |to| Mode::Halted { to });
        } else if self.steps.iter().any(|step| step.undo == Undoing::Failed) && !self.has_turns(to) {
            self.mode = Mode::Ended(End::StuckBack { to });
        }
    }
}
