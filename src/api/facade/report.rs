//! One run, as people and programs see it.

use std::path::Path;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{Facade, unknown_run};
use crate::actors::pages::page;
use crate::aggregates::run::{Run, RunStatus};
use crate::events::ids::{RequestId, RunId, Version};
use crate::events::problem::Problem;
use crate::executors::Progress;
use crate::kernel::Aggregate;
use crate::views::presenters::report::{ChildReport, RunReport, StepProgress, Waiting, report};
use crate::views::presenters::rollback::is_owed;

impl Facade {
    pub(super) async fn report(&self, run: &RunId) -> Result<RunReport, Problem> {
        let driven = self.drives(run);
        let (state, head) = self.system.fold(run).await?;
        let mut report = self.report_of(run, &state, head.version, driven).await?;
        if let Some(about) = state.about() {
            self.tell_of_changed_files(about, &mut report).await;
        }
        Ok(report)
    }

    /// Whether a run goes on by itself here. Asked before the run is folded: who drives it may come to its end meanwhile, and
    /// then it does not look as if nobody had.
    pub(super) fn drives(&self, run: &RunId) -> bool {
        self.system.is_driven(run) || self.system.drives_all()
    }

    /// The report of a run that is in that state; `driven` says whether it was driven before it was seen to be.
    pub(super) async fn report_of(
        &self,
        run: &RunId,
        state: &Run,
        version: Version,
        driven: bool,
    ) -> Result<RunReport, Problem> {
        let Some(about) = state.about() else { return Err(unknown_run(run.as_str())) };
        let driven = driven && (self.system.is_driven(run) || !state.attention().is_at_rest());
        let (now, library) = (self.system.clock().now().steady, &**self.system.library());
        let report = report(state, about, version, driven, now, library);
        let mut report = report.map_err(|unreadable| unreadable.problem())?;
        if let Some(pages) = self.pages() {
            name_pages(&mut report, state, &pages.folder);
        }
        if driven && report.steps.iter().any(|step| is_tried(&step.status)) {
            self.tell_how_far_steps_are(&mut report);
        }
        if !driven {
            self.look_at_children(state, &mut report).await?;
        }
        self.tell_how_children_are(&mut report).await;
        self.tell_of_failure(run, state, version, &mut report).await?;
        if report.interrupted == Some(true) && self.may_be_driven_elsewhere() {
            (report.driven, report.interrupted) = (None, None);
        }
        Ok(report)
    }

    /// What attempts that are made here say of themselves.
    fn tell_how_far_steps_are(&self, report: &mut RunReport) {
        let live_state = self.system.live_state(&report.run);
        for attempt in live_state.borrow().attempts.values() {
            let Progress { percent, text } = attempt.progress.borrow().clone();
            let step = report.steps.iter_mut().find(|step| step.id == attempt.started.step);
            if let Some(step) = step.filter(|_| percent > 0 || !text.is_empty()) {
                step.progress = Some(StepProgress { percent, text });
            }
        }
    }

    /// A run may not have been told that its children rest, if the process ended before, or an older version recorded it.
    async fn look_at_children(&self, state: &Run, report: &mut RunReport) -> Result<(), Problem> {
        if !self.children_rest(state).await? {
            return Ok(());
        }
        report.status = RunStatus::Waiting;
        (report.driven, report.interrupted, report.ready) = (Some(true), Some(false), false);
        for (run, rests) in state.open_children() {
            let step = report.steps.iter_mut().find(|step| step.child.as_ref() == Some(run));
            if let Some(step) = step.filter(|_| !rests) {
                step.status = RunStatus::Waiting.text().to_owned();
                report.waiting_for.push(Waiting::for_child(run, &step.id, step.started_at));
            }
        }
        Ok(())
    }

    /// Whether nothing of a run goes on but children, and all of them rest. Children are as deep as workflows name each
    /// other, which they never do in a circle.
    fn children_rest<'a>(&'a self, state: &'a Run) -> BoxFuture<'a, Result<bool, Problem>> {
        async move {
            if !state.awaits_children_only() {
                return Ok(false);
            }
            for (child, _) in state.open_children().filter(|(_, rests)| !rests) {
                let (state, _) = self.system.fold(child).await?;
                let rests = !state.status().has_ended() && state.attention().is_at_rest();
                if !rests && !self.children_rest(&state).await? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        .boxed()
    }

    /// A child may have gone on since its parent was told how it had ended: it was undone, or somebody settled it.
    async fn tell_how_children_are(&self, report: &mut RunReport) {
        let told = |child: &&ChildReport| child.status.is_some();
        let runs: Vec<RunId> = report.children.iter().filter(told).map(|child| child.run.clone()).collect();
        if runs.is_empty() {
            return;
        }
        // What cannot be asked now is told as it was told last.
        let Ok(statuses) = self.system.runs().statuses(&runs).await else { return };
        for child in &mut report.children {
            if let Some(status) = statuses.get(&child.run) {
                child.status = Some(status.text().to_owned());
            }
        }
    }
}

/// Whether an attempt may be made at a step with that status.
fn is_tried(status: &str) -> bool {
    matches!(status, "running" | "compensating")
}

/// Names the pages that people read about a run.
fn name_pages(report: &mut RunReport, state: &Run, runs: &Path) {
    let run = report.run.clone();
    if is_owed(state) && page::is_there(runs, &run) {
        report.rollback_file = Some(page::path(runs, &run).display().to_string());
    }
    for waiting in &mut report.waiting_for {
        let request = RequestId::named(&waiting.id);
        if let Some(approval) = &mut waiting.approval {
            approval.file = Some(page::of_request(runs, &run, &request).display().to_string());
        }
    }
}
