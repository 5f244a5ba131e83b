//! How compensations come about.

use std::fmt;

use super::Point;
use crate::events::ids::StepId;
use crate::events::run::Purpose;

/// How compensations come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scenario {
    /// Not at all, unless what is injected brings it about.
    Forward,
    /// A step fails for good.
    Fails(StepId),
    /// Somebody refuses what a step asks.
    Refused(StepId),
    /// A person asks for it when the run has ended.
    RolledBack,
}

impl Scenario {
    /// Whether something is to be injected there: what happens in every scenario is tried in one.
    pub(super) fn is_of_interest(&self, point: &Point) -> bool {
        *self == Self::Forward || point.purpose == Purpose::Compensate
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forward => f.write_str("going forward"),
            Self::Fails(step) => write!(f, "`{step}` fails for good"),
            Self::Refused(step) => write!(f, "what `{step}` asks is refused"),
            Self::RolledBack => f.write_str("rolled back after its end"),
        }
    }
}
