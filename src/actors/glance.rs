//! What can be seen of a run that is in memory, without asking it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::aggregates::run::{Run, RunStatus};
use crate::events::ids::{Fence, RunId, Version};
use crate::events::problem::Problem;
use crate::events::run::AttemptStarted;
use crate::events::time::Timestamp;
use crate::executors::Progress;
use crate::kernel::Attention;

/// What can be seen of a run that is in memory. Who waits is woken when it is loaded, when nothing of it runs any
/// more or something does again, and when it has ended, rests or cannot go on. Who shows how far it is looks now and then.
#[derive(Debug, Clone, Default)]
pub struct Glance {
    /// The version that is durable; 0 while it is being loaded, and for a run that never began.
    pub version: Version,
    /// Where it is; none while it is being loaded. What only waits for children that rest is `waiting`.
    pub status: Option<RunStatus>,
    /// Whether it has ended, or rests until somebody acts: see [`is_at_rest`]. What only waits for children that rest does
    /// so too.
    pub at_rest: bool,
    /// Steps that are done with.
    pub done: usize,
    /// Steps that there are so far.
    pub total: usize,
    /// While nothing runs: when something does again.
    pub wakes_at: Option<Timestamp>,
    /// What its own state needs next, whoever drives it.
    pub attention: Attention,
    /// What runs.
    pub attempts: BTreeMap<Fence, OpenAttempt>,
    /// How many of those see children through.
    pub children: usize,
    /// Why it cannot go on.
    pub parked: Option<Problem>,
}

/// What of a run is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Milestones {
    loaded: bool,
    at_work: bool,
    at_rest: bool,
}

impl Glance {
    pub(super) fn milestones(&self) -> Milestones {
        let at_work = self.is_at_work();
        Milestones { loaded: self.status.is_some(), at_work, at_rest: self.at_rest }
    }

    /// Whether attempts are made that do not only see children through.
    pub fn is_at_work(&self) -> bool {
        self.attempts.len() > self.children
    }

    pub(super) fn add(&mut self, attempt: OpenAttempt) {
        self.children += usize::from(attempt.child.is_some());
        self.attempts.insert(attempt.started.fence, attempt);
    }

    pub(super) fn remove(&mut self, fence: Fence) -> Option<OpenAttempt> {
        let attempt = self.attempts.remove(&fence)?;
        self.children -= usize::from(attempt.child.is_some());
        Some(attempt)
    }
}

/// An attempt that an agent is making.
#[derive(Debug, Clone)]
pub struct OpenAttempt {
    /// What was recorded of it.
    pub started: Arc<AttemptStarted>,
    /// Since when.
    pub since: Timestamp,
    /// How far it says it is.
    pub progress: watch::Receiver<Progress>,
    /// The run that it sees through, if it does.
    pub child: Option<RunId>,
}

/// Whether nothing follows unless somebody wants it to: it has ended, or it is paused or waits for people, and nothing
/// of it runs any more.
pub fn is_at_rest(run: &Run) -> bool {
    match run.status() {
        RunStatus::Paused | RunStatus::Waiting => !run.wants_driving(),
        status => status.has_ended(),
    }
}
