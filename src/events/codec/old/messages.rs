//! Messages as they were recorded when all that sent and handled them were attempts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::ids::{AgentName, MessageNumber, StepId};
use crate::events::json::Payload;
use crate::events::run::{Address, MessageHandled, MessageKind, MessageSent, Priority, Purpose};
use crate::events::time::Timestamp;

/// `message_sent` at schema 1: an attempt that succeeded sent it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageSentV1 {
    /// The number of the message in its run, from 1.
    pub number: MessageNumber,
    /// The agent that sent it.
    pub from: AgentName,
    /// The step whose attempt sent it.
    pub step: StepId,
    /// What that attempt was for.
    pub purpose: Purpose,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// Whom it is for, as its sender said.
    pub to: Address,
    /// The agents that this means.
    pub receivers: Vec<AgentName>,
    /// What the sender wants with it.
    pub kind: MessageKind,
    /// The stable name of the type of its body.
    pub type_name: Option<Arc<str>>,
    /// How urgent it is.
    pub priority: Priority,
    /// By which messages belong together.
    pub correlation: Option<Arc<str>>,
    /// The message that it answers, or that it sends again.
    pub causation: Option<MessageNumber>,
    /// The moment from which on it is given to nobody any more.
    pub deadline: Option<Timestamp>,
    /// What it says, as JSON.
    pub body: Payload,
    /// The person or program that had it sent again.
    pub by: Option<Arc<str>>,
}

impl From<MessageSentV1> for MessageSent {
    fn from(old: MessageSentV1) -> Self {
        let MessageSentV1 { number, from, step, purpose, attempt, to, receivers, kind, .. } = old;
        let MessageSentV1 { type_name, priority, correlation, causation, deadline, body, by, .. } = old;
        let (delivery, at_once, asks, live) = (None, false, None, Vec::new());
        Self {
            number,
            from,
            step,
            purpose,
            attempt,
            to,
            receivers,
            kind,
            type_name,
            priority,
            correlation,
            causation,
            deadline,
            body,
            by,
            delivery,
            at_once,
            asks,
            live,
        }
    }
}

/// `message_handled` at schema 1: an attempt that succeeded had been given it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageHandledV1 {
    /// The message.
    pub number: MessageNumber,
    /// The agent that handled it.
    pub receiver: AgentName,
    /// The step whose attempt had been given it.
    pub step: StepId,
    /// What that attempt was for.
    pub purpose: Purpose,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
}

impl From<MessageHandledV1> for MessageHandled {
    fn from(old: MessageHandledV1) -> Self {
        let MessageHandledV1 { number, receiver, step, purpose, attempt } = old;
        Self { number, receiver, step, purpose, attempt, delivery: None }
    }
}
