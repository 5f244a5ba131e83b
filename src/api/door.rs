//! The store, for a verb: held by this process, or reached through the one that holds it. A verb does not see the
//! difference.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::copy::{self, PrivateCopy};
use super::facade::Facade;
use super::folder::{self, PROCESSES, RUNS};
pub use super::holder::NoAnswer;
use super::holder::{self, Client, Gate, Lock};
use super::identity;
use super::protocol::{Answer, Frame, Request};
use crate::actors::agents::roster::Roster;
use crate::actors::clock::SystemClock;
use crate::actors::system::{Settings, System};
use crate::config::{Config, Durability};
use crate::events::ids::{AgentName, CommandId, RunId};
use crate::events::problem::{Code, Problem};
use crate::executors::discovery::Catalog;
use crate::executors::subprocess::programs::Programs;
use crate::executors::{Executors, delivery, subprocess};
use crate::store::EventStore;
use crate::store::looked_at::LookedAt;
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

/// How often a holder looks whether its data folder is still there: what a program does beside another that was started
/// in its place is bounded by it.
const PLACE_LOOK: Duration = Duration::from_millis(250);

/// The way to a store.
pub enum Door {
    /// This process holds it.
    Here(Here),
    /// Another process does.
    There(Client),
}

/// A store that this process holds, or a copy of one that it cannot hold.
pub struct Here {
    facade: Arc<Facade>,
    hold: Option<Hold>,
    /// Whether whoever asks here only looks.
    looks: bool,
    /// Removed last, when nothing reads it any more.
    copy: Option<PrivateCopy>,
}

/// What comes with holding a store.
struct Hold {
    gate: Gate,
    lock: Arc<Lock>,
    /// Whether the data folder is gone.
    gone: watch::Receiver<bool>,
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
    /// Whether whoever opens it only looks. Then nothing is told to anybody, and a store that cannot be written is looked
    /// at through a copy.
    pub looks: bool,
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
    let damaged = |what| OpenError::Damaged { folder: folder.display().to_string(), what };
    // Opening writes, too.
    if let Some(what) = SledStore::noted_damage_of(folder) {
        return Err(damaged(what));
    }
    let store = SledStore::open(folder, options)?;
    match store.damage() {
        None => Ok(store),
        Some(damage) => Err(damaged(damage.to_string())),
    }
}

impl House {
    /// Opens the door: takes the store if nobody holds it, else connects to who does. For who only looks it may be damaged:
    /// what can be read of it is shown.
    ///
    /// # Errors
    /// When the store is damaged or cannot be opened, or its holder does not answer in five seconds.
    pub async fn open(&self) -> Result<Door, Problem> {
        self.open_with(if self.looks { open_or_salvage } else { open_whole }).await
    }

    async fn open_with(&self, open: OpenStore) -> Result<Door, Problem> {
        if folder::is_of_another(&self.data) {
            // Root could write there, and its owner could not use what root has made.
            return if self.looks { self.open_copy(open).await } else { Err(folder::not_yours(&self.data)) };
        }
        let since = Instant::now();
        let mut refused = None;
        loop {
            match Lock::try_take(&self.data) {
                Ok(Some(lock)) => match self.hold(lock, open).await {
                    Err(problem) if self.may_copy(&problem) => return self.open_copy(open).await,
                    here => return here.map(Door::Here),
                },
                // Its holder may write all the same.
                Err(problem) if self.may_copy(&problem) => {
                    return match tokio::time::timeout(HELD_WAIT, self.connect()).await {
                        Ok(Ok(client)) => Ok(Door::There(client)),
                        _ => self.open_copy(open).await,
                    };
                }
                Ok(None) => {}
                Err(problem) => return Err(problem),
            }
            let left = HELD_WAIT.saturating_sub(since.elapsed());
            match tokio::time::timeout(left, self.connect()).await {
                Ok(Ok(client)) => return Ok(Door::There(client)),
                Ok(Err(NoAnswer::Problem(problem)))
                    if matches!(problem.code, Code::NotYours | Code::StoreNotPlain) =>
                {
                    return Err(problem);
                }
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

    /// Whether somebody who only looks may do so through a copy, where a store cannot be opened for that.
    const fn may_copy(&self, problem: &Problem) -> bool {
        self.looks && matches!(problem.code, Code::StoreUnreadable | Code::StoreFailed)
    }

    /// A client of whoever holds the store, if somebody answers.
    async fn connect(&self) -> Result<Client, NoAnswer> {
        let mut client = match holder::connect(&self.data).await {
            Ok(stream) => Client::new(stream),
            Err(problem) if matches!(problem.code, Code::NotYours | Code::StoreNotPlain) => {
                return Err(NoAnswer::Problem(problem));
            }
            Err(_) => return Err(NoAnswer::Gone),
        };
        client.greet().await.map(|()| client)
    }

    async fn hold(&self, lock: Lock, open: OpenStore) -> Result<Here, Problem> {
        let data = lock.data().to_path_buf();
        identity::settle(&data).map_err(|error| folder::problem(&data, &error))?;
        let store = self.open_store(&data, open, None).await?;
        let system = self.start(store, Some(&data));
        let facade = Arc::new(Facade::new(system, data));
        facade.tell_when_asked(self.config.notify.clone(), self.delivery()).await;
        if !self.looks {
            facade.begin_telling().await?;
        }
        let gate = Gate::open(&lock, Arc::clone(&facade))?;
        let hold = Hold::of(lock, gate);
        Ok(Here { facade, hold: Some(hold), looks: self.looks, copy: None })
    }

    /// Opens the door to a private copy of the store: for looking only.
    ///
    /// # Errors
    /// When there is no room for a copy, or the store cannot be read.
    pub async fn open_to_look(&self) -> Result<Door, Problem> {
        self.open_copy(open_or_salvage).await
    }

    async fn open_copy(&self, open: OpenStore) -> Result<Door, Problem> {
        let data =
            crate::files::true_path(&self.data).map_err(|error| folder::problem(&self.data, &error))?;
        let from = data.clone();
        let copying = tokio::task::spawn_blocking(move || PrivateCopy::of(&from)).await;
        let copy = copying.map_err(|panic| Problem::new(Code::Internal, panic.to_string()))??;
        let store = self.open_store(copy.path(), open, Some(&data)).await;
        let store = store.map_err(|problem| copy.known(&data, problem))?;
        let facade = Arc::new(Facade::new(self.start(store, None), data));
        Ok(Door::Here(Here { facade, hold: None, looks: true, copy: Some(copy) }))
    }

    /// Opens the store in a folder, which is a copy of the one `beneath`, if there is one.
    async fn open_store(
        &self,
        folder: &Path,
        open: OpenStore,
        beneath: Option<&Path>,
    ) -> Result<Arc<dyn EventStore>, Problem> {
        let durability = match self.config.store.durability {
            Durability::Power if beneath.is_none() => sled::Durability::Power,
            // Nobody needs a copy any more after a power cut.
            Durability::Power | Durability::Process => sled::Durability::Process,
        };
        let options = SledOptions {
            durability,
            cache_bytes: self.config.store.cache_bytes,
            beneath: beneath.map(Path::to_path_buf),
            ..SledOptions::default()
        };
        let folder = folder.to_path_buf();
        let opening = tokio::task::spawn_blocking(move || open(&folder, options)).await;
        let store = opening
            .map_err(|panic| Problem::new(Code::StoreDamaged, format!("opening the store failed: {panic}")))?
            .map_err(|error| Problem::new(error.code(), error.to_string()))?;
        Ok(match store.noted_damage() {
            None => Arc::new(store),
            Some(_) => Arc::new(LookedAt::new(store)),
        })
    }

    /// How notices are delivered.
    fn delivery(&self) -> delivery::Options {
        let environment =
            subprocess::Options::environment_of(std::env::vars_os(), &self.config.process.environment);
        delivery::Options { environment, folder: self.work_folder.clone() }
    }

    /// Starts an engine. Without a data folder that it may write to, there is nothing for it to write down.
    fn start(&self, store: Arc<dyn EventStore>, data: Option<&Path>) -> System {
        let process = &self.config.process;
        let environment = subprocess::Options::environment_of(std::env::vars_os(), &process.environment);
        let options = subprocess::Options {
            environment,
            grace: process.grace,
            output_bytes_max: process.output_bytes_max,
            programs: Programs::in_folder(data.map(|data| data.join(PROCESSES))),
        };
        let executors = Executors { subprocess: Arc::new(options), ..Executors::default() };
        let catalog = Catalog::discover(&self.work_folder, &[], &self.config.agents);
        let shell = catalog.find(&AgentName::new(SHELL_AGENT)).map(|found| found.definition.clone());
        let shell = shell.unwrap_or_else(|_| crate::executors::AgentDefinition::shell());
        let settings = Settings {
            arbiters: self.config.actors.arbiters,
            passivate_after: self.config.actors.passivate_after,
            grace: self.config.shutdown.grace,
            runs: data.map(|data| data.join(RUNS)),
            check: self.config.approvals.check.clone(),
        };
        let roster = Roster { executors, shell, function_slots: FUNCTION_SLOTS };
        System::start(store, roster, Arc::new(SystemClock), settings)
    }
}

impl Door {
    /// What is damaged of a store that this process looks at all the same.
    pub fn damage(&self) -> Option<String> {
        let Self::Here(here) = self else { return None };
        let store = here.facade.system().store();
        store.damage().map(|damage| damage.to_string()).or_else(|| store.noted_damage())
    }

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
    /// ends, and lets go of the store. If that is gone, nobody has anything from what still runs: it is stopped at once.
    ///
    /// # Errors
    /// When the store could not be closed.
    pub async fn leave(self, hurry: impl Future<Output = ()>) -> Result<(), Problem> {
        match self {
            Self::Here(here) => {
                here.facade.close();
                tokio::select! {
                    () = here.facade.system().quiet() => {}
                    () = here.is_gone() => {}
                    () = hurry => {}
                }
                here.shut_down(std::future::ready(())).await
            }
            Self::There(_) => Ok(()),
        }
    }

    /// Whether what is seen through it is a copy.
    pub const fn is_to_copy(&self) -> bool {
        matches!(self, Self::Here(Here { copy: Some(_), .. }))
    }
}

impl Hold {
    fn of(lock: Lock, gate: Gate) -> Self {
        let lock = Arc::new(lock);
        let (gone, told) = watch::channel(false);
        let held = Arc::downgrade(&lock);
        tokio::spawn(async move {
            while held.upgrade().is_some_and(|lock| lock.is_in_place()) {
                tokio::time::sleep(PLACE_LOOK).await;
            }
            gone.send_replace(true);
        });
        Self { gate, lock, gone: told }
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
                () = self.is_gone() => return Err(NoAnswer::Problem(self.gone())),
                Some(frame) = frames.recv() => show(frame),
                answer = &mut answering => break answer,
            }
        };
        while let Ok(frame) = frames.try_recv() {
            show(frame);
        }
        answer.map_err(|problem| NoAnswer::Problem(self.known(problem)))
    }

    /// Ends when the data folder is gone.
    async fn is_gone(&self) {
        if let Some(hold) = &self.hold {
            // An error means that nobody looks any more.
            let _ = hold.gone.clone().wait_for(|gone| *gone).await;
        } else {
            std::future::pending().await
        }
    }

    fn gone(&self) -> Problem {
        let data = self.facade.data().display();
        Problem::new(
            Code::StoreGone,
            format!("`{data}` was removed, or is another by now: what ran was stopped"),
        )
    }

    /// The same problem, with what is known here of why the store fails.
    fn known(&self, problem: Problem) -> Problem {
        let is_in_place = self.hold.as_ref().is_none_or(|hold| hold.lock.is_in_place());
        match problem.code {
            Code::StoreFailed if !is_in_place => self.gone(),
            Code::StoreFailed if self.copy.is_some() => copy::no_room(&problem),
            _ => problem,
        }
    }

    async fn shut_down(self, hurry: impl Future<Output = ()>) -> Result<(), Problem> {
        let ended = self.facade.system().shut_down(hurry).await.map_err(|problem| self.known(problem));
        let Self { facade, hold, looks, copy } = self;
        if let Some(hold) = hold {
            hold.gate.close(&hold.lock).await;
        }
        drop(facade);
        drop(copy);
        // What was looked at was answered: that caches of it cannot be saved is nobody's matter.
        if looks { Ok(()) } else { ended }
    }
}

/// A new id for a run.
pub fn new_run_id() -> RunId {
    RunId::from_uuid(uuid::Uuid::now_v7())
}

/// A new id for a command that is asked until it is answered.
pub fn new_command_id() -> CommandId {
    CommandId::from_uuid(uuid::Uuid::now_v7())
}
