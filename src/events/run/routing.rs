//! Where a request went, and why: what was decided before the run began that it led to.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::events::ids::AgentName;
use crate::events::json::Payload;

/// Makes an enum whose variants are words of a contract, in the order in which they are recorded.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$of])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word for it.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The one with that word.
            pub fn from_text(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.text() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.text())
            }
        }
    };
}

words! {
    /// What a request is about.
    Domain {
        /// Networks, names, servers and what they run on.
        Infra = "infra",
        /// Who may do what, and who would like to.
        Security = "security",
        /// Databases, their content, and what is made of it.
        Data = "data",
        /// Sites, pages and what serves them.
        Web = "web",
        /// What is rented of a provider.
        Cloud = "cloud",
        /// Shipping, running and watching.
        Ops = "ops",
        /// Whether something does what it should.
        Testing = "testing",
        /// What is to be done when, and by whom.
        Planning = "planning",
        /// Texts for people.
        Communication = "communication",
        /// Anything else.
        General = "general",
    }
}

words! {
    /// What kind of request it is.
    Category {
        /// Somebody wants to know something.
        Question = "question",
        /// Something is to be done.
        Task = "task",
        /// Something is to be looked at and judged.
        Analysis = "analysis",
        /// It is to be thought out what is to be done.
        Planning = "planning",
        /// Something does not work.
        Troubleshooting = "troubleshooting",
    }
}

words! {
    /// Who is set to work on a request.
    Strategy {
        /// The agent that fits best.
        SingleAgent = "single_agent",
        /// That one, which hands over to others as it sees fit.
        Swarm = "swarm",
        /// One after the other, each with what those before it answered.
        Chain = "chain",
        /// An agent that divides the work among others.
        Coordinator = "coordinator",
    }
}

/// A share of one, in thousandths: exact in events, a number between 0 and 1 in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Share(u16);

impl Share {
    /// The nearest share; what is no share is the nearest that is one, and no number is 0.
    pub fn of(share: f64) -> Self {
        // Within the bounds of the type by the clamp; a NaN becomes 0.
        Self((share.clamp(0.0, 1.0) * 1000.0).round() as u16)
    }

    /// As a number from 0 to 1.
    pub fn number(self) -> f64 {
        f64::from(self.0) / 1000.0
    }

    /// In hundredths, rounded down.
    pub const fn percent(self) -> u16 {
        self.0 / 10
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_f64(self.number())
        } else {
            serializer.serialize_u16(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            f64::deserialize(deserializer).map(Self::of)
        } else {
            u16::deserialize(deserializer).map(|thousandths| Self(thousandths.min(1000)))
        }
    }
}

/// An agent that fits a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutedAgent {
    /// The agent's name, as its file says it.
    pub name: AgentName,
    /// How well it fits.
    pub score: Share,
}

/// What was decided about a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routed {
    /// What it is about.
    pub domain: Domain,
    /// What kind of request it is.
    pub category: Category,
    /// How much work it is, from 1 to 10.
    pub complexity: u8,
    /// How sure all of this is.
    pub confidence: Share,
    /// Who is set to work on it.
    pub strategy: Strategy,
    /// The agents that fit, the best first.
    pub agents: Vec<RoutedAgent>,
}

/// Second in a stream, in one commit with the run's start: it began because somebody asked for something and named no agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRouted {
    /// What was asked, as JSON: a text.
    pub query: Payload,
    /// What it is about.
    pub domain: Domain,
    /// What kind of request it is.
    pub category: Category,
    /// How much work it is, from 1 to 10.
    pub complexity: u8,
    /// How sure all of this is.
    pub confidence: Share,
    /// Who is set to work on it.
    pub strategy: Strategy,
    /// The agents that fit, the best first.
    pub agents: Vec<RoutedAgent>,
}

impl RequestRouted {
    /// That this was decided about a query.
    pub fn of(query: Payload, routed: Routed) -> Self {
        let Routed { domain, category, complexity, confidence, strategy, agents } = routed;
        Self { query, domain, category, complexity, confidence, strategy, agents }
    }

    /// What was decided.
    pub fn routed(&self) -> Routed {
        let Self { domain, category, complexity, confidence, strategy, agents, .. } = self.clone();
        Routed { domain, category, complexity, confidence, strategy, agents }
    }
}
