//! What attempts and deliveries send to other agents.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::RunRejection;
use super::advance::Advance;
use super::messages::Fate;
use super::receivers::Receivers;
use super::rejection::Refusal;
use crate::events::ids::{AgentName, Fence, MessageNumber, StepId};
use crate::events::json::Json;
use crate::events::limits::{MAILBOX_MAX, MESSAGES_SENT_MAX, MESSAGES_WAITING_MAX};
use crate::events::problem::{Code, Remedy};
use crate::events::run::{
    AttemptStarted, ExpiredWhy, MessageExpired, MessageKind, MessageSent, Purpose, RunEvent,
};
use crate::events::time::Timestamp;
use crate::workflow::envelope::{Envelope, Until};
use crate::workflow::work::Failure;

/// Who sends: an open attempt, or who was delivered a message of that attempt, or one that it led to.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    pub(super) agent: AgentName,
    pub(super) step: StepId,
    pub(super) purpose: Purpose,
    pub(super) attempt: u32,
    /// The fence of the attempt, or of the delivery.
    pub(super) fence: Fence,
    pub(super) delivers: bool,
}

/// A message that may be sent.
pub(super) struct Outgoing {
    pub(super) envelope: Envelope,
    pub(super) receivers: Receivers,
    pub(super) causation: Option<MessageNumber>,
    pub(super) deadline: Option<Timestamp>,
    /// Whether it is sent while its sender goes on.
    pub(super) at_once: bool,
    /// Where its sender waits for the answer, how many it had asked before.
    pub(super) asks: Option<u32>,
}

impl From<&AttemptStarted> for Sender {
    fn from(attempt: &AttemptStarted) -> Self {
        Self {
            agent: attempt.agent.clone(),
            step: attempt.step.clone(),
            purpose: attempt.purpose,
            attempt: attempt.attempt,
            fence: attempt.fence,
            delivers: false,
        }
    }
}

impl Sender {
    /// The fence of the delivery, if it is one.
    pub(super) fn delivery(&self) -> Option<Fence> {
        Some(self.fence).filter(|_| self.delivers)
    }
}

impl Advance<'_, '_> {
    /// What somebody sends, each with whom it is for.
    ///
    /// # Errors
    /// When one of them is none, there are too many, or too many wait.
    pub(super) fn outgoing(&self, sender: &Sender, messages: &[&Json]) -> Result<Vec<Outgoing>, Failure> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        if messages.len() > MESSAGES_SENT_MAX {
            let message = format!(
                "it sends {} messages, and no more than {MESSAGES_SENT_MAX} may be sent by one attempt",
                messages.len()
            );
            return Err(Failure::new(Code::TooManyMessages, message));
        }
        let (directory, now) = (self.directory(), self.moment.now);
        let outgoing = |message: &&Json| {
            let envelope = Envelope::read(message)?;
            let receivers = self.receivers(&envelope, &sender.agent, &directory)?;
            let deadline = envelope.deadline.map(|until| match until {
                Until::After(length) => now.after(length),
                Until::Moment(at) => Timestamp(at.0.saturating_sub(self.moment.wall_ahead_us())),
            });
            let causation = self.causation(sender.fence, envelope.correlation.as_deref());
            Ok(Outgoing { envelope, receivers, causation, deadline, at_once: false, asks: None })
        };
        let outgoing = messages.iter().map(outgoing).collect::<Result<Vec<_>, Failure>>()?;
        let living = outgoing.iter().filter(|outgoing| !outgoing.receivers.is_nobody);
        self.has_room(living.flat_map(|outgoing| &outgoing.receivers.all))?;
        Ok(outgoing)
    }

    /// Records what somebody sends.
    pub(super) fn send(&mut self, sender: &Sender, outgoing: Vec<Outgoing>) {
        for Outgoing { envelope, receivers, causation, deadline, at_once, asks } in outgoing {
            let Envelope { to, kind, type_name, priority, correlation, deadline: _, body } = envelope;
            let Receivers { all, live, is_nobody } = receivers;
            let body = self.draft.payload(body);
            let message = MessageSent {
                number: self.draft.state().messages().last.next(),
                from: sender.agent.clone(),
                step: sender.step.clone(),
                purpose: sender.purpose,
                attempt: sender.attempt,
                to,
                receivers: all,
                kind,
                type_name,
                priority,
                correlation,
                causation,
                deadline,
                body,
                by: None,
                delivery: sender.delivery(),
                at_once,
                asks,
                live,
            };
            self.send_one(message, is_nobody);
        }
    }

    /// Records one, and that it is dead at once where that is so.
    fn send_one(&mut self, message: MessageSent, is_for_nobody: bool) {
        let (number, receivers) = (message.number, message.receivers.clone());
        let answers = message.causation.filter(|_| message.kind == MessageKind::Response);
        receivers.iter().for_each(|receiver| self.expire_late(receiver));
        self.draft.emit(message);
        if is_for_nobody {
            for receiver in receivers {
                let nearest = self.directory().nearest(&receiver);
                self.draft.emit(MessageExpired { number, receiver, why: ExpiredWhy::NoReceiver { nearest } });
            }
        } else {
            receivers.iter().for_each(|receiver| self.expire_late(receiver));
            if let Some(asked) = answers {
                self.tell_answer(number, asked);
            }
        }
    }

    /// Records of what waits for an agent that it is of no use any more, where that is so.
    pub(super) fn expire_late(&mut self, agent: &AgentName) {
        for number in self.draft.state().messages().late_for(agent, self.moment.now) {
            let (receiver, why) = (agent.clone(), ExpiredWhy::Deadline);
            self.draft.emit(MessageExpired { number, receiver, why });
        }
    }

    /// Records how an attempt ended without success. What it was given waits again, unless that has happened too often.
    pub(super) fn end_without_success(
        &mut self,
        attempt: &AttemptStarted,
        ended: impl Into<RunEvent>,
        (code, message): (Code, &str),
    ) {
        let given = self.numbers_given(attempt);
        self.draft.emit(ended);
        self.give_up_messages(attempt, given, (code, message));
    }

    /// Sends a message again to those for whom it is dead.
    ///
    /// # Errors
    /// When it is not, or cannot be sent.
    pub(super) fn send_again(&mut self, number: MessageNumber, by: Arc<str>) -> Result<(), RunRejection> {
        let run = self.draft.state();
        let (sent, receivers) = match run.messages().fate(number) {
            Fate::Unknown => {
                let last = run.messages().last;
                return Err(Refusal::NoSuchMessage { number, last }.into());
            }
            Fate::OnItsWay => return Err(Refusal::MessageOnItsWay(number).into()),
            Fate::Settled => return Err(Refusal::MessageSettled(number).into()),
            Fate::Dead(sent, receivers) => (sent, receivers),
        };
        let directory = self.directory();
        let found = receivers.iter().filter_map(|receiver| directory.find(receiver)).cloned();
        let found: Vec<AgentName> = found.collect();
        if let (Some(nobody), []) = (receivers.first(), &*found) {
            let near = directory.nearest(nobody).map(|near| Remedy::from(format!("did you mean `{near}`?")));
            return Err(Refusal::NoReceiver(nobody.clone()).but(near.into_iter().collect::<Vec<_>>()));
        }
        if let Err(full) = self.has_room(found.iter()) {
            return Err(Refusal::MailboxFull(full.message).into());
        }
        let live = self.live_among(&found, &sent.message);
        let message = MessageSent {
            number: self.draft.state().messages().last.next(),
            receivers: found,
            live,
            delivery: None,
            at_once: false,
            asks: None,
            causation: Some(number),
            // It was missed: whoever sends it again wants it to be handled all the same.
            deadline: None,
            by: Some(by),
            ..sent.message.clone()
        };
        self.send_one(message, false);
        Ok(())
    }

    /// The message that another answers: of those that its sender was given the one that it belongs together with, else the
    /// only one.
    fn causation(&self, fence: Fence, correlation: Option<&str>) -> Option<MessageNumber> {
        let run = self.draft.state();
        let id = run.about().map(|about| &about.id);
        let mut given = run.messages().given(fence).map(|sent| &sent.message);
        let first = given.next()?;
        let mut all = std::iter::once(first).chain(given);
        let belongs = |message: &&MessageSent| {
            let names_it = |text: &str| {
                let number =
                    text.rsplit_once('/').filter(|(run, _)| id.is_some_and(|id| id.as_str() == *run));
                number.is_some_and(|(_, number)| *number == message.number.to_string())
            };
            correlation.is_some_and(|text| message.correlation.as_deref() == Some(text) || names_it(text))
        };
        let is_alone = run.messages().given(fence).nth(1).is_none();
        all.find(belongs).map(|message| message.number).or_else(|| is_alone.then_some(first.number))
    }

    /// Whether one more message may wait for each of these, however often each is named.
    pub(super) fn has_room<'n>(&self, receivers: impl Iterator<Item = &'n AgentName>) -> Result<(), Failure> {
        let (messages, now) = (self.draft.state().messages(), self.moment.now);
        let mut more: BTreeMap<String, (&AgentName, usize)> = BTreeMap::new();
        for receiver in receivers {
            more.entry(receiver.key()).or_insert((receiver, 0)).1 += 1;
        }
        let full = |message: String| Err(Failure::new(Code::MailboxFull, message));
        let mut late = 0;
        for (receiver, count) in more.values() {
            let late_for = messages.late_for(receiver, now).len();
            let waiting = messages.waiting_for(receiver) - late_for;
            late += late_for;
            if waiting + count > MAILBOX_MAX {
                return full(format!(
                    "{waiting} messages wait for `{receiver}`, and {count} more would be over the {MAILBOX_MAX} that may"
                ));
            }
        }
        let all = messages.unhandled() - late;
        let count: usize = more.values().map(|(_, count)| count).sum();
        if all + count > MESSAGES_WAITING_MAX {
            return full(format!(
                "{all} messages wait in the run, and {count} more would be over the {MESSAGES_WAITING_MAX} that may"
            ));
        }
        Ok(())
    }
}
