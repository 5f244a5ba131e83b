//! A conversation: turns in order, of which as many are at hand as fit into a window. The fold of its events holds what is in the
//! window, and where the archive of all else begins: it is as large after a million turns as after a thousand.
//!
//! - `command`: what it is asked; `decide`: what comes of that; `rejection`: why it refuses
//! - `evolve`: what each event makes true
//! - [`at_hand`]: what is given to whoever goes on with it, in pages
//! - `leaving`: which turns leave the window when there is too much in it. Who summarises them is not decided here: a summary comes
//!   with the command, by whomever it was made
//! - [`archive`]: the pages on which they are found again
//! - `recorded`: commands as they are recorded, and what they were

pub mod archive;
pub mod at_hand;
mod command;
mod decide;
mod evolve;
mod leaving;
mod recorded;
mod rejection;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::command::{Add, Compression, ConversationAsk, NewTurn};
pub use self::leaving::{Leaving, leaving};
pub use self::recorded::RECORDS;
pub use self::rejection::ConversationRejection;
use crate::events::codec::{CodecError, from_bytes, to_bytes};
use crate::events::conversation::{ConversationEvent, Role, Window};
use crate::events::decision::Form;
use crate::events::ids::{AgentName, CONVERSATION_KIND, TurnNumber};
use crate::events::json::{BlobRef, Payload};
use crate::events::problem::Problem;
use crate::events::time::Timestamp;
use crate::kernel::standing::KindFold;
use crate::kernel::{
    Aggregate, At, Attention, Draft, EffectChanges, IllegalEvent, Moment, NoEffect, NotRecalled, Recalling,
    Recording,
};

/// The state of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// How much is in the window; none of a conversation to which nothing has happened.
    window: Option<Window>,
    /// The turns in the window.
    turns: BTreeMap<TurnNumber, Turn>,
    /// What stands for all others.
    summary: Option<Standing>,
    archive: Archive,
    /// The number of the last turn.
    last: TurnNumber,
    /// How many tokens are in the window: those of its turns and of the summary.
    tokens: u32,
    /// How many tokens all turns have that were ever added.
    tokens_ever: u64,
    /// The last time that it was compressed.
    compressed: Option<Compressed>,
}

/// A turn in the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
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
    /// When that was recorded.
    pub at: Timestamp,
}

/// The text that stands for all turns of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The text, as JSON.
    pub content: Payload,
    /// How many tokens it takes of the window.
    pub tokens: u32,
}

/// Where the turns are found that are not in the window any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// The newest page, which names the one before it; none while nothing was archived.
    pub head: Option<BlobRef>,
    /// How many pages there are.
    pub pages: u64,
    /// How many turns stand on them.
    pub turns: u64,
    /// How many tokens those have.
    pub tokens: u64,
    /// The first of them, in whose place the summary stands.
    pub first: Option<TurnNumber>,
}

/// How a conversation was compressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compressed {
    /// By whom the summary was made.
    pub by: Arc<str>,
    /// When that was recorded.
    pub at: Timestamp,
    /// How many turns left the window.
    pub archived: u64,
    /// How many tokens the summary takes.
    pub summary_tokens: u32,
    /// How many tokens were in the window before.
    pub tokens_before: u32,
    /// How many after.
    pub tokens_after: u32,
}

/// How the streams of conversations are folded by whoever knows no kind by name.
pub const FOLD: KindFold = KindFold::of::<Conversation>(|_| None);

impl Conversation {
    /// How much is in the window; none of a conversation to which nothing has happened.
    pub const fn window(&self) -> Option<&Window> {
        self.window.as_ref()
    }

    /// The turns in the window.
    pub const fn turns(&self) -> &BTreeMap<TurnNumber, Turn> {
        &self.turns
    }

    /// What stands for all turns that are not in the window.
    pub const fn summary(&self) -> Option<&Standing> {
        self.summary.as_ref()
    }

    /// Where those are found.
    pub const fn archive(&self) -> &Archive {
        &self.archive
    }

    /// The number of the last turn: how many there ever were.
    pub const fn last(&self) -> TurnNumber {
        self.last
    }

    /// How many tokens are in the window.
    pub const fn tokens(&self) -> u32 {
        self.tokens
    }

    /// How many tokens all turns have that were ever added.
    pub const fn tokens_ever(&self) -> u64 {
        self.tokens_ever
    }

    /// How it was compressed the last time.
    pub const fn compressed(&self) -> Option<&Compressed> {
        self.compressed.as_ref()
    }

    fn summary_tokens(&self) -> u32 {
        self.summary.as_ref().map_or(0, |summary| summary.tokens)
    }
}

impl Aggregate for Conversation {
    const KIND: &'static str = CONVERSATION_KIND;
    type Command = ConversationAsk;
    type Event = ConversationEvent;
    type Rejection = ConversationRejection;
    type Effect = NoEffect;
    type Grants = ();

    fn decide(
        draft: &mut Draft<'_, Self>,
        ask: ConversationAsk,
        _: &Moment<'_>,
    ) -> Result<(), ConversationRejection> {
        decide::decide(draft, ask)
    }

    fn evolve(
        &mut self,
        event: &ConversationEvent,
        at: &At<'_>,
        _: &mut EffectChanges<NoEffect>,
    ) -> Result<(), IllegalEvent> {
        self.fold(event, at.time).map_err(|why| IllegalEvent { version: at.version, why: why.to_owned() })
    }

    fn blobs(event: &ConversationEvent) -> Vec<BlobRef> {
        event.blobs()
    }

    fn open(&self) -> Vec<NoEffect> {
        Vec::new()
    }

    fn attention(&self) -> Attention {
        Attention::default()
    }

    fn status(&self) -> &'static str {
        "open"
    }

    fn due(effect: &NoEffect) -> Option<ConversationAsk> {
        match *effect {}
    }

    fn recover(_: &mut dyn Iterator<Item = &()>) -> ConversationAsk {
        ConversationAsk::Nothing
    }

    fn loses(_: &ConversationAsk) -> bool {
        false
    }

    fn name(ask: &ConversationAsk) -> &'static str {
        recorded::name(ask)
    }

    fn asked_by(ask: &ConversationAsk) -> Option<Arc<str>> {
        recorded::asked_by(ask)
    }

    fn record(ask: ConversationAsk, _: &mut Recording<'_, '_, Self>) -> Result<Option<Form>, CodecError> {
        recorded::record(&ask)
    }

    fn recall(recalling: &Recalling<'_, Self>) -> Result<ConversationAsk, NotRecalled> {
        recorded::recall(recalling)
    }

    fn problem(rejection: &ConversationRejection) -> Problem {
        rejection.problem()
    }

    fn is_fatal(_: &ConversationRejection) -> bool {
        false
    }

    const SNAPSHOT_SCHEMA: u16 = 1;

    fn snapshot(&self) -> Result<Vec<u8>, CodecError> {
        to_bytes(self)
    }

    fn restore(bytes: &[u8]) -> Result<Self, CodecError> {
        from_bytes(bytes)
    }
}
