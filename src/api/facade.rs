//! Answers what is asked, with an engine. Every way in, be it the command line in this process or the control
//! socket, calls this.
//!
//! - `begin`: begins runs
//! - `see`: lets runs go on, and sees them through
//! - `control`: what people want of a run, and what a rollback would do
//! - `agents`: what is known of agents, and what people want of them
//! - [`contexts`]: what is known of shared contexts, and writing to them
//! - [`conversations`]: what was said in conversations, and going on with them
//! - `messages`: messages between the agents of runs
//! - `list`: runs, once or as they change
//! - `report`: one run; `inputs`: what it was given; `failure`: the attempt that it failed with; `changed`: which of its files
//!   say something else by now
//! - `history`: what happened, and a run as it was; `past`: one version after another; `graph`: its picture
//! - `outcome`: what comes of runs; `recorded`: what is recorded of any stream
//! - `cache`: answers that are kept, and taking them away
//! - `tasks`: what is handed out, and who takes it
//! - `tell`: what of a run is done in a lesser way
//! - `transcript`: what was said during an attempt; `logs`: what programs say while they say it
//! - `verify`: proves the store whole
//! - `why`: the causes of how a run or a step is

mod agents;
mod begin;
mod cache;
mod changed;
pub mod contexts;
mod control;
pub mod conversations;
mod failure;
mod graph;
mod history;
mod inputs;
mod list;
mod logs;
mod messages;
mod outcome;
mod past;
mod recorded;
mod report;
mod see;
mod tasks;
mod tell;
mod transcript;
mod verify;
mod why;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::{Mutex, mpsc};

use super::copy::Original;
use super::protocol::{Frame, Request, Response};
use super::start::Resolver;
use super::wording;
use crate::actors::hosting::context::read_problem;
use crate::actors::notify::Notice;
use crate::actors::pages::Pages;
use crate::actors::system::System;
use crate::events::ids::{RUN_KIND, RunId, StreamId};
use crate::events::problem::{Code, Problem};
use crate::executors::delivery;
use crate::views::presenters::report::RunReport;
use crate::views::presenters::transcript::AttemptReport;
use crate::views::projections::runs::ViewError;
use logs::Listener;
use past::Walked;

pub use begin::check_labels;

/// An engine that can be asked.
pub struct Facade {
    system: System,
    /// The data folder, if the store is in one.
    data: Option<PathBuf>,
    /// Resolves what is asked to be started.
    resolver: Arc<Resolver>,
    /// How many requests see each run through now.
    viewers: DashMap<RunId, usize>,
    /// The notices that are to be delivered, and how, until somebody does more than look.
    untold: Mutex<Option<(Vec<Notice>, delivery::Options)>>,
    /// The past of the run that somebody walks through.
    walked: Walked,
    /// The store that this one is a copy of, if it is one.
    original: Option<Arc<Original>>,
}

/// The channel of frames to whoever asked, who may have gone: then they are dropped, and what was asked for happens all the
/// same.
pub type Frames = mpsc::Sender<Frame>;

impl Facade {
    /// Answers for that engine, whose store is in the folder `data`, if it is in one. What is not resolved when it is asked
    /// to be started, `resolver` resolves.
    pub fn new(system: System, data: Option<PathBuf>, resolver: Resolver) -> Self {
        let resolver = Arc::new(resolver);
        Self {
            system,
            data,
            resolver,
            viewers: DashMap::new(),
            untold: Mutex::default(),
            walked: Walked::default(),
            original: None,
        }
    }

    /// The same, of a copy of that store.
    #[must_use]
    pub(super) fn at_copy_of(self, original: Arc<Original>) -> Self {
        Self { original: Some(original), ..self }
    }

    /// Whether another process may drive runs, of which this one would not know: it has but a copy of what that holds.
    fn may_be_driven_elsewhere(&self) -> bool {
        self.original.as_ref().is_some_and(|original| original.may_be_held())
    }

    /// The data folder, if the store is in one.
    pub fn data(&self) -> Option<&Path> {
        self.data.as_deref()
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

    /// The engine, for what is asked of it directly.
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
    pub async fn answer(&self, request: Request, frames: &Frames) -> Result<Response, Problem> {
        request.check()?;
        if !request.only_looks() {
            self.begin_telling().await?;
        }
        if drives(&request) {
            self.system.make_way();
        }
        match request {
            Request::Begin { start, drive, only_recorded } => self.begin(*start, drive, only_recorded).await,
            Request::Foresee { start } => self.foresee(*start).await.map(Response::Foreseen),
            Request::See { run, live, told, tells, hears } => {
                let listener = hears.map(|wants| Listener::of(&self.system, Some(&run), wants, frames));
                let see = self.see(&run, live.then_some(frames), told.map(|from| (from, tells, frames)));
                Listener::meanwhile(listener, see).await.map(Response::of)
            }
            Request::Outcome { run } => {
                self.outcome(&run).await.map(|outcome| Response::Outcome(Box::new(outcome)))
            }
            Request::Follow { run, after } => self.follow(&run, after, frames).await,
            Request::SeeAll { hears } => {
                let listener = hears.map(|wants| Listener::of(&self.system, None, wants, frames));
                Listener::meanwhile(listener, self.see_all(frames)).await.map(|()| Response::Done)
            }
            Request::Interrupt | Request::Hello => Ok(Response::Done),
            Request::Report { run } => self.report(&self.resolve(&run).await?).await.map(Response::of),
            Request::Whole { run } => self.whole(&run).await.map(Response::of),
            Request::Watch { run, inputs } => self.watch(&run, inputs, frames).await.map(Response::of),
            Request::List { filter } => self.list(&filter).await.map(Response::Runs),
            Request::Listing { listing, watch } => self.listing(&listing, watch, frames).await,
            Request::Interrupted => self.interrupted().await.map(Response::Runs),
            Request::Resolve { run } => self.resolve(&run).await.map(Response::Resolved),
            Request::History { run, which } => self.history(&run, &which, frames).await,
            Request::Control { run, control, order, id } => {
                self.control(&run, control, order, id).await.map(Response::Recorded)
            }
            Request::Agents { named } => self.agents(named).await.map(Response::Agents),
            Request::Handoffs => self.handoffs().await.map(Response::Handoffs),
            Request::Successes => self.successes().await.map(Response::Successes),
            Request::OwnAgents => Ok(Response::OwnAgents(self.resolver.registered.clone())),
            Request::TurnAgent { agent, to, known, order, id } => {
                self.turn_agent(&agent, (to, known), order, id).await.map(Response::AgentTurned)
            }
            Request::Context { context, wants } => self.context(context, wants, frames).await,
            Request::Conversation { conversation, wants } => self.talk(conversation, wants, frames).await,
            Request::Conversations => self.conversations().await,
            Request::Messages { run, which } => self.messages(run.as_deref(), &which, frames).await,
            Request::Tasks(wanted) => self.tasks(wanted, frames).await,
            Request::Cache(wants) => self.cache(wants, frames).await,
            Request::Plan { run, to } => self.plan(&run, to.as_deref()).await.map(Response::Planned),
            Request::StateAt { run, at } => {
                self.state_at(&run, at).await.map(|state| Response::State(Box::new(state)))
            }
            Request::Graph { run } => self.graph(&run).await.map(|graph| Response::Graph(Box::new(graph))),
            Request::Transcript { run, step, purpose, attempt } => {
                self.transcript(&run, &step, purpose, attempt).await.map(Response::said)
            }
            Request::Logs { run, which } => self.unkept(&run, &which, frames).await.map(Response::Resolved),
            Request::Rest { run } => self.rest(&run).await.map(|()| Response::Done),
            Request::Why { run, step } => {
                self.why(&run, step.as_ref()).await.map(|why| Response::Why(Box::new(why)))
            }
            Request::Verify => self.verify().await.map(Response::Verified),
        }
    }

    /// The place in which each run has a folder of its own, with pages for people; none if none are written.
    fn pages(&self) -> Option<Pages> {
        self.data.as_deref().map(wording::pages)
    }

    /// The run that a text means: `run/ID` the one with just that id.
    async fn resolve(&self, text: &str) -> Result<RunId, Problem> {
        let whole = text.strip_prefix(RUN_KIND).and_then(|rest| rest.strip_prefix('/'));
        if let Some(id) = whole.and_then(|id| RunId::parse(id).ok()) {
            return self.newest(&StreamId::of_run(&id)).await.map(|_| id);
        }
        let found = self.system.runs().matching(text).await.map_err(|error| view_problem(&error))?;
        match found.as_slice() {
            [] => Err(unknown_run(text)),
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

impl Response {
    fn of(report: RunReport) -> Self {
        Self::Report(Box::new(report))
    }

    fn said(transcript: AttemptReport) -> Self {
        Self::Transcript(Box::new(transcript))
    }
}

/// Whether something goes on with that request: who holds the store and ends makes way for it.
const fn drives(request: &Request) -> bool {
    matches!(
        request,
        Request::Begin { drive: true, .. }
            | Request::See { .. }
            | Request::Outcome { .. }
            | Request::SeeAll { .. }
    )
}

/// No run is what a text means.
pub fn unknown_run(text: &str) -> Problem {
    let message = match text {
        "last" => "there are no runs yet".to_owned(),
        _ => format!("no run has the id `{text}`"),
    };
    Problem::new(Code::UnknownRun, message)
}

fn view_problem(error: &ViewError) -> Problem {
    match error {
        ViewError::Read(error) => read_problem(error),
        ViewError::Save(error) => Problem::new(error.code(), error.to_string()),
        ViewError::Fold(problem) => problem.clone(),
    }
}
