//! The messages between the agents of a run that are not handled: those that wait, each in the mailbox of each of its
//! receivers; those that open attempts were given; and those that are dead.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Run;
use super::child::is_made_by;
use crate::events::ids::{AgentName, Fence, MessageNumber};
use crate::events::json::Payload;
use crate::events::limits::{DEAD_MESSAGES_MAX, MESSAGES_GIVEN_BYTES_MAX, MESSAGES_GIVEN_MAX};
use crate::events::run::{MessageSent, Priority};
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
    /// What waits for each agent, by the key of its name.
    mailboxes: BTreeMap<Arc<str>, Mailbox>,
    /// What open attempts were given.
    given: BTreeMap<Fence, Given>,
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

/// What waits for one agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Mailbox {
    /// In the order in which it is given them, with how many attempts were that ended without success.
    waiting: BTreeMap<Place, u32>,
    /// Those of them that are of use until some time.
    deadlines: BTreeSet<(Timestamp, Place)>,
    /// The open attempt that was given messages: until that ends, no other is, which keeps them in order.
    given_to: Option<Fence>,
}

/// A place in a mailbox: the most urgent come first, and among those the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Place {
    priority: Reverse<Priority>,
    number: MessageNumber,
}

/// What an open attempt was given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Given {
    mailbox: Arc<str>,
    messages: Vec<(Place, u32)>,
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

    /// How many wait for an agent, those among them that its open attempt was given.
    pub(super) fn waiting_for(&self, agent: &AgentName) -> usize {
        let mailbox = self.mailboxes.get(&*agent.key());
        let given = mailbox.and_then(|mailbox| self.given.get(&mailbox.given_to?));
        mailbox.map_or(0, |mailbox| mailbox.waiting.len()) + given.map_or(0, |given| given.messages.len())
    }

    /// Those that wait for an agent, and that are of no use any more at that time.
    pub(super) fn late_for(&self, agent: &AgentName, now: Timestamp) -> Vec<MessageNumber> {
        if self.mailboxes.is_empty() {
            return Vec::new();
        }
        let mailbox = self.mailboxes.get(&*agent.key());
        let deadlines = mailbox.into_iter().flat_map(|mailbox| &mailbox.deadlines);
        deadlines.take_while(|(deadline, _)| *deadline <= now).map(|(_, place)| place.number).collect()
    }

    /// What an open attempt was given, in order.
    pub(crate) fn given(&self, fence: Fence) -> impl Iterator<Item = &Arc<Sent>> {
        let given = self.given.get(&fence).into_iter().flat_map(|given| &given.messages);
        given.filter_map(|(place, _)| self.kept.get(&place.number)).map(|kept| &kept.sent)
    }

    /// How many attempts of an agent were given a message that waits for it, and ended without success.
    pub(super) fn tries(&self, agent: &AgentName, number: MessageNumber) -> u32 {
        let mailbox = self.mailboxes.get(&*agent.key());
        let place = self.kept.get(&number).map(|kept| kept.sent.place());
        place.and_then(|place| mailbox?.waiting.get(&place)).copied().unwrap_or_default()
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
    /// A message was sent. One that is sent again is not dead any more.
    pub(super) fn send(&mut self, message: &MessageSent, at: Timestamp) -> Result<(), String> {
        if message.number != self.last.next() {
            return Err(format!("message {} does not follow message {}", message.number, self.last));
        }
        if message.by.is_some() {
            let again = message.causation.filter(|number| self.dead.remove(number));
            let number = again.ok_or_else(|| format!("message {} sends nothing again", message.number))?;
            self.forget_dead(number);
        }
        self.last = message.number;
        let left = message.receivers.len();
        if left == 0 {
            return Ok(());
        }
        let sent = Arc::new(Sent { message: message.clone(), at });
        for receiver in &message.receivers {
            self.mailboxes.entry(receiver.key().into()).or_default().put(&sent, 0);
        }
        self.unhandled += left;
        self.kept.insert(message.number, Kept { sent, left, dead: Vec::new() });
        Ok(())
    }

    /// An attempt begins: it is given what waits for its agent, as much as one is given.
    pub(super) fn give(&mut self, agent: &AgentName, fence: Fence, now: Timestamp) {
        if self.mailboxes.is_empty() || is_made_by(agent) {
            return;
        }
        let key: Arc<str> = agent.key().into();
        let Some(mailbox) = self.mailboxes.get_mut(&key).filter(|mailbox| mailbox.given_to.is_none()) else {
            return;
        };
        let (mut messages, mut bytes) = (Vec::new(), 0);
        for (place, tries) in &mailbox.waiting {
            let Some(kept) = self.kept.get(&place.number) else { continue };
            if kept.sent.message.deadline.is_some_and(|deadline| deadline <= now) {
                continue;
            }
            bytes += length(&kept.sent.message.body);
            let is_full = messages.len() >= MESSAGES_GIVEN_MAX || bytes > MESSAGES_GIVEN_BYTES_MAX;
            if is_full && !messages.is_empty() {
                break;
            }
            messages.push((*place, *tries));
        }
        if messages.is_empty() {
            return;
        }
        for (place, _) in &messages {
            let deadline = self.kept.get(&place.number).and_then(|kept| kept.sent.message.deadline);
            mailbox.take(*place, deadline);
        }
        mailbox.given_to = Some(fence);
        self.given.insert(fence, Given { mailbox: key, messages });
    }

    /// An open attempt did not succeed, and that counts for what it was given.
    pub(super) fn count_try(&mut self, fence: Fence) {
        let messages = self.given.get_mut(&fence).into_iter().flat_map(|given| &mut given.messages);
        messages.for_each(|(_, tries)| *tries += 1);
    }

    /// An attempt is over: what it was given and has not handled waits again.
    pub(super) fn take_back(&mut self, fence: Fence) {
        let Some(Given { mailbox: key, messages }) = self.given.remove(&fence) else { return };
        let mailbox = self.mailboxes.entry(Arc::clone(&key)).or_default();
        mailbox.given_to = None;
        for (place, tries) in messages {
            if let Some(kept) = self.kept.get(&place.number) {
                mailbox.put(&kept.sent, tries);
            }
        }
        self.tidy(&key);
    }

    /// An open attempt has handled a message that it was given.
    pub(super) fn handle(
        &mut self,
        fence: Fence,
        receiver: &AgentName,
        number: MessageNumber,
    ) -> Result<(), String> {
        let given = self.given.get_mut(&fence).filter(|given| *given.mailbox == *receiver.key());
        let at = given
            .as_ref()
            .and_then(|given| given.messages.iter().position(|(place, _)| place.number == number));
        match (given, at) {
            (Some(given), Some(at)) => drop(given.messages.remove(at)),
            _ => return Err(format!("`{receiver}` was not given message {number}")),
        }
        self.settle(number, None)
    }

    /// A message that waits for an agent is not given it any more.
    pub(super) fn expire(&mut self, receiver: &AgentName, number: MessageNumber) -> Result<(), String> {
        let waits_not = || format!("message {number} does not wait for `{receiver}`");
        let kept = self.kept.get(&number).ok_or_else(waits_not)?;
        let (place, deadline) = (kept.sent.place(), kept.sent.message.deadline);
        let key = receiver.key();
        let mailbox = self.mailboxes.get_mut(&*key).ok_or_else(waits_not)?;
        if !mailbox.take(place, deadline) {
            return Err(waits_not());
        }
        self.tidy(&key);
        self.settle(number, Some(receiver))
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
    fn tidy(&mut self, key: &str) {
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
