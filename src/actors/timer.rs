//! One queue for all durable wake-ups, in the order in which they are due. A timer fires once its moment has come: late rather than never, never early.
//!
//! It holds nothing that matters: every timer is an open effect of a run, set again when the run is loaded. A
//! run that is asked about a timer that it does not have, or not yet, does nothing.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, SpawnHandle, WrapFuture};

use super::clock::Clock;
use super::communicator::Communicator;
use crate::events::ids::{RunId, TimerId};
use crate::events::time::Timestamp;

/// Asks to be woken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Message)]
#[rtype(result = "()")]
pub struct Wake {
    /// Not before.
    pub at: Timestamp,
    /// Whom.
    pub run: RunId,
    /// Why.
    pub timer: TimerId,
}

/// The actor that waits.
pub struct TimerActor {
    communicator: Weak<Communicator>,
    clock: Arc<dyn Clock>,
    /// The first is due first. A run that is loaded again sets its timers again, which are then still one.
    queue: BTreeSet<Wake>,
    /// What waits for the first.
    waiting: Option<SpawnHandle>,
}

impl TimerActor {
    /// A timer that wakes runs through the communicator.
    pub fn new(communicator: Weak<Communicator>, clock: Arc<dyn Clock>) -> Self {
        Self { communicator, clock, queue: BTreeSet::new(), waiting: None }
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
                self.fire(due);
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

impl Handler<Wake> for TimerActor {
    type Result = ();

    fn handle(&mut self, wake: Wake, actor: &mut Context<Self>) {
        let sooner = self.queue.first().is_none_or(|first| wake.at < first.at);
        self.queue.insert(wake);
        if sooner {
            self.fire_and_wait(actor);
        }
    }
}
