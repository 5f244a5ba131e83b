//! Steps that may take an earlier answer, as it is recorded.

use std::sync::Arc;

use super::{Contradiction, Evolution};
use crate::aggregates::run::shared::{LookedUp, Preparing, SharedEffectId};
use crate::aggregates::run::{StepIndex, StepPhase};
use crate::events::ids::StepId;
use crate::events::run::{AnswerKept, CacheAwaited, CacheHit, CacheMissed, RunEvent};

impl Evolution<'_> {
    pub(super) fn of_cache(&mut self, event: &RunEvent) -> Result<(), Contradiction> {
        match event {
            RunEvent::CacheBypassed(_) if self.run.steps.len() > 0 => {
                Err("there is something to do already".to_owned())
            }
            RunEvent::CacheBypassed(_) => {
                self.run.shared.bypasses_cache = true;
                Ok(())
            }
            RunEvent::CacheAwaited(event) => self.cache_awaited(event),
            RunEvent::CacheHit(event) => self.cache_hit(event),
            RunEvent::CacheMissed(event) => self.cache_missed(event),
            RunEvent::AnswerKept(event) => self.answer_kept(event),
            _ => Err("nothing is kept so".to_owned()),
        }
    }

    fn cache_awaited(&mut self, event: &CacheAwaited) -> Result<(), Contradiction> {
        let place = self.expect(&event.step, "look up an answer", |phase| *phase == StepPhase::READY)?;
        if self.run.shared.holds_up(place) {
            return Err(format!("step `{}` waits for something else", event.step));
        }
        self.take_from_ready(place)?;
        self.run.shared.looked_up.remove(&place);
        self.prepare(place, Preparing::LookingUp(Arc::new(event.clone())));
        Ok(())
    }

    fn cache_hit(&mut self, event: &CacheHit) -> Result<(), Contradiction> {
        let (place, _) = self.looked_up(&event.step)?;
        self.note_start(place)?;
        // It completes with what follows.
        self.make_ready(place)
    }

    fn cache_missed(&mut self, event: &CacheMissed) -> Result<(), Contradiction> {
        let (place, awaited) = self.looked_up(&event.step)?;
        self.run.shared.looked_up.insert(place, LookedUp { work: awaited.work, key: event.key });
        self.make_ready(place)
    }

    fn answer_kept(&mut self, event: &AnswerKept) -> Result<(), Contradiction> {
        let place = self.place(&event.step)?;
        match self.run.shared.looked_up.get(&place) {
            Some(looked_up) if looked_up.key == event.key => Ok(()),
            _ => Err(format!("step `{}` did not look for an answer under that key", event.step)),
        }
    }

    /// The step has its answer, or knows that there is none.
    fn looked_up(&mut self, step: &StepId) -> Result<(StepIndex, Arc<CacheAwaited>), Contradiction> {
        let place = self.place(step)?;
        let awaited = match self.run.shared.preparing.get(&place) {
            Some(Preparing::LookingUp(awaited)) => Arc::clone(awaited),
            _ => return Err(format!("step `{step}` looks for no answer")),
        };
        self.run.shared.preparing.remove(&place);
        self.close_shared(SharedEffectId::LookUp(step.clone()));
        Ok((place, awaited))
    }

    /// What an attempt does to its run beside its answer nobody has from the answer alone: it is not kept.
    pub(super) fn keep_answers_alone(&mut self, event: &RunEvent) {
        if self.run.shared.looked_up.is_empty() {
            return;
        }
        let does = match event {
            RunEvent::ContextChanged(event) => Some(&event.step),
            RunEvent::AttemptAnswered(event) => Some(&event.step),
            RunEvent::MessageGiven(event) => Some(&event.step),
            RunEvent::MessageHandled(event) => Some(&event.step),
            RunEvent::MessageSent(event) => Some(&event.step),
            RunEvent::HandoffDeclared(event) => Some(&event.step),
            RunEvent::Escalated(event) => Some(&event.step),
            RunEvent::StepAdded(event) => event.inside.as_ref(),
            _ => None,
        };
        if let Some(place) = does.and_then(|step| self.run.steps.index(step)) {
            self.run.shared.looked_up.remove(&place);
        }
    }
}
