//! What a request is about, and what kind of request it is.

use std::collections::BTreeMap;

use super::Weighed;
use super::rules::Rules;
use super::text::{Said, Word};
use crate::events::run::{Category, Domain};

/// A domain of which there is no more than this is none: one weak word says nothing.
const DOMAIN_MIN: f64 = 1.5;

/// A request belongs to a domain as well of whose words it has so much, wherever they stand.
const SPANS_MIN: f64 = 3.0;

/// How much words count that stand in code, behind `about`, and behind what says where or by what; and what the topic ends with,
/// which in English says what it is.
const IN_CODE: f64 = 0.35;
const ABOUT: f64 = 0.4;
const BEHIND: f64 = 0.7;
const HEAD_NOUN: f64 = 1.25;

/// How much a verb counts that says what is to be done, and one that says that something is planned.
const VERB: f64 = 2.0;
const PLANS: f64 = 0.9;

/// How much the second, third … word counts for the same: ten words do not make it ten times as sure.
const FURTHER: [f64; 6] = [1.0, 0.85, 0.7, 0.55, 0.4, 0.3];

/// How many words are told for each.
const TOLD_MAX: usize = 8;

/// How much a request is about each domain.
pub(super) struct Domains {
    /// Each with what it counts and the phrases, the most first.
    found: Vec<(Domain, f64, Vec<String>)>,
    /// The different strong phrases about technical things.
    pub(super) strong: usize,
    /// The domains that it says something of, by all its words wherever they stand.
    spans: Vec<Domain>,
}

struct Hit {
    phrase: String,
    said: String,
    domain: Domain,
    weight: f64,
    factor: f64,
    at: usize,
}

/// Counts the words of domains: those of the request, and what is told beside it.
pub(super) fn domains<'a>(
    rules: &Rules,
    words: &'a [Word],
    told: impl Iterator<Item = &'a [Word]>,
) -> Domains {
    let mut hits = hits(rules, words);
    for words in told {
        for found in rules.domains.all(words) {
            let means = found.means.iter();
            hits.extend(means.map(|&(domain, weight)| Hit {
                phrase: found.phrase.clone(),
                said: found.said.clone(),
                domain,
                weight,
                factor: ABOUT,
                at: usize::MAX,
            }));
        }
    }
    let mut by_domain: BTreeMap<Domain, Vec<&Hit>> = BTreeMap::new();
    for hit in &hits {
        let of = by_domain.entry(hit.domain).or_default();
        if !of.iter().any(|known| known.phrase == hit.phrase) {
            of.push(hit);
        }
    }
    let mut found: Vec<_> = by_domain
        .into_iter()
        .map(|(domain, hits)| {
            let weights = hits.iter().map(|hit| hit.weight * hit.factor).collect();
            let first = hits.iter().map(|hit| hit.at).min().unwrap_or(usize::MAX);
            let plain: f64 =
                hits.iter().map(|hit| hit.weight * f64::from(u8::from(hit.factor > ABOUT))).sum();
            let phrases: Vec<_> = hits.iter().map(|hit| hit.said.clone()).collect();
            (domain, diminishing(weights), phrases, first, plain)
        })
        .collect();
    // Of two that count the same the one that is named first is meant.
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.3.cmp(&b.3)));
    let spans = found.iter().filter(|(.., plain)| *plain >= SPANS_MIN).map(|(domain, ..)| *domain).collect();
    let technical = |hit: &&Hit| {
        hit.weight >= 3.0
            && !matches!(hit.domain, Domain::Planning | Domain::Communication)
            && hit.factor > ABOUT
    };
    let mut strong: Vec<&str> = hits.iter().filter(technical).map(|hit| hit.phrase.as_str()).collect();
    strong.sort_unstable();
    strong.dedup();
    let strong = strong.len();
    let found = found.into_iter().map(|(domain, weight, phrases, ..)| (domain, weight, phrases)).collect();
    Domains { found, strong, spans }
}

/// The words of domains in a request, each with how much it counts where it stands.
fn hits(rules: &Rules, words: &[Word]) -> Vec<Hit> {
    let start = after_politeness(rules, words, 0);
    let (mut hits, mut at): (Vec<Hit>, usize) = (Vec::new(), 0);
    let (mut about, mut behind, mut clause) = (false, false, usize::MAX);
    let mut topic: Vec<usize> = Vec::new();
    // Whoever makes a text makes it about something; whoever asks about something means that.
    let tells = rules.verbs.at(words, start).is_some();
    while let Some(word) = words.get(at) {
        if word.clause != clause {
            // What stands behind `about` goes on over commas; who says where something is begins anew.
            (clause, behind) = (word.clause, false);
        }
        if tells && !word.in_code && rules.about.at(words, at).is_some() {
            about = true;
        }
        let Some(found) = rules.domains.at(words, at) else {
            behind |= !hits.is_empty() && rules.behind.at(words, at).is_some();
            at += 1;
            continue;
        };
        let place = match (word.in_code, about, behind) {
            (true, ..) => IN_CODE,
            (_, true, _) => ABOUT,
            (_, _, true) => BEHIND,
            _ => 1.0,
        };
        // What is to be done says what it is about, as `deploy` or `test`.
        let is_verb = at == start && rules.verbs.at(words, at).is_some();
        for &(domain, weight) in found.means {
            // A plan is about what is planned.
            if place >= 1.0 && !is_verb && domain != Domain::Planning {
                topic.push(hits.len());
            }
            let factor = match (is_verb, domain) {
                // Whoever plans plans something, and that is what it is about.
                (true, Domain::Planning) => PLANS * place,
                (true, _) if weight >= 3.0 => VERB * place,
                _ => place,
            };
            hits.push(Hit {
                phrase: found.phrase.clone(),
                said: found.said.clone(),
                domain,
                weight,
                factor,
                at,
            });
        }
        at += found.words;
    }
    let last = topic.last().and_then(|last| hits.get(*last)).map(|hit| hit.at);
    for hit in hits.iter_mut().filter(|hit| Some(hit.at) == last && hit.factor == 1.0) {
        hit.factor = HEAD_NOUN;
    }
    hits
}

/// The sum of these, of which each further one counts less.
fn diminishing(mut weights: Vec<f64>) -> f64 {
    weights.sort_by(|a, b| b.total_cmp(a));
    let factors = FURTHER.iter().copied().chain(std::iter::repeat(0.2));
    weights.iter().zip(factors).map(|(weight, factor)| weight * factor).sum()
}

impl Domains {
    /// The domain that counts most; general if none counts enough.
    pub(super) fn best(&self) -> Domain {
        self.found
            .first()
            .filter(|(_, weight, _)| *weight >= DOMAIN_MIN)
            .map_or(Domain::General, |(domain, ..)| *domain)
    }

    /// How many domains it belongs to.
    pub(super) fn spanned(&self) -> usize {
        self.spans.len()
    }

    pub(super) fn spans(&self) -> &[Domain] {
        &self.spans
    }

    pub(super) fn certainty(&self) -> f64 {
        certainty(self.found.iter().map(|(_, weight, _)| *weight).filter(|weight| *weight >= DOMAIN_MIN), 4.0)
    }

    /// How much it belongs to each, the most as 1.
    pub(super) fn shares(&self) -> Vec<(Domain, f64)> {
        let most = self.found.first().map_or(1.0, |(_, weight, _)| *weight);
        let counts = self.found.iter().filter(|(_, weight, _)| *weight >= DOMAIN_MIN);
        counts.map(|(domain, weight, _)| (*domain, weight / most)).collect()
    }

    pub(super) fn weighed(&self) -> Vec<Weighed<Domain>> {
        self.found.iter().map(|(of, weight, by)| weighed(*of, *weight, by)).collect()
    }
}

/// How sure the first of these is: how much of it there is, and how much less of the second. `enough` of it is enough.
fn certainty(mut weights: impl Iterator<Item = f64>, enough: f64) -> f64 {
    let Some(first) = weights.next() else { return 0.2 };
    let second = weights.next().unwrap_or(0.0);
    (first / enough).min(1.0) * (first / (first + 0.5 * second))
}

fn weighed<T>(of: T, weight: f64, by: &[String]) -> Weighed<T> {
    Weighed { of, weight: (weight * 100.0).round() / 100.0, by: by.iter().take(TOLD_MAX).cloned().collect() }
}

/// With what a request begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// A verb that says what is to be done.
    pub(super) is_verb: bool,
    /// A verb that says little, as `make`.
    pub(super) is_light: bool,
    /// A word with which a question begins.
    pub(super) is_opener: bool,
    /// A question for a cause.
    pub(super) for_cause: bool,
    /// A question for a thing, and not for a way to do one.
    pub(super) is_plain: bool,
    category: Option<Category>,
}

/// What kind of request it is.
pub(super) struct Categories {
    found: Vec<(Category, f64, Vec<String>)>,
    pub(super) head: Head,
}

/// Of categories that count the same the first is meant.
const PRIORITY: [Category; 5] =
    [Category::Troubleshooting, Category::Planning, Category::Analysis, Category::Question, Category::Task];

/// How much a verb or a question counts with which it begins, a verb that says little, and one with which a later part begins.
const HEAD: f64 = 4.0;
const LIGHT: f64 = 2.0;
const LATER: f64 = 1.5;

/// How much it counts that a word ends as names of errors do.
const ENDING: f64 = 2.5;

/// How much it counts that the cause of trouble is asked for: more than that something is asked.
const CAUSE: f64 = 5.0;

pub(super) fn categories(rules: &Rules, said: &Said) -> Categories {
    let mut weights: BTreeMap<Category, (f64, Vec<String>)> = BTreeMap::new();
    let mut add = |category: Category, weight: f64, by: &str| {
        let (sum, words) = weights.entry(category).or_default();
        *sum += weight;
        if !words.iter().any(|word| word == by) {
            words.push(by.to_owned());
        }
    };
    let words: Vec<Word> = said.words.clone();
    let start = after_politeness(rules, &words, 0);
    let (head, by) = head(rules, &words, start, said.asks);
    if let Some(category) = head.category {
        add(category, if head.is_light { LIGHT } else { HEAD }, &by);
    }
    for (category, by) in later(rules, &words, start) {
        add(category, if category == Category::Question { LATER / 2.0 } else { LATER }, &by);
    }
    if said.asks {
        add(Category::Question, 1.5, "?");
    }
    let mut trouble = cues(rules, &words, &head, &mut add);
    for word in said.words.iter() {
        let ends = |(_, ending): &&(Category, String)| {
            word.said.len() > ending.len() && word.said.ends_with(ending.as_str())
        };
        if let Some((category, _)) = rules.endings.iter().find(ends) {
            add(*category, ENDING, &word.said);
            trouble += if *category == Category::Troubleshooting { ENDING } else { 0.0 };
            break;
        }
    }
    // Who tells what they see, and wants nothing said, wants it to go away.
    if trouble >= 1.0 && !head.is_verb && !head.is_opener {
        add(Category::Troubleshooting, 2.0, "a symptom");
    }
    if trouble >= 1.0 && head.for_cause {
        add(Category::Troubleshooting, CAUSE, "a cause is asked for");
    }
    if head.category.is_none() && !said.asks {
        add(Category::Task, 0.5, "nothing else");
    }
    let mut found: Vec<_> =
        weights.into_iter().map(|(category, (weight, by))| (category, weight, by)).collect();
    let rank = |category: Category| PRIORITY.iter().position(|one| *one == category);
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(rank(a.0).cmp(&rank(b.0))));
    Categories { found, head }
}

/// Counts the cues, and answers how much speaks of trouble.
fn cues(rules: &Rules, words: &[Word], head: &Head, add: &mut impl FnMut(Category, f64, &str)) -> f64 {
    let (mut trouble, mut seen): (f64, Vec<(Category, String)>) = (0.0, Vec::new());
    let about =
        (0..words.len()).find(|at| *at > 0 && rules.about.at(words, *at).is_some()).unwrap_or(usize::MAX);
    for found in rules.cues.all(words) {
        for &(category, weight) in found.means {
            let is_trouble = category == Category::Troubleshooting;
            let in_code = words.get(found.at).is_some_and(|word| word.in_code);
            let known = seen.iter().any(|(of, phrase)| *of == category && *phrase == found.phrase);
            if known || (in_code && !(is_trouble && weight >= 3.0)) {
                continue;
            }
            seen.push((category, found.phrase.clone()));
            let weight = match weight {
                strong if strong >= 3.0 => 2.5,
                word if word >= 2.0 => 1.0,
                _ => 0.4,
            };
            // Whoever is told to do something about trouble is to do that.
            let is_other = is_trouble && head.is_verb && head.category != Some(Category::Troubleshooting);
            let factor = match (found.at >= about, in_code, is_other) {
                (true, ..) => 0.4,
                (_, true, _) => 0.5,
                (_, _, true) => 0.4,
                _ => 1.0,
            };
            if is_trouble {
                trouble += weight * factor;
            }
            add(category, weight * factor, &found.said);
        }
    }
    trouble
}

/// What it begins with.
fn head(rules: &Rules, words: &[Word], start: usize, asks: bool) -> (Head, String) {
    let mut head = Head::default();
    if words.get(start).is_none_or(|word| word.in_code) {
        return (head, String::new());
    }
    head.for_cause = rules.causes.at(words, start).is_some();
    head.is_plain = rules.plain.at(words, start).is_some();
    let (verb, opener) = (rules.verbs.at(words, start), rules.openers.at(words, start));
    // The longer one is meant: `do you know` does nothing. `Do` asks in a question, and else is to be done.
    let words_of = |found: Option<usize>| found.unwrap_or(0);
    let verb_words = words_of(verb.as_ref().map(|found| found.words));
    let opener_words = words_of(opener.as_ref().map(|found| found.words));
    let is_verb = verb_words > opener_words || verb_words == opener_words && !asks;
    let found = if is_verb { verb.or(opener) } else { opener };
    let Some(found) = found else { return (head, String::new()) };
    (head.is_verb, head.is_opener) = (is_verb, !is_verb);
    head.is_light = is_verb && rules.light.has(&found.phrase);
    head.category = found.means.first().map(|(category, _)| *category);
    (head, found.said)
}

/// The verbs and openers with which later parts begin.
fn later(rules: &Rules, words: &[Word], start: usize) -> Vec<(Category, String)> {
    let clause_of = |at: usize| words.get(at).map(|word| word.clause);
    let begins = (start + 1..words.len()).filter(|at| clause_of(*at) != clause_of(*at - 1));
    let mut found: Vec<(Category, String)> = Vec::new();
    for at in begins {
        let at = after_politeness(rules, words, at);
        if words.get(at).is_none_or(|word| word.in_code) {
            continue;
        }
        let verb = rules.verbs.at(words, at).filter(|verb| !rules.light.has(&verb.phrase));
        let Some(begins) = verb.or_else(|| rules.openers.at(words, at)) else { continue };
        for &(category, _) in begins.means.iter().take(1) {
            let new = (category, begins.said.clone());
            // A list of ten tasks is no more a task than one of two.
            if !found.iter().any(|(of, _)| *of == category) {
                found.push(new);
            }
        }
    }
    found
}

/// Where what is wanted begins, behind what is only polite. If nothing else is said, that is at the beginning.
pub(super) fn after_politeness(rules: &Rules, words: &[Word], from: usize) -> usize {
    let mut at = from;
    loop {
        // `Help` and `task` are polite alone, and may be all that is said.
        match rules.polite.at(words, at) {
            Some(polite) if at + polite.words < words.len() => at += polite.words,
            _ => return at,
        }
    }
}

impl Categories {
    pub(super) fn best(&self) -> Category {
        self.found.first().map_or(Category::Task, |(category, ..)| *category)
    }

    pub(super) fn certainty(&self) -> f64 {
        certainty(self.found.iter().map(|(_, weight, _)| *weight), 4.0)
    }

    pub(super) fn weighed(&self) -> Vec<Weighed<Category>> {
        self.found.iter().map(|(of, weight, by)| weighed(*of, *weight, by)).collect()
    }
}
