//! Messages between the agents of runs, as they are asked for and told.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::ids::{AgentName, MessageId, MessageNumber, RunId, StepId};
use crate::events::json::Json;
use crate::events::run::{Address, MessageKind, Priority};
use crate::events::time::Timestamp;

/// Which messages are asked for: of those that meet every part of it that is given the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhichMessages {
    /// Only those that this agent sent, or that are for it.
    #[serde(default)]
    pub agent: Option<AgentName>,
    /// Only those of this kind.
    #[serde(default)]
    pub kind: Option<MessageKind>,
    /// Only those that were sent at that time or later.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Only those that belong together by this word.
    #[serde(default)]
    pub correlation: Option<String>,
    /// Only those that somebody will not handle any more.
    #[serde(default)]
    pub dead: bool,
    /// How many at most.
    pub limit: u32,
}

/// A message, and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageKnown {
    /// What it is called: `RUN/N`.
    pub id: String,
    /// When it was sent.
    pub at: Timestamp,
    /// The run whose agents it is between.
    pub run: RunId,
    /// The agent that sent it.
    pub from: AgentName,
    /// Whom it is for, as its sender said.
    pub to: Address,
    /// What its sender wants with it.
    pub kind: MessageKind,
    /// How urgent it is.
    pub priority: Priority,
    /// By which it belongs together with others.
    pub correlation: Option<Arc<str>>,
    /// What has become of it.
    pub state: MessageState,
    /// What it says.
    pub body: Json,
    /// The stable name of the type of its body.
    pub type_name: Option<Arc<str>>,
    /// What the message is called that it answers, or sends again.
    pub causation: Option<String>,
    /// Until when it is of use.
    pub deadline: Option<Timestamp>,
    /// The step whose attempt sent it.
    pub step: StepId,
    /// The person or program that had it sent again.
    pub by: Option<Arc<str>>,
    /// The agents that it is for, and what has become of it for each.
    pub receivers: Vec<ReceiverKnown>,
}

/// An agent that a message is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiverKnown {
    /// The agent.
    pub agent: AgentName,
    /// What has become of the message for it.
    pub state: MessageState,
    /// Why it will not handle it, in a sentence; none while it may, and when it has.
    pub why: Option<String>,
}

/// What has become of a message. Of one for several it is the worst: sent, dead, expired, handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// It waits to be handled; or nobody subscribes to what it is about.
    Sent,
    /// It is handled.
    Handled,
    /// Its deadline has passed before that.
    Expired,
    /// It will not be handled, unless it is sent again.
    Dead,
}

impl MessageState {
    /// The word for it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Handled => "handled",
            Self::Expired => "expired",
            Self::Dead => "dead",
        }
    }
}

impl MessageKnown {
    /// The name of a message of that run.
    pub fn id(run: &RunId, number: MessageNumber) -> String {
        MessageId { run: run.clone(), number }.to_string()
    }

    /// What has become of a message, by what has become of it for each receiver.
    pub fn state_of(receivers: &[ReceiverKnown]) -> MessageState {
        let worst = [MessageState::Sent, MessageState::Dead, MessageState::Expired, MessageState::Handled];
        let is_there = |state: &MessageState| receivers.iter().any(|receiver| receiver.state == *state);
        worst.into_iter().find(is_there).unwrap_or(MessageState::Sent)
    }

    /// Whether somebody will not handle it any more.
    pub fn is_dead(&self) -> bool {
        let is_dead = |state| matches!(state, MessageState::Dead | MessageState::Expired);
        self.receivers.iter().any(|receiver| is_dead(receiver.state))
    }
}
