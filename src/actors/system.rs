//! Starts and stops everything in order, and is what the rest of the program asks. What read models know is in `known`.

mod ending;
mod known;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::Arbiter;
use futures_util::stream::Stream;
use tokio::sync::{mpsc, watch};

use super::agents::communicator::Communicator;
use super::agents::roster::Roster;
use super::agents::shell::AgentKind;
use super::arbiters::Arbiters;
use super::caches::CacheKind;
use super::clock::Clock;
use super::contexts::ContextKind;
use super::conversations::ConversationKind;
use super::hosting::Hosting;
use super::hosting::attentions::{AttentionRows, Attentions};
use super::hosting::context::{HostContext, read_problem};
use super::hosting::kind::Kinds;
use super::hosting::live::Live;
use super::hosting::load::{load, load_at};
use super::hosting::standings::LiveStandings;
use super::hosting::waker::{Rested, Waker};
use super::library::Library;
use super::minds::MindKind;
use super::notify::{Notice, Notifiers};
use super::pages::Pages;
use super::pages::inspect::Inspector;
use super::pages::scribe::Scribe;
use super::pages::team::TeamKeeper;
use super::runs::live_state::LiveState;
use super::runs::{RunKind, Runs};
use super::subscribe::{self, EventFilter};
use super::thread;
use crate::aggregates::run::{Ask, Run, StartRun};
use crate::events::commit::Recorded;
use crate::events::conversation::Window;
use crate::events::ids::{Position, RunId, StreamId, Version};
use crate::events::problem::{Code, Problem, Remedy};
use crate::executors::delivery;
use crate::executors::logs::Logs;
use crate::kernel::projection::Projection;
use crate::store::{EventStore, Head};
use crate::views::projections::agents::{AgentRows, AgentsView};
use crate::views::projections::cache::{CacheRows, CacheView};
use crate::views::projections::conversations::{ConversationRows, ConversationsView};
use crate::views::projections::handoffs::{HandoffRows, HandoffsView};
use crate::views::projections::runs::{RunRows, RunsView};
use crate::views::projections::successes::{SuccessRows, SuccessesView};
use crate::views::projections::tasks::{TaskRows, TasksView};
use crate::views::projector::Projector;

/// How many actor threads there are, and how patient they are.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Threads for actors; 0 means one for each core.
    pub arbiters: usize,
    /// How long nobody needs an aggregate before it is put away.
    pub passivate_after: Duration,
    /// How long attempts may go on after the process was asked to end.
    pub grace: Duration,
    /// How much is in the window of a conversation that a run goes on with.
    pub window: Window,
    /// The folder in which each run has files for people, and the words for them; without it there are none.
    pub runs: Option<Pages>,
    /// The path, in each work folder, of the file that a team shares which reaches a goal; none if none is written.
    pub team: Option<PathBuf>,
    /// A program and its arguments that says how good a work folder is, run there when people are asked for an approval;
    /// empty means none.
    pub check: Vec<String>,
    /// How many bytes answers may have together that are kept for steps which may take them.
    pub cache_bytes: u64,
}

impl Default for Settings {
    /// The values that `config/default.toml` has.
    fn default() -> Self {
        Self {
            arbiters: 0,
            passivate_after: Duration::from_secs(30),
            grace: Duration::from_secs(10),
            window: Window::default(),
            runs: None,
            team: None,
            check: Vec::new(),
            cache_bytes: 1024 * 1024 * 1024,
        }
    }
}

/// How long a store that does not answer is waited for at the end, if the grace is not longer: a disk may be slow.
const STORE_PATIENCE: Duration = Duration::from_secs(1);

/// How long what is pending is told at the end, at most: whoever waits for the process to end waits for that.
const NOTIFY_PATIENCE: Duration = Duration::from_secs(5);

/// How many runs that came to rest wait to be told of. Beyond it no further ones are let go on.
const RESTED_MAX: usize = 64;

/// How often it is looked whether the list of runs is far behind.
const LIST_LOOK: Duration = Duration::from_secs(2);

/// How many events the list of runs may be behind, more or less: so many are folded at the next start if this process is
/// killed, which takes a fraction of a second.
const LIST_BEHIND_MAX: u64 = 100_000;

/// A running engine on a store.
pub struct System {
    hosting: Arc<Hosting>,
    live: Arc<Runs>,
    /// Whether nothing may start any more.
    closed: watch::Sender<bool>,
    /// Whether nothing is recorded any more.
    ended: watch::Sender<bool>,
    arbiters: Mutex<Vec<Arbiter>>,
    runs: Arc<RunsView>,
    handoffs: HandoffsView,
    successes: SuccessesView,
    tasks: TasksView,
    conversations: ConversationsView,
    window: Window,
    cache: CacheView,
    attentions: Arc<Attentions>,
    notifiers: Mutex<Notifiers>,
    grace: Duration,
    logs: Arc<Logs>,
}

/// A thread for actors.
fn arbiter() -> Arbiter {
    match thread::runtime() {
        Ok(runtime) => Arbiter::with_tokio_rt(move || runtime),
        // It says what is missing.
        Err(_) => Arbiter::new(),
    }
}

impl System {
    /// Starts an engine. Must be called within an actix system.
    pub fn start(
        store: Arc<dyn EventStore>,
        roster: Roster,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Self {
        Self::start_with(store, roster, clock, settings, Kinds::default())
    }

    /// Starts an engine that hosts streams of further kinds. Must be called within an actix system.
    pub fn start_with(
        store: Arc<dyn EventStore>,
        roster: Roster,
        clock: Arc<dyn Clock>,
        settings: Settings,
        kinds: Kinds,
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = if settings.arbiters == 0 { cores } else { settings.arbiters };
        let arbiters: Vec<Arbiter> = (0..count).map(|_| arbiter()).collect();
        let library = Arc::new(Library::new(Arc::clone(&store)));
        let context = HostContext {
            library: Arc::clone(&library),
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            passivate_after: settings.passivate_after,
        };
        let spread = Arc::new(Arbiters::new(arbiters.iter().map(Arbiter::handle).collect()));
        let programs = &roster.executors.subprocess;
        let logs = Arc::clone(&programs.logs);
        let (environment, masks) = (programs.environment.clone(), programs.masks.clone());
        let inspector = Inspector { check: settings.check, environment, masks };
        let pages = settings.runs;
        let scribe = Scribe::new(context.clone(), pages.clone(), inspector);
        let writers = (scribe, TeamKeeper::new(context.clone(), settings.team));
        let hosting = Hosting::start(context.clone(), Arc::clone(&spread));
        let agents = Communicator::start(roster, library, clock, spread);
        let (committed, standings) = (store.committed(), Arc::new(LiveStandings(Arc::clone(&hosting))));
        let projector = Arc::new(Projector::new(store, standings, read_models(settings.cache_bytes)));
        let cache = CacheView::new(Arc::clone(&projector));
        let known = (Arc::new(AgentsView::new(Arc::clone(&projector))), cache.clone());
        let (made_by, said) = (Arc::clone(&agents), Arc::clone(&logs));
        let live = Runs::new(Arc::clone(&hosting), made_by, writers, said, known, settings.window);
        let kinds = kinds.with(RunKind { runs: Arc::downgrade(&live), pages }).with(AgentKind { agents });
        let kinds = kinds.with(ContextKind).with(MindKind).with(ConversationKind).with(CacheKind);
        hosting.register(kinds);
        let arbiters = Mutex::new(arbiters);
        let runs = Arc::new(RunsView::new(Arc::clone(&projector)));
        let attentions = Arc::new(Attentions::new(Arc::clone(&projector)));
        let of = || Arc::clone(&projector);
        let (handoffs, successes) = (HandoffsView::new(of()), SuccessesView::new(of()));
        let (tasks, conversations) = (TasksView::new(of()), ConversationsView::new(of()));
        let closed = watch::Sender::new(false);
        actix::spawn(keep_up(projector, committed, closed.subscribe()));
        let (ended, notifiers) = (watch::Sender::new(false), Mutex::default());
        Self {
            hosting,
            live,
            closed,
            ended,
            arbiters,
            runs,
            handoffs,
            successes,
            tasks,
            conversations,
            window: settings.window,
            cache,
            attentions,
            notifiers,
            grace: settings.grace,
            logs,
        }
    }

    /// Begins a run, or finds the run of that id that does the same. If it is to be driven it goes on by itself from
    /// here.
    ///
    /// # Errors
    /// When the id is taken by a run that does something else, or the store refuses.
    pub async fn begin(&self, run: &RunId, start: StartRun) -> Result<Version, Problem> {
        self.live.begin(run, start).await
    }

    /// Whether a run may begin, as far as its agents go.
    ///
    /// # Errors
    /// [`Code::AgentDraining`], or when the store cannot be read.
    pub async fn admit(&self, run: &RunId, start: &StartRun) -> Result<(), Problem> {
        self.live.ready().await?;
        self.live.admit(run, start).await
    }

    /// Lets a run go on, now and by itself from here on.
    pub async fn drive(&self, run: &RunId) {
        self.live.drive(run).await;
    }

    /// What can be seen of a run, as it changes: nothing more once the engine is shut down. It is loaded if it is not in
    /// memory.
    pub fn watch(&self, run: &RunId) -> watch::Receiver<Live> {
        let live = self.hosting.watch(&StreamId::of_run(run));
        live.unwrap_or_else(|_| watch::Sender::new(Live::default()).subscribe())
    }

    /// How far a run is, and what runs of it. It is loaded if it is not in memory.
    pub fn live_state(&self, run: &RunId) -> watch::Receiver<LiveState> {
        self.live.live_state(run).unwrap_or_else(|_| watch::Sender::new(LiveState::default()).subscribe())
    }

    /// Whether a run goes on by itself in this process.
    pub fn is_driven(&self, run: &RunId) -> bool {
        self.hosting.book().is_driven(&StreamId::of_run(run))
    }

    /// Asks a run what a person wants of it, and answers the version after it, once that is durable. If nobody drives
    /// the run, what a process left open that is gone counts as lost first, so that it need not be awaited; the run is
    /// not driven for that.
    ///
    /// # Errors
    /// Why the run refuses, or cannot answer.
    pub async fn ask(&self, run: &RunId, ask: Ask) -> Result<Version, Problem> {
        self.live.order(run, ask, &Default::default()).await
    }

    /// Lets every run go on that can and that nobody drives, a few at a time, and from here on those too that can because of
    /// what somebody asks of them. Tells of each that comes to rest, and ends when no run goes on by itself any more: those
    /// that sleep are awaited, those that wait for people are not. It does so also if nobody listens.
    pub fn drive_all(&self) -> mpsc::Receiver<Result<Rested, Problem>> {
        let (rested, told) = mpsc::channel(RESTED_MAX);
        let waker = Waker::new(Arc::clone(&self.hosting), Arc::clone(&self.attentions), rested.clone());
        let (live, closed) = (Arc::clone(&self.live), self.closed.subscribe());
        actix::spawn(async move {
            match live.ready().await {
                Ok(()) => {
                    drop(rested);
                    waker.run(closed).await;
                }
                // Without a listener nobody wants to know.
                Err(problem) => drop(rested.send(Err(problem)).await),
            }
        });
        told
    }

    /// Lets every run go on that can, a few at a time, until the engine is shut down: also those that somebody begins or wants
    /// something of later. Must be called within an actix system.
    pub fn keep_driving(&self) {
        // Nobody wants to be told of each that comes to rest.
        let (rested, _) = mpsc::channel(1);
        let waker = Waker::new(Arc::clone(&self.hosting), Arc::clone(&self.attentions), rested);
        let (live, closed) = (Arc::clone(&self.live), self.closed.subscribe());
        actix::spawn(async move {
            // Nothing starts before it is known which agents are paused.
            match live.ready().await {
                Ok(()) => waker.staying().run(closed).await,
                Err(problem) => {
                    tracing::error!(%problem, "no run goes on by itself: nobody knows which agents are paused")
                }
            }
        });
    }

    /// Begins to tell others of events: of those that were recorded and not told of yet, then of each as it is recorded.
    /// Called before anything else is asked of the engine, nothing is missed.
    ///
    /// # Errors
    /// When the store cannot be read or written, or there is no way to deliver.
    pub async fn notify(&self, notices: Vec<Notice>, options: delivery::Options) -> Result<(), Problem> {
        let notifiers = Notifiers::start(self.store(), notices, options).await?;
        *self.notifiers.lock().unwrap_or_else(PoisonError::into_inner) = notifiers;
        Ok(())
    }

    /// Recorded events as they come: those that are durable already, from `filter.after` on, then each as it becomes so.
    /// Whoever reads slowly holds up nobody, and is told all the same: events are read from the store, a page at a time. The
    /// stream ends when the engine is shut down.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use reenact::actors::{agents::roster::Roster, clock::SystemClock, system::{Settings, System}};
    /// # use reenact::executors::{AgentDefinition, Executors};
    /// # use reenact::store::memory::MemoryStore;
    /// use futures_util::StreamExt;
    /// use reenact::actors::subscribe::EventFilter;
    ///
    /// # let roster = Roster { executors: Executors::default(), shell: AgentDefinition::shell(), function_slots: 1 };
    /// # actix::System::new().block_on(async {
    /// # let store = Arc::new(MemoryStore::new());
    /// # let system = System::start(store, roster, Arc::new(SystemClock), Settings::default());
    /// let mut ends = system.subscribe(EventFilter {
    ///     types: vec!["run_completed".into(), "run_failed".into()],
    ///     ..EventFilter::default()
    /// });
    /// # system.shut_down(std::future::ready(())).await.unwrap();
    /// while let Some(recorded) = ends.next().await.transpose()? {
    ///     println!("{} {}", recorded.header.stream, recorded.event.kind);
    /// }
    /// # Ok::<_, reenact::events::problem::Problem>(())
    /// # }).unwrap();
    /// ```
    pub fn subscribe(
        &self,
        filter: EventFilter,
    ) -> impl Stream<Item = Result<Recorded, Problem>> + Send + Unpin + use<> {
        subscribe::subscribe(Arc::clone(self.store()), filter, self.ended.subscribe())
    }

    /// Whether every run that can go on is driven, be it in memory or not.
    pub fn drives_all(&self) -> bool {
        self.hosting.book().drives_all()
    }

    /// Ends when the run has, or when it rests until somebody acts: it is paused, or waits for people, and nothing of it
    /// runs any more but what waits for a child that rests.
    ///
    /// # Errors
    /// Why it cannot go on.
    pub async fn ended(&self, run: &RunId) -> Result<Live, Problem> {
        self.live.at_rest(run).await
    }

    /// A run as the store has it.
    ///
    /// # Errors
    /// When it cannot be read or folded. A run that never began is an empty one at version 0.
    pub async fn fold(&self, run: &RunId) -> Result<(Run, Head), Problem> {
        load(&**self.store(), &StreamId::of_run(run)).await
    }

    /// A run as it was at a version, through the nearest snapshot before it.
    ///
    /// # Errors
    /// As for [`System::fold`], and when the run has begun but has no such version.
    pub async fn fold_at(&self, run: &RunId, at: Version) -> Result<(Run, Head), Problem> {
        let (store, stream) = (&**self.store(), StreamId::of_run(run));
        match store.head(&stream).await.map_err(|error| read_problem(&error))? {
            Some(newest) if at < Version(1) || at > newest.version => {
                Err(no_such_version(run.as_str(), at, newest.version))
            }
            _ => load_at(store, &stream, at).await,
        }
    }

    /// From here on nothing starts; what runs goes on.
    pub fn close(&self) {
        self.hosting.book().close();
        self.live.agents().close();
        self.closed.send_replace(true);
    }

    /// If the process is ending, it looks at nothing for a page any more that takes long: somebody waits for the store. Who
    /// takes a run over next looks.
    pub fn make_way(&self) {
        if self.hosting.book().is_closing() {
            self.live.hurry_pages();
        }
    }
}

/// The read models that are kept up, in the order in which they are folded.
fn read_models(cache_bytes: u64) -> Vec<Box<dyn Projection>> {
    vec![
        Box::new(RunRows),
        Box::new(AttentionRows),
        Box::new(AgentRows),
        Box::new(HandoffRows),
        Box::new(SuccessRows),
        Box::new(TaskRows),
        Box::new(ConversationRows),
        Box::new(CacheRows { bytes_max: cache_bytes }),
    ]
}

/// A stream has no such version.
pub fn no_such_version(name: &str, at: Version, newest: Version) -> Problem {
    let message = format!("`{name}` has no version {at}: its versions are 1 to {newest}");
    Problem::new(Code::NoSuchVersion, message).hint(Remedy::LookAtStream(name.to_owned()))
}

/// Folds the read models now and then, so that they are never far behind.
async fn keep_up(
    projector: Arc<Projector>,
    mut committed: watch::Receiver<Position>,
    mut closed: watch::Receiver<bool>,
) {
    let looking = async {
        while committed.changed().await.is_ok() {
            tokio::time::sleep(LIST_LOOK).await;
            let is_behind = projector.behind().await.is_ok_and(|events| events > LIST_BEHIND_MAX);
            if is_behind && let Err(error) = projector.catch_up().await {
                // They are made again from the events when they are needed.
                tracing::debug!(%error, "read models are not saved");
            }
        }
    };
    tokio::select! {
        () = looking => {}
        _ = closed.wait_for(|closed| *closed) => {}
    }
}
