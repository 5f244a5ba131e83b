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
    /// What blobs mean that are stored with the commit.
    values: HashMap<ValueKey, Value>,
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
        Self { state, stream, version, now, decided: Decided::default(), values: HashMap::new() }
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

    /// Content that is stored with the commit, and what it means: that is asked for often, and read for none.
    pub fn attach_value<T: ReadBlob>(&mut self, blob: Blob, value: Arc<T>) -> BlobRef {
        let reference = self.attach(blob);
        self.values.insert((reference.hash, TypeId::of::<T>()), value);
        reference
    }

    /// The JSON that an event carries, be it of this draft or older.
    ///
    /// # Errors
    /// When it is a blob that is not there or damaged.
    pub fn json<G>(&self, payload: &Payload, moment: &Moment<'_, G>) -> Result<Json, Unreadable> {
        let reference = payload.blob();
        let fresh = reference.and_then(|reference| self.fresh(&reference));
        fresh.map_or_else(|| moment.blobs.json(payload), |blob| parse(&blob.reference, &blob.bytes))
    }

    /// Content that is stored with the commit.
    pub(super) fn fresh(&self, reference: &BlobRef) -> Option<&Blob> {
        self.decided.blobs.iter().rev().find(|blob| blob.reference == *reference)
    }

    /// What a blob means, be it of this draft or older.
    ///
    /// # Errors
    /// When it is not there, damaged, or does not mean that.
    pub fn value<T: ReadBlob, G>(&self, hash: &Hash, moment: &Moment<'_, G>) -> Result<Arc<T>, Unreadable> {
        let fresh = self.values.get(&(*hash, TypeId::of::<T>())).cloned();
        let fresh = fresh.and_then(|value| value.downcast().ok());
        fresh.map_or_else(|| moment.blobs.value(hash), Ok)
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
