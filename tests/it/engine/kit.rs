//! An engine in the hands of a test.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reenact::actors::agents::roster::Roster;
use reenact::actors::clock::{Clock, ManualClock};
use reenact::actors::hosting::kind::Kinds;
use reenact::actors::hosting::live::Live;
use reenact::actors::system::{Settings, System};
use reenact::aggregates::run::{RunStatus, StartRun};
use reenact::events::commit::Recorded;
use reenact::events::ids::{Position, RunId};
use reenact::events::json::{Blob, Json};
use reenact::events::problem::Problem;
use reenact::events::run::RunEvent;
use reenact::events::time::Timestamp;
use reenact::executors::function::{FunctionCall, Functions};
use reenact::executors::{AgentDefinition, Executors, Failure};
use reenact::store::EventStore;
use reenact::store::fault::{Fault, Faulty};
use reenact::store::memory::MemoryStore;
use reenact::workflow::parse::{Known, parse};
use tokio::sync::Semaphore;

/// How long anything that a test waits for may take; only a test that fails waits for so long.
const DEADLINE: Duration = Duration::from_secs(30);

/// The same where hundreds of MiB are made and stored: on a busy machine that takes half a minute.
const DEADLINE_OF_MUCH: Duration = Duration::from_secs(300);

/// Runs a test of an engine.
pub(super) fn on_actix(test: impl Future<Output = ()>) {
    within(DEADLINE, test);
}

/// Runs a test of an engine that stores as much as a commit may hold.
pub(super) fn on_actix_with_much(test: impl Future<Output = ()>) {
    within(DEADLINE_OF_MUCH, test);
}

fn within(time: Duration, test: impl Future<Output = ()>) {
    let within = async { tokio::time::timeout(time, test).await.expect("it hangs") };
    actix::System::new().block_on(within);
}

/// A store in memory that fails and waits as it is told, and outlives the engine that closes it.
pub(super) fn faulty() -> Faulty<MemoryStore> {
    Faulty::new(MemoryStore::new()).staying_open()
}

/// Lets a process end with each commit in turn, before that is stored and behind it, and another go on. The story sees runs through
/// with [`Ending::survived`] and says what must hold then. Fails if it ended so often only or less.
pub(super) fn whenever_the_process_ends(least: u64, story: impl AsyncFn(&Ending)) {
    for fault in [Fault::BeforeStoring, Fault::AfterStoring] {
        let mut nth = 1;
        while {
            let ending = Ending { store: Arc::new(faulty()), nth, fault, reached: Cell::new(false) };
            on_actix(story(&ending));
            ending.reached.get()
        } {
            nth += 1;
        }
        assert!(nth > least, "it ended {nth} times only");
    }
}

/// A process that ends with a certain commit, unless there are fewer.
pub(super) struct Ending {
    pub(super) store: Arc<Faulty<MemoryStore>>,
    nth: u64,
    fault: Fault,
    reached: Cell<bool>,
}

impl Ending {
    /// An engine on its store.
    pub(super) fn kit(&self) -> Kit {
        Kit { store: Arc::clone(&self.store) as _, ..Kit::new() }
    }

    /// The engine that took over when the first had ended, and has seen the same through.
    pub(super) async fn survived(
        &self,
        kit: &Kit,
        see: impl AsyncFn(&System) -> Result<(), Problem>,
    ) -> System {
        let first = kit.start();
        self.store.fail_append(self.nth, self.fault);
        self.reached.set(see(&first).await.is_err());
        drop(first.shut_down(ready(())).await);
        self.store.mend();
        let second = kit.start();
        see(&second).await.unwrap();
        second
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it ended at commit {} {:?}", self.nth, self.fault)
    }
}

/// What an engine is made of. Each part may be replaced before it starts.
pub(super) struct Kit {
    pub(super) store: Arc<dyn EventStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) hand: ManualClock,
    pub(super) functions: Functions,
    pub(super) slots: u32,
    pub(super) passivate_after: Duration,
    pub(super) grace: Duration,
}

impl Kit {
    pub(super) fn new() -> Self {
        let hand = ManualClock::at(Timestamp(1_700_000_000_000_000));
        Self {
            store: Arc::new(faulty()),
            clock: Arc::new(hand.clone()),
            hand,
            functions: Functions::default(),
            slots: 16,
            passivate_after: DEADLINE,
            grace: DEADLINE,
        }
    }

    pub(super) fn start(&self) -> System {
        self.start_with(Kinds::default())
    }

    /// With streams of further kinds.
    pub(super) fn start_with(&self, kinds: Kinds) -> System {
        let executors = Executors { functions: self.functions.clone(), ..Executors::default() };
        let roster = Roster { executors, shell: AgentDefinition::shell(), function_slots: self.slots };
        let settings = Settings {
            arbiters: 2,
            passivate_after: self.passivate_after,
            grace: self.grace,
            runs: None,
            team: None,
            check: Vec::new(),
            cache_bytes: 1 << 20,
            ..Settings::default()
        };
        System::start_with(Arc::clone(&self.store), roster, Arc::clone(&self.clock), settings, kinds)
    }

    /// Registers a function that waits until it is let go on.
    pub(super) fn gated(&self, name: &str) -> Turnstile {
        let gate = Turnstile::default();
        let registered = gate.clone();
        self.functions.register(name, move |_: FunctionCall| {
            let gate = registered.clone();
            async move {
                gate.pass().await;
                Ok::<_, Failure>(())
            }
        });
        gate
    }

    /// The events of a run.
    pub(super) async fn events(&self, run: &RunId) -> Vec<(Recorded, RunEvent)> {
        let all = self.store.read_all(Position(0), usize::MAX).await.unwrap();
        let of_run = all.into_iter().filter(|recorded| recorded.header.stream.run().as_ref() == Some(run));
        of_run.map(|recorded| (recorded.clone(), recorded.decode().unwrap())).collect()
    }

    /// How many events of a run fit.
    pub(super) async fn count(&self, run: &RunId, fits: impl Fn(&RunEvent) -> bool) -> usize {
        self.events(run).await.iter().filter(|(_, event)| fits(event)).count()
    }

    /// Ends when an event of a run fits that is durable.
    pub(super) async fn until(&self, run: &RunId, fits: impl Fn(&RunEvent) -> bool) {
        let mut committed = self.store.committed();
        loop {
            committed.mark_unchanged();
            if self.count(run, &fits).await > 0 {
                return;
            }
            committed.changed().await.unwrap();
        }
    }
}

/// Lets calls of a function wait, and counts them.
#[derive(Clone)]
pub(super) struct Turnstile {
    room: Arc<Semaphore>,
    entered: Arc<tokio::sync::watch::Sender<usize>>,
    inside: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Default for Turnstile {
    fn default() -> Self {
        let count = || Arc::new(AtomicUsize::new(0));
        let entered = Arc::new(tokio::sync::watch::Sender::new(0));
        Self { room: Arc::new(Semaphore::new(0)), entered, inside: count(), most: count() }
    }
}

impl Turnstile {
    pub(super) async fn pass(&self) {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        self.entered.send_modify(|count| *count += 1);
        self.room.acquire().await.unwrap().forget();
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    /// Lets so many calls go on, now or when they come.
    pub(super) fn open(&self, calls: usize) {
        self.room.add_permits(calls);
    }

    /// How often it was called.
    pub(super) fn calls(&self) -> usize {
        *self.entered.borrow()
    }

    /// Ends when it was called so often.
    pub(super) async fn called(&self, times: usize) {
        self.entered.subscribe().wait_for(|count| *count >= times).await.unwrap();
    }

    /// How many calls waited at once, at most.
    pub(super) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

/// The id of a run.
pub(super) fn id(text: &str) -> RunId {
    RunId::parse(text).unwrap()
}

/// What begins a run of such a workflow.
pub(super) fn start_of(steps: &str) -> StartRun {
    let definition =
        parse(&format!("name: test\nsteps: {steps}\n"), "test.yaml", &Known::default()).unwrap().definition;
    let definition_blob = Blob::new(definition.to_json().text().as_bytes());
    StartRun {
        definition: Arc::new(definition),
        definition_blob,
        input: Json::parse("{}").unwrap(),
        tags: Default::default(),
        work_folder: "/".into(),
        parent: None,
        environment: Default::default(),
        agents: Vec::new(),
        parallel: 10_000,
        lost_limit: 5,
        duration_limit: None,
        until: None,
        children: Vec::new(),
        growth: Default::default(),
        stuck: Default::default(),
        routed: None,
        bypasses_cache: false,
        insists: Default::default(),
        drive: true,
    }
}

/// How a run ended, in a word.
pub(super) fn status(ended: Result<Live, Problem>) -> RunStatus {
    RunStatus::named(ended.unwrap().status).unwrap()
}
