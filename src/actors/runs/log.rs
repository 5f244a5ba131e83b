//! What of runs is logged: ids, names, numbers and codes, and nothing that anybody said.

use crate::actors::agents::agent::Attempted;
use crate::aggregates::run::{Node, Run, StepPhase, Trying, UndoPhase};
use crate::events::ids::{AgentName, Fence, RequestId, RunId, StepId, Version};
use crate::events::run::AttemptStarted;
use crate::events::time::Timestamp;
use crate::workflow::work::Stop;

/// An agent is to make an attempt.
pub(super) fn attempt_begins(run: &RunId, started: &AttemptStarted) {
    let AttemptStarted { step, attempt, generation, agent, fence, purpose, .. } = started;
    tracing::debug!(%run, %step, attempt, generation, %agent, fence = fence.0, ?purpose, "an attempt begins");
}

/// An agent has told what came of an attempt; or it was let go of.
pub(super) fn attempt_ended(run: &RunId, step: &StepId, fence: Fence, result: Option<&Attempted>) {
    let fence = fence.0;
    match result {
        Some(Ok(_)) => tracing::debug!(%run, %step, fence, "an attempt has succeeded"),
        Some(Err(failure)) => {
            let (code, class) = (failure.code.text(), failure.class);
            tracing::debug!(%run, %step, fence, code, ?class, "an attempt has failed");
        }
        None => tracing::debug!(%run, %step, fence, "an attempt was let go of"),
    }
}

/// An agent is told to stop an attempt.
pub(super) fn attempt_stops(run: &RunId, step: &StepId, fence: Fence, why: Stop) {
    tracing::debug!(%run, %step, fence = fence.0, ?why, "an attempt is told to stop");
}

/// People are asked about a step.
pub(super) fn asks(run: &RunId, step: &StepId, request: &RequestId) {
    tracing::debug!(%run, %step, %request, "people are asked");
}

/// A run goes on by itself at that time, which is its first timer's.
pub(super) fn waits_for_timer(run: &RunId, state: &Run, at: Timestamp) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let is_due = |node: &&Node| {
        let timer = match (&node.doing.phase, node.undo_phase()) {
            (_, Some(UndoPhase::Trying(Trying::Retrying(timer))))
            | (StepPhase::Trying(Trying::Retrying(timer)) | StepPhase::Sleeping(timer), _) => Some(timer),
            _ => None,
        };
        timer.and_then(|timer| state.due_at(timer)) == Some(at)
    };
    let step = state.nodes().iter().find(is_due).map(|node| node.id().as_str());
    tracing::debug!(%run, step, %at, "waits for a timer");
}

/// A run waits for slots of an agent, or does not any more.
pub(super) fn waits_for_slots(run: &RunId, agent: &AgentName, slots: u32) {
    tracing::debug!(%run, %agent, slots, "waits for slots of an agent");
}

/// What was decided of a run is durable.
pub(super) fn recorded(run: &RunId, version: Version, status: &str, driven: bool) {
    tracing::debug!(%run, version = version.0, status, driven, "recorded");
}
