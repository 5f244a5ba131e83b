//! Letting runs go on, and seeing them through.

use std::collections::HashSet;
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Facade, Frames, view_problem};
use crate::actors::hosting::waker::Rested;
use crate::actors::pages::page;
use crate::actors::runs::live_state::LiveState;
use crate::aggregates::run::{Run, RunStatus};
use crate::api::protocol::{Frame, Live, LiveAttempt, Tells, Told};
use crate::events::ids::{Position, RunId, Version};
use crate::events::problem::{Code, Problem};
use crate::events::run::Purpose;
use crate::kernel::{Aggregate, Now};
use crate::views::presenters::report::RunReport;
use crate::views::presenters::rollback::is_owed;
use crate::views::projections::runs::RunFilter;

/// How often progress is sent at most: as often as an eye can follow.
const LIVE_EVERY: Duration = Duration::from_millis(100);

/// How long a run may be driven by nobody, if somebody takes it over from a process that ended.
const TAKEN_OVER: Duration = Duration::from_millis(300);

impl Facade {
    /// Lets a run go on and answers with it when it has ended, or when it rests until somebody acts.
    pub(super) async fn see(
        &self,
        run: &RunId,
        live: Option<&Frames>,
        told: Option<(Told, Tells, &Frames)>,
    ) -> Result<RunReport, Problem> {
        let _viewer = Viewer::of(&self.viewers, run);
        let mut teller = match told {
            Some((from, tells, frames)) => Some(self.teller(run, (from, tells), frames).await?),
            None => None,
        };
        let mut has_asked = false;
        loop {
            let settle = self.settle(run, live);
            match &mut teller {
                Some(teller) => {
                    let settled = teller.meanwhile(settle).await;
                    teller.tell().await;
                    settled?;
                }
                None => settle.await?,
            }
            let driven = self.drives(run);
            let (state, head) = self.system.fold(run).await?;
            if !std::mem::replace(&mut has_asked, true) && state.open_children().any(|(_, rests)| rests) {
                // That one of them goes on may not have been told before it was asked just now.
                self.system.hosting().book().all_delivered().await;
                continue;
            }
            if state.attention().is_at_rest() {
                self.keep_page(run, &state, head.version);
            }
            let report = self.report_of(run, &state, head.version, driven).await?;
            // Otherwise it came alive again before it could be looked at: somebody retried it, or lets it go on.
            if state.attention().is_at_rest() || report.status == RunStatus::Waiting {
                return Ok(report);
            }
        }
    }

    /// Whoever recorded the end may have gone before it was written down what a person must undo by hand.
    fn keep_page(&self, run: &RunId, state: &Run, version: Version) {
        let Some(pages) = self.pages() else { return };
        if is_owed(state) && !page::is_there(&pages.folder, run) {
            page::keep(&pages, state, version);
        }
    }

    async fn settle(&self, run: &RunId, live: Option<&Frames>) -> Result<(), Problem> {
        self.system.live().ready().await?;
        self.system.drive(run).await;
        let ended = self.system.ended(run);
        tokio::pin!(ended);
        let show = async {
            match live {
                Some(frames) => self.show(run, frames).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = &mut ended => ended.map(drop),
            () = show => ended.await.map(drop),
        }
    }

    /// Sends how far the run is, as it changes.
    async fn show(&self, run: &RunId, frames: &Frames) {
        let mut live_state = self.system.live_state(run);
        let mut shown = None;
        loop {
            let live = live(&live_state.borrow(), self.system.clock().now());
            if shown.as_ref() != Some(&live) {
                shown = Some(live.clone());
                if frames.send(Frame::Live(live)).await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(LIVE_EVERY).await;
            if live_state.has_changed().is_err() {
                // Its host was put away.
                live_state = self.system.live_state(run);
            }
        }
    }

    /// Stops a run that somebody saw through who does not any more, unless somebody else does.
    pub async fn interrupt(&self, run: &RunId) {
        if !self.viewers.contains_key(run) && !self.system.drives_all() {
            self.system.interrupt(run, |child| self.viewers.contains_key(child)).await;
        }
    }

    /// Sends a run whenever it changes. Answers with it when it rests, or when nobody drives it.
    pub(super) async fn watch(&self, run: &str, inputs: bool, frames: &Frames) -> Result<RunReport, Problem> {
        let run = self.resolve(run).await?;
        let mut committed = self.system.store().committed();
        let (mut shown, mut left) = (None, Left::default());
        loop {
            committed.mark_unchanged();
            let driven = self.drives(&run);
            let (state, head) = self.system.fold(&run).await?;
            let report = self.report_of(&run, &state, head.version, driven).await?;
            let may_go_on = driven || self.may_be_driven_elsewhere();
            if state.attention().is_at_rest()
                || report.status == RunStatus::Waiting
                || left.is_for_good(may_go_on)
            {
                return self.with_inputs(report, inputs).await;
            }
            let far = report.steps.iter().filter_map(|step| step.progress.clone()).collect::<Vec<_>>();
            let now = Some((report.version, report.driven, far));
            if shown != now {
                shown = now;
                let report = self.with_inputs(report, inputs).await?;
                if frames.send(Frame::Report(Box::new(report))).await.is_err() {
                    return Err(Problem::new(Code::ShuttingDown, "nobody listens any more"));
                }
            }
            self.until_changed(&mut committed, may_go_on).await?;
        }
    }

    /// Ends when something was recorded, and after a while anyway: that somebody drives a run, or does not, is no event. Soon
    /// where nobody does.
    ///
    /// # Errors
    /// [`Code::ShuttingDown`] when nothing is recorded here any more: what is, is read anew.
    pub(super) async fn until_changed(
        &self,
        committed: &mut watch::Receiver<Position>,
        driven: bool,
    ) -> Result<(), Problem> {
        tokio::time::sleep(LIVE_EVERY).await;
        let patience = if driven { 10 * LIVE_EVERY } else { Duration::ZERO };
        let changed = tokio::time::timeout(patience, committed.changed()).await;
        if self.original.as_ref().is_some_and(|original| original.has_changed()) {
            return Err(Problem::new(Code::ShuttingDown, "the copy of the store is out of date"));
        }
        match changed {
            Ok(Err(_)) => Err(Problem::new(Code::ShuttingDown, "the process is ending")),
            _ => Ok(()),
        }
    }

    /// Lets every run go on that could and that nobody drives, a few at a time, and sends each when it has ended or rests;
    /// last those that waited for people all the while.
    ///
    /// # Errors
    /// When the runs cannot be listed.
    pub(super) async fn see_all(&self, frames: &Frames) -> Result<(), Problem> {
        let mut told = HashSet::new();
        let mut rested = self.system.drive_all();
        while let Some(Rested { stream, how }) = rested.recv().await.transpose()? {
            let Some(run) = stream.run() else { continue };
            let is_waiting = how.as_ref().is_ok_and(|status| *status == RunStatus::Waiting.text());
            let report = match how {
                Ok(_) => self.rested(&run).await,
                Err(problem) => Err(problem),
            };
            // Without a listener the runs go on all the same.
            let _ = frames.send(frame_of(&run, report)).await;
            if is_waiting {
                told.insert(run);
            }
        }
        let waiting = RunFilter { status: Some(RunStatus::Waiting), ..RunFilter::default() };
        let mut after = None;
        loop {
            let page = self.system.runs().rows(&waiting, after.as_deref()).await;
            let page = page.map_err(|error| view_problem(&error))?;
            for row in page.rows.into_iter().filter(|row| !told.contains(&row.run)) {
                let _ = frames.send(frame_of(&row.run, self.report(&row.run).await)).await;
            }
            let Some(next) = page.next else { return Ok(()) };
            after = Some(next);
        }
    }

    /// The report of a run that came to rest.
    async fn rested(&self, run: &RunId) -> Result<RunReport, Problem> {
        let driven = self.drives(run);
        let (state, head) = self.system.fold(run).await?;
        self.keep_page(run, &state, head.version);
        self.report_of(run, &state, head.version, driven).await
    }
}

/// Since when nobody drives a run that does not rest.
#[derive(Default)]
pub(super) struct Left(Option<Instant>);

impl Left {
    /// Whether nobody takes it over, going by how long nobody has: who does comes at once.
    pub(super) fn is_for_good(&mut self, driven: bool) -> bool {
        if driven {
            self.0 = None;
            return false;
        }
        self.0.get_or_insert_with(Instant::now).elapsed() >= TAKEN_OVER
    }
}

fn frame_of(run: &RunId, report: Result<RunReport, Problem>) -> Frame {
    let parked = |error| Frame::Parked { run: run.clone(), error };
    report.map_or_else(parked, |report| Frame::Report(Box::new(report)))
}

/// Counts who sees a run through, for as long as it lives.
pub(super) struct Viewer<'a> {
    viewers: &'a DashMap<RunId, usize>,
    run: RunId,
}

impl<'a> Viewer<'a> {
    pub(super) fn of(viewers: &'a DashMap<RunId, usize>, run: &RunId) -> Self {
        *viewers.entry(run.clone()).or_default() += 1;
        Self { viewers, run: run.clone() }
    }
}

impl Drop for Viewer<'_> {
    fn drop(&mut self) {
        if let dashmap::Entry::Occupied(mut entry) = self.viewers.entry(self.run.clone()) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

/// What is shown of a run. Whoever shows it knows the wall clock only, and may be another process.
fn live(live_state: &LiveState, now: Now) -> Live {
    let running = live_state.attempts.iter().map(|(fence, attempt)| {
        let progress = attempt.progress.borrow();
        LiveAttempt {
            fence: *fence,
            step: attempt.started.step.clone(),
            agent: attempt.started.agent.clone(),
            attempt: attempt.started.attempt,
            undoes: attempt.started.purpose == Purpose::Compensate,
            since: now.by_the_wall(attempt.since),
            percent: progress.percent,
            text: progress.text.clone(),
        }
    });
    Live {
        done: live_state.done,
        total: live_state.total,
        wakes_at: live_state.wakes_at.map(|at| now.by_the_wall(at)),
        running: running.collect(),
    }
}
