//! The ways on which attempts are given messages while they go on. They outlive the hosts of their runs, as the attempts do.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::events::ids::{Fence, MessageNumber, RunId};
use crate::executors::messages::{Incoming, Unread};

/// A way to each attempt that is being made. What is on its way is bounded by what an attempt is given at a time.
#[derive(Default)]
pub(super) struct Conversations(Mutex<Ways>);

type Ways = HashMap<(RunId, Fence), Way>;

/// A way to an attempt.
struct Way {
    to: mpsc::UnboundedSender<Unread>,
    /// What has gone there: who takes a run over is told of all that is open, and an attempt is given nothing twice.
    given: HashSet<MessageNumber>,
}

impl Conversations {
    /// An attempt begins.
    pub(super) fn begin(&self, run: &RunId, fence: Fence) -> Incoming {
        let (to, messages) = mpsc::unbounded_channel();
        self.ways().insert((run.clone(), fence), Way { to, given: HashSet::new() });
        Incoming::from_channel(messages)
    }

    /// Gives a message to an attempt; to none where that is not being made here.
    pub(super) fn give(&self, run: &RunId, fence: Fence, number: MessageNumber, message: Unread) {
        if let Some(way) = self.ways().get_mut(&(run.clone(), fence))
            && way.given.insert(number)
        {
            // Who has ended reads nothing: the message waits again.
            let _ = way.to.send(message);
        }
    }

    /// An attempt is over.
    pub(super) fn end(&self, run: &RunId, fence: Fence) {
        self.ways().remove(&(run.clone(), fence));
    }

    fn ways(&self) -> MutexGuard<'_, Ways> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
