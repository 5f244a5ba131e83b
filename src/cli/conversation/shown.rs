//! Conversations as people read them.

use super::super::text::{self, Text, name, terminal};
use crate::api::protocol::{
    CompressedKnown, ConversationKnown, PageKnown, SummaryKnown, TurnCounted, TurnKnown, TurnsAdded,
    TurnsKnown,
};
use crate::events::ids::TurnNumber;
use crate::views::projections::conversations::ConversationRow;

/// How many numbers of turns stand in a line.
const NUMBERS_MAX: usize = 12;

pub(super) fn added(added: &TurnsAdded) -> Text {
    let tokens: u32 = added.turns.iter().map(|turn| turn.tokens).sum();
    let turns = match added.turns.as_slice() {
        [TurnCounted { turn, tokens }] => terminal!("turn {}, {} tokens", turn, tokens),
        turns => {
            let last = turns.last().map_or(TurnNumber(0), |turn| turn.turn);
            terminal!("{} turns, the last is {}; {} tokens", turns.len(), last, tokens)
        }
    };
    Text::lines(std::iter::once(turns).chain(added.compressed.as_ref().map(compressed)))
}

fn compressed(known: &CompressedKnown) -> Text {
    let CompressedKnown { by, tokens_before, tokens_after, archived, summary_tokens, .. } = known;
    let percent = (known.ratio * 100.0).round();
    terminal!(
        "compressed by {}: from {} to {} tokens ({}%), {} turns archived, {} tokens of summary",
        name(by),
        tokens_before,
        tokens_after,
        percent,
        archived,
        summary_tokens
    )
}

pub(super) fn known(known: &ConversationKnown) -> Text {
    let ConversationKnown { conversation, turns, tokens, window, archive, summary, .. } = known;
    let mut lines = vec![
        terminal!("{}  {} turns, {} tokens", name(conversation.as_str()), turns, tokens),
        terminal!(
            "window    {} turns ({} pinned), {} of {} tokens; compressed above {}",
            window.turns,
            window.pinned,
            window.tokens,
            window.limits.tokens,
            window.limits.compress_above
        ),
        terminal!("archive   {} turns, {} tokens, {} pages", archive.turns, archive.tokens, archive.pages),
    ];
    lines.extend(known.compressed.as_ref().map(compressed));
    if let Some(summary) = summary {
        lines.push(terminal!("summary   {} tokens", window.summary_tokens));
        lines.extend(content(summary));
    }
    lines.extend(known.pages.iter().flatten().map(page));
    Text::lines(lines)
}

fn page(page: &PageKnown) -> Text {
    let some: Vec<String> = page.turns.iter().take(NUMBERS_MAX).map(TurnNumber::to_string).collect();
    let more = if page.turns.len() > some.len() { ", …" } else { "" };
    let hash: String = page.page.hash.to_string().chars().take(12).collect();
    terminal!(
        "page {}  {} turns, {} tokens: {}{}",
        hash,
        page.turns.len(),
        page.tokens,
        some.join(", "),
        more
    )
}

pub(super) fn list(rows: &[ConversationRow]) -> Text {
    let width = rows.iter().map(|row| name(row.conversation.as_str()).width()).max().unwrap_or(0);
    Text::lines(rows.iter().map(|row| {
        let named = name(row.conversation.as_str()).padded(width);
        let at = text::moment(row.at);
        terminal!(
            "{}  {} turns, {} archived, {} tokens at hand  {}",
            named,
            row.turns,
            row.archived,
            row.tokens,
            at
        )
    }))
}

/// Turns with what stands for others in the place of the first of them.
pub(super) fn turns(known: &TurnsKnown) -> Text {
    let mut lines = Vec::new();
    let mut summary = known.summary.as_ref();
    for turn in &known.turns {
        lines.extend(summary.take_if(|summary| summary.turn < turn.turn).into_iter().flat_map(standing));
        lines.extend(said(turn));
    }
    lines.extend(summary.into_iter().flat_map(standing));
    Text::lines(lines)
}

fn standing(summary: &SummaryKnown) -> Vec<Text> {
    let head = terminal!("summary  {} tokens", summary.tokens);
    std::iter::once(head).chain(content(&summary.content)).collect()
}

fn said(turn: &TurnKnown) -> Vec<Text> {
    let TurnKnown { turn: number, role, tokens, .. } = turn;
    let who = turn.name.as_ref().map(|who| terminal!(" {}", name(who.as_str()))).unwrap_or_default();
    let pinned = if turn.pinned { ", pinned" } else { "" };
    let archived = if turn.archived { ", archived" } else { "" };
    let head = terminal!("{}  {}{}  {} tokens{}{}", number, role.text(), who, tokens, pinned, archived);
    std::iter::once(head).chain(content(&turn.content)).collect()
}

/// A text, each of its lines below the head.
fn content(text: &str) -> Vec<Text> {
    text.lines().map(|line| terminal!("    {}", line)).collect()
}
