//! The events of a mind, on the stream `mind/KEY`: the messages that an agent with a memory has taken in, and what it remembers of
//! them. The fold is in `aggregates::mind`. The names are a contract, and the bytes too: see [`super::codec`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{AgentName, ContextKey, KeyVersion};
use super::json::{BlobRef, Payload};

/// An agent with a memory has taken in a message: what it answers and sends goes to the run of the message, again if that asks
/// again. What it remembers of it follows in the same commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageTaken {
    /// What the message is called: `RUN/N`.
    pub message: Arc<str>,
    /// The agent that sent it.
    pub from: AgentName,
    /// The stable name of its type.
    pub type_name: Option<Arc<str>>,
    /// What it says, as JSON.
    pub body: Payload,
    /// What it is answered, as JSON; null where there is no answer.
    pub answer: Payload,
    /// What is sent for it, each as agents send messages.
    pub sends: Vec<Payload>,
}

/// A key of the memory has another value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// The key.
    pub key: ContextKey,
    /// The number of that value among all of the key, from 1; 0 where the key is forgotten.
    pub version: KeyVersion,
    /// The value; null where the key is forgotten.
    pub value: Payload,
}

/// Something that happened to a mind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum MindEvent {
    /// See [`MessageTaken`].
    MessageTaken(MessageTaken),
    /// See [`Remembered`].
    Remembered(Remembered),
}

impl MindEvent {
    /// The blobs that the event refers to.
    pub fn blobs(&self) -> Vec<BlobRef> {
        match self {
            Self::MessageTaken(taken) => {
                let sends = taken.sends.iter().filter_map(Payload::blob);
                [&taken.body, &taken.answer].into_iter().filter_map(Payload::blob).chain(sends).collect()
            }
            Self::Remembered(remembered) => remembered.value.blob().into_iter().collect(),
        }
    }
}

impl From<MessageTaken> for MindEvent {
    fn from(event: MessageTaken) -> Self {
        Self::MessageTaken(event)
    }
}

impl From<Remembered> for MindEvent {
    fn from(event: Remembered) -> Self {
        Self::Remembered(event)
    }
}
