//! A data folder and how it is to be held: opens the door to its store.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::copy::{self, PrivateCopy};
use super::door::{Door, Here, NoAnswer};
use super::facade::Facade;
use super::folder::{self, PROCESSES, RUNS};
use super::holder::{self, Client, ControlSocket, Lock};
use super::identity;
use super::protocol::{Request, Response};
use super::start::Resolver;
use super::wording;
use crate::actors::agents::roster::Roster;
use crate::actors::clock::SystemClock;
use crate::actors::system::{Settings, System};
use crate::config::{Config, Durability};
use crate::events::ids::AgentName;
use crate::events::problem::{Code, Problem};
use crate::executors::discovery::Catalog;
use crate::executors::function::Functions;
use crate::executors::llm::Asking;
use crate::executors::logs::Logs;
use crate::executors::mask::{Masks, VALUE_BYTES_MIN, is_too_short};
use crate::executors::subprocess::programs::Programs;
use crate::executors::tools::Tools;
use crate::executors::{AgentDefinition, Executors, delivery, subprocess};
use crate::store::EventStore;
use crate::store::fatal::{Dying, Fatal};
use crate::store::looked_at::LookedAt;
use crate::store::sled::{self, OpenError, SledOptions, SledStore};
use crate::workflow::definition::SHELL_AGENT;

/// How long a holder that does not answer is waited for.
const HELD_WAIT: Duration = Duration::from_secs(5);

/// The pause before a holder that did not answer is asked again.
const HELD_RETRY: Duration = Duration::from_millis(25);

/// How many attempts a function makes at once. No function is registered in the binary; programs that use the crate
/// say so themselves.
const FUNCTION_SLOTS: u32 = 16;

/// A data folder and how it is to be held.
#[derive(Debug, Clone)]
pub struct House {
    /// The folder of the store, its lock and its control socket.
    pub data: PathBuf,
    /// The configuration of this process.
    pub config: Config,
    /// The folder of this process's own agents, for what the configuration says of `shell`.
    pub work_folder: PathBuf,
    /// Whether whoever opens it only looks. Then nothing is told to anybody, and a store that cannot be written is looked
    /// at through a copy.
    pub looks: bool,
    /// The agents of this program itself.
    pub own: OwnAgents,
    /// What ends this process once it is stored: a test wants to see what is left then. None in all other processes.
    pub fatal: Option<Fatal>,
}

/// What a store leaves to be seen from outside. (Whoever only looks at it leaves some as well.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traces {
    /// The moment at which somebody last took it.
    taken: Option<SystemTime>,
    /// Whether somebody holds it, where that can be seen.
    held: Option<bool>,
    /// How far it was written to.
    written: Vec<(u64, i64, i64)>,
}

/// Agents of a program itself: functions, and executors of any other kind.
#[derive(Clone, Default)]
pub struct OwnAgents {
    /// Their definitions, by which workflows may name them.
    pub definitions: Vec<AgentDefinition>,
    /// The functions among them, by the name of their agent.
    pub functions: Functions,
}

impl fmt::Debug for OwnAgents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.definitions.iter().map(|agent| &agent.name)).finish()
    }
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
    // Opening writes, so damage that is known is asked for before.
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

    /// What tells, without asking anybody, that there may be something new in the store.
    pub fn traces(&self) -> Traces {
        let taken = std::fs::metadata(self.data.join(folder::LOCK)).and_then(|lock| lock.modified()).ok();
        Traces { taken, held: folder::is_held(&self.data), written: copy::written(&self.data) }
    }

    /// The folder with a folder for each run. What lies there can be read without the store.
    pub fn runs(&self) -> PathBuf {
        crate::files::true_path(&self.data).unwrap_or_else(|_| self.data.clone()).join(RUNS)
    }

    /// Takes the store, and nothing else will do.
    ///
    /// # Errors
    /// As for [`House::open`]; [`Code::StoreTaken`] when another holds it, with who that is.
    pub async fn take(&self) -> Result<Here, Problem> {
        match self.open().await? {
            Door::Here(here) => Ok(here),
            Door::There(_) => {
                let who = holder::holder_of(&self.data);
                let message = format!("{} is held by {who}", self.data.display());
                Err(Problem::new(Code::StoreTaken, message))
            }
        }
    }

    /// Works on a store that is in no folder.
    ///
    /// # Errors
    /// When it cannot be told of what is recorded there.
    pub async fn on(&self, store: Arc<dyn EventStore>) -> Result<Here, Problem> {
        let facade = Arc::new(Facade::new(self.start(store, None), None, self.resolver()));
        facade.tell_when_asked(self.config.notify.clone(), self.delivery()).await;
        facade.begin_telling().await?;
        Ok(Here::of(facade))
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
                    here => {
                        tracing::debug!(data = %self.data.display(), "this process holds the store");
                        return here.map(Door::Here);
                    }
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
                Ok(Ok(client)) => {
                    tracing::debug!(data = %self.data.display(), pid = client.holder(), "another process holds the store");
                    return Ok(Door::There(client));
                }
                Ok(Err(NoAnswer::Problem(problem)))
                    if matches!(problem.code, Code::NotYours | Code::StoreNotPlain) =>
                {
                    return Err(problem);
                }
                Ok(Err(NoAnswer::Problem(problem))) => refused = Some(problem),
                Ok(Err(NoAnswer::Ending | NoAnswer::Gone)) | Err(_) => {}
            }
            if since.elapsed() >= HELD_WAIT {
                return Err(refused.unwrap_or_else(|| self.held_in_silence()));
            }
            tokio::time::sleep(HELD_RETRY).await;
        }
    }

    /// The resolver of what is started here, with the agents of this program.
    pub fn resolver(&self) -> Resolver {
        let (config, cwd) = (self.config.clone(), self.work_folder.clone());
        Resolver { config, cwd, registered: self.own.definitions.clone() }
    }

    /// Whether somebody who only looks may do so through a copy, where a store cannot be opened for that.
    const fn may_copy(&self, problem: &Problem) -> bool {
        self.looks && matches!(problem.code, Code::StoreUnreadable | Code::StoreFailed)
    }

    /// The same as [`House::connect`], within the time in which a holder has to answer.
    ///
    /// # Errors
    /// When nobody does; [`Code::StoreHeld`] when somebody lets clients connect, and does not answer.
    pub async fn connect_in_time(&self) -> Result<Client, NoAnswer> {
        let connected = tokio::time::timeout(HELD_WAIT, self.connect()).await;
        connected.unwrap_or_else(|_| Err(NoAnswer::Problem(self.held_in_silence())))
    }

    fn held_in_silence(&self) -> Problem {
        let who = holder::holder_of(&self.data);
        let message = format!("{} is held by {who}, which does not answer", self.data.display());
        Problem::new(Code::StoreHeld, message)
    }

    /// A client of whoever holds the store, if somebody answers.
    ///
    /// # Errors
    /// When nobody does.
    pub async fn connect(&self) -> Result<Client, NoAnswer> {
        let mut client = match holder::connect(&self.data).await {
            Ok(stream) => Client::new(stream),
            Err(problem) if matches!(problem.code, Code::NotYours | Code::StoreNotPlain) => {
                return Err(NoAnswer::Problem(problem));
            }
            Err(_) => return Err(NoAnswer::Gone),
        };
        client.greet().await.map(|()| client)
    }

    /// The agents that the program has itself that holds the store; none if nobody holds it, or nobody answers.
    pub async fn agents_of_holder(&self) -> Vec<AgentDefinition> {
        let asked = tokio::time::timeout(HELD_WAIT, async {
            let mut door = Door::There(self.connect().await?);
            door.ask(&Request::OwnAgents, &mut |_| {}).await
        });
        match asked.await {
            Ok(Ok(Response::OwnAgents(agents))) => agents,
            _ => Vec::new(),
        }
    }

    async fn hold(&self, lock: Lock, open: OpenStore) -> Result<Here, Problem> {
        let data = lock.data().to_path_buf();
        identity::settle(&data).map_err(|error| folder::problem(&data, &error))?;
        let store = self.open_store(&data, open, None).await?;
        let system = self.start(store, Some(&data));
        let facade = Arc::new(Facade::new(system, Some(data), self.resolver()));
        facade.tell_when_asked(self.config.notify.clone(), self.delivery()).await;
        if !self.looks {
            facade.begin_telling().await?;
        }
        let gate = ControlSocket::open(&lock, Arc::clone(&facade))?;
        Ok(Here::holding(facade, lock, gate, self.looks))
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
        let facade = Facade::new(self.start(store, None), Some(data), self.resolver());
        Ok(Door::Here(Here::at_copy(Arc::new(facade.at_copy_of(Arc::clone(copy.original()))), copy)))
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
            None => match &self.fatal {
                None => Arc::new(store),
                Some(fatal) => Arc::new(Dying::new(Arc::new(store), fatal.clone())),
            },
            Some(_) => Arc::new(LookedAt::new(store)),
        })
    }

    /// The options for the programs that deliver notices.
    fn delivery(&self) -> delivery::Options {
        let (environment, masks) = self.passes();
        delivery::Options { environment, folder: self.work_folder.clone(), masks }
    }

    /// What programs get of this process's environment, and what of it is masked.
    fn passes(&self) -> (BTreeMap<OsString, OsString>, Masks) {
        let (process, all) = (&self.config.process, std::env::vars_os);
        let further: Vec<String> = process.environment.iter().chain(&process.secrets).cloned().collect();
        let environment = subprocess::Options::environment_of(all(), &further);
        (environment, Masks::of_environment(all(), &self.config.secrets()))
    }

    /// Says which secrets this process has whose values cannot be masked.
    fn warn_of_short_secrets(&self) {
        let secrets = self.config.secrets().into_iter();
        for name in
            secrets.filter(|name| std::env::var_os(name).is_some_and(|value| is_too_short(value.as_bytes())))
        {
            tracing::warn!(
                name,
                "the value of a secret has under {VALUE_BYTES_MIN} bytes, and is not masked"
            );
        }
    }

    /// Starts an engine. Without a data folder that it may write to, there is nothing for it to write down.
    fn start(&self, store: Arc<dyn EventStore>, data: Option<&Path>) -> System {
        let process = &self.config.process;
        let (environment, masks) = self.passes();
        if !self.looks {
            self.warn_of_short_secrets();
        }
        let options = subprocess::Options {
            environment,
            masks,
            grace: process.grace,
            output_bytes_max: process.output_bytes_max,
            programs: Programs::in_folder(data.map(|data| data.join(PROCESSES))),
            logs: Logs::in_folder(data.map(|data| data.join(RUNS))),
        };
        let executors = Executors {
            functions: self.own.functions.clone(),
            subprocess: Arc::new(options),
            asking: Arc::new(Asking::new(self.config.models.clone())),
            tools: Arc::new(Tools::new(self.config.tools.clone(), Some(&self.data))),
            cassettes: Arc::default(),
        };
        let catalog = Catalog::discover(&self.work_folder, &[], &[], &self.config.agents);
        let shell = catalog.find(&AgentName::new(SHELL_AGENT)).map(|found| found.definition.clone());
        let shell = shell.unwrap_or_else(|_| AgentDefinition::shell());
        let settings = Settings {
            arbiters: self.config.actors.arbiters,
            passivate_after: self.config.actors.passivate_after,
            grace: self.config.shutdown.grace,
            window: self.config.conversation.window(),
            runs: data.map(wording::pages),
            team: self.config.team.path.clone().filter(|_| data.is_some()),
            check: self.config.approvals.check.clone(),
            cache_bytes: self.config.cache.max_bytes,
        };
        let roster = Roster { executors, shell, function_slots: FUNCTION_SLOTS };
        System::start(store, roster, Arc::new(SystemClock), settings)
    }
}
