//! The engine to embed: a program opens a store, says who its agents are, and starts runs. Whatever it asks is answered by
//! the same facade that answers the command line.
//!
//! - [`builder`]: what an engine is made of; [`agent`]: an agent of it, to talk to
//! - [`handle`]: one run, in the hands of a program; [`events`]: what happens to it, as it happens
//! - `requests`: where a request goes; `tasks`: work that is handed out
//! - [`conversations`]: what is said, of which as much is at hand as fits into a window
//! - `link`: the way to whoever holds the store; `life`: the thread on which an engine lives

pub mod agent;
pub mod builder;
pub mod conversations;
pub mod events;
pub mod handle;
mod life;
mod link;
mod requests;
pub mod tasks;

use std::path::PathBuf;
use std::sync::Arc;

use self::builder::Builder;
use self::conversations::ConversationHandle;
use self::handle::RunHandle;
use self::life::Life;
use self::link::Link;
use super::house::{House, OwnAgents};
use super::new_run_id;
use super::protocol::{Request, Response};
use super::spec::RunSpec;
use super::user::user;
use crate::config::Config;
use crate::events::ids::{ConversationName, RunId};
use crate::events::problem::{Code, Problem};
use crate::store::EventStore;
use crate::store::memory::MemoryStore;
use crate::views::projections::conversations::ConversationRow;
use crate::views::projections::handoffs::HandoffRow;
use crate::views::projections::runs::{RunFilter, RunRow};

/// An engine that runs workflows, or the way to one in another process. Its clones are the same engine.
///
/// It lives on threads of its own, so it can be used from any async runtime, `#[tokio::main]` of either flavour among them. It
/// handles no signal, sets no subscriber for `tracing`, and prints nothing. [`Engine::shut_down`] ends it in order. If the last
/// clone is dropped before that, it ends as if the process had died: nothing is lost, and the next engine on the store goes on
/// with what was interrupted.
///
/// ```
/// use reenact::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Problem> {
/// let engine = Engine::in_memory()
///     .function("double", |number: i64| async move { Ok::<_, Failure>(number * 2) })
///     .start()
///     .await?;
/// let spec = RunSpec::text(
///     "
/// steps: [{id: twice, agent: double, with: '{{ input }}'}]
/// output: '{{ steps.twice.output }}'
/// ",
/// );
/// let run = engine.run(spec.input(&21)?).await?;
/// assert_eq!(run.outcome().await?.output::<i64>()?, 42);
/// engine.shut_down().await
/// # }
/// ```
#[derive(Clone)]
pub struct Engine {
    link: Link,
    /// None for an engine of another process.
    life: Option<Arc<Life>>,
    /// The name in which it asks.
    by: Arc<str>,
}

impl Engine {
    /// An engine on the store in a data folder, which is made if it is not there. Started, it holds the folder, and the command
    /// line works through it.
    pub fn open(folder: impl Into<PathBuf>) -> Builder {
        Builder::new(builder::Where::Folder(folder.into()))
    }

    /// An engine on a store in memory, of which nothing is left when it ends.
    pub fn in_memory() -> Builder {
        Self::on(Arc::new(MemoryStore::new()))
    }

    /// An engine on a store of the program's own. Shutting down the engine closes it.
    pub fn on(store: Arc<dyn EventStore>) -> Builder {
        Builder::new(builder::Where::Store(store))
    }

    /// The engine that holds a data folder, in whatever process. What it does is done by its agents and under its
    /// configuration, and shutting down this value leaves it as it is. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// [`Code::StoreNotHeld`] when there is none.
    pub async fn connect(folder: impl Into<PathBuf>) -> Result<Self, Problem> {
        let work_folder = builder::current_folder()?;
        let data = work_folder.join(folder.into());
        let (config, own) = (Config::built_in()?, OwnAgents::default());
        let link = Link::There(Arc::new(House { data, config, work_folder, looks: false, own, fatal: None }));
        link.ask(Request::Hello, None).await?;
        Ok(Self { link, life: None, by: user().into() })
    }

    /// Reads and checks what runs are started with: with the same one, and other inputs and ids, any number of runs begin
    /// without reading anything again. What is held by another process is read by that, when a run begins.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub async fn resolve(&self, spec: RunSpec) -> Result<RunSpec, Vec<Problem>> {
        let cwd = builder::current_folder().map_err(|problem| vec![problem])?;
        self.link.resolve(spec.absolute(&cwd)).await
    }

    /// Starts a run, which goes on by itself from here. Answers when it is recorded. A run with an id that is started once
    /// more with the same everything is the one that there is.
    ///
    /// # Errors
    /// The first of what is wrong with it: [`Engine::resolve`] tells all. [`Code::RunIdTaken`] when the id is that of a run
    /// that began with something else.
    pub async fn run(&self, spec: RunSpec) -> Result<RunHandle, Problem> {
        let spec = spec.absolute(&builder::current_folder()?);
        // Whoever is asked again knows it again.
        let run = spec.id.clone().unwrap_or_else(new_run_id);
        let start = Box::new(RunSpec { id: Some(run), ..spec });
        match self.link.ask(Request::Begin { start, drive: true, only_recorded: false }, None).await? {
            Response::Begun { run, .. } => Ok(self.handle(&run)),
            other => Err(other.mismatch()),
        }
    }

    /// The run with that id. Whether there is one is told when it is asked something: [`Code::UnknownRun`].
    pub fn handle(&self, run: &RunId) -> RunHandle {
        RunHandle::new(self.link.clone(), run.clone(), Arc::clone(&self.by))
    }

    /// The run that a text means: its id, a unique beginning or end of it, or `last` for the newest.
    ///
    /// # Errors
    /// [`Code::UnknownRun`] or [`Code::AmbiguousRun`].
    pub async fn find(&self, text: &str) -> Result<RunHandle, Problem> {
        match self.link.ask(Request::Resolve { run: text.to_owned() }, None).await? {
            Response::Resolved(run) => Ok(self.handle(&run)),
            other => Err(other.mismatch()),
        }
    }

    /// The runs that a filter admits, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(&self, filter: RunFilter) -> Result<Vec<RunRow>, Problem> {
        match self.link.ask(Request::List { filter }, None).await? {
            Response::Runs(rows) => Ok(rows),
            other => Err(other.mismatch()),
        }
    }

    /// The conversation of that name. Its first turn begins it: until then, whatever else is asked of it is answered with
    /// [`Code::UnknownConversation`].
    ///
    /// # Errors
    /// [`Code::BadConversationName`].
    pub fn conversation(&self, name: &str) -> Result<ConversationHandle, Problem> {
        let name = ConversationName::parse(name)
            .map_err(|error| Problem::new(Code::BadConversationName, error.to_string()))?;
        Ok(ConversationHandle::new(self.link.clone(), name, Arc::clone(&self.by)))
    }

    /// The conversations that there are, in the order of their names.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn conversations(&self) -> Result<Vec<ConversationRow>, Problem> {
        match self.link.ask(Request::Conversations, None).await? {
            Response::Conversations(rows) => Ok(rows),
            other => Err(other.mismatch()),
        }
    }

    /// How often agents handed over to each other, over all runs: every pair of which one has.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn handoffs(&self) -> Result<Vec<HandoffRow>, Problem> {
        match self.link.ask(Request::Handoffs, None).await? {
            Response::Handoffs(rows) => Ok(rows),
            other => Err(other.mismatch()),
        }
    }

    /// Ends in order: nothing new starts, attempts get the configured grace, what still runs then is stopped and will be tried
    /// again, the store is closed. Whoever waits for an outcome is told [`Code::ShuttingDown`], and runs go on with the next
    /// engine on the store. An engine of another process is left as it is.
    ///
    /// # Errors
    /// When the store does not answer or cannot save its caches; nothing that was acknowledged is lost.
    pub async fn shut_down(&self) -> Result<(), Problem> {
        match &self.life {
            Some(life) => life.shut_down().await,
            None => Ok(()),
        }
    }
}

/// The engine has ended, or is ending.
fn ended() -> Problem {
    Problem::new(Code::ShuttingDown, "the engine has ended").hint("start one on that store: its runs go on")
}
