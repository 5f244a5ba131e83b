//! Conversations, as who holds the store knows them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::conversation::{Role, Window};
use crate::events::ids::{AgentName, CommandId, ConversationName, TurnNumber, Version};
use crate::events::json::BlobRef;
use crate::events::time::Timestamp;

/// The things that somebody may want of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversationWants {
    /// To add turns: all of them, or none. Answer: [`ConversationAnswer::Added`].
    Add {
        /// The turns, in order.
        turns: Vec<TurnGiven>,
        /// How much is to be in the window; none for as much as is, or, in a new conversation, for what the holder is
        /// configured to.
        #[serde(default)]
        window: Option<Window>,
        /// The name of the person or program that adds them.
        by: Arc<str>,
        /// What tells this request from all others.
        #[serde(default)]
        id: Option<CommandId>,
    },
    /// To keep a turn in the window, or to let it leave again. Answer: [`ConversationAnswer::Known`].
    Pin {
        /// The turn.
        turn: TurnNumber,
        /// Whether it is to be pinned.
        pinned: bool,
        /// The name of the person or program that wants it.
        by: Arc<str>,
        /// What tells this request from all others.
        #[serde(default)]
        id: Option<CommandId>,
    },
    /// To know how much was said, and how much of it is at hand. Answer: [`ConversationAnswer::Known`].
    Show {
        /// Whether the pages of the archive are wanted, too.
        archived: bool,
    },
    /// Some turns, in order. Answer: [`ConversationAnswer::Turns`].
    Turns {
        /// Which of them.
        which: WhichTurns,
        /// The first that may be among them.
        from: TurnNumber,
        /// How many at most.
        limit: u32,
    },
    /// The turns that have to do with something, be they at hand or archived: those that have most to do with it, in order.
    /// Answer: [`ConversationAnswer::Turns`].
    Search {
        /// What is looked for, in words.
        query: String,
        /// How many at most.
        limit: u32,
    },
    /// All turns up to one, in order. Frames: [`super::Frame::Turn`]. Answer: [`ConversationAnswer::Told`].
    Export {
        /// The last that is wanted.
        last: TurnNumber,
    },
}

impl ConversationWants {
    /// Whether it asks how things are, and changes nothing.
    pub const fn only_looks(&self) -> bool {
        !matches!(self, Self::Add { .. } | Self::Pin { .. })
    }
}

/// Which turns somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhichTurns {
    /// Those in the window.
    Window,
    /// Those in the archive.
    Archived,
    /// All that there ever were.
    All,
}

/// A turn that is to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnGiven {
    /// Who speaks.
    pub role: Role,
    /// The name of who speaks, if it is said.
    pub name: Option<AgentName>,
    /// Whether it is to stay in the window until it is unpinned.
    pub pinned: bool,
    /// The text.
    pub content: Arc<str>,
}

/// The answer to what somebody wants of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversationAnswer {
    /// Turns are added.
    Added(TurnsAdded),
    /// How much was said.
    Known(Box<ConversationKnown>),
    /// Some turns.
    Turns(TurnsKnown),
    /// All frames were sent.
    Told,
}

/// Turns after they were added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnsAdded {
    /// The conversation.
    pub conversation: ConversationName,
    /// The version of its stream by then.
    pub version: Version,
    /// The turns, each with what it takes of the window.
    pub turns: Vec<TurnCounted>,
    /// How the conversation was compressed with them; none if it was not.
    pub compressed: Option<CompressedKnown>,
}

/// A turn, and what it takes of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnCounted {
    /// Its number.
    pub turn: TurnNumber,
    /// How many tokens it has.
    pub tokens: u32,
}

/// How a conversation was compressed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompressedKnown {
    /// By whom the summary was made.
    pub by: Arc<str>,
    /// How many tokens were in the window before.
    pub tokens_before: u32,
    /// How many after.
    pub tokens_after: u32,
    /// What part of them that is.
    pub ratio: f64,
    /// How many turns left the window.
    pub archived: u64,
    /// How many tokens the summary has.
    pub summary_tokens: u32,
}

/// How much was said in a conversation, and how much of it is at hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConversationKnown {
    /// Its name.
    pub conversation: ConversationName,
    /// The version of its stream.
    pub version: Version,
    /// How many turns there ever were.
    pub turns: u64,
    /// How many tokens those have.
    pub tokens: u64,
    /// What is at hand.
    pub window: WindowKnown,
    /// What is not.
    pub archive: ArchiveKnown,
    /// What stands for that; null if nothing does.
    pub summary: Option<String>,
    /// How it was compressed the last time; null if it never was.
    pub compressed: Option<CompressedKnown>,
    /// The pages of the archive, the oldest first, where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<Vec<PageKnown>>,
}

/// What is at hand of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowKnown {
    /// How many turns.
    pub turns: u64,
    /// How many of them are pinned.
    pub pinned: u64,
    /// How many tokens those and the summary have.
    pub tokens: u32,
    /// How many of these the summary has.
    pub summary_tokens: u32,
    /// How much may be at hand.
    pub limits: Window,
}

/// What is in the archive of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArchiveKnown {
    /// How many turns.
    pub turns: u64,
    /// How many tokens those have.
    pub tokens: u64,
    /// On how many pages they stand: how often the conversation was compressed.
    pub pages: u64,
}

/// A page of the archive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageKnown {
    /// The blob that it is.
    pub page: BlobRef,
    /// The turns that stand on it, in order.
    pub turns: Vec<TurnNumber>,
    /// How many tokens they have.
    pub tokens: u64,
}

/// Some turns of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnsKnown {
    /// The conversation.
    pub conversation: ConversationName,
    /// The version of its stream.
    pub version: Version,
    /// What stands for the turns that are not at hand, and before which turn; null where nothing does, or all are asked for.
    pub summary: Option<SummaryKnown>,
    /// The turns, in order.
    pub turns: Vec<TurnKnown>,
    /// The first of those that are left; null if none are.
    pub next: Option<TurnNumber>,
}

/// The text that stands for turns that are not at hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SummaryKnown {
    /// The text.
    pub content: String,
    /// How many tokens it has.
    pub tokens: u32,
    /// It stands in the place of this turn.
    pub turn: TurnNumber,
}

/// A turn of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnKnown {
    /// Its number.
    pub turn: TurnNumber,
    /// When it was added.
    pub at: Timestamp,
    /// Who spoke.
    pub role: Role,
    /// The name of who spoke; null if it was not said.
    pub name: Option<AgentName>,
    /// Whether it stays in the window.
    pub pinned: bool,
    /// Whether it is not in the window any more.
    pub archived: bool,
    /// How many tokens it has.
    pub tokens: u32,
    /// What was said, whole.
    pub content: String,
}
