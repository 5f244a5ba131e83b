//! The unit that is stored as a whole: the events of some decisions under one header, chained by hashes.

mod bytes;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::bytes::{COMMIT_FORMAT, CommitBytes};
use super::codec::{CodecError, Encoded};
use super::decision::Decision;
use super::ids::{Hash, Position, StreamId, Version};
use super::limits::COMMIT_BYTES_MAX;
use super::time::Timestamp;

/// The end of a stream: its last event. The head of an empty stream has version 0 and a hash of zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The version of the last event.
    pub version: Version,
    /// The hash of the last event, to which the next one chains.
    pub hash: Hash,
}

/// What all events of a commit share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The stream to which the events belong.
    pub stream: StreamId,
    /// The version of the first of them. The commit may only follow the version before it.
    pub first: Version,
    /// The time of all its decisions, by the clock of the process that made them.
    pub recorded_at: Timestamp,
    /// The root run that the events are about, unless a decision names another; none where the stream belongs
    /// to the root run itself.
    pub correlation: Option<Arc<str>>,
    /// The name of the command that was decided; if there were several, of the first. The decisions
    /// name all of them.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The stable type name.
    pub kind: Arc<str>,
    /// The schema number of the payload.
    pub schema: u16,
    /// The number of its decision in the commit, from 0.
    pub decision: u32,
    /// The payload, as the codec wrote it.
    pub payload: Vec<u8>,
    /// Chains it to the event before it in its stream.
    pub hash: Hash,
}

impl StoredEvent {
    /// The hash of an event: it covers the hash of the event before it, the digest of header and decision,
    /// and the event's own version, type, schema and payload.
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

/// The events of some decisions. They are stored together or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The part that all its events share.
    pub header: Arc<Header>,
    /// The decisions, in order, each of which has events. None in a commit of format 1, which has
    /// no record of them.
    pub decisions: Vec<Arc<Decision>>,
    /// The events, at least one, in order.
    pub events: Vec<StoredEvent>,
}

/// The decision of that number; none in a commit without any.
fn decision_of(decisions: &[Arc<Decision>], number: u32) -> Option<Arc<Decision>> {
    usize::try_from(number).ok().and_then(|number| decisions.get(number)).cloned()
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
    /// The hash of the last event that was added.
    parent: Hash,
    /// The version that the next event gets.
    version: Version,
    decisions: Vec<Arc<Decision>>,
    events: Vec<StoredEvent>,
    size_bytes: usize,
}

impl Sealing {
    /// A commit without events yet. `parent` is the hash of the event before its first.
    pub fn new(header: Header, parent: Hash) -> Self {
        let (digest, version) = (header.digest(), header.first);
        let (decisions, events) = (Vec::new(), Vec::new());
        Self { header, digest, parent, version, decisions, events, size_bytes: 0 }
    }

    /// Adds a decision and its events. One without events is not recorded: it changed nothing.
    ///
    /// # Errors
    /// When the commit becomes longer than [`COMMIT_BYTES_MAX`], or an event has no bytes.
    pub fn add<E: Encoded>(&mut self, decision: Decision, events: &[E]) -> Result<(), CodecError> {
        if events.is_empty() {
            return Ok(());
        }
        let number = u32::try_from(self.decisions.len()).unwrap_or(u32::MAX);
        let (digest, decision_bytes) = decision.digest(self.digest, number)?;
        self.size_bytes += decision_bytes;
        self.decisions.push(Arc::new(decision));
        events.iter().try_for_each(|event| self.push(event, number, digest))
    }

    fn push<E: Encoded>(&mut self, event: &E, decision: u32, digest: Hash) -> Result<(), CodecError> {
        /// What an event has beside its type and its payload: a hash, numbers and lengths.
        const FRAME_BYTES: usize = 41;
        let (kind, schema, payload) = (event.kind(), event.schema(), event.encode()?);
        self.size_bytes += FRAME_BYTES + kind.len() + payload.len();
        is_storable(self.size_bytes)?;
        let hash = StoredEvent::chained(self.parent, digest, self.version, kind, schema, &payload);
        self.events.push(StoredEvent { kind: kind.into(), schema, decision, payload, hash });
        (self.parent, self.version) = (hash, self.version.next());
        Ok(())
    }

    /// The number of events that it has by now.
    pub fn count(&self) -> usize {
        self.events.len()
    }

    /// About how long it is by now, in bytes.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// The commit, which is to be stored only if it has an event.
    pub fn finish(self) -> Commit {
        Commit { header: Arc::new(self.header), decisions: self.decisions, events: self.events }
    }
}

/// The hashes of a commit do not follow from its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hash of version {version} does not follow from the event before it")]
pub struct BrokenChain {
    /// The first version whose hash is not what it must be.
    pub version: Version,
}

impl Commit {
    /// Encodes and chains the events of one decision of which only the header says anything. `parent` is the
    /// hash of the event before the first.
    ///
    /// # Errors
    /// The same as those of [`Sealing::add`].
    pub fn seal<E: Encoded>(header: Header, events: &[E], parent: Hash) -> Result<Self, CodecError> {
        let decision = Decision::named(&header.causation);
        let mut sealing = Sealing::new(header, parent);
        sealing.add(decision, events)?;
        Ok(sealing.finish())
    }

    /// The number of its events, at least one.
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
        let (header, mut parent, mut version) = (self.header.digest(), parent, self.header.first);
        let (mut digest, mut next) = (header, 0);
        for event in &self.events {
            if event.decision == next
                && let Some(decision) = decision_of(&self.decisions, next)
            {
                (digest, _) = decision.digest(header, next).map_err(|_| BrokenChain { version })?;
                next += 1;
            }
            let hash =
                StoredEvent::chained(parent, digest, version, &event.kind, event.schema, &event.payload);
            if hash != event.hash {
                return Err(BrokenChain { version });
            }
            (parent, version) = (hash, version.next());
        }
        Ok(parent)
    }

    /// The events one by one, `position` being that of the first.
    pub fn into_recorded(self, position: Position) -> impl Iterator<Item = Recorded> {
        let Self { header, decisions, events } = self;
        events.into_iter().zip(0..).map(move |(event, offset)| Recorded {
            version: header.first.plus(offset),
            position: position.plus(offset),
            header: Arc::clone(&header),
            decision: decision_of(&decisions, event.decision),
            event,
        })
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
    /// The record of the decision; none in commits of format 1, which had none.
    pub decision: Option<Arc<Decision>>,
    /// The event as it is stored.
    pub event: StoredEvent,
}

impl Recorded {
    /// Whether it is the event after the one with this hash.
    pub fn follows(&self, parent: Hash) -> bool {
        let Self { version, header, event, .. } = self;
        let StoredEvent { kind, schema, decision, payload, hash } = event;
        let digest = match &self.decision {
            None => header.digest(),
            Some(decided) => match decided.digest(header.digest(), *decision) {
                Ok((digest, _)) => digest,
                Err(_) => return false,
            },
        };
        *hash == StoredEvent::chained(parent, digest, *version, kind, *schema, payload)
    }

    /// Whether a field of the event may be, or hold, that text. If not, the event need not be decoded to know.
    pub fn may_say(&self, text: &str) -> bool {
        // Texts are written as they are, behind their lengths.
        let Some((first, _)) = text.as_bytes().split_first() else { return true };
        let payload = &*self.event.payload;
        let begins = payload.iter().enumerate().filter(|(_, byte)| *byte == first);
        let mut rests = begins.filter_map(|(place, _)| payload.get(place..));
        rests.any(|rest| rest.starts_with(text.as_bytes()))
    }

    /// Decodes the event's payload.
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
