//! A state that changes only by events, and the decisions on it.

mod draft;
mod record;

use std::fmt;
use std::sync::Arc;

pub use self::draft::{Decided, Draft};
pub use self::record::{Grants, NotRecalled, Recalling, Recording};
use super::attention::Attention;
use super::effect::{Effect, EffectChanges};
use super::message::{Message, Said};
use super::moment::Moment;
use crate::events::codec::{CodecError, Encoded};
use crate::events::decision::Form;
use crate::events::ids::{StreamId, Version};
use crate::events::json::BlobRef;
use crate::events::problem::Problem;
use crate::events::time::Timestamp;

/// A state that changes only by events.
///
/// All methods are pure: they know no clock, no randomness and no world. Time, slots and seeds come in a
/// [`Moment`], and ids come in commands.
pub trait Aggregate: Default + Send + 'static {
    /// The kind of its streams: the first part of their names.
    const KIND: &'static str;
    /// A command to it, which it may refuse.
    type Command: Clone + Send + 'static;
    /// An event of it, which is never changed once it is stored.
    type Event: Encoded + Clone + Send + fmt::Debug + 'static;
    /// A reason to refuse a command.
    type Rejection: std::error::Error + Send + 'static;
    /// What it may want done in the world.
    type Effect: Effect;
    /// The scarce things that a decision may use, and how much of each.
    type Grants: Grants;

    /// Decides what a command makes happen. `emit` on the draft folds at once, so that what follows sees it.
    ///
    /// # Errors
    /// Why nothing happens. A rejection must come before the first `emit`.
    fn decide(
        draft: &mut Draft<'_, Self>,
        command: Self::Command,
        moment: &Moment<'_, Self::Grants>,
    ) -> Result<(), Self::Rejection>;

    /// Folds an event that happened. The effects that it opened and closed go to `changes`.
    ///
    /// # Errors
    /// When the event cannot follow what came before it; the state must not be used any more then.
    fn evolve(
        &mut self,
        event: &Self::Event,
        at: &At<'_>,
        changes: &mut EffectChanges<Self::Effect>,
    ) -> Result<(), IllegalEvent>;

    /// The blobs that an event refers to.
    fn blobs(_event: &Self::Event) -> Vec<BlobRef> {
        Vec::new()
    }

    /// All open effects. Asked once, after loading; after that `evolve` tells the changes.
    fn open(&self) -> Vec<Self::Effect>;

    /// What it needs next, and from whom.
    fn attention(&self) -> Attention;

    /// The time since which it is over; none while it is not. What never is need not say.
    fn ended_at(&self) -> Option<Timestamp> {
        None
    }

    /// Its status, in a word for people, as in `running`.
    fn status(&self) -> &'static str;

    /// The command that follows once the moment of a wake-up has come; none if the effect is not one.
    fn due(effect: &Self::Effect) -> Option<Self::Command>;

    /// What an effect says to another stream; none if it says nothing to one.
    fn message(&self, _effect: &Self::Effect) -> Option<Message> {
        None
    }

    /// The command that follows from what a stream of another kind says to it in words of its own; none if it does not
    /// understand them.
    fn heard(_said: Said) -> Option<Self::Command> {
        None
    }

    /// The command that follows from the answer to such a message: the other stream's version after it took
    /// the message in, or why it did not. None if nothing follows, or if it comes by another way.
    fn answered(_effect: &Self::Effect, _answer: Result<Version, Problem>) -> Option<Self::Command> {
        None
    }

    /// The command with which a process takes the aggregate over. Effects that last no longer than the
    /// process that performs them are lost, except for those that are in flight in this process.
    fn recover(in_flight: &mut dyn Iterator<Item = &<Self::Effect as Effect>::Id>) -> Self::Command;

    /// Whether a command may record effects as lost whose process is gone. What that process left
    /// running is ended first.
    fn loses(command: &Self::Command) -> bool;

    /// The name under which a command is recorded, as in `timer_due`.
    fn name(command: &Self::Command) -> &'static str;

    /// The name of the person or program that asks it, if there is one.
    fn asked_by(_command: &Self::Command) -> Option<Arc<str>> {
        None
    }

    /// What is recorded of a command that made something happen: all that it said to [`Aggregate::decide`],
    /// except for what follows from its events, and who asked it. None where that is not recorded: then it
    /// cannot be decided again.
    ///
    /// # Errors
    /// When it cannot be encoded.
    fn record(
        _command: Self::Command,
        _recording: &mut Recording<'_, '_, Self>,
    ) -> Result<Option<Form>, CodecError> {
        Ok(None)
    }

    /// Makes a command that says to [`Aggregate::decide`] what the recorded one said.
    ///
    /// # Errors
    /// When it was not recorded, or this version cannot read it.
    fn recall(recalling: &Recalling<'_, Self>) -> Result<Self::Command, NotRecalled> {
        Err(NotRecalled::NotRecorded(recalling.decision.command.name.to_string()))
    }

    /// What people are told about a rejection.
    fn problem(rejection: &Self::Rejection) -> Problem;

    /// Whether the aggregate cannot go on after that rejection.
    fn is_fatal(rejection: &Self::Rejection) -> bool;

    /// The number of the layout that [`Aggregate::snapshot`] writes and of the rules by which events lead
    /// to it. When either changes, it is raised: snapshots with another number are dropped, and the
    /// events are folded again.
    const SNAPSHOT_SCHEMA: u16;

    /// The state as bytes: a cache of the fold, which may be thrown away.
    ///
    /// # Errors
    /// When it is too large to encode.
    fn snapshot(&self) -> Result<Vec<u8>, CodecError>;

    /// The state that [`Aggregate::snapshot`] wrote under the same schema number.
    ///
    /// # Errors
    /// When the bytes are not such a state.
    fn restore(bytes: &[u8]) -> Result<Self, CodecError>;
}

/// The place of an event in history.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The stream that the event belongs to.
    pub stream: &'a StreamId,
    /// The event's number in the stream.
    pub version: Version,
    /// When the event was recorded.
    pub time: Timestamp,
}

/// An event that cannot follow what came before it: the stream is damaged, or was written by other rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("version {version} cannot follow what came before it: {why}")]
pub struct IllegalEvent {
    /// The version of that event in its stream.
    pub version: Version,
    /// What the event contradicts, in a sentence.
    pub why: String,
}
