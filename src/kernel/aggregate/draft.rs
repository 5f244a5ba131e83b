//! A decision in the making.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::Arc;

use super::{Aggregate, At, IllegalEvent};
use crate::events::ids::{Hash, StreamId, Version};
use crate::events::json::{Blob, BlobRef, Json, Payload};
use crate::events::time::Timestamp;
use crate::kernel::effect::EffectChanges;
use crate::kernel::moment::{Moment, ReadBlob, Unreadable, Value, ValueKey, parse};

/// A decision in the making: the state, and the events that it has emitted so far.
pub struct Draft<'a, A: Aggregate> {
    state: &'a mut A,
    stream: &'a StreamId,
    version: Version,
    now: Timestamp,
    decided: Decided<A>,
    /// The values that blobs of this commit were made from, by hash and type.
    values: HashMap<ValueKey, Value>,
}

/// The result of one or more decisions: what is to be stored together.
pub struct Decided<A: Aggregate> {
    /// The events, in order.
    pub events: Vec<A::Event>,
    /// Blobs that the events refer to.
    pub blobs: Vec<Blob>,
    /// The effects that the events opened and closed.
    pub changes: EffectChanges<A::Effect>,
    /// The first event that could not follow: an error in `decide`. Nothing of this may be stored then.
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
        Self { state, stream, version, now, decided: Decided::default(), values: HashMap::new() }
    }

    /// Adds an event and folds it into the state.
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

    /// Adds a blob that is stored with the commit.
    pub fn attach(&mut self, blob: Blob) -> BlobRef {
        let reference = blob.reference;
        self.decided.blobs.push(blob);
        reference
    }

    /// Adds a blob that is stored with the commit, with the value that it was made from: the value is asked
    /// for often, and need not be decoded from the blob again.
    pub fn attach_value<T: ReadBlob>(&mut self, blob: Blob, value: Arc<T>) -> BlobRef {
        let reference = self.attach(blob);
        self.values.insert((reference.hash, TypeId::of::<T>()), value);
        reference
    }

    /// The JSON of a payload, whether its blob belongs to this draft or was stored before.
    ///
    /// # Errors
    /// When its blob is missing or damaged.
    pub fn json<G>(&self, payload: &Payload, moment: &Moment<'_, G>) -> Result<Json, Unreadable> {
        let reference = payload.blob();
        let fresh = reference.and_then(|reference| self.fresh(&reference));
        fresh.map_or_else(|| moment.blobs.json(payload), |blob| parse(&blob.reference, &blob.bytes))
    }

    /// A blob of this draft; none if the draft has no such blob.
    pub(super) fn fresh(&self, reference: &BlobRef) -> Option<&Blob> {
        self.decided.blobs.iter().rev().find(|blob| blob.reference == *reference)
    }

    /// The value that a blob holds, whether it belongs to this draft or was stored before.
    ///
    /// # Errors
    /// When the blob is missing or damaged, or does not hold such a value.
    pub fn value<T: ReadBlob, G>(&self, hash: &Hash, moment: &Moment<'_, G>) -> Result<Arc<T>, Unreadable> {
        let fresh = self.values.get(&(*hash, TypeId::of::<T>())).cloned();
        if let Some(value) = fresh.and_then(|value| value.downcast().ok()) {
            return Ok(value);
        }
        if let Some(value) = moment.blobs.remembered_value(hash) {
            return Ok(value);
        }
        // Whoever reads what is not stored yet finds the store damaged.
        match self.decided.blobs.iter().rev().find(|blob| blob.reference.hash == *hash) {
            Some(blob) => {
                T::read_blob(&blob.bytes).map(Arc::new).map_err(|why| Unreadable { hash: *hash, why })
            }
            None => moment.blobs.value(hash),
        }
    }

    /// The state with all events that were emitted.
    pub fn state(&self) -> &A {
        self.state
    }

    /// The number of events that were emitted so far.
    pub fn emitted(&self) -> usize {
        self.decided.events.len()
    }

    /// The events that were emitted, in order.
    pub fn events(&self) -> &[A::Event] {
        &self.decided.events
    }

    /// The effects that were opened so far, in order; some of them may be closed again.
    pub fn opened(&self) -> &[A::Effect] {
        self.decided.changes.opened()
    }

    /// Ends the draft; answers what is to be stored.
    pub fn finish(self) -> Decided<A> {
        self.decided
    }
}
