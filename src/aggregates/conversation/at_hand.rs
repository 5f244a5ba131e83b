//! What is at hand of a conversation, for whoever goes on with it: the summary, and the turns of the window on pages. A page has turns
//! whose numbers are near each other, whatever else is in the window, so that it stays the same while turns are added behind it.

use serde::{Deserialize, Serialize};

use super::Conversation;
use super::archive::{Archived, Content};
use crate::events::conversation::Role;
use crate::events::ids::{AgentName, Hash, TurnNumber, Version};
use crate::events::json::{BlobRef, Json, Payload};
use crate::kernel::{Blobs, Unreadable};

/// How many turns stand on a page at most. Who adds two turns at a time to a conversation has a page stored eight times until it is
/// full; a window of many turns has as few names of pages.
const TURNS_A_PAGE: u64 = 16;

/// What is at hand of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AtHand {
    /// The version of its stream; 0 of a conversation in which nothing was said.
    pub version: Version,
    /// What stands for all turns that are not in the window, as a JSON text, with the first of them.
    pub summary: Option<(TurnNumber, Payload)>,
    /// The turns of the window, in order: each page as JSON.
    pub pages: Vec<Json>,
    /// The long texts that the pages name by their hashes.
    pub texts: Vec<BlobRef>,
}

/// A turn on a page. As JSON its fields are a contract: what was written is read for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnAtHand {
    /// Its number.
    pub turn: TurnNumber,
    /// Who spoke.
    pub role: Role,
    /// The name of who spoke, if it was said.
    pub name: Option<AgentName>,
    /// What was said.
    pub content: Content,
}

impl AtHand {
    /// What is at hand of a conversation as it is at that version.
    pub fn of(state: &Conversation, version: Version) -> Self {
        let first = state.archive.first.unwrap_or_default();
        let summary = state.summary.as_ref().map(|standing| (first, standing.content.clone()));
        let (mut pages, mut texts) = (Vec::<(u64, Vec<TurnAtHand>)>::new(), Vec::new());
        for (turn, of) in &state.turns {
            // What is in the archive names its content in the same way.
            let Archived { turn, role, name, content, .. } = Archived::of(*turn, of, Vec::new());
            texts.extend(of.content.blob());
            let (page, turn) = (turn.0 / TURNS_A_PAGE, TurnAtHand { turn, role, name, content });
            match pages.last_mut().filter(|(last, _)| *last == page) {
                Some((_, turns)) => turns.push(turn),
                None => pages.push((page, vec![turn])),
            }
        }
        let pages = pages.into_iter().map(|(_, turns)| Json::of(&turns).unwrap_or_default()).collect();
        Self { version, summary, pages, texts }
    }
}

/// The turns of a page that was recorded.
///
/// # Errors
/// When it cannot be read.
pub fn turns(page: &Payload, blobs: &dyn Blobs) -> Result<Vec<TurnAtHand>, Unreadable> {
    let json = blobs.json(page)?;
    serde_json::from_str(json.text()).map_err(|error| {
        let hash = page.blob().map_or_else(|| Hash::of(json.text().as_bytes()), |blob| blob.hash);
        Unreadable { hash, why: error.to_string() }
    })
}
