//! What programs say, for who follows them: as it comes, and what is kept of it in the events where there is no log.

use std::time::Duration;

use super::transcript::no_attempt;
use super::{Facade, Frames};
use crate::actors::system::System;
use crate::api::folder::RUNS;
use crate::api::protocol::{Frame, HistoryLine, Wants, Which};
use crate::events::ids::{RunId, StreamId, Version};
use crate::events::problem::Problem;
use crate::events::run::{Purpose, RunEvent};
use crate::executors::logs;
use crate::executors::logs::live::Hearing;
use crate::kernel::Aggregate;
use crate::views::presenters::transcript::Attempts;

/// How many events are read at once.
const PAGE: usize = 1_024;

/// How often it is looked whether a run is driven still.
const REST_LOOK: Duration = Duration::from_millis(100);

/// Brings what programs of a run say to who sees it through.
pub(super) struct Listener<'a> {
    hearing: Hearing,
    frames: &'a Frames,
}

impl<'a> Listener<'a> {
    /// Listens from now on: to one run and its children, or to all.
    pub(super) fn of(system: &System, run: Option<&RunId>, wants: Wants, frames: &'a Frames) -> Self {
        Self { hearing: system.logs().listen(run.cloned(), wants), frames }
    }

    /// Brings what is said while something else is waited for, all of it, if somebody listens.
    pub(super) async fn meanwhile<T>(listener: Option<Self>, other: impl Future<Output = T>) -> T {
        let Some(mut listener) = listener else { return other.await };
        tokio::pin!(other);
        loop {
            let next = async {
                // First the place, so that nothing is lost that was heard when this is dropped.
                let place = listener.frames.reserve().await;
                (place, listener.hearing.next().await)
            };
            tokio::select! {
                done = &mut other => {
                    while let Some(heard) = listener.hearing.try_next() {
                        if listener.frames.send(Frame::Heard(Box::new(heard))).await.is_err() {
                            break;
                        }
                    }
                    return done;
                }
                (place, heard) = next => match place {
                    Ok(place) => place.send(Frame::Heard(Box::new(heard))),
                    Err(_) => {
                        // Nobody is there any more, and nobody has to wait for him.
                        drop(listener);
                        return other.await;
                    }
                },
            }
        }
    }
}

impl Facade {
    /// Sends what was said in attempts of which no log is kept, and which children were started; answers which run that is. What cannot be read of a damaged
    /// store is left out: the logs are there all the same.
    pub(super) async fn unkept(&self, run: &str, which: &Which, frames: &Frames) -> Result<RunId, Problem> {
        let run = self.resolve(run).await?;
        if let Some(step) = &which.step {
            self.has_step(&run, step).await?;
        }
        let runs = self.data().map(|data| data.join(RUNS));
        let (stream, mut after, mut attempts) = (StreamId::of_run(&run), Version(0), Attempts::default());
        let mut last = 0;
        loop {
            let Ok(page) = self.system.store().read_stream(&stream, after, PAGE).await else { break };
            let Some(newest) = page.last() else { break };
            after = newest.version;
            for recorded in &page {
                let Ok(event) = recorded.decode::<RunEvent>() else { continue };
                if let RunEvent::AttemptStarted(started) = &event
                    && Some(&started.step) == which.step.as_ref()
                    && which.purpose.is_none_or(|purpose| purpose == started.purpose)
                {
                    last = last.max(started.attempt);
                }
                if let RunEvent::ChildStarted(child) = &event
                    && which.step.as_ref().is_none_or(|step| *step == child.step)
                    && frames.send(Frame::Event(Box::new(HistoryLine::of(recorded)))).await.is_err()
                {
                    return Ok(run);
                }
                let Some(finished) = attempts.see(event, recorded.header.recorded_at) else { continue };
                let (step, purpose, attempt) = finished.key();
                let is_kept = |runs| logs::is_kept(runs, &run, &step, purpose, attempt);
                if !which.means(&step, purpose, attempt) || runs.as_deref().is_some_and(is_kept) {
                    continue;
                }
                let Ok(report) = finished.report(run.clone(), &**self.system.library()) else { continue };
                let wrote = [&report.stdout, &report.stdout_base64, &report.stderr, &report.stderr_base64];
                let said_something = wrote.into_iter().flatten().any(|text| !text.is_empty());
                if said_something && frames.send(Frame::Attempt(Box::new(report))).await.is_err() {
                    return Ok(run);
                }
            }
        }
        match (&which.step, which.attempt) {
            (Some(step), Some(attempt)) if attempt == 0 || attempt > last => {
                Err(no_attempt(&run, step, which.purpose.unwrap_or(Purpose::Do), Some(attempt), last))
            }
            _ => Ok(run),
        }
    }

    /// Ends when nothing of a run goes on by itself any more: it has ended, it waits for somebody, or nobody drives it.
    pub(super) async fn rest(&self, run: &RunId) -> Result<(), Problem> {
        self.newest(&StreamId::of_run(run)).await?;
        let mut committed = self.system.store().committed();
        loop {
            let is_driven = self.system.is_driven(run);
            if !is_driven && !self.system.drives_all() {
                let rests = self.system.fold(run).await?.0.attention().is_at_rest();
                if rests || !self.may_be_driven_elsewhere() {
                    return Ok(());
                }
                self.until_changed(&mut committed, true).await?;
                continue;
            }
            // Whatever ends it, it rests.
            if let Ok(_rests) = tokio::time::timeout(REST_LOOK, self.system.ended(run)).await {
                return Ok(());
            }
        }
    }
}
