//! Messages that closures send.

use std::time::Duration;

use serde::Serialize;

use super::json_of;
use crate::events::json::Json;
use crate::events::run::{MessageKind, Priority};
use crate::events::time::format_duration;
use crate::executors::Failure;

/// A message on its way to other agents of the run.
///
/// ```
/// use reenact::events::run::{MessageKind, Priority};
/// use reenact::executors::function::outgoing::Outgoing;
///
/// # fn main() -> Result<(), reenact::executors::Failure> {
/// let message = Outgoing::to("pricing", MessageKind::Request).priority(Priority::High).body(&[1, 2])?;
/// let everyone = Outgoing::to("*", MessageKind::Notice).body("the market is open")?;
/// let interested = Outgoing::to("topic:market.open", MessageKind::Notice).correlation("june");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Serialize)]
#[must_use = "it is sent by `FunctionCall::send`"]
pub struct Outgoing {
    to: String,
    kind: MessageKind,
    priority: Priority,
    #[serde(skip_serializing_if = "Option::is_none")]
    type_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<String>,
    body: Json,
}

impl Outgoing {
    /// A message to an agent by its name, to all that subscribe to a topic as `topic:TOPIC`, or to everyone as `*`. It says
    /// nothing yet.
    pub fn to(to: &str, kind: MessageKind) -> Self {
        let priority = Priority::default();
        let (type_name, correlation, deadline) = (None, None, None);
        Self { to: to.to_owned(), kind, priority, type_name, correlation, deadline, body: Json::null() }
    }

    /// The same, as another kind of message.
    pub fn kind(self, kind: MessageKind) -> Self {
        Self { kind, ..self }
    }

    /// The same, saying that.
    ///
    /// # Errors
    /// When it has no JSON form that can be taken.
    pub fn body<T: Serialize + ?Sized>(self, body: &T) -> Result<Self, Failure> {
        Ok(Self { body: json_of(&body)?, ..self })
    }

    /// The same, whose body is of the type with that stable name.
    pub fn type_name(self, name: &str) -> Self {
        Self { type_name: Some(name.to_owned()), ..self }
    }

    /// The same, as urgent as that.
    pub fn priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// The same, by which it belongs together with others: of an answer the id of the message that it answers.
    pub fn correlation(self, correlation: &str) -> Self {
        Self { correlation: Some(correlation.to_owned()), ..self }
    }

    /// The same, of use for so long after it is sent: after that nobody is given it.
    pub fn deadline(self, length: Duration) -> Self {
        Self { deadline: Some(format_duration(length)), ..self }
    }
}

impl From<Outgoing> for Json {
    fn from(message: Outgoing) -> Self {
        // All of it is text, or JSON that was read before.
        Self::of(&message).unwrap_or_default()
    }
}
