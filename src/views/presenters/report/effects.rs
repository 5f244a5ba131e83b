//! What would be done next with a run.

use serde::{Deserialize, Serialize};

use crate::aggregates::run::child::is_made_by;
use crate::aggregates::run::{LockOf, Run, RunEffect, SharedEffect};
use crate::events::ids::{AgentName, ContextName, ConversationName, RequestId, StepId, TimerId};
use crate::events::time::Timestamp;
use crate::kernel::Aggregate;

/// Something that would be done next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EffectReport {
    /// A step could start, or be undone, with a slot of its agent.
    Start {
        /// The step that could start.
        step: StepId,
        /// What it would be tried for: `do` or `compensate`.
        purpose: String,
        /// The agent whose slot it needs; none if it needs none.
        agent: Option<AgentName>,
    },
    /// An attempt is being made, or waits for somebody to take it as a task.
    Attempt {
        /// The step that is tried.
        step: StepId,
        /// What it is tried for: `do` or `compensate`.
        purpose: String,
        /// The attempt's number for that purpose at its step, from 1.
        attempt: u32,
        /// The agent that makes it; none if a child run makes it.
        agent: Option<AgentName>,
    },
    /// The parent is asked whether a step that cannot be undone may start, or a child that asked
    /// is told the answer.
    Return {
        /// The step whose child is told; none if the parent is asked.
        step: Option<StepId>,
        /// Whether that step may start; none if the parent is asked.
        granted: Option<bool>,
    },
    /// People are asked for an approval.
    Ask {
        /// The step that the request is about.
        step: StepId,
        /// The id of the request.
        request: RequestId,
    },
    /// An attempt is being stopped.
    Stop {
        /// The step whose attempt is stopped.
        step: StepId,
    },
    /// A step reads keys of shared contexts.
    Read {
        /// The step that waits for that.
        step: StepId,
        /// Each key, as in `CONTEXT/KEY`.
        keys: Vec<String>,
    },
    /// It is looked up whether there is an earlier answer that a step could take.
    LookUp {
        /// The step that waits for that.
        step: StepId,
    },
    /// A step waits for a lock of a shared context.
    Lock {
        /// The step.
        step: StepId,
        /// The lock, as in `CONTEXT/NAME`.
        lock: String,
        /// When it waits no longer.
        until: Timestamp,
    },
    /// A lock is given back.
    GiveBack {
        /// The lock, as in `CONTEXT/NAME`.
        lock: String,
    },
    /// What an attempt writes is brought to a shared context.
    Write {
        /// The step that was tried.
        step: StepId,
        /// The context.
        context: ContextName,
    },
    /// It is read what is at hand of a conversation.
    Hear {
        /// The step that waits for that.
        step: StepId,
        /// The conversation.
        conversation: ConversationName,
    },
    /// What an attempt asked and answered is added to a conversation.
    Continue {
        /// The step that was tried.
        step: StepId,
        /// The conversation.
        conversation: ConversationName,
    },
    /// A message is delivered.
    Deliver {
        /// Its number in the run.
        message: u64,
        /// The agent that is to handle it.
        agent: AgentName,
    },
    /// The run is to be woken.
    Wake {
        /// The timer that wakes it.
        timer: TimerId,
        /// When it is woken, at the earliest.
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
            RunEffect::Attempt(started)
            | RunEffect::Task(started)
            | RunEffect::Child { attempt: started, .. } => EffectReport::Attempt {
                step: started.step.clone(),
                purpose: started.purpose.text().to_owned(),
                attempt: started.attempt,
                agent: Some(started.agent.clone()).filter(|agent| !is_made_by(agent)),
            },
            RunEffect::AskReturn => EffectReport::Return { step: None, granted: None },
            RunEffect::AnswerReturn { step, granted } => {
                EffectReport::Return { step: Some(step), granted: Some(granted) }
            }
            RunEffect::Deliver(started) => {
                EffectReport::Deliver { message: started.number.0, agent: started.receiver.clone() }
            }
            // It is told once more in any case.
            RunEffect::Tell(_)
            | RunEffect::HandOut { .. }
            | RunEffect::Give { .. }
            | RunEffect::Answer { .. } => return None,
            RunEffect::Ask { request, step } => EffectReport::Ask { step, request },
            RunEffect::Stop { step, .. } => EffectReport::Stop { step },
            RunEffect::Shared(effect) => shared(effect),
            RunEffect::Wake { timer, at } => EffectReport::Wake { timer, at: at.at() },
        })
    };
    run.open().into_iter().filter_map(report).collect()
}

fn shared(effect: SharedEffect) -> EffectReport {
    let shown = |of: &LockOf| format!("{}/{}", of.context, of.lock);
    match effect {
        SharedEffect::Read { step, keys } => {
            let keys = keys.iter().map(|(context, key)| format!("{context}/{key}")).collect();
            EffectReport::Read { step, keys }
        }
        SharedEffect::LookUp(awaited) => EffectReport::LookUp { step: awaited.step.clone() },
        SharedEffect::Lock { step, of, until } => EffectReport::Lock { step, lock: shown(&of), until },
        SharedEffect::GiveBack(of) => EffectReport::GiveBack { lock: shown(&of) },
        SharedEffect::Write { step, context, .. } => EffectReport::Write { step, context },
        SharedEffect::Hear { step, conversation } => EffectReport::Hear { step, conversation },
        SharedEffect::Continue { step, conversation, .. } => EffectReport::Continue { step, conversation },
    }
}
