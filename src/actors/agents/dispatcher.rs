//! The queue in front of the agents: who gets a slot, and who waits for one. Whoever calls an agent by one of its names has the
//! same slots, over all runs of the process.
//!
//! It holds nothing that matters: what is open is known by the runs, whether an agent is paused by its own stream, and the
//! queue can be made again from them.
//!
//! - `desk`: the slots of one agent

mod desk;

use std::fmt;
use std::sync::Arc;

use dashmap::DashMap;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use self::desk::Desk;
use crate::actors::clock::Clock;
use crate::aggregates::agent::AgentStanding;
use crate::events::agent::Rate;
use crate::events::ids::{AgentName, Hash, RunId, Version};
use crate::events::time::Timestamp;
use crate::kernel::Deadline;

/// How many agents are remembered whose slots are all free and wanted by nobody, and of which nothing else is known. Beyond it
/// they are forgotten.
const DESKS_IDLE_MAX: usize = 256;

/// The right to one attempt by an agent. Dropping it gives it to whoever waits longest.
pub struct Slot {
    desk: Arc<Desk>,
    agent: AgentName,
    is_used: bool,
}

impl Slot {
    /// The agent whose slot it is, as who has it calls the agent.
    pub fn agent(&self) -> &AgentName {
        &self.agent
    }

    /// An attempt is made with it: it counts against the agent's rate.
    pub(super) fn take_up(&mut self) {
        self.is_used = true;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.desk.release(self.is_used);
    }
}

/// What somebody who waits for a slot is told.
pub enum News {
    /// Here it is. Whoever is gone drops the slot, which then goes to the next.
    Slot(Slot),
    /// The agent is paused, and nobody waits for its slots any more.
    Paused(AgentName),
}

/// Brings news to whoever waits for a slot.
pub type Bring = Arc<dyn Fn(News) -> BoxFuture<'static, ()> + Send + Sync>;

/// How much an agent does, as one of its definitions says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The definition; none of what is built in, and of functions.
    pub definition: Option<Hash>,
    /// When the run began that brought it. The newest holds for all definitions of a name.
    pub since: Timestamp,
    /// How many attempts it makes at once.
    pub concurrency: u32,
    /// How many attempts it starts in a given time, if that is limited.
    pub rate: Option<Rate>,
}

/// How much is asked of an agent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// How many of its slots are taken.
    pub in_use: u32,
    /// The number of further slots that runs wait for.
    pub waiting: u32,
}

/// The slots of all agents of this process.
pub struct Dispatcher {
    desks: DashMap<String, Arc<Desk>>,
    clock: Arc<dyn Clock>,
    errands: mpsc::UnboundedSender<Errand>,
}

/// What is done for desks beside what they answer at once. There is never more of it than there are slots and runs that wait,
/// and one wake-up a desk, which is what bounds the channel.
enum Errand {
    /// News is on its way to a run.
    Tell(Bring, News),
    /// Nobody may start before that.
    Wake(Arc<Desk>, Timestamp),
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Slot").field(self.agent()).finish()
    }
}

impl Dispatcher {
    /// A dispatcher that brings slots to runs from the current actix arbiter.
    pub fn start(clock: Arc<dyn Clock>) -> Arc<Self> {
        let (errands, mut sent) = mpsc::unbounded_channel::<Errand>();
        let time = Arc::clone(&clock);
        actix::spawn(async move {
            while let Some(errand) = sent.recv().await {
                match errand {
                    Errand::Tell(bring, news) => drop(actix::spawn(bring(news))),
                    Errand::Wake(desk, at) => drop(actix::spawn(wake(desk, at, Arc::clone(&time)))),
                }
            }
        });
        Arc::new(Self { desks: DashMap::new(), clock, errands })
    }

    /// Takes up to `wanted` slots of an agent. None while others wait, and none of one that is paused.
    pub fn try_acquire(&self, agent: &AgentName, limits: &Limits, wanted: u32) -> Vec<Slot> {
        let desk = self.desk(agent, limits);
        let taken = desk.take(wanted);
        let slot = || Slot { desk: Arc::clone(&desk), agent: agent.clone(), is_used: false };
        (0..taken).map(|_| slot()).collect()
    }

    /// Lets a run wait for slots of an agent: so many, instead of what it wanted before. They are brought by `to`.
    pub fn wait(&self, run: &RunId, agent: &AgentName, limits: &Limits, wants: u32, to: Bring) {
        self.desk(agent, limits).wait(run, agent, wants, to);
    }

    /// The run does not wait for slots of an agent any more.
    pub fn wait_no_longer(&self, run: &RunId, agent: &AgentName) {
        self.look(agent, (), |desk| desk.wait_no_longer(run, agent));
    }

    /// Takes note of what an agent's own stream says of it, as of that version.
    pub fn know(&self, agent: &AgentName, version: Version, standing: &AgentStanding) {
        let is_news = standing.newest.is_some() || standing.status() != "active";
        let desk = if is_news { Some(self.desk_of(agent)) } else { self.known(agent) };
        desk.into_iter().for_each(|desk| desk.know(version, standing));
    }

    /// Whether an agent starts nothing, as far as was noted.
    pub fn is_paused(&self, agent: &AgentName) -> bool {
        self.look(agent, false, |desk| desk.is_paused())
    }

    /// Whether no run may begin with an agent, as far as was noted.
    pub fn is_draining(&self, agent: &AgentName) -> bool {
        self.look(agent, false, |desk| desk.is_draining())
    }

    /// Whether no run may begin with some agent, as far as was noted.
    pub fn drains_any(&self) -> bool {
        self.desks.iter().any(|desk| desk.is_draining())
    }

    /// How much is asked of an agent now.
    pub fn load(&self, agent: &AgentName) -> Load {
        self.look(agent, Load::default(), |desk| desk.load())
    }

    /// From here on nobody gets a slot.
    pub fn close(&self) {
        self.desks.iter().for_each(|desk| desk.close());
    }

    fn look<T>(&self, agent: &AgentName, otherwise: T, look: impl FnOnce(&Arc<Desk>) -> T) -> T {
        self.known(agent).map_or(otherwise, |desk| look(&desk))
    }

    fn desk(&self, agent: &AgentName, limits: &Limits) -> Arc<Desk> {
        let desk = self.desk_of(agent);
        desk.offer(limits);
        desk
    }

    /// An agent's desk, if it has one.
    fn known(&self, agent: &AgentName) -> Option<Arc<Desk>> {
        self.desks.get(&agent.key()).map(|desk| Arc::clone(&desk))
    }

    /// The desk of an agent, which is opened if it has none.
    fn desk_of(&self, agent: &AgentName) -> Arc<Desk> {
        let key = agent.key();
        if let Some(desk) = self.desks.get(&key) {
            return Arc::clone(&desk);
        }
        if self.desks.len() >= DESKS_IDLE_MAX {
            // Whoever has a slot has its desk. Nobody gets at another one while it is looked at.
            self.desks.retain(|_, desk| Arc::strong_count(desk) > 1 || desk.is_remembered());
        }
        let desk = self.desks.entry(key).or_insert_with(|| Desk::new(&self.clock, &self.errands));
        Arc::clone(&desk)
    }
}

/// Hands out what may be handed out from that moment on.
async fn wake(desk: Arc<Desk>, at: Timestamp, clock: Arc<dyn Clock>) {
    let due = Deadline::Steady(at);
    while !due.has_come(clock.now()) {
        clock.wait_until(due.into()).await;
    }
    desk.woken();
}
