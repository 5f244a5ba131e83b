//! What is recorded of each decision in a commit: what `decide` was given that its events do not say. With
//! it, a later version of the code can decide the same again.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::codec::{self, CodecError};
use super::ids::{CommandId, Hash, StreamId};
use super::json::BlobRef;

/// A decision, as it is recorded beside its events. Only decisions that made something happen are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The command that was decided.
    pub command: RecordedCommand,
    /// The id that tells the command from all others, if the sender gave one.
    pub id: Option<CommandId>,
    /// The seed from which the decision drew all its random numbers.
    pub seed: u64,
    /// The time by which the wall clock was ahead of that of the header, in µs.
    pub wall_ahead_us: i64,
    /// The time for which somebody had driven the stream by then, in µs.
    pub driven_us: u64,
    /// What it might use of scarce things. None where nothing could start, because nobody drove the stream.
    pub grants: Option<Vec<Grant>>,
    /// The person or program that asked, if there was one.
    pub by: Option<Arc<str>>,
    /// The effect of another stream that the command is part of, if it is part of one.
    pub causation: Option<Causation>,
    /// The root run, where it is not the one that the header names.
    pub correlation: Option<Arc<str>>,
    /// Blobs that the command refers to and its events need not refer to.
    pub blobs: Vec<BlobRef>,
}

/// A command, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCommand {
    /// Its stable name, in snake_case.
    pub name: Arc<str>,
    /// What the command said. None where that is not recorded, so that it cannot be decided again.
    pub form: Option<Form>,
}

/// What a command said, except for what the events of its decision say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The schema number of the payload, under the command's name.
    pub schema: u16,
    /// The payload, as the codec wrote it.
    pub payload: Vec<u8>,
}

/// How much of something scarce a decision might use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The name of the scarce thing: for slots of an agent, that of the agent.
    pub what: Arc<str>,
    /// The units of it that were granted.
    pub amount: u64,
}

/// An effect of another stream of which a command is part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Causation {
    /// The name of the other stream.
    pub stream: StreamId,
    /// What tells the effect from others of that stream, as in `attempt/7`.
    pub effect: Arc<str>,
}

impl Decision {
    /// A decision of which only the name of its command is known.
    pub fn named(command: &Arc<str>) -> Self {
        Self {
            command: RecordedCommand { name: Arc::clone(command), form: None },
            id: None,
            seed: 0,
            wall_ahead_us: 0,
            driven_us: 0,
            grants: None,
            by: None,
            causation: None,
            correlation: None,
            blobs: Vec::new(),
        }
    }

    /// Appends its bytes. The name of the command is left out where the header has the same.
    pub(super) fn append_to(&self, bytes: &mut Vec<u8>, header: &str) -> Result<(), CodecError> {
        let name = &*self.command.name;
        codec::append_bytes(bytes, &self.stored(if name == header { "" } else { name }))
    }

    /// Reads what [`Decision::append_to`] wrote; answers what comes after it, too.
    pub(super) fn split_from<'a>(bytes: &'a [u8], header: &Arc<str>) -> Result<(Self, &'a [u8]), CodecError> {
        let (stored, rest) = codec::split_from_bytes::<Stored<'_>>(bytes)?;
        let Stored { command, form, id, seed, wall_ahead_us, driven_us, .. } = stored;
        let Stored { grants, by, causation, correlation, blobs, .. } = stored;
        let name = if command.is_empty() { Arc::clone(header) } else { command.into() };
        let form = form.map(|StoredForm { schema, payload }| Form { schema, payload: payload.to_vec() });
        let decision = Self {
            command: RecordedCommand { name, form },
            id,
            seed,
            wall_ahead_us,
            driven_us,
            grants: grants.map(Cow::into_owned),
            by: by.map(Arc::from),
            causation: causation.map(Cow::into_owned),
            correlation: correlation.map(Arc::from),
            blobs: blobs.into_owned(),
        };
        Ok((decision, rest))
    }

    /// What stands for it and for the header in the hashes of its events, and how long it is, in bytes.
    pub(super) fn digest(&self, header: Hash, number: u32) -> Result<(Hash, usize), CodecError> {
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        bytes.extend(header.0);
        bytes.extend(number.to_le_bytes());
        let before = bytes.len();
        codec::append_bytes(&mut bytes, &self.stored(&self.command.name))?;
        Ok((Hash::of(&bytes), bytes.len() - before))
    }

    fn stored<'a>(&'a self, command: &'a str) -> Stored<'a> {
        let Self { command: RecordedCommand { form, .. }, id, seed, grants, by, .. } = self;
        let form = form.as_ref();
        Stored {
            command,
            form: form.map(|Form { schema, payload }| StoredForm { schema: *schema, payload }),
            id: *id,
            seed: *seed,
            wall_ahead_us: self.wall_ahead_us,
            driven_us: self.driven_us,
            grants: grants.as_deref().map(Into::into),
            by: by.as_deref(),
            causation: self.causation.as_ref().map(Cow::Borrowed),
            correlation: self.correlation.as_deref(),
            blobs: self.blobs.as_slice().into(),
        }
    }
}

/// Most records are shorter with what stands for the header: they are hashed without moving.
const USUAL_BYTES: usize = 128;

/// A decision as it is stored. It never changes: another shape is another format of commits.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    /// Empty where it is the one that the header says.
    command: &'a str,
    #[serde(borrow)]
    form: Option<StoredForm<'a>>,
    id: Option<CommandId>,
    seed: u64,
    wall_ahead_us: i64,
    driven_us: u64,
    grants: Option<Cow<'a, [Grant]>>,
    #[serde(borrow)]
    by: Option<&'a str>,
    causation: Option<Cow<'a, Causation>>,
    #[serde(borrow)]
    correlation: Option<&'a str>,
    blobs: Cow<'a, [BlobRef]>,
}

#[derive(Serialize, Deserialize)]
struct StoredForm<'a> {
    schema: u16,
    #[serde(borrow, with = "serde_bytes")]
    payload: &'a [u8],
}
