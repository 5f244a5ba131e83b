//! The messages that an attempt is given, and those that are delivered to who handles them as they come.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, mpsc};

use super::ContextEntry;
use crate::aggregates::run::{Context as RunContext, ContextValue, Run, Sent};
use crate::events::ids::{AgentName, ContextKey, Hash, MessageId, MessageNumber, RunId, StepId};
use crate::events::json::{Json, Payload};
use crate::events::problem::{Code, Problem};
use crate::events::run::{Address, DeliveryStarted, MessageKind, Priority};
use crate::events::time::Timestamp;
use crate::kernel::Blobs;
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

/// Reads a message that an attempt is given while it goes on. It may block.
pub type Unread = Box<dyn FnOnce() -> Result<MessageGiven, Problem> + Send>;

/// The messages that an attempt is given while it goes on, in order. There are none without a run, as in a test of an executor alone.
#[derive(Debug, Clone, Default)]
pub struct Incoming(Option<Arc<Mutex<Later>>>);

struct Later(mpsc::UnboundedReceiver<Unread>);

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Later")
    }
}

impl Incoming {
    /// Those that come this way.
    pub fn from_channel(messages: mpsc::UnboundedReceiver<Unread>) -> Self {
        Self(Some(Arc::new(Mutex::new(Later(messages)))))
    }

    /// The next of them; it waits for ever where none comes any more. It may be dropped at any await and called again.
    pub async fn next(&self) -> Unread {
        let next = match &self.0 {
            Some(later) => later.lock().await.0.recv().await,
            None => None,
        };
        match next {
            Some(unread) => unread,
            None => std::future::pending().await,
        }
    }
}

/// A message that is delivered to an agent which handles messages of its type as soon as they come.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The run in which it was sent.
    pub run: RunId,
    /// The agent that is to handle it.
    pub agent: AgentName,
    /// The message.
    pub message: MessageGiven,
    /// How often it was delivered to it with this one, from 1.
    pub nth: u32,
    /// What the agents of the run share, by key, as it is now.
    pub context: BTreeMap<String, ContextEntry>,
}

/// A message that is to be delivered, before the blobs that it refers to are read.
#[derive(Debug, Clone)]
pub struct Undelivered {
    run: RunId,
    agent: AgentName,
    nth: u32,
    sent: Arc<Sent>,
    values: Arc<RunContext>,
}

impl Undelivered {
    /// What a run wants delivered.
    ///
    /// # Errors
    /// When it does not know that message.
    pub fn of(run: &Run, started: &DeliveryStarted) -> Result<Self, Problem> {
        let lost = || Problem::new(Code::Internal, format!("there is no message {}", started.number));
        let sent = Arc::clone(run.messages().sent(started.number).ok_or_else(lost)?);
        let about = run.about().ok_or_else(lost)?;
        let (agent, values) = (started.receiver.clone(), Arc::clone(run.context()));
        Ok(Self { run: about.id.clone(), agent, nth: started.nth, sent, values })
    }

    /// The step whose attempt sent it, or what led to it.
    pub fn step(&self) -> &StepId {
        &self.sent.message.step
    }

    /// The hashes of the blobs that it refers to.
    pub fn content(&self) -> Vec<Hash> {
        let values = self.values.values().map(|known| &known.value);
        values.chain([&self.sent.message.body]).filter_map(Payload::blob).map(|blob| blob.hash).collect()
    }

    /// Reads them.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn read(self, blobs: &dyn Blobs) -> Result<Delivery, Problem> {
        let Self { run, agent, nth, sent, values } = self;
        let body = blobs.json(&sent.message.body).map_err(|unreadable| unreadable.problem())?;
        let message = MessageGiven::of(&run, &sent, body);
        Ok(Delivery { run, agent, message, nth, context: entries(&values, blobs)? })
    }
}

/// The values of a run's context, read.
pub(super) fn entries(
    values: &RunContext,
    blobs: &dyn Blobs,
) -> Result<BTreeMap<String, ContextEntry>, Problem> {
    let there = values.iter().filter(|(_, known)| known.is_there());
    let entry = |(key, known): (&ContextKey, &ContextValue)| {
        let value = blobs.json(&known.value).map_err(|unreadable| unreadable.problem())?;
        Ok((key.to_string(), ContextEntry { value, version: known.version }))
    };
    there.map(entry).collect()
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

    /// A message of that run, when it is read.
    pub(crate) fn unread(run: RunId, sent: Arc<Sent>, blobs: Arc<dyn Blobs + Send + Sync>) -> Unread {
        Box::new(move || {
            let body = blobs.json(&sent.message.body).map_err(|unreadable| unreadable.problem())?;
            Ok(Self::of(&run, &sent, body))
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
