//! One heap for all durable wake-ups, in the order in which they are due: of each stream the first. A wake-up comes once
//! its moment has come: late rather than never, never early.
//!
//! It holds nothing that matters: every wake-up is an open effect of a stream, and is set again when that is loaded and
//! driven. Where all streams are driven, those that are put away are left out: who is due when stands in a projection (see
//! [`super::waker`]).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::actors::clock::Clock;
use crate::events::ids::StreamId;
use crate::events::time::Timestamp;

/// The heap.
#[derive(Default)]
pub(super) struct Wakes {
    queue: Mutex<Queue>,
    /// The first has changed.
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    in_order: BTreeSet<(Timestamp, StreamId)>,
    of: HashMap<StreamId, Timestamp>,
    closed: bool,
}

impl Wakes {
    /// Wakes a stream at that moment, and at no other; none means not at all.
    pub(super) fn set(&self, stream: &StreamId, at: Option<Timestamp>) {
        let mut queue = self.queue();
        let first = queue.in_order.first().map(|(at, _)| *at);
        if let Some(before) = queue.of.remove(stream) {
            queue.in_order.remove(&(before, stream.clone()));
        }
        let Some(at) = at else { return };
        queue.of.insert(stream.clone(), at);
        queue.in_order.insert((at, stream.clone()));
        if first.is_none_or(|first| at < first) {
            self.changed.notify_one();
        }
    }

    /// Forgets all, and wakes nobody any more.
    pub(super) fn close(&self) {
        *self.queue() = Queue { closed: true, ..Queue::default() };
        self.changed.notify_one();
    }

    /// Ends when somebody is due, who are taken out; none once it is closed.
    pub(super) async fn due(&self, clock: &dyn Clock) -> Option<Vec<StreamId>> {
        loop {
            let changes = self.changed.notified();
            if self.queue().closed {
                return None;
            }
            let due = self.take_due(clock.now());
            if !due.is_empty() {
                return Some(due);
            }
            let Some(at) = self.first() else {
                changes.await;
                continue;
            };
            tokio::select! {
                () = clock.wait_until(at) => {}
                () = changes => {}
            }
        }
    }

    /// Takes out whoever is due.
    fn take_due(&self, now: Timestamp) -> Vec<StreamId> {
        let mut queue = self.queue();
        let mut due = Vec::new();
        while let Some((_, stream)) = queue.in_order.first().filter(|(at, _)| *at <= now).cloned() {
            queue.in_order.pop_first();
            queue.of.remove(&stream);
            due.push(stream);
        }
        due
    }

    fn first(&self) -> Option<Timestamp> {
        self.queue().in_order.first().map(|(at, _)| *at)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
