//! How commands and grants are recorded, and how they are read back.

use std::fmt;

use super::{Aggregate, Draft};
use crate::events::decision::{Decision, Form, Grant, RecordedCommand};
use crate::events::json::{BlobRef, Json, Payload};
use crate::kernel::moment::{Blobs, Unreadable};

/// How much of scarce things a decision may use, and how that is recorded: as names and numbers.
pub trait Grants: Clone + Send + fmt::Debug + 'static {
    /// The form in which it is recorded. What grants nothing may be left out.
    fn record(&self) -> Vec<Grant>;

    /// Reads back what was recorded.
    fn recall(recorded: &[Grant]) -> Self;
}

/// For aggregates that need nothing scarce.
impl Grants for () {
    fn record(&self) -> Vec<Grant> {
        Vec::new()
    }

    fn recall(_: &[Grant]) -> Self {}
}

/// A command that was decided and is now being recorded.
pub struct Recording<'r, 'a, A: Aggregate> {
    draft: &'r mut Draft<'a, A>,
    /// How many events the draft had before the command.
    before: usize,
    blobs: Vec<BlobRef>,
}

impl<'r, 'a, A: Aggregate> Recording<'r, 'a, A> {
    /// The events of the draft from number `before` on, counted from 0, are those of the command.
    pub fn new(draft: &'r mut Draft<'a, A>, before: usize) -> Self {
        Self { draft, before, blobs: Vec::new() }
    }

    /// The events that the command made happen.
    pub fn events(&self) -> &[A::Event] {
        self.draft.events().get(self.before..).unwrap_or_default()
    }

    /// Whether a payload of those events holds that JSON.
    pub fn is(&self, payload: &Payload, json: &Json) -> bool {
        match payload {
            Payload::Inline(inline) => inline == json,
            Payload::Blob(reference) => {
                self.draft.fresh(reference).is_some_and(|blob| *blob.bytes == *json.text().as_bytes())
            }
        }
    }

    /// JSON as the record carries it, for what no event says; if it is long, the blob is
    /// stored with the commit.
    pub fn payload(&mut self, json: Json) -> Payload {
        let payload = self.draft.payload(json);
        self.blobs.extend(payload.blob());
        payload
    }

    /// The blobs that the record refers to.
    pub fn into_blobs(self) -> Vec<BlobRef> {
        self.blobs
    }
}

/// What is needed to make a recorded command again.
pub struct Recalling<'a, A: Aggregate> {
    /// The state before the decision.
    pub state: &'a A,
    /// The decision that is recorded.
    pub decision: &'a Decision,
    /// The events that the decision made happen.
    pub events: &'a [A::Event],
    /// Reads blobs by their hashes.
    pub blobs: &'a dyn Blobs,
}

/// Why a command could not be made again from its record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRecalled {
    /// What the command said was not recorded.
    #[error("what `{0}` said was not recorded")]
    NotRecorded(String),
    /// This version does not know the schema of its record.
    #[error("this version does not know the command `{name}` at schema {schema}")]
    Unknown {
        /// The name of the command.
        name: String,
        /// The schema number of its record.
        schema: u16,
    },
    /// Its record or its events do not fit such a command.
    #[error("the record of `{name}` cannot be understood: {why}")]
    Broken {
        /// The name of the command.
        name: String,
        /// The reason, for people.
        why: String,
    },
    /// A blob that the record refers to cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl<A: Aggregate> Recalling<'_, A> {
    /// The error for a record that cannot be understood.
    pub fn broken(&self, why: impl fmt::Display) -> NotRecalled {
        NotRecalled::Broken { name: self.decision.command.name.to_string(), why: why.to_string() }
    }

    /// The recorded form of the command.
    ///
    /// # Errors
    /// When no form was recorded.
    pub fn form(&self) -> Result<&Form, NotRecalled> {
        let RecordedCommand { name, form } = &self.decision.command;
        form.as_ref().ok_or_else(|| NotRecalled::NotRecorded(name.to_string()))
    }
}
