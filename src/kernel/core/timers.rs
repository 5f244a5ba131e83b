//! When an aggregate that is driven is woken: one moment, the first, is told.

use std::collections::BTreeMap;

use crate::events::time::Timestamp;

/// The wake-ups of one aggregate. One that is not wanted any more stays, and is decided to be nothing when its moment comes.
#[derive(Clone)]
pub(super) struct Timers<E> {
    queue: BTreeMap<Timestamp, Vec<E>>,
    /// The moment that was told last.
    told: Option<Timestamp>,
}

impl<E> Default for Timers<E> {
    fn default() -> Self {
        Self { queue: BTreeMap::new(), told: None }
    }
}

impl<E> Timers<E> {
    pub(super) fn add(&mut self, at: Timestamp, effect: E) {
        self.queue.entry(at).or_default().push(effect);
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }

    /// Takes out those whose moment has come, in order.
    pub(super) fn take_due(&mut self, now: Timestamp) -> impl Iterator<Item = E> + use<E> {
        let later = self.queue.split_off(&now.after(std::time::Duration::from_micros(1)));
        std::mem::replace(&mut self.queue, later).into_values().flatten()
    }

    /// When it is to be woken first, if that is news; none inside means not at all.
    pub(super) fn change(&mut self) -> Option<Option<Timestamp>> {
        let first = self.queue.first_key_value().map(|(at, _)| *at);
        (first != self.told).then(|| {
            self.told = first;
            first
        })
    }

    /// What was told is used up.
    pub(super) fn forget_told(&mut self) {
        self.told = None;
    }
}
