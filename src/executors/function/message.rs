//! Messages that are types, and the closures that handle them as soon as they come.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::outgoing::Outgoing;
use super::{FunctionCall, json_of, known_as, write_of};
use crate::events::ids::{KeyVersion, RunId, StepId};
use crate::events::json::Json;
use crate::events::problem::{Code, nearest};
use crate::events::run::MessageKind;
use crate::executors::definition::MessageType;
use crate::executors::voice::Voice;
use crate::executors::{AgentRequest, Context, Delivery, Executor, Failure, MessageGiven, Output, Task};

/// A type whose values agents send each other. Its name is recorded with each message and stands in the definitions of those who
/// handle it: it never changes, whatever the type is called in the program.
///
/// ```
/// use reenact::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Quote {
///     item: String,
/// }
///
/// impl Message for Quote {
///     const NAME: &'static str = "quote";
///     type Answer = u64;
/// }
/// ```
pub trait Message: Serialize + DeserializeOwned + Send + 'static {
    /// The stable name of the type, at most 200 bytes of it on one line.
    const NAME: &'static str;

    /// What who handles it answers; `()` where nobody waits for an answer.
    type Answer: Serialize + DeserializeOwned + Send + 'static;

    /// The shape of its values, as a JSON Schema, by which a message is refused that does not fit before anybody gets it; without
    /// one only who handles it finds out.
    fn schema() -> Option<Value> {
        None
    }
}

impl Outgoing {
    /// A message that is a value of a type of its own: a notice, where nothing else is said.
    ///
    /// # Errors
    /// When it has no JSON form that can be taken.
    pub fn of<M: Message>(to: &str, message: &M) -> Result<Self, Failure> {
        Self::to(to, MessageKind::Notice).type_name(M::NAME).body(message)
    }
}

/// A message that a closure handles.
#[derive(Debug, Clone)]
pub struct MessageCall {
    /// The message, with its envelope, and the context of its run.
    pub delivery: Delivery,
    /// Says when to stop, and says things at once.
    pub context: Context,
    requests: Arc<Mutex<Vec<AgentRequest>>>,
}

impl MessageCall {
    /// The message with its envelope: who sent it, as what, and what it answers.
    pub fn message(&self) -> &MessageGiven {
        &self.delivery.message
    }

    /// The run in which it was sent.
    pub fn run(&self) -> &RunId {
        &self.delivery.run
    }

    /// A value that the agents of the run share, with its version, as it was when the message was delivered; none if nobody has
    /// written that key.
    ///
    /// # Errors
    /// A `validation` failure when it does not fit.
    pub fn context_get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<(T, KeyVersion)>, Failure> {
        known_as(self.delivery.context.get(key), key, &self.delivery.agent)
    }

    /// Writes a value that the agents of the run share, in the commit that says that the message is handled. With `expected` the
    /// message is not handled, and delivered again, if the key has another version by then.
    ///
    /// # Errors
    /// When the value has no JSON form that can be taken.
    pub fn context_set<T: Serialize>(
        &self,
        key: &str,
        value: &T,
        expected: Option<KeyVersion>,
    ) -> Result<(), Failure> {
        self.request(write_of(key, value, expected)?);
        Ok(())
    }

    /// Sends a message in the commit that says that this one is handled.
    pub fn send(&self, message: Outgoing) {
        self.request(AgentRequest::Send(message.into()));
    }

    /// Sends a message to an agent and waits for its answer, for so long. It is sent at once: whatever becomes of this one.
    ///
    /// # Errors
    /// When it may not be sent; [`Code::AnswerLate`]; a `validation` failure when the answer does not fit.
    pub async fn ask<M: Message>(
        &self,
        to: &str,
        message: &M,
        within: Duration,
    ) -> Result<M::Answer, Failure> {
        ask(&self.context.voice, to, message, within).await
    }

    /// Sends a message as agents send it, in that commit.
    pub(super) fn send_json(&self, message: Json) {
        self.request(AgentRequest::Send(message));
    }

    fn request(&self, request: AgentRequest) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }
}

impl FunctionCall {
    /// Sends a message to an agent at once, whatever becomes of the attempt: a retry sends it again. [`FunctionCall::send`] sends
    /// when the attempt succeeds.
    ///
    /// # Errors
    /// When it may not be sent.
    pub async fn tell<M: Message>(&self, to: &str, message: &M) -> Result<(), Failure> {
        self.context.voice.say(Outgoing::of(to, message)?.into()).await
    }

    /// Sends a message at once to every agent that steps of the run name or that handles such messages, but for this one.
    ///
    /// # Errors
    /// When it may not be sent.
    pub async fn broadcast<M: Message>(&self, message: &M) -> Result<(), Failure> {
        self.tell("*", message).await
    }

    /// Sends a message at once to all that subscribe to a topic.
    ///
    /// # Errors
    /// When it may not be sent.
    pub async fn publish<M: Message>(&self, topic: &str, message: &M) -> Result<(), Failure> {
        self.tell(&format!("{}{topic}", crate::events::run::TOPIC_PREFIX), message).await
    }

    /// Sends a message to an agent at once and waits for its answer, for so long. An answer that comes later is recorded, and
    /// nobody's. The attempt keeps its slot meanwhile.
    ///
    /// # Errors
    /// When it may not be sent; [`Code::AnswerLate`]; a `validation` failure when the answer does not fit.
    pub async fn ask<M: Message>(
        &self,
        to: &str,
        message: &M,
        within: Duration,
    ) -> Result<M::Answer, Failure> {
        ask(&self.context.voice, to, message, within).await
    }
}

async fn ask<M: Message>(
    voice: &Voice,
    to: &str,
    message: &M,
    within: Duration,
) -> Result<M::Answer, Failure> {
    let sent = Outgoing::of(to, message)?.kind(MessageKind::Request).deadline(within);
    let answer = voice.ask(sent.into(), within).await?;
    serde_json::from_str(answer.text()).map_err(|error| {
        let message = format!("what `{to}` answers to a `{}` is not what is taken: {error}", M::NAME);
        Failure::new(Code::FunctionInput, message)
    })
}

/// A closure that handles messages of a type: of the message, or of that and the [`MessageCall`]. `Takes` only tells the two apart.
pub trait Handler<M: Message, Takes>: Send + Sync + 'static {
    /// Handles one.
    fn handle(&self, message: M, call: MessageCall) -> BoxFuture<'static, Result<M::Answer, Failure>>;

    /// What handles one that no run knows of; none if it needs a run.
    fn alone(self: Arc<Self>) -> Option<Alone<M>> {
        None
    }
}

impl<M, F, R> Handler<M, (M,)> for F
where
    M: Message,
    F: Fn(M) -> R + Send + Sync + 'static,
    R: Future<Output = Result<M::Answer, Failure>> + Send + 'static,
{
    fn handle(&self, message: M, _: MessageCall) -> BoxFuture<'static, Result<M::Answer, Failure>> {
        self(message).boxed()
    }

    fn alone(self: Arc<Self>) -> Option<Alone<M>> {
        Some(Alone(Arc::new(move |message| self(message).boxed())))
    }
}

impl<M, F, R> Handler<M, (M, MessageCall)> for F
where
    M: Message,
    F: Fn(M, MessageCall) -> R + Send + Sync + 'static,
    R: Future<Output = Result<M::Answer, Failure>> + Send + 'static,
{
    fn handle(&self, message: M, call: MessageCall) -> BoxFuture<'static, Result<M::Answer, Failure>> {
        self(message, call).boxed()
    }
}

/// A closure that handles messages of a type of which no run knows.
pub struct Alone<M: Message>(Arc<dyn Fn(M) -> Answering<M> + Send + Sync>);

type Answering<M> = BoxFuture<'static, Result<<M as Message>::Answer, Failure>>;

impl<M: Message> Alone<M> {
    /// Handles one.
    pub(crate) fn call(self, message: M) -> Answering<M> {
        (self.0)(message)
    }
}

type Handle = Arc<dyn Fn(MessageCall) -> BoxFuture<'static, Result<Json, Failure>> + Send + Sync>;

/// What is known of the closure that handles messages of a type.
#[derive(Clone)]
struct Known {
    of: MessageType,
    handle: Handle,
    /// An [`Alone`], of one that needs no run.
    alone: Option<Arc<dyn Any + Send + Sync>>,
}

/// The closures with which an agent handles messages, by the names of their types, and what does its steps, if anything does.
#[derive(Clone, Default)]
pub struct Handlers {
    by_type: BTreeMap<&'static str, Known>,
    steps: Option<Arc<dyn Executor>>,
}

impl Handlers {
    /// Handles messages of that type with a closure from here on. Answers whether another did before.
    pub fn on<M: Message, Takes: 'static, H: Handler<M, Takes>>(&mut self, handler: H) -> bool {
        let handler = Arc::new(handler);
        let alone = Arc::clone(&handler).alone().map(|alone| Arc::new(alone) as Arc<dyn Any + Send + Sync>);
        let handle: Handle = Arc::new(move |call: MessageCall| {
            let message = call.message().read::<M>();
            let handler = Arc::clone(&handler);
            async move { json_of(&handler.handle(message?, call).await?) }.boxed()
        });
        let of = MessageType { name: M::NAME.into(), schema: M::schema() };
        self.by_type.insert(M::NAME, Known { of, handle, alone }).is_some()
    }

    /// Does steps with that, beside handling messages.
    pub fn steps(&mut self, executor: Arc<dyn Executor>) {
        self.steps = Some(executor);
    }

    /// The types that are handled.
    pub fn types(&self) -> Vec<MessageType> {
        self.by_type.values().map(|known| known.of.clone()).collect()
    }

    /// What handles messages of that type of which no run knows; none if nothing does.
    pub(crate) fn alone<M: Message>(&self) -> Option<Alone<M>> {
        let alone: &Alone<M> = self.by_type.get(M::NAME)?.alone.as_ref()?.downcast_ref()?;
        Some(Alone(Arc::clone(&alone.0)))
    }
}

#[async_trait]
impl Executor for Handlers {
    async fn execute(&self, task: Task, context: Context) -> Result<Output, Failure> {
        match &self.steps {
            Some(steps) => steps.execute(task, context).await,
            None => {
                let message = format!("`{}` handles messages, and does no steps", task.agent);
                Err(Failure::new(Code::FunctionInput, message))
            }
        }
    }

    async fn deliver(&self, delivery: Delivery, context: Context) -> Result<Output, Failure> {
        let name = delivery.message.type_name.as_deref().unwrap_or_default();
        let Some(Known { handle, .. }) = self.by_type.get(name) else {
            let near = nearest(name, self.by_type.keys().copied());
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let message = format!("`{}` handles no messages of the type `{name}`{near}", delivery.agent);
            return Err(Failure::new(Code::WrongMessage, message));
        };
        let (stopping, requests) = (context.clone(), Arc::<Mutex<Vec<_>>>::default());
        let call = MessageCall { delivery, context, requests: Arc::clone(&requests) };
        let output = tokio::select! {
            biased;
            answer = handle(call) => answer?,
            why = stopping.stopped() => return Err(Failure::stopped(why)),
        };
        let requests = std::mem::take(&mut *requests.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Output { output, requests, ..Output::default() })
    }

    async fn end_leftover(&self, run: &RunId, step: &StepId) -> Result<(), Failure> {
        match &self.steps {
            Some(steps) => steps.end_leftover(run, step).await,
            None => Ok(()),
        }
    }
}
