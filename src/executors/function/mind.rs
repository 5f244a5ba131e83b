//! Closures that handle messages and remember: what an agent with a memory has taken in and what it remembers of it are one commit in a
//! stream of its own.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::json_of;
use super::message::{Handler, Message, MessageCall};
use super::outgoing::Outgoing;
use crate::aggregates::mind::Take;
use crate::events::ids::{AgentName, ContextKey, RunId};
use crate::events::json::Json;
use crate::events::limits::{MESSAGE_BODY_BYTES_MAX, MESSAGES_SENT_MAX};
use crate::events::problem::Code;
use crate::executors::voice::Recalled;
use crate::executors::{Failure, MessageGiven};
use crate::workflow::envelope::Envelope;

/// How often a message is thought over anew because its mind has taken in another meanwhile. Of one process a mind takes in few at
/// a time: as many as runs have for it at once.
const THOUGHTS_MAX: usize = 64;

/// A message that a closure with a memory handles.
#[derive(Debug, Clone)]
pub struct MindCall {
    message: Arc<MessageCall>,
    memory: Arc<BTreeMap<ContextKey, Json>>,
    thought: Arc<Mutex<Thought>>,
}

/// What comes of it, beside the answer.
#[derive(Debug, Default)]
struct Thought {
    remembers: BTreeMap<ContextKey, Json>,
    sends: Vec<Json>,
}

impl MindCall {
    /// The message with its envelope: who sent it, as what, and what it answers.
    pub fn message(&self) -> &MessageGiven {
        self.message.message()
    }

    /// The run in which it was sent.
    pub fn run(&self) -> &RunId {
        self.message.run()
    }

    /// What is remembered under a key, with what this call has remembered; none if that is nothing.
    ///
    /// # Errors
    /// A `validation` failure when it does not fit.
    pub fn recall<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Failure> {
        let key = key_of(key)?;
        let thought = self.thought.lock().unwrap_or_else(PoisonError::into_inner);
        let value = thought.remembers.get(&key).or_else(|| self.memory.get(&key));
        let value = value.filter(|value| !value.is_null());
        value.map(|value| serde_json::from_str(value.text())).transpose().map_err(|error| {
            let message = format!("what is remembered under `{key}` is not what is taken: {error}");
            Failure::new(Code::FunctionInput, message)
        })
    }

    /// Remembers a value under a key, if the message is handled.
    ///
    /// # Errors
    /// When the key is none, or the value has no JSON form that can be taken.
    pub fn remember<T: Serialize>(&self, key: &str, value: &T) -> Result<(), Failure> {
        let (key, value) = (key_of(key)?, json_of(value)?);
        self.thought.lock().unwrap_or_else(PoisonError::into_inner).remembers.insert(key, value);
        Ok(())
    }

    /// Forgets what is remembered under a key, if the message is handled.
    ///
    /// # Errors
    /// When the key is none.
    pub fn forget(&self, key: &str) -> Result<(), Failure> {
        self.remember(key, &())
    }

    /// Sends a message to agents of the run, if this one is handled.
    pub fn send(&self, message: Outgoing) {
        self.thought.lock().unwrap_or_else(PoisonError::into_inner).sends.push(message.into());
    }
}

fn key_of(key: &str) -> Result<ContextKey, Failure> {
    ContextKey::parse(key).map_err(|why| Failure::new(Code::BadContextName, why.to_string()))
}

/// Handles messages of a type with a closure that remembers. It is called again with what is remembered by then if another message
/// was taken in meanwhile: what it does in the world it may do more than once.
pub struct Remembering<F>(pub F);

impl<M, F, R> Handler<M, (M, MindCall)> for Remembering<F>
where
    M: Message + Clone + Sync,
    F: Fn(M, MindCall) -> R + Send + Sync + Clone + 'static,
    R: Future<Output = Result<M::Answer, Failure>> + Send + 'static,
{
    fn handle(&self, message: M, call: MessageCall) -> BoxFuture<'static, Result<M::Answer, Failure>> {
        let closure = self.0.clone();
        think(closure, message, call).boxed()
    }
}

async fn think<M, F, R>(closure: F, message: M, call: MessageCall) -> Result<M::Answer, Failure>
where
    M: Message + Clone,
    F: Fn(M, MindCall) -> R,
    R: Future<Output = Result<M::Answer, Failure>>,
{
    let call = Arc::new(call);
    let (voice, mind) = (call.context.voice.clone(), call.delivery.agent.clone());
    for _ in 0..THOUGHTS_MAX {
        let Recalled { after, memory, taken } = voice.recall(&mind, &call.message().id).await?;
        if let Some((answer, sends)) = taken {
            // It was taken in, and the run does not know.
            sends.into_iter().for_each(|message| call.send_json(message));
            return answered(&answer);
        }
        let thought = Arc::<Mutex<Thought>>::default();
        let this =
            MindCall { message: Arc::clone(&call), memory: Arc::new(memory), thought: Arc::clone(&thought) };
        let answer = closure(message.clone(), this).await?;
        let json = json_of(&answer)?;
        let Thought { remembers, sends } =
            std::mem::take(&mut *thought.lock().unwrap_or_else(PoisonError::into_inner));
        may_be_sent(&mind, &json, &sends)?;
        let given = call.message();
        let take = Take {
            message: given.id.as_str().into(),
            from: given.from.clone(),
            type_name: given.type_name.clone(),
            body: given.body.clone(),
            answer: json,
            sends: sends.clone(),
            remembers: remembers.into_iter().collect(),
            after,
        };
        if voice.remember(&mind, take).await? {
            sends.into_iter().for_each(|message| call.send_json(message));
            return Ok(answer);
        }
    }
    Err(Failure::new(Code::MindChanged, format!("`{mind}` has much to think about")))
}

/// What the run of a message would refuse is not remembered.
fn may_be_sent(mind: &AgentName, answer: &Json, sends: &[Json]) -> Result<(), Failure> {
    let bytes = answer.text().len();
    if bytes > MESSAGE_BODY_BYTES_MAX {
        let message = format!(
            "the answer of `{mind}` has {bytes} bytes, and no more than {MESSAGE_BODY_BYTES_MAX} are sent"
        );
        return Err(Failure::new(Code::MessageTooLong, message));
    }
    if sends.len() > MESSAGES_SENT_MAX {
        let message =
            format!("`{mind}` sends {} messages, and no more than {MESSAGES_SENT_MAX} are", sends.len());
        return Err(Failure::new(Code::TooManyMessages, message));
    }
    sends.iter().try_for_each(|message| Envelope::read(message).map(drop))
}

fn answered<T: DeserializeOwned>(answer: &Json) -> Result<T, Failure> {
    serde_json::from_str(answer.text()).map_err(|error| {
        Failure::new(Code::FunctionInput, format!("what was answered before is not what is taken: {error}"))
    })
}
