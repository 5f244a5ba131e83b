//! The fold of the store, event by event as they are read back, and the effects that its changes told.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::events::codec::Encoded;
use crate::events::commit::{Head, Recorded};
use crate::events::ids::{CommandId, StreamId, Version};
use crate::kernel::redecide::{Past, redecide};
use crate::kernel::{Aggregate, At, Blobs, Effect, EffectChanges, Lasts};

/// Effects, found by their ids.
pub(super) type Effects<E> = HashMap<<E as Effect>::Id, E>;

/// The fold of the stored events.
pub(super) struct Stored<A: Aggregate> {
    pub(super) state: A,
    pub(super) head: Head,
    pub(super) history: Vec<Arc<A::Event>>,
    /// For each commit the number of events after it.
    pub(super) commits: Vec<usize>,
    /// The effects that are open, according to the changes.
    pub(super) told: Effects<A::Effect>,
    /// For each command with an id the version with which it is answered.
    pub(super) decided: HashMap<CommandId, Version>,
    /// The state to which deciding again leads.
    again: A,
}

impl<A: Aggregate> Default for Stored<A> {
    fn default() -> Self {
        Self {
            state: A::default(),
            head: Head::default(),
            history: Vec::new(),
            commits: Vec::new(),
            told: HashMap::new(),
            decided: HashMap::new(),
            again: A::default(),
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
            decided: self.decided.clone(),
            again: self.again.clone(),
        }
    }
}

impl<A: Aggregate> Stored<A>
where
    A::Effect: PartialEq,
{
    /// Folds an event that somebody else stored.
    pub(super) fn recorded(&mut self, stream: &StreamId, recorded: &Recorded) -> Result<(), String> {
        if recorded.version == recorded.header.first {
            self.commits.push(self.history.len());
        }
        let mut changes = EffectChanges::default();
        self.fold_in(stream, recorded, &mut changes)?;
        self.fold_again(stream, recorded)?;
        self.keep(&changes);
        self.commits.iter_mut().last().into_iter().for_each(|count| *count = self.history.len());
        Ok(())
    }

    /// Folds an event, without its effects.
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
        let of_commit = self.decided.values_mut().filter(|version| **version >= recorded.header.first);
        of_commit.for_each(|version| *version = recorded.version);
        let id = recorded.decision.as_ref().and_then(|decision| decision.id);
        self.decided.extend(id.map(|id| (id, recorded.version)));
        self.history.push(Arc::new(event));
        Ok(())
    }

    /// Decides a commit again from the records of its decisions: the same events must come of it.
    pub(super) fn redecide(
        &mut self,
        stream: &StreamId,
        commit: &[Recorded],
        blobs: &dyn Blobs,
    ) -> Result<(), String> {
        for recorded in commit.chunk_by(|one, other| one.event.decision == other.event.decision) {
            let Some(first) = recorded.first() else { continue };
            let decision = first.decision.as_deref().ok_or("a commit has no record of its decisions")?;
            if decision.command.form.is_none() {
                recorded.iter().try_for_each(|recorded| self.fold_again(stream, recorded))?;
                continue;
            }
            let events = recorded.iter().map(Recorded::decode).collect::<Result<Vec<A::Event>, _>>();
            let events = events.map_err(|error| error.to_string())?;
            let version = Version(first.version.0.saturating_sub(1));
            let past = Past { stream, version, time: first.header.recorded_at, decision, events: &events };
            let name = &decision.command.name;
            let again = redecide(&mut self.again, &past, blobs).map_err(|error| {
                format!("`{name}` after version {version} cannot be decided again: {error}")
            })?;
            let is_same = again.len() == recorded.len()
                && again.iter().zip(recorded).all(|(event, recorded)| {
                    (event.kind(), event.schema()) == (&*recorded.event.kind, recorded.event.schema)
                        && event.encode().as_ref() == Ok(&recorded.event.payload)
                });
            if !is_same {
                let differs = format!("decided again, `{name}` comes to {again:?} after version {version}");
                return Err(format!("{differs}, and {events:?} is stored"));
            }
        }
        Ok(())
    }

    /// Folds an event whose decision is not recorded.
    fn fold_again(&mut self, stream: &StreamId, recorded: &Recorded) -> Result<(), String> {
        let event: A::Event = recorded.decode().map_err(|error| error.to_string())?;
        let at = At { stream, version: recorded.version, time: recorded.header.recorded_at };
        let folded = self.again.evolve(&event, &at, &mut EffectChanges::default());
        folded.map_err(|illegal| illegal.to_string())
    }

    /// Folds an event that is decoded already.
    pub(super) fn event(&mut self, event: &A::Event, at: &At<'_>) -> Result<(), String> {
        let mut changes = EffectChanges::default();
        self.state.evolve(event, at, &mut changes).map_err(|illegal| illegal.to_string())?;
        self.keep(&changes);
        Ok(())
    }

    /// Takes in which effects the changes of a commit opened and closed.
    pub(super) fn keep(&mut self, changes: &EffectChanges<A::Effect>) {
        for closed in changes.closed() {
            self.told.remove(closed);
        }
        self.told.extend(changes.still_open().map(|effect| (effect.id(), effect.clone())));
    }

    /// Checks that exactly those effects are open that the changes told. Hints are left out, because
    /// nothing follows from them.
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
