//! The store, for a verb: held by this process, or reached through the one that holds it. A verb does not see the
//! difference.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::facade::Facade;
pub use super::holder::NoAnswer;
use super::holder::{self, Client, Gate, Lock};
use super::protocol::{Answer, Frame, Request};
use crate::actors::clock::SystemClock;
use crate::actors::roster::Roster;
use crate::actors::system::{Settings, System};
use crate::config::{Config, Durability};
use crate::events::ids::{AgentName, RunId};
use crate::events::problem::{Code, Problem};
use crate::executors::discovery::Catalog;
use crate::executors::{Executors, delivery, subprocess};
use crate::store::EventStore;
use crate::store::sled::{self, OpenError, SledOptions, SledStore};
use crate::workflow::definition::SHELL_AGENT;

/// How long a holder that does not answer is waited for.
const HELD_WAIT: Duration = Duration::from_secs(5);

/// How often it is tried meanwhile.
const HELD_RETRY: Duration = Duration::from_millis(25);

/// How many frames wait for a verb that is slow to print them.
const FRAMES: usize = 256;

/// How many attempts a function makes at once. No function is registered in the binary; programs that use the crate
/// say so themselves.
const FUNCTION_SLOTS: u32 = 16;

/// The folder in a data folder where each run has one of its own.
pub(super) const RUNS: &str = "runs";

/// The way to a store.
pub enum Door {
    /// This process holds it.
    Here(Here),
    /// Another process does.
    There(Client),
}

/// A store that this process holds.
pub struct Here {
    facade: Arc<Facade>,
    gate: Gate,
    _lock: Lock,
}

/// A data folder and how it is to be held.
#[derive(Debug, Clone)]
pub struct House {
    /// The folder.
    pub data: PathBuf,
    /// The configuration of this process.
    pub config: Config,
    /// The folder of this process's own agents, for what the configuration says of `shell`.
    pub work_folder: PathBuf,
}

/// One of the ways to open the store of a folder.
type OpenStore = fn(&Path, SledOptions) -> Result<SledStore, OpenError>;

/// Opens a store, damaged or not, of which everything can be read that is whole.
fn open_or_salvage(folder: &Path, options: SledOptions) -> Result<SledStore, OpenError> {
    match SledStore::open(folder, options.clone()) {
        Err(OpenError::Damaged { .. }) => SledStore::salvage(folder, options),
        opened => opened,
    }
}

/// Opens a store that is whole, as far as opening can tell.
fn open_whole(folder: &Path, options: SledOptions) -> Result<SledStore, OpenError> {
    let store = SledStore::open(folder, options)?;
    match store.damage() {
        None => Ok(store),
        Some(damage) => {
            Err(OpenError::Damaged { folder: folder.display().to_string(), what: damage.to_string() })
        }
    }
}

impl House {
    /// Opens the door: takes the store if nobody holds it, else connects to who does.
    ///
    /// # Errors
    /// When the store is damaged or cannot be opened, or its holder does not answer in five seconds.
    pub async fn open(&self) -> Result<Door, Problem> {
        self.open_with(open_whole).await
    }

    /// Opens the door to a store that may be damaged, to look at what can be read of it.
    ///
    /// # Errors
    /// As for [`House::open`], but only for damage beyond which nothing can be read.
    pub async fn open_damaged(&self) -> Result<Door, Problem> {
        self.open_with(open_or_salvage).await
    }

    async fn open_with(&self, open: OpenStore) -> Result<Door, Problem> {
        let since = Instant::now();
        let mut refused = None;
        loop {
            if let Some(lock) = holder::try_lock(&self.data)? {
                return self.hold(lock, open).await.map(Door::Here);
            }
            let left = HELD_WAIT.saturating_sub(since.elapsed());
            match tokio::time::timeout(left, self.connect()).await {
                Ok(Ok(client)) => return Ok(Door::There(client)),
                Ok(Err(NoAnswer::Problem(problem))) => refused = Some(problem),
                Ok(Err(NoAnswer::Ending | NoAnswer::Gone)) | Err(_) => {}
            }
            if since.elapsed() >= HELD_WAIT {
                if let Some(problem) = refused {
                    return Err(problem);
                }
                let who = holder::holder_of(&self.data);
                let message = format!("{} is held by {who}, which does not answer", self.data.display());
                return Err(Problem::new(Code::StoreHeld, message));
            }
            tokio::time::sleep(HELD_RETRY).await;
        }
    }

    /// A client of whoever holds the store, if somebody answers.
    async fn connect(&self) -> Result<Client, NoAnswer> {
        let mut client = Client::new(holder::connect(&self.data).await.map_err(|_| NoAnswer::Gone)?);
        client.greet().await.map(|()| client)
    }

    async fn hold(&self, lock: Lock, open: OpenStore) -> Result<Here, Problem> {
        let durability = match self.config.store.durability {
            Durability::Power => sled::Durability::Power,
            Durability::Process => sled::Durability::Process,
        };
        let options =
            SledOptions { durability, cache_bytes: self.config.store.cache_bytes, ..SledOptions::default() };
        let data = self.data.clone();
        let opening = tokio::task::spawn_blocking(move || open(&data, options)).await;
        let store = opening
            .map_err(|panic| Problem::new(Code::StoreDamaged, format!("opening the store failed: {panic}")))?
            .map_err(|error| Problem::new(error.code(), error.to_string()))?;
        let system = self.start(Arc::new(store));
        system.notify(self.config.notify.clone(), self.delivery()).await?;
        let facade = Arc::new(Facade::new(system, self.data.clone()));
        let gate = Gate::open(&self.data, Arc::clone(&facade))?;
        Ok(Here { facade, gate, _lock: lock })
    }

    /// How notices are delivered.
    fn delivery(&self) -> delivery::Options {
        let environment =
            subprocess::Options::environment_of(std::env::vars_os(), &self.config.process.environment);
        delivery::Options { environment, folder: self.work_folder.clone() }
    }

    fn start(&self, store: Arc<dyn EventStore>) -> System {
        let process = &self.config.process;
        let environment = subprocess::Options::environment_of(std::env::vars_os(), &process.environment);
        let options = subprocess::Options {
            environment,
            grace: process.grace,
            output_bytes_max: process.output_bytes_max,
            processes: Some(self.data.join("processes")),
        };
        let executors = Executors { subprocess: Arc::new(options), ..Executors::default() };
        let catalog = Catalog::discover(&self.work_folder, &[], &self.config.agents);
        let shell = catalog.find(&AgentName::new(SHELL_AGENT)).map(|found| found.definition.clone());
        let shell = shell.unwrap_or_else(|_| crate::executors::AgentDefinition::shell());
        let settings = Settings {
            arbiters: self.config.actors.arbiters,
            passivate_after: self.config.actors.passivate_after,
            grace: self.config.shutdown.grace,
            runs: Some(self.data.join(RUNS)),
            check: self.config.approvals.check.clone(),
        };
        let roster = Roster { executors, shell, function_slots: FUNCTION_SLOTS };
        System::start(store, roster, Arc::new(SystemClock), settings)
    }
}

impl Door {
    /// The number of the other process that holds the store, if one does.
    pub fn holder(&self) -> Option<i32> {
        match self {
            Self::Here(_) => None,
            Self::There(client) => client.holder(),
        }
    }

    /// Asks, and lets `show` see every frame before the answer.
    ///
    /// # Errors
    /// Why there is no answer. What another process would not take, this one does not take either.
    pub async fn ask(&mut self, request: &Request, show: &mut dyn FnMut(Frame)) -> Result<Answer, NoAnswer> {
        match self {
            Self::Here(here) => {
                request.check_size()?;
                here.ask(request, show).await
            }
            Self::There(client) => {
                client.ask(request).await?;
                loop {
                    match client.frame().await? {
                        Frame::Answer(answer) => return Ok(answer),
                        Frame::Problem(problem) => return Err(problem.into()),
                        frame => show(frame),
                    }
                }
            }
        }
    }

    /// After SIGINT: lets go of the run that was seen through. A holder ends in order, and with it what it drives;
    /// attempts get a grace, which is over early when `hurry` ends.
    ///
    /// # Errors
    /// When the store could not be closed.
    pub async fn interrupt(self, hurry: impl Future<Output = ()>) -> Result<(), Problem> {
        match self {
            Self::Here(here) => here.shut_down(hurry).await,
            Self::There(client) => {
                tokio::select! {
                    () = client.interrupt() => {}
                    () = hurry => {}
                }
                Ok(())
            }
        }
    }

    /// Goes. A holder starts nothing new, lets the attempts end that it makes for others, or stops them when `hurry`
    /// ends, and lets go of the store.
    ///
    /// # Errors
    /// When the store could not be closed.
    pub async fn leave(self, hurry: impl Future<Output = ()>) -> Result<(), Problem> {
        match self {
            Self::Here(here) => {
                here.facade.close();
                tokio::select! {
                    () = here.facade.system().quiet() => {}
                    () = hurry => {}
                }
                here.shut_down(std::future::ready(())).await
            }
            Self::There(_) => Ok(()),
        }
    }
}

impl Here {
    async fn ask(&self, request: &Request, show: &mut dyn FnMut(Frame)) -> Result<Answer, NoAnswer> {
        let (sender, mut frames) = mpsc::channel(FRAMES);
        let answering = self.facade.answer(request.clone(), &sender);
        tokio::pin!(answering);
        let answer = loop {
            tokio::select! {
                biased;
                Some(frame) = frames.recv() => show(frame),
                answer = &mut answering => break answer,
            }
        };
        while let Ok(frame) = frames.try_recv() {
            show(frame);
        }
        answer.map_err(NoAnswer::Problem)
    }

    async fn shut_down(self, hurry: impl Future<Output = ()>) -> Result<(), Problem> {
        let Self { facade, gate, _lock } = self;
        let ended = facade.system().shut_down(hurry).await;
        gate.close().await;
        ended
    }
}

/// Whether there is anything in a data folder.
pub fn is_store(data: &Path) -> bool {
    data.join("events").is_dir()
}

/// A new id for a run.
pub fn new_run_id() -> RunId {
    RunId::from_uuid(uuid::Uuid::now_v7())
}
