//! The fields of an event with all that is stored beside it.

use serde::Serialize;

use crate::aggregates::context::Context;
use crate::aggregates::conversation::Conversation;
use crate::aggregates::mind::Mind;
use crate::aggregates::run::Run;
use crate::events::commit::Recorded;
use crate::events::ids::{AGENT_KIND, CACHE_KIND, CONTEXT_KIND, CONVERSATION_KIND, MIND_KIND};
use crate::events::json::{BlobRef, Json};
use crate::kernel::{Aggregate, Blobs};

/// The fields of an event as JSON, where they name content that is stored beside it: with that content in its place. None
/// where they name none. What cannot be read stays a name.
pub fn whole(recorded: &Recorded, blobs: &dyn Blobs) -> Option<Json> {
    match recorded.header.stream.kind() {
        AGENT_KIND | CACHE_KIND => None,
        CONTEXT_KIND => filled::<Context>(recorded, blobs),
        CONVERSATION_KIND => filled::<Conversation>(recorded, blobs),
        MIND_KIND => filled::<Mind>(recorded, blobs),
        _ => filled::<Run>(recorded, blobs),
    }
}

fn filled<A: Aggregate<Event: Serialize>>(recorded: &Recorded, blobs: &dyn Blobs) -> Option<Json> {
    let event = recorded.decode::<A::Event>().ok()?;
    let named = A::blobs(&event);
    if named.is_empty() {
        return None;
    }
    let fields = Json::of(&event).ok()?;
    let filled = named.iter().fold(fields.text().to_owned(), |text, name| match content(name, blobs) {
        // A name is written in one way only, and in no text: there its quotes are escaped.
        Some((name, content)) => text.replace(&name, content.text()),
        None => text,
    });
    Json::parse(&filled).ok()
}

/// A name of content as events hold it, and the content.
fn content(name: &BlobRef, blobs: &dyn Blobs) -> Option<(String, Json)> {
    let bytes = blobs.read(&name.hash).ok()?;
    let content = Json::parse(std::str::from_utf8(&bytes).ok()?).ok()?;
    Some((serde_json::to_string(name).ok()?, content))
}
