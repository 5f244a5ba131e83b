//! What a run asks of what it shares with others, and what it knows of that: which steps wait until they have read keys, hold a lock,
//! or have looked up an earlier answer, which locks they hold, and what attempts are still to write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::conversations::OfConversation;
use super::queue::Queue;
use super::{Run, StepIndex};
use crate::aggregates::context::OfContext;
use crate::events::context::Held;
use crate::events::ids::{
    AgentName, ContextKey, ContextName, ConversationName, Fence, Hash, KeyVersion, LockFence, LockName,
    StepId,
};
use crate::events::json::{Json, Payload};
use crate::events::problem::Code;
use crate::events::run::{AnswerSource, CacheAwaited, ConversationRead, Purpose, SharedWrite, TurnsToAdd};
use crate::events::time::Timestamp;
use crate::kernel::Lasts;
use crate::workflow::work::Failure;

/// How long a lock is a step's before it is renewed. Whoever drives a run renews the locks of its attempts three times as
/// often; after a crash others wait for no longer than this.
pub const LEASE: Duration = Duration::from_secs(60);

/// How long a step waits for a lock, if its `timeout` does not say it.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(3_600);

/// What a run knows of what it asks of shared contexts and of conversations.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shared {
    /// Steps that could be tried but for what they wait for.
    pub(super) preparing: BTreeMap<StepIndex, Preparing>,
    /// What steps have read.
    pub(super) reads: BTreeMap<StepIndex, Reads>,
    /// The locks that steps hold, in the order in which they got them.
    pub(super) held: BTreeMap<StepIndex, Vec<HeldLock>>,
    /// The locks that are not wanted any more, of which their contexts do not know.
    pub(super) giving_back: BTreeSet<LockOf>,
    /// The attempts whose agents have answered, while their contexts have not.
    pub(super) writing: BTreeMap<Fence, Writing>,
    /// How many locks were requested: names of owners are made with it.
    pub(super) requests: u64,
    /// Steps for which no answer was found, or whose attempts are open since, and what was looked up.
    pub(super) looked_up: BTreeMap<StepIndex, LookedUp>,
    /// What was read of conversations for steps that are to be tried with it, or are being tried.
    pub(super) heard: BTreeMap<StepIndex, Arc<ConversationRead>>,
    /// Whether no step of the run takes an earlier answer.
    pub(super) bypasses_cache: bool,
}

/// What was looked up for a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LookedUp {
    /// The hash of the work for which it was: with another the step looks again.
    pub(super) work: Hash,
    /// The key under which its answer is kept.
    pub(super) key: Hash,
}

/// What a step waits for before it can be tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Preparing {
    /// To have read these keys, some of which it may have.
    Reading(BTreeSet<(ContextName, ContextKey)>),
    /// To hold a lock, that it may be done or undone.
    Locking { lock: LockOf, until: Timestamp, purpose: Purpose },
    /// To know whether there is an earlier answer.
    LookingUp(Arc<CacheAwaited>),
    /// To know what is at hand of a conversation.
    Hearing(ConversationName),
}

/// A lock as somebody wants or has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LockOf {
    /// The context whose lock it is.
    pub context: ContextName,
    /// The lock.
    pub lock: LockName,
    /// The name under which it is wanted.
    pub owner: Arc<str>,
}

/// A lock that a step holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLock {
    /// The lock, and under which name.
    pub of: LockOf,
    /// The number of the grant.
    pub fence: LockFence,
    /// When it is not the step's any more unless it is renewed, by the steady clock.
    pub until: Timestamp,
}

/// The keys of shared contexts that a step has read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reads {
    /// Whether nothing was tried since, and no lock acquired under which the values may be others.
    pub(super) fresh: bool,
    pub(crate) values: BTreeMap<(ContextName, ContextKey), ValueRead>,
}

/// A value of a shared context as a step has read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ValueRead {
    /// 0 of a key that was not there.
    pub(crate) version: KeyVersion,
    pub(crate) value: Payload,
}

/// What an attempt answered that is over when its contexts and its conversation have taken what comes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Writing {
    /// All that it answered: an `Output` as JSON.
    pub(super) answer: Payload,
    /// The step that was tried.
    pub(super) step: StepId,
    /// The key of the attempt's generation, with its number: no two attempts have both.
    pub(super) key: (Arc<str>, u32),
    /// What is not written yet, by context.
    pub(super) left: BTreeMap<ContextName, Arc<SharedWrite>>,
    /// What a conversation is to be told when nothing is left to be written.
    pub(super) turns: Option<Arc<TurnsToAdd>>,
}

/// Something that a run wants of shared contexts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharedEffect {
    /// Keys are to be read.
    Read {
        /// The step that uses them.
        step: StepId,
        /// Each context and key.
        keys: BTreeSet<(ContextName, ContextKey)>,
    },
    /// An earlier answer is to be looked up.
    LookUp(Arc<CacheAwaited>),
    /// What is at hand of a conversation is to be read.
    Hear {
        /// The step that goes on with it.
        step: StepId,
        /// The conversation.
        conversation: ConversationName,
    },
    /// A lock is wanted.
    Lock {
        /// The step that is to hold it.
        step: StepId,
        /// The lock.
        of: LockOf,
        /// Until when it is waited for.
        until: Timestamp,
    },
    /// A lock is wanted no more.
    GiveBack(LockOf),
    /// Keys are to be written.
    Write {
        /// The step that was tried.
        step: StepId,
        /// The fence of the attempt.
        fence: Fence,
        /// The context.
        context: ContextName,
    },
    /// Turns are to be added to a conversation.
    Continue {
        /// The step that was tried.
        step: StepId,
        /// The fence of the attempt.
        fence: Fence,
        /// The conversation.
        conversation: ConversationName,
    },
}

/// The id of a [`SharedEffect`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SharedEffectId {
    /// Of [`SharedEffect::Read`], by its step.
    Read(StepId),
    /// Of [`SharedEffect::LookUp`], by its step.
    LookUp(StepId),
    /// Of [`SharedEffect::Hear`], by its step.
    Hear(StepId),
    /// Of [`SharedEffect::Lock`].
    Lock(LockOf),
    /// Of [`SharedEffect::GiveBack`].
    GiveBack(LockOf),
    /// Of [`SharedEffect::Write`], by the attempt's fence and the context.
    Write(Fence, ContextName),
    /// Of [`SharedEffect::Continue`], by the attempt's fence.
    Continue(Fence),
}

impl SharedEffect {
    pub(super) fn id(&self) -> SharedEffectId {
        match self {
            Self::Read { step, .. } => SharedEffectId::Read(step.clone()),
            Self::LookUp(awaited) => SharedEffectId::LookUp(awaited.step.clone()),
            Self::Hear { step, .. } => SharedEffectId::Hear(step.clone()),
            Self::Lock { of, .. } => SharedEffectId::Lock(of.clone()),
            Self::GiveBack(of) => SharedEffectId::GiveBack(of.clone()),
            Self::Write { fence, context, .. } => SharedEffectId::Write(*fence, context.clone()),
            Self::Continue { fence, .. } => SharedEffectId::Continue(*fence),
        }
    }

    pub(super) const fn lasts(&self) -> Lasts {
        Lasts::Answer
    }
}

/// An answer that was found for a step.
#[derive(Debug, Clone)]
pub struct FoundAnswer {
    /// Where it was given.
    pub source: AnswerSource,
    /// All that was answered.
    pub answer: Json,
    /// The files that were named as made.
    pub artifacts: Vec<String>,
}

/// What a run hears of what it shares with others.
#[derive(Debug, Clone)]
pub enum OfShared {
    /// What came of looking up an earlier answer.
    LookedUp {
        /// The step that waits for that.
        step: StepId,
        /// The key under which was looked.
        key: Hash,
        /// The answer; none if there is none that it could take.
        found: Option<FoundAnswer>,
    },
    /// Why it cannot be looked up.
    NotLookedUp {
        /// The step that waits for that.
        step: StepId,
        /// What is wrong with the files that are part of the key, or with what is kept.
        why: (Code, String),
    },
    /// What keys were read.
    Read {
        /// The step that waits for them.
        step: StepId,
        /// Each context and key, with the version and the value; version 0 and null of one that is not there.
        values: Vec<(ContextName, ContextKey, KeyVersion, Json)>,
    },
    /// Why its keys cannot be read.
    NotRead {
        /// The step that waits for them.
        step: StepId,
        /// What is wrong with a context.
        why: (Code, String),
    },
    /// What a context says of a lock.
    Lock(OfContext),
    /// A context does not let it wait for a lock.
    LockRefused {
        /// The step that wants it.
        step: StepId,
        /// The lock.
        of: LockOf,
        /// What the context said.
        why: (Code, String),
    },
    /// A context knows that a lock is wanted no more.
    GivenBack(LockOf),
    /// What came of writing into a context: nothing if it took it, or why it did not.
    Written {
        /// The step that was tried.
        step: StepId,
        /// The fence of the attempt.
        fence: Fence,
        /// The context.
        context: ContextName,
        /// Why nothing was written; none if it was.
        refused: Option<(Code, String)>,
    },
    /// What came of something that it asked of a conversation.
    Conversation(OfConversation),
}

impl OfShared {
    /// The name by which commits record it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::LookedUp { .. } => "cache_looked_up",
            Self::NotLookedUp { .. } => "cache_not_looked_up",
            Self::Read { .. } => "context_read",
            Self::NotRead { .. } => "context_not_read",
            Self::Lock(_) => "of_lock",
            Self::LockRefused { .. } => "lock_refused",
            Self::GivenBack(_) => "lock_given_back",
            Self::Written { .. } => "context_answered",
            Self::Conversation(says) => says.name(),
        }
    }
}

impl Shared {
    /// Whether nothing is asked of any context, and nothing is known of one.
    pub(super) fn is_empty(&self) -> bool {
        self.preparing.is_empty()
            && self.held.is_empty()
            && self.giving_back.is_empty()
            && self.writing.is_empty()
    }

    /// Whether something cannot go on before a context answers. That a lock is not wanted any more keeps nobody waiting.
    pub(super) fn is_asking(&self) -> bool {
        !self.preparing.is_empty()
    }

    /// Whether a step waits until it has read something or holds a lock.
    pub(super) fn holds_up(&self, place: StepIndex) -> bool {
        self.preparing.contains_key(&place)
    }

    /// The steps that wait for what is at hand of a conversation.
    pub(super) fn hearing(&self) -> impl Iterator<Item = StepIndex> {
        let hears = |preparing: &Preparing| matches!(preparing, Preparing::Hearing(_));
        self.preparing.iter().filter(move |(_, preparing)| hears(preparing)).map(|(place, _)| *place)
    }

    /// Whether a step waits for the value of a key.
    pub(super) fn waits_for(&self, place: StepIndex, key: &(ContextName, ContextKey)) -> bool {
        let wants =
            matches!(self.preparing.get(&place), Some(Preparing::Reading(keys)) if keys.contains(key));
        wants && !self.reads.get(&place).is_some_and(|reads| reads.values.contains_key(key))
    }

    /// What is asked of contexts.
    pub(super) fn open(&self, run: &Run) -> Vec<SharedEffect> {
        let preparing = self
            .preparing
            .iter()
            .filter_map(|(place, preparing)| Some(preparing.effect(run.steps.get(*place)?.id().clone())));
        let giving_back = self.giving_back.iter().cloned().map(SharedEffect::GiveBack);
        let writing = self.writing.iter().flat_map(|(fence, writing)| writing.effects(*fence));
        preparing.chain(giving_back).chain(writing).collect()
    }
}

impl Preparing {
    pub(super) fn effect(&self, step: StepId) -> SharedEffect {
        match self.clone() {
            Self::Reading(keys) => SharedEffect::Read { step, keys },
            Self::LookingUp(awaited) => SharedEffect::LookUp(awaited),
            Self::Hearing(conversation) => SharedEffect::Hear { step, conversation },
            Self::Locking { lock, until, .. } => SharedEffect::Lock { step, of: lock, until },
        }
    }

    /// Whether the step is to be done or undone.
    pub(super) const fn purpose(&self) -> Purpose {
        match self {
            Self::Reading(_) | Self::LookingUp(_) | Self::Hearing(_) => Purpose::Do,
            Self::Locking { purpose, .. } => *purpose,
        }
    }
}

impl Writing {
    pub(super) fn effects(&self, fence: Fence) -> impl Iterator<Item = SharedEffect> {
        let effect = move |context: &ContextName| SharedEffect::Write {
            step: self.step.clone(),
            fence,
            context: context.clone(),
        };
        // A conversation is told last: what a context refuses was never said.
        let turns = self.turns.iter().filter(|_| self.left.is_empty());
        let turns = turns.map(move |turns| SharedEffect::Continue {
            step: self.step.clone(),
            fence,
            conversation: turns.conversation.clone(),
        });
        self.left.keys().map(effect).chain(turns)
    }
}

impl Run {
    /// The locks that a step holds.
    pub fn held(&self, step: &StepId) -> &[HeldLock] {
        let place = self.steps.index(step).filter(|_| !self.shared.held.is_empty());
        place.and_then(|place| self.shared.held.get(&place)).map_or(&[], |held| held)
    }

    /// The locks that steps wait for, each with the step and until when.
    pub(crate) fn locks_awaited(&self) -> impl Iterator<Item = (&StepId, &LockOf, Timestamp)> {
        self.shared.preparing.iter().filter_map(|(place, preparing)| match preparing {
            Preparing::Reading(_) | Preparing::LookingUp(_) | Preparing::Hearing(_) => None,
            Preparing::Locking { lock, until, .. } => Some((self.steps.get(*place)?.id(), lock, *until)),
        })
    }

    /// What a step has read of shared contexts; what grew in it knows the newest, and it knows what it grew in has read.
    pub(crate) fn read_by(&self, place: StepIndex) -> Option<&Reads> {
        if self.shared.reads.is_empty() {
            return None;
        }
        let node = self.steps.get(place)?;
        let of = |place: &StepIndex| self.shared.reads.get(place);
        node.children.last().and_then(of).or_else(|| of(&place)).or_else(|| of(&node.inside?))
    }

    /// What a step has read of shared contexts: each key with its version, 0 of one that was not there, and its value.
    pub fn reads_of(&self, step: &StepId) -> Vec<(ContextName, ContextKey, KeyVersion, Payload)> {
        let reads = self.steps.index(step).and_then(|place| self.read_by(place));
        let values = reads.into_iter().flat_map(|reads| &reads.values);
        let tell = |((context, key), read): (&(ContextName, ContextKey), &ValueRead)| {
            (context.clone(), key.clone(), read.version, read.value.clone())
        };
        values.map(tell).collect()
    }

    /// Whether a step that is not being tried waits for something of shared contexts, or has read or holds something to be tried
    /// with.
    pub(super) fn is_prepared(&self, place: StepIndex) -> bool {
        let Some(node) = self.steps.get(place) else { return false };
        let is_tried = node.open_attempts().next().is_some();
        let has_read = self.shared.reads.get(&place).is_some_and(|reads| reads.fresh);
        let knows = self.shared.looked_up.contains_key(&place) || self.shared.heard.contains_key(&place);
        let has_read = node.doing.is_ready() && (has_read || knows);
        !is_tried && (self.shared.holds_up(place) || has_read || self.shared.held.contains_key(&place))
    }

    /// The steps of which that is so.
    pub(super) fn prepared(&self) -> Vec<StepId> {
        let Shared { preparing, reads, held, looked_up, heard, .. } = &self.shared;
        let places = preparing.keys().chain(reads.keys()).chain(held.keys());
        let places = places.chain(looked_up.keys()).chain(heard.keys());
        let places: BTreeSet<_> = places.collect();
        let prepared = places.into_iter().filter(|place| self.is_prepared(**place));
        prepared.filter_map(|place| Some(self.steps.get(*place)?.id().clone())).collect()
    }

    /// The step of a queue that an agent tries next: what holds locks comes before others, who may wait for them, and so does what knows
    /// what is at hand of its conversation, which others may go on with meanwhile.
    pub(super) fn next_of(&self, queue: &Queue, agent: &AgentName) -> Option<StepIndex> {
        let Shared { held, heard, .. } = &self.shared;
        if held.is_empty() && heard.is_empty() {
            return queue.first(agent);
        }
        let mut prepared =
            queue.of(agent).filter(|place| held.contains_key(place) || heard.contains_key(place));
        prepared.next().or_else(|| queue.first(agent))
    }

    /// Whether one more step may wait for a lock: not while there is only room for those that hold some and could be tried.
    pub(super) fn may_wait_for_lock(&self, place: StepIndex, now: Timestamp) -> bool {
        let could_be_tried = |place: &StepIndex| {
            let node = self.steps.get(*place);
            let tries = [Purpose::Do, Purpose::Compensate].map(|purpose| node?.tries(purpose));
            tries.into_iter().flatten().any(|tries| tries.is_ready()) && !self.shared.holds_up(*place)
        };
        let held = self.shared.held.iter().filter(|(_, held)| held.iter().any(|held| held.until > now));
        let holders = held.filter(|(place, _)| could_be_tried(place)).count();
        self.shared.held.contains_key(&place) || self.room() as usize > holders
    }

    /// Whether an attempt waits only for contexts and a conversation that have to take what comes of it.
    pub(super) fn is_writing(&self, fence: Fence) -> bool {
        self.shared.writing.contains_key(&fence)
    }
}

/// The failure of an attempt, or of a step, for what a context said.
pub(super) fn failure((code, message): (Code, String)) -> Failure {
    Failure::new(code, message)
}

impl HeldLock {
    /// The lock as its context knows the grant.
    pub fn held(&self) -> Held {
        Held { lock: self.of.lock.clone(), fence: self.fence }
    }
}
