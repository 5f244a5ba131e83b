//! Which attempts of a run are handed out, and when it hands them out: what it has open of the kind, and of whom.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use super::index::StepIndex;
use super::task::Task;
use super::{Phase, Run, RunEffect, StartRun};
use crate::events::ids::{AgentName, Fence};
use crate::events::json::Blob;
use crate::events::run::{AttemptStarted, StepAdded};

/// What an agent's definition says of who makes its attempts.
#[derive(Deserialize)]
struct MadeBy<'a> {
    #[serde(default, borrow)]
    executor: Option<Cow<'a, str>>,
}

/// The executor of agents whose attempts are handed out.
const EXTERNAL: &str = "external";

/// Whether an agent is defined as one whose attempts are handed out.
pub(super) fn is_handed_out(definition: &Blob) -> bool {
    let says = serde_json::from_slice::<MadeBy<'_>>(&definition.bytes);
    says.is_ok_and(|says| says.executor.as_deref() == Some(EXTERNAL))
}

impl StartRun {
    /// The agents with which it begins whose attempts are handed out.
    pub(super) fn external(&self) -> Vec<AgentName> {
        let external = self.agents.iter().filter(|(_, definition)| is_handed_out(definition));
        external.map(|(name, _)| name.clone()).collect()
    }
}

impl Run {
    /// Whether no process makes an agent's attempts: they are handed out. They take no slot, and do not count as attempts that
    /// run at once: what people do takes nothing of the machine.
    pub fn is_external(&self, agent: &AgentName) -> bool {
        self.about.as_ref().is_some_and(|about| about.started.external.contains(agent))
    }

    /// Whether attempts of it are made by a process or by runs that go on, so that something of it runs.
    pub(super) fn is_at_work(&self) -> bool {
        self.running > self.resting.saturating_add(self.tasks.count())
    }

    /// How many attempts may start beside those that are open, and those for which a lock is awaited. What is handed out runs
    /// nowhere, and does not count.
    pub(super) fn room(&self) -> u32 {
        let parallel = self.about.as_ref().map_or(0, |about| about.started.parallel);
        let awaiting = u32::try_from(self.locks_awaited().count()).unwrap_or(u32::MAX);
        let running = self.running.saturating_sub(self.tasks.count());
        parallel.saturating_sub(running).saturating_sub(awaiting)
    }

    /// Whether a task may be taken as the run is: not of one that is paused, or about to end. What is open while a run is undone
    /// undoes something, or is of a step that is kept.
    pub(super) fn hands_out(&self) -> bool {
        !self.paused && matches!(self.phase, Phase::Going | Phase::Unwinding(_))
    }

    /// An open attempt as what is wanted of the world, with whoever makes it.
    pub(super) fn effect_of(&self, attempt: &Arc<AttemptStarted>, rests: bool) -> RunEffect {
        match self.is_external(&attempt.agent) {
            true => RunEffect::Task(Arc::clone(attempt)),
            false => RunEffect::attempt(attempt, rests),
        }
    }

    /// The open task with that number: its step, its attempt, and what is known of it.
    pub(super) fn task(&self, fence: Fence) -> Option<(StepIndex, &Arc<AttemptStarted>, &Task)> {
        let place = *self.tasks.open.get(&fence)?;
        let node = self.steps.get(place)?;
        let attempt = node.open_attempts().find(|attempt| attempt.fence == fence)?;
        Some((place, attempt, node.task.as_deref().filter(|task| task.fence == fence)?))
    }

    /// An open task that somebody has taken: the step, the attempt, and what is known of it.
    pub(crate) fn taken_task(&self, fence: Fence) -> Option<(&Arc<StepAdded>, &Arc<AttemptStarted>, &Task)> {
        let (place, attempt, task) = self.task(fence).filter(|(_, _, task)| task.held.is_some())?;
        Some((&self.steps.get(place)?.added, attempt, task))
    }

    /// The attempt of an open task; none if the task is not open.
    pub fn task_attempt(&self, fence: Fence) -> Option<&Arc<AttemptStarted>> {
        self.task(fence).map(|(_, attempt, _)| attempt)
    }
}
