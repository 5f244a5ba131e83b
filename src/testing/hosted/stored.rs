//! The fold of what is stored, event by event as it is read back, and the effects that its changes told.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::events::commit::{Head, Recorded};
use crate::events::ids::StreamId;
use crate::kernel::{Aggregate, At, Effect, EffectChanges, Lasts};

/// Effects by their ids.
pub(super) type Effects<E> = HashMap<<E as Effect>::Id, E>;

/// What is stored.
pub(super) struct Stored<A: Aggregate> {
    pub(super) state: A,
    pub(super) head: Head,
    pub(super) history: Vec<Arc<A::Event>>,
    /// How many events there were after each commit.
    pub(super) commits: Vec<usize>,
    /// Effects that are open, as the changes told.
    pub(super) told: Effects<A::Effect>,
}

impl<A: Aggregate> Default for Stored<A> {
    fn default() -> Self {
        Self {
            state: A::default(),
            head: Head::default(),
            history: Vec::new(),
            commits: Vec::new(),
            told: HashMap::new(),
        }
    }
}

impl<A: Aggregate + Clone> Clone for Stored<A> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
            head: self.head,
            history: self.history.clone(),
            commits: self.commits.clone(),
            told: self.told.clone(),
        }
    }
}

impl<A: Aggregate> Stored<A>
where
    A::Effect: PartialEq,
{
    /// Takes in an event that somebody else stored.
    pub(super) fn recorded(&mut self, stream: &StreamId, recorded: &Recorded) -> Result<(), String> {
        if recorded.version == recorded.header.first {
            self.commits.push(self.history.len());
        }
        let mut changes = EffectChanges::default();
        self.fold_in(stream, recorded, &mut changes)?;
        self.keep(&changes);
        self.commits.iter_mut().last().into_iter().for_each(|count| *count = self.history.len());
        Ok(())
    }

    /// Takes in an event, but for its effects.
    pub(super) fn fold_in(
        &mut self,
        stream: &StreamId,
        recorded: &Recorded,
        changes: &mut EffectChanges<A::Effect>,
    ) -> Result<(), String> {
        let event: A::Event = recorded.decode().map_err(|error| error.to_string())?;
        let at = At { stream, version: recorded.version, time: recorded.header.recorded_at };
        self.state.evolve(&event, &at, changes).map_err(|illegal| illegal.to_string())?;
        self.head = Head { version: recorded.version, hash: recorded.event.hash };
        self.history.push(Arc::new(event));
        Ok(())
    }

    /// Takes in an event that is known.
    pub(super) fn event(&mut self, event: &A::Event, at: &At<'_>) -> Result<(), String> {
        let mut changes = EffectChanges::default();
        self.state.evolve(event, at, &mut changes).map_err(|illegal| illegal.to_string())?;
        self.keep(&changes);
        Ok(())
    }

    /// Notes what the changes of a commit told.
    pub(super) fn keep(&mut self, changes: &EffectChanges<A::Effect>) {
        for closed in changes.closed() {
            self.told.remove(closed);
        }
        self.told.extend(changes.still_open().map(|effect| (effect.id(), effect.clone())));
    }

    /// What is open must be what the changes told. A hint is no promise, so those are left out.
    pub(super) fn check(&self) -> Result<(), String> {
        let open = self.state.open();
        let is_promise = |effect: &&A::Effect| effect.lasts() != Lasts::Hint;
        let extra =
            open.iter().filter(is_promise).find(|effect| self.told.get(&effect.id()) != Some(*effect));
        if let Some(effect) = extra {
            return Err(format!("{effect:?} is open, and no change told so"));
        }
        let (expected, found) =
            (self.told.values().filter(is_promise).count(), open.iter().filter(is_promise).count());
        if expected > found {
            let ids: BTreeSet<String> = open.iter().map(|effect| format!("{:?}", effect.id())).collect();
            let mut gone: Vec<_> = self.told.values().filter(is_promise).collect();
            gone.retain(|effect| !ids.contains(&format!("{:?}", effect.id())));
            return Err(format!("no change told that these are closed: {gone:?}"));
        }
        Ok(())
    }
}
