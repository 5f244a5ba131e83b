//! What open attempts are given of what waits for their agents, at their start or while they go on, and what becomes of that.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Kept, Mailbox, MailboxKey, Messages, Place, Sent, length};
use crate::aggregates::run::child::is_made_by;
use crate::events::ids::{AgentName, Fence, MessageNumber, StepId};
use crate::events::limits::{MESSAGES_GIVEN_BYTES_MAX, MESSAGES_GIVEN_MAX};
use crate::events::run::AttemptStarted;
use crate::events::time::Timestamp;

/// What an open attempt was given, or what is delivered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Given {
    pub(super) mailbox: MailboxKey,
    /// What of it is not handled, in the order in which it was given.
    pub(super) messages: Vec<GivenOne>,
}

/// A message that somebody was given.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct GivenOne {
    pub(super) place: Place,
    /// How many were given it before, and ended without success.
    pub(super) tries: u32,
    /// Whether it came while they went on, and not with their start.
    pub(super) came_later: bool,
}

/// A message that may be given to an open attempt of its receiver.
pub(in crate::aggregates::run) struct Next<'m> {
    /// The message.
    pub(in crate::aggregates::run) sent: &'m Arc<Sent>,
    /// The attempt that has to be given it, because it was given others; none if it may be any.
    pub(in crate::aggregates::run) holder: Option<Fence>,
    /// The attempts of that agent that are open, the oldest first, each with its step.
    pub(in crate::aggregates::run) open: Vec<(Fence, StepId)>,
}

impl Messages {
    /// What an open attempt was given, in order.
    pub(crate) fn given(&self, fence: Fence) -> impl Iterator<Item = &Arc<Sent>> {
        let given = self.given.get(&fence).into_iter().flat_map(|given| &given.messages);
        given.filter_map(|given| self.kept.get(&given.place.number)).map(|kept| &kept.sent)
    }

    /// What an open attempt was given at its start and has not handled, in order: what came later it is given by itself.
    pub(crate) fn given_at_start(&self, fence: Fence) -> impl Iterator<Item = &Arc<Sent>> {
        let given = self.given.get(&fence).into_iter().flat_map(|given| &given.messages);
        let at_start = given.filter(|given| !given.came_later);
        at_start.filter_map(|given| self.kept.get(&given.place.number)).map(|kept| &kept.sent)
    }

    /// Whether an open attempt was given a message, and has not handled it.
    pub(in crate::aggregates::run) fn was_given(&self, fence: Fence, number: MessageNumber) -> bool {
        let given = self.given.get(&fence);
        given.is_some_and(|given| given.messages.iter().any(|one| one.place.number == number))
    }

    /// Of each agent of which an attempt is open the message that one of those could be given next, if there is room for it among
    /// what that was given.
    pub(in crate::aggregates::run) fn to_give(&self) -> impl Iterator<Item = Next<'_>> {
        let with_attempts = self.mailboxes.iter().filter(|(key, mailbox)| {
            !key.live && !mailbox.waiting.is_empty() && self.working.contains_key(&key.agent)
        });
        with_attempts.filter_map(|(key, mailbox)| self.next(key, mailbox))
    }

    /// The same for one agent.
    pub(in crate::aggregates::run) fn next_for(&self, agent: &AgentName) -> Option<Next<'_>> {
        let key = MailboxKey::of(agent, false);
        self.next(&key, self.mailboxes.get(&key)?)
    }

    fn next(&self, key: &MailboxKey, mailbox: &Mailbox) -> Option<Next<'_>> {
        let (place, _) = mailbox.waiting.first_key_value()?;
        let sent = &self.kept.get(&place.number)?.sent;
        let given = mailbox.given_to.and_then(|fence| self.given.get(&fence));
        let given = given.into_iter().flat_map(|given| &given.messages);
        let (mut count, mut bytes) = (0, length(&sent.message.body));
        for one in given {
            count += 1;
            bytes += self.kept.get(&one.place.number).map_or(0, |kept| length(&kept.sent.message.body));
        }
        let has_room = count == 0 || count < MESSAGES_GIVEN_MAX && bytes <= MESSAGES_GIVEN_BYTES_MAX;
        let open = self.working.get(&key.agent).into_iter().flatten();
        let open = open.map(|(fence, step)| (*fence, step.clone())).collect();
        has_room.then_some(Next { sent, holder: mailbox.given_to, open })
    }

    /// What open attempts were given while they went on, and have not handled.
    pub(super) fn came_later(&self) -> impl Iterator<Item = (Fence, MessageNumber)> {
        self.given.iter().flat_map(|(fence, given)| {
            let later = given.messages.iter().filter(|one| one.came_later);
            later.map(|one| (*fence, one.place.number))
        })
    }
}

/// As it changes: an error says what the change contradicts.
impl Messages {
    /// An attempt begins: it is given what waits for its agent, as much as one is given.
    pub(in crate::aggregates::run) fn give(&mut self, attempt: &AttemptStarted, now: Timestamp) {
        let (agent, fence) = (&attempt.agent, attempt.fence);
        if is_made_by(agent) {
            return;
        }
        let key = MailboxKey::of(agent, false);
        let working = self.working.entry(Arc::clone(&key.agent)).or_default();
        working.insert(fence, attempt.step.clone());
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
            messages.push(GivenOne { place: *place, tries: *tries, came_later: false });
        }
        if messages.is_empty() {
            return;
        }
        for one in &messages {
            let deadline = self.kept.get(&one.place.number).and_then(|kept| kept.sent.message.deadline);
            mailbox.take(one.place, deadline);
        }
        mailbox.given_to = Some(fence);
        self.given.insert(fence, Given { mailbox: key, messages });
    }

    /// An open attempt is given a message while it goes on.
    pub(in crate::aggregates::run) fn give_one(
        &mut self,
        receiver: &AgentName,
        number: MessageNumber,
        fence: Fence,
    ) -> Result<(), String> {
        let key = MailboxKey::of(receiver, false);
        let next = self.next_for(receiver);
        let is_its = |next: &Next<'_>| {
            let is_open = next.open.iter().any(|(open, _)| *open == fence);
            next.sent.message.number == number && is_open && next.holder.is_none_or(|holder| holder == fence)
        };
        let Some(next) = next.filter(is_its) else {
            return Err(format!("message {number} cannot be given to an attempt of `{receiver}` now"));
        };
        let (place, deadline) = (next.sent.place(), next.sent.message.deadline);
        let mailbox = self.mailboxes.entry(key.clone()).or_default();
        let tries = mailbox.waiting.get(&place).copied().unwrap_or_default();
        mailbox.take(place, deadline);
        mailbox.given_to = Some(fence);
        let given = self.given.entry(fence).or_insert_with(|| Given { mailbox: key, messages: Vec::new() });
        given.messages.push(GivenOne { place, tries, came_later: true });
        Ok(())
    }

    /// An open attempt did not succeed, or did not handle all that it was given, and that counts for what is left.
    pub(in crate::aggregates::run) fn count_try(&mut self, fence: Fence) {
        let messages = self.given.get_mut(&fence).into_iter().flat_map(|given| &mut given.messages);
        messages.for_each(|one| one.tries += 1);
    }

    /// An attempt is over: what it was given and has not handled waits again. Answers what of that had come while it went on.
    pub(in crate::aggregates::run) fn end(&mut self, attempt: &AttemptStarted) -> Vec<MessageNumber> {
        if !is_made_by(&attempt.agent) {
            let agent = MailboxKey::of(&attempt.agent, false).agent;
            let working = self.working.get_mut(&agent);
            let is_idle = working.is_some_and(|working| {
                working.remove(&attempt.fence);
                working.is_empty()
            });
            if is_idle {
                self.working.remove(&agent);
            }
        }
        self.take_back(attempt.fence)
    }

    /// What somebody was given, and has not handled, waits again. Answers what of that had come while they went on.
    pub(super) fn take_back(&mut self, fence: Fence) -> Vec<MessageNumber> {
        let Some(Given { mailbox: key, messages }) = self.given.remove(&fence) else { return Vec::new() };
        let mailbox = self.mailboxes.entry(key.clone()).or_default();
        mailbox.given_to = None;
        for GivenOne { place, tries, .. } in &messages {
            if let Some(Kept { sent, .. }) = self.kept.get(&place.number) {
                mailbox.put(sent, *tries);
            }
        }
        self.tidy(&key);
        messages.into_iter().filter(|one| one.came_later).map(|one| one.place.number).collect()
    }

    /// An open attempt has handled a message that it was given.
    pub(in crate::aggregates::run) fn handle(
        &mut self,
        fence: Fence,
        receiver: &AgentName,
        number: MessageNumber,
    ) -> Result<(), String> {
        let given = self.given.get_mut(&fence).filter(|given| *given.mailbox.agent == *receiver.key());
        let at =
            given.as_ref().and_then(|given| given.messages.iter().position(|one| one.place.number == number));
        match (given, at) {
            (Some(given), Some(at)) => drop(given.messages.remove(at)),
            _ => return Err(format!("`{receiver}` was not given message {number}")),
        }
        self.settle(number, None)
    }
}
