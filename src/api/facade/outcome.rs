//! Letting a run go on, and telling its outcome.

use super::Facade;
use super::see::Viewer;
use crate::events::ids::{RunId, StreamId};
use crate::events::problem::{Code, Problem};
use crate::views::presenters::outcome::Outcome;

impl Facade {
    /// Lets a run go on, and answers what came of it when it has ended, or when it rests until somebody acts.
    pub(super) async fn outcome(&self, run: &RunId) -> Result<Outcome, Problem> {
        let _viewer = Viewer::of(&self.viewers, run);
        if !self.system.is_driven(run) {
            // A run that is not there would be waited for until it is.
            self.newest(&StreamId::of_run(run)).await?;
            self.system.drive(run).await;
        }
        let live_state = self.system.live_state(run);
        let ended = self.system.ended(run).await?;
        // Another host may have gone on with it meanwhile: what this one saw counts as of the same version only.
        let ending = {
            let seen = live_state.borrow();
            seen.ending.clone().filter(|_| seen.version == ended.version)
        };
        if let Some(ending) = ending {
            let outcome = ending.read(&**self.system.library()).map_err(|unreadable| unreadable.problem())?;
            return outcome.ok_or_else(|| Problem::new(Code::Internal, "a run has ended in no way"));
        }
        loop {
            // One that came alive again meanwhile is seen through once more.
            if let Some(outcome) = Outcome::of(self.see(run, None, None).await?) {
                return Ok(outcome);
            }
        }
    }
}
