//! The events of an agent, on the stream `agent/KEY`. Each says what may come before it and what it makes true; the fold is in
//! `aggregates::agent`. The names are a contract, and the bytes too: see [`super::codec`].

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::AgentName;
use super::json::BlobRef;
use super::time::Timestamp;

/// An agent has another definition than before: the first with which it was seen, or that of a run that began later. What the
/// newest says of `concurrency` and `rate` holds for all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRegistered {
    /// The agent, as its definition calls it.
    pub agent: AgentName,
    /// The definition, as JSON.
    pub definition: BlobRef,
    /// When the run began that brought it; 0 for a run that a step of another started, which began with that one.
    pub since: Timestamp,
    /// How many attempts it makes at once.
    pub concurrency: u32,
    /// How many attempts it starts in a given time, if that is limited.
    pub rate: Option<Rate>,
}

/// The agent starts no attempt from here on. What runs goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentPaused {
    /// The agent, as who paused it calls it.
    pub agent: AgentName,
    /// The name of the person or program that paused it.
    pub by: Arc<str>,
    /// Their reason, if they gave one.
    pub reason: Option<String>,
}

/// A paused or draining agent takes all work again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentUnpaused {
    /// The name of the person or program that lets it.
    pub by: Arc<str>,
    /// Their reason, if they gave one.
    pub reason: Option<String>,
}

/// No run may begin from here on whose workflow names the agent. Runs that are there go on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentDraining {
    /// The agent, as who drains it calls it.
    pub agent: AgentName,
    /// The name of the person or program that drains it.
    pub by: Arc<str>,
    /// Their reason, if they gave one.
    pub reason: Option<String>,
}

macro_rules! agent_events {
    ($($name:ident),* $(,)?) => {
        /// Something that happened to an agent.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum AgentEvent { $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)* }

        $(impl From<$name> for AgentEvent {
            fn from(event: $name) -> Self {
                Self::$name(event)
            }
        })*
    };
}

agent_events! { AgentRegistered, AgentPaused, AgentUnpaused, AgentDraining }

/// How many attempts an agent starts in a given time: as a text, `10/s`, `100/m` or `1000/h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    /// How many attempts may start in that time, from 1.
    pub count: NonZeroU32,
    /// The time for which they are counted.
    pub per: Per,
}

/// The time for which a rate is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// A second, written `s`.
    Second,
    /// A minute, written `m`.
    Minute,
    /// An hour, written `h`.
    Hour,
}

/// The error of a text that is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a rate is a whole number from 1 to {RATE_MAX}, a slash, and `s`, `m` or `h`, as in 10/s")]
pub struct InvalidRate;

/// More attempts in a second, a minute or an hour than this need no limit.
const RATE_MAX: u32 = 1_000_000;

impl Per {
    const ALL: [Self; 3] = [Self::Second, Self::Minute, Self::Hour];

    const fn text(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
        }
    }

    /// The length of that time.
    pub const fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
        })
    }
}

impl TryFrom<String> for Rate {
    type Error = InvalidRate;

    fn try_from(text: String) -> Result<Self, InvalidRate> {
        let (count, per) = text.split_once('/').ok_or(InvalidRate)?;
        let is_number = !count.is_empty() && count.bytes().all(|digit| digit.is_ascii_digit());
        let count = count.parse().ok().filter(|count: &NonZeroU32| is_number && count.get() <= RATE_MAX);
        let per = Per::ALL.into_iter().find(|known| known.text() == per);
        Ok(Self { count: count.ok_or(InvalidRate)?, per: per.ok_or(InvalidRate)? })
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.per.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_and_a_unit_and_nothing_else() {
        for text in ["10/s", "1/m", "1000000/h"] {
            assert_eq!(Rate::try_from(text.to_owned()).unwrap().to_string(), text);
        }
        for text in
            ["", "10", "/s", "0/s", "-1/s", "+1/s", "1.5/s", "10/d", "10 / s", "10/S", "1000001/s", "10/s "]
        {
            assert_eq!(Rate::try_from(text.to_owned()), Err(InvalidRate), "{text}");
        }
    }
}
