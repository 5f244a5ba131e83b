//! The mind of an agent with a memory: keys with values, and the messages that it took in last, so that none is ever taken in
//! twice. The fold of its events. No run owns it: a rollback leaves it alone, and a fork sends it messages of its own.
//!
//! - `recorded`: its command as it is recorded, and what it was

mod recorded;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::recorded::RECORDS;
use crate::events::codec::{CodecError, from_bytes, to_bytes};
use crate::events::decision::Form;
use crate::events::ids::{AgentName, ContextKey, KeyVersion, MIND_KIND};
use crate::events::json::{BlobRef, Json, Payload};
use crate::events::limits::{CONTEXT_KEYS_MAX, CONTEXT_VALUE_BYTES_MAX, MESSAGES_SENT_MAX};
use crate::events::mind::{MessageTaken, MindEvent, Remembered};
use crate::events::problem::{Code, Problem};
use crate::events::time::Timestamp;
use crate::kernel::standing::KindFold;
use crate::kernel::{
    Aggregate, At, Attention, Draft, EffectChanges, IllegalEvent, Moment, NoEffect, NotRecalled, Recalling,
    Recording,
};

/// How many messages a mind knows again. A run that was let go of for longer than it takes to take in so many others may have one
/// taken in twice.
pub const TAKEN_MAX: usize = 10_000;

/// The state of a mind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Mind {
    memory: BTreeMap<ContextKey, Memory>,
    /// The messages that it took in last, the oldest first.
    order: VecDeque<Arc<str>>,
    taken: BTreeMap<Arc<str>, Taken>,
    /// How many it has taken in.
    count: u64,
}

/// What is remembered under a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// The version of the last value.
    pub last: KeyVersion,
    /// The value; none of a key that was forgotten.
    pub value: Option<Payload>,
    /// When that was recorded.
    pub at: Timestamp,
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// What it is answered.
    pub answer: Payload,
    /// What is sent for it.
    pub sends: Vec<Payload>,
}

/// To take in a message, with what came of it. One that was taken in before is refused: what came of it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Take {
    /// What the message is called: `RUN/N`.
    pub message: Arc<str>,
    /// The agent that sent it.
    pub from: AgentName,
    /// The stable name of its type.
    pub type_name: Option<Arc<str>>,
    /// What it says.
    pub body: Json,
    /// What it is answered.
    pub answer: Json,
    /// What is sent for it, each as agents send messages.
    pub sends: Vec<Json>,
    /// What is remembered of it: keys with their values, null to forget one.
    pub remembers: Vec<(ContextKey, Json)>,
    /// How many messages the mind had taken in that this was thought with: with another number it is thought anew.
    pub after: u64,
}

/// What a mind is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum MindAsk {
    /// To take in a message.
    Take(Box<Take>),
    /// Nothing, by a process that takes it over: nothing of it is ever lost.
    Nothing,
}

/// Why a mind does not take in a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MindRejection {
    /// It has taken in another since, and may know better.
    #[error("the mind has taken in {is} messages, and this was thought after {after}")]
    Changed {
        /// How many it has taken in.
        is: u64,
        /// How many it had, when this was thought.
        after: u64,
    },
    /// A value is longer than may be remembered.
    #[error(
        "what is to be remembered under `{key}` has {bytes} bytes, and no more than {CONTEXT_VALUE_BYTES_MAX} are"
    )]
    ValueTooLarge {
        /// The key.
        key: ContextKey,
        /// How long it is.
        bytes: usize,
    },
    /// More messages than may would be sent.
    #[error("{0} messages would be sent, and no more than {MESSAGES_SENT_MAX} are")]
    TooManySends(usize),
    /// More keys than may would be remembered.
    #[error("{0} keys would be remembered, and no more than {CONTEXT_KEYS_MAX} are")]
    TooManyKeys(usize),
}

/// How the streams of minds are folded by whoever knows no kind by name.
pub const FOLD: KindFold = KindFold::of::<Mind>(|_| None);

impl Mind {
    /// All that was ever remembered, with what was forgotten.
    pub const fn memory(&self) -> &BTreeMap<ContextKey, Memory> {
        &self.memory
    }

    /// How many messages it has taken in.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// What came of a message that it has taken in, if it knows that one.
    pub fn taken(&self, message: &str) -> Option<&Taken> {
        self.taken.get(message)
    }

    fn may_remember(&self, remembers: &[(ContextKey, Json)]) -> Result<(), MindRejection> {
        for (key, value) in remembers {
            let bytes = value.text().len();
            if bytes > CONTEXT_VALUE_BYTES_MAX {
                return Err(MindRejection::ValueTooLarge { key: key.clone(), bytes });
            }
        }
        let new: BTreeSet<_> =
            remembers.iter().map(|(key, _)| key).filter(|key| !self.memory.contains_key(*key)).collect();
        let keys = self.memory.len() + new.len();
        if keys > CONTEXT_KEYS_MAX { Err(MindRejection::TooManyKeys(keys)) } else { Ok(()) }
    }

    fn take(&mut self, event: &MessageTaken) -> Result<(), String> {
        let taken = Taken { answer: event.answer.clone(), sends: event.sends.clone() };
        if self.taken.insert(Arc::clone(&event.message), taken).is_some() {
            return Err(format!("message `{}` was taken in before", event.message));
        }
        self.order.push_back(Arc::clone(&event.message));
        self.count += 1;
        if self.order.len() > TAKEN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.taken.remove(&oldest);
        }
        Ok(())
    }

    fn remember(&mut self, event: &Remembered, at: Timestamp) -> Result<(), String> {
        let last = self.memory.get(&event.key).map_or(KeyVersion(0), |memory| memory.last);
        let (last, value) = match event.version {
            KeyVersion(0) => (last, None),
            version if version == last.next() => (version, Some(event.value.clone())),
            version => return Err(format!("version {version} of `{}` does not follow {last}", event.key)),
        };
        self.memory.insert(event.key.clone(), Memory { last, value, at });
        Ok(())
    }
}

impl Aggregate for Mind {
    const KIND: &'static str = MIND_KIND;
    type Command = MindAsk;
    type Event = MindEvent;
    type Rejection = MindRejection;
    type Effect = NoEffect;
    type Grants = ();

    fn decide(draft: &mut Draft<'_, Self>, ask: MindAsk, _: &Moment<'_>) -> Result<(), MindRejection> {
        let MindAsk::Take(take) = ask else { return Ok(()) };
        let state = draft.state();
        // Whoever has it taken in again learns what came of it.
        if take.after != state.count || state.taken.contains_key(&take.message) {
            return Err(MindRejection::Changed { is: state.count, after: take.after });
        }
        if take.sends.len() > MESSAGES_SENT_MAX {
            return Err(MindRejection::TooManySends(take.sends.len()));
        }
        state.may_remember(&take.remembers)?;
        let Take { message, from, type_name, body, answer, sends, remembers, .. } = *take;
        let (body, answer) = (draft.payload(body), draft.payload(answer));
        let sends = sends.into_iter().map(|message| draft.payload(message)).collect();
        draft.emit(MessageTaken { message, from, type_name, body, answer, sends });
        for (key, value) in remembers {
            let known = draft.state().memory.get(&key);
            let is_there = known.is_some_and(|memory| memory.value.is_some());
            let version = match value.is_null() {
                true if !is_there => continue,
                true => KeyVersion(0),
                false => known.map_or(KeyVersion(0), |memory| memory.last).next(),
            };
            let value = draft.payload(value);
            draft.emit(Remembered { key, version, value });
        }
        Ok(())
    }

    fn evolve(
        &mut self,
        event: &MindEvent,
        at: &At<'_>,
        _: &mut EffectChanges<NoEffect>,
    ) -> Result<(), IllegalEvent> {
        let folded = match event {
            MindEvent::MessageTaken(taken) => self.take(taken),
            MindEvent::Remembered(remembered) => self.remember(remembered, at.time),
        };
        folded.map_err(|why| IllegalEvent { version: at.version, why })
    }

    fn blobs(event: &MindEvent) -> Vec<BlobRef> {
        event.blobs()
    }

    fn open(&self) -> Vec<NoEffect> {
        Vec::new()
    }

    fn attention(&self) -> Attention {
        Attention::default()
    }

    fn status(&self) -> &'static str {
        "open"
    }

    fn due(effect: &NoEffect) -> Option<MindAsk> {
        match *effect {}
    }

    fn recover(_: &mut dyn Iterator<Item = &()>) -> MindAsk {
        MindAsk::Nothing
    }

    fn loses(_: &MindAsk) -> bool {
        false
    }

    fn name(ask: &MindAsk) -> &'static str {
        recorded::name(ask)
    }

    fn record(ask: MindAsk, recording: &mut Recording<'_, '_, Self>) -> Result<Option<Form>, CodecError> {
        recorded::record(ask, recording)
    }

    fn recall(recalling: &Recalling<'_, Self>) -> Result<MindAsk, NotRecalled> {
        recorded::recall(recalling)
    }

    fn problem(rejection: &MindRejection) -> Problem {
        let code = match rejection {
            MindRejection::Changed { .. } => Code::MindChanged,
            MindRejection::TooManySends(_) => Code::TooManyMessages,
            MindRejection::ValueTooLarge { .. } | MindRejection::TooManyKeys(_) => Code::ContextFull,
        };
        Problem::new(code, rejection.to_string())
    }

    fn is_fatal(_: &MindRejection) -> bool {
        false
    }

    const SNAPSHOT_SCHEMA: u16 = 1;

    fn snapshot(&self) -> Result<Vec<u8>, CodecError> {
        to_bytes(self)
    }

    fn restore(bytes: &[u8]) -> Result<Self, CodecError> {
        from_bytes(bytes)
    }
}
