//! Conversations that steps of a run go on with, as it is recorded.

use std::sync::Arc;

use super::{Contradiction, Evolution};
use crate::aggregates::run::shared::{Preparing, SharedEffectId};
use crate::aggregates::run::{RunEffect, StepPhase};
use crate::events::ids::Fence;
use crate::events::run::{ConversationAwaited, ConversationContinued, ConversationRead, Purpose};

impl Evolution<'_> {
    pub(super) fn conversation_awaited(&mut self, event: &ConversationAwaited) -> Result<(), Contradiction> {
        let ready = |phase: &StepPhase| *phase == StepPhase::READY;
        let place = self.expect(&event.step, "wait for a conversation", ready)?;
        if self.run.shared.holds_up(place) {
            return Err(format!("step `{}` waits for something else", event.step));
        }
        self.take_from_ready(place)?;
        self.run.shared.heard.remove(&place);
        self.prepare(place, Preparing::Hearing(event.conversation.clone()));
        Ok(())
    }

    pub(super) fn conversation_read(&mut self, event: &ConversationRead) -> Result<(), Contradiction> {
        let place = self.place(&event.step)?;
        match self.run.shared.preparing.get(&place) {
            Some(Preparing::Hearing(conversation)) if *conversation == event.conversation => {}
            _ => return Err(format!("step `{}` does not wait for `{}`", event.step, event.conversation)),
        }
        self.run.shared.preparing.remove(&place);
        self.close_shared(SharedEffectId::Hear(event.step.clone()));
        self.run.shared.heard.insert(place, Arc::new(event.clone()));
        self.make_ready(place)
    }

    pub(super) fn conversation_continued(
        &mut self,
        event: &ConversationContinued,
    ) -> Result<(), Contradiction> {
        let attempt = self.open_attempt(&event.step, Purpose::Do, event.attempt)?;
        let writing = self.run.shared.writing.get_mut(&attempt.fence);
        let writing = writing.filter(|writing| writing.left.is_empty());
        let waits = writing.filter(|writing| {
            writing.turns.as_ref().is_some_and(|turns| turns.conversation == event.conversation)
        });
        let Some(writing) = waits else {
            return Err(format!("nothing is to be added to `{}`", event.conversation));
        };
        writing.turns = None;
        self.close_shared(SharedEffectId::Continue(attempt.fence));
        Ok(())
    }

    /// A context has taken what an attempt writes: if that was the last, the conversation is told what the attempt adds to it.
    pub(super) fn tell_conversation(&mut self, fence: Fence) {
        let writing = self.run.shared.writing.get(&fence).filter(|writing| writing.left.is_empty());
        let effects: Vec<_> = writing.into_iter().flat_map(|writing| writing.effects(fence)).collect();
        effects.into_iter().for_each(|effect| self.changes.open(RunEffect::Shared(effect)));
    }

    /// What steps have heard of conversations may be old: before they are tried they hear it again. What is tried goes on with what it
    /// was given.
    pub(super) fn hear_all_anew(&mut self) {
        let steps = &self.run.steps;
        let is_tried = |node: &crate::aggregates::run::Node| node.open_attempts().next().is_some();
        self.run.shared.heard.retain(|place, _| steps.get(*place).is_some_and(is_tried));
    }
}
