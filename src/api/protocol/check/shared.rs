//! What may be asked of that which runs share.

use super::{named, no_name, whole, words};
use crate::api::protocol::{CacheWants, ContextWants, ConversationWants, KeyGiven, TurnGiven, WhichMessages};
use crate::events::ids::ContextKey;
use crate::events::problem::Problem;

impl CacheWants {
    pub(super) fn check(&self) -> Result<(), Problem> {
        match self {
            Self::List => Ok(()),
            Self::Clear { agent, by, id: _ } => {
                agent.iter().try_for_each(super::agent)?;
                named("who clears it", by)
            }
        }
    }
}

impl WhichMessages {
    pub(super) fn check(&self) -> Result<(), Problem> {
        let Self { agent, kind: _, since: _, correlation, dead: _, limit: _ } = self;
        agent.iter().try_for_each(super::agent)?;
        correlation.iter().try_for_each(|text| words("the correlation", text))
    }
}

impl ContextWants {
    pub(super) fn check(&self) -> Result<(), Problem> {
        let is_key = |key: &ContextKey| ContextKey::parse(key.as_str()).map(drop).map_err(no_name);
        match self {
            Self::Get { key } => key.iter().try_for_each(is_key),
            Self::History { key } => is_key(key),
            Self::Locks => Ok(()),
            Self::Set { keys, by, id: _ } => {
                named("who writes", by)?;
                keys.iter().try_for_each(|KeyGiven { key, value, expected: _ }| {
                    is_key(key)?;
                    whole("a value", value)
                })
            }
        }
    }
}

impl ConversationWants {
    pub(super) fn check(&self) -> Result<(), Problem> {
        match self {
            // What turns may say is refused by the conversation.
            Self::Add { turns, window: _, by, id: _ } => {
                named("who adds", by)?;
                turns.iter().try_for_each(|TurnGiven { role: _, name, pinned: _, content: _ }| {
                    name.iter().try_for_each(super::agent)
                })
            }
            Self::Pin { turn: _, pinned: _, by, id: _ } => named("who wants it", by),
            Self::Search { query, limit: _ } => words("what is looked for", query),
            Self::Show { archived: _ }
            | Self::Turns { which: _, from: _, limit: _ }
            | Self::Export { last: _ } => Ok(()),
        }
    }
}
