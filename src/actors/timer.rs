//! One queue for all durable wake-ups, in the order in which they are due. A timer fires once its moment has come: late rather than never, never early.
//!
//! It holds nothing that matters: every timer is an open effect of a run, set again when the run is loaded. A
//! run that is asked about a timer that it does not have, or not yet, does nothing. Where all runs are driven, those of runs
//! that are put away are forgotten: who is due when stands in the list of runs (see [`super::waker`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Weak};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, SpawnHandle, WrapFuture};

use super::clock::Clock;
use super::communicator::Communicator;
use crate::events::ids::{RunId, TimerId};
use crate::events::time::Timestamp;

/// A moment at which a run wants to be woken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wake {
    /// Not before.
    pub at: Timestamp,
    /// Whom.
    pub run: RunId,
    /// Why.
    pub timer: TimerId,
}

/// Asks for a wake-up.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct SetTimer {
    /// When, whom and why.
    pub wake: Wake,
    /// What was sent later has a greater number, also where it comes first.
    pub number: u64,
}

/// Asks to wake a run no more: it is put away, and somebody else knows when it is due.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Forget {
    /// Whom.
    pub run: RunId,
    /// What was set later, by whoever loaded the run again, stays.
    pub before: u64,
}

/// The actor that waits.
pub struct TimerActor {
    communicator: Weak<Communicator>,
    clock: Arc<dyn Clock>,
    /// The first is due first. A run that is loaded again sets its timers again, which are then still one.
    queue: BTreeSet<Wake>,
    /// What of the queue is whose.
    of: HashMap<RunId, BTreeMap<(Timestamp, TimerId), u64>>,
    /// What waits for the first.
    waiting: Option<SpawnHandle>,
}

impl TimerActor {
    /// A timer that wakes runs through the communicator.
    pub fn new(communicator: Weak<Communicator>, clock: Arc<dyn Clock>) -> Self {
        Self { communicator, clock, queue: BTreeSet::new(), of: HashMap::new(), waiting: None }
    }

    fn fire_and_wait(&mut self, actor: &mut Context<Self>) {
        if let Some(waiting) = self.waiting.take() {
            actor.cancel_future(waiting);
        }
        let now = self.clock.now();
        while let Some(first) = self.queue.first() {
            if first.at > now {
                let (clock, at) = (Arc::clone(&self.clock), first.at);
                let wait = async move { clock.wait_until(at).await };
                self.waiting = Some(actor.spawn(wait.into_actor(self).map(|(), timer, actor| {
                    timer.waiting = None;
                    timer.fire_and_wait(actor);
                })));
                return;
            }
            if let Some(due) = self.queue.pop_first() {
                self.note_fired(&due);
                self.fire(due);
            }
        }
    }

    fn note_fired(&mut self, Wake { at, run, timer }: &Wake) {
        if let Some(of) = self.of.get_mut(run) {
            of.remove(&(*at, timer.clone()));
            if of.is_empty() {
                self.of.remove(run);
            }
        }
    }

    fn fire(&self, due: Wake) {
        if let Some(communicator) = self.communicator.upgrade() {
            actix::spawn(async move { communicator.wake(due.run, due.timer).await });
        }
    }
}

impl Actor for TimerActor {
    type Context = Context<Self>;
}

impl Handler<SetTimer> for TimerActor {
    type Result = ();

    fn handle(&mut self, SetTimer { wake, number }: SetTimer, actor: &mut Context<Self>) {
        let sooner = self.queue.first().is_none_or(|first| wake.at < first.at);
        self.of.entry(wake.run.clone()).or_default().insert((wake.at, wake.timer.clone()), number);
        self.queue.insert(wake);
        if sooner {
            self.fire_and_wait(actor);
        }
    }
}

impl Handler<Forget> for TimerActor {
    type Result = ();

    fn handle(&mut self, Forget { run, before }: Forget, actor: &mut Context<Self>) {
        let Some(mut of) = self.of.remove(&run) else { return };
        of.retain(|(at, timer), number| {
            let stays = *number > before;
            if !stays {
                self.queue.remove(&Wake { at: *at, run: run.clone(), timer: timer.clone() });
            }
            stays
        });
        if !of.is_empty() {
            self.of.insert(run, of);
        }
        self.fire_and_wait(actor);
    }
}
