//! Commands as they are recorded. The shapes never change: a new one gets the next schema number under its command's name, and
//! its own file in `tests/golden`. Who asked stands beside them in the decision, and what was said, counted and taken out of the
//! window in the events.

use std::sync::Arc;

use super::Conversation;
use super::archive::Page;
use super::command::{Add, Compression, ConversationAsk, NewTurn};
use crate::events::codec::{CodecError, from_bytes, to_bytes};
use crate::events::conversation::{ConversationCompressed, ConversationEvent, TurnAdded};
use crate::events::decision::Form;
use crate::events::ids::TurnNumber;
use crate::events::json::Payload;
use crate::kernel::{NotRecalled, ReadBlob, Recalling, Unreadable};

const SCHEMA: u16 = 1;

/// Every (command, schema) that this build recalls.
pub const RECORDS: &[(&str, u16)] = &[("turns_add", 1), ("turn_pin", 1)];

pub(super) const fn name(ask: &ConversationAsk) -> &'static str {
    match ask {
        ConversationAsk::Add(_) => "turns_add",
        ConversationAsk::Pin { .. } => "turn_pin",
        ConversationAsk::Nothing => "nothing",
    }
}

pub(super) fn asked_by(ask: &ConversationAsk) -> Option<Arc<str>> {
    match ask {
        ConversationAsk::Add(add) => Some(Arc::clone(&add.by)),
        ConversationAsk::Pin { by, .. } => Some(Arc::clone(by)),
        ConversationAsk::Nothing => None,
    }
}

pub(super) fn record(ask: &ConversationAsk) -> Result<Option<Form>, CodecError> {
    let payload = match ask {
        // All of it stands in its events.
        ConversationAsk::Add(_) => Vec::new(),
        ConversationAsk::Pin { turn, pinned, .. } => to_bytes(&(*turn, *pinned))?,
        ConversationAsk::Nothing => return Ok(None),
    };
    Ok(Some(Form { schema: SCHEMA, payload }))
}

pub(super) fn recall(from: &Recalling<'_, Conversation>) -> Result<ConversationAsk, NotRecalled> {
    let (form, name) = (from.form()?, &*from.decision.command.name);
    let unknown = || NotRecalled::Unknown { name: name.to_owned(), schema: form.schema };
    if form.schema != SCHEMA {
        return Err(unknown());
    }
    let by = from.decision.by.clone().ok_or_else(|| from.broken("it does not say who asked"))?;
    match name {
        "turns_add" => add(from, by),
        "turn_pin" => {
            let (turn, pinned): (TurnNumber, bool) =
                from_bytes(&form.payload).map_err(|error| from.broken(error))?;
            Ok(ConversationAsk::Pin { turn, pinned, by })
        }
        _ => Err(unknown()),
    }
}

fn add(from: &Recalling<'_, Conversation>, by: Arc<str>) -> Result<ConversationAsk, NotRecalled> {
    let (mut window, mut turns, mut compression) = (from.state.window, Vec::new(), None);
    for event in from.events {
        match event {
            ConversationEvent::WindowSet(set) => window = Some(set.window),
            ConversationEvent::TurnAdded(added) => turns.push(new_turn(from, added)?),
            ConversationEvent::ConversationCompressed(compressed) => {
                compression = Some(self::compression(from, compressed)?);
            }
            ConversationEvent::TurnPinned(_) | ConversationEvent::TurnUnpinned(_) => {}
        }
    }
    let window = window.ok_or_else(|| from.broken("nothing says how much is in the window"))?;
    Ok(ConversationAsk::Add(Box::new(Add { turns, window, compression, by })))
}

fn new_turn(from: &Recalling<'_, Conversation>, added: &TurnAdded) -> Result<NewTurn, NotRecalled> {
    let TurnAdded { turn: _, role, name, pinned, tokens, content } = added.clone();
    Ok(NewTurn { role, name, pinned, tokens, text: text(from, &content)? })
}

fn compression(
    from: &Recalling<'_, Conversation>,
    compressed: &ConversationCompressed,
) -> Result<Compression, NotRecalled> {
    let hash = compressed.page.hash;
    let page = Page::read_blob(&from.blobs.read(&hash)?).map_err(|why| Unreadable { hash, why })?;
    let summary = match &compressed.summary {
        Payload::Inline(json) if json.is_null() => None,
        summary => Some((text(from, summary)?, compressed.summary_tokens)),
    };
    Ok(Compression {
        by: Arc::clone(&compressed.by),
        leaves: page.turns.into_iter().map(|archived| (archived.turn, archived.words)).collect(),
        summary,
        // It was taken, so it was thought of what there was.
        after: from.state.last,
        compressions: from.state.archive.pages,
    })
}

fn text(from: &Recalling<'_, Conversation>, content: &Payload) -> Result<Arc<str>, NotRecalled> {
    let json = from.blobs.json(content)?;
    let text = serde_json::from_str::<String>(json.text()).map_err(|error| from.broken(error))?;
    Ok(text.into())
}
