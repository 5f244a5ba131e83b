//! One run, in the hands of a program.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::mpsc;

use super::events::Events;
use super::link::Link;
use crate::aggregates::run::Order;
use crate::api::new_command_id;
use crate::api::protocol::{Control, Frame, Planned, Recorded, Request, Response, Shown, WhichEvents};
use crate::events::ids::{RunId, StepId, StreamId, Version};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::events::run::{Purpose, Resolution};
use crate::views::presenters::history::HistoryLine;
use crate::views::presenters::outcome::Outcome;
use crate::views::presenters::report::RunReport;
use crate::views::presenters::transcript::AttemptReport;
use crate::workflow::approval::Edits;

/// How many lines of a page are on their way at once.
const LINES: usize = 256;

/// One run. Handles are cheap: a program may have many of one run, and drop them. A handle does not keep its engine alive.
///
/// Whatever is asked of a run that is not there is answered with [`Code::UnknownRun`]; of an engine that ends, with
/// [`Code::ShuttingDown`], and nothing is lost.
#[derive(Clone)]
pub struct RunHandle {
    link: Link,
    run: RunId,
    by: Arc<str>,
    reason: Option<String>,
}

/// How a request for an approval is granted.
#[derive(Debug, Clone, Default)]
pub struct Approval {
    /// What there is to say about it.
    pub note: Option<String>,
    /// What of the step's arguments, or of its output, is changed: [`Edits::from_arguments`] makes it of texts such as
    /// `to=production`.
    pub edits: Option<Edits>,
    /// The beginning of the hash of what was looked at, 8 or more digits: nothing else is granted.
    pub hash: Option<String>,
}

impl RunHandle {
    pub(super) fn new(link: Link, run: RunId, by: Arc<str>) -> Self {
        Self { link, run, by, reason: None }
    }

    /// The id of the run.
    pub fn id(&self) -> &RunId {
        &self.run
    }

    /// The same run, asked in that name.
    #[must_use]
    pub fn by(mut self, name: &str) -> Self {
        self.by = name.into();
        self
    }

    /// The same run, asked for that reason, which is recorded.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Ends when the run has, or when it rests until somebody acts: an outcome is no error, whatever it is. Dropping the
    /// future changes nothing. While the run rests it answers at once, each time: whoever waits for others to act follows
    /// [`RunHandle::events`].
    ///
    /// # Errors
    /// When the run cannot go on: [`Code::RunParked`].
    pub async fn outcome(&self) -> Result<Outcome, Problem> {
        match self.link.ask(Request::Outcome { run: self.run.clone() }, None).await? {
            Response::Outcome(outcome) => Ok(*outcome),
            other => Err(other.mismatch()),
        }
    }

    /// The run as it is now: what `reenact status --json` prints.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn status(&self) -> Result<RunReport, Problem> {
        match self.link.ask(Request::Report { run: self.name() }, None).await? {
            Response::Report(report) => Ok(*report),
            other => Err(other.mismatch()),
        }
    }

    /// A page of its events: as many as `limit` after that version, in order. An empty page is the end.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn history(&self, after: Version, limit: u32) -> Result<Vec<HistoryLine>, Problem> {
        let (from, to) = (after.0.saturating_add(1), after.0.saturating_add(u64::from(limit)));
        if to < from {
            return Ok(Vec::new());
        }
        let which =
            WhichEvents { from: Some(Version(from)), to: Some(Version(to)), ..WhichEvents::default() };
        let request = Request::History { run: self.name(), which };
        let (sender, mut frames) = mpsc::channel(LINES);
        let asking = self.link.ask(request, Some(sender));
        let reading = async {
            let mut lines = Vec::new();
            while let Some(frame) = frames.recv().await {
                if let Frame::Event(line) = frame {
                    lines.push(*line);
                }
            }
            lines
        };
        let (answer, lines) = tokio::join!(asking, reading);
        answer.map(|_| lines)
    }

    /// Its events: those that are durable, then each as it becomes so.
    pub fn events(&self) -> Events {
        self.events_after(Version(0))
    }

    /// Its events after a version.
    pub fn events_after(&self, version: Version) -> Events {
        Events::new(self.link.clone(), self.run.clone(), version)
    }

    /// How it was right after one of its events, and what it would have done next.
    ///
    /// # Errors
    /// [`Code::NoSuchVersion`].
    pub async fn replay(&self, at: Version) -> Result<RunReport, Problem> {
        match self.link.ask(Request::StateAt { run: self.name(), at: Some(at) }, None).await? {
            Response::State(state) => match state.shown {
                Shown::Run(report) => Ok(*report),
                Shown::Stream(_) => Err(Problem::new(Code::Internal, "a run is shown as another stream")),
            },
            other => Err(other.mismatch()),
        }
    }

    /// What was said during an attempt at doing a step; without a number, the last.
    ///
    /// # Errors
    /// [`Code::NoSuchStep`], [`Code::NoSuchAttempt`].
    pub async fn transcript(&self, step: &str, attempt: Option<u32>) -> Result<AttemptReport, Problem> {
        let (run, step, purpose) = (self.name(), StepId::grown(step), Purpose::Do);
        match self.link.ask(Request::Transcript { run, step, purpose, attempt }, None).await? {
            Response::Transcript(said) => Ok(*said),
            other => Err(other.mismatch()),
        }
    }

    /// What [`RunHandle::rollback`] would do, and what cannot be undone. Nothing is recorded.
    ///
    /// # Errors
    /// Why it cannot be rolled back.
    pub async fn rollback_plan(&self, to: Option<&str>) -> Result<Planned, Problem> {
        let request = Request::Plan { run: self.name(), to: to.map(Arc::from) };
        match self.link.ask(request, None).await? {
            Response::Planned(planned) => Ok(planned),
            other => Err(other.mismatch()),
        }
    }

    /// Lets what runs end, and starts nothing new.
    ///
    /// # Errors
    /// Why the run refuses. The same holds for whatever is wanted of it below.
    pub async fn pause(&self) -> Result<Recorded, Problem> {
        self.control(Control::Pause).await
    }

    /// Lets a paused run go on.
    pub async fn unpause(&self) -> Result<Recorded, Problem> {
        self.control(Control::Unpause).await
    }

    /// Lets it go on only until that step, or all steps of that phase, are done with; `next` is the first phase that is not.
    pub async fn pause_after(&self, step_or_phase: &str) -> Result<Recorded, Problem> {
        self.control(Control::PauseAfter { until: step_or_phase.into() }).await
    }

    /// Ends it; what runs of it is stopped, and what was done stays done.
    pub async fn cancel(&self) -> Result<Recorded, Problem> {
        self.control(Control::Cancel { rollback: false }).await
    }

    /// Ends it and undoes what was done.
    pub async fn cancel_with_rollback(&self) -> Result<Recorded, Problem> {
        self.control(Control::Cancel { rollback: true }).await
    }

    /// Tries again what failed: all of it, or one step or phase.
    pub async fn retry(&self, step: Option<&str>) -> Result<Recorded, Problem> {
        self.control(Control::Retry { step: step.map(Arc::from) }).await
    }

    /// Undoes what was done: all of it, or what came after a step or phase.
    pub async fn rollback(&self, to: Option<&str>) -> Result<Recorded, Problem> {
        self.control(Control::Rollback { to: to.map(Arc::from) }).await
    }

    /// Settles a compensation that failed for good. It needs a reason, as in `run.because("…").resolve(…)`:
    /// [`RunHandle::because`].
    pub async fn resolve(&self, step: &str, how: Resolution) -> Result<Recorded, Problem> {
        self.control(Control::Resolve { step: StepId::grown(step), how }).await
    }

    /// Sends a signal, whose data is the output of the step that waits for it or will.
    ///
    /// # Errors
    /// Also [`Code::NotJson`] for data that has no JSON form.
    pub async fn signal<T: Serialize + ?Sized>(&self, name: &str, data: &T) -> Result<Recorded, Problem> {
        let data = Json::of(data)
            .map_err(|error| Problem::new(Code::NotJson, format!("the signal's data: {error}")))?;
        self.control(Control::Signal { name: name.into(), data }).await
    }

    /// Grants what is asked: the id of the request or a beginning of it, or the step or the phase that waits for it.
    pub async fn approve(&self, request: &str) -> Result<Recorded, Problem> {
        self.approve_with(request, Approval::default()).await
    }

    /// The same, with a note, with changes, or of just what has that hash.
    pub async fn approve_with(&self, request: &str, approval: Approval) -> Result<Recorded, Problem> {
        let Approval { note, edits, hash } = approval;
        self.control(Control::Approve { request: request.to_owned(), note, edits, hash }).await
    }

    /// Ticks points of the checklist of a request, from 1.
    pub async fn check(&self, request: &str, points: Vec<u32>) -> Result<Recorded, Problem> {
        self.control(Control::Check { request: request.to_owned(), points }).await
    }

    /// Refuses what is asked, for that reason: its step fails.
    pub async fn reject(&self, request: &str, reason: impl Into<String>) -> Result<Recorded, Problem> {
        let handle = self.clone().because(reason);
        handle.control(Control::Reject { request: request.to_owned() }).await
    }

    async fn control(&self, control: Control) -> Result<Recorded, Problem> {
        let order = Order { by: Arc::clone(&self.by), reason: self.reason.clone() };
        let request = Request::Control { run: self.name(), control, order, id: Some(new_command_id()) };
        match self.link.ask(request, None).await? {
            Response::Recorded(recorded) => Ok(recorded),
            other => Err(other.mismatch()),
        }
    }

    /// The name of its stream: it stands for this run only, and for none whose id begins with the same.
    fn name(&self) -> String {
        StreamId::of_run(&self.run).to_string()
    }
}
