//! Names and numbers of things, each a type of its own so that no two can be mixed up.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}: {rule}")]
pub struct InvalidId {
    /// The kind of id that was wanted.
    pub what: &'static str,
    /// The text that was refused.
    pub text: String,
    /// What an id of that kind must look like.
    pub rule: &'static str,
}

/// A text id: cheap to clone, because it is in every command, event and effect.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(SharedText).map(Self)
            }
        }

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
            /// The same text, shared.
            pub fn shared(&self) -> Arc<str> {
                Arc::clone(&self.0)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

/// Copies a text once, into its place: serde's own way makes a `String` and a `Box` of it before. Ids are
/// what most of a decoded event consists of.
struct SharedText;

impl serde::de::Visitor<'_> for SharedText {
    type Value = Arc<str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Arc<str>, E> {
        Ok(text.into())
    }
}

text_id! {
    /// A run's id: a UUIDv7, or what a person chose (`[A-Za-z0-9][A-Za-z0-9._-]{0,63}`, not `last`).
    RunId
}
text_id! {
    /// A step's id: what the definition says (`[A-Za-z_][A-Za-z0-9_-]{0,63}`), or for a step that grew its
    /// parent's id with a suffix such as `[0]`.
    StepId
}
text_id! {
    /// The name of an agent, as it is registered.
    AgentName
}
text_id! {
    /// The name of a stream: the kind of its aggregate, a slash, and the aggregate's id.
    StreamId
}
text_id! {
    /// A request for an approval: 12 hexadecimal digits that follow from the run, the step and what is asked.
    RequestId
}
text_id! {
    /// A timer of a run, named by what it is for, so that setting it again is the same timer.
    TimerId
}

const ID_LENGTH_MAX: usize = 64;

/// Whether a text is a name that names no file but one of its own: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphanumeric());
    let rest = chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    first && rest && text.len() <= ID_LENGTH_MAX
}

/// Whether a text is a name as expressions have them, or with hyphens: `[A-Za-z_][A-Za-z0-9_-]{0,63}`.
fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let rest = chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    first && rest && text.len() <= ID_LENGTH_MAX
}

const IDENTIFIER_RULE: &str = "1 to 64 letters, digits, `_` or `-`, beginning with a letter or `_`";

impl RunId {
    /// Checks an id that a person chose.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if is_name(text) && text != "last" {
            return Ok(Self(text.into()));
        }
        let rule =
            "1 to 64 letters, digits, `.`, `_` or `-`, beginning with a letter or digit; `last` is taken";
        Err(InvalidId { what: "run id", text: text.to_owned(), rule })
    }

    /// The id made of a UUID.
    pub fn from_uuid(uuid: uuid::Uuid) -> Self {
        Self(uuid.as_hyphenated().to_string().into())
    }
}

impl StepId {
    /// Checks an id that stands in a definition.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if is_identifier(text) {
            return Ok(Self(text.into()));
        }
        Err(InvalidId { what: "step id", text: text.to_owned(), rule: IDENTIFIER_RULE })
    }

    /// The id of a step that is in a graph already, which may have grown there.
    pub fn grown(text: &str) -> Self {
        Self(text.into())
    }

    /// The step that does item `index` of this fan-out.
    pub fn item(&self, index: usize) -> Self {
        Self(format!("{self}[{index}]").into())
    }

    /// The step that does a round of this loop, from 1.
    pub fn round(&self, round: u32) -> Self {
        Self(format!("{self}#{round}").into())
    }

    /// The step that goes on with this one's work after so many handoffs, from 1.
    pub fn handed_over(&self, number: u32) -> Self {
        Self(format!("{self}/handoff[{number}]").into())
    }

    /// The step in which a manager is asked, for the so many-th time from 1, about the agent that is stuck at this one.
    pub fn guided(&self, number: u32) -> Self {
        Self(format!("{self}/guidance[{number}]").into())
    }

    /// The step in which an agent that uses tools is asked for the so many-th time, from 1, how it goes on with this one.
    pub fn turn(&self, number: u32) -> Self {
        Self(format!("{self}/turn[{number}]").into())
    }

    /// The step that does the so many-th call of a tool, from 1, that this turn wants.
    pub fn tool(&self, number: usize) -> Self {
        Self(format!("{self}/tool[{number}]").into())
    }

    /// The prefix of the id of a step that asks about a phase. No id in a file has a colon.
    pub const PHASE: &'static str = "phase:";

    /// The step that asks about a phase as a whole.
    pub fn of_phase(phase: &str) -> Self {
        Self(format!("{}{phase}", Self::PHASE).into())
    }

    /// A step that this one planned.
    pub fn planned(&self, id: &Self) -> Self {
        Self(format!("{self}/{id}").into())
    }
}

impl RequestId {
    /// The id that follows from these four; the same four always give the same id.
    pub fn of(run: &RunId, step: &StepId, number: u32, what: &Hash) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in [run.as_str(), step.as_str()] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        let hex = hasher.update(&number.to_le_bytes()).update(&what.0).finalize().to_hex();
        Self(hex.as_str().get(..12).unwrap_or_default().into())
    }

    /// A request as somebody names it: by its id or the beginning of one, be there such a request or not.
    pub fn named(text: &str) -> Self {
        Self(text.into())
    }
}

impl AgentName {
    /// Wraps a name. Any text is one; whether an agent has it is another question.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Checks a name as it stands in what is recorded. Names are shown, spoken and compared: they have at
    /// least one letter or digit, no character that breaks a line, and at most 100 bytes.
    ///
    /// # Errors
    /// When the name breaks that rule.
    pub fn check(&self) -> Result<(), InvalidId> {
        const LENGTH_MAX: usize = 100;
        if self.0.len() <= LENGTH_MAX && !self.0.contains(char::is_control) && !self.key().is_empty() {
            return Ok(());
        }
        let rule = "at most 100 bytes on one line, with a letter or digit";
        Err(InvalidId { what: "name of an agent", text: self.0.escape_debug().to_string(), rule })
    }

    /// The form in which two spellings of one agent's name are equal: without case, `-`, `_` and spaces, and
    /// without a final `_agent` or `_vN`.
    pub fn key(&self) -> String {
        let folded = self.0.trim().to_lowercase().replace(['-', ' '], "_");
        let folded = match folded.rsplit_once("_v") {
            Some((head, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => head,
            _ => &folded,
        };
        folded.strip_suffix("_agent").unwrap_or(folded).replace('_', "")
    }
}

impl StreamId {
    /// The stream of the aggregate of that kind with that id.
    pub fn new(kind: &str, id: &str) -> Self {
        Self(format!("{kind}/{id}").into())
    }

    /// The kind of aggregate that lives on it, with which its name begins; empty of a name without one.
    pub fn kind(&self) -> &str {
        self.parts().map_or("", |(kind, _)| kind)
    }

    /// Kind and id, where the name has both.
    pub fn parts(&self) -> Option<(&str, &str)> {
        self.0.split_once('/')
    }

    /// The stream of a run.
    pub fn of_run(run: &RunId) -> Self {
        Self::new(RUN_KIND, run.as_str())
    }

    /// The stream of an agent, in whatever spelling.
    pub fn of_agent(agent: &AgentName) -> Self {
        Self::new(AGENT_KIND, &agent.key())
    }

    /// The stream of the mind of an agent, in whatever spelling.
    pub fn of_mind(agent: &AgentName) -> Self {
        Self::new(MIND_KIND, &agent.key())
    }

    /// The run whose stream this is.
    pub fn run(&self) -> Option<RunId> {
        self.0.strip_prefix(RUN_KIND)?.strip_prefix('/').map(|id| RunId(id.into()))
    }
}

/// The kind of the streams of runs.
pub const RUN_KIND: &str = "run";

/// The kind of the streams of agents.
pub const AGENT_KIND: &str = "agent";

/// The kind of the streams of minds.
pub const MIND_KIND: &str = "mind";

/// A number with a meaning.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The number after this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
            /// The number `count` after this one.
            #[must_use]
            pub const fn plus(self, count: u64) -> Self {
                Self(self.0.saturating_add(count))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number! {
    /// An event's number in its stream, from 1. `Version(0)` is the empty stream.
    Version
}
number! {
    /// An event's number in the whole store, from 1. `Position(0)` is the empty store.
    Position
}
number! {
    /// An attempt's number in its run: each new attempt gets the next. Only the newest of a step may report.
    Fence
}

mod conversation;
mod message;
mod shared;
mod task;
mod timer;

pub use conversation::{CONVERSATION_KIND, ConversationName, TurnNumber};
pub use message::{MessageId, MessageNumber};
pub use shared::{CACHE_KIND, CONTEXT_KIND, ContextKey, ContextName, KeyVersion, LockFence, LockName};
pub use task::TaskId;

/// Tells a command from all others, however often it is sent. The sender makes one id for each thing that it
/// wants, and sends the command again with that id until it is answered. 16 bytes, those of a UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommandId(pub [u8; 16]);

impl CommandId {
    /// The id made of a UUID.
    pub const fn from_uuid(uuid: uuid::Uuid) -> Self {
        Self(uuid.into_bytes())
    }

    /// The id of a command that follows from what these parts name: the same parts give the same id, and others another.
    pub fn derived(parts: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        let mut id = [0; 16];
        hasher.finalize_xof().fill(&mut id);
        Self(id)
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(uuid::Uuid::from_bytes_ref(&self.0).as_hyphenated(), f)
    }
}

impl fmt::Debug for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for CommandId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for CommandId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return <[u8; 16]>::deserialize(deserializer).map(Self);
        }
        let text = String::deserialize(deserializer)?;
        uuid::Uuid::parse_str(&text).map(Self::from_uuid).map_err(serde::de::Error::custom)
    }
}

/// A BLAKE3 hash: it names blobs and chains events.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The hash of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text).ok().map(|hash| Self(*hash.as_bytes()))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return serde_bytes::ByteArray::<32>::deserialize(deserializer)
                .map(|bytes| Self(bytes.into_array()));
        }
        let text = String::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("expected 64 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_is_checked() {
        for good in ["a", "2026-11-21.release_1", &"x".repeat(64)] {
            assert!(RunId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "last", "-a", ".a", "a b", "a/b", &"x".repeat(65), "ä"] {
            assert!(RunId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn agent_names_match_in_every_spelling() {
        for spelling in ["DNS Specialist", "dns-specialist", "dns_specialist_agent", "dns_specialist_v2"] {
            assert_eq!(AgentName::new(spelling).key(), "dnsspecialist", "{spelling}");
        }
    }
}
