//! Tasks that somebody takes: what they are to do, as the run has it in memory when that is recorded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Runs;
use crate::aggregates::run::Run;
use crate::events::ids::{Fence, RunId};
use crate::events::problem::Problem;
use crate::events::run::StepAdded;
use crate::events::time::Timestamp;
use crate::executors::Assignment;

/// A task that was taken.
pub struct Handed {
    /// What is to be done.
    pub assignment: Assignment,
    /// The step that is tried.
    pub added: Arc<StepAdded>,
    /// The number of the lease.
    pub lease: u32,
    /// The name of who has it.
    pub by: Arc<str>,
    /// When the lease ends, by the wall clock.
    pub until: Timestamp,
}

impl Handed {
    /// The task of that number, if somebody has it.
    ///
    /// # Errors
    /// When the run never began.
    pub fn of(run: &Run, fence: Fence) -> Result<Option<Self>, Problem> {
        let Some((added, attempt, task)) = run.taken_task(fence) else { return Ok(None) };
        let Some(held) = &task.held else { return Ok(None) };
        let assignment = Assignment::of(run, attempt)?;
        let (added, by) = (Arc::clone(added), Arc::clone(&held.by));
        Ok(Some(Self { assignment, added, lease: task.leases, by, until: held.until }))
    }
}

/// The tasks that somebody is taking. None is taken by two at once: that would only be refused.
#[derive(Default)]
pub(super) struct Handing(Mutex<Waiting>);

/// Those who take tasks, and what they are handed.
type Waiting = HashMap<(RunId, Fence), Option<Handed>>;

impl Handing {
    /// Hands a task to who is taking it here, if anybody is.
    pub(super) fn hand(&self, state: &Run, run: &RunId, fence: Fence) {
        if let Some(waiting) = self.waiting().get_mut(&(run.clone(), fence)) {
            // What cannot be handed over so is read from the store.
            *waiting = Handed::of(state, fence).ok().flatten();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who is taking a task, until this is dropped.
pub struct Taking<'r> {
    runs: &'r Runs,
    task: (RunId, Fence),
}

impl Taking<'_> {
    /// What was handed over, once that is recorded; none if it was recorded before, or not at all.
    pub fn handed(&self) -> Option<Handed> {
        self.runs.handing.waiting().get_mut(&self.task).and_then(Option::take)
    }
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        self.runs.handing.waiting().remove(&self.task);
    }
}

impl Runs {
    /// Begins to take a task; none if somebody else is taking it.
    pub fn taking(&self, run: &RunId, fence: Fence) -> Option<Taking<'_>> {
        let task = (run.clone(), fence);
        let mut waiting = self.handing.waiting();
        if waiting.contains_key(&task) {
            return None;
        }
        waiting.insert(task.clone(), None);
        Some(Taking { runs: self, task })
    }

    /// How many tasks are being taken.
    pub fn takers(&self) -> usize {
        self.handing.waiting().len()
    }
}
