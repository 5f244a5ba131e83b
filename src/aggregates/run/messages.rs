//! The messages between the agents of a run that are not handled: those that wait, each in the mailbox of each of its
//! receivers; those that open attempts were given (`given`); and those that are dead.

mod given;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(super) use self::given::Next;
use self::given::{Given, GivenOne};
use super::child::is_made_by;
use super::{Run, RunEffect};
use crate::events::ids::{AgentName, Fence, MessageNumber, StepId};
use crate::events::json::Payload;
use crate::events::limits::{DEAD_MESSAGES_MAX, UNHEARD_MAX};
use crate::events::run::{DeliveryStarted, MessageSent, Priority};
use crate::events::time::Timestamp;

/// What is known of the messages of a run. Of those that are handled it is only how many there were.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Messages {
    /// The number of the newest; 0 before the first.
    pub(super) last: MessageNumber,
    /// The agents that steps name, as they name them.
    agents: BTreeSet<AgentName>,
    /// Those that are not done with.
    kept: BTreeMap<MessageNumber, Kept>,
    /// What waits for each agent.
    mailboxes: BTreeMap<MailboxKey, Mailbox>,
    /// What open attempts were given, and what open deliveries deliver.
    given: BTreeMap<Fence, Given>,
    /// The attempts that are open, by the key of their agent's name, each with its step.
    working: BTreeMap<Arc<str>, BTreeMap<Fence, StepId>>,
    /// The deliveries that are open.
    pub(super) deliveries: BTreeMap<Fence, Arc<DeliveryStarted>>,
    /// Who waits for the answer to a message, and whether it is there.
    pub(super) asked: BTreeMap<MessageNumber, Asked>,
    /// How many that nobody hears were sent by attempts and deliveries that go on, while they do.
    unheard: BTreeMap<Fence, u32>,
    /// Those that are dead for somebody, and can be sent again.
    dead: BTreeSet<MessageNumber>,
    /// How many there are to be handled, each counted once for each receiver.
    unhandled: usize,
}

/// A message that was sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) message: MessageSent,
    /// When that was recorded.
    pub(crate) at: Timestamp,
}

/// A message that is not done with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Kept {
    sent: Arc<Sent>,
    /// How many of its receivers have not handled it, and may still be given it.
    left: usize,
    /// Those that are not given it any more.
    dead: Vec<AgentName>,
}

/// Which mailbox it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct MailboxKey {
    /// The key of the agent's name.
    agent: Arc<str>,
    /// Whether what is in it is delivered as soon as it comes; else attempts are given it.
    live: bool,
}

/// Who waits for the answer to a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Asked {
    /// The fence of the attempt or the delivery that waits.
    pub(super) fence: Fence,
    /// How many it had asked before.
    pub(super) nth: u32,
    /// What it asked.
    pub(super) sent: Arc<Sent>,
    /// What the answer says, once it is there.
    pub(super) answer: Option<Payload>,
}

/// What waits for one agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Mailbox {
    /// In the order in which it is given them, with how many attempts were that ended without success.
    waiting: BTreeMap<Place, u32>,
    /// Those of them that are of use until some time.
    deadlines: BTreeSet<(Timestamp, Place)>,
    /// The open attempt that was given messages, or the open delivery: until that ends, no other is, which keeps them in order.
    given_to: Option<Fence>,
}

/// A place in a mailbox: the most urgent come first, and among those the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Place {
    priority: Reverse<Priority>,
    number: MessageNumber,
}

/// What has become of a message.
#[derive(Debug)]
pub(super) enum Fate {
    /// There is none with that number.
    Unknown,
    /// Somebody is still to handle it.
    OnItsWay,
    /// Nobody has handled it of these, who are not given it any more.
    Dead(Arc<Sent>, Vec<AgentName>),
    /// All have handled it, it was sent again, or it died too long ago.
    Settled,
}

impl Run {
    /// What is known of the messages of its agents.
    pub(crate) fn messages(&self) -> &Messages {
        &self.messages
    }
}

impl Messages {
    /// A step names an agent: it is one of the run's from here on. What a run of its own does has no mailbox.
    pub(super) fn meet(&mut self, agent: &AgentName) {
        if !self.agents.contains(agent) && !is_made_by(agent) {
            self.agents.insert(agent.clone());
        }
    }

    /// The agents that steps name.
    pub(super) fn agents(&self) -> impl Iterator<Item = &AgentName> {
        self.agents.iter()
    }

    /// How many messages are to be handled, each counted once for each receiver.
    pub(super) fn unhandled(&self) -> usize {
        self.unhandled
    }

    /// Whether so much was said to nobody by an attempt or a delivery, while it goes on, that no more of that may be.
    pub(super) fn may_not_say_to_nobody(&self, fence: Fence) -> bool {
        self.dead.len() >= DEAD_MESSAGES_MAX
            || self.unheard.get(&fence).is_some_and(|count| *count >= UNHEARD_MAX)
    }

    /// How many wait for an agent, those among them that its open attempt was given.
    pub(super) fn waiting_for(&self, agent: &AgentName) -> usize {
        let waiting = |mailbox: &Mailbox| {
            let given = mailbox.given_to.and_then(|fence| self.given.get(&fence));
            mailbox.waiting.len() + given.map_or(0, |given| given.messages.len())
        };
        self.mailboxes_of(agent).map(waiting).sum()
    }

    /// Those that wait for an agent, and that are of no use any more at that time.
    pub(super) fn late_for(&self, agent: &AgentName, now: Timestamp) -> Vec<MessageNumber> {
        if self.mailboxes.is_empty() {
            return Vec::new();
        }
        let late = |mailbox: &'_ Mailbox| {
            mailbox.deadlines.iter().take_while(|(deadline, _)| *deadline <= now).count()
        };
        let of = self.mailboxes_of(agent).flat_map(|mailbox| mailbox.deadlines.iter().take(late(mailbox)));
        of.map(|(_, place)| place.number).collect()
    }

    /// How many attempts of an agent were given a message that waits for it, and ended without success.
    pub(super) fn tries(&self, agent: &AgentName, number: MessageNumber) -> u32 {
        let place = self.kept.get(&number).map(|kept| kept.sent.place());
        let mut waiting =
            self.mailboxes_of(agent).filter_map(|mailbox| mailbox.waiting.get(&place?).copied());
        waiting.next().unwrap_or_default()
    }

    fn mailboxes_of(&self, agent: &AgentName) -> impl Iterator<Item = &Mailbox> {
        let keys = [false, true].map(|live| MailboxKey::of(agent, live));
        keys.into_iter().filter_map(|key| self.mailboxes.get(&key))
    }

    /// What could be delivered: of each receiver that waits for no other delivery the first message, with how often it was
    /// delivered to it.
    pub(super) fn to_deliver(&self) -> impl Iterator<Item = (&AgentName, &Arc<Sent>, u32)> {
        let idle = self.mailboxes.iter().filter(|(key, mailbox)| key.live && mailbox.given_to.is_none());
        idle.filter_map(|(key, mailbox)| {
            let (place, tries) = mailbox.waiting.first_key_value()?;
            let sent = &self.kept.get(&place.number)?.sent;
            let receiver = sent.message.live.iter().find(|live| *live.key() == *key.agent)?;
            Some((receiver, sent, *tries))
        })
    }

    /// What is to be done of them now: those that are delivered, and answers that somebody waits for.
    pub(super) fn open(&self) -> Vec<RunEffect> {
        let delivered = self.deliveries.values().cloned().map(RunEffect::Deliver);
        let given = self.came_later().map(|(fence, number)| RunEffect::Give { fence, number });
        let answers = self.asked.keys().filter_map(|asked| self.answered(*asked));
        delivered.chain(given).chain(answers).collect()
    }

    /// The answer to a message, if it is there and somebody waits for it.
    pub(super) fn answered(&self, asked: MessageNumber) -> Option<RunEffect> {
        let asked = self.asked.get(&asked)?;
        let answer = asked.answer.clone()?;
        Some(RunEffect::Answer { fence: asked.fence, nth: asked.nth, answer })
    }

    /// Whether a message waits for an agent.
    pub(super) fn waits(&self, number: MessageNumber, agent: &AgentName) -> bool {
        let place = self.kept.get(&number).map(|kept| kept.sent.place());
        place
            .is_some_and(|place| self.mailboxes_of(agent).any(|mailbox| mailbox.waiting.contains_key(&place)))
    }

    /// A message that is not done with.
    pub(crate) fn sent(&self, number: MessageNumber) -> Option<&Arc<Sent>> {
        self.kept.get(&number).map(|kept| &kept.sent)
    }

    /// What has become of a message.
    pub(super) fn fate(&self, number: MessageNumber) -> Fate {
        match self.kept.get(&number) {
            _ if number == MessageNumber(0) || number > self.last => Fate::Unknown,
            Some(kept) if !kept.dead.is_empty() => Fate::Dead(Arc::clone(&kept.sent), kept.dead.clone()),
            Some(_) => Fate::OnItsWay,
            None => Fate::Settled,
        }
    }
}

/// As it changes: an error says what the change contradicts.
impl Messages {
    /// A message was sent, by the attempt or the delivery of that fence. One that is sent again is not dead any more.
    pub(super) fn send(
        &mut self,
        message: &MessageSent,
        by: Option<Fence>,
        at: Timestamp,
    ) -> Result<(), String> {
        if message.number != self.last.next() {
            return Err(format!("message {} does not follow message {}", message.number, self.last));
        }
        if message.by.is_some() {
            let again = message.causation.filter(|number| self.dead.remove(number));
            let number = again.ok_or_else(|| format!("message {} sends nothing again", message.number))?;
            self.forget_dead(number);
        }
        self.last = message.number;
        let sent = Arc::new(Sent { message: message.clone(), at });
        if let (Some(nth), Some(fence)) = (message.asks, by) {
            let sent = Arc::clone(&sent);
            self.asked.insert(message.number, Asked { fence, nth, sent, answer: None });
        }
        let left = message.receivers.len();
        if left == 0 {
            if let Some(fence) = by.filter(|_| message.at_once) {
                *self.unheard.entry(fence).or_default() += 1;
            }
            return Ok(());
        }
        for receiver in &message.receivers {
            self.mailboxes.entry(sent.mailbox(receiver)).or_default().put(&sent, 0);
        }
        self.unhandled += left;
        self.kept.insert(message.number, Kept { sent, left, dead: Vec::new() });
        Ok(())
    }

    /// A message does not wait for an agent any more.
    fn take_out(&mut self, receiver: &AgentName, number: MessageNumber) -> Result<(), String> {
        let waits_not = || format!("message {number} does not wait for `{receiver}`");
        let kept = self.kept.get(&number).ok_or_else(waits_not)?;
        let (place, deadline) = (kept.sent.place(), kept.sent.message.deadline);
        let key = kept.sent.mailbox(receiver);
        let mailbox = self.mailboxes.get_mut(&key).ok_or_else(waits_not)?;
        if !mailbox.take(place, deadline) {
            return Err(waits_not());
        }
        self.tidy(&key);
        Ok(())
    }

    /// A message that waits for an agent is not given it any more.
    pub(super) fn expire(&mut self, receiver: &AgentName, number: MessageNumber) -> Result<(), String> {
        self.take_out(receiver, number)?;
        self.settle(number, Some(receiver))
    }

    /// A message is delivered.
    pub(super) fn deliver(&mut self, started: &Arc<DeliveryStarted>) -> Result<(), String> {
        let DeliveryStarted { number, receiver, nth, fence, .. } = &**started;
        let next = self
            .to_deliver()
            .find(|(agent, sent, _)| agent.key() == receiver.key() && sent.message.number == *number);
        let Some((_, sent, tries)) = next.filter(|(.., tries)| tries + 1 == *nth) else {
            return Err(format!("message {number} cannot be delivered to `{receiver}` for the {nth}th time"));
        };
        let (place, key, deadline) = (sent.place(), sent.mailbox(receiver), sent.message.deadline);
        let mailbox = self.mailboxes.entry(key.clone()).or_default();
        mailbox.take(place, deadline);
        mailbox.given_to = Some(*fence);
        let one = GivenOne { place, tries, came_later: false };
        self.given.insert(*fence, Given { mailbox: key, messages: vec![one] });
        self.deliveries.insert(*fence, Arc::clone(started));
        Ok(())
    }

    /// A delivery is over. What it has not handled waits again.
    pub(super) fn end_delivery(&mut self, fence: Fence) {
        self.deliveries.remove(&fence);
        self.take_back(fence);
    }

    /// An answer is there for which somebody waits: its receiver has handled it with that.
    pub(super) fn answer(
        &mut self,
        receiver: &AgentName,
        number: MessageNumber,
        fence: Fence,
    ) -> Result<MessageNumber, String> {
        let nobody = || format!("nobody waits for message {number} as an answer");
        let message = &self.kept.get(&number).ok_or_else(nobody)?.sent.message;
        let (to, body) = (message.causation.ok_or_else(nobody)?, message.body.clone());
        let asked = self.asked.get_mut(&to).filter(|asked| asked.fence == fence && asked.answer.is_none());
        let asked = asked.ok_or_else(nobody)?;
        asked.answer = Some(body);
        self.take_out(receiver, number)?;
        self.settle(number, None)?;
        Ok(to)
    }

    /// Nobody waits any more for the answers that an attempt or a delivery wanted, which is over: which were there.
    pub(super) fn ask_no_longer(&mut self, fence: Fence) -> Vec<u32> {
        let answered = self.asked.values().filter(|asked| asked.fence == fence && asked.answer.is_some());
        let answered = answered.map(|asked| asked.nth).collect();
        self.asked.retain(|_, asked| asked.fence != fence);
        self.unheard.remove(&fence);
        answered
    }

    /// One receiver is done with a message, which is dead for it or handled.
    fn settle(&mut self, number: MessageNumber, dead_for: Option<&AgentName>) -> Result<(), String> {
        let kept = self.kept.get_mut(&number).ok_or_else(|| format!("there is no message {number}"))?;
        kept.left = kept.left.saturating_sub(1);
        kept.dead.extend(dead_for.cloned());
        let is_over = kept.left == 0 && kept.dead.is_empty();
        self.unhandled = self.unhandled.saturating_sub(1);
        if dead_for.is_some() {
            self.dead.insert(number);
        } else if is_over {
            self.kept.remove(&number);
        }
        if self.dead.len() > DEAD_MESSAGES_MAX
            && let Some(oldest) = self.dead.pop_first()
        {
            self.forget_dead(oldest);
        }
        Ok(())
    }

    /// Nobody can send a message again any more to those for whom it is dead.
    fn forget_dead(&mut self, number: MessageNumber) {
        let Some(kept) = self.kept.get_mut(&number) else { return };
        kept.dead.clear();
        if kept.left == 0 {
            self.kept.remove(&number);
        }
    }

    /// A mailbox in which nothing is, and of which nobody was given anything, is none.
    fn tidy(&mut self, key: &MailboxKey) {
        let is_empty = |mailbox: &Mailbox| mailbox.waiting.is_empty() && mailbox.given_to.is_none();
        if self.mailboxes.get(key).is_some_and(is_empty) {
            self.mailboxes.remove(key);
        }
    }
}

impl Sent {
    fn place(&self) -> Place {
        Place { priority: Reverse(self.message.priority), number: self.message.number }
    }

    /// The mailbox in which it waits for a receiver.
    fn mailbox(&self, receiver: &AgentName) -> MailboxKey {
        let key = receiver.key();
        MailboxKey::of(receiver, self.message.live.iter().any(|live| live.key() == key))
    }
}

impl MailboxKey {
    fn of(agent: &AgentName, live: bool) -> Self {
        Self { agent: agent.key().into(), live }
    }
}

impl Mailbox {
    fn put(&mut self, sent: &Sent, tries: u32) {
        let place = sent.place();
        self.waiting.insert(place, tries);
        self.deadlines.extend(sent.message.deadline.map(|deadline| (deadline, place)));
    }

    /// Answers whether it was there.
    fn take(&mut self, place: Place, deadline: Option<Timestamp>) -> bool {
        if let Some(deadline) = deadline {
            self.deadlines.remove(&(deadline, place));
        }
        self.waiting.remove(&place).is_some()
    }
}

/// How long a body is, in bytes.
fn length(body: &Payload) -> usize {
    match body {
        Payload::Inline(json) => json.text().len(),
        Payload::Blob(blob) => usize::try_from(blob.size_bytes).unwrap_or(usize::MAX),
    }
}
