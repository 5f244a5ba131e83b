//! Agents, by how well they fit a request: what they say of themselves, and how often they succeeded.

use std::collections::HashMap;

use serde::Serialize;

use super::rules::Rules;
use super::{Classified, classify, text};
use crate::events::ids::AgentName;
use crate::events::run::{Domain, Share};
use crate::workflow::ranking::Ranking;

/// How many agents a decision names.
pub const AGENTS_MAX: usize = 10;

/// How much of what an agent is told is read, in bytes: what it is for stands at the beginning.
const BODY_BYTES_MAX: usize = 8 * 1024;

/// How many words of a request agents are looked for by.
const TERMS_MAX: usize = 64;

/// Who scores less does not fit, nor does who scores less than this share of the best.
const SCORE_MIN: f64 = 0.2;
const OF_BEST_MIN: f64 = 0.35;

/// How much speaks for an agent: the words that it has of the request, the same by BM25 beside the others, and its domain.
const BY_WORDS: f64 = 0.5;
const BY_BM25: f64 = 0.2;
const BY_DOMAIN: f64 = 0.3;

/// How much a word counts that stands in an agent's name or expertise, in its description, and in what it is told.
const IN_NAME: f64 = 1.0;
const IN_DESCRIPTION: f64 = 0.9;
const IN_BODY: f64 = 0.4;

/// How much a word counts that agents have in common, and one that none has, beside one that tells them apart.
const COMMON: f64 = 0.3;
const UNKNOWN: f64 = 0.5;

/// What BM25 is told of long texts: they are not better for being long.
const LENGTH_WEIGHT: f32 = 0.5;

/// How far success moves a score, up and down; and as how many attempts of each kind an agent begins.
const SUCCESS_WEIGHT: f64 = 0.2;
const SUCCESS_PRIOR: f64 = 2.0;

/// How often an agent did what it was to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Past {
    /// How many attempts succeeded.
    pub succeeded: u64,
    /// How many failed.
    pub failed: u64,
}

impl Past {
    /// By what a score is multiplied: 1 where nothing is known, or as much failed as succeeded.
    fn factor(self) -> f64 {
        let (succeeded, failed) = (self.succeeded as f64, self.failed as f64);
        let rate = (succeeded + SUCCESS_PRIOR) / (succeeded + failed + 2.0 * SUCCESS_PRIOR);
        1.0 + SUCCESS_WEIGHT * (rate - 0.5)
    }
}

/// An agent that may be asked.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    /// Its name.
    pub name: &'a AgentName,
    /// What it is good for, in a line.
    pub description: &'a str,
    /// What it says that it knows.
    pub expertise: Vec<&'a str>,
    /// What it is told at the beginning of all its work.
    pub body: &'a str,
    /// How often it succeeded.
    pub past: Past,
}

/// An agent that fits a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fit {
    /// Its name.
    pub name: AgentName,
    /// How well it fits.
    pub score: Share,
    /// What speaks for it, and against.
    pub why: Vec<String>,
}

/// Agents, read once and asked about as often as somebody likes.
pub struct Index {
    agents: Vec<Known>,
    ranking: Ranking,
    /// In how many agents each word stands.
    spread: HashMap<String, usize>,
}

/// An agent as the index knows it.
struct Known {
    name: AgentName,
    /// Each word that it has, with how much it counts where it stands.
    words: HashMap<String, f64>,
    /// How much it belongs to each domain, the most as 1.
    domains: Vec<(Domain, f64)>,
    past: Past,
}

impl Index {
    /// Reads what these agents say of themselves.
    pub fn of(rules: &Rules, candidates: &[Candidate<'_>]) -> Self {
        let (mut agents, mut texts, mut spread) = (Vec::new(), Vec::new(), HashMap::<String, usize>::new());
        for candidate in candidates {
            let (known, text) = known(rules, candidate);
            known.words.keys().for_each(|word| *spread.entry(word.clone()).or_default() += 1);
            agents.push(known);
            texts.push(text);
        }
        Self { agents, ranking: Ranking::of(&texts, Some(LENGTH_WEIGHT)), spread }
    }

    /// The agents that fit a request, the best first; of those that fit as well as each other, by name.
    pub fn rank(&self, rules: &Rules, query: &str, classified: &Classified) -> Vec<Fit> {
        let terms = self.terms(rules, query);
        let text: Vec<&str> = terms.iter().map(|term| term.stem.as_str()).collect();
        let agents = self.agents.iter().zip(self.ranking.shares(&text));
        let fits = agents.filter_map(|(known, share)| known.fit(&terms, share, classified));
        let mut fits: Vec<Fit> = fits.collect();
        fits.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.name.key().cmp(&b.name.key())));
        let best = fits.first().map_or(0.0, |best| best.score.number());
        fits.retain(|fit| fit.score.number() >= best * OF_BEST_MIN);
        fits.truncate(AGENTS_MAX);
        fits
    }

    /// The words of a request by which agents are told apart, each with how much it does.
    fn terms(&self, rules: &Rules, query: &str) -> Vec<Term> {
        let said = text::read(query, &rules.stems);
        let mut terms: Vec<Term> = Vec::new();
        for word in said.words {
            let has_meaning = !rules.stop.contains(&word.stem) && word.stem.chars().any(char::is_alphabetic);
            if !has_meaning || terms.len() >= TERMS_MAX || terms.iter().any(|term| term.stem == word.stem) {
                continue;
            }
            let common = if rules.common.contains(&word.stem) { COMMON } else { 1.0 };
            let weight = match self.spread.get(&word.stem) {
                None => UNKNOWN * common * self.rarity(1),
                Some(agents) => common * self.rarity(*agents),
            };
            terms.push(Term { stem: word.stem, said: word.said, weight });
        }
        terms
    }

    /// How much a word tells that so many agents have.
    fn rarity(&self, agents: usize) -> f64 {
        let (all, agents) = (self.agents.len() as f64, agents as f64);
        (1.0 + (all - agents + 0.5) / (agents + 0.5)).ln()
    }
}

/// A word of a request, and how much it tells.
struct Term {
    stem: String,
    said: String,
    weight: f64,
}

/// An agent, and its words as BM25 is to count them: what its name says counts three times.
fn known(rules: &Rules, candidate: &Candidate<'_>) -> (Known, Vec<String>) {
    let Candidate { name, description, expertise, body, past } = candidate;
    let expertise = expertise.join(", ");
    let body = body.get(..body.floor_char_boundary(BODY_BYTES_MAX)).unwrap_or(body);
    let fields = [
        (name.as_str(), IN_NAME, 3),
        (expertise.as_str(), IN_NAME, 3),
        (description, IN_DESCRIPTION, 2),
        (body, IN_BODY, 1),
    ];
    let (mut words, mut text) = (HashMap::<String, f64>::new(), Vec::new());
    for (field, counts, times) in fields {
        for stem in rules.stems.of(field) {
            if rules.stop.contains(&stem) {
                continue;
            }
            text.extend(std::iter::repeat_n(stem.clone(), times));
            let known = words.entry(stem).or_insert(counts);
            *known = known.max(counts);
        }
    }
    let says = format!("{name}\n{description}\n{expertise}");
    let domains = classify::domains(
        rules,
        &text::read(&says.replace('_', " "), &rules.stems).words,
        std::iter::empty(),
    );
    let known = Known { name: (*name).clone(), words, domains: domains.shares(), past: *past };
    (known, text)
}

impl Known {
    /// How well it fits; none if it does not. `relative` is its score by BM25 as a share of the best one.
    fn fit(&self, terms: &[Term], relative: f64, classified: &Classified) -> Option<Fit> {
        let mut why = Vec::new();
        let (mut all, mut has) = (0.0, 0.0);
        let mut words: [Vec<&str>; 3] = Default::default();
        for term in terms {
            all += term.weight;
            let Some(&counts) = self.words.get(&term.stem) else { continue };
            has += term.weight * counts;
            let [name, description, body] = &mut words;
            let place = if counts >= IN_NAME {
                name
            } else if counts >= IN_DESCRIPTION {
                description
            } else {
                body
            };
            place.push(&term.said);
        }
        let covered = if all > 0.0 { has / all } else { 0.0 };
        let places = ["name or expertise says", "description says", "instructions say"];
        for (place, words) in places.iter().zip(&words).filter(|(_, words)| !words.is_empty()) {
            why.push(format!("its {place} {}", quoted(words)));
        }
        let share_of = |domain: Domain| {
            self.domains.iter().find(|(of, _)| *of == domain).map_or(0.0, |(_, share)| *share)
        };
        let shared = classified.shares.iter().map(|(domain, share)| (*domain, share * share_of(*domain)));
        let (domain, affinity) = shared.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((Domain::General, 0.0));
        if affinity > 0.0 {
            why.push(format!("it is for {domain}"));
        }
        // A word that it is only told among many others is none that it is for.
        let is_meant = affinity >= 0.5 || covered >= 0.15;
        let score = (BY_WORDS * covered + BY_BM25 * relative + BY_DOMAIN * affinity) * self.past.factor();
        let Past { succeeded, failed } = self.past;
        let tried = succeeded.saturating_add(failed);
        if tried > 0 {
            why.push(format!("it succeeded in {succeeded} of {tried} attempts"));
        }
        (is_meant && score >= SCORE_MIN).then(|| Fit {
            name: self.name.clone(),
            score: Share::of(score),
            why,
        })
    }
}

/// How many words are told of one place.
const QUOTED_MAX: usize = 6;

fn quoted(words: &[&str]) -> String {
    let some: Vec<String> = words.iter().take(QUOTED_MAX).map(|word| format!("`{word}`")).collect();
    let more = if words.len() > QUOTED_MAX { ", …" } else { "" };
    format!("{}{more}", some.join(", "))
}
