//! Which conversations there are, how much was said in each, and when last: a row each, by its name. Folded when somebody asks.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::codec::{from_bytes, to_bytes};
use crate::events::commit::Recorded;
use crate::events::conversation::ConversationEvent;
use crate::events::ids::{ConversationName, Version};
use crate::events::time::Timestamp;
use crate::kernel::projection::{Page, Projection, Rows};
use crate::views::projector::{Projector, ViewError};

const VIEW: &str = "conversations";

/// A conversation in the list of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationRow {
    /// Its name.
    pub conversation: ConversationName,
    /// The version of its stream.
    pub version: Version,
    /// How many turns were ever added.
    pub turns: u64,
    /// How many of them are not in the window any more.
    pub archived: u64,
    /// How many tokens are in the window.
    pub tokens: u32,
    /// When something happened to it last.
    pub at: Timestamp,
}

/// The read model of which conversations there are.
pub struct ConversationsView {
    projector: Arc<Projector>,
}

impl ConversationsView {
    /// What this projector keeps up, among others: [`ConversationRows`] is one of its projections.
    pub fn new(projector: Arc<Projector>) -> Self {
        Self { projector }
    }

    /// Every conversation, in the order of their names.
    ///
    /// # Errors
    /// When the store cannot be read, or rows cannot be saved.
    pub async fn list(&self) -> Result<Vec<ConversationRow>, ViewError> {
        self.projector.catch_up().await?;
        let rows = self.projector.saved_rows(VIEW, &[]).await?;
        // A row that this version cannot read is as good as none.
        Ok(rows.iter().filter_map(|row| from_bytes::<ConversationRow>(&row.bytes).ok()).collect())
    }
}

/// The rows of which conversations there are.
pub struct ConversationRows;

impl Projection for ConversationRows {
    fn name(&self) -> &'static str {
        VIEW
    }

    fn shape(&self) -> u32 {
        1
    }

    fn reads(&self, page: &Page<'_>, _: &Rows) -> Vec<Vec<u8>> {
        page.events()
            .filter_map(|recorded| recorded.header.stream.conversation())
            .map(|name| key(&name))
            .collect()
    }

    fn fold(&self, page: &Page<'_>, rows: &mut Rows) {
        for recorded in page.events() {
            let Some(conversation) = recorded.header.stream.conversation() else { continue };
            // What cannot be decoded is reported by whoever proves the store.
            let Ok(event) = recorded.decode::<ConversationEvent>() else { continue };
            let known = rows.get(&key(&conversation)).and_then(|row| from_bytes::<ConversationRow>(row).ok());
            let row = after(known, conversation, &event, recorded);
            if let Ok(bytes) = to_bytes(&row) {
                rows.set(key(&row.conversation), bytes);
            }
        }
    }
}

fn key(conversation: &ConversationName) -> Vec<u8> {
    conversation.as_str().as_bytes().to_vec()
}

/// A row after one more event.
fn after(
    known: Option<ConversationRow>,
    conversation: ConversationName,
    event: &ConversationEvent,
    recorded: &Recorded,
) -> ConversationRow {
    let (version, at) = (recorded.version, recorded.header.recorded_at);
    let new = ConversationRow { conversation, version, turns: 0, archived: 0, tokens: 0, at };
    let row = ConversationRow { version, at, ..known.unwrap_or(new) };
    match event {
        ConversationEvent::TurnAdded(added) => {
            ConversationRow { turns: added.turn.0, tokens: row.tokens.saturating_add(added.tokens), ..row }
        }
        ConversationEvent::ConversationCompressed(compressed) => {
            let archived = row.archived + compressed.archived.len() as u64;
            ConversationRow { archived, tokens: compressed.tokens_after, ..row }
        }
        ConversationEvent::WindowSet(_)
        | ConversationEvent::TurnPinned(_)
        | ConversationEvent::TurnUnpinned(_) => row,
    }
}
