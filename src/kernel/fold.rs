//! A state, up to which event it was folded, and when it is worth saving.
//!
//! The tail is what was stored since the last snapshot. A snapshot is due when the tail, in bytes, is larger
//! than the state, so that taking snapshots costs no more than storing events does; but not before
//! [`TAIL_EVENTS_MIN`] events, which are folded in no time; and after [`SPACING_EVENTS`] at the latest, so
//! that a snapshot is near any version.

use std::collections::HashSet;
use std::sync::Arc;

use super::aggregate::{Aggregate, At};
use super::answered::Answered;
use super::effect::EffectChanges;
use crate::events::codec::{self, CodecError};
use crate::events::commit::{Head, Recorded};
use crate::events::ids::{Hash, StreamId, Version};
use crate::events::json::BlobRef;

/// The shortest tail worth a snapshot, in events: folding a shorter one takes about a millisecond.
pub const TAIL_EVENTS_MIN: u64 = 1_000;

/// How many events lie between the snapshots that are kept, and how long a tail may become.
pub const SPACING_EVENTS: u64 = 10_000;

/// A state, and up to which event it was folded.
#[derive(Debug, Clone, Default)]
pub struct Fold<A> {
    /// The state that the events lead to.
    pub state: A,
    /// The last event that was folded.
    pub head: Head,
    /// What was folded since the last snapshot.
    pub tail: Tail,
    /// The blobs that the state may refer to.
    pub content: Content,
    /// The commands that were answered up to that event.
    pub answered: Answered,
    /// The root run; none where the stream belongs to the root run itself.
    pub correlation: Option<Arc<str>>,
}

/// The blobs that a state may refer to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Content {
    /// These and no others.
    Known(HashSet<Hash>),
    /// They are not known: there were too many, or the state was folded from a snapshot, or
    /// nobody wants to know.
    #[default]
    Unknown,
}

/// How many references of a state are remembered: more than a short history has.
pub const CONTENT_KNOWN_MAX: usize = 64;

impl Content {
    /// The references of a state to which nothing has happened yet: none.
    pub fn none() -> Self {
        Self::Known(HashSet::new())
    }

    fn add(&mut self, blobs: impl FnOnce() -> Vec<BlobRef>) {
        if let Self::Known(known) = self {
            known.extend(blobs().into_iter().map(|blob| blob.hash));
            if known.len() > CONTENT_KNOWN_MAX {
                *self = Self::Unknown;
            }
        }
    }
}

/// The reasons for which an event cannot be folded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfoldable {
    /// This version does not understand it; the text says why.
    #[error("{0}")]
    Unknown(String),
    /// It cannot follow what came before it, or the fold began with a wrong state.
    #[error("{0}")]
    Illegal(String),
}

impl<A: Aggregate> Fold<A> {
    /// Folds the next event of the stream.
    ///
    /// # Errors
    /// When it is not understood, or cannot follow what came before.
    pub fn event(&mut self, stream: &StreamId, recorded: &Recorded) -> Result<(), Unfoldable> {
        let Recorded { version, header, event, .. } = recorded;
        let parked = |why: String| format!("version {version} of `{stream}` cannot be folded: {why}");
        let decoded: A::Event =
            recorded.decode().map_err(|error| Unfoldable::Unknown(parked(error.to_string())))?;
        let at = At { stream, version: *version, time: header.recorded_at };
        let evolved = self.state.evolve(&decoded, &at, &mut EffectChanges::default());
        evolved.map_err(|error| Unfoldable::Illegal(parked(error.why)))?;
        self.head = Head { version: *version, hash: event.hash };
        self.tail.grow(event.payload.len());
        self.content.add(|| A::blobs(&decoded));
        self.answered.fold(recorded);
        if *version == Version(1) {
            self.correlation.clone_from(&header.correlation);
        }
        Ok(())
    }

    /// Whether both are equal folds of one history, even if one was restored from a snapshot.
    pub fn is_same(&self, other: &Self) -> bool
    where
        A: PartialEq,
    {
        let known = |fold: &Self| (fold.head, fold.answered.clone(), fold.correlation.clone());
        known(self) == known(other) && self.state == other.state
    }

    /// The number of the layout that [`Fold::snapshot`] writes. Numbers below 256 are those of states alone,
    /// as they were saved before commands had ids.
    pub const SNAPSHOT_SCHEMA: u16 = {
        assert!(A::SNAPSHOT_SCHEMA < CORE_SCHEMA, "a snapshot's schema number is one byte");
        CORE_SCHEMA + A::SNAPSHOT_SCHEMA
    };

    /// The fold as bytes: what is known beside the state, then the state.
    ///
    /// # Errors
    /// When it is too large to encode.
    pub fn snapshot(&self) -> Result<Vec<u8>, CodecError> {
        let mut bytes = codec::to_bytes(&(&self.answered, &self.correlation))?;
        bytes.extend(self.state.snapshot()?);
        Ok(bytes)
    }

    /// Restores what [`Fold::snapshot`] wrote of a fold up to that event, or a state alone, from when
    /// commands had no ids. None if another version wrote it.
    ///
    /// # Errors
    /// When the bytes are not such a fold.
    pub fn restore(head: Head, schema: u16, bytes: &[u8]) -> Option<Result<Self, CodecError>> {
        let restored = match schema {
            _ if schema == Self::SNAPSHOT_SCHEMA => Self::restore_whole(bytes),
            _ if schema == A::SNAPSHOT_SCHEMA => {
                A::restore(bytes).map(|state| Self { state, ..Self::default() })
            }
            _ => return None,
        };
        Some(restored.map(|fold| Self { head, tail: Tail::after(bytes.len()), ..fold }))
    }

    fn restore_whole(bytes: &[u8]) -> Result<Self, CodecError> {
        let ((answered, correlation), state) = codec::split_from_bytes(bytes)?;
        Ok(Self { state: A::restore(state)?, answered, correlation, ..Self::default() })
    }
}

/// The first of the schema numbers of snapshots that hold more than a state.
const CORE_SCHEMA: u16 = 256;

/// What was stored since the last snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tail {
    events: u64,
    /// The sum of the lengths of their payloads.
    event_bytes: u64,
    /// The length of the last snapshot: about the size of the state.
    snapshot_bytes: u64,
}

impl Tail {
    /// An empty tail after a snapshot of that length.
    pub fn after(snapshot_bytes: usize) -> Self {
        Self { snapshot_bytes: snapshot_bytes as u64, ..Self::default() }
    }

    /// Adds an event with a payload of that length.
    pub fn grow(&mut self, payload_bytes: usize) {
        self.events += 1;
        self.event_bytes += payload_bytes as u64;
    }

    /// Whether it is time for the next snapshot.
    pub fn is_long(&self) -> bool {
        self.events >= SPACING_EVENTS
            || self.events >= TAIL_EVENTS_MIN && self.event_bytes >= self.snapshot_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::Tail;

    fn tail(events: u64, event_bytes: u64, snapshot_bytes: u64) -> Tail {
        Tail { events, event_bytes, snapshot_bytes }
    }

    #[test]
    fn a_snapshot_is_due_when_the_tail_outgrows_the_state() {
        assert!(!tail(999, 1_000_000, 0).is_long(), "it is folded in no time");
        assert!(tail(1_000, 100, 0).is_long(), "the first one");
        assert!(!tail(1_000, 99, 100).is_long());
        assert!(tail(1_001, 100, 100).is_long());
        assert!(!tail(9_999, 99, 100).is_long());
        assert!(tail(10_000, 0, u64::MAX).is_long(), "at the latest");
    }
}
