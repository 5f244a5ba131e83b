//! The rules of routing: `config/routing.toml`, and a file of somebody's own that adds to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::lexicon::{Lexicon, Phrase};
use super::text::Stems;
use crate::events::ids::AgentName;
use crate::events::problem::{Code, Problem};
use crate::events::run::{Category, Domain};

/// The rules that are built in, with the comments that explain them.
pub const DEFAULT: &str = include_str!("../../../config/routing.toml");

/// How many phrases the rules may have, all in all.
pub(super) const PHRASES_MAX: usize = 100_000;

/// What tells how much work a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Indicator {
    /// How much is to be done.
    Action,
    /// How many technical things it names.
    Technology,
    /// How many domains it belongs to.
    Breadth,
    /// How many parts it has.
    Parts,
    /// How much or how many it is about.
    Scale,
    /// What may go wrong.
    Risk,
    /// What it has to keep to.
    Constraints,
    /// What has to be brought together.
    Integration,
}

impl Indicator {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Action,
        Self::Technology,
        Self::Breadth,
        Self::Parts,
        Self::Scale,
        Self::Risk,
        Self::Constraints,
        Self::Integration,
    ];

    /// The word for it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Technology => "technology",
            Self::Breadth => "breadth",
            Self::Parts => "parts",
            Self::Scale => "scale",
            Self::Risk => "risk",
            Self::Constraints => "constraints",
            Self::Integration => "integration",
        }
    }
}

/// The rules, ready to be used.
pub struct Rules {
    pub(super) stems: Stems,
    pub(super) domains: Lexicon<Domain>,
    pub(super) cues: Lexicon<Category>,
    pub(super) verbs: Lexicon<Category>,
    pub(super) openers: Lexicon<Category>,
    pub(super) light: Lexicon<()>,
    pub(super) causes: Lexicon<()>,
    pub(super) endings: Vec<(Category, String)>,
    pub(super) plain: Lexicon<()>,
    pub(super) indicators: BTreeMap<Indicator, Lexicon<()>>,
    pub(super) points: BTreeMap<Indicator, u8>,
    pub(super) polite: Lexicon<()>,
    pub(super) about: Lexicon<()>,
    pub(super) behind: Lexicon<()>,
    pub(super) then: Lexicon<()>,
    pub(super) stop: BTreeSet<String>,
    pub(super) common: BTreeSet<String>,
    pub(super) from: Thresholds,
    pub(super) files: BTreeSet<String>,
    pub(super) units: BTreeSet<String>,
    pub(super) currencies: BTreeMap<String, String>,
    coordinators: Vec<AgentName>,
}

/// From which complexity on a request is for more than one agent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Thresholds {
    pub(super) chain: u8,
    pub(super) swarm: u8,
    pub(super) coordinator: u8,
}

impl Rules {
    /// The rules that are built in.
    ///
    /// # Errors
    /// Never: they are tested.
    pub fn built_in() -> Result<Self, Problem> {
        let mut rules = Self::none();
        rules.add(DEFAULT, "config/routing.toml")?;
        Ok(rules)
    }

    /// The rules that are built in, and what this file adds to them. `file` is its path as a person named it.
    ///
    /// # Errors
    /// [`Code::BadRules`] with the place.
    pub fn with(text: &str, file: &str) -> Result<Self, Problem> {
        let mut rules = Self::built_in()?;
        rules.add(text, file)?;
        Ok(rules)
    }

    fn none() -> Self {
        Self {
            stems: Stems::new(),
            domains: Lexicon::default(),
            cues: Lexicon::default(),
            verbs: Lexicon::default(),
            openers: Lexicon::default(),
            light: Lexicon::default(),
            causes: Lexicon::default(),
            endings: Vec::new(),
            plain: Lexicon::default(),
            indicators: BTreeMap::new(),
            points: BTreeMap::new(),
            polite: Lexicon::default(),
            about: Lexicon::default(),
            behind: Lexicon::default(),
            then: Lexicon::default(),
            stop: BTreeSet::new(),
            common: BTreeSet::new(),
            from: Thresholds::default(),
            files: BTreeSet::new(),
            units: BTreeSet::new(),
            currencies: BTreeMap::new(),
            coordinators: Vec::new(),
        }
    }

    /// The names of agents that coordinate others.
    pub fn coordinators(&self) -> &[AgentName] {
        &self.coordinators
    }

    fn add(&mut self, text: &str, file: &str) -> Result<(), Problem> {
        let read: File = toml::from_str(text).map_err(|error| bad(&error, text, file))?;
        let File { domains, categories, indicators, language, strategies, coordinators, entities } = read;
        for (domain, terms) in domains {
            self.domains.add(domain, terms.weighted(), &self.stems);
            self.domains.take(domain, &terms.drop, &self.stems);
        }
        for (category, said) in categories {
            self.add_category(category, said);
        }
        for (indicator, levels) in indicators {
            if let Some(points) = levels.points {
                self.points.insert(indicator, points.0);
            }
            let lexicon = self.indicators.entry(indicator).or_default();
            lexicon.add((), levels.weighted(), &self.stems);
            lexicon.take((), &levels.drop, &self.stems);
        }
        self.add_language(language);
        let Strategies { chain, swarm, coordinator } = strategies;
        let set = |to: &mut u8, from: Option<Level>| *to = from.map_or(*to, |level| level.0);
        set(&mut self.from.chain, chain);
        set(&mut self.from.swarm, swarm);
        set(&mut self.from.coordinator, coordinator);
        self.coordinators.splice(..0, coordinators.names.iter().map(|name| AgentName::new(&name.0)));
        let small = |words: Vec<Phrase>| words.into_iter().map(|word| word.0.to_lowercase());
        self.files.extend(small(entities.files));
        self.units.extend(small(entities.units));
        let currencies = entities.currencies.into_iter();
        self.currencies.extend(currencies.map(|(sign, currency)| (sign.to_lowercase(), currency.0)));
        let phrases = self.domains.len() + self.cues.len() + self.verbs.len();
        if phrases > PHRASES_MAX {
            let message = format!("the rules of routing have {phrases} phrases, and {PHRASES_MAX} may be");
            return Err(Problem::new(Code::BadRules, message).at(file, 1, 1));
        }
        Ok(())
    }

    fn add_category(&mut self, category: Category, said: Cues) {
        self.endings.extend(said.endings.into_iter().map(|ending| (category, ending.0.to_lowercase())));
        let stems = &self.stems;
        let heads = [(&mut self.verbs, &said.verbs), (&mut self.openers, &said.openers)];
        for (lexicon, phrases) in heads {
            lexicon.add(category, phrases.iter().map(|phrase| (phrase, 1.0)), stems);
            lexicon.take(category, &said.drop, stems);
        }
        let light = said.light.iter().filter(|phrase| !self.verbs.has(&stems.of(&phrase.0).join(" ")));
        let light: Vec<_> = light.map(|phrase| (phrase, 1.0)).collect();
        self.verbs.add(category, light.into_iter(), stems);
        let kinds = [
            (&mut self.light, &said.light),
            (&mut self.causes, &said.causes),
            (&mut self.plain, &said.plain),
        ];
        for (lexicon, phrases) in kinds {
            lexicon.add((), phrases.iter().map(|phrase| (phrase, 1.0)), stems);
        }
        let terms = Terms { strong: said.strong, words: said.words, weak: said.weak, drop: said.drop };
        self.cues.add(category, terms.weighted(), stems);
        self.cues.take(category, &terms.drop, stems);
    }

    fn add_language(&mut self, language: Language) {
        let stems = &self.stems;
        let Language { polite, about, behind, then, stop, common } = language;
        let lists = [
            (&mut self.polite, polite),
            (&mut self.about, about),
            (&mut self.behind, behind),
            (&mut self.then, then),
        ];
        for (lexicon, phrases) in lists {
            lexicon.add((), phrases.iter().map(|phrase| (phrase, 1.0)), stems);
        }
        for (set, words) in [(&mut self.stop, stop), (&mut self.common, common)] {
            set.extend(words.iter().flat_map(|word| stems.of(&word.0)));
        }
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("phrases", &self.domains.len()).finish_non_exhaustive()
    }
}

/// What is wrong with a file of rules, with its place.
fn bad(error: &toml::de::Error, text: &str, file: &str) -> Problem {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..text.floor_char_boundary(at)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    // A quoted piece of the file may stand in it, over several lines.
    let what: String = error.message().chars().take(MESSAGE_CHARS_MAX).collect();
    Problem::new(Code::BadRules, what.replace('\n', " ")).at(file, line as u64, column as u64)
}

/// How much of what a parser says is told, in characters.
const MESSAGE_CHARS_MAX: usize = 300;

/// A number from 0 to 10.
#[derive(Clone, Copy)]
struct Level(u8);

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        match u8::try_from(number) {
            Ok(level) if level <= 10 => Ok(Self(level)),
            _ => Err(de::Error::custom(format!("{number} is no number from 0 to 10"))),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct File {
    domains: BTreeMap<Domain, Terms>,
    categories: BTreeMap<Category, Cues>,
    indicators: BTreeMap<Indicator, Levels>,
    language: Language,
    strategies: Strategies,
    coordinators: Coordinators,
    entities: Entities,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Terms {
    strong: Vec<Phrase>,
    words: Vec<Phrase>,
    weak: Vec<Phrase>,
    drop: Vec<Phrase>,
}

impl Terms {
    fn weighted(&self) -> impl Iterator<Item = (&Phrase, f64)> {
        weighing([(&*self.weak, 1.0), (&*self.words, 2.0), (&*self.strong, 3.0)])
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Cues {
    verbs: Vec<Phrase>,
    openers: Vec<Phrase>,
    light: Vec<Phrase>,
    causes: Vec<Phrase>,
    plain: Vec<Phrase>,
    endings: Vec<Phrase>,
    strong: Vec<Phrase>,
    words: Vec<Phrase>,
    weak: Vec<Phrase>,
    drop: Vec<Phrase>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Levels {
    points: Option<Level>,
    one: Vec<Phrase>,
    two: Vec<Phrase>,
    three: Vec<Phrase>,
    four: Vec<Phrase>,
    drop: Vec<Phrase>,
}

impl Levels {
    fn weighted(&self) -> impl Iterator<Item = (&Phrase, f64)> {
        weighing([(&*self.one, 1.0), (&*self.two, 2.0), (&*self.three, 3.0), (&*self.four, 4.0)])
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Language {
    polite: Vec<Phrase>,
    about: Vec<Phrase>,
    behind: Vec<Phrase>,
    then: Vec<Phrase>,
    stop: Vec<Phrase>,
    common: Vec<Phrase>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Strategies {
    chain: Option<Level>,
    swarm: Option<Level>,
    coordinator: Option<Level>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Coordinators {
    names: Vec<Phrase>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Entities {
    files: Vec<Phrase>,
    units: Vec<Phrase>,
    currencies: BTreeMap<String, Phrase>,
}

/// These phrases, each with what those of its list count.
fn weighing<const LISTS: usize>(lists: [(&[Phrase], f64); LISTS]) -> impl Iterator<Item = (&Phrase, f64)> {
    lists.into_iter().flat_map(|(phrases, weight)| phrases.iter().map(move |phrase| (phrase, weight)))
}
