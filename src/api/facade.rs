//! Answers what is asked, with an engine. Every way in, be it the command line in this process or the control
//! socket, calls this.
//!
//! - `see`: lets runs go on, and sees them through
//! - `control`: what people want of a run, and what a rollback would do
//! - `agents`: what is known of agents, and what people want of them
//! - `report`: one run
//! - `history`: what happened, and a run as it was
//! - `tell`: what of a run is done in a lesser way
//! - `transcript`: what was said during an attempt
//! - `verify`: proves the store whole

mod agents;
mod control;
mod history;
mod report;
mod see;
mod tell;
mod transcript;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::{Mutex, mpsc};

use super::folder::RUNS;
use super::protocol::{Answer, Frame, Request, StartSpec};
use crate::actors::hosting::context::read_problem;
use crate::actors::notify::Notice;
use crate::actors::system::System;
use crate::aggregates::run::{RunStatus, StartChild, StartRun};
use crate::events::ids::{AgentName, RunId};
use crate::events::json::{Blob, Json};
use crate::events::limits::RUN_LABELS_BYTES_MAX;
use crate::events::problem::{Code, Problem};
use crate::executors::delivery;
use crate::views::presenters::report::RunReport;
use crate::views::projections::runs::{RunFilter, RunRow, ViewError};
use crate::workflow::definition::Definition;

/// An engine that can be asked.
pub struct Facade {
    system: System,
    data: PathBuf,
    /// How many see each run through.
    viewers: DashMap<RunId, usize>,
    /// Who is to be told of events, as soon as somebody does more than look.
    untold: Mutex<Option<(Vec<Notice>, delivery::Options)>>,
}

/// Where frames go. Whoever asked may have gone: then frames are dropped, and what was asked for happens all the same.
pub type Frames = mpsc::Sender<Frame>;

impl Facade {
    /// Answers for that engine, whose store is in the folder `data`.
    pub fn new(system: System, data: PathBuf) -> Self {
        Self { system, data, viewers: DashMap::new(), untold: Mutex::default() }
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Who is to be told of events from the first request on that does more than look. Until then nothing is recorded, so
    /// nothing is missed.
    pub async fn tell_when_asked(&self, notices: Vec<Notice>, options: delivery::Options) {
        *self.untold.lock().await = Some((notices, options));
    }

    /// Begins to tell them.
    ///
    /// # Errors
    /// When the store cannot be read or written, or there is no way to deliver.
    pub async fn begin_telling(&self) -> Result<(), Problem> {
        // Held until it has begun: whoever else records something waits for that.
        let mut untold = self.untold.lock().await;
        if let Some((notices, options)) = &*untold {
            self.system.notify(notices.clone(), options.clone()).await?;
        }
        // Only now: whoever asked may have gone away meanwhile, and the next one begins.
        *untold = None;
        Ok(())
    }

    /// The engine.
    pub fn system(&self) -> &System {
        &self.system
    }

    /// From here on nothing starts; what runs goes on.
    pub fn close(&self) {
        self.system.close();
        if !self.viewers.is_empty() {
            self.system.make_way();
        }
    }

    /// Answers a request. [`Request::Interrupt`] is for who holds the connection to understand.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn answer(&self, request: Request, frames: &Frames) -> Result<Answer, Problem> {
        request.check()?;
        if !request.only_looks() {
            self.begin_telling().await?;
        }
        if matches!(request, Request::Begin { drive: true, .. } | Request::See { .. } | Request::SeeAll) {
            self.system.make_way();
        }
        match request {
            Request::Begin { run, start, drive } => {
                let start = StartRun { drive, ..start_run(*start)? };
                self.system.begin(&run, start).await.map(Answer::Begun)
            }
            Request::See { run, live, told } => {
                self.see(&run, live.then_some(frames), told.map(|from| (from, frames))).await.map(Answer::of)
            }
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
            Request::Control { run, control, order, id } => {
                self.control(&run, control, order, id).await.map(Answer::Recorded)
            }
            Request::Agents { named } => self.agents(named).await.map(Answer::Agents),
            Request::TurnAgent { agent, to, known, order, id } => {
                self.turn_agent(&agent, (to, known), order, id).await.map(Answer::AgentTurned)
            }
            Request::Plan { run, to } => self.plan(&run, to.as_deref()).await.map(Answer::Planned),
            Request::StateAt { run, at } => {
                self.state_at(&run, at).await.map(|state| Answer::State(Box::new(state)))
            }
            Request::Transcript { run, step, purpose, attempt } => {
                let said = self.transcript(&run, &step, purpose, attempt).await?;
                Ok(Answer::Transcript(Box::new(said)))
            }
            Request::Verify => self.verify().await.map(Answer::Verified),
        }
    }

    /// Where each run has a folder of its own.
    fn runs_folder(&self) -> PathBuf {
        self.data.join(RUNS)
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRow>, Problem> {
        self.system.runs().list(filter).await.map_err(|error| view_problem(&error))
    }

    /// The runs that could go on and that nobody drives, without those that do when their parent does.
    async fn interrupted(&self) -> Result<Vec<RunRow>, Problem> {
        if self.system.drives_all() {
            return Ok(Vec::new());
        }
        let filter = RunFilter { unfinished: true, ..RunFilter::default() };
        let rows = self.list(&filter).await?.into_iter();
        let could = |row: &RunRow| {
            !matches!(row.status, RunStatus::Paused | RunStatus::Waiting) && !self.system.is_driven(&row.run)
        };
        let mut rows: Vec<RunRow> = rows.filter(could).collect();
        let ids: BTreeSet<RunId> = rows.iter().map(|row| row.run.clone()).collect();
        rows.retain(|row| row.parent.as_ref().is_none_or(|parent| !ids.contains(parent)));
        Ok(rows)
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
}

impl Answer {
    fn of(report: RunReport) -> Self {
        Self::Report(Box::new(report))
    }
}

fn unknown(run: &str) -> Problem {
    Problem::new(Code::UnknownRun, format!("no run has the id `{run}`"))
}

fn view_problem(error: &ViewError) -> Problem {
    match error {
        ViewError::Read(error) => read_problem(error),
        ViewError::Save(error) => Problem::new(error.code(), error.to_string()),
        ViewError::Fold(problem) => problem.clone(),
    }
}

/// Whether the list of runs has room for what a run is called and tagged with.
fn check_labels(workflow: &str, tags: &BTreeMap<String, String>) -> Result<(), Problem> {
    let bytes = Json::of(&(workflow, tags)).map_or(usize::MAX, |json| json.text().len());
    if bytes <= RUN_LABELS_BYTES_MAX {
        return Ok(());
    }
    let message = format!(
        "the workflow's name and the run's tags have {bytes} bytes together, and {RUN_LABELS_BYTES_MAX} may be"
    );
    Err(Problem::new(Code::TooLarge, message)
        .hint("name and tag it more shortly: long values belong into its input"))
}

fn start_run(spec: StartSpec) -> Result<StartRun, Problem> {
    let definition = Definition::from_json(spec.definition.text())
        .map_err(|problem| Problem::new(Code::BadRequest, problem.message))?;
    definition.check_names()?;
    check_labels(&definition.name, &spec.tags)?;
    let blob = |json: &Json| Blob::new(json.text().as_bytes());
    let agents = |agents: Vec<(AgentName, Json)>| {
        agents.into_iter().map(|(name, definition)| (name, blob(&definition))).collect()
    };
    let children = spec.children.into_iter().map(|child| StartChild {
        file: child.file,
        definition: blob(&child.definition),
        work_folder: child.work_folder.into(),
        agents: agents(child.agents),
        parallel: child.parallel,
        lost_limit: child.lost_limit,
        duration_limit: child.duration_limit,
    });
    let children = children.collect();
    Ok(StartRun {
        definition: Arc::new(definition),
        definition_blob: blob(&spec.definition),
        input: spec.input,
        tags: spec.tags,
        work_folder: spec.work_folder.into(),
        parent: None,
        environment: spec.environment,
        agents: agents(spec.agents),
        parallel: spec.parallel,
        lost_limit: spec.lost_limit,
        duration_limit: spec.duration_limit,
        until: spec.until,
        children,
        growth: spec.growth,
        insists: spec.insists,
        drive: false,
    })
}
