//! Chains of handoffs, as they grow.

use super::{Contradiction, Evolution};
use crate::aggregates::run::{Hop, StepIndex, StepPhase};
use crate::events::json::Payload;
use crate::events::run::HandoffDeclared;

impl Evolution<'_> {
    pub(super) fn handoff_declared(&mut self, event: &HandoffDeclared) -> Result<(), Contradiction> {
        let by = self.place(&event.step)?;
        let open = self.run.steps.get(by).and_then(|node| node.open_attempt());
        if !open.is_some_and(|open| open.attempt == event.attempt && open.agent == event.from) {
            return Err(format!(
                "no attempt {} of `{}` at `{}` is open that could hand over",
                event.attempt, event.from, event.step
            ));
        }
        let HandoffDeclared { from, to, reason, context, .. } = event.clone();
        let first = self.run.chain_begins(by);
        self.node_mut(first)?.handoffs.push(Hop { by, from, to, reason, context });
        Ok(())
    }

    /// What a step answered to which work was handed over is what the whole answered, of which it does the rest; none where it
    /// did not do it, which is tolerated: then the whole has no output.
    pub(super) fn hand_up(
        &mut self,
        place: StepIndex,
        answered: Option<&Payload>,
    ) -> Result<(), Contradiction> {
        let first = self.run.chain_begins(place);
        if first == place {
            return Ok(());
        }
        let said = match self.run.steps.get(place).map(|node| &node.doing.phase) {
            Some(StepPhase::Completed(done)) => done.said.clone(),
            _ => None,
        };
        if let StepPhase::Completed(done) = &mut self.node_mut(first)?.doing.phase {
            done.in_vain = answered.is_none();
            if let Some(output) = answered {
                done.output.clone_from(output);
                done.said = said;
            }
        }
        Ok(())
    }
}
