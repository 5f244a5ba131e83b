//! Calls of models.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Purpose, Usage};
use crate::events::ids::StepId;
use crate::events::json::{BlobRef, Payload};
use crate::events::problem::Code;

/// An open attempt called a model: one turn of a conversation. It stands in the commit of what the attempt came to, be that a
/// failure, so that what was paid for is known. A conversation is what the turns of an attempt say, one after the other: each
/// names only what is new in it, the messages that were added before the call and then the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCalled {
    /// What the attempt is for.
    pub purpose: Purpose,
    /// The step that is tried.
    pub step: StepId,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// The number of the call in its attempt, from 1.
    pub turn: u32,
    /// The provider that was asked, as the configuration names it.
    pub provider: Arc<str>,
    /// The model, as the configuration names it.
    pub model: Arc<str>,
    /// The model, as the provider names it.
    pub id: Arc<str>,
    /// What was asked for beside the conversation, as JSON: an object of settings such as `max_tokens`.
    pub parameters: Payload,
    /// The system prompt, as JSON; none if there is none, or if it is that of the turn before.
    pub system: Option<Payload>,
    /// The tools that the model was offered, as JSON; none if there are none, or if they are those of the turn before.
    pub tools: Option<Payload>,
    /// The messages that this turn adds to the conversation before the model answers, as JSON, each by itself.
    pub messages: Vec<Payload>,
    /// What the model answered, as a message in JSON; none if there is no whole answer.
    pub answer: Option<Payload>,
    /// Why the model stopped, as its provider says it; none if it did not say.
    pub stop: Option<Arc<str>>,
    /// The tokens that the provider reports; none if it reports none.
    pub tokens: Option<Tokens>,
    /// What that costs by the configured prices, in billionths of a US dollar.
    pub usd_nanos: u64,
    /// The time from the request to the end of the answer, in µs.
    pub latency_us: u64,
    /// The time from the request to the first piece of the answer, in µs; none if there was none.
    pub first_us: Option<u64>,
    /// The provider's name for the request; none if it gave none.
    pub request_id: Option<Arc<str>>,
    /// The code with which the call failed; none if it did not.
    pub error: Option<Code>,
}

/// How many tokens a call took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tokens {
    /// Those that went in, the cached ones among them.
    pub input: u64,
    /// Those that came out.
    pub output: u64,
    /// Those of the input that the provider had kept from an earlier call.
    pub cached: u64,
}

impl Usage {
    /// What a call of a model used up.
    pub fn of_call(tokens: Option<Tokens>, usd_nanos: u64) -> Self {
        let tokens = tokens.unwrap_or_default();
        Self { calls: 1, input_tokens: tokens.input, output_tokens: tokens.output, usd_nanos }
    }
}

impl ModelCalled {
    /// What it used up.
    pub fn usage(&self) -> Usage {
        Usage::of_call(self.tokens, self.usd_nanos)
    }

    /// The blobs that it refers to.
    pub(super) fn blobs(&self) -> Vec<BlobRef> {
        let once = [Some(&self.parameters), self.system.as_ref(), self.tools.as_ref(), self.answer.as_ref()];
        once.into_iter().flatten().chain(&self.messages).filter_map(Payload::blob).collect()
    }
}
