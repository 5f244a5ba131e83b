//! The messages between the agents of a run, as they are sent, delivered, handled, and die.

use std::sync::Arc;

use super::{Contradiction, Evolution};
use crate::aggregates::run::{Phase, RunEffect, RunEffectId};
use crate::events::ids::{AgentName, Fence, MessageNumber, StepId};
use crate::events::run::{
    DeliveryFailed, DeliveryLost, DeliveryStarted, MessageExpired, MessageGiven, MessageHandled, MessageSent,
    Purpose, RunEvent, StepAdded, StepKind,
};

impl Evolution<'_> {
    pub(super) fn message_sent(&mut self, event: &MessageSent) -> Result<(), Contradiction> {
        let fence = match (&event.by, event.delivery) {
            (Some(_), _) => None,
            (None, Some(fence)) => Some(self.delivery(fence)?.fence),
            (None, None) => Some(self.open_attempt(&event.step, event.purpose, event.attempt)?.fence),
        };
        self.run.messages.send(event, fence, self.now)
    }

    pub(super) fn message_given(&mut self, event: &MessageGiven) -> Result<(), Contradiction> {
        let (number, fence) =
            (event.number, self.open_attempt(&event.step, event.purpose, event.attempt)?.fence);
        if self.run.is_writing(fence) {
            return Err(format!("the attempt at `{}` has answered", event.step));
        }
        self.run.messages.give_one(&event.receiver, number, fence)?;
        self.changes.open(RunEffect::Give { fence, number });
        Ok(())
    }

    pub(super) fn message_handled(&mut self, event: &MessageHandled) -> Result<(), Contradiction> {
        let MessageHandled { number, receiver, .. } = event;
        let fence = match event.delivery {
            Some(fence) => self.delivery(fence)?.fence,
            None => self.open_attempt(&event.step, event.purpose, event.attempt)?.fence,
        };
        // What an attempt was given it handles as that, whatever it answers.
        let was_given = self.run.messages.was_given(fence, *number);
        let is_answer = !was_given
            && self.run.messages.sent(*number).is_some_and(|sent| {
                let asked = sent.message.causation.and_then(|asked| self.run.messages.asked.get(&asked));
                asked.is_some_and(|asked| asked.fence == fence && asked.answer.is_none())
            });
        if is_answer {
            let asked = self.run.messages.answer(receiver, *number, fence)?;
            self.run.messages.answered(asked).into_iter().for_each(|answer| self.changes.open(answer));
            return Ok(());
        }
        self.run.messages.handle(fence, receiver, *number)?;
        self.changes.close(RunEffectId::Give(fence, *number));
        if event.delivery.is_some() {
            self.end_delivery(fence);
        }
        Ok(())
    }

    pub(super) fn message_expired(&mut self, event: &MessageExpired) -> Result<(), Contradiction> {
        self.run.messages.expire(&event.receiver, event.number)
    }

    pub(super) fn delivery_started(&mut self, event: &DeliveryStarted) -> Result<(), Contradiction> {
        if event.fence <= self.run.fence {
            return Err(format!(
                "the fence of a delivery of message {} is not newer than all others",
                event.number
            ));
        }
        let delivery = Arc::new(event.clone());
        self.run.messages.deliver(&delivery)?;
        self.run.fence = event.fence;
        self.changes.open(RunEffect::Deliver(delivery));
        Ok(())
    }

    /// A delivery is over without success.
    pub(super) fn delivery_ended(&mut self, event: &RunEvent) -> Result<(), Contradiction> {
        match event {
            RunEvent::DeliveryFailed(event) => self.delivery_failed(event),
            RunEvent::DeliveryLost(event) => self.delivery_lost(event),
            _ => Err("it is the end of no delivery".to_owned()),
        }
    }

    fn delivery_failed(&mut self, event: &DeliveryFailed) -> Result<(), Contradiction> {
        self.delivery_of(event.fence, event.number)?;
        self.run.messages.count_try(event.fence);
        self.end_delivery(event.fence);
        Ok(())
    }

    fn delivery_lost(&mut self, event: &DeliveryLost) -> Result<(), Contradiction> {
        self.delivery_of(event.fence, event.number)?;
        if !event.interrupted {
            self.run.messages.count_try(event.fence);
        }
        self.end_delivery(event.fence);
        Ok(())
    }

    fn delivery(&self, fence: Fence) -> Result<&Arc<DeliveryStarted>, Contradiction> {
        self.run.messages.deliveries.get(&fence).ok_or_else(|| format!("no delivery {fence} is open"))
    }

    fn delivery_of(&self, fence: Fence, number: MessageNumber) -> Result<(), Contradiction> {
        match self.delivery(fence)?.number == number {
            true => Ok(()),
            false => Err(format!("delivery {fence} is not one of message {number}")),
        }
    }

    fn end_delivery(&mut self, fence: Fence) {
        self.run.messages.end_delivery(fence);
        self.changes.close(RunEffectId::Deliver(fence));
        self.ask_no_longer(fence);
    }

    /// An attempt or a delivery is over: nobody waits any more for the answers that it wanted.
    pub(super) fn ask_no_longer(&mut self, fence: Fence) {
        for nth in self.run.messages.ask_no_longer(fence) {
            self.changes.close(RunEffectId::Answer(fence, nth));
        }
    }

    /// Whether somebody who was delivered a message of that attempt, or one that it led to, does this.
    pub(super) fn is_of_delivery(&self, step: &StepId, purpose: Purpose, attempt: u32) -> bool {
        let messages = &self.run.messages;
        let mut delivered = messages.deliveries.values().filter_map(|open| messages.sent(open.number));
        delivered.any(|sent| {
            let sent = &sent.message;
            (&sent.step, sent.purpose, sent.attempt) == (step, purpose, attempt)
        })
    }

    /// Where nothing goes on nothing is delivered: what was being waits again.
    pub(super) fn keep_deliveries(&mut self) {
        if !matches!(self.run.phase, Phase::Ended(_)) {
            return;
        }
        let open: Vec<Fence> = self.run.messages.deliveries.keys().copied().collect();
        open.into_iter().for_each(|fence| self.end_delivery(fence));
    }

    /// An attempt that is open is about to end: that counts for what it was given and has not handled.
    pub(super) fn count_try(&mut self, step: &StepId, purpose: Purpose, attempt: u32) {
        if let Ok(open) = self.open_attempt(step, purpose, attempt) {
            self.run.messages.count_try(open.fence);
        }
    }

    /// The agents that a step names are the run's.
    pub(super) fn meet_agents(&mut self, added: &StepAdded) {
        let agent: Option<&AgentName> = match &added.kind {
            StepKind::Work { agent } | StepKind::Repeat { agent } => Some(agent),
            StepKind::FanOut { agent, .. } => agent.as_ref(),
            StepKind::Sleep | StepKind::Wait { .. } | StepKind::AskOfPhase => None,
        };
        let undoes = added.undo.as_ref().map(|undo| &undo.agent);
        agent.into_iter().chain(undoes).for_each(|agent| self.run.messages.meet(agent));
    }
}
