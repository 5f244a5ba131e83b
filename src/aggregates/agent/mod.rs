//! An agent: with which definitions it was seen, and whether it takes work, as the fold of its events.
//!
//! - `recorded`: commands as they are recorded, and what they were

mod recorded;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::recorded::RECORDS;
use crate::events::agent::{AgentDraining, AgentEvent, AgentPaused, AgentRegistered, AgentUnpaused};
use crate::events::codec::{CodecError, from_bytes, to_bytes};
use crate::events::decision::Form;
use crate::events::ids::{AGENT_KIND, AgentName, Hash};
use crate::events::json::BlobRef;
use crate::events::problem::{Code, Problem};
use crate::events::time::Timestamp;
use crate::kernel::standing::KindFold;
use crate::kernel::{
    Aggregate, At, Attention, Draft, EffectChanges, IllegalEvent, Moment, NoEffect, NotRecalled, Recalling,
    Recording,
};

/// The state of an agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    standing: AgentStanding,
    /// The definitions with which it was seen.
    definitions: BTreeSet<Hash>,
}

/// What is known of an agent beside its earlier definitions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStanding {
    /// What it was called when it was last named; none of an agent to which nothing has happened.
    pub name: Option<AgentName>,
    /// The pause that holds; none of an agent that is not paused.
    pub paused: Option<Word>,
    /// The wish to drain it that holds; none of an agent that is not draining.
    pub draining: Option<Word>,
    /// The definition whose limits hold.
    pub newest: Option<AgentRegistered>,
}

/// Who wanted something of an agent, why, and when that was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// The name of the person or program that wanted it.
    pub by: Arc<str>,
    /// Their reason, if they gave one.
    pub reason: Option<String>,
    /// The time of the event, by the clock of the process that recorded it.
    pub at: Timestamp,
}

/// A command to an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentAsk {
    /// To be known with a definition. One that is known changes nothing, unless a run brings it that began after the run that
    /// brought the newest.
    Register(AgentRegistered),
    /// To take, or not to take, work.
    Turn {
        /// The agent, as who asks calls it.
        agent: AgentName,
        /// The name of the person or program that asks.
        by: Arc<str>,
        /// Their reason, if they give one.
        reason: Option<String>,
        /// The turn that is wanted. If it has been taken already, nothing happens.
        to: Turn,
        /// Whether somebody knows the agent to whom nothing has happened: a file or the configuration defines it.
        known: bool,
    },
    /// To go on in another process: there is nothing to do for that.
    Recover,
}

/// Whether an agent is to take work, as people want it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// To start no attempt.
    Pause,
    /// To take all work again.
    Unpause,
    /// To let nobody begin a run with it.
    Drain,
}

/// Why an agent refuses a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentRejection {
    /// The agent has no history, and no file and no configuration defines it.
    #[error("no agent is named `{0}`")]
    Unknown(AgentName),
}

/// How the streams of agents are folded by whoever knows no kind by name.
pub const FOLD: KindFold = KindFold::of::<Agent>(|_| None);

impl AgentStanding {
    /// Takes in what happened at that time.
    pub fn tell(&mut self, event: &AgentEvent, at: Timestamp) {
        let word = |by: &Arc<str>, reason: &Option<String>| {
            Some(Word { by: Arc::clone(by), reason: reason.clone(), at })
        };
        match event {
            AgentEvent::AgentRegistered(registered) => {
                self.name = Some(registered.agent.clone());
                if self.newest.as_ref().is_none_or(|newest| newest.since <= registered.since) {
                    self.newest = Some(registered.clone());
                }
            }
            AgentEvent::AgentPaused(AgentPaused { agent, by, reason }) => {
                self.name.get_or_insert_with(|| agent.clone());
                self.paused = word(by, reason);
            }
            AgentEvent::AgentUnpaused(_) => (self.paused, self.draining) = (None, None),
            AgentEvent::AgentDraining(AgentDraining { agent, by, reason }) => {
                self.name.get_or_insert_with(|| agent.clone());
                self.draining = word(by, reason);
            }
        }
    }

    /// In a word: `active`, `paused` or `draining`. One that is both is paused.
    pub const fn status(&self) -> &'static str {
        match (&self.paused, &self.draining) {
            (Some(_), _) => "paused",
            (None, Some(_)) => "draining",
            (None, None) => "active",
        }
    }
}

impl Agent {
    /// What is known of the agent beside its earlier definitions.
    pub const fn standing(&self) -> &AgentStanding {
        &self.standing
    }

    /// The hashes of the definitions with which it was seen.
    pub const fn definitions(&self) -> &BTreeSet<Hash> {
        &self.definitions
    }

    /// Whether a definition is news: it was never seen, or is in force again.
    fn is_news(&self, registered: &AgentRegistered) -> bool {
        let hash = registered.definition.hash;
        let is_back =
            |newest: &AgentRegistered| newest.definition.hash != hash && newest.since < registered.since;
        !self.definitions.contains(&hash) || self.standing.newest.as_ref().is_some_and(is_back)
    }

    fn turned(&self, agent: AgentName, by: Arc<str>, reason: Option<String>, to: Turn) -> Option<AgentEvent> {
        let AgentStanding { paused, draining, .. } = &self.standing;
        match to {
            Turn::Pause if paused.is_none() => Some(AgentPaused { agent, by, reason }.into()),
            Turn::Unpause if paused.is_some() || draining.is_some() => {
                Some(AgentUnpaused { by, reason }.into())
            }
            Turn::Drain if draining.is_none() => Some(AgentDraining { agent, by, reason }.into()),
            Turn::Pause | Turn::Unpause | Turn::Drain => None,
        }
    }
}

impl Aggregate for Agent {
    const KIND: &'static str = AGENT_KIND;
    type Command = AgentAsk;
    type Event = AgentEvent;
    type Rejection = AgentRejection;
    type Effect = NoEffect;
    type Grants = ();

    fn decide(draft: &mut Draft<'_, Self>, ask: AgentAsk, _: &Moment<'_>) -> Result<(), AgentRejection> {
        match ask {
            AgentAsk::Register(registered) if draft.state().is_news(&registered) => draft.emit(registered),
            AgentAsk::Turn { agent, known: false, .. } if draft.state().standing.name.is_none() => {
                return Err(AgentRejection::Unknown(agent));
            }
            AgentAsk::Turn { agent, by, reason, to, known: _ } => {
                draft.state().turned(agent, by, reason, to).into_iter().for_each(|event| draft.emit(event));
            }
            AgentAsk::Register(_) | AgentAsk::Recover => {}
        }
        Ok(())
    }

    fn evolve(
        &mut self,
        event: &AgentEvent,
        at: &At<'_>,
        _: &mut EffectChanges<NoEffect>,
    ) -> Result<(), IllegalEvent> {
        let illegal = |why: &str| Err(IllegalEvent { version: at.version, why: why.to_owned() });
        let AgentStanding { paused, draining, .. } = &self.standing;
        match event {
            AgentEvent::AgentPaused(_) if paused.is_some() => return illegal("it is paused already"),
            AgentEvent::AgentDraining(_) if draining.is_some() => return illegal("it is draining already"),
            AgentEvent::AgentUnpaused(_) if paused.is_none() && draining.is_none() => {
                return illegal("it is neither paused nor draining");
            }
            AgentEvent::AgentRegistered(registered) => {
                self.definitions.insert(registered.definition.hash);
            }
            _ => {}
        }
        self.standing.tell(event, at.time);
        Ok(())
    }

    fn blobs(event: &AgentEvent) -> Vec<BlobRef> {
        match event {
            AgentEvent::AgentRegistered(registered) => vec![registered.definition],
            _ => Vec::new(),
        }
    }

    fn open(&self) -> Vec<NoEffect> {
        Vec::new()
    }

    /// It never goes on by itself: it is there to be asked.
    fn attention(&self) -> Attention {
        Attention::default()
    }

    fn status(&self) -> &'static str {
        self.standing.status()
    }

    fn due(effect: &NoEffect) -> Option<AgentAsk> {
        match *effect {}
    }

    fn recover(_: &mut dyn Iterator<Item = &()>) -> AgentAsk {
        AgentAsk::Recover
    }

    fn loses(_: &AgentAsk) -> bool {
        false
    }

    fn name(ask: &AgentAsk) -> &'static str {
        recorded::name(ask)
    }

    fn asked_by(ask: &AgentAsk) -> Option<Arc<str>> {
        match ask {
            AgentAsk::Turn { by, .. } => Some(Arc::clone(by)),
            AgentAsk::Register(_) | AgentAsk::Recover => None,
        }
    }

    fn record(ask: AgentAsk, _: &mut Recording<'_, '_, Self>) -> Result<Option<Form>, CodecError> {
        recorded::record(ask)
    }

    fn recall(recalling: &Recalling<'_, Self>) -> Result<AgentAsk, NotRecalled> {
        recorded::recall(recalling)
    }

    fn problem(rejection: &AgentRejection) -> Problem {
        match rejection {
            AgentRejection::Unknown(_) => Problem::new(Code::UnknownAgent, rejection.to_string()),
        }
    }

    fn is_fatal(_: &AgentRejection) -> bool {
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
