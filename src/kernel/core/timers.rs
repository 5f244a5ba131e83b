//! The timers of a driven aggregate: of each clock only the first moment is told.

use std::collections::BTreeMap;

use crate::events::time::Timestamp;
use crate::kernel::clocks::{Deadline, Due, Now};

/// The wake-ups of one aggregate. One that is not wanted any more stays; when its moment comes, deciding
/// on it changes nothing.
#[derive(Clone)]
pub(super) struct Timers<E> {
    steady: Queue<E>,
    wall: Queue<E>,
    /// The moments that were told last.
    told: Due,
}

type Queue<E> = BTreeMap<Timestamp, Vec<E>>;

impl<E> Default for Timers<E> {
    fn default() -> Self {
        Self { steady: BTreeMap::new(), wall: BTreeMap::new(), told: Due::NEVER }
    }
}

impl<E> Timers<E> {
    pub(super) fn add(&mut self, deadline: Deadline, effect: E) {
        let (queue, at) = match deadline {
            Deadline::Steady(at) => (&mut self.steady, at),
            Deadline::Wall(at) => (&mut self.wall, at),
        };
        queue.entry(at).or_default().push(effect);
    }

    pub(super) fn clear(&mut self) {
        self.steady.clear();
        self.wall.clear();
    }

    /// Takes out the effects whose moments have come, in the order of each clock.
    pub(super) fn take_due(&mut self, now: Now) -> impl Iterator<Item = E> + use<E> {
        take_upto(&mut self.steady, now.steady).chain(take_upto(&mut self.wall, now.wall))
    }

    /// When it is to be woken first; none if that was told already.
    pub(super) fn change(&mut self) -> Option<Due> {
        let first = |queue: &Queue<E>| queue.first_key_value().map(|(at, _)| *at);
        let first = Due { steady: first(&self.steady), wall: first(&self.wall) };
        (first != self.told).then(|| {
            self.told = first;
            first
        })
    }

    /// Forgets what was told last, because it has been used.
    pub(super) fn forget_told(&mut self) {
        self.told = Due::NEVER;
    }
}

fn take_upto<E>(queue: &mut Queue<E>, now: Timestamp) -> impl Iterator<Item = E> + use<E> {
    let later = queue.split_off(&now.after(std::time::Duration::from_micros(1)));
    std::mem::replace(queue, later).into_values().flatten()
}
