//! What a step says about how it is tried, which agent stands in, who must grant it, and how it is undone.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Does, is_default, micros};
use crate::events::ids::AgentName;
use crate::events::run::{Gate, UndoWhen};
use crate::workflow::template::{Expression, Template};

/// What makes a step a loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// The loop ends with the first round after which this is true. It sees `output` and `round`, from 1.
    pub until: Expression,
    /// How many rounds there may be.
    pub max: u32,
}

/// What the output of a step is made of. It sees what the step's work sees, and as `output` what the step answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutput {
    /// A bare expression whose value it is.
    Of(Expression),
    /// A map or a list whose texts may hold expressions.
    Made(Template),
}

/// An approval that people must give to a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// What is to be granted: the step's work, or its output.
    pub gate: Gate,
    /// The names of those who may answer; empty means anybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// How many different people have to grant it.
    pub needed: u32,
    /// How long people have to answer; none for no limit.
    #[serde(
        default,
        rename = "expires_us",
        with = "micros::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub expires: Option<Duration>,
    /// The points that a reviewer is to look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checklist: Vec<String>,
    /// Whether every one of them has to be ticked before a grant counts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub require_checklist: bool,
}

impl Approval {
    /// The most points of a checklist: nobody ticks a hundred.
    pub const POINTS_MAX: usize = 100;
    /// The longest point of a checklist, in characters: it is one line of a page.
    pub const POINT_CHARS_MAX: usize = 500;
}

/// The agent that does a step when its own agent has failed for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// The name of that agent.
    pub agent: AgentName,
    /// What is added to the step's prompt then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_suffix: Option<String>,
    /// How often that agent is tried at most, whatever the step's `retry` says.
    pub attempts: u32,
}

/// The importance of a step: what it means when it is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Criticality {
    /// Nobody misses it when it is left out.
    Low,
    /// It is missed when it is left out.
    Medium,
    /// It is badly missed when it is left out.
    High,
    /// Without it the run is worthless: it is never skipped because it failed, unless
    /// the configuration allows that.
    Critical,
}

/// The compensation of a step: what undoes it, and when it is owed.
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
    /// Whether and when it is tried again.
    pub retry: Retry,
    /// The cases in which it is owed.
    pub when: UndoWhen,
}

impl Compensate {
    /// How often it is tried if nothing else is said: when it is given up, a person has to act.
    pub const ATTEMPTS: u32 = 5;
}

/// Whether and when a failed attempt is followed by another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How the delays grow.
    pub policy: RetryPolicy,
    /// How many attempts there are, including the first.
    pub attempts: u32,
    /// The delay after the first failed attempt.
    #[serde(rename = "initial_us", with = "micros")]
    pub initial: Duration,
    /// The longest delay, jitter included.
    #[serde(rename = "max_us", with = "micros")]
    pub max: Duration,
    /// The factor by which an exponential delay grows each time.
    pub multiplier: f64,
    /// The part of itself by which a delay may be longer or shorter, from 0 to 1.
    pub jitter: f64,
    /// Exit codes that also mean that another attempt may help.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exit_codes: Vec<i32>,
    /// Parts of error messages that also mean that another attempt may help.
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
    /// There is only one attempt.
    None,
    /// Every delay is `initial` long.
    Fixed,
    /// The n-th delay is n × `initial`.
    Linear,
    /// Each delay is `multiplier` × the one before.
    Exponential,
}

/// What a step's failure does to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The run fails at once and what runs is cancelled. `retry` is not used.
    FailFast,
    /// The failure is tolerated at once. `retry` is not used.
    Continue,
    /// When all attempts are used up, the run fails.
    #[default]
    RetryThenFail,
    /// When all attempts are used up, the failure is tolerated and the step is `skipped`.
    RetryThenSkip,
}
