//! What a rollback undoes, and when.

use super::{End, Kept, Known, Mode, Oracle, Outcome, Part, RETRY, State, Undoing};

impl Oracle {
    pub(super) fn undo_result(&mut self, place: usize, outcome: &Outcome) {
        let step = &mut self.steps[place];
        let tries = step.undoing().map_or(0, |undo| undo.tries);
        let retriable = match outcome {
            Outcome::Done { .. } => return step.undo = Undoing::Settled,
            Outcome::Failed { retriable, .. } => *retriable,
            Outcome::TimedOut | Outcome::Cancelled => true,
        };
        step.undo_failures += 1;
        let again = retriable && step.undo_failures < tries;
        (step.undo, step.undo_wakes) =
            (if again { Undoing::Retrying } else { Undoing::Failed }, self.now + RETRY);
    }

    /// Whether a step's work is to be undone and is not yet.
    pub(super) fn owes(&self, step: &Known) -> bool {
        let Some(undo) = step.undoing() else { return false };
        let did = step.output.is_some() || step.unknown || (undo.when_attempted && step.failed);
        // A child that has undone itself leaves nothing.
        let nothing = step.is_whole() || step.child.is_some_and(|child| child.compensated);
        !nothing && did && step.state != State::Left && step.undo != Undoing::Settled
    }

    pub(super) fn anything_owed(&self, to: &Kept) -> bool {
        self.places().any(|place| self.is_undone(place, to) && self.owes(&self.steps[place]))
    }

    /// Whether a rollback to those steps undoes this one: all that comes after them, and not before them.
    pub(super) fn is_undone(&self, place: usize, to: &Kept) -> bool {
        let Some(to) = to else { return self.steps[place].state != State::Left };
        let outer = self.outermost(place);
        let stays = to.iter().any(|kept| *kept == outer || self.depends(*kept, outer));
        let comes_after = to.iter().any(|kept| self.depends(outer, *kept));
        comes_after && !stays && self.steps[place].state != State::Left
    }

    /// The step of the file that a step is, or grew in.
    pub(super) fn outermost(&self, place: usize) -> usize {
        self.steps[place].inside.map_or(place, |inside| self.outermost(inside))
    }

    /// Whether a step comes after another: directly, or by one in between.
    pub(super) fn depends(&self, place: usize, on: usize) -> bool {
        if place == on {
            return false;
        }
        // What needs a whole needs what grew in it; what grew in a step needs what that needs.
        let reaches = |need: usize| need == on || self.is_within(on, need) || self.depends(need, on);
        self.needs(place).any(reaches)
            || self.steps[place].inside.is_some_and(|whole| self.depends(whole, on))
    }

    /// Whether a step is undone before another: what comes after it, what grew in it, and what is of a later round.
    fn is_undone_before(&self, place: usize, other: usize) -> bool {
        self.depends(place, other) || self.is_within(place, other) || self.is_of_later_round(place, other)
    }

    /// Whether a step is, or is inside, a later round of a loop than another is, or is inside.
    fn is_of_later_round(&self, place: usize, than: usize) -> bool {
        let later = |round: usize, other: usize| {
            let same_loop = self.steps[round].inside == self.steps[other].inside;
            let rounds = self.steps[round].part == Part::Round && self.steps[other].part == Part::Round;
            rounds && same_loop && round > other
        };
        let others: Vec<usize> = self.around(than).collect();
        self.around(place).any(|round| others.iter().any(|other| later(round, *other)))
    }

    /// A step, and all that it grew in.
    fn around(&self, place: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(place), |inner| self.steps[*inner].inside)
    }

    /// Whether an irreversible step was begun, and may have done its work.
    pub(super) fn is_past_return(&self) -> bool {
        self.irreversible().next().is_some()
    }

    /// Irreversible steps that were begun, and may have done their work, and those whose child passed its own.
    pub(super) fn irreversible(&self) -> impl Iterator<Item = usize> {
        self.steps.iter().enumerate().filter_map(|(place, step)| {
            let did = step.is_running() || step.unknown || (step.tried && step.output.is_some());
            let child = step.child.is_some_and(|child| child.past_return);
            let irreversible = step.rules.irreversible && !step.is_whole() && did;
            (step.state != State::Left && (irreversible || child)).then_some(place)
        })
    }

    /// Whether it is a step's turn: all that is undone before it is done with.
    fn is_its_turn(&self, place: usize, to: &Kept) -> bool {
        let step = &self.steps[place];
        let idle = matches!(step.undo, Undoing::No | Undoing::Ready) && !step.is_running();
        let free = |other: usize| {
            let busy = self.owes(&self.steps[other]) || self.steps[other].is_running();
            !(busy && self.is_undone_before(other, place))
        };
        idle && self.is_undone(place, to) && self.owes(step) && self.places().all(free)
    }

    pub(super) fn can_unwind(&self, to: &Kept) -> bool {
        !self.paused && self.driven && self.has_turns(to)
    }

    fn has_turns(&self, to: &Kept) -> bool {
        self.places().any(|place| self.is_its_turn(place, to))
    }

    pub(super) fn unwind(&mut self, to: &Kept) {
        let scope: Vec<bool> = self.places().map(|place| self.is_undone(place, to)).collect();
        let within = |place: usize| scope.get(place).copied().unwrap_or(false);
        self.withdraw(within);
        self.cancel_idle(within);
        if !self.is_doing(to) {
            self.close_wholes(within);
        }
        if self.paused || !self.driven {
            return self.end_unwinding(to);
        }
        let turns: Vec<usize> = self.places().filter(|place| self.is_its_turn(*place, to)).collect();
        for place in turns {
            let step = &mut self.steps[place];
            step.undo = Undoing::Running;
            step.undo_attempt += 1;
        }
        self.end_unwinding(to);
    }

    /// Whether something runs that is to be undone.
    fn is_doing(&self, to: &Kept) -> bool {
        self.places().any(|place| self.steps[place].is_running() && self.is_undone(place, to))
    }

    fn end_unwinding(&mut self, to: &Kept) {
        let open = |step: &Known| matches!(step.undo, Undoing::Ready | Undoing::Running | Undoing::Retrying);
        if self.is_running() || self.steps.iter().any(open) {
            return;
        }
        if !self.anything_owed(to) {
            self.mode = match to {
                None => Mode::Ended(End::Compensated),
                Some(_) => Mode::Halted { to: to.clone() },
            };
            self.forget_until();
        } else if self.steps.iter().any(|step| step.undo == Undoing::Failed) && !self.has_turns(to) {
            self.mode = Mode::Ended(End::StuckBack { to: to.clone() });
        }
    }
}
