//! What comes of a command. A command that adds is refused, or not, before anything of it happens.

use std::sync::Arc;

use super::Conversation;
use super::archive::{Archived, Page};
use super::command::{Add, Compression, ConversationAsk, NewTurn};
use super::leaving::Entries;
use super::rejection::ConversationRejection;
use crate::events::conversation::{
    ConversationCompressed, TurnAdded, TurnPinned, TurnUnpinned, Window, WindowSet,
};
use crate::events::ids::{AgentName, TurnNumber};
use crate::events::json::{Blob, Json};
use crate::events::limits::{
    TURN_BYTES_MAX, TURNS_ADDED_MAX, WINDOW_KEEP_LAST_MAX, WINDOW_TOKENS_MAX, WINDOW_TOKENS_MIN,
};
use crate::kernel::Draft;

type Result<T = ()> = std::result::Result<T, ConversationRejection>;

pub(super) fn decide(draft: &mut Draft<'_, Conversation>, ask: ConversationAsk) -> Result {
    match ask {
        ConversationAsk::Add(wanted) => add(draft, *wanted),
        ConversationAsk::Pin { turn, pinned, by: _ } => pin(draft, turn, pinned),
        ConversationAsk::Nothing => Ok(()),
    }
}

fn pin(draft: &mut Draft<'_, Conversation>, turn: TurnNumber, pinned: bool) -> Result {
    let found = draft.state().turns.get(&turn).ok_or(ConversationRejection::NoSuchTurn(turn))?;
    match (found.pinned, pinned) {
        (false, true) => draft.emit(TurnPinned { turn }),
        (true, false) => draft.emit(TurnUnpinned { turn }),
        _ => {}
    }
    Ok(())
}

fn add(draft: &mut Draft<'_, Conversation>, wanted: Add) -> Result {
    let Add { turns, window, compression, by: _ } = wanted;
    is_window(&window)?;
    if turns.is_empty() || turns.len() > TURNS_ADDED_MAX {
        return Err(ConversationRejection::Count(turns.len()));
    }
    turns.iter().try_for_each(|turn| is_turn(turn, &window))?;
    let compression = compression_of(draft.state(), &turns, &window, compression)?;
    if draft.state().window != Some(window) {
        draft.emit(WindowSet { window });
    }
    for NewTurn { role, name, pinned, tokens, text } in turns {
        let (turn, content) = (draft.state().last.next(), draft.payload(json(&text)));
        draft.emit(TurnAdded { turn, role, name, pinned, tokens, content });
    }
    if let Some(compression) = compression {
        compress(draft, compression);
    }
    Ok(())
}

fn is_window(window: &Window) -> Result {
    let Window { tokens, compress_above, target, summary, keep_last } = *window;
    let is_sound = (WINDOW_TOKENS_MIN..=WINDOW_TOKENS_MAX).contains(&tokens)
        && summary <= target
        && target <= compress_above
        && compress_above <= tokens
        && keep_last <= WINDOW_KEEP_LAST_MAX;
    is_sound.then_some(()).ok_or(ConversationRejection::BadWindow(tokens))
}

fn is_turn(turn: &NewTurn, window: &Window) -> Result {
    let NewTurn { role: _, name, pinned: _, tokens, text } = turn;
    if text.trim().is_empty() {
        return Err(ConversationRejection::Empty);
    }
    if text.contains('\0') {
        return Err(ConversationRejection::Nul);
    }
    if text.len() > TURN_BYTES_MAX {
        return Err(ConversationRejection::TooLong(text.len()));
    }
    if let Some(Err(bad)) = name.as_ref().map(AgentName::check) {
        return Err(ConversationRejection::BadName(bad.to_string()));
    }
    if *tokens > window.tokens {
        return Err(ConversationRejection::TooLarge { tokens: *tokens, window: window.tokens });
    }
    Ok(())
}

/// How the conversation is compressed in the commit of these turns; none where it is not.
fn compression_of(
    state: &Conversation,
    turns: &[NewTurn],
    window: &Window,
    wanted: Option<Compression>,
) -> Result<Option<Compression>> {
    let entries = Entries::of(state, turns, window);
    if !entries.is_too_much() {
        return Ok(None);
    }
    let fits = |wanted: &Compression| is_of_now(state, wanted) && entries.may_be(wanted);
    match (wanted.filter(fits), entries.leaving_by_age()) {
        (Some(compression), _) => Ok(Some(compression)),
        (None, Some(_)) => Err(ConversationRejection::Changed),
        // Nothing may leave: that is as good as it gets, as long as it is no more than the window has.
        (None, None) if entries.fits() => Ok(None),
        (None, None) => Err(entries.full()),
    }
}

/// Whether it was thought of the turns and the summary that there are.
fn is_of_now(state: &Conversation, wanted: &Compression) -> bool {
    let names_new = wanted.leaves.iter().any(|(turn, _)| *turn > wanted.after);
    wanted.compressions == state.archive.pages && (!names_new || wanted.after == state.last)
}

fn compress(draft: &mut Draft<'_, Conversation>, compression: Compression) {
    let Compression { by, leaves, summary, .. } = compression;
    let state = draft.state();
    let archived = leaves
        .into_iter()
        .filter_map(|(turn, words)| state.turns.get(&turn).map(|found| Archived::of(turn, found, words)));
    let page = Page { previous: state.archive.head, turns: archived.collect() };
    let archived: Vec<TurnNumber> = page.turns.iter().map(|archived| archived.turn).collect();
    let left: u32 = page.turns.iter().map(|archived| archived.tokens).sum();
    let (tokens_before, summary_before) = (state.tokens, state.summary_tokens());
    let (summary, summary_tokens) = match summary {
        Some((text, tokens)) => (json(&text), tokens),
        None => (Json::null(), 0),
    };
    let page = draft.attach(Blob::new(page.to_json().text().as_bytes()));
    let summary = draft.payload(summary);
    let tokens_after = tokens_before.saturating_sub(summary_before).saturating_sub(left) + summary_tokens;
    draft.emit(ConversationCompressed {
        by,
        archived,
        page,
        summary,
        summary_tokens,
        tokens_before,
        tokens_after,
    });
}

/// A text as JSON, which every text has.
fn json(text: &Arc<str>) -> Json {
    Json::from(&serde_json::Value::String(text.to_string()))
}
