//! Everything that a decision borrows: the time, stored blobs, a seed, and how much of scarce things it may use.

use std::any::{Any, TypeId};
use std::sync::Arc;

use super::clocks::Now;
use crate::events::ids::Hash;
use crate::events::json::{BlobRef, Json, Payload};
use crate::events::problem::{Code, Problem};
use crate::events::time::{Timestamp, micros};

/// When a decision is made, and what it may read and use.
#[derive(Clone, Copy)]
pub struct Moment<'a, G = ()> {
    /// The time by the steady clock, at which the decision is recorded.
    pub now: Timestamp,
    /// The time by the wall clock, for moments that people are told and held to.
    pub wall: Timestamp,
    /// Reads blobs by their hashes.
    pub blobs: &'a dyn Blobs,
    /// A number that differs for each decision, from which everything random is drawn.
    pub seed: u64,
    /// The scarce things that it may use. None if nobody drives the stream: then what is asked is recorded, and nothing starts.
    pub grants: Option<&'a G>,
    /// The time since which somebody drives the stream; the time now if nobody does.
    pub driven_since: Timestamp,
}

impl<G> Moment<'_, G> {
    /// The time by both clocks.
    pub const fn clocks(&self) -> Now {
        Now { steady: self.now, wall: self.wall }
    }
}

impl<G> Moment<'_, G> {
    /// The time by which the wall clock is ahead of the steady one, in µs.
    pub fn wall_ahead_us(&self) -> i64 {
        self.wall.0.saturating_sub(self.now.0)
    }

    /// The time for which somebody has driven the stream, in µs.
    pub fn driven_us(&self) -> u64 {
        micros(self.now.since(self.driven_since))
    }
}

/// A blob that should be there cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("blob {hash} cannot be read: {why}")]
pub struct Unreadable {
    /// The hash that names the blob.
    pub hash: Hash,
    /// Why it cannot be read, in a sentence.
    pub why: String,
}

impl Unreadable {
    /// The same as a problem that people are told.
    pub fn problem(&self) -> Problem {
        Problem::new(Code::StoreDamaged, self.to_string())
    }
}

/// The value that a blob holds, once it was decoded.
pub type Value = Arc<dyn Any + Send + Sync>;

/// The hash of a blob, and the type of the value that is read from it.
pub type ValueKey = (Hash, TypeId);

/// A type whose values are stored in blobs.
pub trait ReadBlob: Any + Send + Sync + Sized {
    /// Decodes the bytes of a blob.
    ///
    /// # Errors
    /// Why they hold no such value.
    fn read_blob(bytes: &[u8]) -> Result<Self, String>;
}

/// Reads blobs by their hashes: as pure as a constant.
pub trait Blobs: Send + Sync {
    /// The bytes of the blob.
    ///
    /// # Errors
    /// When it is not there or damaged.
    fn read(&self, hash: &Hash) -> Result<Arc<[u8]>, Unreadable>;

    /// The value of a blob that was remembered, if this reader remembers values.
    fn remembered(&self, _key: &ValueKey) -> Option<Value> {
        None
    }

    /// Remembers the value of a blob, if this reader remembers values.
    fn remember(&self, _key: ValueKey, _value: Value) {}

    /// The JSON of a payload.
    ///
    /// # Errors
    /// When its blob is missing, damaged, or not JSON.
    fn json(&self, payload: &Payload) -> Result<Json, Unreadable> {
        match payload {
            Payload::Inline(json) => Ok(json.clone()),
            Payload::Blob(reference) => parse(reference, &self.read(&reference.hash)?),
        }
    }
}

impl dyn Blobs + '_ {
    /// The value that a blob holds; decoded only once if the reader remembers it.
    ///
    /// # Errors
    /// When the blob is missing or damaged, or does not hold such a value.
    pub fn value<T: ReadBlob>(&self, hash: &Hash) -> Result<Arc<T>, Unreadable> {
        if let Some(value) = self.remembered_value(hash) {
            return Ok(value);
        }
        let value = T::read_blob(&self.read(hash)?).map_err(|why| Unreadable { hash: *hash, why })?;
        let value = Arc::new(value);
        self.remember_value(*hash, Arc::clone(&value));
        Ok(value)
    }

    /// What a blob means, if that is remembered.
    pub fn remembered_value<T: ReadBlob>(&self, hash: &Hash) -> Option<Arc<T>> {
        self.remembered(&(*hash, TypeId::of::<T>())).and_then(|value| value.downcast().ok())
    }

    /// Remembers what a blob means, that it need not be read for that.
    pub fn remember_value<T: ReadBlob>(&self, hash: Hash, value: Arc<T>) {
        self.remember((hash, TypeId::of::<T>()), value);
    }
}

/// The JSON in a blob.
pub(super) fn parse(reference: &BlobRef, bytes: &[u8]) -> Result<Json, Unreadable> {
    let unreadable = |why: String| Unreadable { hash: reference.hash, why };
    let text = std::str::from_utf8(bytes).map_err(|error| unreadable(error.to_string()))?;
    Json::parse(text).map_err(|error| unreadable(error.to_string()))
}
