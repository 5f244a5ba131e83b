//! Which turns leave the window when there is too much in it: the oldest, and those that have least to do with what was said last.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Conversation;
use super::command::{Compression, NewTurn};
use super::rejection::ConversationRejection;
use crate::events::conversation::Window;
use crate::events::ids::TurnNumber;
use crate::events::json::{BLOB_FROM_BYTES, Json};
use crate::kernel::{Blobs, Unreadable};
use crate::workflow::conversation::relevance::Words;
use crate::workflow::conversation::{Said, Summary, extract};

/// How much it counts to have to do with what was said last, beside being new, which counts as 1 for the newest.
const RELEVANCE_WEIGHT: f64 = 1.0;

/// The turns of a window with those that are to be added, as the rules see them.
pub(super) struct Entries<'a> {
    window: &'a Window,
    entries: Vec<Entry>,
    /// What the summary takes until then.
    summary: u32,
    /// From this place on turns are the last.
    last_from: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    turn: TurnNumber,
    pinned: bool,
    tokens: u32,
}

impl<'a> Entries<'a> {
    pub(super) fn of(state: &Conversation, new: &[NewTurn], window: &'a Window) -> Self {
        let old =
            state.turns.iter().map(|(turn, of)| Entry { turn: *turn, pinned: of.pinned, tokens: of.tokens });
        let new = new.iter().zip(1..).map(|(of, nth)| Entry {
            turn: state.last.plus(nth),
            pinned: of.pinned,
            tokens: of.tokens,
        });
        let entries: Vec<Entry> = old.chain(new).collect();
        let last_from = entries.len().saturating_sub(window.keep_last.max(1) as usize);
        Self { window, entries, summary: state.summary_tokens(), last_from }
    }

    /// Every turn, and the summary.
    fn all(&self) -> u64 {
        self.turns() + u64::from(self.summary)
    }

    fn turns(&self) -> u64 {
        self.entries.iter().map(|entry| u64::from(entry.tokens)).sum()
    }

    pub(super) fn is_too_much(&self) -> bool {
        self.all() > u64::from(self.window.compress_above)
    }

    pub(super) fn fits(&self) -> bool {
        self.all() <= u64::from(self.window.tokens)
    }

    pub(super) fn full(&self) -> ConversationRejection {
        let pinned =
            self.entries.iter().filter(|entry| entry.pinned).map(|entry| u64::from(entry.tokens)).sum();
        let newest = self.entries.last().filter(|newest| !newest.pinned);
        let all = pinned + newest.map_or(0, |newest| u64::from(newest.tokens));
        ConversationRejection::Full { pinned, all, window: self.window.tokens }
    }

    /// The places of the turns that leave, the oldest first; none if it would not help. Where all turns that may stay fit in, and
    /// only the summary does not beside them, no turn leaves, and the summary is made anew.
    pub(super) fn leaving_by_age(&self) -> Option<BTreeSet<usize>> {
        self.leaving(|_| 0.0)
    }

    /// The same; what is worth less leaves first, and of what is worth the same the older.
    fn leaving(&self, worth: impl Fn(usize) -> f64) -> Option<BTreeSet<usize>> {
        let mut order: Vec<usize> = self.movable().collect();
        order.sort_by(|a, b| worth(*a).total_cmp(&worth(*b)).then_with(|| a.cmp(b)));
        let (mut left, mut leaves) = (self.turns(), BTreeSet::new());
        let tokens = |at: usize| self.entries.get(at).map_or(0, |entry| u64::from(entry.tokens));
        let target = u64::from(self.window.target.saturating_sub(self.window.summary));
        for at in order {
            // One leaves in any case: then a summary that is too long for the window is made anew.
            if left <= target && !leaves.is_empty() {
                break;
            }
            left -= tokens(at);
            leaves.insert(at);
        }
        // What has to fit has to: then the last turns leave too, but for the newest.
        for at in self.last_but_newest() {
            if left <= u64::from(self.window.tokens) {
                break;
            }
            left -= tokens(at);
            leaves.insert(at);
        }
        let helps = !leaves.is_empty() || !self.fits();
        (helps && left <= u64::from(self.window.tokens)).then_some(leaves)
    }

    /// The turns that may leave whenever there is too much in the window.
    fn movable(&self) -> impl Iterator<Item = usize> {
        let before_last = self.entries.iter().take(self.last_from).enumerate();
        before_last.filter(|(_, entry)| !entry.pinned).map(|(at, _)| at)
    }

    /// The turns that leave only if they would not fit in.
    fn last_but_newest(&self) -> impl Iterator<Item = usize> {
        let last = self.entries.iter().enumerate().skip(self.last_from).rev().skip(1).rev();
        last.filter(|(_, entry)| !entry.pinned).map(|(at, _)| at)
    }

    /// How much a summary may take where these leave: as much as it may, and with it no more than there was.
    fn room_for_summary(&self, leaves: &BTreeSet<usize>) -> u32 {
        let left: u64 =
            self.entries.iter().enumerate().filter(|(at, _)| !leaves.contains(at)).map(tokens).sum();
        let room = self.all().min(u64::from(self.window.tokens)).saturating_sub(left);
        u32::try_from(room).unwrap_or(u32::MAX).min(self.window.summary)
    }

    /// Whether the conversation may be compressed so: pinned turns and the last stay, it takes no more than before, and all that
    /// is left fits in.
    pub(super) fn may_be(&self, wanted: &Compression) -> bool {
        let place = |turn: &TurnNumber| self.entries.binary_search_by_key(turn, |entry| entry.turn).ok();
        let leaves: Option<BTreeSet<usize>> = wanted.leaves.iter().map(|(turn, _)| place(turn)).collect();
        let Some(leaves) = leaves.filter(|leaves| leaves.len() == wanted.leaves.len()) else { return false };
        if leaves.is_empty() && self.fits() {
            return false;
        }
        let is_in_order = wanted.leaves.is_sorted_by(|(a, _), (b, _)| a < b);
        let movable: BTreeSet<usize> = self.movable().collect();
        let last: Vec<usize> = leaves.difference(&movable).copied().collect();
        let may_leave: BTreeSet<usize> = self.last_but_newest().collect();
        if !is_in_order || !last.iter().all(|at| may_leave.contains(at)) {
            return false;
        }
        let left: u64 =
            self.entries.iter().enumerate().filter(|(at, _)| !leaves.contains(at)).map(tokens).sum();
        // One of the last turns leaves only if it would not fit in.
        let had_to = last.last().and_then(|at| self.entries.get(*at));
        let had_to =
            had_to.is_none_or(|newest| left + u64::from(newest.tokens) > u64::from(self.window.tokens));
        let summary = wanted.summary.as_ref().map_or(0, |(_, tokens)| *tokens);
        had_to && left <= u64::from(self.window.tokens) && summary <= self.room_for_summary(&leaves)
    }
}

fn tokens((_, entry): (usize, &Entry)) -> u64 {
    u64::from(entry.tokens)
}

/// The turns that are to leave the window, with all that whoever summarises them has to know: for a model that takes its time as for
/// rules that take none.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaving {
    /// The turns, in order.
    pub said: Vec<Said>,
    /// What stands until then for those that left before; it is to be part of what is summarised.
    pub before: Option<String>,
    /// How many tokens the summary may take.
    pub summary_tokens_max: u32,
    after: TurnNumber,
    compressions: u64,
}

/// The turns that are to leave a window if these are added; none if none has to, or none may.
///
/// # Errors
/// When what was said cannot be read.
pub fn leaving(
    state: &Conversation,
    new: &[NewTurn],
    window: &Window,
    blobs: &dyn Blobs,
) -> Result<Option<Leaving>, Unreadable> {
    let entries = Entries::of(state, new, window);
    if !entries.is_too_much() {
        return Ok(None);
    }
    let mut said = Vec::with_capacity(entries.entries.len());
    for (turn, of) in &state.turns {
        said.push(Said { turn: *turn, role: of.role, text: text(&blobs.json(&of.content)?) });
    }
    said.extend(new.iter().zip(1..).map(|(of, nth)| Said {
        turn: state.last.plus(nth),
        role: of.role,
        text: of.text.to_string(),
    }));
    let worth = worth(&said, entries.last_from);
    let Some(leaves) = entries.leaving(|at| worth.get(at).copied().unwrap_or_default()) else {
        return Ok(None);
    };
    let summary_tokens_max = entries.room_for_summary(&leaves);
    let before = match &state.summary {
        Some(standing) => Some(text(&blobs.json(&standing.content)?)),
        None => None,
    };
    let said =
        said.into_iter().enumerate().filter(|(at, _)| leaves.contains(at)).map(|(_, said)| said).collect();
    let (after, compressions) = (state.last, state.archive.pages);
    Ok(Some(Leaving { said, before, summary_tokens_max, after, compressions }))
}

/// How much each turn is worth: for being new, and for having to do with the last turns.
fn worth(said: &[Said], last_from: usize) -> Vec<f64> {
    let texts = |said: &[Said]| said.iter().map(|said| said.text.clone()).collect::<Vec<String>>();
    let last = texts(said.get(last_from..).unwrap_or_default()).join("\n");
    let all: Vec<&str> = said.iter().map(|said| said.text.as_str()).collect();
    let relevance = Words::default().relevance(all.get(..last_from).unwrap_or_default(), &last);
    let count = said.len().max(1) as f64;
    let place = |at: usize| at as f64 / count;
    relevance
        .into_iter()
        .enumerate()
        .map(|(at, relevance)| RELEVANCE_WEIGHT * relevance + place(at))
        .collect()
}

impl Leaving {
    /// They leave, and their own sentences stand for them.
    pub fn extracted(self) -> Compression {
        let summary = extract::summarise(&self.said, self.before.as_deref(), self.summary_tokens_max);
        self.summarised(extract::NAME, summary)
    }

    /// They leave, and what somebody made of them stands for them.
    pub fn summarised(self, by: &str, summary: Option<Summary>) -> Compression {
        let words = Words::default();
        // A short text stands on the page itself.
        let keywords =
            |text: &str| if text.len() < BLOB_FROM_BYTES { Vec::new() } else { words.keywords(text) };
        let leaves = self.said.iter().map(|said| (said.turn, keywords(&said.text))).collect();
        let summary = summary.map(|Summary { text, tokens }| (Arc::from(text), tokens));
        let (after, compressions) = (self.after, self.compressions);
        Compression { by: by.into(), leaves, summary, after, compressions }
    }
}

/// The text that a JSON text is.
fn text(json: &Json) -> String {
    match json.value() {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}
