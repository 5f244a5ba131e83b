//! Names of conversations, and numbers of their turns.

use super::shared::{NAME_RULE, shown};
use super::*;

text_id! {
    /// The name of a conversation: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
    ConversationName
}

number! {
    /// The number of a turn in its conversation, from 1. It stays the turn's, be it in the window or in the archive.
    TurnNumber
}

/// The kind of the streams of conversations.
pub const CONVERSATION_KIND: &str = "conversation";

impl ConversationName {
    /// Checks a name.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let refused = || InvalidId { what: "name of a conversation", text: shown(text), rule: NAME_RULE };
        is_name(text).then(|| Self(text.into())).ok_or_else(refused)
    }
}

impl StreamId {
    /// The stream of a conversation.
    pub fn of_conversation(conversation: &ConversationName) -> Self {
        Self::new(CONVERSATION_KIND, conversation.as_str())
    }

    /// The conversation whose stream this is.
    pub fn conversation(&self) -> Option<ConversationName> {
        let (_, name) = self.parts().filter(|(kind, _)| *kind == CONVERSATION_KIND)?;
        ConversationName::parse(name).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_conversation_is_that_of_its_stream() {
        let name = ConversationName::parse("review.2-b").unwrap();
        assert_eq!(StreamId::of_conversation(&name).conversation(), Some(name));
        for bad in ["", ".", "../a", "a/b", "-a", "a b", "a\n", "ä", &"x".repeat(65)] {
            assert!(ConversationName::parse(bad).is_err(), "{bad}");
            assert_eq!(StreamId::new(CONVERSATION_KIND, bad).conversation(), None, "{bad}");
        }
    }
}
