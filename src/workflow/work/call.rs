//! A call of a model, as an attempt tells of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::ids::StepId;
use crate::events::json::{Json, Payload};
use crate::events::problem::Code;
use crate::events::run::{ModelCalled, Purpose, Tokens, Usage};

/// A call of a model: a turn of the conversation that an attempt is. See [`ModelCalled`], which records it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCall {
    /// The number of the call in its attempt, from 1.
    pub turn: u32,
    /// The provider that was asked, as the configuration names it.
    pub provider: Arc<str>,
    /// The model, as the configuration names it.
    pub model: Arc<str>,
    /// The model, as the provider names it.
    pub id: Arc<str>,
    /// What was asked for beside the conversation.
    pub parameters: Json,
    /// The system prompt, if this turn is the first that has it.
    pub system: Option<Json>,
    /// The tools that the model was offered, if this turn is the first that has them.
    pub tools: Option<Json>,
    /// The messages that this turn adds before the model answers.
    pub messages: Vec<Json>,
    /// What the model answered.
    pub answer: Option<Json>,
    /// Why the model stopped.
    pub stop: Option<Arc<str>>,
    /// The tokens that the provider reports.
    pub tokens: Option<Tokens>,
    /// What that costs, in billionths of a US dollar.
    pub usd_nanos: u64,
    /// The time to the end of the answer, in µs.
    pub latency_us: u64,
    /// The time to the first piece of the answer, in µs.
    pub first_us: Option<u64>,
    /// The provider's name for the request.
    pub request_id: Option<Arc<str>>,
    /// The code with which the call failed.
    pub error: Option<Code>,
}

/// Which attempt made a call: what for, at which step, and its number.
pub type CalledBy<'a> = (Purpose, &'a StepId, u32);

impl ModelCall {
    /// What it used up.
    pub fn usage(&self) -> Usage {
        Usage::of_call(self.tokens, self.usd_nanos)
    }

    /// It as it is recorded of that attempt; `payload` splits long JSON off into blobs.
    pub fn recorded(self, by: CalledBy<'_>, mut payload: impl FnMut(Json) -> Payload) -> ModelCalled {
        let (purpose, step, attempt) = by;
        ModelCalled {
            purpose,
            step: step.clone(),
            attempt,
            turn: self.turn,
            provider: self.provider,
            model: self.model,
            id: self.id,
            parameters: payload(self.parameters),
            system: self.system.map(&mut payload),
            tools: self.tools.map(&mut payload),
            messages: self.messages.into_iter().map(&mut payload).collect(),
            answer: self.answer.map(&mut payload),
            stop: self.stop,
            tokens: self.tokens,
            usd_nanos: self.usd_nanos,
            latency_us: self.latency_us,
            first_us: self.first_us,
            request_id: self.request_id,
            error: self.error,
        }
    }

    /// The call that was recorded; `json` reads what stands in blobs.
    ///
    /// # Errors
    /// Those of `json`.
    pub fn recall<E>(
        called: &ModelCalled,
        mut json: impl FnMut(&Payload) -> Result<Json, E>,
    ) -> Result<Self, E> {
        Ok(Self {
            turn: called.turn,
            provider: Arc::clone(&called.provider),
            model: Arc::clone(&called.model),
            id: Arc::clone(&called.id),
            parameters: json(&called.parameters)?,
            system: called.system.as_ref().map(&mut json).transpose()?,
            tools: called.tools.as_ref().map(&mut json).transpose()?,
            messages: called.messages.iter().map(&mut json).collect::<Result<_, _>>()?,
            answer: called.answer.as_ref().map(&mut json).transpose()?,
            stop: called.stop.clone(),
            tokens: called.tokens,
            usd_nanos: called.usd_nanos,
            latency_us: called.latency_us,
            first_us: called.first_us,
            request_id: called.request_id.clone(),
            error: called.error,
        })
    }
}
