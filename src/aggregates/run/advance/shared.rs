//! Before a step is tried it has read what it uses of shared contexts, and holds its locks; what its attempt writes into them is
//! written before the attempt has succeeded.

use std::collections::BTreeMap;

use super::Advance;
use crate::aggregates::context::{LockSays, OfContext};
use crate::aggregates::run::shared::{HeldLock, LOCK_WAIT, LockOf, OfShared, Preparing, Writing, failure};
use crate::aggregates::run::{Impossible, RunRejection, StepIndex};
use crate::events::ids::{ContextKey, ContextName, Fence, KeyVersion, LockName, StepId};
use crate::events::json::Json;
use crate::events::problem::Code;
use crate::events::run::*;
use crate::events::time::Timestamp;
use crate::kernel::Unreadable;
use crate::workflow::definition::Step;
use crate::workflow::scope::References;
use crate::workflow::work::{Failure, Output};

/// What becomes of an open attempt whose contexts, and whose conversation, have answered.
pub(in crate::aggregates::run) enum Written {
    /// They have taken all that comes of it: this is all that it answered.
    All(StepId, Fence, Output),
    /// One has not.
    Failed(StepId, Fence, Failure),
}

/// The failure of an attempt that answered what another stream did not take: what it used up and said is known all the same.
pub(super) fn refused(output: Output, why: (Code, String)) -> Failure {
    let Output { usage, transcript, calls, .. } = output;
    Failure { usage, transcript, ..failure(why) }.with_calls(calls)
}

impl Advance<'_, '_> {
    /// Whether a step has to read something of shared contexts before it is looked at; then it waits for that.
    pub(super) fn must_read(&mut self, place: StepIndex, step: &Step) -> Result<bool, RunRejection> {
        if self.definition.contexts.is_empty() {
            return Ok(false);
        }
        let run = self.draft.state();
        if run.shared.reads.get(&place).is_some_and(|reads| reads.fresh) {
            return Ok(false);
        }
        let references = [step.references(), step.output_references(), step.compensation_references()];
        let until = step.repeat.as_ref().map(|repeat| repeat.until.references());
        let references: References = references.iter().chain(until).collect();
        let named = references.contexts.into_iter();
        // Aliases that the workflow does not have are refused where files and plans are read.
        let named =
            named.filter_map(|(alias, key)| Some((self.definition.contexts.get(&alias)?.clone(), key)));
        let mut keys: Vec<(ContextName, ContextKey)> = named.collect();
        keys.sort();
        keys.dedup();
        if keys.is_empty() {
            return Ok(false);
        }
        let step = self.node(place)?.id().clone();
        self.draft.emit(ContextAwaited { step, keys });
        Ok(true)
    }

    /// Whether a step has to get a lock before it is tried; then it waits for that.
    pub(super) fn must_lock(
        &mut self,
        place: StepIndex,
        purpose: Purpose,
        step: &Step,
    ) -> Result<bool, RunRejection> {
        let run = self.draft.state();
        let held = run.shared.held.get(&place).map_or(&[][..], |held| held);
        let is_held = |context: &ContextName, lock: &LockName| {
            let is_it = |held: &&HeldLock| (&held.of.context, &held.of.lock) == (context, lock);
            held.iter().find(is_it).is_some_and(|held| held.until > self.moment.now)
        };
        let Some(wanted) = step.locks.iter().find(|lock| !is_held(&lock.context, &lock.lock)) else {
            return Ok(false);
        };
        let timeout = match purpose {
            Purpose::Do => step.timeout,
            Purpose::Compensate => step.compensate.as_ref().and_then(|compensate| compensate.timeout),
        };
        let until = self.moment.now.after(timeout.unwrap_or(LOCK_WAIT));
        let (context, lock) = (wanted.context.clone(), wanted.lock.clone());
        self.request_lock(place, purpose, (context, lock), until)?;
        Ok(true)
    }

    fn request_lock(
        &mut self,
        place: StepIndex,
        purpose: Purpose,
        (context, lock): (ContextName, LockName),
        until: Timestamp,
    ) -> Result<(), RunRejection> {
        let run = self.draft.state();
        let id = &run.about().ok_or(Impossible::NotBegun)?.id;
        let step = self.node(place)?.id().clone();
        let owner = format!("{id}/{step}#{}", run.shared.requests + 1).into();
        self.draft.emit(LockRequested { step, purpose, context, lock, owner, until });
        Ok(())
    }

    /// Another process drives the run: the time in which nobody did is none in which its steps waited for locks.
    pub(in crate::aggregates::run) fn wait_anew_for_locks(&mut self) -> Result<(), RunRejection> {
        let waiting = self.draft.state().shared.preparing.iter();
        let late = waiting.filter_map(|(place, preparing)| match preparing {
            Preparing::Locking { lock, until, purpose } if *until <= self.moment.now => {
                Some((*place, *purpose, (lock.context.clone(), lock.lock.clone())))
            }
            _ => None,
        });
        for (place, purpose, lock) in late.collect::<Vec<_>>() {
            let until = self.moment.now.after(LOCK_WAIT);
            self.request_lock(place, purpose, lock, until)?;
        }
        Ok(())
    }

    /// Takes in what a shared context says. Answers what becomes of an attempt with that, if anything does.
    pub(in crate::aggregates::run) fn of_shared(
        &mut self,
        says: OfShared,
    ) -> Result<Option<Written>, RunRejection> {
        match says {
            OfShared::LookedUp { step, key, found } => self.looked_up(&step, key, found)?,
            OfShared::NotLookedUp { step, why } => self.not_looked_up(&step, why)?,
            OfShared::Read { step, values } => self.read(&step, values),
            OfShared::NotRead { step, why } => self.not_read(&step, why)?,
            OfShared::Lock(says) => self.of_lock(says)?,
            OfShared::LockRefused { step, of, why } => self.lock_refused(&step, &of, why)?,
            OfShared::GivenBack(of) => {
                if self.draft.state().shared.giving_back.contains(&of) {
                    let LockOf { context, lock, owner } = of;
                    self.draft.emit(LockGivenBack { context, lock, owner });
                }
            }
            OfShared::Written { step, fence, context, refused } => {
                return self.written(step, fence, context, refused);
            }
            OfShared::Conversation(says) => return self.of_conversation(says),
        }
        Ok(None)
    }

    fn read(&mut self, step: &StepId, values: Vec<(ContextName, ContextKey, KeyVersion, Json)>) {
        for (context, key, version, value) in values {
            let run = self.draft.state();
            let wanted = (context, key);
            if !run.steps.index(step).is_some_and(|place| run.shared.waits_for(place, &wanted)) {
                continue;
            }
            let (value, (context, key)) = (self.draft.payload(value), wanted);
            self.draft.emit(ContextRead { step: step.clone(), context, key, version, value });
        }
    }

    fn not_read(&mut self, step: &StepId, why: (Code, String)) -> Result<(), RunRejection> {
        let run = self.draft.state();
        let place = run.steps.index(step);
        let waits =
            place.filter(|place| matches!(run.shared.preparing.get(place), Some(Preparing::Reading(_))));
        let Some(place) = waits else { return Ok(()) };
        let Failure { class, code, message, .. } = failure(why);
        self.fail(place, class, code, message)
    }

    fn of_lock(&mut self, OfContext { context, lock, owner, says }: OfContext) -> Result<(), RunRejection> {
        let of = LockOf { context, lock, owner };
        let Some((step, purpose)) = self.waits_for_lock(&of) else { return Ok(()) };
        match says {
            LockSays::Granted { fence, until } => {
                self.undoes_if(purpose);
                let LockOf { context, lock, .. } = of;
                self.draft.emit(LockAcquired { step, context, lock, fence, until });
                Ok(())
            }
            LockSays::WaitEnded { holder } => {
                let LockOf { context, lock, .. } = &of;
                let by = holder.map(|holder| format!(", which `{holder}` holds")).unwrap_or_default();
                let message = format!("it waited in vain for lock `{lock}` of context `{context}`{by}");
                self.lock_refused(&step, &of, (Code::LockWaitOver, message))
            }
        }
    }

    /// A step does not get a lock that it waits for: it is not tried again, for it has waited as long as it may.
    fn lock_refused(&mut self, step: &StepId, of: &LockOf, why: (Code, String)) -> Result<(), RunRejection> {
        let Some((waits, purpose)) = self.waits_for_lock(of) else { return Ok(()) };
        let Some(place) = self.draft.state().steps.index(&waits).filter(|_| waits == *step) else {
            return Ok(());
        };
        self.undoes_if(purpose);
        let Failure { class, code, message, .. } = failure(why);
        self.give_up(place, purpose, class, code, message)
    }

    fn undoes_if(&mut self, purpose: Purpose) {
        if purpose == Purpose::Compensate {
            self.undoes_only();
        }
    }

    fn waits_for_lock(&self, of: &LockOf) -> Option<(StepId, Purpose)> {
        let run = self.draft.state();
        run.shared.preparing.iter().find_map(|(place, preparing)| match preparing {
            Preparing::Locking { lock, purpose, .. } if lock == of => {
                Some((run.steps.get(*place)?.id().clone(), *purpose))
            }
            _ => None,
        })
    }

    fn written(
        &mut self,
        step: StepId,
        fence: Fence,
        context: ContextName,
        refused: Option<(Code, String)>,
    ) -> Result<Option<Written>, RunRejection> {
        let run = self.draft.state();
        let Some((_, attempt)) = run.open_attempt(&step, fence) else { return Ok(None) };
        let writing = run.shared.writing.get(&fence).filter(|writing| writing.left.contains_key(&context));
        let Some(writing) = writing else { return Ok(None) };
        let is_last = writing.left.len() == 1 && writing.turns.is_none();
        let output = self.answer_of(writing)?;
        if let Some(why) = refused {
            return Ok(Some(Written::Failed(step, fence, self::refused(output, why))));
        }
        let (purpose, number) = (attempt.purpose, attempt.attempt);
        self.draft.emit(ContextWritten { purpose, step: step.clone(), attempt: number, context });
        Ok(is_last.then_some(Written::All(step, fence, output)))
    }

    /// All that an attempt answered which is not over.
    pub(super) fn answer_of(&self, writing: &Writing) -> Result<Output, RunRejection> {
        let answer = self.draft.json(&writing.answer, self.moment)?;
        let output = serde_json::from_str(answer.text());
        Ok(output.map_err(|error| Impossible::NoAnswer(writing.step.clone(), error.to_string()))?)
    }

    /// What expressions see of shared contexts, by alias.
    pub(super) fn shared_values(
        &self,
        place: StepIndex,
        references: &References,
    ) -> Result<BTreeMap<String, BTreeMap<String, Json>>, Unreadable> {
        let mut contexts = BTreeMap::<String, BTreeMap<String, Json>>::new();
        let reads = self.draft.state().read_by(place);
        for (alias, key) in &references.contexts {
            let values = contexts.entry(alias.clone()).or_default();
            let name = self.definition.contexts.get(alias);
            let of = name.and_then(|name| reads?.values.get(&(name.clone(), key.clone())));
            if let Some(read) = of.filter(|read| read.version > KeyVersion(0)) {
                values.insert(key.to_string(), self.draft.json(&read.value, self.moment)?);
            }
        }
        Ok(contexts)
    }
}
