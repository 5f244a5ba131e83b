//! Events without a meaning, and how commits are made of them: for tests and measurements of stores.

use std::sync::Arc;

use crate::events::codec::{CodecError, Encoded};
use crate::events::commit::{Commit, Header, Sealing};
use crate::events::decision::{Causation, Decision, Form, Grant, RecordedCommand};
use crate::events::ids::{CommandId, Hash, StreamId, Version};
use crate::events::time::Timestamp;
use crate::store::{EventStore, Head, ReadError};

/// An event that is nothing but its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note(pub Vec<u8>);

impl Encoded for Note {
    fn kind(&self) -> &'static str {
        "note"
    }

    fn schema(&self) -> u16 {
        1
    }

    fn encode(&self) -> Result<Vec<u8>, CodecError> {
        Ok(self.0.clone())
    }

    fn decode(kind: &str, schema: u16, payload: &[u8]) -> Result<Self, CodecError> {
        match (kind, schema) {
            ("note", 1) => Ok(Self(payload.to_vec())),
            _ => Err(CodecError::UnknownEvent { kind: kind.to_owned(), schema }),
        }
    }
}

/// The id of the stream `test/NAME`.
pub fn stream(name: &str) -> StreamId {
    StreamId::new("test", name)
}

/// The next commit of a stream whose last event is `head`, with an event for each text.
///
/// # Errors
/// When a text is too long to be encoded.
pub fn commit<T: AsRef<[u8]>>(
    stream: &StreamId,
    head: Option<Head>,
    texts: &[T],
) -> Result<Commit, CodecError> {
    let (last, parent) = head.map_or((Version(0), Hash::default()), |head| (head.version, head.hash));
    let header = Header {
        stream: stream.clone(),
        first: last.next(),
        recorded_at: Timestamp(1_795_219_200_000_000),
        correlation: Some(Arc::from("correlation")),
        causation: Arc::from("causation"),
        code_version: Arc::from("0.0.0"),
        origin: None,
    };
    let notes: Vec<_> = texts.iter().map(|text| Note(text.as_ref().to_vec())).collect();
    let (first, others) = notes.split_at(notes.len().min(1));
    let mut sealing = Sealing::new(header, parent);
    sealing.add(Decision::named(&Arc::from("causation")), first)?;
    sealing.add(decision(), others)?;
    Ok(sealing.finish())
}

/// A decision in which every field is set.
fn decision() -> Decision {
    Decision {
        command: RecordedCommand {
            name: Arc::from("command"),
            form: Some(Form { schema: 7, payload: b"what was said".to_vec() }),
        },
        id: Some(CommandId(*b"tells it from it")),
        seed: 300,
        wall_ahead_us: -1,
        driven_us: 70_000,
        grants: Some(vec![Grant { what: Arc::from("agent"), amount: 2 }]),
        by: Some(Arc::from("ada")),
        causation: Some(Causation { stream: stream("other"), effect: Arc::from("attempt/7") }),
        correlation: Some(Arc::from("root")),
        blobs: Vec::new(),
    }
}

/// The head that a stream has after a commit.
pub fn head_after(commit: &Commit) -> Head {
    Head { version: commit.last(), hash: commit.last_hash() }
}

/// `length` bytes without a pattern that could be compressed or found twice, the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        // One step of the generator xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(length).collect()
}

/// What is wrong with the history that a store tells, if anything: positions have gaps, versions or hashes do
/// not follow from each other, or a stream read alone is not what the whole says.
///
/// # Errors
/// When the store cannot be read.
pub async fn inconsistency(store: &dyn EventStore) -> Result<Option<String>, ReadError> {
    let report = crate::store::verify::verify(store, |_| Ok(Vec::new())).await?;
    let Some(finding) = report.problems.first() else { return Ok(None) };
    Ok(Some(format!("at position {}: {}", finding.position, finding.what)))
}
