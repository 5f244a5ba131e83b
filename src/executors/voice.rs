//! What an attempt, or who was delivered a message, says while it goes on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Failure;
use crate::aggregates::mind::Take;
use crate::events::ids::{AgentName, ContextKey};
use crate::events::json::Json;
use crate::events::problem::Code;

/// Says things in the name of an open attempt, or of an open delivery.
#[async_trait]
pub trait Speak: Send + Sync {
    /// Sends a message as agents send it. Ends when it is recorded.
    ///
    /// # Errors
    /// When it may not be sent, or what sends it is over.
    async fn say(&self, message: Json) -> Result<(), Failure>;

    /// Says that a message which it was given is handled, by what that is called. Ends when it is recorded.
    ///
    /// # Errors
    /// When it was not given that message, has handled it before, or is over.
    async fn handled(&self, message: &str) -> Result<(), Failure>;

    /// Sends one and waits for the answer, for so long.
    ///
    /// # Errors
    /// The same as those of [`Speak::say`]; and [`Code::AnswerLate`].
    async fn ask(&self, message: Json, within: Duration) -> Result<Json, Failure>;

    /// What an agent with a memory remembers, and what came of that message, if it has taken it in.
    ///
    /// # Errors
    /// When that cannot be read.
    async fn recall(&self, mind: &AgentName, message: &str) -> Result<Recalled, Failure>;

    /// Has an agent with a memory take in a message. Answers whether it did: not if it has taken in another since.
    ///
    /// # Errors
    /// When it cannot.
    async fn remember(&self, mind: &AgentName, take: Take) -> Result<bool, Failure>;
}

/// What an agent with a memory knows.
#[derive(Debug, Clone)]
pub struct Recalled {
    /// How many messages it has taken in.
    pub after: u64,
    /// What it remembers.
    pub memory: BTreeMap<ContextKey, Json>,
    /// What came of the message that was asked for, if it has taken that in: its answer, and what is sent for it.
    pub taken: Option<(Json, Vec<Json>)>,
}

/// The way to say something. Nobody hears who has none, as in a test of an executor alone.
#[derive(Clone, Default)]
pub struct Voice(Option<Arc<dyn Speak>>);

impl fmt::Debug for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Voice").field(&self.0.is_some()).finish()
    }
}

impl Voice {
    /// That way.
    pub fn new(speaker: impl Speak + 'static) -> Self {
        Self(Some(Arc::new(speaker)))
    }

    /// Sends a message as agents send it. Ends when it is recorded.
    ///
    /// # Errors
    /// The same as those of [`Speak::say`].
    pub async fn say(&self, message: Json) -> Result<(), Failure> {
        self.speaker()?.say(message).await
    }

    /// Says that a message which it was given is handled, by what that is called. Ends when it is recorded.
    ///
    /// # Errors
    /// The same as those of [`Speak::handled`].
    pub async fn handled(&self, message: &str) -> Result<(), Failure> {
        self.speaker()?.handled(message).await
    }

    /// Sends one and waits for the answer, for so long.
    ///
    /// # Errors
    /// The same as those of [`Speak::ask`].
    pub async fn ask(&self, message: Json, within: Duration) -> Result<Json, Failure> {
        self.speaker()?.ask(message, within).await
    }

    /// What an agent with a memory remembers, and what came of that message.
    ///
    /// # Errors
    /// The same as those of [`Speak::recall`].
    pub async fn recall(&self, mind: &AgentName, message: &str) -> Result<Recalled, Failure> {
        self.speaker()?.recall(mind, message).await
    }

    /// Has an agent with a memory take in a message.
    ///
    /// # Errors
    /// The same as those of [`Speak::remember`].
    pub async fn remember(&self, mind: &AgentName, take: Take) -> Result<bool, Failure> {
        self.speaker()?.remember(mind, take).await
    }

    fn speaker(&self) -> Result<&dyn Speak, Failure> {
        let nobody = || Failure::new(Code::Cancelled, "there is no run in which this could be said");
        self.0.as_deref().ok_or_else(nobody)
    }
}
