//! A voice that says no secret, and remembers none.

use std::time::Duration;

use async_trait::async_trait;

use super::Masks;
use crate::aggregates::mind::Take;
use crate::events::ids::AgentName;
use crate::events::json::Json;
use crate::executors::Failure;
use crate::executors::voice::{Recalled, Speak, Voice};

/// Says what another voice says, masked.
pub(super) struct MaskedVoice {
    pub(super) inner: Voice,
    pub(super) masks: Masks,
}

#[async_trait]
impl Speak for MaskedVoice {
    async fn say(&self, message: Json) -> Result<(), Failure> {
        self.inner.say(self.masks.json(&message)?).await
    }

    async fn ask(&self, message: Json, within: Duration) -> Result<Json, Failure> {
        self.inner.ask(self.masks.json(&message)?, within).await
    }

    async fn handled(&self, message: &str) -> Result<(), Failure> {
        self.inner.handled(message).await
    }

    async fn recall(&self, mind: &AgentName, message: &str) -> Result<Recalled, Failure> {
        self.inner.recall(mind, message).await
    }

    async fn remember(&self, mind: &AgentName, take: Take) -> Result<bool, Failure> {
        let masked = |json: &Json| self.masks.json(json);
        let remembers = take.remembers.iter().map(|(key, value)| Ok((key.clone(), masked(value)?)));
        let take = Take {
            body: masked(&take.body)?,
            answer: masked(&take.answer)?,
            sends: take.sends.iter().map(masked).collect::<Result<_, _>>()?,
            remembers: remembers.collect::<Result<_, Failure>>()?,
            ..take
        };
        self.inner.remember(mind, take).await
    }
}
