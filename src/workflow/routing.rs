//! Requests: what one is about, what kind it is, how much work, and which agents fit it. By rules that are data, without a model; the
//! same request, rules and agents give the same answer.
//!
//! - `text`: a request as words, by their stems; `lexicon`: phrases, and what each counts for
//! - `rules`: the words that tell, from `config/routing.toml` and a file of somebody's own
//! - `classify`: domain and category; `complexity`: how much work it is, by eight indicators
//! - `entities`: hosts, addresses, money, and numbers with units
//! - `parts`: what is to be done one after the other
//! - `rank`: agents, by what they say of themselves and by how often they succeeded
//! - `cases`: requests of which somebody has said what is right

pub mod cases;
mod classify;
mod complexity;
mod entities;
mod lexicon;
mod parts;
mod rank;
mod rules;
mod text;

use serde::Serialize;

pub use complexity::Counted;
pub use entities::{ENTITIES_MAX, Entity, EntityKind};
pub use rank::{AGENTS_MAX, Candidate, Fit, Index, Past};
pub use rules::{DEFAULT, Indicator, Rules};
pub use text::QUERY_BYTES_MAX;
pub(super) use text::Stems;

use crate::events::run::{Category, Domain, Routed, RoutedAgent, Share, Strategy};

/// The input of a run that says what somebody asked for.
pub const QUERY: &str = "query";

/// What somebody says beside a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// The domain, where it is known.
    pub domain: Option<Domain>,
    /// The category, where it is known.
    pub category: Option<Category>,
    /// What else is known: its words count as what stands in the request behind `about` does.
    pub more: Vec<String>,
}

/// A request, understood.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Classified {
    /// What it is about.
    pub domain: Domain,
    /// What kind of request it is.
    pub category: Category,
    /// How much work it is, from 1 to 10.
    pub complexity: u8,
    /// How sure the domain and the category are.
    pub certainty: Share,
    /// Who is to be set to work on it.
    pub strategy: Strategy,
    /// What it names.
    pub entities: Vec<Entity>,
    /// What was counted, and what for.
    pub explained: Explained,
    /// What is to be done one after the other, where that is said.
    #[serde(skip)]
    pub parts: Vec<String>,
    /// How much it belongs to each domain: the most is 1.
    #[serde(skip)]
    pub(crate) shares: Vec<(Domain, f64)>,
}

/// What a request was understood by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// How much each domain counts of which there are words, the most first, with these words.
    pub domains: Vec<Weighed<Domain>>,
    /// The same of categories.
    pub categories: Vec<Weighed<Category>>,
    /// What each indicator adds to the complexity, and why.
    pub complexity: Vec<Counted>,
}

/// How much something counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Weighed<T> {
    /// The thing.
    pub of: T,
    /// How much it counts.
    pub weight: f64,
    /// The stems of the words that count for it.
    pub by: Vec<String>,
}

impl Rules {
    /// Understands a request. Of one that says nothing the domain is general and the certainty nothing.
    pub fn classify(&self, query: &str, context: &Context) -> Classified {
        let said = text::read(query, &self.stems);
        let told: Vec<_> = context.more.iter().map(|told| text::read(told, &self.stems)).collect();
        let domains = classify::domains(self, &said.words, told.iter().map(|told| told.words.as_slice()));
        let categories = classify::categories(self, &said);
        let domain = context.domain.unwrap_or_else(|| domains.best());
        let category = context.category.unwrap_or_else(|| categories.best());
        let whole = std::iter::once(text::head(query)).chain(context.more.iter().map(String::as_str));
        let mut entities: Vec<Entity> = whole.flat_map(|text| entities::entities(text, self)).collect();
        entities.truncate(ENTITIES_MAX);
        let seen = complexity::Seen {
            said: &said,
            domains: &domains,
            category,
            head: &categories.head,
            entities: &entities,
        };
        let (complexity, counted) = complexity::count(self, &seen);
        let parts = parts::parts(self, text::head(query));
        let spans = domains.spanned();
        let strategy = self.strategy(category, complexity, spans, parts.len());
        let certainty = certainty(&domains, &categories, context, said.words.is_empty());
        let shares = match context.domain {
            Some(domain) => vec![(domain, 1.0)],
            None => domains.shares(),
        };
        let explained =
            Explained { domains: domains.weighed(), categories: categories.weighed(), complexity: counted };
        Classified { domain, category, complexity, certainty, strategy, entities, explained, parts, shares }
    }

    /// Who is to be set to work on a request that spans so many domains and has so many parts one after the other.
    fn strategy(&self, category: Category, complexity: u8, spans: usize, parts: usize) -> Strategy {
        let from = self.from;
        match category {
            Category::Question => Strategy::SingleAgent,
            _ if parts >= 2 && complexity >= from.chain => Strategy::Chain,
            _ if complexity >= from.coordinator => Strategy::Coordinator,
            _ if spans >= 3 && complexity >= from.swarm => Strategy::Coordinator,
            _ if spans >= 2 && complexity >= from.swarm => Strategy::Swarm,
            _ => Strategy::SingleAgent,
        }
    }
}

/// How sure domain and category are, from what speaks for them and what against.
fn certainty(
    domains: &classify::Domains,
    categories: &classify::Categories,
    context: &Context,
    is_empty: bool,
) -> Share {
    if is_empty {
        return Share::default();
    }
    let domain = context.domain.map_or_else(|| domains.certainty(), |_| 1.0);
    let category = context.category.map_or_else(|| categories.certainty(), |_| 1.0);
    Share::of(0.6 * domain + 0.4 * category)
}

/// How sure a decision may be at most for which there is no agent.
const WITHOUT_AGENTS_MAX: f64 = 0.3;

impl Classified {
    /// The decision, with the agents that fit, the best first.
    pub fn decide(&self, fits: &[Fit]) -> Routed {
        let sure = self.certainty.number();
        let confidence = match fits.first() {
            Some(best) => 0.6 * sure + 0.4 * best.score.number(),
            None => sure.min(WITHOUT_AGENTS_MAX),
        };
        Routed {
            domain: self.domain,
            category: self.category,
            complexity: self.complexity,
            confidence: Share::of(confidence),
            strategy: self.strategy,
            agents: fits.iter().map(|fit| RoutedAgent { name: fit.name.clone(), score: fit.score }).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
