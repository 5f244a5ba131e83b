//! The slots of one agent, and who waits for them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use super::{Bring, Errand, Limits, Load, News, Slot};
use crate::actors::agents::pace::Pace;
use crate::actors::clock::Clock;
use crate::aggregates::agent::AgentStanding;
use crate::events::ids::{AgentName, RunId, Version};
use crate::events::time::Timestamp;

pub(super) struct Desk {
    queue: Mutex<Queue>,
    clock: Arc<dyn Clock>,
    errands: mpsc::UnboundedSender<Errand>,
}

#[derive(Default)]
struct Queue {
    /// Those of the newest definition.
    limits: Option<Limits>,
    pace: Option<Pace>,
    in_use: u32,
    waiting: VecDeque<Waiting>,
    /// The version of the agent's stream as of which the next two are known.
    version: Version,
    paused: bool,
    draining: bool,
    /// Whether somebody hands out slots when a turn comes.
    is_awaited: bool,
    closed: bool,
}

struct Waiting {
    run: RunId,
    agent: AgentName,
    to: Bring,
    /// The number of slots that it still wants, at least one.
    wants: u32,
}

/// The reasons for which there is no slot.
enum NoSlot {
    /// Until one is given back, or the agent takes work.
    Taken,
    /// The rate has no turn before that.
    NotBefore(Timestamp),
}

impl Queue {
    fn take(&mut self) -> Result<(), NoSlot> {
        let concurrency = self.limits.map_or(0, |limits| limits.concurrency);
        if self.closed || self.paused || self.in_use >= concurrency {
            return Err(NoSlot::Taken);
        }
        if let Some(pace) = &mut self.pace {
            pace.take().map_err(NoSlot::NotBefore)?;
        }
        self.in_use += 1;
        Ok(())
    }

    fn hold(&mut self, limits: Limits, clock: &Arc<dyn Clock>) {
        if self.pace.as_ref().map(Pace::rate) != limits.rate {
            self.pace = limits.rate.map(|rate| Pace::of(rate, clock));
        }
        self.limits = Some(limits);
    }
}

impl Desk {
    pub(super) fn new(clock: &Arc<dyn Clock>, errands: &mpsc::UnboundedSender<Errand>) -> Arc<Self> {
        let (queue, clock) = (Mutex::new(Queue::default()), Arc::clone(clock));
        Arc::new(Self { queue, clock, errands: errands.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These limits hold from here on, if they are newer than those that do.
    pub(super) fn offer(self: &Arc<Self>, limits: &Limits) {
        let mut queue = self.lock();
        if queue.limits.is_none_or(|held| held.since < limits.since) {
            queue.hold(*limits, &self.clock);
            drop(queue);
            self.hand_out();
        }
    }

    /// This is known of the agent as of that version of its stream.
    pub(super) fn know(self: &Arc<Self>, version: Version, standing: &AgentStanding) {
        let mut queue = self.lock();
        if version < queue.version {
            return;
        }
        (queue.version, queue.draining) = (version, standing.draining.is_some());
        queue.paused = standing.paused.is_some();
        let newest = standing.newest.as_ref().map(|newest| Limits {
            definition: Some(newest.definition.hash),
            since: newest.since,
            concurrency: newest.concurrency,
            rate: newest.rate,
        });
        let is_held = |newest: &Limits| queue.limits.is_some_and(|held| held.since > newest.since);
        if let Some(newest) = newest.filter(|newest| !is_held(newest)) {
            queue.hold(newest, &self.clock);
        }
        let told = if queue.paused { std::mem::take(&mut queue.waiting) } else { VecDeque::new() };
        drop(queue);
        for Waiting { agent, to, .. } in told {
            self.send(Errand::Tell(to, News::Paused(agent)));
        }
        self.hand_out();
    }

    pub(super) fn take(self: &Arc<Self>, wanted: u32) -> u32 {
        let mut queue = self.lock();
        let may = queue.waiting.is_empty();
        let mut taken = 0;
        while may && taken < wanted && queue.take().is_ok() {
            taken += 1;
        }
        taken
    }

    pub(super) fn wait(self: &Arc<Self>, run: &RunId, agent: &AgentName, wants: u32, to: Bring) {
        let mut queue = self.lock();
        if queue.paused && wants > 0 {
            drop(queue);
            return self.send(Errand::Tell(to, News::Paused(agent.clone())));
        }
        let place = queue.place(run, agent);
        if wants > 0 {
            let waiting = Waiting { run: run.clone(), agent: agent.clone(), to, wants };
            match place.and_then(|place| queue.waiting.get_mut(place)) {
                Some(before) => *before = waiting,
                None => queue.waiting.push_back(waiting),
            }
        } else if let Some(place) = place {
            queue.waiting.remove(place);
        }
        drop(queue);
        self.hand_out();
    }

    pub(super) fn wait_no_longer(&self, run: &RunId, agent: &AgentName) {
        let mut queue = self.lock();
        if let Some(place) = queue.place(run, agent) {
            queue.waiting.remove(place);
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.lock().paused
    }

    pub(super) fn is_draining(&self) -> bool {
        self.lock().draining
    }

    /// Whether it has to be kept though nobody has a slot of it.
    pub(super) fn is_remembered(&self) -> bool {
        let queue = self.lock();
        let is_limited =
            queue.limits.is_some_and(|limits| limits.definition.is_some()) || queue.pace.is_some();
        is_limited || queue.paused || queue.draining || !queue.waiting.is_empty()
    }

    pub(super) fn load(&self) -> Load {
        let queue = self.lock();
        let waiting = queue.waiting.iter().fold(0, |sum: u32, waiting| sum.saturating_add(waiting.wants));
        Load { in_use: queue.in_use, waiting }
    }

    pub(super) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.waiting.clear();
    }

    pub(super) fn release(self: &Arc<Self>, was_used: bool) {
        {
            let mut queue = self.lock();
            queue.in_use = queue.in_use.saturating_sub(1);
            if let Some(pace) = queue.pace.as_mut().filter(|_| !was_used) {
                pace.put_back();
            }
        }
        self.hand_out();
    }

    /// A turn of its rate has come.
    pub(super) fn woken(self: &Arc<Self>) {
        self.lock().is_awaited = false;
        self.hand_out();
    }

    /// Gives free slots to those who wait, one each in turn.
    fn hand_out(self: &Arc<Self>) {
        loop {
            let (to, agent) = {
                let mut queue = self.lock();
                if queue.waiting.is_empty() {
                    return;
                }
                match queue.take() {
                    Ok(()) => {}
                    Err(NoSlot::NotBefore(at)) if !queue.is_awaited => {
                        queue.is_awaited = true;
                        return self.send(Errand::Wake(Arc::clone(self), at));
                    }
                    Err(_) => return,
                }
                let Some(mut first) = queue.waiting.pop_front() else { return };
                first.wants -= 1;
                let given = (first.to.clone(), first.agent.clone());
                if first.wants > 0 {
                    queue.waiting.push_back(first);
                }
                given
            };
            let slot = Slot { desk: Arc::clone(self), agent, is_used: false };
            self.send(Errand::Tell(to, News::Slot(slot)));
        }
    }

    fn send(&self, errand: Errand) {
        // If the receiver is gone the process ends, and slots with it.
        let _ = self.errands.send(errand);
    }
}

impl Queue {
    fn place(&self, run: &RunId, agent: &AgentName) -> Option<usize> {
        self.waiting.iter().position(|waiting| waiting.run == *run && waiting.agent == *agent)
    }
}
