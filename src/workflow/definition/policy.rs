//! What a step says about how it is tried, who stands in, who has to grant it, and how it is undone.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Does, micros};
use crate::events::ids::AgentName;
use crate::events::run::{Gate, UndoWhen};
use crate::workflow::template::Expression;

/// A loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// It ends with the round after which this is true. It sees `output` and `round`, from 1.
    pub until: Expression,
    /// How many rounds there are at most.
    pub max: u32,
}

/// A gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// What has to be granted: the step's work, or its output.
    pub gate: Gate,
    /// Who may answer; empty means anybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// How many different people have to grant it.
    pub needed: u32,
    /// How long there is to answer.
    #[serde(
        default,
        rename = "expires_us",
        with = "micros::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub expires: Option<Duration>,
    /// What a reviewer is to look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checklist: Vec<String>,
}

impl Approval {
    /// A checklist has no more points: nobody ticks a hundred.
    pub const POINTS_MAX: usize = 100;
    /// A point of a checklist has no more characters: it is one line of a page.
    pub const POINT_CHARS_MAX: usize = 500;
}

/// Who does a step when its agent has failed for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// Who.
    pub agent: AgentName,
    /// What is added to the step's prompt then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_suffix: Option<String>,
    /// How often it is tried at most, whatever the step's `retry` says.
    pub attempts: u32,
}

/// How much a step matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Criticality {
    /// Nobody misses it.
    Low,
    /// It is missed.
    Medium,
    /// It is missed badly.
    High,
    /// Without it the run is worth nothing: it is never skipped because it failed, unless the configuration lets it.
    Critical,
}

/// How a step is undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compensate {
    /// What undoes it: a program or an agent, never a sleep.
    pub does: Does,
    /// How long an attempt at it may take.
    #[serde(
        default,
        rename = "timeout_us",
        with = "micros::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub timeout: Option<Duration>,
    /// When it is tried again.
    pub retry: Retry,
    /// When it is owed.
    pub when: UndoWhen,
}

impl Compensate {
    /// How often it is tried where nothing else is said: giving up means that a person has to come.
    pub const ATTEMPTS: u32 = 5;
}

/// Whether and when a failed attempt is followed by another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How the delays grow.
    pub policy: RetryPolicy,
    /// How many attempts there are, the first one counted.
    pub attempts: u32,
    /// The delay after the first.
    #[serde(rename = "initial_us", with = "micros")]
    pub initial: Duration,
    /// No delay is longer.
    #[serde(rename = "max_us", with = "micros")]
    pub max: Duration,
    /// By what an exponential delay grows.
    pub multiplier: f64,
    /// By which part of itself a delay may be longer or shorter, 0 to 1.
    pub jitter: f64,
    /// Exit codes that also mean: try again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exit_codes: Vec<i32>,
    /// Parts of an error's message that also mean: try again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<String>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            policy: RetryPolicy::Exponential,
            attempts: 3,
            initial: Duration::from_secs(1),
            max: Duration::from_secs(60),
            multiplier: 2.0,
            jitter: 0.25,
            exit_codes: Vec::new(),
            messages: Vec::new(),
        }
    }
}

/// How the delays between attempts grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RetryPolicy {
    /// There is one attempt.
    None,
    /// All are `initial`.
    Fixed,
    /// The n-th is n × `initial`.
    Linear,
    /// Each is `multiplier` × the one before.
    Exponential,
}

/// What a step's failure does to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// At once: the run fails and what runs is cancelled. `retry` is not used.
    FailFast,
    /// At once: the failure is tolerated. `retry` is not used.
    Continue,
    /// When attempts are used up, the run fails.
    #[default]
    RetryThenFail,
    /// When attempts are used up, the failure is tolerated and the step is `skipped`.
    RetryThenSkip,
}
