//! What attempts send to other agents, and what becomes of what they were given: both in the commit of what they came to.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::RunRejection;
use super::advance::Advance;
use super::messages::Fate;
use super::rejection::Refusal;
use crate::events::ids::{AgentName, MessageNumber};
use crate::events::json::Json;
use crate::events::limits::{MAILBOX_MAX, MESSAGE_TRIES_MAX, MESSAGES_SENT_MAX, MESSAGES_WAITING_MAX};
use crate::events::problem::{Code, Remedy, nearest};
use crate::events::run::{
    Address, AttemptStarted, ExpiredWhy, MessageExpired, MessageHandled, MessageSent, RunEvent,
};
use crate::events::time::Timestamp;
use crate::kernel::ReadBlob;
use crate::workflow::definition::SHELL_AGENT;
use crate::workflow::envelope::{Envelope, Until};
use crate::workflow::topic::TopicPattern;
use crate::workflow::work::Failure;

/// A message that an attempt sends, which may be sent.
pub(super) struct Outgoing {
    envelope: Envelope,
    receivers: Vec<AgentName>,
    /// Whether none of the agents that it is for is there: then it has one receiver, which nobody is.
    is_for_nobody: bool,
    causation: Option<MessageNumber>,
    deadline: Option<Timestamp>,
}

/// What an agent's definition says of the topics that it hears of.
#[derive(Deserialize)]
struct Subscriptions {
    #[serde(default)]
    subscribes: Vec<TopicPattern>,
}

impl ReadBlob for Subscriptions {
    fn read_blob(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}

/// The agents that a message may be for, by the keys of their names.
struct Directory(BTreeMap<String, AgentName>);

impl Advance<'_, '_> {
    /// What an attempt that succeeded sends, each with whom it is for.
    ///
    /// # Errors
    /// When one of them is none, there are too many, or too many wait.
    pub(super) fn outgoing(
        &self,
        attempt: &AttemptStarted,
        messages: &[&Json],
    ) -> Result<Vec<Outgoing>, Failure> {
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
            let receivers = self.receivers(&envelope.to, &attempt.agent, &directory)?;
            let is_for_nobody = receivers.is_none();
            let receivers = match (receivers, &envelope.to) {
                (Some(receivers), _) => receivers,
                (None, Address::Agent(nobody)) => vec![nobody.clone()],
                (None, Address::Topic(_) | Address::Everyone) => Vec::new(),
            };
            let deadline = envelope.deadline.map(|until| match until {
                Until::After(length) => now.after(length),
                Until::Moment(at) => Timestamp(at.0.saturating_sub(self.moment.wall_ahead_us())),
            });
            let causation = self.causation(attempt, envelope.correlation.as_deref());
            Ok(Outgoing { envelope, receivers, is_for_nobody, causation, deadline })
        };
        let outgoing = messages.iter().map(outgoing).collect::<Result<Vec<_>, Failure>>()?;
        let living = outgoing.iter().filter(|outgoing| !outgoing.is_for_nobody);
        self.has_room(living.flat_map(|outgoing| &outgoing.receivers))?;
        Ok(outgoing)
    }

    /// Records that an attempt has handled what it was given.
    pub(super) fn handle_given(&mut self, attempt: &AttemptStarted) {
        let given = self.draft.state().messages().given(attempt.fence);
        let given: Vec<MessageNumber> = given.map(|sent| sent.message.number).collect();
        for number in given {
            self.draft.emit(MessageHandled {
                number,
                receiver: attempt.agent.clone(),
                step: attempt.step.clone(),
                purpose: attempt.purpose,
                attempt: attempt.attempt,
            });
        }
    }

    /// Records what an attempt sends.
    pub(super) fn send(&mut self, attempt: &AttemptStarted, outgoing: Vec<Outgoing>) {
        for Outgoing { envelope, receivers, is_for_nobody, causation, deadline } in outgoing {
            let Envelope { to, kind, type_name, priority, correlation, deadline: _, body } = envelope;
            let body = self.draft.payload(body);
            self.send_one(
                MessageSent {
                    number: self.draft.state().messages().last.next(),
                    from: attempt.agent.clone(),
                    step: attempt.step.clone(),
                    purpose: attempt.purpose,
                    attempt: attempt.attempt,
                    to,
                    receivers,
                    kind,
                    type_name,
                    priority,
                    correlation,
                    causation,
                    deadline,
                    body,
                    by: None,
                },
                is_for_nobody,
            );
        }
    }

    /// Records one, and that it is dead at once where that is so.
    fn send_one(&mut self, message: MessageSent, is_for_nobody: bool) {
        let (number, receivers) = (message.number, message.receivers.clone());
        receivers.iter().for_each(|receiver| self.expire_late(receiver));
        self.draft.emit(message);
        if is_for_nobody {
            for receiver in receivers {
                let nearest = self.directory().nearest(&receiver);
                self.draft.emit(MessageExpired { number, receiver, why: ExpiredWhy::NoReceiver { nearest } });
            }
        } else {
            receivers.iter().for_each(|receiver| self.expire_late(receiver));
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
        let given = self.draft.state().messages().given(attempt.fence);
        let given: Vec<MessageNumber> = given.map(|sent| sent.message.number).collect();
        self.draft.emit(ended);
        for number in given {
            let tries = self.draft.state().messages().tries(&attempt.agent, number);
            if tries >= MESSAGE_TRIES_MAX {
                let why = ExpiredWhy::TriedTooOften { tries, code, message: message.to_owned() };
                self.draft.emit(MessageExpired { number, receiver: attempt.agent.clone(), why });
            }
        }
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
        let message = MessageSent {
            number: self.draft.state().messages().last.next(),
            receivers: found,
            causation: Some(number),
            // It was missed: whoever sends it again wants it to be handled all the same.
            deadline: None,
            by: Some(by),
            ..sent.message.clone()
        };
        self.send_one(message, false);
        Ok(())
    }

    /// The agents that a message may be for: those that the run began with, and those that its steps name.
    fn directory(&self) -> Directory {
        let run = self.draft.state();
        let bound = run.about().into_iter().flat_map(|about| &about.started.agents);
        let mut found = BTreeMap::new();
        for agent in bound.map(|binding| &binding.name).chain(run.messages().agents()) {
            found.entry(agent.key()).or_insert_with(|| agent.clone());
        }
        Directory(found)
    }

    /// The agents that an address means; none if it is that of one agent which is not there.
    fn receivers(
        &self,
        to: &Address,
        sender: &AgentName,
        directory: &Directory,
    ) -> Result<Option<Vec<AgentName>>, Failure> {
        Ok(match to {
            Address::Agent(agent) => directory.find(agent).map(|agent| vec![agent.clone()]),
            Address::Topic(topic) => Some(self.subscribers(topic)?),
            Address::Everyone => {
                // Who only runs what steps say reads no messages, unless somebody means it.
                let built_in = AgentName::new(SHELL_AGENT).key();
                let mut all: BTreeMap<String, AgentName> = BTreeMap::new();
                for agent in self.draft.state().messages().agents() {
                    all.entry(agent.key()).or_insert_with(|| agent.clone());
                }
                all.remove(&sender.key());
                all.remove(&built_in);
                Some(all.into_values().collect())
            }
        })
    }

    /// The agents whose definitions say that they hear of a topic.
    fn subscribers(&self, topic: &str) -> Result<Vec<AgentName>, Failure> {
        let about = self.draft.state().about();
        let mut found = Vec::new();
        for binding in about.into_iter().flat_map(|about| &about.started.agents) {
            let said = self.draft.value::<Subscriptions, _>(&binding.definition.hash, self.moment);
            let said = said.map_err(|unreadable| Failure::from(unreadable.problem()))?;
            if said.subscribes.iter().any(|pattern| pattern.matches(topic)) {
                found.push(binding.name.clone());
            }
        }
        Ok(found)
    }

    /// The message that another answers: of those that its sender was given the one that it belongs together with, else the
    /// only one.
    fn causation(&self, attempt: &AttemptStarted, correlation: Option<&str>) -> Option<MessageNumber> {
        let run = self.draft.state();
        let id = run.about().map(|about| &about.id);
        let mut given = run.messages().given(attempt.fence).map(|sent| &sent.message);
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
        let is_alone = run.messages().given(attempt.fence).nth(1).is_none();
        all.find(belongs).map(|message| message.number).or_else(|| is_alone.then_some(first.number))
    }

    /// Whether one more message may wait for each of these, however often each is named.
    fn has_room<'n>(&self, receivers: impl Iterator<Item = &'n AgentName>) -> Result<(), Failure> {
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

impl Directory {
    /// The agent that somebody means by a name.
    fn find(&self, name: &AgentName) -> Option<&AgentName> {
        self.0.get(&name.key())
    }

    /// The name that may have been meant.
    fn nearest(&self, name: &AgentName) -> Option<AgentName> {
        nearest(name.as_str(), self.0.values().map(AgentName::as_str)).map(AgentName::new)
    }
}
