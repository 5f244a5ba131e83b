//! What would be done next with a run.

use serde::{Deserialize, Serialize};

use crate::aggregates::run::child::is_made_by;
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
        /// By whom; none if a run of its own makes it.
        agent: Option<AgentName>,
    },
    /// The run whose child this is, or a child, is asked or told whether the point of no return may be passed.
    Return {
        /// The step whose child is told; none if the parent is asked.
        step: Option<StepId>,
        /// What the child is told.
        granted: Option<bool>,
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
    let report = |effect| {
        Some(match effect {
            RunEffect::Start { step, purpose, agent } => {
                let agent = agent.filter(|agent| !is_made_by(agent));
                EffectReport::Start { step, purpose: purpose.text().to_owned(), agent }
            }
            RunEffect::Attempt(started) | RunEffect::Child { attempt: started, .. } => {
                EffectReport::Attempt {
                    step: started.step.clone(),
                    purpose: started.purpose.text().to_owned(),
                    attempt: started.attempt,
                    agent: Some(started.agent.clone()).filter(|agent| !is_made_by(agent)),
                }
            }
            RunEffect::AskReturn => EffectReport::Return { step: None, granted: None },
            RunEffect::AnswerReturn { step, granted } => {
                EffectReport::Return { step: Some(step), granted: Some(granted) }
            }
            // It is told once more in any case.
            RunEffect::Tell(_) => return None,
            RunEffect::Ask { request, step } => EffectReport::Ask { step, request },
            RunEffect::Stop { step, .. } => EffectReport::Stop { step },
            RunEffect::Wake { timer, at } => EffectReport::Wake { timer, at: at.at() },
        })
    };
    run.open().into_iter().filter_map(report).collect()
}
