//! The queue in front of the agents: who gets a slot, and who waits for one.
//!
//! It holds nothing that matters: what is open is known by the runs, and the queue can be made again from them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use crate::events::ids::{AgentName, RunId};

/// How many agents are remembered whose slots are all free and wanted by nobody. Beyond it they are forgotten.
const DESKS_IDLE_MAX: usize = 256;

/// The right to one attempt by an agent. Dropping it gives it to whoever waits longest.
pub struct Slot {
    desk: Arc<Desk>,
}

impl Slot {
    /// Whose it is.
    pub fn agent(&self) -> &AgentName {
        &self.desk.agent
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.desk.release();
    }
}

/// Brings a slot to whoever waited for it. Whoever is gone drops the slot, which then goes to the next.
pub type GiveSlot = Arc<dyn Fn(Slot) -> BoxFuture<'static, ()> + Send + Sync>;

/// The slots of all agents of this process.
pub struct Dispatcher {
    desks: DashMap<AgentName, Arc<Desk>>,
    grants: mpsc::UnboundedSender<Grant>,
}

/// A slot on its way to a run. There are never more than there are slots, which is what bounds the channel.
struct Grant {
    to: GiveSlot,
    slot: Slot,
}

struct Desk {
    agent: AgentName,
    queue: Mutex<Queue>,
    grants: mpsc::UnboundedSender<Grant>,
}

struct Queue {
    free: u32,
    waiting: VecDeque<Waiting>,
    closed: bool,
}

struct Waiting {
    run: RunId,
    to: GiveSlot,
    /// How many slots it wants.
    wants: u32,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Slot").field(self.agent()).finish()
    }
}

impl Dispatcher {
    /// A dispatcher that brings slots to runs from the current actix arbiter.
    pub fn start() -> Arc<Self> {
        let (grants, mut granted) = mpsc::unbounded_channel::<Grant>();
        actix::spawn(async move {
            while let Some(Grant { to, slot }) = granted.recv().await {
                actix::spawn(to(slot));
            }
        });
        Arc::new(Self { desks: DashMap::new(), grants })
    }

    /// Takes up to `wanted` slots of an agent, which has `concurrency` in all. None while others wait.
    pub fn try_acquire(&self, agent: &AgentName, concurrency: u32, wanted: u32) -> Vec<Slot> {
        let desk = self.desk(agent, concurrency);
        let taken = {
            let mut queue = desk.lock();
            let taken = if queue.waiting.is_empty() && !queue.closed { wanted.min(queue.free) } else { 0 };
            queue.free -= taken;
            taken
        };
        (0..taken).map(|_| Slot { desk: Arc::clone(&desk) }).collect()
    }

    /// Lets a run wait for slots of an agent: so many, instead of what it wanted before. They are brought by `to`.
    pub fn wait(&self, run: &RunId, agent: &AgentName, concurrency: u32, wants: u32, to: GiveSlot) {
        let desk = self.desk(agent, concurrency);
        {
            let mut queue = desk.lock();
            let place = queue.waiting.iter().position(|waiting| waiting.run == *run);
            match (place, wants) {
                (None, 0) => return,
                (Some(place), 0) => {
                    queue.waiting.remove(place);
                }
                (Some(place), _) => {
                    if let Some(waiting) = queue.waiting.get_mut(place) {
                        *waiting = Waiting { run: run.clone(), to, wants };
                    }
                }
                (None, _) => queue.waiting.push_back(Waiting { run: run.clone(), to, wants }),
            }
        }
        desk.hand_out();
    }

    /// From here on nobody gets a slot.
    pub fn close(&self) {
        for desk in &self.desks {
            let mut queue = desk.lock();
            queue.closed = true;
            queue.waiting.clear();
        }
    }

    fn desk(&self, agent: &AgentName, concurrency: u32) -> Arc<Desk> {
        if let Some(desk) = self.desks.get(agent) {
            return Arc::clone(&desk);
        }
        if self.desks.len() >= DESKS_IDLE_MAX {
            // Whoever has a slot has its desk. Nobody gets at another one while it is looked at.
            self.desks.retain(|_, desk| Arc::strong_count(desk) > 1 || !desk.lock().waiting.is_empty());
        }
        let desk = self.desks.entry(agent.clone()).or_insert_with(|| {
            let queue = Queue { free: concurrency, waiting: VecDeque::new(), closed: false };
            Arc::new(Desk { agent: agent.clone(), queue: Mutex::new(queue), grants: self.grants.clone() })
        });
        Arc::clone(&desk)
    }
}

impl Desk {
    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release(self: &Arc<Self>) {
        self.lock().free += 1;
        self.hand_out();
    }

    /// Gives free slots to those who wait, one each in turn.
    fn hand_out(self: &Arc<Self>) {
        loop {
            let to = {
                let mut queue = self.lock();
                if queue.free == 0 {
                    return;
                }
                let Some(mut first) = queue.waiting.pop_front() else { return };
                queue.free -= 1;
                first.wants -= 1;
                let to = first.to.clone();
                if first.wants > 0 {
                    queue.waiting.push_back(first);
                }
                to
            };
            // If the receiver is gone the process ends, and slots with it.
            let _ = self.grants.send(Grant { to, slot: Slot { desk: Arc::clone(self) } });
        }
    }
}
