//! The performers of open effects that last: each has exactly one.

use std::collections::HashMap;

use crate::kernel::effect::{Effect, Lasts};

/// The performer of an open effect that lasts.
#[derive(Debug, Clone)]
enum Performer<E> {
    /// This process performs it.
    Here(E),
    /// Another stream, which this process has asked.
    Sent(E),
    /// This process performs it, but its result does not count: it is stopped when that is recorded.
    GivenUp(E),
    /// No process performs it: the next that drives the stream does.
    Nowhere(E),
    /// A process that is gone performed it, and may have left something running.
    Orphaned(E),
    /// No process performs it, and what was left running is ended: it is to be recorded as lost.
    Lost,
}

/// The performers of all open effects that last.
#[derive(Clone)]
pub(super) struct Performers<E: Effect> {
    of: HashMap<E::Id, Performer<E>>,
    here: usize,
    sent: usize,
    given_up: usize,
    nowhere: usize,
    orphaned: usize,
}

impl<E: Effect> Default for Performers<E> {
    fn default() -> Self {
        Self { of: HashMap::new(), here: 0, sent: 0, given_up: 0, nowhere: 0, orphaned: 0 }
    }
}

impl<E: Effect> Performers<E> {
    fn count(&mut self, performer: &Performer<E>) -> Option<&mut usize> {
        match performer {
            Performer::Here(_) => Some(&mut self.here),
            Performer::Sent(_) => Some(&mut self.sent),
            Performer::GivenUp(_) => Some(&mut self.given_up),
            Performer::Nowhere(_) => Some(&mut self.nowhere),
            Performer::Orphaned(_) => Some(&mut self.orphaned),
            Performer::Lost => None,
        }
    }

    fn put(&mut self, id: E::Id, performer: Performer<E>) {
        self.count(&performer).into_iter().for_each(|count| *count += 1);
        if let Some(before) = self.of.insert(id, performer) {
            self.count(&before).into_iter().for_each(|count| *count -= 1);
        }
    }

    fn take(&mut self, id: &E::Id) -> Option<Performer<E>> {
        let performer = self.of.remove(id)?;
        self.count(&performer).into_iter().for_each(|count| *count -= 1);
        Some(performer)
    }

    /// Notes that this process performs it, or asks another stream to.
    pub(super) fn here(&mut self, effect: E) {
        let is_message = effect.lasts() == Lasts::Answer;
        self.put(effect.id(), if is_message { Performer::Sent(effect) } else { Performer::Here(effect) });
    }

    /// Notes that no process performs it: the next that drives the stream does.
    pub(super) fn nowhere(&mut self, effect: E) {
        self.put(effect.id(), Performer::Nowhere(effect));
    }

    /// Notes that what other streams were asked must be asked again by the next that drives this stream.
    pub(super) fn forget_sent(&mut self) {
        if self.sent == 0 {
            return;
        }
        let sent = self.of.values().filter_map(|performer| match performer {
            Performer::Sent(effect) => Some(effect.clone()),
            _ => None,
        });
        let sent: Vec<E> = sent.collect();
        sent.into_iter().for_each(|effect| self.nowhere(effect));
    }

    /// Whether its result counts if it comes now.
    pub(super) fn counts(&self, effect: &E::Id) -> bool {
        matches!(self.of.get(effect), Some(Performer::Here(_) | Performer::Sent(_)))
    }

    /// Notes that this process does not perform it any more, though it is open. Answers whether it is to
    /// be recorded as lost.
    pub(super) fn put_down(&mut self, id: &E::Id) -> bool {
        let performer = match self.take(id) {
            Some(Performer::Sent(effect)) => Performer::Nowhere(effect),
            Some(Performer::Here(_) | Performer::GivenUp(_)) => Performer::Lost,
            Some(performer) => performer,
            None => return false,
        };
        let is_lost = matches!(performer, Performer::Lost);
        self.put(id.clone(), performer);
        is_lost
    }

    /// Notes that it is not open any more. Answers whether this process performed it although its
    /// result did not count.
    pub(super) fn close(&mut self, id: &E::Id) -> bool {
        matches!(self.take(id), Some(Performer::GivenUp(_)))
    }

    /// Takes in which effects are open in a state that was loaded again. No result of what was performed here
    /// before counts: it may have been lost, together with what was asked meanwhile. Answers the ids of those
    /// performed here that are not open any more.
    pub(super) fn reload(&mut self, open: Vec<E>) -> Vec<E::Id> {
        let mut before = std::mem::take(self);
        for effect in open {
            let id = effect.id();
            let performer = match (effect.lasts(), before.take(&id)) {
                (Lasts::Process, Some(Performer::Here(effect) | Performer::GivenUp(effect))) => {
                    Performer::GivenUp(effect)
                }
                (Lasts::Process, _) => Performer::Orphaned(effect),
                (Lasts::Answer, _) => Performer::Nowhere(effect),
                (Lasts::Hint | Lasts::Told | Lasts::Until(_) | Lasts::Elsewhere, _) => continue,
            };
            self.put(id, performer);
        }
        let is_here =
            |performer: &Performer<E>| matches!(performer, Performer::Here(_) | Performer::GivenUp(_));
        before.of.into_iter().filter(|(_, performer)| is_here(performer)).map(|(id, _)| id).collect()
    }

    /// Takes out the effects that nobody performs: this process performs them from here on.
    pub(super) fn take_unmade(&mut self) -> Vec<E> {
        if self.nowhere == 0 {
            return Vec::new();
        }
        let unmade = self.of.values().filter_map(|performer| match performer {
            Performer::Nowhere(effect) => Some(effect.clone()),
            _ => None,
        });
        let unmade: Vec<E> = unmade.collect();
        unmade.iter().cloned().for_each(|effect| self.here(effect));
        unmade
    }

    /// Whether any effect was performed by a process that is gone.
    pub(super) fn has_orphans(&self) -> bool {
        self.orphaned > 0
    }

    /// Takes out, once, the effects that a dead process performed.
    pub(super) fn take_orphans(&mut self) -> Vec<E> {
        let orphans = self.of.values().filter_map(|performer| match performer {
            Performer::Orphaned(effect) => Some(effect.clone()),
            _ => None,
        });
        let orphans: Vec<E> = orphans.collect();
        orphans.iter().for_each(|effect| self.put(effect.id(), Performer::Lost));
        orphans
    }

    /// The ids of effects that are not lost if the stream is taken over now.
    pub(super) fn kept(&self) -> impl Iterator<Item = &E::Id> {
        let is_kept = |performer: &Performer<E>| {
            matches!(performer, Performer::Here(_) | Performer::Sent(_) | Performer::Nowhere(_))
        };
        self.of.iter().filter(move |(_, performer)| is_kept(performer)).map(|(id, _)| id)
    }

    /// How many effects whose results count are performed here, or were asked of other streams.
    pub(super) fn in_flight(&self) -> usize {
        self.here + self.sent
    }

    /// Whether nothing is performed here.
    pub(super) fn are_quiet(&self) -> bool {
        self.here + self.sent + self.given_up == 0
    }
}
