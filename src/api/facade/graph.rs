//! The picture of a run.

use super::{Facade, unknown_run};
use crate::events::problem::Problem;
use crate::kernel::Blobs;
use crate::views::presenters::graph::Graph;
use crate::workflow::definition::Definition;

impl Facade {
    /// The picture of a run, with where each of its steps is.
    pub(super) async fn graph(&self, run: &str) -> Result<Graph, Problem> {
        let run = self.resolve(run).await?;
        let (state, _) = self.system.fold(&run).await?;
        let blobs: &dyn Blobs = &**self.system.library();
        let recorded = state.about().map(|about| about.started.definition.hash);
        let definition = recorded.and_then(|hash| blobs.value::<Definition>(&hash).ok());
        Graph::of_run(&state, definition.as_deref()).ok_or_else(|| unknown_run(run.as_str()))
    }
}
