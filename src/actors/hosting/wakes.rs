//! One heap for all durable wake-ups, in the order in which they are due: of each stream the first by each clock. A wake-up
//! comes once its moment has come: late rather than never, never early.
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
use crate::kernel::{Due, Now};

/// The wakes of all streams, in the order of their moments by each clock.
#[derive(Default)]
pub(super) struct Wakes {
    queue: Mutex<Queue>,
    /// The first has changed.
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    steady: InOrder,
    wall: InOrder,
    of: HashMap<StreamId, Due>,
    closed: bool,
}

type InOrder = BTreeSet<(Timestamp, StreamId)>;

impl Wakes {
    /// Wakes a stream then, and at no other moment.
    pub(super) fn set(&self, stream: &StreamId, due: Due) {
        let mut queue = self.queue();
        let before = queue.first();
        queue.remove(stream);
        if due.is_some() {
            queue.insert(stream, due);
        }
        if queue.first() != before {
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
            let first = self.queue().first();
            tokio::select! {
                () = clock.wait_until(first) => {}
                () = changes => {}
            }
        }
    }

    /// Takes out whoever is due.
    fn take_due(&self, now: Now) -> Vec<StreamId> {
        let mut queue = self.queue();
        let mut due = Vec::new();
        while let Some(stream) = queue.first_due(now) {
            queue.remove(&stream);
            due.push(stream);
        }
        due
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn insert(&mut self, stream: &StreamId, due: Due) {
        self.steady.extend(due.steady.map(|at| (at, stream.clone())));
        self.wall.extend(due.wall.map(|at| (at, stream.clone())));
        self.of.insert(stream.clone(), due);
    }

    fn remove(&mut self, stream: &StreamId) {
        let Some(Due { steady, wall }) = self.of.remove(stream) else { return };
        for (order, at) in [(&mut self.steady, steady), (&mut self.wall, wall)] {
            if let Some(at) = at {
                order.remove(&(at, stream.clone()));
            }
        }
    }

    /// When the first is due by each clock.
    fn first(&self) -> Due {
        let first = |order: &InOrder| order.first().map(|(at, _)| *at);
        Due { steady: first(&self.steady), wall: first(&self.wall) }
    }

    fn first_due(&self, now: Now) -> Option<StreamId> {
        let due = |order: &InOrder, now| {
            order.first().filter(|(at, _)| *at <= now).map(|(_, stream)| stream.clone())
        };
        due(&self.steady, now.steady).or_else(|| due(&self.wall, now.wall))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_woken_by_whichever_clock_comes_first_and_once() {
        let (wakes, stream) = (Wakes::default(), StreamId::new("test", "r"));
        let now = |steady, wall| Now { steady: Timestamp(steady), wall: Timestamp(wall) };
        let both = Due { steady: Some(Timestamp(10)), wall: Some(Timestamp(20)) };
        wakes.set(&stream, both);
        assert!(wakes.take_due(now(9, 19)).is_empty());
        assert_eq!(
            wakes.take_due(now(9, 20)),
            std::slice::from_ref(&stream),
            "somebody has set the wall clock"
        );
        assert!(wakes.take_due(now(90, 90)).is_empty());
        wakes.set(&stream, both);
        wakes.set(&stream, Due { wall: Some(Timestamp(15)), ..Due::NEVER });
        assert!(wakes.take_due(now(90, 14)).is_empty(), "what it wanted before does not count");
        assert_eq!(wakes.take_due(now(0, 15)), [stream]);
    }
}
