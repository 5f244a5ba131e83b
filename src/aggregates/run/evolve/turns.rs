//! Agents that work in turns.

use super::{Contradiction, Evolution};
use crate::aggregates::run::StepIndex;
use crate::aggregates::run::tries::Trace;

impl Evolution<'_> {
    /// A turn begins, if the step is one: whatever becomes of the whole from here on, its tools may have done something.
    pub(super) fn turn_begins(&mut self, place: StepIndex) -> Result<(), Contradiction> {
        let turn = self.run.steps.get(place).filter(|node| node.is_turn());
        let Some(whole) = turn.and_then(|turn| turn.inside) else { return Ok(()) };
        self.node_mut(whole)?.doing.trace = Trace::Unknown;
        Ok(())
    }
}
