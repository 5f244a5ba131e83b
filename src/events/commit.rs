//! What is stored together: the events of one decision under one header, chained by hashes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::codec::{self, CodecError, Encoded};
use super::ids::{Hash, Position, StreamId, Version};
use super::limits::COMMIT_BYTES_MAX;
use super::time::Timestamp;

/// The last event of a stream; of an empty one version 0 and no hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// Its version.
    pub version: Version,
    /// Its hash, to which the next one chains.
    pub hash: Hash,
}

/// The first byte of a stored commit. Another layout gets another number.
pub const COMMIT_FORMAT: u8 = 1;

/// What all events of a commit share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Whose events they are.
    pub stream: StreamId,
    /// The version of the first of them. The commit may only follow the version before it.
    pub first: Version,
    /// When they were decided.
    pub recorded_at: Timestamp,
    /// The run that all of this is about, where the stream is not that run's own.
    pub correlation: Option<Arc<str>>,
    /// The command that they answer.
    pub causation: Arc<str>,
    /// The version of Reenact that decided.
    pub code_version: Arc<str>,
    /// The prefix of another stream that this one goes on from; only in a stream's first commit.
    pub origin: Option<Origin>,
}

/// A prefix of a stream, on which another stream begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The stream that has the prefix.
    pub stream: StreamId,
    /// The last version of the prefix.
    pub version: Version,
    /// The hash of that event, to which the first event chains.
    pub hash: Hash,
}

impl Header {
    /// A hash of every field but `first`, which the events' own versions stand for.
    fn digest(&self) -> Hash {
        let mut hasher = blake3::Hasher::new();
        let mut field = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        field(self.stream.as_str().as_bytes());
        field(&self.recorded_at.0.to_le_bytes());
        field(self.correlation.as_deref().unwrap_or_default().as_bytes());
        field(self.causation.as_bytes());
        field(self.code_version.as_bytes());
        if let Some(origin) = &self.origin {
            field(origin.stream.as_str().as_bytes());
            field(&origin.version.0.to_le_bytes());
            field(&origin.hash.0);
        }
        Hash(*hasher.finalize().as_bytes())
    }
}

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// The stable type name.
    pub kind: Arc<str>,
    /// The schema number of the payload.
    pub schema: u16,
    /// The payload, as the codec wrote it.
    #[serde(with = "serde_bytes")]
    pub payload: Vec<u8>,
    /// Chains it to the event before it in its stream.
    pub hash: Hash,
}

impl StoredEvent {
    /// The hash of an event: of the one before it, the header, its own version, type, schema and payload.
    fn chained(
        parent: Hash,
        digest: Hash,
        version: Version,
        kind: &str,
        schema: u16,
        payload: &[u8],
    ) -> Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&parent.0).update(&digest.0).update(&version.0.to_le_bytes());
        hasher.update(&(kind.len() as u64).to_le_bytes()).update(kind.as_bytes());
        hasher.update(&schema.to_le_bytes()).update(payload);
        Hash(*hasher.finalize().as_bytes())
    }
}

/// The events of one decision. They are stored together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// What they share.
    pub header: Arc<Header>,
    /// The events, at least one, in order.
    pub events: Vec<StoredEvent>,
}

/// Whether a commit of so many bytes is stored.
fn is_storable(size: usize) -> Result<(), CodecError> {
    if size <= COMMIT_BYTES_MAX { Ok(()) } else { Err(CodecError::TooLong { size, max: COMMIT_BYTES_MAX }) }
}

/// A commit in the making: its events are encoded and chained one by one.
#[derive(Debug)]
pub struct Sealing {
    header: Header,
    digest: Hash,
    /// The hash of the last event.
    parent: Hash,
    /// The version of the next.
    version: Version,
    events: Vec<StoredEvent>,
    size_bytes: usize,
}

impl Sealing {
    /// A commit without events yet. `parent` is the hash of the event before its first.
    pub fn new(header: Header, parent: Hash) -> Self {
        let (digest, version) = (header.digest(), header.first);
        Self { header, digest, parent, version, events: Vec::new(), size_bytes: 0 }
    }

    /// Adds an event.
    ///
    /// # Errors
    /// When the commit becomes longer than [`COMMIT_BYTES_MAX`], or the event has no bytes.
    pub fn push<E: Encoded>(&mut self, event: &E) -> Result<(), CodecError> {
        /// What an event has beside its type and its payload: a hash, a schema number and lengths.
        const FRAME_BYTES: usize = 40;
        let (kind, schema, payload) = (event.kind(), event.schema(), event.encode()?);
        self.size_bytes += FRAME_BYTES + kind.len() + payload.len();
        is_storable(self.size_bytes)?;
        let hash = StoredEvent::chained(self.parent, self.digest, self.version, kind, schema, &payload);
        self.events.push(StoredEvent { kind: kind.into(), schema, payload, hash });
        (self.parent, self.version) = (hash, self.version.next());
        Ok(())
    }

    /// How many events it has.
    pub fn count(&self) -> usize {
        self.events.len()
    }

    /// About how long it is by now, in bytes.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// The commit, which is to be stored only if it has an event.
    pub fn finish(self) -> Commit {
        Commit { header: Arc::new(self.header), events: self.events }
    }
}

/// What a commit's events do not follow from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hash of version {version} does not follow from the event before it")]
pub struct BrokenChain {
    /// The first version whose hash is not what it must be.
    pub version: Version,
}

impl Commit {
    /// Encodes and chains the events. `parent` is the hash of the event before the first.
    ///
    /// # Errors
    /// See [`Sealing::push`].
    pub fn seal<E: Encoded>(header: Header, events: &[E], parent: Hash) -> Result<Self, CodecError> {
        let mut sealing = Sealing::new(header, parent);
        events.iter().try_for_each(|event| sealing.push(event))?;
        Ok(sealing.finish())
    }

    /// How many events it holds.
    pub fn count(&self) -> u64 {
        self.events.len() as u64
    }

    /// The version of its last event.
    pub fn last(&self) -> Version {
        Version((self.header.first.0 + self.count()).saturating_sub(1))
    }

    /// The hash of its last event.
    pub fn last_hash(&self) -> Hash {
        self.events.last().map(|event| event.hash).unwrap_or_default()
    }

    /// Checks every hash, given the hash of the event before the first; answers the hash of the last.
    ///
    /// # Errors
    /// The first version whose hash differs.
    pub fn check_chain(&self, parent: Hash) -> Result<Hash, BrokenChain> {
        let (digest, mut parent, mut version) = (self.header.digest(), parent, self.header.first);
        for event in &self.events {
            let hash =
                StoredEvent::chained(parent, digest, version, &event.kind, event.schema, &event.payload);
            if hash != event.hash {
                return Err(BrokenChain { version });
            }
            (parent, version) = (hash, version.next());
        }
        Ok(parent)
    }

    /// The bytes that a store keeps: the format's number, then the commit.
    ///
    /// # Errors
    /// When it is longer than [`COMMIT_BYTES_MAX`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, CodecError> {
        let mut bytes = codec::to_bytes(self)?;
        bytes.insert(0, COMMIT_FORMAT);
        is_storable(bytes.len())?;
        Ok(bytes)
    }

    /// Reads what [`Commit::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the bytes are of another format, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let CommitBytes { header, events } = CommitBytes::of(bytes)?;
        Ok(Self { header, events: events.iter().map(EventBytes::to_owned).collect() })
    }

    /// The events one by one, `position` being that of the first.
    pub fn into_recorded(self, position: Position) -> impl Iterator<Item = Recorded> {
        let Self { header, events } = self;
        events.into_iter().zip(0..).map(move |(event, offset)| Recorded {
            version: header.first.plus(offset),
            position: position.plus(offset),
            header: Arc::clone(&header),
            event,
        })
    }
}

/// A commit whose events are still the bytes that it was read from: of a long one that is read page by page, each page
/// makes events only of what it wants.
#[derive(Debug)]
pub struct CommitBytes<'a> {
    /// What the events share.
    pub header: Arc<Header>,
    events: Vec<EventBytes<'a>>,
}

/// What a [`StoredEvent`] is made of. Its fields are the same, in the same order.
#[derive(Debug, Deserialize)]
struct EventBytes<'a> {
    kind: &'a str,
    schema: u16,
    #[serde(borrow, with = "serde_bytes")]
    payload: &'a [u8],
    hash: Hash,
}

impl<'a> CommitBytes<'a> {
    /// Reads what [`Commit::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the bytes are of another format, or damaged.
    pub fn of(bytes: &'a [u8]) -> Result<Self, CodecError> {
        match bytes.split_first() {
            Some((&COMMIT_FORMAT, rest)) => Self::read(rest),
            Some((format, _)) => Err(CodecError::Decode(format!("commit format {format} is not known"))),
            None => Err(CodecError::Decode("an empty commit".to_owned())),
        }
    }

    /// Reads one part after the other: whatever a commit is as a whole, no part takes more memory than it has bytes.
    fn read(bytes: &'a [u8]) -> Result<Self, CodecError> {
        /// A header's texts are short. One that is longer than this was not written.
        const HEADER_BYTES_MAX: usize = 64 * 1024;
        /// The shortest event: three numbers and a hash.
        const EVENT_BYTES_MIN: usize = 3 + 32;
        let beginning = bytes.get(..HEADER_BYTES_MAX).unwrap_or(bytes);
        let (header, after) = codec::split_from_bytes(beginning)?;
        let rest = bytes.get(beginning.len() - after.len()..).unwrap_or_default();
        let (count, mut rest) = codec::split_from_bytes::<u64>(rest)?;
        if count == 0 {
            return Err(CodecError::Decode("a commit without events".to_owned()));
        }
        let room = usize::try_from(count).unwrap_or(usize::MAX).min(rest.len() / EVENT_BYTES_MIN);
        let mut events = Vec::with_capacity(room);
        for _ in 0..count {
            let event;
            (event, rest) = codec::split_from_bytes(rest)?;
            events.push(event);
        }
        if rest.is_empty() { Ok(Self { header, events }) } else { Err(CodecError::LeftOver(rest.len())) }
    }

    /// How many events it holds.
    pub fn count(&self) -> u64 {
        self.events.len() as u64
    }

    /// The events one by one, but for the first `skipped`; `position` is that of the very first.
    pub fn recorded(&self, position: Position, skipped: u64) -> impl Iterator<Item = Recorded> {
        let skipped_events = usize::try_from(skipped).unwrap_or(usize::MAX);
        self.events.iter().skip(skipped_events).zip(skipped..).map(move |(event, offset)| Recorded {
            version: self.header.first.plus(offset),
            position: position.plus(offset),
            header: Arc::clone(&self.header),
            event: event.to_owned(),
        })
    }
}

impl EventBytes<'_> {
    fn to_owned(&self) -> StoredEvent {
        let Self { kind, schema, payload, hash } = *self;
        StoredEvent { kind: kind.into(), schema, payload: payload.to_vec(), hash }
    }
}

/// An event as it is read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its number in its stream.
    pub version: Version,
    /// Its number in the store.
    pub position: Position,
    /// What it shares with the other events of its commit.
    pub header: Arc<Header>,
    /// The event.
    pub event: StoredEvent,
}

impl Recorded {
    /// Whether it is the event after the one with this hash.
    pub fn follows(&self, parent: Hash) -> bool {
        let Self { version, header, event, .. } = self;
        let StoredEvent { kind, schema, payload, hash } = event;
        *hash == StoredEvent::chained(parent, header.digest(), *version, kind, *schema, payload)
    }

    /// The event itself.
    ///
    /// # Errors
    /// When this build does not know the type and schema, or the bytes are damaged.
    pub fn decode<E: Encoded>(&self) -> Result<E, CodecError> {
        E::decode(&self.event.kind, self.event.schema, &self.event.payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::ids::RunId;
    use crate::events::run::{RunEvent, TimerFired};

    fn header() -> Header {
        Header {
            stream: StreamId::of_run(&RunId::parse("r").unwrap()),
            first: Version(1),
            recorded_at: Timestamp(1),
            correlation: None,
            causation: "go".into(),
            code_version: "1".into(),
            origin: None,
        }
    }

    fn sealed() -> Commit {
        let fired = |step: &str| {
            RunEvent::from(TimerFired {
                timer: crate::events::ids::TimerId::sleep(&crate::events::ids::StepId::grown(step)),
            })
        };
        Commit::seal(header(), &[fired("a"), fired("b")], Hash::default()).unwrap()
    }

    /// A changed length must not make a reader take more memory than there are bytes, whatever it claims.
    #[test]
    fn no_changed_byte_makes_reading_panic_or_take_what_is_not_there() {
        let whole = sealed().to_bytes().unwrap();
        assert_eq!(Commit::from_bytes(&whole).unwrap(), sealed());
        for at in 0..whole.len() {
            for byte in [0, 250, 251, 252, 253, 254, 255] {
                let mut changed = whole.clone();
                changed[at] = byte;
                if let Ok(read) = Commit::from_bytes(&changed) {
                    assert!(read.events.len() <= changed.len());
                }
            }
            assert!(Commit::from_bytes(&whole[..at]).is_err(), "cut off at {at}");
        }
        assert!(Commit::from_bytes(&[whole.as_slice(), &[0]].concat()).is_err());
    }
}
