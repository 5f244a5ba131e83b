//! Runs: what performs their effects, and what may be wanted of them.
//!
//! - [`shell`]: what is particular to the host of a run; [`told`]: what it is told; [`live_state`]: what is seen of it
//! - `environment`: what its decisions borrow; `slots`: for attempts that may start
//! - `awaiting`: agents that are paused, and runs that wait for them; `log`: what is logged of runs
//! - `shared`: what they want of contexts that they share; `lookups`: earlier answers that their steps could take
//! - `turns`: what they want of conversations that their steps go on with
//! - `deliveries`: messages that their agents handle as they come; `speech`: what their agents say meanwhile;
//!   `conversations`: what attempts are given meanwhile; [`tasks`]: those that somebody outside takes

mod awaiting;
mod conversations;
mod deliveries;
mod environment;
pub mod live_state;
mod log;
mod lookups;
mod shared;
pub mod shell;
mod slots;
mod speech;
pub mod tasks;
pub mod told;
mod turns;

use std::sync::{Arc, Weak};

use futures_util::future::join_all;
use tokio::sync::watch;

use self::awaiting::Awaiting;
use self::conversations::Conversations;
use self::live_state::LiveState;
use self::lookups::Lookups;
use self::shell::RunShell;
use self::tasks::Handing;
use self::told::ToRun;
use super::agents::communicator::Communicator;
use super::hosting::Hosting;
use super::hosting::context::HostContext;
use super::hosting::kind::Kind;
use super::hosting::live::Live;
use super::hosting::messages::{Control, Tell};
use super::pages::Pages;
use super::pages::scribe::Scribe;
use super::pages::team::TeamKeeper;
use super::send::send;
use crate::aggregates::run::{self, Ask, Run, StartRun};
use crate::events::conversation::Window;
use crate::events::ids::{RunId, StreamId, Version};
use crate::events::json::Json;
use crate::events::problem::Problem;
use crate::executors::logs::Logs;
use crate::kernel::Blobs;
use crate::kernel::core::Envelope;
use crate::kernel::standing::KindFold;
use crate::views::projections::agents::AgentsView;
use crate::views::projections::cache::CacheView;

/// The runs of a process: what may be wanted of them.
pub struct Runs {
    hosting: Arc<Hosting>,
    agents: Arc<Communicator>,
    scribe: Arc<Scribe>,
    team: Arc<TeamKeeper>,
    /// What their programs say.
    logs: Arc<Logs>,
    awaiting: Awaiting,
    conversations: Conversations,
    handing: Handing,
    lookups: Lookups,
    /// How much is in the window of a conversation that a step begins.
    window: Window,
    /// Attempts that agents are making, and pages that are being written.
    in_flight: watch::Sender<usize>,
}

/// Counts an attempt, or a page, among those that are being made, until it is dropped.
#[derive(Debug)]
pub struct InFlight(watch::Sender<usize>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.send_if_modified(|count| {
            *count = count.saturating_sub(1);
            // Whoever waits waits for that.
            *count == 0
        });
    }
}

/// The kind of runs.
pub struct RunKind {
    /// The runs of the process.
    pub runs: Weak<Runs>,
    /// The place and the words of files for people; none if none are written.
    pub pages: Option<Pages>,
}

impl Kind for RunKind {
    type Aggregate = Run;
    type Shell = RunShell;

    fn folds(&self) -> KindFold {
        run::FOLD
    }

    fn describe(&self, state: &Run) -> Json {
        let (done, total) = state.progress();
        Json::of(&serde_json::json!({ "done": done, "total": total })).unwrap_or_default()
    }

    fn shell(&self, stream: &StreamId, context: &HostContext) -> Option<RunShell> {
        let (runs, pages) = (Weak::clone(&self.runs), self.pages.clone());
        Some(RunShell::new(stream.run()?, runs, pages, context.clone()))
    }
}

impl Runs {
    /// The runs that are hosted there, whose attempts these agents make; what is known of those is in the read model.
    pub fn new(
        hosting: Arc<Hosting>,
        agents: Arc<Communicator>,
        (scribe, team): (Arc<Scribe>, Arc<TeamKeeper>),
        logs: Arc<Logs>,
        (known, cache): (Arc<AgentsView>, CacheView),
        window: Window,
    ) -> Arc<Self> {
        let awaiting = Awaiting::new(known);
        let conversations = Conversations::default();
        let in_flight = watch::Sender::new(0);
        let (handing, lookups) = (Handing::default(), Lookups::new(cache));
        Arc::new(Self {
            hosting,
            agents,
            scribe,
            team,
            logs,
            awaiting,
            conversations,
            handing,
            lookups,
            window,
            in_flight,
        })
    }

    /// The hosting of runs, and of all other streams.
    pub fn hosting(&self) -> &Arc<Hosting> {
        &self.hosting
    }

    /// The agents that make their attempts.
    pub fn agents(&self) -> &Arc<Communicator> {
        &self.agents
    }

    pub(super) fn context(&self) -> &HostContext {
        self.hosting.book().context()
    }

    fn conversations(&self) -> &Conversations {
        &self.conversations
    }

    pub(super) fn logs(&self) -> &Logs {
        &self.logs
    }

    pub(super) fn team(&self) -> &Arc<TeamKeeper> {
        &self.team
    }

    pub(super) fn scribe(&self) -> &Arc<Scribe> {
        &self.scribe
    }

    /// Begins a run, or finds the run of that id that does the same. If it is to be driven it goes on by itself from
    /// here.
    ///
    /// # Errors
    /// When the id is taken by a run that does something else, an agent that it names takes no new runs, or the store refuses.
    pub async fn begin(&self, run: &RunId, start: StartRun) -> Result<Version, Problem> {
        self.ready().await?;
        self.admit(run, &start).await?;
        let (hash, drive) = (start.definition_blob.reference.hash, start.drive);
        let blobs: &dyn Blobs = &*self.context().library;
        blobs.remember_value(hash, Arc::clone(&start.definition));
        let (stream, start) = (StreamId::of_run(run), Ask::Start(Box::new(start)));
        let version = self.hosting.ask::<RunKind>(&stream, || start.clone(), drive).await?;
        if drive && !self.hosting.book().is_driven(&stream) {
            self.hosting.drive(&stream).await;
        }
        self.hosting.book().nudge(&stream);
        Ok(version)
    }

    /// Asks a run something, and answers the version after it, once that is durable.
    ///
    /// # Errors
    /// Why the run refuses, or cannot answer.
    pub async fn ask(&self, run: &RunId, ask: Ask) -> Result<Version, Problem> {
        let drives = matches!(&ask, Ask::Start(start) if start.drive);
        self.hosting.ask::<RunKind>(&StreamId::of_run(run), || ask.clone(), drives).await
    }

    /// Asks a run what somebody wants of it who does not drive it, and answers the version after it, once that is
    /// durable. If nobody drives the run, what a process left open that is gone counts as lost first, so that it need not
    /// be awaited; the run is not driven for that.
    ///
    /// # Errors
    /// Why the run refuses, or cannot answer.
    pub async fn order(&self, run: &RunId, ask: Ask, envelope: &Envelope) -> Result<Version, Problem> {
        self.hosting.order::<RunKind>(&StreamId::of_run(run), envelope, || ask.clone()).await
    }

    /// Lets a run go on, now and by itself from here on; nothing of it, if it cannot be read which agents are paused.
    pub async fn drive(&self, run: &RunId) {
        if let Err(problem) = self.ready().await {
            tracing::error!(%run, %problem, "it does not go on");
            return;
        }
        self.hosting.drive(&StreamId::of_run(run)).await;
    }

    /// Lets a run stay as it is: nothing more starts.
    pub async fn let_go(&self, run: &RunId) {
        self.hosting.control(&StreamId::of_run(run), Control::LetGo).await;
    }

    /// Ends when the run has, or when it rests until somebody acts.
    ///
    /// # Errors
    /// Why it cannot go on.
    pub async fn at_rest(&self, run: &RunId) -> Result<Live, Problem> {
        self.hosting.at_rest(&StreamId::of_run(run)).await
    }

    /// The live state of a run. It is loaded if it is not in memory.
    ///
    /// # Errors
    /// When runs are not hosted here any more.
    pub fn live_state(&self, run: &RunId) -> Result<watch::Receiver<LiveState>, Problem> {
        Ok(self.hosting.place::<RunKind>(&StreamId::of_run(run))?.view)
    }

    /// Tells a run something, starting its host if need be. A host is never put away while an attempt is open; if it died, the
    /// attempt counts as lost.
    pub(super) fn tell(&self, run: &RunId, message: ToRun) {
        if let Ok(place) = self.hosting.place::<RunKind>(&StreamId::of_run(run)) {
            send(&place.address, Tell(message));
        }
    }

    /// From here on nothing is looked at for a page that takes long.
    pub fn hurry_pages(&self) {
        self.scribe.hurry();
    }

    /// Ends when no attempt is made for a run.
    pub async fn idle(&self, run: &RunId) {
        let stream = StreamId::of_run(run);
        let Ok(mut live) = self.hosting.watch(&stream) else { return };
        let done = |seen: &Live| seen.loaded && !seen.busy;
        // An error means that its host was put away: nothing of it runs.
        let _ = live.wait_for(done).await;
    }

    /// Counts one more attempt, or page, among those that are being made.
    pub(super) fn in_flight(&self) -> InFlight {
        self.in_flight.send_if_modified(|count| {
            *count += 1;
            false
        });
        InFlight(self.in_flight.clone())
    }

    /// Ends when all that runs were asked by now is recorded.
    pub async fn settled(&self) {
        let runs: Vec<_> = self.hosting.book().in_memory().iter().filter_map(StreamId::run).collect();
        // What a run answers to nothing new is no matter; that it does is.
        join_all(runs.iter().map(|run| self.ask(run, Ask::Go))).await;
    }

    /// Ends when no attempt is being made, and no page written.
    pub async fn all_reported(&self) {
        // The sender is this very struct's.
        let _ = self.in_flight.subscribe().wait_for(|count| *count == 0).await;
    }
}
