//! What each event makes true.

use std::sync::Arc;

use super::{Compressed, Conversation, Standing, Turn};
use crate::events::conversation::{ConversationCompressed, ConversationEvent, TurnAdded};
use crate::events::ids::TurnNumber;
use crate::events::json::Payload;
use crate::events::time::Timestamp;

/// What an event contradicts.
type Folded = Result<(), &'static str>;

impl Conversation {
    pub(super) fn fold(&mut self, event: &ConversationEvent, at: Timestamp) -> Folded {
        match event {
            ConversationEvent::WindowSet(set) => {
                self.window = Some(set.window);
                Ok(())
            }
            ConversationEvent::TurnAdded(added) => self.added(added, at),
            ConversationEvent::TurnPinned(pinned) => self.pin(pinned.turn, true),
            ConversationEvent::TurnUnpinned(unpinned) => self.pin(unpinned.turn, false),
            ConversationEvent::ConversationCompressed(compressed) => self.compress(compressed, at),
        }
    }

    fn added(&mut self, added: &TurnAdded, at: Timestamp) -> Folded {
        if self.window.is_none() {
            return Err("a turn is added before there is a window");
        }
        if added.turn != self.last.next() {
            return Err("the number of a turn is not the one after the last");
        }
        let TurnAdded { turn, role, name, pinned, tokens, content } = added.clone();
        self.tokens = self.tokens.checked_add(tokens).ok_or("there are more tokens than can be counted")?;
        self.tokens_ever += u64::from(tokens);
        self.last = turn;
        self.turns.insert(turn, Turn { role, name, pinned, tokens, content, at });
        Ok(())
    }

    fn pin(&mut self, turn: TurnNumber, pinned: bool) -> Folded {
        let found =
            self.turns.get_mut(&turn).ok_or("a turn is pinned or unpinned that is not in the window")?;
        if found.pinned == pinned {
            return Err("a turn is pinned or unpinned that is so already");
        }
        found.pinned = pinned;
        Ok(())
    }

    fn compress(&mut self, event: &ConversationCompressed, at: Timestamp) -> Folded {
        if event.tokens_before != self.tokens {
            return Err("another number of tokens was in the window before it was compressed");
        }
        let mut left = 0;
        for turn in &event.archived {
            match self.turns.remove(turn) {
                Some(found) if !found.pinned => left += found.tokens,
                Some(_) => return Err("a pinned turn leaves the window"),
                None => return Err("a turn leaves that is not in the window"),
            }
        }
        let stays = self.tokens.checked_sub(self.summary_tokens()).and_then(|stays| stays.checked_sub(left));
        self.tokens = stays.and_then(|stays| stays.checked_add(event.summary_tokens)).unwrap_or_default();
        if self.tokens != event.tokens_after {
            return Err("another number of tokens is in the window after it was compressed");
        }
        let is_none = matches!(&event.summary, Payload::Inline(json) if json.is_null());
        let standing = || Standing { content: event.summary.clone(), tokens: event.summary_tokens };
        self.summary = (!is_none).then(standing);
        let archive = &mut self.archive;
        archive.head = Some(event.page);
        archive.pages += 1;
        archive.turns += event.archived.len() as u64;
        archive.tokens += u64::from(left);
        archive.first = archive.first.into_iter().chain(event.archived.iter().copied()).min();
        self.compressed = Some(Compressed {
            by: Arc::clone(&event.by),
            at,
            archived: event.archived.len() as u64,
            summary_tokens: event.summary_tokens,
            tokens_before: event.tokens_before,
            tokens_after: event.tokens_after,
        });
        Ok(())
    }
}
