//! What a rollback would do.

use serde::{Deserialize, Serialize};

use super::{Run, RunRejection};
use crate::events::ids::StepId;
use crate::events::problem::Code;

/// What a rollback would undo.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackPlan {
    /// Groups of steps in order, each undone in parallel.
    pub order: Vec<Vec<StepId>>,
    /// What cannot be undone.
    pub cannot: Vec<CannotUndo>,
}

/// A step that cannot be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CannotUndo {
    /// Which.
    pub step: StepId,
    /// Why.
    pub why: String,
}

impl Run {
    /// What a rollback would do now.
    ///
    /// # Errors
    /// Why it would be refused.
    pub fn rollback_plan(&self, _to: Option<&StepId>) -> Result<RollbackPlan, RunRejection> {
        Err(RunRejection::NotNow { code: Code::NotBuilt, why: String::new(), hint: String::new() })
    }

    /// The step to which it was rolled back, while it waits for somebody to say how it goes on.
    pub fn rolled_back_to(&self) -> Option<&StepId> {
        None
    }
}
