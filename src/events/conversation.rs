//! The events of a conversation, on the stream `conversation/NAME`. Each says what may come before it and what it makes true; the
//! fold is in `aggregates::conversation`. The names are a contract, and the bytes too: see [`super::codec`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{AgentName, TurnNumber};
use super::json::{BlobRef, Payload};

/// How much of the conversation is in the window from here on: before its first turn, and whenever it is another window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSet {
    /// What is in the window, and when that is compressed.
    pub window: Window,
}

/// How much of a conversation is in its window. All numbers but `keep_last` are of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// There is never more in it than this.
    pub tokens: u32,
    /// With more than this in it, it is compressed.
    pub compress_above: u32,
    /// Compressing it leaves no more than this, where what has to stay allows it.
    pub target: u32,
    /// The summary of what was taken out has no more than this.
    pub summary: u32,
    /// So many of the last turns stay.
    pub keep_last: u32,
}

impl Default for Window {
    /// What `config/default.toml` says.
    fn default() -> Self {
        Self { tokens: 32_768, compress_above: 26_214, target: 16_384, summary: 3_276, keep_last: 8 }
    }
}

/// Who speaks in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Whoever says how the others are to go about it.
    System,
    /// Whoever asks.
    User,
    /// Whoever answers.
    Assistant,
    /// A program whose result is told.
    Tool,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::System, Self::User, Self::Assistant, Self::Tool];

    /// The word for it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }

    /// The one with that word.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.text() == text)
    }
}

/// Somebody has said something: the newest turn, which is in the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnAdded {
    /// Its number: the one after the last.
    pub turn: TurnNumber,
    /// Who speaks.
    pub role: Role,
    /// The name of who speaks, if it was said.
    pub name: Option<AgentName>,
    /// Whether it stays in the window until it is unpinned.
    pub pinned: bool,
    /// How many tokens it takes of the window.
    pub tokens: u32,
    /// What is said, as a JSON text.
    pub content: Payload,
}

/// A turn of the window stays there until it is unpinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnPinned {
    /// The turn, which is not pinned.
    pub turn: TurnNumber,
}

/// A turn of the window may leave it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnUnpinned {
    /// The turn, which is pinned.
    pub turn: TurnNumber,
}

/// Turns have left the window, and a summary stands for all that ever did: in the commit of the turn with which there was too
/// much in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationCompressed {
    /// By whom the summary was made, as in `extraction`.
    pub by: Arc<str>,
    /// The turns that left it, in order; none of them is pinned.
    pub archived: Vec<TurnNumber>,
    /// The page of the archive that has them, and names the page before it.
    pub page: BlobRef,
    /// What stands for all that was ever archived, as a JSON text; null if nothing does.
    pub summary: Payload,
    /// How many tokens that takes of the window.
    pub summary_tokens: u32,
    /// How many tokens were in the window before, with the newest turn.
    pub tokens_before: u32,
    /// How many are in it now.
    pub tokens_after: u32,
}

macro_rules! conversation_events {
    ($($name:ident),* $(,)?) => {
        /// Something that happened to a conversation.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum ConversationEvent { $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)* }

        $(impl From<$name> for ConversationEvent {
            fn from(event: $name) -> Self {
                Self::$name(event)
            }
        })*
    };
}

conversation_events! { WindowSet, TurnAdded, TurnPinned, TurnUnpinned, ConversationCompressed }

impl ConversationEvent {
    /// The blobs that the event refers to.
    pub fn blobs(&self) -> Vec<BlobRef> {
        match self {
            Self::TurnAdded(added) => added.content.blob().into_iter().collect(),
            Self::ConversationCompressed(compressed) => {
                std::iter::once(compressed.page).chain(compressed.summary.blob()).collect()
            }
            Self::WindowSet(_) | Self::TurnPinned(_) | Self::TurnUnpinned(_) => Vec::new(),
        }
    }
}
