//! What happened to a run, and the run as it was.

use super::{Facade, Frames, unknown};
use crate::actors::host::read_problem;
use crate::api::protocol::{Answer, Frame, HistoryLine, State};
use crate::events::commit::Recorded;
use crate::events::ids::{RunId, StreamId, Version};
use crate::events::problem::Problem;
use crate::store::ReadError;
use crate::views::presenters::report::{effects, report};

/// How many events are read at once.
const HISTORY_PAGE: usize = 1_024;

impl Facade {
    pub(super) async fn history(
        &self,
        run: &str,
        from: Option<Version>,
        to: Option<Version>,
        frames: &Frames,
    ) -> Result<Answer, Problem> {
        let run = self.resolve(run).await?;
        let stream = StreamId::of_run(&run);
        let mut after = Version(from.map_or(0, |from| from.0.saturating_sub(1)));
        let mut at_once = HISTORY_PAGE;
        loop {
            let page = match self.system.store().read_stream(&stream, after, at_once).await {
                // What stands before what is damaged is shown all the same.
                Err(ReadError::Damaged { .. }) if at_once > 1 => {
                    at_once = 1;
                    continue;
                }
                page => page.map_err(|error| read_problem(&error))?,
            };
            let Some(last) = page.last() else { return Ok(Answer::Done) };
            after = last.version;
            for recorded in &page {
                if to.is_some_and(|to| recorded.version > to) {
                    return Ok(Answer::Done);
                }
                if frames.send(Frame::Event(Box::new(HistoryLine::of(recorded)))).await.is_err() {
                    return Ok(Answer::Done);
                }
            }
        }
    }

    /// A run as it was right after one of its events; none means the newest.
    pub(super) async fn state_at(&self, run: &str, at: Option<Version>) -> Result<State, Problem> {
        let run = self.resolve(run).await?;
        let newest = self.newest(&run).await?;
        let at = at.unwrap_or(newest);
        let (state, _) = self.system.fold_at(&run, at).await?;
        let event = self.event(&run, at).await?;
        let Some(about) = state.about() else { return Err(unknown(run.as_str())) };
        // What was needs nobody to drive it.
        let driven = at < newest || self.system.is_driven(&run);
        let now = if at < newest { event.header.recorded_at } else { self.system.clock().now() };
        let library = &**self.system.library();
        let mut report = report(&state, about, at, driven, now, library).map_err(|error| error.problem())?;
        report.effects = Some(effects(&state));
        Ok(State { report, event: HistoryLine::of(&event), newest })
    }

    pub(super) async fn newest(&self, run: &RunId) -> Result<Version, Problem> {
        let head = self.system.store().head(&StreamId::of_run(run)).await;
        let head = head.map_err(|error| read_problem(&error))?;
        head.map(|head| head.version).ok_or_else(|| unknown(run.as_str()))
    }

    async fn event(&self, run: &RunId, at: Version) -> Result<Recorded, Problem> {
        let (stream, before) = (StreamId::of_run(run), Version(at.0.saturating_sub(1)));
        let page = self.system.store().read_stream(&stream, before, 1).await;
        let page = page.map_err(|error| read_problem(&error))?;
        page.into_iter().next().ok_or_else(|| unknown(run.as_str()))
    }
}
