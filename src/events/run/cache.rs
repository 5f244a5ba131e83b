//! Steps that may take an earlier answer in place of an attempt: what is looked up for them, and which answers are kept for others.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::ids::{AgentName, Hash, RunId, StepId, Version};
use crate::events::json::Payload;

/// No answer is looked up for the steps of this run: each is given anew. What they answer is kept for others all the same. It stands
/// in the commit of [`super::RunStarted`], behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheBypassed {}

/// A step that could start takes an earlier answer if there is one: it cannot start before that was looked up, for which a
/// [`CacheHit`] or a [`CacheMissed`] stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheAwaited {
    /// The step.
    pub step: StepId,
    /// The hash of all that its agent would get, and of who that is. Together with the content of the files it is the key.
    pub work: Hash,
    /// The globs of the files whose content is part of the key, rendered.
    pub files: Vec<Arc<str>>,
    /// The absolute folder that they mean.
    pub work_folder: Arc<str>,
    /// How old an answer may be, in µs; none for any age.
    pub ttl_us: Option<u64>,
    /// Whether an answer may be taken; if not, only the key is wanted.
    pub reads: bool,
}

/// Where an answer was given first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerSource {
    /// The run whose step answered.
    pub run: RunId,
    /// The step.
    pub step: StepId,
    /// The version of the run's event that kept the answer.
    pub version: Version,
}

/// The step takes an answer that was kept: it completes in this commit, without an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheHit {
    /// The step that takes it.
    pub step: StepId,
    /// The key under which it was found.
    pub key: Hash,
    /// Where it was given.
    pub source: AnswerSource,
}

/// No answer is there that the step could take: it could start again, and what it answers is kept under this key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheMissed {
    /// The step.
    pub step: StepId,
    /// The key that was looked up.
    pub key: Hash,
}

/// An attempt has answered, had no other effect on the run, and its answer may be taken by whoever looks up the same key: the step
/// completes in this commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerKept {
    /// The step that answered.
    pub step: StepId,
    /// The attempt that did, from 1.
    pub attempt: u32,
    /// The agent of the attempt.
    pub agent: AgentName,
    /// The key.
    pub key: Hash,
    /// How long it is kept, in µs; none for as long as there is room.
    pub ttl_us: Option<u64>,
    /// All that the agent answered, before the step made its output of that.
    pub answer: Payload,
    /// The files that it names as made.
    pub artifacts: Vec<String>,
}
