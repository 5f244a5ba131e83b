//! What the agents of a run say to each other.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Purpose;
use crate::events::ids::{AgentName, Fence, MessageNumber, StepId};
use crate::events::json::Payload;
use crate::events::problem::{Class, Code};
use crate::events::time::Timestamp;

/// An attempt sent a message: one that succeeded, in the commit of what it came to, or one that goes on; or who handled another
/// message did, in the commit of that; or a person had one sent again that nobody handled. Each of its receivers is given it, until
/// it is handled or dead. A rollback takes none back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageSent {
    /// The number of the message in its run, from 1.
    pub number: MessageNumber,
    /// The agent that sent it.
    pub from: AgentName,
    /// The step whose attempt sent it, or sent what led to it.
    pub step: StepId,
    /// What that attempt was for.
    pub purpose: Purpose,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// Whom it is for, as its sender said.
    pub to: Address,
    /// The agents that this means: each of them handles it for itself.
    pub receivers: Vec<AgentName>,
    /// What the sender wants with it.
    pub kind: MessageKind,
    /// The stable name of the type of its body, where its sender named one.
    pub type_name: Option<Arc<str>>,
    /// How urgent it is: a receiver is given the most urgent first.
    pub priority: Priority,
    /// By which its sender and its receivers know what belongs together, where the sender said so.
    pub correlation: Option<Arc<str>>,
    /// The message that it answers, or that it sends again.
    pub causation: Option<MessageNumber>,
    /// The moment from which on it is given to nobody any more, by the clock by which events are recorded.
    pub deadline: Option<Timestamp>,
    /// What it says, as JSON.
    pub body: Payload,
    /// The person or program that had it sent again; none of what an attempt sent.
    pub by: Option<Arc<str>>,
    /// The fence of the delivery in which it was sent; none of what an attempt sent.
    pub delivery: Option<Fence>,
    /// Whether it was sent at once, while an attempt or a delivery went on; else it is in the commit of what that came to.
    pub at_once: bool,
    /// Of a message whose sender waits for the answer, how many it had sent so before it; none of all others.
    pub asks: Option<u32>,
    /// Those of its receivers that handle messages of its type as soon as they come, and not with an attempt at a step.
    pub live: Vec<AgentName>,
}

/// A receiver has handled a message, and is not given it again: an attempt that succeeded had been given it, or an open attempt that
/// converses says so, or it was delivered and that succeeded, or it is the answer for which an open attempt or delivery waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageHandled {
    /// The message.
    pub number: MessageNumber,
    /// The agent that handled it.
    pub receiver: AgentName,
    /// The step whose attempt had been given it, or had sent it or what led to it.
    pub step: StepId,
    /// What that attempt was for.
    pub purpose: Purpose,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// The fence of the delivery in which it was handled; none if an attempt handled it.
    pub delivery: Option<Fence>,
}

/// A message is given to an open attempt of its receiver, whose program converses: it is told it while it runs. It stays with that
/// attempt until it has handled it, or has ended; then it waits again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageGiven {
    /// The message.
    pub number: MessageNumber,
    /// The agent that is to handle it.
    pub receiver: AgentName,
    /// The step whose attempt is given it.
    pub step: StepId,
    /// What that attempt is for.
    pub purpose: Purpose,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
}

/// A message is delivered to a receiver that handles messages as soon as they come. Of those of a run it is delivered one at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryStarted {
    /// The message.
    pub number: MessageNumber,
    /// The agent that is to handle it.
    pub receiver: AgentName,
    /// How often it was delivered to it with this one, from 1.
    pub nth: u32,
    /// Newer than that of every attempt and every delivery before it in the run.
    pub fence: Fence,
    /// The moment when it has timed out, by the steady clock.
    pub deadline: Timestamp,
}

/// A message was delivered, and its receiver failed at it. It is delivered again, unless what follows says that it is dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryFailed {
    /// The message.
    pub number: MessageNumber,
    /// The agent that handled it.
    pub receiver: AgentName,
    /// The fence of the delivery.
    pub fence: Fence,
    /// What may be done about it.
    pub class: Class,
    /// What went wrong.
    pub code: Code,
    /// The same for a person.
    pub message: String,
}

/// Nobody will hear any more what came of a delivery: the process that made it ended. The message is delivered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryLost {
    /// The message.
    pub number: MessageNumber,
    /// The agent that handled it.
    pub receiver: AgentName,
    /// The fence of the delivery.
    pub fence: Fence,
    /// Whether the process ended in order: then it does not count.
    pub interrupted: bool,
}

/// A receiver is not given a message any more: for that receiver it is dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageExpired {
    /// The message.
    pub number: MessageNumber,
    /// The agent that has not handled it.
    pub receiver: AgentName,
    /// Why it is not given it any more.
    pub why: ExpiredWhy,
}

/// Why a receiver is not given a message any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiredWhy {
    /// Its deadline has passed.
    Deadline,
    /// The run has no agent of that name.
    NoReceiver {
        /// The name that may have been meant.
        nearest: Option<AgentName>,
    },
    /// As many attempts as may had been given it, and none of them succeeded.
    TriedTooOften {
        /// How many; fewer than may where another try would be in vain.
        tries: u32,
        /// The code with which the last of them ended.
        code: Code,
        /// What went wrong then, for a person.
        message: String,
    },
}

/// Whom a message is for. As a text it is the name of an agent, `topic:` and a topic, or `*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Address {
    /// One agent, by its name.
    Agent(AgentName),
    /// Every agent that subscribes to the topic.
    Topic(Arc<str>),
    /// Every agent that steps of the run name, but for the sender.
    Everyone,
}

/// What the address of a topic begins with.
pub const TOPIC_PREFIX: &str = "topic:";

/// The address of everyone.
pub const EVERYONE: &str = "*";

impl From<String> for Address {
    fn from(text: String) -> Self {
        match text.strip_prefix(TOPIC_PREFIX) {
            Some(topic) => Self::Topic(topic.into()),
            None if text == EVERYONE => Self::Everyone,
            None => Self::Agent(AgentName::new(&text)),
        }
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(agent) => fmt::Display::fmt(agent, f),
            Self::Topic(topic) => write!(f, "{TOPIC_PREFIX}{topic}"),
            Self::Everyone => f.write_str(EVERYONE),
        }
    }
}

/// What the sender of a message wants with it. To Reenact all are alike; agents tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// The receiver is to do something.
    Task,
    /// What came of something that was to be done.
    Result,
    /// The receiver is to answer.
    Request,
    /// The answer to a request.
    Response,
    /// The receiver is to know something.
    Notice,
    /// The receiver is to go on with something.
    Handoff,
    /// The receiver is to work in another way, or to stop.
    Control,
}

impl MessageKind {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Task, Self::Result, Self::Request, Self::Response, Self::Notice, Self::Handoff, Self::Control];

    /// The word for it in messages.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Result => "result",
            Self::Request => "request",
            Self::Response => "response",
            Self::Notice => "notice",
            Self::Handoff => "handoff",
            Self::Control => "control",
        }
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// How urgent a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// It can wait for all others.
    Low,
    /// It comes in its turn.
    #[default]
    Normal,
    /// It comes before what is normal.
    High,
    /// It comes before all others.
    Urgent,
}

impl Priority {
    /// All of them, the least urgent first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Urgent];

    /// The word for it in messages.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_for_kinds_and_priorities_are_those_that_are_recorded() {
        for kind in MessageKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.text());
        }
        for priority in Priority::ALL {
            assert_eq!(serde_json::to_value(priority).unwrap(), priority.text());
        }
        assert!(Priority::ALL.is_sorted());
    }

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for text in ["ada", "topic:build.done", "*"] {
            assert_eq!(Address::from(text.to_owned()).to_string(), text);
        }
    }
}
