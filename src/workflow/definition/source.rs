//! Where a definition stands: so that what goes wrong when a step runs is told with its place in the file.

use serde::{Deserialize, Serialize};

use super::Definition;
use crate::events::ids::{Hash, StepId};
use crate::events::problem::SourceLocation;

/// Where a definition stands. Two that differ only in this do the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The absolute path of the file.
    pub file: String,
    /// The line and the column of each step, from 1, in the order of the steps.
    pub places: Vec<(u64, u64)>,
    /// The hash of the file's text; none of what an older version has read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Hash>,
}

impl Definition {
    /// Where a step stands; none where that is not known.
    pub fn place_of(&self, step: &StepId) -> Option<SourceLocation> {
        let source = self.source.as_ref()?;
        let (line, column) = *source.places.get(*self.steps.places.get(step)?)?;
        Some(SourceLocation { file: source.file.clone(), line, column })
    }

    /// Whether both say the same, wherever that stands.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let nowhere = |definition: &Self| Self { source: None, ..definition.clone() };
        nowhere(self) == nowhere(other)
    }
}
