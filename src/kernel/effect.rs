//! What a state wants done in the world.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use super::clocks::Deadline;

/// Something that a state wants done in the world.
pub trait Effect: Clone + Send + fmt::Debug + 'static {
    /// The type of its ids, which tell effects of a state apart.
    type Id: Clone + Eq + Hash + Send + fmt::Debug + 'static;

    /// Its id: as long as an effect is open, no other has it.
    fn id(&self) -> Self::Id;

    /// For how long it is performed, and what becomes of it when its process dies.
    fn lasts(&self) -> Lasts;
}

/// The effect of a kind for which nothing is done in the world: there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoEffect {}

impl Effect for NoEffect {
    type Id = ();

    fn id(&self) {
        match *self {}
    }

    fn lasts(&self) -> Lasts {
        match *self {}
    }
}

/// How long performing an effect lasts, and what happens to it when the process that performs it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// No process performs it: it is only a hint to the code that decides, or somebody outside sees to it.
    Hint,
    /// It is told once it is open, and once more by every process that takes the stream over; telling it
    /// twice does no harm.
    Told,
    /// It is a wake-up at that moment.
    Until(Deadline),
    /// A process performs it until it reports; if the process dies, it is lost.
    Process,
    /// It asks something of another stream, whose answer comes as a command. The process that drives the
    /// stream asks, and the next one that drives it asks again.
    Answer,
    /// Another stream goes on with it. Every process that drives the stream tells it once more, in case
    /// the answer was lost.
    Elsewhere,
}

/// The effects that a fold opened and closed, in order.
#[derive(Debug, Clone)]
pub struct EffectChanges<E: Effect> {
    opened: Vec<E>,
    /// Each id with the number of effects that were opened before it was closed.
    closed: Vec<(E::Id, usize)>,
}

impl<E: Effect> Default for EffectChanges<E> {
    fn default() -> Self {
        Self { opened: Vec::new(), closed: Vec::new() }
    }
}

impl<E: Effect> EffectChanges<E> {
    /// Notes that an effect is open from here on.
    pub fn open(&mut self, effect: E) {
        self.opened.push(effect);
    }

    /// Notes that an effect is not open any more, if it was.
    pub fn close(&mut self, effect: E::Id) {
        self.closed.push((effect, self.opened.len()));
    }

    /// The effects that were opened; some may be closed again.
    pub fn opened(&self) -> &[E] {
        &self.opened
    }

    /// The ids of effects that were closed; some may be open again.
    pub fn closed(&self) -> impl Iterator<Item = &E::Id> {
        self.closed.iter().map(|(effect, _)| effect)
    }

    /// Takes out the ids of closed effects, when the changes are not needed any more.
    pub fn take_closed(&mut self) -> impl Iterator<Item = E::Id> + use<E> {
        std::mem::take(&mut self.closed).into_iter().map(|(effect, _)| effect)
    }

    /// The effects that were opened and not closed after that.
    pub fn still_open(&self) -> impl Iterator<Item = &E> {
        // If an effect was closed several times, the last time counts.
        let closed: HashMap<&E::Id, usize> =
            self.closed.iter().map(|(effect, after)| (effect, *after)).collect();
        let opened = self.opened.iter().enumerate();
        let open =
            opened.filter(move |(place, effect)| closed.get(&effect.id()).is_none_or(|after| place >= after));
        open.map(|(_, effect)| effect)
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, EffectChanges, Lasts};

    impl Effect for u8 {
        type Id = u8;

        fn id(&self) -> u8 {
            *self
        }

        fn lasts(&self) -> Lasts {
            Lasts::Told
        }
    }

    #[test]
    fn an_effect_that_is_closed_and_opened_again_is_open() {
        let mut changes = EffectChanges::<u8>::default();
        let open = |changes: &EffectChanges<u8>| changes.still_open().copied().collect::<Vec<_>>();
        changes.close(1);
        changes.open(1);
        changes.open(2);
        assert_eq!(open(&changes), [1, 2]);
        changes.close(1);
        assert_eq!(open(&changes), [2]);
        changes.open(1);
        assert_eq!(open(&changes), [2, 1]);
    }
}
