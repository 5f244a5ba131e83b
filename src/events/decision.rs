//! What is recorded of each decision in a commit: what `decide` got that its events do not say. With it, the code of
//! another day can decide the same again.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::codec::{self, CodecError};
use super::ids::{CommandId, Hash, StreamId};
use super::json::BlobRef;

/// A decision, as it is recorded beside its events. Only decisions are that made something happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The command.
    pub command: RecordedCommand,
    /// What tells the command from all others, where who asked said so.
    pub id: Option<CommandId>,
    /// From what it drew what is random.
    pub seed: u64,
    /// By how much the wall clock was ahead of the time that the header says, in µs.
    pub wall_ahead_us: i64,
    /// For how long somebody had driven the stream by then, in µs.
    pub driven_us: u64,
    /// What it might use. None where nothing could start, because nobody drove the stream.
    pub grants: Option<Vec<Grant>>,
    /// Who asked, where somebody did.
    pub by: Option<Arc<str>>,
    /// What of another stream the command is part of.
    pub causation: Option<Causation>,
    /// The root run, where it is another than the header says.
    pub correlation: Option<Arc<str>>,
    /// Content that the command refers to, and its events need not.
    pub blobs: Vec<BlobRef>,
}

/// A command, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCommand {
    /// Its stable name, in snake_case.
    pub name: Arc<str>,
    /// What it said. None where that is not recorded: what followed cannot be decided again.
    pub form: Option<Form>,
}

/// What a command said, but for what the events of its decision say.
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
    /// Of what: of an agent's slots, that agent's name.
    pub what: Arc<str>,
    /// How much.
    pub amount: u64,
}

/// An effect of another stream of which a command is part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Causation {
    /// The other stream.
    pub stream: StreamId,
    /// What tells the effect from others of that stream, as in `attempt/7`.
    pub effect: Arc<str>,
}

impl Decision {
    /// A decision of which no more is known than what its command was called.
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

    /// Its bytes. A name that the header says, too, is left out.
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
