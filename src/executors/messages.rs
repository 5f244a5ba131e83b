//! The messages that an attempt is given.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aggregates::run::Sent;
use crate::events::ids::{AgentName, MessageId, MessageNumber, RunId};
use crate::events::json::Json;
use crate::events::problem::Code;
use crate::events::run::{Address, MessageKind, Priority};
use crate::events::time::Timestamp;
use crate::workflow::work::Failure;

/// A message from another agent, as the agent is given it that is to handle it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageGiven {
    /// What it is called: `RUN/N`. It is the same however often it is given.
    pub id: String,
    /// The agent that sent it.
    pub from: AgentName,
    /// Whom it is for, as its sender said: the name of an agent, `topic:` and a topic, or `*`.
    pub to: Address,
    /// What its sender wants with it.
    pub kind: MessageKind,
    /// The stable name of the type of its body; none if its sender named none.
    pub type_name: Option<Arc<str>>,
    /// How urgent it is.
    pub priority: Priority,
    /// By which it belongs together with others; none if its sender did not say.
    pub correlation: Option<Arc<str>>,
    /// What the message is called that it answers, or sends again; none if it does neither.
    pub causation: Option<String>,
    /// Until when it is of use; none for ever.
    pub deadline: Option<Timestamp>,
    /// When it was sent.
    pub at: Timestamp,
    /// What it says.
    pub body: Json,
}

impl MessageGiven {
    /// What it says, decoded into the type that the receiver wants.
    ///
    /// # Errors
    /// A `validation` failure when it does not fit.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(self.body.text()).map_err(|error| {
            let message =
                format!("what message `{}` of `{}` says is not what is taken: {error}", self.id, self.from);
            Failure::new(Code::FunctionInput, message)
        })
    }

    /// A message of that run, whose body was read.
    pub(super) fn of(run: &RunId, sent: &Sent, body: Json) -> Self {
        let id = |number: MessageNumber| MessageId { run: run.clone(), number }.to_string();
        let message = &sent.message;
        Self {
            id: id(message.number),
            from: message.from.clone(),
            to: message.to.clone(),
            kind: message.kind,
            type_name: message.type_name.clone(),
            priority: message.priority,
            correlation: message.correlation.clone(),
            causation: message.causation.map(id),
            deadline: message.deadline,
            at: sent.at,
            body,
        }
    }
}
