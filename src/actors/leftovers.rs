//! What attempts of a process that is gone may have left running.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};

use super::agent::EndLeftover;
use super::communicator::Communicator;
use crate::aggregates::run::{Run, RunEffect};
use crate::events::ids::{Fence, RunId};
use crate::events::run::AttemptStarted;
use crate::kernel::Aggregate;

/// Attempts that another process started and did not end. What they left running is ended before they are recorded as
/// lost: then nothing that follows, no other attempt, no compensation and no end of the run, comes beside it, whoever
/// dies meanwhile.
#[derive(Default)]
pub(super) struct Leftovers(Vec<Arc<AttemptStarted>>);

impl Leftovers {
    /// The open attempts that are not this process's.
    pub(super) fn of(state: &Run, is_ours: impl Fn(Fence) -> bool) -> Self {
        let attempts = state.open().into_iter().filter_map(|effect| match effect {
            RunEffect::Attempt(started) => Some(started),
            _ => None,
        });
        Self(attempts.filter(|started| !is_ours(started.fence)).collect())
    }

    /// Ends them all, once: none if there are none.
    pub(super) fn end(
        &mut self,
        run: &RunId,
        state: &Run,
        communicator: &Arc<Communicator>,
    ) -> Option<BoxFuture<'static, ()>> {
        if self.0.is_empty() {
            return None;
        }
        let ending = std::mem::take(&mut self.0).into_iter().map(|attempt| {
            let leftover = EndLeftover { run: run.clone(), step: attempt.step.clone() };
            communicator.end_leftover(&attempt.agent, state.agent(&attempt.agent), leftover)
        });
        Some(join_all(ending).map(drop).boxed())
    }
}
