//! What a conversation is asked.

use std::sync::Arc;

use crate::events::conversation::{Role, Window};
use crate::events::ids::{AgentName, TurnNumber};

/// A command to a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConversationAsk {
    /// To add turns: all of them, or none.
    Add(Box<Add>),
    /// To keep a turn in the window, or to let it leave again. Of one that is as it is to be nothing follows.
    Pin {
        /// The turn.
        turn: TurnNumber,
        /// Whether it is to be pinned.
        pinned: bool,
        /// The name of the person or program that wants it.
        by: Arc<str>,
    },
    /// Nothing, by a process that takes it over: nothing of it is ever lost.
    Nothing,
}

/// Turns that are to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Add {
    /// The turns, in order.
    pub turns: Vec<NewTurn>,
    /// How much is to be in the window.
    pub window: Window,
    /// What is to leave the window, if there is too much in it with these turns. Where that is not so, it is not looked at.
    pub compression: Option<Compression>,
    /// The name of the person or program that adds them.
    pub by: Arc<str>,
}

/// A turn that is to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTurn {
    /// Who speaks.
    pub role: Role,
    /// The name of who speaks, if it is said.
    pub name: Option<AgentName>,
    /// Whether it is to stay in the window until it is unpinned.
    pub pinned: bool,
    /// How many tokens it takes of the window. It was counted by who asks: whoever decides it again sees the same number.
    pub tokens: u32,
    /// The text.
    pub text: Arc<str>,
}

/// What leaves the window, and what stands there for it. It was thought of before the command, be it in an instant or by a model that
/// took a minute: it counts as long as it still fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compression {
    /// By whom the summary was made, as in `extraction`.
    pub by: Arc<str>,
    /// The turns that leave, in order, each with the words by which it is found again if its text is long.
    pub leaves: Vec<(TurnNumber, Vec<String>)>,
    /// The text that stands for them and for all that left before, with what it takes of the window.
    pub summary: Option<(Arc<str>, u32)>,
    /// The last turn that was there when it was thought of: turns after it that are to leave were to have these numbers.
    pub after: TurnNumber,
    /// How often the conversation had been compressed by then: on that summary this one is built.
    pub compressions: u64,
}
