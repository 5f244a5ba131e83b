//! Requests of which somebody has said what is right: one object of JSON on each line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Classified, Context};
use crate::events::ids::AgentName;
use crate::events::problem::{Code, Problem};
use crate::events::run::{Category, Domain, Strategy};

/// How many cases a file may have.
pub const CASES_MAX: usize = 100_000;

/// How long what a parser says may be, in characters, as it is told.
const MESSAGE_CHARS_MAX: usize = 200;

/// How many misses are told one by one.
pub const MISSES_MAX: usize = 100;

/// A request, and what is right of it. What is left out is not looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its line in the file, from 1.
    pub line: u64,
    /// The request.
    pub query: String,
    /// What is known beside it.
    pub context: Context,
    /// What it is about.
    pub domain: Option<Domain>,
    /// What kind it is.
    pub category: Option<Category>,
    /// How much work it is: from, to.
    pub complexity: Option<(u8, u8)>,
    /// Who is set to work on it.
    pub strategy: Option<Strategy>,
    /// The agent that fits best.
    pub agent: Option<AgentName>,
}

#[derive(Deserialize)]
struct Line {
    query: String,
    domain: Option<Domain>,
    category: Option<Category>,
    complexity: Option<Complexity>,
    strategy: Option<Strategy>,
    agent: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Complexity {
    One(u8),
    Between((u8, u8)),
    Bounds { min: u8, max: u8 },
}

/// Reads cases. Empty lines are none.
///
/// # Errors
/// [`Code::BadCases`] with the line: for what is no JSON, has no query, has none of what can be compared, or has a word that is no
/// domain, category or strategy.
pub fn read(text: &str, file: &str) -> Result<Vec<Case>, Problem> {
    let mut cases = Vec::new();
    for (number, line) in (1_u64..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let bad =
            |message: String, column: u64| Problem::new(Code::BadCases, message).at(file, number, column);
        let read: Line = serde_json::from_str(line).map_err(|error| {
            let told = error.to_string();
            // Where it is, the place says.
            let told = told.rsplit_once(" at line ").map_or(told.as_str(), |(what, _)| what);
            bad(told.chars().take(MESSAGE_CHARS_MAX).collect(), error.column().max(1) as u64)
        })?;
        if read.query.trim().is_empty() {
            return Err(bad("the `query` is empty".to_owned(), 1));
        }
        let complexity = match read.complexity {
            None => None,
            // What one says is six another says is seven.
            Some(Complexity::One(number)) => Some((number.saturating_sub(1), number.saturating_add(1))),
            Some(Complexity::Between((min, max)) | Complexity::Bounds { min, max }) if min <= max => {
                Some((min, max))
            }
            Some(_) => return Err(bad("the `complexity` begins above where it ends".to_owned(), 1)),
        };
        let agent = read.agent.as_deref().map(AgentName::new);
        let Line { query, domain, category, strategy, .. } = read;
        if domain.is_none()
            && category.is_none()
            && complexity.is_none()
            && strategy.is_none()
            && agent.is_none()
        {
            let what = "it says nothing that could be right: `domain`, `category`, `complexity`, `strategy` or `agent`";
            return Err(bad(what.to_owned(), 1));
        }
        if cases.len() >= CASES_MAX {
            return Err(bad(format!("there are more than {CASES_MAX} cases"), 1));
        }
        cases.push(Case {
            line: number,
            query,
            context: Context::default(),
            domain,
            category,
            complexity,
            strategy,
            agent,
        });
    }
    if cases.is_empty() {
        return Err(Problem::new(Code::BadCases, "the file has no cases").at(file, 1, 1));
    }
    Ok(cases)
}

/// How many of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Hits {
    /// How many were right.
    pub hits: u64,
    /// How many there were.
    pub of: u64,
}

impl Hits {
    fn count(&mut self, is_hit: bool) {
        self.of += 1;
        self.hits += u64::from(is_hit);
    }

    /// How many there were right of a hundred, rounded down; a hundred of none.
    pub fn percent(self) -> u64 {
        self.hits.saturating_mul(100).checked_div(self.of).unwrap_or(100)
    }
}

/// A case of which something was not right.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Miss {
    /// Its line in the file.
    pub line: u64,
    /// What was not right: `domain`, `category`, `complexity`, `strategy` or `agent`.
    pub what: &'static str,
    /// What would have been.
    pub expected: String,
    /// What came instead.
    pub got: String,
}

/// How many cases were right.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Score {
    /// How many cases there are.
    pub cases: u64,
    /// Cases of which everything was right.
    pub all: Hits,
    /// What was compared, each with how often it was right.
    pub totals: BTreeMap<&'static str, Hits>,
    /// The same of each class: of each domain, category and strategy.
    pub classes: BTreeMap<&'static str, BTreeMap<String, Hits>>,
    /// What was not right, the first of them.
    pub misses: Vec<Miss>,
}

impl Score {
    /// Compares a case with what came of it; `best` is the agent that fits best.
    pub fn add(&mut self, case: &Case, got: &Classified, best: Option<&AgentName>) {
        self.cases += 1;
        let missed = self.missed();
        if let Some(domain) = case.domain {
            self.compare(case, "domain", domain.text().to_owned(), got.domain.text());
        }
        if let Some(category) = case.category {
            self.compare(case, "category", category.text().to_owned(), got.category.text());
        }
        if let Some(strategy) = case.strategy {
            self.compare(case, "strategy", strategy.text().to_owned(), got.strategy.text());
        }
        if let Some((min, max)) = case.complexity {
            let expected = if min == max { min.to_string() } else { format!("{min} to {max}") };
            let is_hit = (min..=max).contains(&got.complexity);
            self.note(case, "complexity", &expected, &got.complexity.to_string(), is_hit);
        }
        if let Some(agent) = &case.agent {
            let is_hit = best.is_some_and(|best| best.key() == agent.key());
            self.note(case, "agent", agent.as_str(), best.map_or("nobody", AgentName::as_str), is_hit);
        }
        let is_hit = self.missed() == missed;
        self.all.count(is_hit);
    }

    /// How much was missed so far.
    fn missed(&self) -> u64 {
        self.totals.values().map(|hits| hits.of - hits.hits).sum()
    }

    fn compare(&mut self, case: &Case, what: &'static str, expected: String, got: &str) {
        let is_hit = expected == got;
        self.classes.entry(what).or_default().entry(expected.clone()).or_default().count(is_hit);
        self.note(case, what, &expected, got, is_hit);
    }

    fn note(&mut self, case: &Case, what: &'static str, expected: &str, got: &str, is_hit: bool) {
        self.totals.entry(what).or_default().count(is_hit);
        if !is_hit && self.misses.len() < MISSES_MAX {
            let (expected, got) = (expected.to_owned(), got.to_owned());
            self.misses.push(Miss { line: case.line, what, expected, got });
        }
    }
}
