//! What is said to a provider, and how what it says is read.
//!
//! - `openai`: Chat Completions; `anthropic`: Messages

mod anthropic;
mod openai;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::conversation::{Answer, Request};
use super::models::{Chosen, Key, WireFormat};

/// A request on its way to a provider.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) url: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Value,
}

/// The request for the next turn of a conversation. It holds the key.
pub(super) fn outgoing(chosen: &Chosen<'_>, key: Option<&Key>, request: &Request) -> Outgoing {
    match chosen.wire {
        WireFormat::OpenAi => openai::outgoing(chosen, key, request),
        WireFormat::Anthropic => anthropic::outgoing(chosen, key, request),
    }
}

/// What a provider says that cannot be an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// It is nothing of the format.
    Garbage(String),
    /// It says that it failed: with what kind of error, and a sentence.
    Failed { kind: String, message: String },
}

/// What came with a piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Piece {
    /// What the model said in words.
    pub(super) text: String,
    /// Whether the model has said anything: a provider may say long before that that it is there.
    pub(super) begun: bool,
}

/// An answer, as far as it has come.
#[derive(Debug)]
pub(super) enum Reader {
    OpenAi(openai::Reader),
    Anthropic(anthropic::Reader),
}

impl Reader {
    pub(super) fn new(wire: WireFormat) -> Self {
        match wire {
            WireFormat::OpenAi => Self::OpenAi(openai::Reader::default()),
            WireFormat::Anthropic => Self::Anthropic(anthropic::Reader::default()),
        }
    }

    /// Takes in the data of an event.
    ///
    /// # Errors
    /// When it is none, or says that the provider failed.
    pub(super) fn event(&mut self, data: &str) -> Result<Piece, Broken> {
        match self {
            Self::OpenAi(reader) => reader.event(data),
            Self::Anthropic(reader) => reader.event(data),
        }
    }

    /// Takes in an answer that came as one document: not every server has it in pieces that is asked for that.
    ///
    /// # Errors
    /// The same as those of [`Reader::event`].
    pub(super) fn document(&mut self, text: &str) -> Result<Piece, Broken> {
        let document = json(text)?;
        failed(&document)?;
        match self {
            Self::OpenAi(reader) => reader.document(&document),
            Self::Anthropic(reader) => reader.document(&document),
        }
    }

    /// Whether nothing more is to come.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::OpenAi(reader) => reader.is_over,
            Self::Anthropic(reader) => reader.is_over,
        }
    }

    /// Whether what has come is a whole answer, where nothing more comes.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Self::OpenAi(reader) => reader.is_over || reader.stop.is_some(),
            Self::Anthropic(reader) => reader.is_over,
        }
    }

    /// The provider's name for the answer, if it has said one.
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::OpenAi(reader) => reader.id.as_deref(),
            Self::Anthropic(reader) => reader.id.as_deref(),
        }
    }

    /// What has come.
    pub(super) fn answer(&self) -> Answer {
        match self {
            Self::OpenAi(reader) => reader.answer(),
            Self::Anthropic(reader) => reader.answer(),
        }
    }
}

/// How many characters of what makes no sense are shown.
pub(super) const SHOWN_CHARS_MAX: usize = 120;

fn json(data: &str) -> Result<Value, Broken> {
    serde_json::from_str(data).map_err(|_| Broken::Garbage(data.chars().take(SHOWN_CHARS_MAX).collect()))
}

/// Whether a document says that the provider failed: both formats say it under `error`.
fn failed(document: &Value) -> Result<(), Broken> {
    let Some(error) = document.get("error").filter(|error| !error.is_null()) else { return Ok(()) };
    let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let message = error.as_str().map_or_else(|| text("message"), str::to_owned);
    let kind = Some(text("type")).filter(|kind| !kind.is_empty()).unwrap_or_else(|| text("code"));
    Err(Broken::Failed { kind, message })
}

fn count(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or_default()
}
