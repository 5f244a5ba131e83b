//! What can be seen of a run that is in memory, beside what can be seen of any stream.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::aggregates::run::Run;
use crate::events::ids::{Fence, Version};
use crate::events::json::BlobRef;
use crate::events::run::AttemptStarted;
use crate::events::time::Timestamp;
use crate::executors::Progress;
use crate::views::presenters::outcome::Ending;

/// How far a run is, and what runs of it. Nobody is woken when it changes: who shows it looks now and then.
#[derive(Debug, Clone, Default)]
pub struct LiveState {
    /// The version of the run's stream that the other fields are as of.
    pub version: Version,
    /// Steps that are done with.
    pub done: usize,
    /// Steps that there are so far.
    pub total: usize,
    /// While nothing runs: when something does again.
    pub wakes_at: Option<Timestamp>,
    /// The attempts that agents are making, by fence.
    pub attempts: BTreeMap<Fence, OpenAttempt>,
    /// How it has ended, if it has.
    pub ending: Option<Arc<Ending>>,
}

impl LiveState {
    /// How far that run is, as of that version.
    pub(super) fn look(&mut self, run: &Run, version: Version) {
        self.version = version;
        (self.done, self.total) = run.progress();
        self.wakes_at = if self.attempts.is_empty() { run.wakes_at() } else { None };
        self.ending = Ending::of(run).map(Arc::new);
    }

    /// Whether attempts are made for it.
    pub fn is_at_work(&self) -> bool {
        !self.attempts.is_empty()
    }
}

/// An attempt that an agent is making.
#[derive(Debug, Clone)]
pub struct OpenAttempt {
    /// The event with which it started.
    pub started: Arc<AttemptStarted>,
    /// The agent's definition, if the run has one recorded.
    pub definition: Option<BlobRef>,
    /// Whether nothing can undo what it does: then its outcome is awaited, whoever wants to go.
    pub irreversible: bool,
    /// The time since which this process makes it, by the steady clock.
    pub since: Timestamp,
    /// The progress that it reports: how far it says that it is.
    pub progress: watch::Receiver<Progress>,
}
