//! Why a conversation refuses a command.

use crate::events::ids::TurnNumber;
use crate::events::limits::{TURN_BYTES_MAX, TURNS_ADDED_MAX};
use crate::events::problem::{Code, Problem};

/// Why a conversation refuses a command. Nothing has happened then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConversationRejection {
    /// No turn is given, or too many.
    #[error("{0} turns are given, and at least one and at most {TURNS_ADDED_MAX} are taken at once")]
    Count(usize),
    /// A turn says nothing.
    #[error("a turn says nothing")]
    Empty,
    /// A turn has a character that no text has.
    #[error("a turn has a NUL character, which no text has")]
    Nul,
    /// A turn is too long.
    #[error("a turn has {0} bytes, and at most {TURN_BYTES_MAX} are taken")]
    TooLong(usize),
    /// The name of who speaks is none.
    #[error("a turn names who speaks, and that is no name: {0}")]
    BadName(String),
    /// A turn alone has more tokens than the window.
    #[error("a turn has {tokens} tokens, and the window of the conversation {window}")]
    TooLarge {
        /// How many tokens it takes.
        tokens: u32,
        /// How many the window has.
        window: u32,
    },
    /// There is no room for the newest turn beside what is pinned.
    #[error(
        "{pinned} tokens of the window are pinned, and with the newest turn there would be {all} of {window}"
    )]
    Full {
        /// How many tokens pinned turns take, with those that are to be pinned.
        pinned: u64,
        /// How many tokens there would be in the window all the same.
        all: u64,
        /// How many the window has.
        window: u32,
    },
    /// It has to be compressed, and nobody says how; or how it was to be does not fit any more.
    #[error("the conversation has to be compressed as it is now")]
    Changed,
    /// No such turn is in the window.
    #[error("turn {0} is not in the window of the conversation")]
    NoSuchTurn(TurnNumber),
    /// Such a window cannot be.
    #[error("a window of {0} tokens cannot be compressed as it is to be")]
    BadWindow(u32),
}

impl ConversationRejection {
    const fn code(&self) -> Code {
        match self {
            Self::Count(_) => Code::Usage,
            Self::Empty | Self::Nul | Self::BadName(_) => Code::BadTurn,
            Self::TooLong(_) => Code::TooLarge,
            Self::TooLarge { .. } => Code::TurnTooLarge,
            Self::Full { .. } => Code::ConversationFull,
            Self::Changed => Code::ConversationChanged,
            Self::NoSuchTurn(_) => Code::NoSuchTurn,
            Self::BadWindow(_) => Code::BadConfig,
        }
    }

    pub(super) fn problem(&self) -> Problem {
        Problem::new(self.code(), self.to_string())
    }
}
