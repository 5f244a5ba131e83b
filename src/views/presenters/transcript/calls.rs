//! The calls of models that an attempt made, as people and programs see them.

use serde::{Deserialize, Serialize};

use crate::events::json::{Json, Payload};
use crate::events::problem::Code;
use crate::events::run::{ModelCalled, Tokens};
use crate::kernel::{Blobs, Unreadable};

/// A call of a model: a turn of the conversation that an attempt was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallReport {
    /// Its number in the attempt, from 1.
    pub turn: u32,
    /// The provider that was asked, as the configuration names it.
    pub provider: String,
    /// The model, as the configuration names it.
    pub model: String,
    /// The model, as the provider names it.
    pub id: String,
    /// What was asked for beside the conversation.
    pub parameters: Json,
    /// The system prompt; null where it is that of the turn before, or there is none.
    pub system: Json,
    /// The messages that were added before the model answered.
    pub messages: Vec<Json>,
    /// What it answered, as a message; null where there is no whole answer.
    pub answer: Json,
    /// Why it stopped, as the provider says it.
    pub stop: Option<String>,
    /// The tokens that the provider reports; none where it reports none.
    pub tokens: Option<Tokens>,
    /// What they cost, in billionths of a US dollar.
    pub usd_nanos: u64,
    /// How long it took, in ms.
    pub latency_ms: u64,
    /// The provider's name for the request.
    pub request_id: Option<String>,
    /// The code with which it failed; none if it did not.
    pub error: Option<Code>,
}

impl CallReport {
    /// A call that was recorded.
    ///
    /// # Errors
    /// When a part of it is in a blob that cannot be read.
    pub(super) fn of(called: &ModelCalled, blobs: &dyn Blobs) -> Result<Self, Unreadable> {
        let json = |payload: &Payload| blobs.json(payload);
        let maybe =
            |payload: &Option<Payload>| Ok(payload.as_ref().map(json).transpose()?.unwrap_or_default());
        Ok(Self {
            turn: called.turn,
            provider: called.provider.to_string(),
            model: called.model.to_string(),
            id: called.id.to_string(),
            parameters: json(&called.parameters)?,
            system: maybe(&called.system)?,
            messages: called.messages.iter().map(json).collect::<Result<_, _>>()?,
            answer: maybe(&called.answer)?,
            stop: called.stop.as_deref().map(str::to_owned),
            tokens: called.tokens,
            usd_nanos: called.usd_nanos,
            latency_ms: called.latency_us / 1_000,
            request_id: called.request_id.as_deref().map(str::to_owned),
            error: called.error,
        })
    }
}
