//! What of a conversation matters, in how many words. All of it is pure, and the same for the same texts.
//!
//! - [`tokens`]: how much of a window a text takes
//! - [`relevance`]: which texts have to do with others, and the words by which one is found again
//! - [`extract`]: what is said in texts, in a few of their own sentences

pub mod extract;
pub mod relevance;
pub mod tokens;

use crate::events::conversation::Role;
use crate::events::ids::TurnNumber;

/// What somebody has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The number of the turn.
    pub turn: TurnNumber,
    /// Who said it.
    pub role: Role,
    /// The text.
    pub text: String,
}

/// A text that stands for turns, and what it takes of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The text.
    pub text: String,
    /// How many tokens it takes as a turn of its own.
    pub tokens: u32,
}

impl Summary {
    /// A text with what it takes.
    pub fn of(text: String) -> Self {
        let tokens = tokens::of_turn(&text);
        Self { text, tokens }
    }
}
