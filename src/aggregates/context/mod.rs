//! A shared context: keys with values, each write a version of its key, and locks, each grant with a number that rises. The
//! fold of its events, which are the history of every key.
//!
//! - `command`: what it is asked, what it wants done, and what it says to streams that wait
//! - `decide`: what comes of a command; `rejection`: why it refuses one; `evolve`: what each event makes true
//! - `locks`: who holds a lock, and who waits for it
//! - `recorded`: commands as they are recorded, and what they were

mod command;
mod decide;
mod evolve;
mod locks;
mod recorded;
mod rejection;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::command::{
    Acquire, ContextAsk, ContextEffect, ContextEffectId, LockSays, OfContext, Set, SetKey,
};
pub use self::locks::{Holder, Lock, Waiter};
pub use self::recorded::RECORDS;
pub use self::rejection::{ContextRejection, Found};
use crate::events::codec::{CodecError, from_bytes, to_bytes};
use crate::events::context::ContextEvent;
use crate::events::decision::Form;
use crate::events::ids::{
    CONTEXT_KIND, ContextKey, ContextName, KeyVersion, LockFence, LockName, StreamId, Version,
};
use crate::events::json::{BlobRef, Payload};
use crate::events::problem::Problem;
use crate::events::time::Timestamp;
use crate::kernel::standing::KindFold;
use crate::kernel::{
    Aggregate, At, Attention, Draft, EffectChanges, IllegalEvent, Message, Moment, NotRecalled, Own,
    Recalling, Recording, Said,
};

/// The state of a shared context.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// Its name; none of a context to which nothing has happened.
    name: Option<ContextName>,
    keys: BTreeMap<ContextKey, Entry>,
    locks: BTreeMap<LockName, Lock>,
    /// The number of the last grant of any lock.
    fence: LockFence,
    /// What streams do not know yet that waited in vain.
    unheard: Vec<Unheard>,
}

/// What is known of a key that was set once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The version of the last value that it had.
    pub last: KeyVersion,
    /// Its value; none of a key that was removed.
    pub value: Option<Payload>,
    /// Who wrote or removed it last.
    pub by: Arc<str>,
    /// When that was recorded.
    pub at: Timestamp,
}

/// What a stream does not know yet: somebody waited in vain for a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Unheard {
    to: StreamId,
    lock: LockName,
    owner: Arc<str>,
    holder: Option<Arc<str>>,
}

/// How the streams of contexts are folded by whoever knows no kind by name.
pub const FOLD: KindFold = KindFold::of::<Context>(|_| None);

impl Entry {
    /// The version of the value that it has: 0 if it has none any more.
    pub fn version(&self) -> KeyVersion {
        if self.value.is_some() { self.last } else { KeyVersion(0) }
    }
}

impl Unheard {
    fn is_about(&self, lock: &LockName, owner: &str) -> bool {
        self.lock == *lock && *self.owner == *owner
    }

    fn effect(&self) -> ContextEffect {
        let Self { to, lock, owner, holder } = self.clone();
        ContextEffect::TellWaitEnded { to, lock, owner, holder }
    }
}

impl Context {
    /// All keys that were ever set, those too that were removed.
    pub const fn keys(&self) -> &BTreeMap<ContextKey, Entry> {
        &self.keys
    }

    /// The locks that somebody holds or waits for. A lease that is over may still stand there.
    pub const fn locks(&self) -> &BTreeMap<LockName, Lock> {
        &self.locks
    }

    /// The number of the last grant of any of its locks.
    pub const fn fence(&self) -> LockFence {
        self.fence
    }

    fn is_unheard(&self, lock: &LockName, owner: &str) -> bool {
        self.unheard.iter().any(|unheard| unheard.is_about(lock, owner))
    }

    fn says(&self, effect: &ContextEffect) -> Option<(StreamId, String, OfContext)> {
        let context = self.name.clone()?;
        let (to, name, lock, owner, says) = match effect.clone() {
            ContextEffect::Wake { .. } => return None,
            ContextEffect::TellGranted { to, owner, held, until } => {
                let says = LockSays::Granted { fence: held.fence, until };
                (to, format!("granted/{}/{}", held.lock, held.fence), held.lock, owner, says)
            }
            ContextEffect::TellWaitEnded { to, lock, owner, holder } => {
                (to, format!("wait-ended/{lock}/{owner}"), lock, owner, LockSays::WaitEnded { holder })
            }
        };
        Some((to, name, OfContext { context, lock, owner, says }))
    }
}

impl Aggregate for Context {
    const KIND: &'static str = CONTEXT_KIND;
    type Command = ContextAsk;
    type Event = ContextEvent;
    type Rejection = ContextRejection;
    type Effect = ContextEffect;
    type Grants = ();

    fn decide(
        draft: &mut Draft<'_, Self>,
        ask: ContextAsk,
        moment: &Moment<'_>,
    ) -> Result<(), ContextRejection> {
        decide::decide(draft, ask, moment)
    }

    fn evolve(
        &mut self,
        event: &ContextEvent,
        at: &At<'_>,
        changes: &mut EffectChanges<ContextEffect>,
    ) -> Result<(), IllegalEvent> {
        let illegal = |why: &str| IllegalEvent { version: at.version, why: why.to_owned() };
        self.fold(event, at, changes).map_err(illegal)
    }

    fn blobs(event: &ContextEvent) -> Vec<BlobRef> {
        match event {
            ContextEvent::ContextSet(set) => set.keys.iter().filter_map(|set| set.value.blob()).collect(),
            _ => Vec::new(),
        }
    }

    fn open(&self) -> Vec<ContextEffect> {
        let of_lock = |(name, lock): (&LockName, &Lock)| {
            let wake = lock.due().map(|at| ContextEffect::Wake { lock: name.clone(), at });
            wake.into_iter().chain(lock.holder.as_ref().and_then(|holder| holder.told(name)))
        };
        self.locks.iter().flat_map(of_lock).chain(self.unheard.iter().map(Unheard::effect)).collect()
    }

    /// It goes on by itself only for those who wait.
    fn attention(&self) -> Attention {
        let due = self.locks.values().filter_map(Lock::due).min();
        let own = match due {
            _ if !self.unheard.is_empty() => Own::Now,
            Some(at) => Own::At(at),
            None => Own::None,
        };
        Attention { own, ..Attention::default() }
    }

    fn status(&self) -> &'static str {
        if self.locks.is_empty() { "open" } else { "locked" }
    }

    fn due(effect: &ContextEffect) -> Option<ContextAsk> {
        matches!(effect, ContextEffect::Wake { .. }).then_some(ContextAsk::Due)
    }

    fn message(&self, effect: &ContextEffect) -> Option<Message> {
        let (to, name, says) = self.says(effect)?;
        let insists = matches!(effect, ContextEffect::TellWaitEnded { .. });
        let write = Arc::new(move |_: &dyn crate::kernel::Blobs| Ok(Said::new(says.clone())));
        Some(Message { to, effect: name.into(), id: None, asks: false, insists, write })
    }

    /// Whoever cannot be told asks again if they live.
    fn answered(effect: &ContextEffect, _: Result<Version, Problem>) -> Option<ContextAsk> {
        match effect.clone() {
            ContextEffect::TellWaitEnded { lock, owner, .. } => Some(ContextAsk::Told { lock, owner }),
            ContextEffect::Wake { .. } | ContextEffect::TellGranted { .. } => None,
        }
    }

    fn recover(_: &mut dyn Iterator<Item = &ContextEffectId>) -> ContextAsk {
        ContextAsk::Due
    }

    fn loses(_: &ContextAsk) -> bool {
        false
    }

    fn name(ask: &ContextAsk) -> &'static str {
        recorded::name(ask)
    }

    fn asked_by(ask: &ContextAsk) -> Option<Arc<str>> {
        recorded::asked_by(ask)
    }

    fn record(ask: ContextAsk, recording: &mut Recording<'_, '_, Self>) -> Result<Option<Form>, CodecError> {
        recorded::record(ask, recording).map(Some)
    }

    fn recall(recalling: &Recalling<'_, Self>) -> Result<ContextAsk, NotRecalled> {
        recorded::recall(recalling)
    }

    fn problem(rejection: &ContextRejection) -> Problem {
        rejection.problem()
    }

    fn is_fatal(_: &ContextRejection) -> bool {
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
