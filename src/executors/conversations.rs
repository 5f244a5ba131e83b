//! The conversation with which a step goes on, as its attempt is given it.

use serde::{Deserialize, Serialize};

use crate::aggregates::conversation::at_hand;
use crate::events::conversation::Role;
use crate::events::ids::{AgentName, ConversationName, TurnNumber, Version};
use crate::events::json::{Json, Payload};
use crate::events::run::ConversationRead;
use crate::kernel::{Blobs, Unreadable};

/// What is at hand of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationGiven {
    /// Its name.
    pub name: ConversationName,
    /// The version of its stream up to which it was read; 0 of one in which nothing was said.
    pub version: Version,
    /// What stands for all turns that are not at hand any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<SummaryGiven>,
    /// The turns that are at hand, in order.
    pub turns: Vec<TurnGiven>,
}

/// A text that stands for turns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryGiven {
    /// The first turn that it stands for.
    pub turn: TurnNumber,
    /// The text.
    pub text: String,
}

/// A turn that is at hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnGiven {
    /// Its number.
    pub turn: TurnNumber,
    /// Who spoke.
    pub role: Role,
    /// The name of who spoke, if it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<AgentName>,
    /// What was said.
    pub text: String,
}

impl ConversationGiven {
    /// What was read for a step.
    ///
    /// # Errors
    /// When content that it names cannot be read.
    pub fn of(read: &ConversationRead, blobs: &dyn Blobs) -> Result<Self, Unreadable> {
        let text = |payload: &Payload| blobs.json(payload).map(|json| text(&json));
        let summary =
            read.summary.as_ref().map(|(turn, said)| Ok(SummaryGiven { turn: *turn, text: text(said)? }));
        let mut turns = Vec::new();
        for page in &read.pages {
            for of in at_hand::turns(page, blobs)? {
                let text = text(&of.content.payload())?;
                turns.push(TurnGiven { turn: of.turn, role: of.role, name: of.name, text });
            }
        }
        let (name, version) = (read.conversation.clone(), read.version);
        Ok(Self { name, version, summary: summary.transpose()?, turns })
    }
}

/// The text that a JSON text is.
fn text(json: &Json) -> String {
    serde_json::from_str(json.text()).unwrap_or_else(|_| json.text().to_owned())
}
