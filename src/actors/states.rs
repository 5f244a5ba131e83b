//! Where runs are that have not ended, for the list of them: what is in memory tells at once, of all others the store.

use std::sync::Arc;

use async_trait::async_trait;

use super::communicator::Communicator;
use super::load::load;
use crate::aggregates::run::{Run, RunStatus};
use crate::events::ids::{RunId, StreamId, Version};
use crate::events::problem::Problem;
use crate::views::runs::due::{Next, State, States};

/// Asks the hosts of runs, and folds those that have none.
pub(super) struct LiveStates(pub(super) Arc<Communicator>);

#[async_trait]
impl States for LiveStates {
    async fn state(&self, run: &RunId, at_least: Version) -> Result<State, Problem> {
        if let Some(seen) =
            self.0.glance(run).filter(|seen| seen.version >= at_least && seen.parked.is_none())
            && let Some(status) = seen.status.filter(|status: &RunStatus| !status.has_ended())
        {
            // That it waits for a child that rests is not its own fold's to say.
            let waits_for_child = status == RunStatus::Waiting && seen.next == Next::Now;
            let status = if waits_for_child { RunStatus::Running } else { status };
            return Ok(State { version: seen.version, status, next: seen.next, ended_at: None });
        }
        let (state, head) = load::<Run>(&*self.0.host().store, &StreamId::of_run(run)).await?;
        Ok(State::of(&state, head.version))
    }
}
