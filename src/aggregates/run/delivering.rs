//! Messages that their receivers handle as soon as they come: each is delivered, and what its receiver sends and changes is in the
//! commit that says that it is handled.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::advance::Advance;
use super::beside::Beside;
use super::receivers::Receivers;
use super::rejection::Refusal;
use super::sending::{Outgoing, Sender};
use super::{Phase, Run, RunRejection};
use crate::events::ids::{AgentName, Fence, MessageId, MessageNumber, StepId};
use crate::events::json::Json;
use crate::events::limits::MESSAGE_BODY_BYTES_MAX;
use crate::events::problem::Code;
use crate::events::run::{
    Address, DeliveryFailed, DeliveryLost, DeliveryStarted, MessageHandled, MessageKind, MessageSent,
};
use crate::workflow::envelope::Envelope;
use crate::workflow::work::{AgentRequest, Failure, Output};

/// How often an attempt, or who was delivered a message, may wait for answers: all of them are kept until it is over.
const ASKS_MAX: u32 = 10_000;

/// How long a receiver may take over a message, if that is of use for as long.
const DELIVERY_MAX: Duration = Duration::from_secs(600);

impl Run {
    /// Whether messages are delivered, or could be.
    pub(super) fn is_delivering(&self) -> bool {
        !self.messages.deliveries.is_empty()
            || self.may_deliver() && self.agents_to_deliver().next().is_some()
    }

    /// Whether messages may be delivered, or given to open attempts, as the run is. One that is about to end lets attempts end that may wait for answers.
    pub(super) fn may_deliver(&self) -> bool {
        !self.paused && self.delivers()
    }

    /// The same, once it is not paused.
    pub(super) fn delivers(&self) -> bool {
        matches!(self.phase, Phase::Going | Phase::Ending(_) | Phase::Unwinding(_))
    }

    /// The agents that could be delivered a message now.
    pub(super) fn agents_to_deliver(&self) -> impl Iterator<Item = &AgentName> {
        let agents = self.messages.to_deliver().map(|(agent, ..)| agent);
        agents.filter(|agent| !self.awaited_agents.contains_key(*agent))
    }

    /// The open delivery of that fence, as who sends in it.
    fn delivery(&self, fence: Fence) -> Option<(Arc<DeliveryStarted>, Sender)> {
        let delivery = self.messages.deliveries.get(&fence)?;
        let message = &self.messages.sent(delivery.number)?.message;
        let sender = Sender {
            agent: delivery.receiver.clone(),
            step: message.step.clone(),
            purpose: message.purpose,
            attempt: message.attempt,
            fence,
            delivers: true,
        };
        Some((Arc::clone(delivery), sender))
    }

    /// Who says something in an open attempt, or an open delivery.
    fn sender(&self, step: &StepId, fence: Fence) -> Option<Sender> {
        let attempt = self.open_attempt(step, fence).map(|(_, attempt)| Sender::from(&*attempt));
        attempt.or_else(|| self.delivery(fence).map(|(_, sender)| sender))
    }
}

impl Advance<'_, '_> {
    /// Delivers what can be, as far as there are slots.
    pub(super) fn start_deliveries(&mut self) {
        if !self.is_driven() || !self.draft.state().may_deliver() {
            return;
        }
        let receivers: Vec<AgentName> = self.draft.state().agents_to_deliver().cloned().collect();
        for receiver in receivers {
            self.expire_late(&receiver);
            let next = self.draft.state().messages().to_deliver().find(|(agent, ..)| **agent == receiver);
            let Some((_, sent, tries)) = next else { continue };
            let (number, until) = (sent.message.number, sent.message.deadline);
            if !self.has_slot(&receiver) {
                continue;
            }
            self.take_slot(&receiver);
            let longest = self.moment.now.after(DELIVERY_MAX);
            let deadline = until.map_or(longest, |until| until.min(longest));
            let fence = self.draft.state().fence().next();
            self.draft.emit(DeliveryStarted { number, receiver, nth: tries + 1, fence, deadline });
        }
    }

    /// Sends a message for an attempt or a delivery that goes on.
    ///
    /// # Errors
    /// When it may not be sent.
    pub(super) fn say(
        &mut self,
        step: &StepId,
        fence: Fence,
        message: &Json,
        asks: Option<u32>,
    ) -> Result<(), RunRejection> {
        let Some(sender) = self.draft.state().sender(step, fence) else {
            return Err(Refusal::NothingOpen(step.clone()).into());
        };
        if asks.is_some_and(|nth| nth >= ASKS_MAX) {
            let message =
                format!("it has asked {ASKS_MAX} times, and no more than that are answered to one attempt");
            return Err(Refusal::NotSaid { code: Code::TooManyMessages, message }.into());
        }
        let refused = |Failure { code, message, .. }| RunRejection::from(Refusal::NotSaid { code, message });
        let mut outgoing = self.outgoing(&sender, &[message]).map_err(refused)?;
        for message in &mut outgoing {
            let is_unheard = message.receivers.is_nobody || message.receivers.all.is_empty();
            if is_unheard && self.draft.state().messages().may_not_say_to_nobody(fence) {
                let message =
                    "it has said too much that nobody hears; what says it to an agent of the run is heard";
                return Err(
                    Refusal::NotSaid { code: Code::TooManyMessages, message: message.to_owned() }.into()
                );
            }
            (message.at_once, message.asks) = (true, asks);
            if let (Some(_), true, [nobody]) = (asks, message.receivers.is_nobody, &*message.receivers.all) {
                let near = self.directory().nearest(nobody).map(|near| format!("; did you mean `{near}`?"));
                let message = format!("the run has no agent `{nobody}`{}", near.unwrap_or_default());
                return Err(Refusal::NotSaid { code: Code::NoSuchReceiver, message }.into());
            }
        }
        self.send(&sender, outgoing);
        Ok(())
    }

    /// Who was delivered a message has handled it.
    pub(super) fn delivered(&mut self, fence: Fence, output: Output) -> Result<(), RunRejection> {
        let Some((delivery, sender)) = self.draft.state().delivery(fence) else { return Ok(()) };
        let sent = self.draft.state().messages().sent(delivery.number).map(|sent| sent.message.clone());
        let Some(sent) = sent else { return Ok(()) };
        let wanted = self.beside_delivery(&sender, &output).and_then(|beside| {
            let answer = self.answer(&sent, &sender, output.output)?;
            Ok((beside, answer))
        });
        let (beside, answer) = match wanted {
            Ok(wanted) => wanted,
            Err(failure) => {
                self.not_delivered(fence, failure);
                return Ok(());
            }
        };
        let Beside { writes, mut sends, .. } = beside;
        sends.extend(answer);
        self.write(&sender, writes);
        self.send(&sender, sends);
        let Sender { agent: receiver, step, purpose, attempt, .. } = sender;
        let (number, delivery) = (delivery.number, Some(fence));
        self.draft.emit(MessageHandled { number, receiver, step, purpose, attempt, delivery });
        Ok(())
    }

    /// What somebody wants who was delivered a message.
    fn beside_delivery(&self, sender: &Sender, output: &Output) -> Result<Beside, Failure> {
        let (mut own, mut messages) = (Vec::new(), Vec::new());
        for request in &output.requests {
            match request {
                AgentRequest::Context { key, value } if !key.contains('/') => {
                    own.push((key.clone(), value.clone()));
                }
                AgentRequest::Send(message) => messages.push(message),
                AgentRequest::Context { .. } | AgentRequest::Handoff(_) | AgentRequest::Call(_) => {
                    let message = format!(
                        "`{}` hands over, calls a tool, or writes into a context that runs share, where it handles a message",
                        sender.agent
                    );
                    return Err(Failure::new(Code::NotWithMessages, message));
                }
            }
        }
        Ok(Beside {
            writes: self.writes(own)?,
            sends: self.outgoing(sender, &messages)?,
            ..Beside::default()
        })
    }

    /// The answer to a message whose sender wants one.
    fn answer(&self, to: &MessageSent, by: &Sender, body: Json) -> Result<Option<Outgoing>, Failure> {
        if to.asks.is_none() && (to.kind != MessageKind::Request || body == Json::null()) {
            return Ok(None);
        }
        if body.text().len() > MESSAGE_BODY_BYTES_MAX {
            let (is, may) = (body.text().len(), MESSAGE_BODY_BYTES_MAX);
            let message =
                format!("the answer of `{}` has {is} bytes, and no more than {may} are sent", by.agent);
            return Err(Failure::new(Code::MessageTooLong, message));
        }
        if to.asks.is_none() {
            self.has_room([&to.from].into_iter())?;
        }
        let run = self.draft.state().about().map(|about| about.id.clone());
        let id = run.map(|run| MessageId { run, number: to.number }.to_string().into());
        let envelope = Envelope {
            to: Address::Agent(to.from.clone()),
            kind: MessageKind::Response,
            type_name: None,
            priority: to.priority,
            correlation: id,
            deadline: None,
            body,
        };
        let receivers = Receivers { all: vec![to.from.clone()], live: Vec::new(), is_nobody: false };
        let (causation, deadline) = (Some(to.number), to.deadline);
        Ok(Some(Outgoing { envelope, receivers, causation, deadline, at_once: false, asks: None }))
    }

    /// Whoever waits for an answer that was sent has it, and so has handled it.
    pub(super) fn tell_answer(&mut self, number: MessageNumber, asked: MessageNumber) {
        let messages = self.draft.state().messages();
        let Some(waits) = messages.asked.get(&asked).filter(|asked| asked.answer.is_none()) else { return };
        let sent = &waits.sent.message;
        let (receiver, step, purpose, attempt) =
            (sent.from.clone(), sent.step.clone(), sent.purpose, sent.attempt);
        let delivery = sent.delivery;
        // It may have come too late.
        if messages.sent(number).is_some_and(|sent| sent.message.receivers.contains(&receiver))
            && messages.waits(number, &receiver)
        {
            self.draft.emit(MessageHandled { number, receiver, step, purpose, attempt, delivery });
        }
    }

    /// Who was delivered a message has failed at it: it is delivered again, unless that would be in vain.
    pub(super) fn not_delivered(&mut self, fence: Fence, failure: Failure) {
        let Some(delivery) = self.draft.state().messages().deliveries.get(&fence).cloned() else { return };
        let (number, receiver) = (delivery.number, delivery.receiver.clone());
        let Failure { class, code, message, .. } = failure;
        let failed = DeliveryFailed { number, receiver, fence, class, code, message: message.clone() };
        self.draft.emit(failed);
        self.give_up_message(&delivery.receiver, number, !class.may_retry(), (code, &message));
    }

    /// Whoever made deliveries is gone, or is about to go.
    pub(super) fn lose_deliveries(&mut self, interrupted: bool, kept: &BTreeSet<Fence>) {
        let open = self.draft.state().messages().deliveries.iter();
        let open = open.filter(|(fence, _)| !kept.contains(fence)).map(|(_, delivery)| Arc::clone(delivery));
        for delivery in open.collect::<Vec<_>>() {
            let (number, receiver, fence) = (delivery.number, delivery.receiver.clone(), delivery.fence);
            self.draft.emit(DeliveryLost { number, receiver, fence, interrupted });
            let why = (Code::LostTooOften, "the process that delivered it ended");
            self.give_up_message(&delivery.receiver, number, false, why);
        }
    }
}
