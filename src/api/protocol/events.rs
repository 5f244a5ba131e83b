//! Which events of a stream are asked for.

use serde::{Deserialize, Serialize};

use crate::events::ids::Version;

/// Which events of a stream are asked for: those that meet every part of it that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhichEvents {
    /// The version of the first event that is wanted; none means 1.
    pub from: Option<Version>,
    /// The version of the last event that is wanted; none means the newest.
    pub to: Option<Version>,
    /// Only those about this step.
    #[serde(default)]
    pub step: Option<String>,
    /// Only those of these types; empty means any.
    #[serde(default)]
    pub types: Vec<String>,
    /// Whether those are wanted, too, that happen until the run rests or nobody drives it.
    #[serde(default)]
    pub follow: bool,
}
