//! A conversation that goes on by chance; beside it an oracle that remembers all that was said, and knows nothing of windows.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::testing::Dice;

const WORDS: [&str; 16] = [
    "database", "replica", "Oslo", "Bergen", "moved", "decided", "the", "is", "slow", "7", "2027", "why?",
    "lunch.", "noon", "must", "chair",
];

struct Arena {
    talk: Given<Conversation>,
    dice: Dice,
    window: Window,
    /// All that was said, and whether it is pinned.
    said: BTreeMap<u64, (String, bool)>,
    seen: BTreeMap<&'static str, usize>,
}

impl Arena {
    fn new(seed: u64) -> Self {
        let window = Window { tokens: 240, compress_above: 192, target: 120, summary: 30, keep_last: 3 };
        Self { talk: talk(), dice: Dice::of(seed), window, said: BTreeMap::new(), seen: BTreeMap::new() }
    }

    fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    fn text(&mut self) -> String {
        let words = match self.dice.below(12) {
            0 => 60 + self.dice.below(200),
            1..=3 => 1,
            _ => 2 + self.dice.below(25),
        };
        let words: Vec<&str> = (0..words).map(|_| WORDS[self.dice.below(WORDS.len())]).collect();
        words.join(" ")
    }

    fn step(&mut self) {
        match self.dice.below(20) {
            0 => {
                let tokens = 160 + u32::try_from(self.dice.below(200)).unwrap();
                let window =
                    Window { tokens, compress_above: tokens * 4 / 5, target: tokens / 2, ..self.window };
                self.window = window;
                self.note("another window");
            }
            1..=2 => self.pins(),
            _ => self.says(),
        }
        self.check();
    }

    fn pins(&mut self) {
        let turn = 1 + self.dice.below(self.said.len() + 1) as u64;
        let pinned = self.dice.one_in(3);
        let is_there = self.talk.state().turns().contains_key(&TurnNumber(turn));
        if is_there {
            self.talk = taken(self.talk.clone(), pin(turn, pinned)).0;
            self.said.get_mut(&turn).unwrap().1 = pinned;
            self.note(if pinned { "pinned" } else { "unpinned" });
        } else {
            let refused = self.talk.clone().when(pin(turn, pinned));
            refused.then_rejected(|refused| code(refused) == Code::NoSuchTurn);
            self.note("not there to be pinned");
        }
    }

    fn says(&mut self) {
        let count = if self.dice.one_in(5) { 1 + self.dice.below(4) } else { 1 };
        let turns: Vec<NewTurn> = (0..count)
            .map(|_| {
                let text = self.text();
                let role = Role::ALL[self.dice.below(Role::ALL.len())];
                NewTurn { role, pinned: self.dice.one_in(12), ..turn(role, &text) }
            })
            .collect();
        let compression = thought(&self.talk, &turns, self.window);
        let ask = add(turns.clone(), self.window, compression);
        if self.talk.clone().when(ask.clone()).is_rejected() {
            self.talk.clone().when(ask).then_rejected(|refused| {
                let expected = matches!(code(refused), Code::TurnTooLarge | Code::ConversationFull);
                assert!(expected, "{refused}");
                true
            });
            // It is so: what has to stay is more than there is room for.
            let pinned = self.said.iter().filter(|(_, (_, pinned))| *pinned);
            let pinned: u32 =
                pinned.map(|(turn, _)| self.talk.state().turns()[&TurnNumber(*turn)].tokens).sum();
            let new: u32 = turns.iter().filter(|turn| turn.pinned).map(|turn| turn.tokens).sum();
            let newest = turns.last().filter(|newest| !newest.pinned).map_or(0, |newest| newest.tokens);
            let is_large = turns.iter().any(|turn| turn.tokens > self.window.tokens);
            assert!(is_large || pinned + new + newest > self.window.tokens);
            self.note(if is_large { "too large" } else { "full" });
            return;
        }
        let (talk, events) = taken(self.talk.clone(), ask);
        self.talk = talk;
        for turn in turns {
            self.said.insert(self.said.len() as u64 + 1, (turn.text.to_string(), turn.pinned));
        }
        if let Some(ConversationEvent::ConversationCompressed(compressed)) = events.last() {
            assert!(compressed.tokens_after <= compressed.tokens_before);
            self.note(if compressed.summary_tokens > 0 {
                "compressed"
            } else {
                "compressed without a summary"
            });
        }
    }

    /// Nothing is lost, what has to stay is there, and the window holds.
    fn check(&self) {
        let state = self.talk.state();
        let tokens: u32 = state.turns().values().map(|turn| turn.tokens).sum();
        assert_eq!(state.tokens(), tokens + state.summary().map_or(0, |summary| summary.tokens));
        let bound = state.window().map_or(0, |window| window.tokens);
        assert!(state.tokens() <= bound, "{} of {bound}", state.tokens());
        let mut all = BTreeMap::new();
        for (turn, of) in state.turns() {
            all.insert(turn.0, self.talk.json(&of.content).value().as_str().unwrap().to_owned());
            assert_eq!(of.pinned, self.said[&turn.0].1, "{turn}");
        }
        for read in pages(state.archive().head, self.talk.blobs()) {
            for archived in read.unwrap().1.turns {
                let text = self.talk.json(&archived.payload()).value().as_str().unwrap().to_owned();
                assert_eq!(
                    all.insert(archived.turn.0, text),
                    None,
                    "turn {} is in two places",
                    archived.turn
                );
                assert!(!self.said[&archived.turn.0].1, "a pinned turn left");
            }
        }
        let said: BTreeMap<u64, String> =
            self.said.iter().map(|(turn, (text, _))| (*turn, text.clone())).collect();
        assert_eq!(all, said);
        let archived = state.archive();
        assert_eq!(archived.turns + state.turns().len() as u64, self.said.len() as u64);
        if let Some((newest, _)) = self.said.last_key_value() {
            assert!(state.turns().contains_key(&TurnNumber(*newest)), "the newest left");
        }
    }

    /// The last turns that fit in beside what is pinned are there.
    fn last_are_there(&self) -> bool {
        let state = self.talk.state();
        let window = state.window().unwrap();
        let last: Vec<u64> = self.said.keys().rev().take(window.keep_last as usize).copied().collect();
        let there: BTreeSet<u64> = state.turns().keys().map(|turn| turn.0).collect();
        last.iter().all(|turn| there.contains(turn))
    }
}

#[test]
fn nothing_is_ever_lost_and_the_window_holds_whatever_is_said() {
    let (mut seen, mut kept, mut steps) = (BTreeMap::new(), 0, 0);
    for seed in 0..8 {
        let mut arena = Arena::new(seed);
        for _ in 0..150 {
            arena.step();
            steps += 1;
            kept += usize::from(arena.said.is_empty() || arena.last_are_there());
        }
        arena.seen.iter().for_each(|(what, times)| *seen.entry(*what).or_default() += times);
    }
    for what in [
        "another window",
        "pinned",
        "unpinned",
        "not there to be pinned",
        "too large",
        "full",
        "compressed",
        "compressed without a summary",
    ] {
        assert!(seen.get(what).is_some_and(|times: &usize| *times > 0), "{what}: {seen:?}");
    }
    assert!(kept * 10 > steps * 6, "the last turns are rarely there: {kept} of {steps}");
}
