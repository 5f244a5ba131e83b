//! One heap for all durable wake-ups. A timer fires once its moment has come: late rather than never, never early.
//!
//! The heap holds nothing that matters: every timer is an open effect of a run, set again when the run is loaded. A
//! run that is asked about a timer that it does not have, or not yet, does nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
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
    heap: BinaryHeap<Reverse<Wake>>,
    /// What waits for the first of the heap.
    waiting: Option<SpawnHandle>,
}

impl TimerActor {
    /// A timer that wakes runs through the communicator.
    pub fn new(communicator: Weak<Communicator>, clock: Arc<dyn Clock>) -> Self {
        Self { communicator, clock, heap: BinaryHeap::new(), waiting: None }
    }

    fn fire_and_wait(&mut self, actor: &mut Context<Self>) {
        if let Some(waiting) = self.waiting.take() {
            actor.cancel_future(waiting);
        }
        let now = self.clock.now();
        while let Some(Reverse(first)) = self.heap.peek() {
            if first.at > now {
                let (clock, at) = (Arc::clone(&self.clock), first.at);
                let wait = async move { clock.wait_until(at).await };
                self.waiting = Some(actor.spawn(wait.into_actor(self).map(|(), timer, actor| {
                    timer.waiting = None;
                    timer.fire_and_wait(actor);
                })));
                return;
            }
            if let Some(Reverse(due)) = self.heap.pop() {
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
        let sooner = self.heap.peek().is_none_or(|Reverse(first)| wake.at < first.at);
        self.heap.push(Reverse(wake));
        if sooner {
            self.fire_and_wait(actor);
        }
    }
}
