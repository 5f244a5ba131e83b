//! The archive of a conversation: pages that are blobs, each with the turns that left the window at once, and with the name of the page
//! before it. The state names the newest.

use serde::{Deserialize, Serialize};

use super::Turn;
use crate::events::conversation::Role;
use crate::events::ids::{AgentName, TurnNumber};
use crate::events::json::{BlobRef, Json, Payload};
use crate::events::time::Timestamp;
use crate::kernel::{Blobs, ReadBlob, Unreadable};

/// A page of the archive. As JSON its fields are a contract: what was written is read for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The page before it; none of the first.
    pub previous: Option<BlobRef>,
    /// The turns that left at once, in order.
    pub turns: Vec<Archived>,
}

/// A turn that is not in the window any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    /// Its number.
    pub turn: TurnNumber,
    /// Who spoke.
    pub role: Role,
    /// The name of who spoke, if it was said.
    pub name: Option<AgentName>,
    /// When it was added.
    pub at: Timestamp,
    /// How many tokens it took of the window.
    pub tokens: u32,
    /// What was said.
    pub content: Content,
    /// Words by which it is found again, where the text is not on the page.
    pub words: Vec<String>,
}

/// What was said, or the blob that has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// A short text.
    Text(String),
    /// The blob of a long one, which is a JSON text.
    Blob(BlobRef),
}

impl Archived {
    pub(super) fn of(turn: TurnNumber, of: &Turn, words: Vec<String>) -> Self {
        let content = match &of.content {
            Payload::Blob(reference) => Content::Blob(*reference),
            Payload::Inline(json) => Content::Text(json.value().as_str().unwrap_or_default().to_owned()),
        };
        let Turn { role, name, tokens, at, .. } = of.clone();
        Self { turn, role, name, at, tokens, content, words }
    }

    /// What was said, as events carry it.
    pub fn payload(&self) -> Payload {
        self.content.payload()
    }
}

impl Content {
    /// The same as events carry it.
    pub fn payload(&self) -> Payload {
        match self {
            Self::Text(text) => Payload::Inline(Json::from(&serde_json::Value::String(text.clone()))),
            Self::Blob(reference) => Payload::Blob(*reference),
        }
    }
}

impl Page {
    /// The page as its blob holds it.
    pub fn to_json(&self) -> Json {
        Json::of(self).unwrap_or_default()
    }
}

impl ReadBlob for Page {
    fn read_blob(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}

/// The pages of an archive from that one on, the newest first. Only one is in memory at a time.
pub fn pages(
    head: Option<BlobRef>,
    blobs: &dyn Blobs,
) -> impl Iterator<Item = Result<(BlobRef, Page), Unreadable>> {
    let mut next = head;
    std::iter::from_fn(move || {
        let reference = next.take()?;
        let read = blobs.read(&reference.hash).and_then(|bytes| {
            Page::read_blob(&bytes).map_err(|why| Unreadable { hash: reference.hash, why })
        });
        Some(read.map(|page| {
            next = page.previous;
            (reference, page)
        }))
    })
}
