//! What must hold for messages: only what succeeded sends them; each receiver is given them in order, handles each once, with an
//! attempt that was given it and succeeded, or that converses and says so; and one that is dead is so for a reason.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Verdict, must};
use crate::events::ids::{AgentName, Fence, MessageNumber, StepId};
use crate::events::json::Payload;
use crate::events::limits::{MESSAGE_TRIES_MAX, MESSAGES_GIVEN_BYTES_MAX, MESSAGES_GIVEN_MAX};
use crate::events::run::*;

/// The messages of a run, in the plainest way: what waits for whom, and which open attempt was given what.
#[derive(Default)]
pub(crate) struct Post {
    sent: Vec<MessageSent>,
    /// For each receiver, by the key of its name, what it has not handled, and how often that failed.
    waiting: HashMap<String, BTreeMap<MessageNumber, u32>>,
    open: HashMap<(StepId, Purpose), Attempt>,
    /// The deliveries that are open: of which message to whom, by the key of their name.
    deliveries: HashMap<Fence, (MessageNumber, String)>,
    /// The answers that somebody has: of which messages.
    answered: BTreeSet<MessageNumber>,
    /// For whom a message is dead.
    dead: BTreeSet<(MessageNumber, String)>,
    /// The agents whose programs converse, by the keys of their names.
    converse: BTreeSet<String>,
    paused: bool,
}

/// An open attempt: whose it is, what it was given and has not handled, whether it was given anything, and whether it has sent anything
/// with what it came to.
struct Attempt {
    number: u32,
    agent: String,
    given: Vec<MessageNumber>,
    holds: bool,
    has_sent: bool,
}

impl Post {
    /// That of a run in which the programs of these agents converse, and those of no others.
    pub(crate) fn of(converse: impl Iterator<Item = AgentName>) -> Self {
        Self { converse: converse.map(|agent| agent.key()).collect(), ..Self::default() }
    }

    /// The numbers of the messages that the open attempt at a step was given.
    #[cfg(test)]
    pub(crate) fn given(&self, step: &StepId, purpose: Purpose) -> &[MessageNumber] {
        self.open.get(&(step.clone(), purpose)).map_or(&[], |attempt| &attempt.given)
    }

    pub(crate) fn see(&mut self, event: &RunEvent) -> Verdict {
        match event {
            RunEvent::AttemptStarted(started) => self.started(started),
            RunEvent::MessageSent(sent) => self.sent(sent),
            RunEvent::MessageGiven(given) => self.given_later(given),
            RunEvent::MessageHandled(handled) => self.handled(handled),
            RunEvent::MessageExpired(expired) => self.expired(expired),
            RunEvent::AttemptFailed(failed) => self.failed(&failed.step, failed.purpose, true),
            RunEvent::AttemptLost(lost) => self.failed(&lost.step, lost.purpose, !lost.interrupted),
            RunEvent::StepCompleted(done) if done.attempt > 0 => self.succeeded(&done.step, Purpose::Do),
            RunEvent::StepCompensated(done) => self.succeeded(&done.step, Purpose::Compensate),
            RunEvent::DeliveryStarted(started) => self.delivered(started),
            RunEvent::DeliveryFailed(failed) => self.not_delivered(failed.fence, failed.number, true),
            RunEvent::DeliveryLost(lost) => self.not_delivered(lost.fence, lost.number, !lost.interrupted),
            RunEvent::RunPaused(_) => {
                self.paused = true;
                Ok(())
            }
            RunEvent::RunUnpaused(_) => {
                self.paused = false;
                Ok(())
            }
            // Who has ended lets go of what is delivered.
            RunEvent::RunCompleted(_)
            | RunEvent::RunFailed(_)
            | RunEvent::RunCompensated(_)
            | RunEvent::RunCancelled(_)
            | RunEvent::RunStuck(_) => {
                self.deliveries.clear();
                self.paused = false;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn started(&mut self, started: &AttemptStarted) -> Verdict {
        let agent = started.agent.key();
        let is_taken = self.open.values().any(|open| open.agent == agent && open.holds);
        let mut waiting: Vec<&MessageSent> = Vec::new();
        if !is_taken && started.agent.as_str() != "workflow" {
            let numbers = self.waiting.get(&agent).into_iter().flat_map(BTreeMap::keys);
            let is_given = |message: &&MessageSent| !is_live(message, &agent);
            waiting.extend(numbers.filter_map(|number| self.message(*number)).filter(is_given));
        }
        waiting.sort_by(|a, b| (b.priority, a.number).cmp(&(a.priority, b.number)));
        let mut bytes = 0;
        let fits = |message: &&&MessageSent| {
            let is_first = bytes == 0;
            bytes += length(message);
            is_first || bytes <= MESSAGES_GIVEN_BYTES_MAX
        };
        let given = waiting.iter().take(MESSAGES_GIVEN_MAX).take_while(fits);
        let given = given.map(|message| message.number).collect();
        let given: Vec<MessageNumber> = given;
        let tries = |number: &MessageNumber| self.waiting.get(&agent).and_then(|waiting| waiting.get(number));
        let too_often =
            given.iter().find(|number| tries(number).is_some_and(|tries| *tries >= MESSAGE_TRIES_MAX));
        must(too_often.is_none(), || format!("message {too_often:?} is given too often"))?;
        let holds = !given.is_empty();
        let attempt = Attempt { number: started.attempt, agent, given, holds, has_sent: false };
        self.open.insert((started.step.clone(), started.purpose), attempt);
        Ok(())
    }

    /// Who converses is given, while it goes on, what comes first of what waits, as long as there is room; and no other attempt of its
    /// agent was given anything.
    fn given_later(&mut self, given: &MessageGiven) -> Verdict {
        let (number, agent) = (given.number, given.receiver.key());
        let what = |why: &str| format!("message {number} is given to `{}`, {why}", given.step);
        must(self.converse.contains(&agent), || what("which does not converse"))?;
        must(!self.paused, || what("and the run is paused"))?;
        let this = (given.step.clone(), given.purpose);
        let others = self.open.iter().filter(|(key, open)| **key != this && open.agent == agent);
        must(!others.into_iter().any(|(_, open)| open.holds), || what("and another holds others"))?;
        let open = self.open.get(&this).filter(|open| open.number == given.attempt && open.agent == agent);
        let Some(open) = open else { return Err(what("of which no such attempt is open")) };
        let waiting = self.waiting.get(&agent);
        let mut waits: Vec<&MessageSent> =
            waiting.into_iter().flatten().filter_map(|(n, _)| self.message(*n)).collect();
        waits.retain(|message| !is_live(message, &agent) && !open.given.contains(&message.number));
        let first =
            waits.into_iter().min_by_key(|message| (std::cmp::Reverse(message.priority), message.number));
        let Some(first) = first.filter(|first| first.number == number) else {
            return Err(what("and others come first"));
        };
        let has = open.given.iter().filter_map(|number| self.message(*number));
        let bytes: usize = has.map(length).sum();
        let fits = open.given.len() < MESSAGES_GIVEN_MAX && bytes + length(first) <= MESSAGES_GIVEN_BYTES_MAX;
        must(fits || open.given.is_empty(), || what("and it has no room"))?;
        let tries = waiting.and_then(|waiting| waiting.get(&number)).copied();
        must(tries.is_some_and(|tries| tries < MESSAGE_TRIES_MAX), || what("too often"))?;
        let open = self.open.get_mut(&this);
        open.into_iter().for_each(|open| {
            open.given.push(number);
            open.holds = true;
        });
        Ok(())
    }

    fn sent(&mut self, sent: &MessageSent) -> Verdict {
        let number = sent.number;
        must(number.0 == self.sent.len() as u64 + 1, || format!("message {number} is not the next"))?;
        match (&sent.by, sent.causation) {
            (Some(_), Some(again)) => {
                for receiver in &sent.receivers {
                    must(self.dead.contains(&(again, receiver.key())), || {
                        format!("message {again} is sent to `{receiver}` again, and was not dead")
                    })?;
                }
                self.dead.retain(|(dead, _)| *dead != again);
            }
            (Some(_), None) => return Err(format!("message {number} sends nothing again")),
            (None, _) if sent.delivery.is_some() => {
                let open = sent.delivery.and_then(|fence| self.deliveries.get(&fence));
                must(open.is_some_and(|(_, agent)| *agent == sent.from.key()), || {
                    format!("`{}` sends message {number}, and no message is delivered to it", sent.from)
                })?;
            }
            (None, _) => {
                let open = self.open.get_mut(&(sent.step.clone(), sent.purpose));
                let open = open.filter(|open| open.number == sent.attempt && open.agent == sent.from.key());
                let Some(open) = open else {
                    return Err(format!("no attempt at `{}` is open that sends message {number}", sent.step));
                };
                let converses = self.converse.contains(&open.agent);
                must(sent.at_once || open.given.is_empty() || converses, || {
                    format!("an attempt at `{}` sends before it has handled all that it was given", sent.step)
                })?;
                open.has_sent |= !sent.at_once;
            }
        }
        for receiver in &sent.receivers {
            self.waiting.entry(receiver.key()).or_default().insert(number, 0);
        }
        self.sent.push(sent.clone());
        Ok(())
    }

    fn handled(&mut self, handled: &MessageHandled) -> Verdict {
        let (number, receiver) = (handled.number, &handled.receiver);
        let open = self.open.get(&(handled.step.clone(), handled.purpose));
        let was_given = open.is_some_and(|open| {
            (open.number, &open.agent) == (handled.attempt, &receiver.key()) && open.given.contains(&number)
        });
        if self.is_answer(handled) && !was_given {
            self.answered.extend(self.message(number).and_then(|message| message.causation));
            return self.take(&receiver.key(), number);
        }
        if let Some(fence) = handled.delivery {
            let open = self.deliveries.remove(&fence);
            must(open == Some((number, receiver.key())), || {
                format!("`{receiver}` handles message {number}, and another was delivered to it, or none")
            })?;
            return self.take(&receiver.key(), number);
        }
        let converses = self.converse.contains(&receiver.key());
        let open = self.open.get_mut(&(handled.step.clone(), handled.purpose));
        let open = open.filter(|open| open.number == handled.attempt && open.agent == receiver.key());
        let may = open.is_some_and(|open| {
            let at = open.given.iter().position(|given| *given == number);
            open.given.retain(|given| *given != number);
            // Who converses says itself which it has handled, all others handle all in order.
            at.is_some_and(|at| converses || at == 0)
        });
        must(may, || {
            format!("`{}` handles message {number}, and was not given it, or first another", handled.step)
        })?;
        self.take(&receiver.key(), number)
    }

    fn expired(&mut self, expired: &MessageExpired) -> Verdict {
        let (number, receiver) = (expired.number, expired.receiver.key());
        let tries = self.waiting.get(&receiver).and_then(|waiting| waiting.get(&number)).copied();
        let is_given = self.open.values().any(|open| open.agent == receiver && open.given.contains(&number));
        must(!is_given, || format!("message {number} dies while somebody handles it"))?;
        let message = self.message(number).ok_or_else(|| format!("there is no message {number}"))?;
        let so = match &expired.why {
            ExpiredWhy::Deadline => message.deadline.is_some(),
            ExpiredWhy::NoReceiver { .. } => matches!(message.to, Address::Agent(_)),
            ExpiredWhy::TriedTooOften { tries: told, .. } => {
                // Who says that a delivery is in vain is not delivered it again.
                let is_enough = *told >= MESSAGE_TRIES_MAX || *told > 0 && is_live(message, &receiver);
                is_enough && tries == Some(*told)
            }
        };
        must(so, || format!("message {number} is dead for no reason: {:?}", expired.why))?;
        self.dead.insert((number, receiver.clone()));
        self.take(&receiver, number)
    }

    fn delivered(&mut self, started: &DeliveryStarted) -> Verdict {
        let (number, receiver) = (started.number, started.receiver.key());
        let is_open = self.deliveries.values().any(|(_, agent)| *agent == receiver);
        must(!is_open, || format!("`{receiver}` is delivered message {number}, and handles another"))?;
        let waiting = self.waiting.get(&receiver);
        let tries = waiting.and_then(|waiting| waiting.get(&number)).copied();
        must(tries.is_some_and(|tries| tries + 1 == started.nth && tries < MESSAGE_TRIES_MAX), || {
            format!("message {number} is delivered for the {}th time: {tries:?} were made", started.nth)
        })?;
        let live = waiting.into_iter().flat_map(BTreeMap::keys).filter_map(|number| self.message(*number));
        let live = live.filter(|message| is_live(message, &receiver));
        let first = live.min_by_key(|message| (std::cmp::Reverse(message.priority), message.number));
        must(first.is_some_and(|first| first.number == number), || {
            format!(
                "message {number} is delivered to `{receiver}` before {:?}",
                first.map(|first| first.number)
            )
        })?;
        self.deliveries.insert(started.fence, (number, receiver));
        Ok(())
    }

    fn not_delivered(&mut self, fence: Fence, number: MessageNumber, counts: bool) -> Verdict {
        let open = self.deliveries.remove(&fence).filter(|(delivered, _)| *delivered == number);
        let Some((_, receiver)) = open else { return Err(format!("delivery {fence} is not open")) };
        let tries = self.waiting.get_mut(&receiver).and_then(|waiting| waiting.get_mut(&number));
        *tries.ok_or_else(|| format!("message {number} is lost"))? += u32::from(counts);
        Ok(())
    }

    /// Whether it is the answer to a message whose sender waits for one.
    fn is_answer(&self, handled: &MessageHandled) -> bool {
        let answer = self.message(handled.number).filter(|message| message.kind == MessageKind::Response);
        let asked = answer.and_then(|answer| self.message(answer.causation?));
        let is_its = |asked: &MessageSent| {
            let by = (&asked.step, asked.purpose, asked.attempt, asked.delivery);
            by == (&handled.step, handled.purpose, handled.attempt, handled.delivery)
                && asked.from.key() == handled.receiver.key()
        };
        asked.is_some_and(|asked| {
            asked.asks.is_some() && is_its(asked) && !self.answered.contains(&asked.number)
        })
    }

    fn failed(&mut self, step: &StepId, purpose: Purpose, counts: bool) -> Verdict {
        let Some(open) = self.open.remove(&(step.clone(), purpose)) else { return Ok(()) };
        must(!open.has_sent, || format!("an attempt at `{step}` failed, and has sent messages"))?;
        let mut waiting = self.waiting.get_mut(&open.agent);
        for number in &open.given {
            let tries = waiting.as_mut().and_then(|waiting| waiting.get_mut(number));
            *tries.ok_or_else(|| format!("message {number} is lost"))? += u32::from(counts);
        }
        Ok(())
    }

    fn succeeded(&mut self, step: &StepId, purpose: Purpose) -> Verdict {
        let Some(Attempt { agent, given: left, .. }) = self.open.remove(&(step.clone(), purpose)) else {
            return Ok(());
        };
        let converses = self.converse.contains(&agent);
        must(left.is_empty() || converses, || format!("`{step}` succeeded without handling {left:?}"))?;
        // What it has not handled waits again, and that counts.
        let mut waiting = self.waiting.get_mut(&agent);
        for number in &left {
            let tries = waiting.as_mut().and_then(|waiting| waiting.get_mut(number));
            *tries.ok_or_else(|| format!("message {number} is lost"))? += 1;
        }
        Ok(())
    }

    fn message(&self, number: MessageNumber) -> Option<&MessageSent> {
        self.sent.get(usize::try_from(number.0).ok()?.checked_sub(1)?)
    }

    fn take(&mut self, receiver: &str, number: MessageNumber) -> Verdict {
        let was_there = self.waiting.get_mut(receiver).and_then(|waiting| waiting.remove(&number));
        must(was_there.is_some(), || format!("message {number} does not wait for `{receiver}` any more"))
    }
}

/// Whether a message is delivered to an agent as soon as it comes.
fn is_live(message: &MessageSent, agent: &str) -> bool {
    message.live.iter().any(|live| live.key() == agent)
}

/// How many bytes a message says.
fn length(message: &MessageSent) -> usize {
    match &message.body {
        Payload::Inline(json) => json.text().len(),
        Payload::Blob(blob) => blob.size_bytes as usize,
    }
}
