//! What an attempt says while it goes on, heard for a cassette.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::aggregates::mind::Take;
use crate::events::ids::AgentName;
use crate::events::json::Json;
use crate::executors::Failure;
use crate::executors::voice::{Recalled, Speak, Voice};

/// The messages that an attempt sent while it went on, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Vec<Json>>>);

impl Heard {
    /// A voice that says what is said by this one, and is heard.
    pub(super) fn of(&self, inner: Voice) -> HeardVoice {
        HeardVoice { inner, heard: self.clone() }
    }

    /// What was said so far.
    pub(super) fn said(&self) -> Vec<Json> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Says what another voice says, and keeps the messages.
pub(super) struct HeardVoice {
    inner: Voice,
    heard: Heard,
}

#[async_trait]
impl Speak for HeardVoice {
    async fn say(&self, message: Json) -> Result<(), Failure> {
        self.inner.say(message.clone()).await?;
        self.heard.0.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        Ok(())
    }

    async fn handled(&self, message: &str) -> Result<(), Failure> {
        self.inner.handled(message).await
    }

    async fn ask(&self, message: Json, within: Duration) -> Result<Json, Failure> {
        self.inner.ask(message, within).await
    }

    async fn recall(&self, mind: &AgentName, message: &str) -> Result<Recalled, Failure> {
        self.inner.recall(mind, message).await
    }

    async fn remember(&self, mind: &AgentName, take: Take) -> Result<bool, Failure> {
        self.inner.remember(mind, take).await
    }
}
