//! The cache of answers, as far as people decide on it: how often they have taken answers away. Which are there follows from the
//! events of all runs and from these, in a read model; so what was taken away does not come back when that is folded anew.
//!
//! - `recorded`: its command as it is recorded, and what it was

mod recorded;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::recorded::RECORDS;
use crate::events::cache::{CacheCleared, CacheEvent};
use crate::events::codec::{CodecError, from_bytes, to_bytes};
use crate::events::decision::Form;
use crate::events::ids::{AgentName, CACHE_KIND};
use crate::events::json::BlobRef;
use crate::events::problem::Problem;
use crate::kernel::standing::KindFold;
use crate::kernel::{
    Aggregate, At, Attention, Draft, EffectChanges, IllegalEvent, Moment, NoEffect, NotRecalled, Recalling,
    Recording,
};

/// The state of the cache, without its answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerCache {
    cleared: u64,
}

/// A command to the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheAsk {
    /// To take no answer any more that was kept until now.
    Clear {
        /// The agent whose answers are meant; none for all.
        agent: Option<AgentName>,
        /// The name of the person or program that wants it.
        by: Arc<str>,
    },
    /// Nothing, by a process that takes it over: nothing of it is ever lost.
    Nothing,
}

/// How its stream is folded by whoever knows no kind by name.
pub const FOLD: KindFold = KindFold::of::<AnswerCache>(|_| None);

impl AnswerCache {
    /// How often answers were taken away.
    pub const fn cleared(&self) -> u64 {
        self.cleared
    }
}

impl Aggregate for AnswerCache {
    const KIND: &'static str = CACHE_KIND;
    type Command = CacheAsk;
    type Event = CacheEvent;
    type Rejection = Infallible;
    type Effect = NoEffect;
    type Grants = ();

    fn decide(draft: &mut Draft<'_, Self>, ask: CacheAsk, _: &Moment<'_>) -> Result<(), Infallible> {
        if let CacheAsk::Clear { agent, by } = ask {
            draft.emit(CacheCleared { agent, by });
        }
        Ok(())
    }

    fn evolve(
        &mut self,
        event: &CacheEvent,
        _: &At<'_>,
        _: &mut EffectChanges<NoEffect>,
    ) -> Result<(), IllegalEvent> {
        match event {
            CacheEvent::CacheCleared(_) => self.cleared = self.cleared.saturating_add(1),
        }
        Ok(())
    }

    fn blobs(_: &CacheEvent) -> Vec<BlobRef> {
        Vec::new()
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

    fn due(effect: &NoEffect) -> Option<CacheAsk> {
        match *effect {}
    }

    fn recover(_: &mut dyn Iterator<Item = &()>) -> CacheAsk {
        CacheAsk::Nothing
    }

    fn loses(_: &CacheAsk) -> bool {
        false
    }

    fn name(ask: &CacheAsk) -> &'static str {
        recorded::name(ask)
    }

    fn asked_by(ask: &CacheAsk) -> Option<Arc<str>> {
        match ask {
            CacheAsk::Clear { by, .. } => Some(Arc::clone(by)),
            CacheAsk::Nothing => None,
        }
    }

    fn record(ask: CacheAsk, _: &mut Recording<'_, '_, Self>) -> Result<Option<Form>, CodecError> {
        recorded::record(ask)
    }

    fn recall(recalling: &Recalling<'_, Self>) -> Result<CacheAsk, NotRecalled> {
        recorded::recall(recalling)
    }

    fn problem(rejection: &Infallible) -> Problem {
        match *rejection {}
    }

    fn is_fatal(rejection: &Infallible) -> bool {
        match *rejection {}
    }

    const SNAPSHOT_SCHEMA: u16 = 1;

    fn snapshot(&self) -> Result<Vec<u8>, CodecError> {
        to_bytes(self)
    }

    fn restore(bytes: &[u8]) -> Result<Self, CodecError> {
        from_bytes(bytes)
    }
}
