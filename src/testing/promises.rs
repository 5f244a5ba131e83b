//! What must hold for every history of a run, whatever its workflow is and whatever happened to it. The
//! checks use only the events, and share no code with the decisions.

pub(crate) mod budget;
pub(crate) mod messages;
mod people;

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::events::ids::{Fence, StepId};
use crate::events::run::*;
use crate::workflow::definition::{Definition, OnFailure};
use budget::Purse;
use messages::Post;
use people::People;

/// Checks a history:
///
/// - a step whose completion is recorded is not tried again in that generation, and one attempt of it is open at most
/// - all attempts of a generation and purpose carry one key, and no others carry it; fences grow
/// - an `at_most_once` step is started once at most in a generation
/// - each compensation is begun once and recorded once, dependents and later rounds first, and never over an irreversible
///   step
/// - a run ends `compensated` when all that was owed is settled, and `failed` when nothing is owed
/// - nothing starts while the run is paused, or after it ended
/// - nothing passes a gate that was not opened by as many people as it needs, all of whom may answer; each
///   answer counts once
/// - only attempts that succeed send messages; each receiver handles each once, in order, with an attempt that was given it; one that
///   converses in any order, while it goes on
/// - nothing is spent beyond a limit but what attempts report beyond what was reserved for them, each of which is settled once
/// - a signal lets one step go on; a fallback agent is engaged once, until the step is retried
///
/// # Errors
/// The first event that breaks a promise, and which promise.
pub fn check<E: Borrow<RunEvent>>(definition: &Definition, history: &[E]) -> Result<(), String> {
    // What the definitions of its agents say stands in none of its events: whose programs converse is known by what they are given.
    let converse = history.iter().filter_map(|event| match event.borrow() {
        RunEvent::MessageGiven(given) => Some(given.receiver.clone()),
        _ => None,
    });
    let (rolls_back, post) = (definition.on_failure == OnFailure::Rollback, Post::of(converse));
    let mut audit = Audit { rolls_back, post, ..Audit::default() };
    for (event, version) in history.iter().zip(1..) {
        let event = event.borrow();
        audit.see(event).map_err(|why| format!("version {version}: {why}"))?;
    }
    Ok(())
}

#[derive(Default)]
struct Audit {
    steps: BTreeMap<StepId, Seen>,
    people: People,
    post: Post,
    purse: Purse,
    rolls_back: bool,
    keys: HashMap<Arc<str>, (StepId, u32, Purpose)>,
    fence: Fence,
    paused: bool,
    ended: bool,
    /// Whether what was done is being undone or will be; and whether only back to a step.
    unwinds: bool,
    partial: bool,
    /// Whether later rounds of a loop are undone before earlier ones.
    rounds_in_turn: bool,
}

/// What is known about a step in its current generation.
struct Seen {
    added: StepAdded,
    generation: u32,
    open: Option<(u32, Purpose)>,
    key: HashMap<Purpose, Arc<str>>,
    started: u32,
    completed: bool,
    unknown: bool,
    failed: bool,
    /// How the child run that it started had ended, when that was last told.
    child: Option<ChildEnded>,
    /// Whether that was told when the run was being undone already: then the child passed its point of no
    /// return too late to count.
    late: bool,
    compensation: Compensation,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Compensation {
    NotBegun,
    Begun,
    Failed,
    /// Done, by an attempt or by a person, or left out by a person.
    Settled,
}

impl Seen {
    fn owes(&self) -> bool {
        let Some(undo) = &self.added.undo else { return false };
        let attempted = self.failed && undo.when == UndoWhen::Attempted;
        // A child run that has been undone itself leaves nothing to undo.
        if self.child.as_ref().is_some_and(|child| &*child.status == "compensated") {
            return false;
        }
        (self.completed || self.unknown || attempted) && self.compensation != Compensation::Settled
    }

    fn is_past_return(&self) -> bool {
        let doing = matches!(self.open, Some((_, Purpose::Do)));
        let child = self.child.as_ref().is_some_and(|child| child.past_return);
        child && !self.late || self.added.irreversible && (doing || self.completed || self.unknown)
    }
}

type Verdict = Result<(), String>;

fn must(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise()) }
}

impl Audit {
    fn see(&mut self, event: &RunEvent) -> Verdict {
        self.follows_the_end(event)?;
        self.people.see(event)?;
        self.post.see(event)?;
        self.purse.see(event)?;
        match event {
            RunEvent::StepAdded(added) => self.added(added),
            RunEvent::AttemptStarted(started) => self.started(started),
            RunEvent::AttemptFailed(failed) => {
                let seen = self.closes(&failed.step, failed.attempt, failed.purpose)?;
                if failed.purpose == Purpose::Do {
                    seen.failed = true;
                    seen.unknown |= failed.outcome == Outcome::Unknown;
                    seen.completed |= failed.answered.is_some();
                }
                Ok(())
            }
            RunEvent::AttemptLost(lost) => {
                let seen = self.closes(&lost.step, lost.attempt, lost.purpose)?;
                seen.unknown |= lost.purpose == Purpose::Do;
                Ok(())
            }
            RunEvent::StepCompleted(done) if done.attempt > 0 => {
                self.closes(&done.step, done.attempt, Purpose::Do)?.completed = true;
                Ok(())
            }
            RunEvent::ChildEnded(ended) => {
                let Some(seen) = self.steps.get_mut(&ended.step) else {
                    return Err(format!("`{}` was never added", ended.step));
                };
                (seen.child, seen.late) = (Some(ended.clone()), self.unwinds);
                Ok(())
            }
            RunEvent::CompensationStarted(started) => self.compensation_started(started),
            RunEvent::StepCompensated(done) => {
                let seen = self.closes(&done.step, done.attempt, Purpose::Compensate)?;
                seen.compensation = Compensation::Settled;
                Ok(())
            }
            RunEvent::CompensationFailed(failed) => {
                self.settle(&failed.step, Compensation::Begun, Compensation::Failed)
            }
            RunEvent::CompensationResolved(resolved) => {
                let to = match resolved.how {
                    Resolution::Retry => Compensation::Begun,
                    Resolution::Skip | Resolution::Done => Compensation::Settled,
                };
                self.ended = false;
                self.settle(&resolved.step, Compensation::Failed, to)
            }
            _ => self.see_of_run(event),
        }
    }

    fn see_of_run(&mut self, event: &RunEvent) -> Verdict {
        match event {
            RunEvent::RunPaused(_) => self.paused = true,
            RunEvent::RunUnpaused(_) => (self.paused, self.unwinds) = (false, self.unwinds && !self.partial),
            RunEvent::CancelRequested(cancel) => (self.paused, self.unwinds) = (false, cancel.rollback),
            RunEvent::RetryRequested(_) => (self.paused, self.ended, self.unwinds) = (false, false, false),
            RunEvent::RollbackStarted(rollback) => {
                self.paused &= !matches!(rollback.cause, RollbackCause::Request { .. });
                (self.ended, self.unwinds, self.partial) = (false, true, rollback.to.is_some());
                self.rounds_in_turn = rollback.rounds == RoundOrder::LastFirst;
                // Compensations that failed are tried again.
                let failed = self.steps.values_mut().filter(|seen| seen.compensation == Compensation::Failed);
                failed.for_each(|seen| seen.compensation = Compensation::Begun);
            }
            RunEvent::RunCompleted(_)
            | RunEvent::RunFailed(_)
            | RunEvent::RunCompensated(_)
            | RunEvent::RunCancelled(_)
            | RunEvent::RunStuck(_) => {
                (self.ended, self.paused) = (true, false);
                let open = self.steps.iter().find(|(_, seen)| seen.open.is_some());
                open.map_or(Ok(()), |(step, _)| {
                    Err(format!("the run ends, and an attempt of `{step}` is open"))
                })?;
            }
            _ => {}
        }
        let owed = self.steps.iter().find(|(_, seen)| seen.owes()).map(|(step, _)| step);
        let nothing_owed = |end: &str| match owed {
            Some(step) => Err(format!("the run is {end}, and the compensation of `{step}` is owed")),
            None => Ok(()),
        };
        match event {
            RunEvent::RunCompensated(_) => nothing_owed("compensated"),
            RunEvent::RunFailed(_) if self.rolls_back => nothing_owed("failed"),
            RunEvent::RunStuck(stuck) => self.stuck(stuck.why),
            _ => Ok(()),
        }
    }

    fn stuck(&self, why: StuckWhy) -> Verdict {
        let mut steps = self.steps.values();
        let so = match why {
            StuckWhy::Compensation => steps.any(|seen| seen.compensation == Compensation::Failed),
            // The reason for which a child is stuck is in the child's own history.
            StuckWhy::Child => true,
            StuckWhy::Irreversible => steps.any(Seen::is_past_return),
        };
        must(so, || format!("the run is stuck for no reason: {why:?}"))
    }

    fn follows_the_end(&self, event: &RunEvent) -> Verdict {
        let revives = matches!(
            event,
            RunEvent::RetryRequested(_)
                | RunEvent::RollbackStarted(_)
                | RunEvent::CompensationResolved(_)
                | RunEvent::CancelRequested(_)
                | RunEvent::RunCancelled(_)
        );
        // That a context knows a lock to be free changes nothing of the run.
        let changes_nothing = matches!(event, RunEvent::LockGivenBack(_));
        must(!self.ended || revives || changes_nothing, || "something follows the end of the run".to_owned())
    }

    fn added(&mut self, added: &StepAdded) -> Verdict {
        let seen = Seen {
            added: added.clone(),
            generation: 1,
            open: None,
            key: HashMap::new(),
            started: 0,
            completed: false,
            unknown: false,
            failed: false,
            child: None,
            late: false,
            compensation: Compensation::NotBegun,
        };
        let before = self.steps.insert(added.step.clone(), seen);
        must(before.is_none_or(|seen| seen.compensation == Compensation::Settled || !seen.owes()), || {
            format!("`{}` is added again, and its compensation is owed", added.step)
        })
    }

    fn started(&mut self, started: &AttemptStarted) -> Verdict {
        let step = &started.step;
        must(!self.paused, || format!("an attempt of `{step}` starts while the run is paused"))?;
        must(started.fence > self.fence, || format!("the fence of `{step}` is not newer than all others"))?;
        self.fence = started.fence;
        let whose = (step.clone(), started.generation, started.purpose);
        let same = self.keys.entry(Arc::clone(&started.idempotency_key)).or_insert_with(|| whose.clone());
        must(*same == whose, || format!("the key of `{step}` is that of {same:?}"))?;
        let Some(seen) = self.steps.get_mut(step) else { return Err(format!("`{step}` was never added")) };
        must(seen.open.is_none(), || format!("two attempts of `{step}` are open at once"))?;
        seen.open = Some((started.attempt, started.purpose));
        if started.purpose == Purpose::Do && started.generation > seen.generation {
            must(!seen.owes(), || format!("`{step}` is done anew, and its compensation is owed"))?;
            seen.key.clear();
            (seen.generation, seen.started, seen.compensation) =
                (started.generation, 0, Compensation::NotBegun);
            (seen.completed, seen.unknown, seen.failed, seen.child) = (false, false, false, None);
        }
        must(started.generation == seen.generation, || format!("`{step}` is tried in an old generation"))?;
        let key = seen.key.entry(started.purpose).or_insert_with(|| Arc::clone(&started.idempotency_key));
        must(*key == started.idempotency_key, || format!("an attempt of `{step}` has another key"))?;
        if started.purpose == Purpose::Compensate {
            let begun = seen.compensation == Compensation::Begun;
            return must(begun, || {
                format!("`{step}` is compensated while its compensation is {:?}", seen.compensation)
            });
        }
        must(!seen.completed, || format!("`{step}` is completed, and tried again"))?;
        seen.started += 1;
        must(!seen.added.at_most_once || seen.started == 1, || format!("`{step}` is started more than once"))
    }

    /// Ends the open attempt of a step.
    fn closes(&mut self, step: &StepId, attempt: u32, purpose: Purpose) -> Result<&mut Seen, String> {
        let Some(seen) = self.steps.get_mut(step) else { return Err(format!("`{step}` was never added")) };
        let was = seen.open.take();
        must(was == Some((attempt, purpose)), || {
            format!("attempt {attempt} of `{step}` ends, and {was:?} is open")
        })?;
        Ok(seen)
    }

    fn settle(&mut self, step: &StepId, from: Compensation, to: Compensation) -> Verdict {
        let Some(seen) = self.steps.get_mut(step) else { return Err(format!("`{step}` was never added")) };
        let was = std::mem::replace(&mut seen.compensation, to);
        must(was == from, || format!("the compensation of `{step}` goes from {was:?} to {to:?}"))
    }

    fn compensation_started(&mut self, started: &CompensationStarted) -> Verdict {
        let step = &started.step;
        must(!self.paused, || format!("`{step}` begins to be undone while the run is paused"))?;
        let dependents = self.dependents(step);
        for (other, seen) in &self.steps {
            if dependents.contains(other) {
                must(!seen.owes(), || format!("`{step}` is undone before `{other}`, which depends on it"))?;
                must(seen.open.is_none(), || {
                    format!("`{step}` is undone while `{other}` runs, which depends on it")
                })?;
            }
            let in_turn = !self.rounds_in_turn || !seen.owes() || !self.is_of_later_round(other, step);
            must(in_turn, || format!("`{step}` is undone before `{other}`, which is of a later round"))?;
            let over = seen.is_past_return() && !self.dependents(other).contains(step);
            must(!over, || format!("`{step}` is undone after the irreversible `{other}`"))?;
        }
        let Some(seen) = self.steps.get(step) else { return Err(format!("`{step}` was never added")) };
        must(seen.owes(), || format!("`{step}` is undone, and owes no compensation"))?;
        let told = if seen.completed { Undoes::Completed } else { Undoes::Unknown };
        must(started.outcome == told, || {
            format!("the compensation of `{step}` is told {:?}", started.outcome)
        })?;
        self.settle(step, Compensation::NotBegun, Compensation::Begun)
    }

    /// Whether a step belongs to a later round of a loop than another step.
    fn is_of_later_round(&self, step: &StepId, than: &StepId) -> bool {
        let (rounds, others) = (self.rounds_around(step), self.rounds_around(than));
        rounds.iter().any(|(whole, round)| others.get(whole).is_some_and(|other| other < round))
    }

    /// The loops that a step is inside of, and the number of the round in each.
    fn rounds_around(&self, step: &StepId) -> BTreeMap<StepId, u32> {
        let mut rounds = BTreeMap::new();
        let mut next = self.steps.get(step);
        while let Some(StepAdded { step, inside: Some(whole), because, .. }) = next.map(|seen| &seen.added) {
            if let (Because::Repeat, Some((_, round))) = (because, step.as_str().rsplit_once('#')) {
                rounds.insert(whole.clone(), round.parse().unwrap_or(0));
            }
            next = self.steps.get(whole);
        }
        rounds
    }

    /// Everything that comes after a step: the steps that need it, those inside of them, and those that need
    /// a step that it is inside of.
    fn dependents(&self, step: &StepId) -> BTreeSet<StepId> {
        let mut found = BTreeSet::new();
        let mut around = self.steps.get(step).and_then(|seen| seen.added.inside.clone());
        let mut open = vec![step.clone()];
        while let Some(whole) = around {
            around = self.steps.get(&whole).and_then(|seen| seen.added.inside.clone());
            open.extend(self.steps.iter().filter(|(_, seen)| seen.added.needs.contains(&whole)).map(
                |(id, _)| {
                    found.insert(id.clone());
                    id.clone()
                },
            ));
        }
        while let Some(of) = open.pop() {
            for (id, seen) in &self.steps {
                let after = seen.added.needs.contains(&of) || seen.added.inside.as_ref() == Some(&of);
                if after && found.insert(id.clone()) {
                    open.push(id.clone());
                }
            }
        }
        found
    }
}
