//! The children that a run waits for.

use super::{Phase, Run, RunStatus, StepPhase};
use crate::events::ids::{RunId, StepId};
use crate::events::time::Timestamp;

/// A run that a step has started and waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitedChild {
    /// Its id.
    pub run: RunId,
    /// The step.
    pub step: StepId,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// The runs without which nothing of this one goes on, beside what people give; none if something does, or if there are
/// none. An attempt at seeing one through that was let go of counts: the next does no more than that.
pub fn awaited_children(run: &Run) -> Option<Vec<AwaitedChild>> {
    if run.status() != RunStatus::Running || !matches!(run.life(), Phase::Going) {
        return None;
    }
    let mut awaited = Vec::new();
    for node in run.nodes() {
        match (&node.phase, &node.child) {
            (StepPhase::Running(_) | StepPhase::Ready, Some(child)) => {
                let (run, step, since) = (child.run.clone(), node.id().clone(), node.started_at);
                awaited.push(AwaitedChild { run, step, since });
            }
            (
                StepPhase::Running(_)
                | StepPhase::Ready
                | StepPhase::Between
                | StepPhase::Retrying(_)
                | StepPhase::Sleeping(_),
                _,
            ) => return None,
            _ => {}
        }
    }
    (!awaited.is_empty()).then_some(awaited)
}
