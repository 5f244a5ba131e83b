//! The bytes of a commit: the number of its format, then its parts.
//!
//! ```text
//! 1  header, count, (type, schema, payload, hash)…
//! 2  header, count, decision…, count, (type, schema, decision, payload, hash)…
//! ```
//!
//! Format 1 records in its header only the name of the first command, and nothing else of any
//! decision. It is read for ever, and a commit that was read from it is written in it again: its
//! hashes belong to that format.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Commit, Header, Recorded, StoredEvent, is_storable};
use crate::events::codec::{self, CodecError};
use crate::events::decision::Decision;
use crate::events::ids::{Hash, Position};

/// The first byte of a stored commit that records its decisions. Another layout gets another number.
pub const COMMIT_FORMAT: u8 = 2;

/// The first byte of a stored commit that does not record its decisions.
const WITHOUT_DECISIONS: u8 = 1;

/// An event as format 1 has it.
#[derive(Serialize, Deserialize)]
struct Undecided<'a> {
    kind: &'a str,
    schema: u16,
    #[serde(borrow, with = "serde_bytes")]
    payload: &'a [u8],
    hash: Hash,
}

/// What a [`StoredEvent`] is made of, as format 2 has it.
#[derive(Debug, Serialize, Deserialize)]
struct EventBytes<'a> {
    kind: &'a str,
    schema: u16,
    decision: u32,
    #[serde(borrow, with = "serde_bytes")]
    payload: &'a [u8],
    hash: Hash,
}

impl<'a> From<Undecided<'a>> for EventBytes<'a> {
    fn from(Undecided { kind, schema, payload, hash }: Undecided<'a>) -> Self {
        Self { kind, schema, decision: 0, payload, hash }
    }
}

impl EventBytes<'_> {
    fn to_owned(&self) -> StoredEvent {
        let Self { kind, schema, decision, payload, hash } = *self;
        StoredEvent { kind: kind.into(), schema, decision, payload: payload.to_vec(), hash }
    }
}

impl Commit {
    /// The number of its format.
    pub fn format(&self) -> u8 {
        if self.decisions.is_empty() { WITHOUT_DECISIONS } else { COMMIT_FORMAT }
    }

    /// The bytes that a store keeps: the format's number, then the commit.
    ///
    /// # Errors
    /// When it is longer than [`COMMIT_BYTES_MAX`](crate::events::limits::COMMIT_BYTES_MAX), or its events do
    /// not name its decisions in their order.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CodecError> {
        let bytes = self.encode()?;
        is_storable(bytes.len())?;
        in_order(self.decisions.len(), self.events.iter().map(|event| event.decision))?;
        Ok(bytes)
    }

    /// The same bytes, without a limit on their length.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, CodecError> {
        /// More than what a header, a decision and the frame of an event usually take.
        const USUAL_BYTES: usize = 96;
        let parts = self.decisions.len() + self.events.len() + 2;
        let payloads: usize = self.events.iter().map(|event| event.payload.len()).sum();
        let mut bytes = Vec::with_capacity(payloads + parts * USUAL_BYTES);
        bytes.push(self.format());
        codec::append_bytes(&mut bytes, &*self.header)?;
        if !self.decisions.is_empty() {
            codec::append_bytes(&mut bytes, &(self.decisions.len() as u64))?;
            let mut decisions = self.decisions.iter();
            decisions.try_for_each(|decision| decision.append_to(&mut bytes, &self.header.causation))?;
        }
        codec::append_bytes(&mut bytes, &self.count())?;
        for StoredEvent { kind, schema, decision, payload, hash } in &self.events {
            let (kind, schema, decision, payload, hash) = (&**kind, *schema, *decision, &**payload, *hash);
            match self.decisions.is_empty() {
                true => codec::append_bytes(&mut bytes, &Undecided { kind, schema, payload, hash })?,
                false => {
                    let event = EventBytes { kind, schema, decision, payload, hash };
                    codec::append_bytes(&mut bytes, &event)?;
                }
            }
        }
        Ok(bytes)
    }

    /// Reads what [`Commit::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the bytes are of another format, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let CommitBytes { header, decisions, events } = CommitBytes::of(bytes)?;
        Ok(Self { header, decisions, events: events.iter().map(EventBytes::to_owned).collect() })
    }
}

/// Each decision has events, and they come one decision after the other.
fn in_order(decisions: usize, named: impl Iterator<Item = u32>) -> Result<(), CodecError> {
    let wrong = || CodecError::Decode("its events do not name its decisions in their order".to_owned());
    let mut next = 0;
    for decision in named {
        match decision {
            _ if decisions == 0 && decision == 0 => {}
            decision if decision == next => next += 1,
            decision if decision.checked_add(1) == Some(next) => {}
            _ => return Err(wrong()),
        }
    }
    if usize::try_from(next) == Ok(decisions) { Ok(()) } else { Err(wrong()) }
}

/// A commit whose events are still the bytes that it was read from. When a long one is read page by page,
/// each page decodes only the events that it wants.
#[derive(Debug)]
pub struct CommitBytes<'a> {
    /// The part that all events of the commit share.
    pub header: Arc<Header>,
    decisions: Vec<Arc<Decision>>,
    events: Vec<EventBytes<'a>>,
}

impl<'a> CommitBytes<'a> {
    /// Reads what [`Commit::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the bytes are of another format, or damaged.
    pub fn of(bytes: &'a [u8]) -> Result<Self, CodecError> {
        match bytes.split_first() {
            Some((&format @ (WITHOUT_DECISIONS | COMMIT_FORMAT), rest)) => Self::read(format, rest),
            Some((format, _)) => Err(CodecError::Decode(format!("commit format {format} is not known"))),
            None => Err(CodecError::Decode("an empty commit".to_owned())),
        }
    }

    /// Reads one part after the other: even if a commit is damaged, no part takes more memory
    /// than it has bytes.
    fn read(format: u8, bytes: &'a [u8]) -> Result<Self, CodecError> {
        /// A header's texts are short. One that is longer than this was not written.
        const HEADER_BYTES_MAX: usize = 64 * 1024;
        /// The shortest decision: nothing but numbers that are 0.
        const DECISION_BYTES_MIN: usize = 11;
        /// The shortest event: three numbers and a hash.
        const EVENT_BYTES_MIN: usize = 3 + 32;
        let beginning = bytes.get(..HEADER_BYTES_MAX).unwrap_or(bytes);
        let (header, after) = codec::split_from_bytes::<Arc<Header>>(beginning)?;
        let rest = bytes.get(beginning.len() - after.len()..).unwrap_or_default();
        let (decisions, rest) = match format {
            WITHOUT_DECISIONS => (Vec::new(), rest),
            _ => parts(rest, DECISION_BYTES_MIN, |bytes| {
                let (decision, rest) = Decision::split_from(bytes, &header.causation)?;
                Ok((Arc::new(decision), rest))
            })?,
        };
        let (events, rest) = parts(rest, EVENT_BYTES_MIN, |bytes| match format {
            WITHOUT_DECISIONS => {
                let (event, rest) = codec::split_from_bytes::<Undecided<'a>>(bytes)?;
                Ok((event.into(), rest))
            }
            _ => codec::split_from_bytes::<EventBytes<'a>>(bytes),
        })?;
        if events.is_empty() {
            return Err(CodecError::Decode("a commit without events".to_owned()));
        }
        if format != WITHOUT_DECISIONS {
            in_order(decisions.len(), events.iter().map(|event| event.decision))?;
        }
        match rest {
            [] => Ok(Self { header, decisions, events }),
            rest => Err(CodecError::LeftOver(rest.len())),
        }
    }

    /// The number of events that it holds, read or not.
    pub fn count(&self) -> u64 {
        self.events.len() as u64
    }

    /// The events one by one, without the first `skipped`; `position` is that of the first
    /// event of the commit.
    pub fn recorded(&self, position: Position, skipped: u64) -> impl Iterator<Item = Recorded> {
        let skipped_events = usize::try_from(skipped).unwrap_or(usize::MAX);
        self.events.iter().skip(skipped_events).zip(skipped..).map(move |(event, offset)| Recorded {
            version: self.header.first.plus(offset),
            position: position.plus(offset),
            header: Arc::clone(&self.header),
            decision: super::decision_of(&self.decisions, event.decision),
            event: event.to_owned(),
        })
    }
}

/// Reads a count and so many parts; answers what comes after them, too.
fn parts<'a, T>(
    bytes: &'a [u8],
    part_bytes_min: usize,
    split: impl Fn(&'a [u8]) -> Result<(T, &'a [u8]), CodecError>,
) -> Result<(Vec<T>, &'a [u8]), CodecError> {
    let (count, mut rest) = codec::split_from_bytes::<u64>(bytes)?;
    let room = usize::try_from(count).unwrap_or(usize::MAX).min(rest.len() / part_bytes_min);
    let mut parts = Vec::with_capacity(room);
    for _ in 0..count {
        let part;
        (part, rest) = split(rest)?;
        parts.push(part);
    }
    Ok((parts, rest))
}
