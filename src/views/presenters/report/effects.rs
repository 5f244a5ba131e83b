//! What would be done next with a run.

use serde::{Deserialize, Serialize};

use crate::aggregates::run::{Run, RunEffect};
use crate::events::ids::{AgentName, RequestId, StepId, TimerId};
use crate::events::time::Timestamp;
use crate::kernel::Aggregate;

/// Something that would be done next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EffectReport {
    /// A step could start, or be undone, with a slot of its agent.
    Start {
        /// Which.
        step: StepId,
        /// What for: `do` or `compensate`.
        purpose: String,
        /// Whose slot.
        agent: Option<AgentName>,
    },
    /// An attempt is being made.
    Attempt {
        /// Of which step.
        step: StepId,
        /// What for: `do` or `compensate`.
        purpose: String,
        /// Which.
        attempt: u32,
        /// By whom.
        agent: AgentName,
    },
    /// People are asked.
    Ask {
        /// For which step.
        step: StepId,
        /// Which request.
        request: RequestId,
    },
    /// An attempt is being stopped.
    Stop {
        /// Of which step.
        step: StepId,
    },
    /// The run is to be woken.
    Wake {
        /// By which timer.
        timer: TimerId,
        /// When.
        at: Timestamp,
    },
}

/// What would be done next with a run in that state.
pub fn effects(run: &Run) -> Vec<EffectReport> {
    let report = |effect| match effect {
        RunEffect::Start { step, purpose, agent } => {
            EffectReport::Start { step, purpose: purpose.text().to_owned(), agent }
        }
        RunEffect::Attempt(started) => EffectReport::Attempt {
            step: started.step.clone(),
            purpose: started.purpose.text().to_owned(),
            attempt: started.attempt,
            agent: started.agent.clone(),
        },
        RunEffect::Ask { request, step } => EffectReport::Ask { step, request },
        RunEffect::Stop { step, .. } => EffectReport::Stop { step },
        RunEffect::Wake { timer, at } => EffectReport::Wake { timer, at: at.at() },
    };
    run.open().into_iter().map(report).collect()
}
