//! How commands and grants are recorded, and what they were.

use std::fmt;

use super::{Aggregate, Draft};
use crate::events::decision::{Decision, Form, Grant, RecordedCommand};
use crate::events::json::{BlobRef, Json, Payload};
use crate::kernel::moment::{Blobs, Unreadable};

/// How much of what is scarce a decision may use, as it is recorded: by names and numbers.
pub trait Grants: Clone + Send + fmt::Debug + 'static {
    /// What is recorded. What grants nothing need not be.
    fn record(&self) -> Vec<Grant>;

    /// What was recorded.
    fn recall(recorded: &[Grant]) -> Self;
}

/// Nothing is scarce.
impl Grants for () {
    fn record(&self) -> Vec<Grant> {
        Vec::new()
    }

    fn recall(_: &[Grant]) -> Self {}
}

/// A command that is being recorded, after it was decided.
pub struct Recording<'r, 'a, A: Aggregate> {
    draft: &'r mut Draft<'a, A>,
    /// How many events there were before it.
    before: usize,
    blobs: Vec<BlobRef>,
}

impl<'r, 'a, A: Aggregate> Recording<'r, 'a, A> {
    /// What came of the command are the events of the draft from that one on.
    pub fn new(draft: &'r mut Draft<'a, A>, before: usize) -> Self {
        Self { draft, before, blobs: Vec::new() }
    }

    /// What came of the command.
    pub fn events(&self) -> &[A::Event] {
        self.draft.events().get(self.before..).unwrap_or_default()
    }

    /// Whether a payload of those events is that JSON.
    pub fn is(&self, payload: &Payload, json: &Json) -> bool {
        match payload {
            Payload::Inline(inline) => inline == json,
            Payload::Blob(reference) => {
                self.draft.fresh(reference).is_some_and(|blob| *blob.bytes == *json.text().as_bytes())
            }
        }
    }

    /// JSON as the record carries it, where no event says it; if it is long, the blob is stored with the commit.
    pub fn payload(&mut self, json: Json) -> Payload {
        let payload = self.draft.payload(json);
        self.blobs.extend(payload.blob());
        payload
    }

    /// The content that the record refers to.
    pub fn into_blobs(self) -> Vec<BlobRef> {
        self.blobs
    }
}

/// A recorded command that is made out again, of this.
pub struct Recalling<'a, A: Aggregate> {
    /// The state before.
    pub state: &'a A,
    /// Its decision.
    pub decision: &'a Decision,
    /// What came of it.
    pub events: &'a [A::Event],
    /// What is stored by its hash.
    pub blobs: &'a dyn Blobs,
}

/// Why a recorded command is not what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRecalled {
    /// What it said was not recorded.
    #[error("what `{0}` said was not recorded")]
    NotRecorded(String),
    /// This version does not know its record.
    #[error("this version does not know the command `{name}` at schema {schema}")]
    Unknown {
        /// The command's name.
        name: String,
        /// The schema number of its record.
        schema: u16,
    },
    /// Its record, or its events, are not those of such a command.
    #[error("the record of `{name}` cannot be understood: {why}")]
    Broken {
        /// The command's name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// Content that it refers to cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl<A: Aggregate> Recalling<'_, A> {
    /// Its record cannot be understood.
    pub fn broken(&self, why: impl fmt::Display) -> NotRecalled {
        NotRecalled::Broken { name: self.decision.command.name.to_string(), why: why.to_string() }
    }

    /// What its record holds.
    ///
    /// # Errors
    /// When there is none.
    pub fn form(&self) -> Result<&Form, NotRecalled> {
        let RecordedCommand { name, form } = &self.decision.command;
        form.as_ref().ok_or_else(|| NotRecalled::NotRecorded(name.to_string()))
    }
}
