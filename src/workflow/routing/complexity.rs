//! How much work a request is, by eight indicators.

use serde::Serialize;

use super::classify::{Domains, Head};
use super::entities::{Entity, EntityKind};
use super::lexicon::Lexicon;
use super::rules::{Indicator, Rules};
use super::text::{Said, Word};
use crate::events::run::{Category, Domain};

/// The most that a request can be.
const COMPLEXITY_MAX: u8 = 10;

/// The most that a question can be: one for a thing, and one for anything else.
const PLAIN_QUESTION_MAX: u8 = 2;
const QUESTION_MAX: u8 = 4;

/// From how many of something on it is many, and very many.
const MANY: f64 = 20.0;
const VERY_MANY: f64 = 1000.0;

/// How many reasons are told for each.
const TOLD_MAX: usize = 6;

/// What an indicator adds, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counted {
    /// The indicator.
    pub indicator: Indicator,
    /// The points that it adds.
    pub points: u8,
    /// The words, or what else, that say so.
    pub by: Vec<String>,
}

/// What is known of a request.
pub(super) struct Seen<'a> {
    pub(super) said: &'a Said,
    pub(super) domains: &'a Domains,
    pub(super) category: Category,
    pub(super) head: &'a Head,
    pub(super) entities: &'a [Entity],
}

/// The complexity from 1 to 10, and what each indicator adds to it.
pub(super) fn count(rules: &Rules, seen: &Seen<'_>) -> (u8, Vec<Counted>) {
    // What is pasted says nothing of what is to be done, nor does what a text is to be about.
    let words: Vec<Word> = seen.said.words.iter().filter(|word| !word.in_code).cloned().collect();
    let about = (1..words.len()).find(|at| rules.about.at(&words, *at).is_some() && seen.head.is_verb);
    let words = words.get(..about.unwrap_or(words.len())).unwrap_or_default().to_vec();
    let counted: Vec<Counted> = Indicator::ALL
        .into_iter()
        .map(|indicator| {
            let (points, by) = points(rules, seen, &words, indicator);
            let most = rules.points.get(&indicator).copied().unwrap_or(0);
            let by = by.into_iter().take(TOLD_MAX).collect();
            Counted { indicator, points: points.min(most), by }
        })
        .collect();
    let sum = counted.iter().fold(1_u8, |sum, counted| sum.saturating_add(counted.points));
    let most = match seen.category {
        Category::Question if seen.head.is_plain || words.len() <= SHORT_WORDS => PLAIN_QUESTION_MAX,
        Category::Question => QUESTION_MAX,
        _ => COMPLEXITY_MAX,
    };
    (sum.clamp(1, most), counted)
}

/// A question of so few words is no work.
const SHORT_WORDS: usize = 4;

fn points(rules: &Rules, seen: &Seen<'_>, words: &[Word], indicator: Indicator) -> (u8, Vec<String>) {
    let none = Lexicon::default();
    let lexicon = rules.indicators.get(&indicator).unwrap_or(&none);
    let (cues, mut by) = cues(lexicon, words, indicator);
    let more = match indicator {
        Indicator::Action => return action(seen, cues, by),
        Indicator::Technology => {
            let strong = seen.domains.strong;
            by.extend((strong > 0).then(|| format!("{strong} technical terms")));
            u8::from(strong >= 2) + u8::from(strong >= 4)
        }
        Indicator::Breadth => {
            let spans = seen.domains.spans();
            let names: Vec<&str> = spans.iter().map(|domain| Domain::text(*domain)).collect();
            by.extend((spans.len() >= 2).then(|| names.join(" and ")));
            u8::from(spans.len() >= 2) + u8::from(spans.len() >= 3)
        }
        Indicator::Parts => {
            let verbs = verbs(rules, words);
            by.extend((verbs >= 2).then(|| format!("{verbs} things to do")));
            let items = seen.said.items;
            by.extend((items >= 2).then(|| format!("a list of {items}")));
            u8::from(verbs.max(items) >= 3) + u8::from(verbs.max(items) >= 5)
        }
        Indicator::Scale => {
            let counted = seen
                .entities
                .iter()
                .filter(|entity| entity.kind == EntityKind::Number && counts_things(entity));
            let most = counted.max_by(|a, b| a.value.unwrap_or(0.0).total_cmp(&b.value.unwrap_or(0.0)));
            let value = most.and_then(|entity| entity.value).unwrap_or(0.0);
            by.extend(most.filter(|_| value >= MANY).map(|entity| entity.text.clone()));
            u8::from(value >= MANY) + u8::from(value >= VERY_MANY)
        }
        Indicator::Constraints => {
            let money = seen.entities.iter().find(|entity| entity.kind == EntityKind::Money);
            by.extend(money.map(|entity| entity.text.clone()));
            u8::from(money.is_some())
        }
        Indicator::Risk | Indicator::Integration => 0,
    };
    if seen.category == Category::Question {
        // To be told of many things is little more work than to be told of one.
        return (cues.saturating_add(more).min(1) * u8::from(indicator != Indicator::Breadth), by);
    }
    (cues.saturating_add(more), by)
}

/// Whether a unit is one of things that can be counted, and none of time, size or speed.
fn counts_things(entity: &Entity) -> bool {
    let unit = entity.unit.as_deref().unwrap_or_default();
    let measures = ["second", "minute", "hour", "percent", "month", "quarter", "week", "year", "byte", "day"];
    unit.chars().count() >= 3
        && unit.ends_with('s')
        && !measures.iter().any(|measure| unit.starts_with(measure))
        && !matches!(
            unit,
            "kbps"
                | "mbps"
                | "gbps"
                | "bits"
                | "mins"
                | "secs"
                | "hrs"
                | "iops"
                | "miles"
                | "words"
                | "points"
                | "characters"
        )
}

/// What its words add: of what is to be done the most, of all else the sum.
fn cues(lexicon: &Lexicon<()>, words: &[Word], indicator: Indicator) -> (u8, Vec<String>) {
    let (mut most, mut sum, mut by) = (0.0_f64, 0.0_f64, Vec::new());
    for found in lexicon.all(words) {
        if by.contains(&found.said) {
            continue;
        }
        let weight = found.means.first().map_or(0.0, |(_, weight)| *weight);
        (most, sum) = (most.max(weight), sum + weight);
        by.push(found.said);
    }
    let points = if indicator == Indicator::Action { most } else { sum };
    // It is a sum of small whole numbers, and no more than ten is ever wanted of it.
    (points.min(10.0) as u8, by)
}

/// How much is to be done: at least what goes with its category, also where no word says so.
fn action(seen: &Seen<'_>, cues: u8, mut by: Vec<String>) -> (u8, Vec<String>) {
    match seen.category {
        Category::Question => (u8::from(cues >= 3 && !seen.head.is_plain), by),
        Category::Task if seen.said.words.is_empty() => (0, by),
        category => {
            // Whoever tells a symptom leaves it to others to find the cause.
            let least = match category {
                Category::Task => 1,
                Category::Troubleshooting if !seen.head.is_verb => 3,
                _ => 2,
            };
            if cues < least {
                by.push(format!(
                    "it is {}",
                    if category == Category::Task { "a task" } else { category.text() }
                ));
            }
            (cues.max(least), by)
        }
    }
}

/// How many parts of sentences begin with something to do; behind `and` as well.
fn verbs(rules: &Rules, words: &[Word]) -> usize {
    let begins = |at: usize| {
        let Some(word) = words.get(at) else { return false };
        let before = at.checked_sub(1).and_then(|before| words.get(before));
        before.is_none_or(|before| {
            before.clause != word.clause
                || matches!(before.stem.as_str(), "and" | "then" | "und" | "y" | "et")
        })
    };
    let starts = (0..words.len()).filter(|at| begins(*at));
    starts
        .filter(|at| rules.verbs.at(words, super::classify::after_politeness(rules, words, *at)).is_some())
        .count()
}
