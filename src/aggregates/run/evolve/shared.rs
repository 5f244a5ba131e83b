//! What a run asks of contexts that it shares with others, as it is recorded.

use std::sync::Arc;

use super::{Contradiction, Evolution};
use crate::aggregates::run::shared::{
    HeldLock, LockOf, Preparing, Reads, SharedEffect, SharedEffectId, ValueRead, Writing,
};
use crate::aggregates::run::{RunEffect, RunEffectId, StepIndex, StepPhase};
use crate::events::ids::Fence;
use crate::events::run::{
    AttemptAnswered, ContextAwaited, ContextRead, ContextWritten, LockAcquired, LockGivenBack, LockRequested,
    PreparationWithdrawn, Purpose, RunEvent,
};

impl Evolution<'_> {
    pub(super) fn of_shared(&mut self, event: &RunEvent) -> Result<(), Contradiction> {
        match event {
            RunEvent::ContextAwaited(event) => self.context_awaited(event),
            RunEvent::ContextRead(event) => self.context_read(event),
            RunEvent::LockRequested(event) => self.lock_requested(event),
            RunEvent::LockAcquired(event) => self.lock_acquired(event),
            RunEvent::LockGivenBack(event) => self.lock_given_back(event),
            RunEvent::PreparationWithdrawn(event) => self.preparation_withdrawn(event),
            RunEvent::AttemptAnswered(event) => self.attempt_answered(event),
            RunEvent::ContextWritten(event) => self.context_written(event),
            RunEvent::ConversationAwaited(event) => self.conversation_awaited(event),
            RunEvent::ConversationRead(event) => self.conversation_read(event),
            RunEvent::ConversationContinued(event) => self.conversation_continued(event),
            _ => Err("nothing is shared so".to_owned()),
        }
    }

    fn context_awaited(&mut self, event: &ContextAwaited) -> Result<(), Contradiction> {
        let ready = |phase: &StepPhase| *phase == StepPhase::READY;
        let place = self.expect(&event.step, "wait for what it reads", ready)?;
        if event.keys.is_empty() || self.run.shared.holds_up(place) {
            return Err(format!("step `{}` has nothing to read now", event.step));
        }
        self.take_from_ready(place)?;
        self.run.shared.reads.insert(place, Reads::default());
        self.prepare(place, Preparing::Reading(event.keys.iter().cloned().collect()));
        Ok(())
    }

    fn context_read(&mut self, event: &ContextRead) -> Result<(), Contradiction> {
        let place = self.place(&event.step)?;
        let key = (event.context.clone(), event.key.clone());
        if !self.run.shared.waits_for(place, &key) {
            return Err(format!("step `{}` does not wait for `{}`", event.step, event.key));
        }
        let read = ValueRead { version: event.version, value: event.value.clone() };
        let reads = self.run.shared.reads.entry(place).or_default();
        reads.values.insert(key, read);
        let read = reads.values.len();
        let is_last =
            |preparing: &Preparing| matches!(preparing, Preparing::Reading(keys) if keys.len() <= read);
        if !self.run.shared.preparing.get(&place).is_some_and(is_last) {
            return Ok(());
        }
        let reads = self.run.shared.reads.entry(place).or_default();
        reads.fresh = true;
        self.run.shared.preparing.remove(&place);
        self.close_shared(SharedEffectId::Read(event.step.clone()));
        self.make_ready(place)
    }

    fn lock_requested(&mut self, event: &LockRequested) -> Result<(), Contradiction> {
        let place = self.place(&event.step)?;
        let of = LockOf {
            context: event.context.clone(),
            lock: event.lock.clone(),
            owner: Arc::clone(&event.owner),
        };
        let is_again = match self.run.shared.preparing.get(&place) {
            Some(Preparing::Locking { lock, purpose, .. }) => {
                *purpose == event.purpose && (&lock.context, &lock.lock) == (&of.context, &of.lock)
            }
            Some(_) => false,
            None => self.node_mut(place)?.tries(event.purpose).is_some_and(|tries| tries.is_ready()),
        };
        if !is_again || !self.run.may_prepare(event.purpose) {
            return Err(format!("step `{}` cannot wait for a lock now", event.step));
        }
        if !self.run.shared.holds_up(place) {
            self.unready(place, event.purpose)?;
        }
        self.stop_preparing(place);
        // A lease that is over is given back, as far as its context does not know it.
        let held = self.run.shared.held.entry(place).or_default();
        let (old, kept) = std::mem::take(held)
            .into_iter()
            .partition(|held| (&held.of.context, &held.of.lock) == (&of.context, &of.lock));
        *held = kept;
        Vec::<HeldLock>::into_iter(old).for_each(|old| self.give_back(old.of));
        self.run.shared.requests += 1;
        self.prepare(place, Preparing::Locking { lock: of, until: event.until, purpose: event.purpose });
        Ok(())
    }

    fn lock_acquired(&mut self, event: &LockAcquired) -> Result<(), Contradiction> {
        let place = self.place(&event.step)?;
        let (of, purpose) = match self.run.shared.preparing.get(&place) {
            Some(Preparing::Locking { lock, purpose, .. })
                if (&lock.context, &lock.lock) == (&event.context, &event.lock) =>
            {
                (lock.clone(), *purpose)
            }
            _ => return Err(format!("step `{}` does not wait for lock `{}`", event.step, event.lock)),
        };
        self.run.shared.preparing.remove(&place);
        self.close_shared(SharedEffectId::Lock(of.clone()));
        let held = HeldLock { of, fence: event.fence, until: event.until };
        self.run.shared.held.entry(place).or_default().push(held);
        // What it read before may be another's by now, and with that its work another.
        self.read_anew(place);
        self.run.shared.looked_up.remove(&place);
        self.run.shared.heard.remove(&place);
        self.ready(place, purpose)
    }

    fn lock_given_back(&mut self, event: &LockGivenBack) -> Result<(), Contradiction> {
        let LockGivenBack { context, lock, owner } = event.clone();
        let of = LockOf { context, lock, owner };
        if !self.run.shared.giving_back.remove(&of) {
            return Err(format!("lock `{}` is not given back", of.lock));
        }
        self.close_shared(SharedEffectId::GiveBack(of));
        Ok(())
    }

    fn preparation_withdrawn(&mut self, event: &PreparationWithdrawn) -> Result<(), Contradiction> {
        let place = self.place(&event.step)?;
        let starts_nothing = self.run.paused || self.run.is_out_of_budget();
        if !starts_nothing || !self.run.is_prepared(place) {
            return Err(format!("step `{}` has nothing to withdraw", event.step));
        }
        let waited = self.run.shared.preparing.get(&place).map(Preparing::purpose);
        self.leave_shared(place, None);
        self.read_anew(place);
        waited.map_or(Ok(()), |purpose| self.ready(place, purpose))
    }

    fn attempt_answered(&mut self, event: &AttemptAnswered) -> Result<(), Contradiction> {
        let attempt = self.open_attempt(&event.step, event.purpose, event.attempt)?;
        let left = event.writes.iter().map(|write| (write.context.clone(), Arc::new(write.clone())));
        let key = (Arc::clone(&attempt.idempotency_key), event.attempt);
        let (answer, step) = (event.answer.clone(), event.step.clone());
        let turns = event.turns.clone().map(Arc::new);
        let writing = Writing { answer, step, key, left: left.collect(), turns };
        let waits_for_nothing = writing.effects(attempt.fence).next().is_none();
        if waits_for_nothing || self.run.is_writing(attempt.fence) {
            return Err(format!("attempt {} at `{}` has answered already", event.attempt, event.step));
        }
        self.changes.close(RunEffectId::Attempt(attempt.fence));
        writing.effects(attempt.fence).for_each(|effect| self.changes.open(RunEffect::Shared(effect)));
        self.run.shared.writing.insert(attempt.fence, writing);
        let place = self.place(&event.step)?;
        self.task_is_over(place, &attempt);
        Ok(())
    }

    fn context_written(&mut self, event: &ContextWritten) -> Result<(), Contradiction> {
        let attempt = self.open_attempt(&event.step, event.purpose, event.attempt)?;
        let writing = self.run.shared.writing.get_mut(&attempt.fence);
        let written = writing.and_then(|writing| writing.left.remove(&event.context));
        if written.is_none() {
            return Err(format!("nothing is to be written into `{}`", event.context));
        }
        self.close_shared(SharedEffectId::Write(attempt.fence, event.context.clone()));
        self.tell_conversation(attempt.fence);
        Ok(())
    }

    pub(super) fn prepare(&mut self, place: StepIndex, preparing: Preparing) {
        if let Some(node) = self.run.steps.get(place) {
            self.changes.open(RunEffect::Shared(preparing.effect(node.id().clone())));
        }
        self.run.shared.preparing.insert(place, preparing);
    }

    /// The step does not wait any longer for what it would have read, or for a lock.
    fn stop_preparing(&mut self, place: StepIndex) {
        let Some(preparing) = self.run.shared.preparing.remove(&place) else { return };
        let Some(node) = self.run.steps.get(place) else { return };
        self.close_shared(preparing.effect(node.id().clone()).id());
        if let Preparing::Locking { lock, .. } = preparing {
            self.give_back(lock);
        }
    }

    fn give_back(&mut self, lock: LockOf) {
        self.changes.open(RunEffect::Shared(SharedEffect::GiveBack(lock.clone())));
        self.run.shared.giving_back.insert(lock);
    }

    pub(super) fn close_shared(&mut self, effect: SharedEffectId) {
        self.changes.close(RunEffectId::Shared(effect));
    }

    /// What the step has read may be another's: before it is tried it is read again.
    pub(super) fn read_anew(&mut self, place: StepIndex) {
        if let Some(reads) = self.run.shared.reads.get_mut(&place) {
            reads.fresh = false;
        }
    }

    /// The same for all steps.
    pub(super) fn read_all_anew(&mut self) {
        self.run.shared.reads.values_mut().for_each(|reads| reads.fresh = false);
        self.run.shared.looked_up.clear();
        self.hear_all_anew();
    }

    /// An attempt of the step is over, or it is not to be tried: it holds nothing any more.
    pub(super) fn leave_shared(&mut self, place: StepIndex, attempt: Option<Fence>) {
        self.run.shared.looked_up.remove(&place);
        self.run.shared.heard.remove(&place);
        if self.run.shared.is_empty() {
            return;
        }
        self.stop_preparing(place);
        let held = self.run.shared.held.remove(&place).unwrap_or_default();
        held.into_iter().for_each(|held| self.give_back(held.of));
        if let Some((fence, writing)) = attempt.and_then(|fence| self.run.shared.writing.remove_entry(&fence))
        {
            writing.effects(fence).for_each(|effect| self.close_shared(effect.id()));
        }
    }

    /// A run that does not go forward prepares nothing, nor does one that is not undone prepare to undo; what has a lock and
    /// is not tried gives it back.
    pub(super) fn keep_shared(&mut self) {
        if self.run.shared.is_empty() || self.run.may_prepare(Purpose::Do) {
            return;
        }
        let undoes = self.run.may_prepare(Purpose::Compensate);
        let preparing = self.run.shared.preparing.iter();
        let vain = preparing.filter(|(_, preparing)| preparing.purpose() == Purpose::Do || !undoes);
        let held = self.run.shared.held.keys().filter(|place| {
            let node = self.run.steps.get(**place);
            let is_tried = node.is_some_and(|node| node.open_attempts().next().is_some());
            let is_undone = node.is_some_and(|node| node.compensation.is_some());
            !(is_tried || undoes && is_undone)
        });
        let vain: Vec<StepIndex> = vain.map(|(place, _)| *place).chain(held.copied()).collect();
        vain.into_iter().for_each(|place| self.leave_shared(place, None));
    }
}
