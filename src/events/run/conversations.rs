//! What a run asks of conversations: what is at hand of one is read before a step is tried, and what its attempt asked and answered
//! is added to it. Conversations are streams of their own: what is asked of one is recorded here before, and what came of it after.

use serde::{Deserialize, Serialize};

use crate::events::conversation::Role;
use crate::events::ids::{AgentName, ConversationName, StepId, TurnNumber, Version};
use crate::events::json::{BlobRef, Payload};

/// A step that could be tried goes on with a conversation: it cannot be tried before what is at hand of that was read, for which a
/// [`ConversationRead`] stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationAwaited {
    /// The step that goes on with it.
    pub step: StepId,
    /// The conversation.
    pub conversation: ConversationName,
}

/// What is at hand of a conversation was read for a step that waited for that: its next attempt is given it. The event names turns by
/// pages, which are content of their own: pages of the same turns are stored once, however many attempts are given them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationRead {
    /// The step that goes on with it.
    pub step: StepId,
    /// The conversation.
    pub conversation: ConversationName,
    /// The version of its stream up to which it was read; 0 of a conversation in which nothing was said.
    pub version: Version,
    /// What stands for all turns that are not at hand any more, as a JSON text, with the first turn that it stands for.
    pub summary: Option<(TurnNumber, Payload)>,
    /// The turns that are at hand, in order: each a list of turns as JSON.
    pub pages: Vec<Payload>,
    /// The long texts that the pages name by their hashes.
    pub texts: Vec<BlobRef>,
}

/// What an attempt adds to a conversation when it succeeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnsToAdd {
    /// The conversation.
    pub conversation: ConversationName,
    /// The turns, in order; at least one.
    pub turns: Vec<TurnToAdd>,
}

/// A turn that an attempt adds to a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnToAdd {
    /// Who speaks.
    pub role: Role,
    /// The name of who speaks; none of what the step asks.
    pub name: Option<AgentName>,
    /// What is said, as a JSON text.
    pub content: Payload,
}

/// A conversation has taken what an attempt adds to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationContinued {
    /// The step that was tried.
    pub step: StepId,
    /// The attempt's number at doing its step, from 1.
    pub attempt: u32,
    /// The conversation.
    pub conversation: ConversationName,
    /// The version of its stream with these turns.
    pub version: Version,
}

impl ConversationRead {
    /// The blobs that it refers to.
    pub fn blobs(&self) -> Vec<BlobRef> {
        let summary = self.summary.iter().map(|(_, text)| text);
        summary.chain(&self.pages).filter_map(Payload::blob).chain(self.texts.iter().copied()).collect()
    }
}
