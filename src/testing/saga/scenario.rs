//! The ways in which compensations come about.

use std::fmt;

use super::Point;
use crate::events::ids::StepId;
use crate::events::run::Purpose;

/// The way in which compensations come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scenario {
    /// They do not, unless the injected fault causes them.
    Forward,
    /// A step fails for good.
    Fails(StepId),
    /// Somebody refuses the request of a step.
    Refused(StepId),
    /// A person asks for a rollback when the run has ended.
    RolledBack,
}

impl Scenario {
    /// Whether faults are injected into this try: a try that is the same in every scenario is covered
    /// by one of them.
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
