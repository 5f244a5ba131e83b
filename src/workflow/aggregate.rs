//! A state that changes only by events: what an aggregate is, and what a decision is made of.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash as StdHash;
use std::sync::Arc;

use super::definition::Definition;
use crate::events::codec::{CodecError, Encoded};
use crate::events::ids::{Hash, StreamId, Version};
use crate::events::json::{Blob, BlobRef, Json, Payload};
use crate::events::problem::{Code, Problem};
use crate::events::time::Timestamp;

/// A state that changes only by events.
///
/// Both methods are pure: they know no clock, no randomness and no world. Time comes in a [`Moment`], ids in
/// commands.
pub trait Aggregate: Default + Send + 'static {
    /// What the names of its streams begin with.
    const KIND: &'static str;
    /// What somebody may ask of it.
    type Command: Send + 'static;
    /// What can happen to it.
    type Event: Encoded + Clone + Send + fmt::Debug + 'static;
    /// Why it may refuse.
    type Rejection: std::error::Error + Send + 'static;
    /// What it may want done in the world.
    type Effect: Effect;

    /// What would happen. `emit` on the draft folds at once, so that what follows sees it.
    ///
    /// # Errors
    /// Why nothing happens. A rejection comes before the first `emit`.
    fn decide(
        draft: &mut Draft<'_, Self>,
        command: Self::Command,
        moment: &Moment<'_>,
    ) -> Result<(), Self::Rejection>;

    /// What did happen. Effects that it opened and closed go to `changes`.
    ///
    /// # Errors
    /// When the event cannot follow what came before it; the state is then not to be used any more.
    fn evolve(
        &mut self,
        event: &Self::Event,
        at: &At<'_>,
        changes: &mut EffectChanges<Self::Effect>,
    ) -> Result<(), IllegalEvent>;

    /// All open effects. Asked once, after loading; from then on changes tell.
    fn open(&self) -> Vec<Self::Effect>;

    /// The number of the shape that [`Aggregate::snapshot`] writes and of the rules by which events make it true. When
    /// either changes, it is raised: snapshots of another number are dropped, and the events folded anew.
    const SNAPSHOT_SCHEMA: u16;

    /// The state as bytes: a cache of the fold, which may be thrown away.
    ///
    /// # Errors
    /// When it is too large to encode.
    fn snapshot(&self) -> Result<Vec<u8>, CodecError>;

    /// The state that [`Aggregate::snapshot`] wrote under the same schema number.
    ///
    /// # Errors
    /// When the bytes are none.
    fn restore(bytes: &[u8]) -> Result<Self, CodecError>;
}

/// Something that a state wants done in the world.
pub trait Effect: Clone + Send + fmt::Debug + 'static {
    /// What tells it from others.
    type Id: Clone + Eq + StdHash + Send + fmt::Debug + 'static;

    /// Its id: as long as an effect is open, no other has it.
    fn id(&self) -> Self::Id;
}

/// Which effects a fold opened and closed, in order.
#[derive(Debug)]
pub struct EffectChanges<E: Effect> {
    opened: Vec<E>,
    /// Each with how many were opened before it was closed.
    closed: Vec<(E::Id, usize)>,
}

impl<E: Effect> Default for EffectChanges<E> {
    fn default() -> Self {
        Self { opened: Vec::new(), closed: Vec::new() }
    }
}

impl<E: Effect> EffectChanges<E> {
    /// An effect is open from here on.
    pub fn open(&mut self, effect: E) {
        self.opened.push(effect);
    }

    /// An effect is not open any more, if it was.
    pub fn close(&mut self, effect: E::Id) {
        self.closed.push((effect, self.opened.len()));
    }

    /// Those that were opened, some of which may be closed again.
    pub fn opened(&self) -> &[E] {
        &self.opened
    }

    /// Those that were closed, some of which may be open again.
    pub fn closed(&self) -> impl Iterator<Item = &E::Id> {
        self.closed.iter().map(|(effect, _)| effect)
    }

    /// Those that were opened and not closed after that.
    pub fn still_open(&self) -> impl Iterator<Item = &E> {
        // Of an effect that was closed several times the last one counts.
        let closed: HashMap<&E::Id, usize> =
            self.closed.iter().map(|(effect, after)| (effect, *after)).collect();
        let opened = self.opened.iter().enumerate();
        let open =
            opened.filter(move |(place, effect)| closed.get(&effect.id()).is_none_or(|after| place >= after));
        open.map(|(_, effect)| effect)
    }
}

/// Where in history an event stands.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// Its stream.
    pub stream: &'a StreamId,
    /// Its number in the stream.
    pub version: Version,
    /// When it was recorded.
    pub time: Timestamp,
}

/// An event that cannot follow what came before it: the stream is damaged, or was written by other rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("version {version} cannot follow what came before it: {why}")]
pub struct IllegalEvent {
    /// The event's version.
    pub version: Version,
    /// What it contradicts.
    pub why: String,
}

/// A blob that should be there cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("blob {hash} cannot be read: {why}")]
pub struct Unreadable {
    /// Its name.
    pub hash: Hash,
    /// What stands in the way.
    pub why: String,
}

impl Unreadable {
    /// The same as a problem that people are told.
    pub fn problem(&self) -> Problem {
        Problem::new(Code::StoreDamaged, self.to_string())
    }
}

/// Reads content by its hash: as pure as a constant.
pub trait Blobs: Send + Sync {
    /// The content.
    ///
    /// # Errors
    /// When it is not there or damaged.
    fn read(&self, hash: &Hash) -> Result<Arc<[u8]>, Unreadable>;

    /// The workflow definition that a blob holds. A reader that is asked often remembers it.
    ///
    /// # Errors
    /// When it is not there, damaged, or not a definition.
    fn definition(&self, hash: &Hash) -> Result<Arc<Definition>, Unreadable> {
        definition(hash, &self.read(hash)?)
    }

    /// The JSON that an event carries.
    ///
    /// # Errors
    /// When it is a blob that is not there, damaged, or no JSON.
    fn json(&self, payload: &Payload) -> Result<Json, Unreadable> {
        match payload {
            Payload::Inline(json) => Ok(json.clone()),
            Payload::Blob(reference) => parse(reference, &self.read(&reference.hash)?),
        }
    }
}

fn definition(hash: &Hash, bytes: &[u8]) -> Result<Arc<Definition>, Unreadable> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| Unreadable { hash: *hash, why: error.to_string() })?;
    Definition::from_json(text)
        .map(Arc::new)
        .map_err(|problem| Unreadable { hash: *hash, why: problem.message })
}

fn parse(reference: &BlobRef, bytes: &[u8]) -> Result<Json, Unreadable> {
    let unreadable = |why: String| Unreadable { hash: reference.hash, why };
    let text = std::str::from_utf8(bytes).map_err(|error| unreadable(error.to_string()))?;
    Json::parse(text).map_err(|error| unreadable(error.to_string()))
}

/// When a decision is made, and what it may read.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// The time.
    pub now: Timestamp,
    /// What is stored by its hash.
    pub blobs: &'a dyn Blobs,
}

/// A decision in the making: the state, and the events that it has emitted so far.
pub struct Draft<'a, A: Aggregate> {
    state: &'a mut A,
    stream: &'a StreamId,
    version: Version,
    now: Timestamp,
    decided: Decided<A>,
    /// Definitions that are stored with the commit.
    definitions: HashMap<Hash, Arc<Definition>>,
}

/// What came of one or more decisions: what is to be stored together.
pub struct Decided<A: Aggregate> {
    /// The events, in order.
    pub events: Vec<A::Event>,
    /// Content that the events refer to.
    pub blobs: Vec<Blob>,
    /// Effects that the events opened and closed.
    pub changes: EffectChanges<A::Effect>,
    /// The first event that could not follow: a bug in `decide`. Nothing of this may be stored.
    pub illegal: Option<IllegalEvent>,
}

impl<A: Aggregate> Default for Decided<A> {
    fn default() -> Self {
        Self { events: Vec::new(), blobs: Vec::new(), changes: EffectChanges::default(), illegal: None }
    }
}

impl<'a, A: Aggregate> Draft<'a, A> {
    /// A draft on a state that is at `version` of its stream.
    pub fn new(state: &'a mut A, stream: &'a StreamId, version: Version, now: Timestamp) -> Self {
        Self { state, stream, version, now, decided: Decided::default(), definitions: HashMap::new() }
    }

    /// Lets an event happen.
    pub fn emit(&mut self, event: impl Into<A::Event>) {
        let event = event.into();
        self.version = self.version.next();
        let at = At { stream: self.stream, version: self.version, time: self.now };
        if let Err(illegal) = self.state.evolve(&event, &at, &mut self.decided.changes) {
            self.decided.illegal.get_or_insert(illegal);
        }
        self.decided.events.push(event);
    }

    /// JSON as an event carries it; if it is long, the blob is stored with the commit.
    pub fn payload(&mut self, json: Json) -> Payload {
        let (payload, blob) = Payload::new(json);
        self.decided.blobs.extend(blob);
        payload
    }

    /// Content that is stored with the commit.
    pub fn attach(&mut self, blob: Blob) -> BlobRef {
        let reference = blob.reference;
        self.decided.blobs.push(blob);
        reference
    }

    /// A definition that is stored with the commit. It is asked for once for each of its steps, and read for none.
    pub fn attach_definition(&mut self, definition: Definition) -> BlobRef {
        let reference = self.attach(Blob::new(definition.to_json().text().as_bytes()));
        self.definitions.insert(reference.hash, Arc::new(definition));
        reference
    }

    /// The JSON that an event carries, be it of this draft or older.
    ///
    /// # Errors
    /// When it is a blob that is not there or damaged.
    pub fn json(&self, payload: &Payload, moment: &Moment<'_>) -> Result<Json, Unreadable> {
        let reference = payload.blob();
        let fresh = self.decided.blobs.iter().find(|blob| Some(blob.reference) == reference);
        fresh.map_or_else(|| moment.blobs.json(payload), |blob| parse(&blob.reference, &blob.bytes))
    }

    /// The definition that a blob holds, be it of this draft or older.
    ///
    /// # Errors
    /// When it is not there, damaged, or not a definition.
    pub fn definition(&self, hash: &Hash, moment: &Moment<'_>) -> Result<Arc<Definition>, Unreadable> {
        let fresh = self.definitions.get(hash).map(Arc::clone);
        fresh.map_or_else(|| moment.blobs.definition(hash), Ok)
    }

    /// The state with all that was emitted.
    pub fn state(&self) -> &A {
        self.state
    }

    /// How many events were emitted.
    pub fn emitted(&self) -> usize {
        self.decided.events.len()
    }

    /// The events that were emitted, in order.
    pub fn events(&self) -> &[A::Event] {
        &self.decided.events
    }

    /// Effects that were opened so far, in order, those closed again among them.
    pub fn opened(&self) -> &[A::Effect] {
        self.decided.changes.opened()
    }

    /// What is to be stored.
    pub fn finish(self) -> Decided<A> {
        self.decided
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, EffectChanges};

    impl Effect for u8 {
        type Id = u8;

        fn id(&self) -> u8 {
            *self
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
