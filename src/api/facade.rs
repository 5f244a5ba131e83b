//! Answers what is asked, with an engine. Every way in, be it the command line in this process or the control
//! socket, calls this.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;

use super::protocol::{
    Answer, Frame, HistoryLine, Live, LiveAttempt, Request, StartSpec, VerifyProblem, VerifyReport,
};
use crate::actors::host::read_problem;
use crate::actors::load::prove;
use crate::actors::run::Glance;
use crate::actors::system::System;
use crate::events::commit::Recorded;
use crate::events::ids::{RunId, StreamId, Version};
use crate::events::json::{Blob, Json};
use crate::events::problem::{Code, Problem};
use crate::events::run::RunEvent;
use crate::store::verify::{FINDINGS_MAX, disk_bytes, verify};
use crate::views::report::{RunReport, report};
use crate::views::runs::{RunFilter, RunRow, ViewError};
use crate::workflow::definition::Definition;
use crate::workflow::run::{Run, StartRun};

/// How often progress is sent at most: as often as an eye can follow.
const LIVE_EVERY: Duration = Duration::from_millis(100);

/// How many runs are seen through at once: what bounds memory when many were interrupted.
const SEEN_AT_ONCE: usize = 64;

/// How many events are read at once.
const HISTORY_PAGE: usize = 1_024;

/// An engine that can be asked.
pub struct Facade {
    system: System,
    data: PathBuf,
    /// How many see each run through.
    viewers: DashMap<RunId, usize>,
}

/// Where frames go. Whoever asked may have gone: then frames are dropped, and what was asked for happens all the same.
pub type Frames = mpsc::Sender<Frame>;

impl Facade {
    /// Answers for that engine, whose store is in the folder `data`.
    pub fn new(system: System, data: PathBuf) -> Self {
        Self { system, data, viewers: DashMap::new() }
    }

    /// The engine.
    pub fn system(&self) -> &System {
        &self.system
    }

    /// Answers a request. [`Request::Interrupt`] is for who holds the connection to understand.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn answer(&self, request: Request, frames: &Frames) -> Result<Answer, Problem> {
        match request {
            Request::Begin { run, start, drive } => {
                let start = StartRun { drive, ..start_run(*start)? };
                self.system.begin(&run, start).await.map(Answer::Begun)
            }
            Request::See { run, live } => self.see(&run, live.then_some(frames)).await.map(Answer::of),
            Request::SeeAll => self.see_all(frames).await.map(|()| Answer::Done),
            Request::Interrupt | Request::Hello => Ok(Answer::Done),
            Request::Report { run } => {
                let run = self.resolve(&run).await?;
                self.report(&run).await.map(Answer::of)
            }
            Request::Watch { run } => self.watch(&run, frames).await.map(Answer::of),
            Request::List { filter } => self.list(&filter).await.map(Answer::Runs),
            Request::Interrupted => self.interrupted().await.map(Answer::Runs),
            Request::Resolve { run } => self.resolve(&run).await.map(Answer::Resolved),
            Request::History { run, from, to } => self.history(&run, from, to, frames).await,
            Request::Verify => self.verify().await.map(Answer::Verified),
        }
    }

    /// Lets a run go on and answers with it when it has ended.
    async fn see(&self, run: &RunId, live: Option<&Frames>) -> Result<RunReport, Problem> {
        let _viewer = Viewer::of(&self.viewers, run);
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
            ended = &mut ended => ended?,
            () = show => ended.await?,
        };
        self.report(run).await
    }

    /// Sends how far the run is, as it changes.
    async fn show(&self, run: &RunId, frames: &Frames) {
        let mut glance = self.system.watch(run);
        let mut shown = None;
        loop {
            let live = live(&glance.borrow());
            if shown.as_ref() != Some(&live) {
                shown = Some(live.clone());
                if frames.send(Frame::Live(live)).await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(LIVE_EVERY).await;
            if glance.has_changed().is_err() {
                // Its host was put away.
                glance = self.system.watch(run);
            }
        }
    }

    /// Stops a run that somebody saw through who does not any more, unless somebody else does.
    pub async fn interrupt(&self, run: &RunId) {
        if !self.viewers.contains_key(run) {
            self.system.interrupt(run).await;
        }
    }

    async fn report(&self, run: &RunId) -> Result<RunReport, Problem> {
        let (state, head) = self.system.fold(run).await?;
        let Some(about) = state.about() else { return Err(unknown(run.as_str())) };
        let driven = self.system.is_driven(run);
        let (now, library) = (self.system.clock().now(), &**self.system.library());
        report(&state, about, head.version, driven, now, library).map_err(|unreadable| unreadable.problem())
    }

    async fn watch(&self, run: &str, frames: &Frames) -> Result<RunReport, Problem> {
        let run = self.resolve(run).await?;
        let mut committed = self.system.store().committed();
        let mut shown = None;
        loop {
            committed.mark_unchanged();
            let report = self.report(&run).await?;
            let now = Some((report.version, report.driven));
            if report.ended_at.is_some() {
                return Ok(report);
            }
            if shown != now {
                shown = now;
                if frames.send(Frame::Report(Box::new(report))).await.is_err() {
                    return Err(Problem::new(Code::ShuttingDown, "nobody listens any more"));
                }
            }
            tokio::time::sleep(LIVE_EVERY).await;
            if let Ok(Err(_)) = tokio::time::timeout(10 * LIVE_EVERY, committed.changed()).await {
                return Err(Problem::new(Code::ShuttingDown, "the process is ending"));
            }
        }
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRow>, Problem> {
        self.system.runs().list(filter).await.map_err(|error| view_problem(&error))
    }

    async fn interrupted(&self) -> Result<Vec<RunRow>, Problem> {
        let filter = RunFilter { unfinished: true, ..RunFilter::default() };
        let rows = self.list(&filter).await?;
        Ok(rows.into_iter().filter(|row| !self.system.is_driven(&row.run)).collect())
    }

    async fn resolve(&self, text: &str) -> Result<RunId, Problem> {
        let found = self.system.runs().matching(text).await.map_err(|error| view_problem(&error))?;
        match found.as_slice() {
            [] => Err(unknown(text)),
            [run] => Ok(run.clone()),
            several => {
                let some: Vec<_> = several.iter().take(5).map(|run| format!("`{run}`")).collect();
                let more = if several.len() > some.len() { ", …" } else { "" };
                let message = format!("`{text}` may mean {} runs: {}{more}", several.len(), some.join(", "));
                Err(Problem::new(Code::AmbiguousRun, message))
            }
        }
    }

    async fn history(
        &self,
        run: &str,
        from: Option<Version>,
        to: Option<Version>,
        frames: &Frames,
    ) -> Result<Answer, Problem> {
        let run = self.resolve(run).await?;
        let stream = StreamId::of_run(&run);
        let mut after = Version(from.map_or(0, |from| from.0.saturating_sub(1)));
        loop {
            let page = self.system.store().read_stream(&stream, after, HISTORY_PAGE).await;
            let page = page.map_err(|error| read_problem(&error))?;
            let Some(last) = page.last() else { return Ok(Answer::Done) };
            after = last.version;
            for recorded in &page {
                if to.is_some_and(|to| recorded.version > to) {
                    return Ok(Answer::Done);
                }
                if frames.send(Frame::Event(Box::new(history_line(recorded)))).await.is_err() {
                    return Ok(Answer::Done);
                }
            }
        }
    }

    async fn verify(&self) -> Result<VerifyReport, Problem> {
        let store = self.system.store();
        let mut runs = std::collections::BTreeSet::new();
        let found = verify(&**store, |recorded| {
            let event: RunEvent = recorded.decode().map_err(|error| error.to_string())?;
            runs.extend(recorded.header.stream.run());
            Ok(event.blobs())
        })
        .await
        .map_err(|error| read_problem(&error))?;
        let mut problems: Vec<VerifyProblem> = found
            .problems
            .into_iter()
            .map(|finding| VerifyProblem {
                position: finding.position.0,
                stream: finding.stream.map(|stream| stream.to_string()),
                version: finding.version.map(|version| version.0),
                what: finding.what,
            })
            .collect();
        if problems.is_empty() {
            problems = self.unfoldable(runs).await;
        }
        let disk_bytes = disk_bytes(&self.data).unwrap_or(0);
        Ok(VerifyReport {
            ok: problems.is_empty(),
            events: found.events,
            commits: found.commits,
            streams: found.streams,
            event_bytes: found.event_bytes,
            disk_bytes,
            problems,
        })
    }

    /// Runs whose history is whole and makes no sense all the same, and snapshots that are not what the history gives.
    /// Those are a cache, and dropped.
    async fn unfoldable(&self, runs: impl IntoIterator<Item = RunId>) -> Vec<VerifyProblem> {
        let mut problems = Vec::new();
        let mut add = |stream: &StreamId, version: Option<Version>, what: String| {
            let (stream, version) = (Some(stream.to_string()), version.map(|version| version.0));
            if problems.len() < FINDINGS_MAX {
                problems.push(VerifyProblem { position: 0, stream, version, what });
            }
        };
        for run in runs {
            let stream = StreamId::of_run(&run);
            match prove::<Run>(&**self.system.store(), &stream).await {
                Ok(wrong) => wrong.into_iter().for_each(|version| {
                    let what = format!(
                        "the snapshot at version {version} is not what the events give: it is dropped"
                    );
                    add(&stream, Some(version), what);
                }),
                Err(problem) => add(&stream, None, problem.message),
            }
        }
        problems
    }

    /// Lets every run go on that nobody drives, a few at a time, and sends each when it has ended.
    ///
    /// # Errors
    /// When the runs cannot be listed.
    async fn see_all(&self, frames: &Frames) -> Result<(), Problem> {
        let mut waiting = self.interrupted().await?.into_iter().rev();
        let mut seen = FuturesUnordered::new();
        loop {
            while seen.len() < SEEN_AT_ONCE {
                let Some(row) = waiting.next() else { break };
                seen.push(async move { self.see(&row.run, None).await });
            }
            let frame = match seen.next().await {
                None => return Ok(()),
                Some(Ok(report)) => Frame::Report(Box::new(report)),
                Some(Err(problem)) => Frame::Parked(problem),
            };
            // Without a listener the runs go on all the same.
            let _ = frames.send(frame).await;
        }
    }
}

impl Answer {
    fn of(report: RunReport) -> Self {
        Self::Report(Box::new(report))
    }
}

/// Counts who sees a run through, for as long as it lives.
struct Viewer<'a> {
    viewers: &'a DashMap<RunId, usize>,
    run: RunId,
}

impl<'a> Viewer<'a> {
    fn of(viewers: &'a DashMap<RunId, usize>, run: &RunId) -> Self {
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

fn unknown(run: &str) -> Problem {
    Problem::new(Code::UnknownRun, format!("no run has the id `{run}`"))
}

fn view_problem(error: &ViewError) -> Problem {
    match error {
        ViewError::Read(error) => read_problem(error),
        ViewError::Save(error) => Problem::new(error.code(), error.to_string()),
    }
}

fn start_run(spec: StartSpec) -> Result<StartRun, Problem> {
    let definition = Definition::from_json(spec.definition.text())?;
    let blob = |json: &Json| Blob::new(json.text().as_bytes());
    Ok(StartRun {
        definition: Arc::new(definition),
        definition_blob: blob(&spec.definition),
        input: spec.input,
        tags: spec.tags,
        work_folder: spec.work_folder.into(),
        parent: None,
        environment: spec.environment,
        agents: spec.agents.into_iter().map(|(name, definition)| (name, blob(&definition))).collect(),
        parallel: spec.parallel,
        lost_limit: spec.lost_limit,
        duration_limit: spec.duration_limit,
        until: spec.until,
        drive: false,
    })
}

fn live(glance: &Glance) -> Live {
    let running = glance.attempts.iter().map(|(fence, attempt)| {
        let progress = attempt.progress.borrow();
        LiveAttempt {
            fence: *fence,
            step: attempt.started.step.clone(),
            agent: attempt.started.agent.clone(),
            attempt: attempt.started.attempt,
            since: attempt.since,
            percent: progress.percent,
            text: progress.text.clone(),
        }
    });
    Live { done: glance.done, total: glance.total, wakes_at: glance.wakes_at, running: running.collect() }
}

fn history_line(recorded: &Recorded) -> HistoryLine {
    let data = match recorded.decode::<RunEvent>() {
        Ok(event) => Json::of(&event),
        // What this version does not know is shown as what it is: bytes.
        Err(error) => Json::of(&serde_json::json!({
            "unreadable": error.to_string(),
            "bytes": recorded.event.payload.len(),
        })),
    };
    HistoryLine {
        version: recorded.version,
        position: recorded.position.0,
        at: recorded.header.recorded_at,
        kind: recorded.event.kind.to_string(),
        data: data.unwrap_or_default(),
        hash: recorded.event.hash.to_string(),
    }
}
