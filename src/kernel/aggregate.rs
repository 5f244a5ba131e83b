//! A state that changes only by events, and the decisions on it.

mod draft;
mod record;

use std::fmt;
use std::sync::Arc;

pub use self::draft::{Decided, Draft};
pub use self::record::{Grants, NotRecalled, Recalling, Recording};
use super::attention::Attention;
use super::effect::{Effect, EffectChanges};
use super::message::Message;
use super::moment::Moment;
use crate::events::codec::{CodecError, Encoded};
use crate::events::decision::Form;
use crate::events::ids::{StreamId, Version};
use crate::events::json::BlobRef;
use crate::events::problem::Problem;
use crate::events::time::Timestamp;

/// A state that changes only by events.
///
/// All methods are pure: they know no clock, no randomness and no world. Time, slots and seeds come in a [`Moment`], ids in
/// commands.
pub trait Aggregate: Default + Send + 'static {
    /// What the names of its streams begin with.
    const KIND: &'static str;
    /// What somebody may ask of it.
    type Command: Clone + Send + 'static;
    /// What can happen to it.
    type Event: Encoded + Clone + Send + fmt::Debug + 'static;
    /// Why it may refuse.
    type Rejection: std::error::Error + Send + 'static;
    /// What it may want done in the world.
    type Effect: Effect;
    /// How much of what is scarce a decision may use.
    type Grants: Grants;

    /// What would happen. `emit` on the draft folds at once, so that what follows sees it.
    ///
    /// # Errors
    /// Why nothing happens. A rejection comes before the first `emit`.
    fn decide(
        draft: &mut Draft<'_, Self>,
        command: Self::Command,
        moment: &Moment<'_, Self::Grants>,
    ) -> Result<(), Self::Rejection>;

    /// What did happen. Effects that it opened and closed go to `changes`.
    ///
    /// # Errors
    /// When the event cannot follow what came before it; the state is then not to be used any more.
    fn evolve(
        &mut self,
        event: &Self::Event,
        at: &At<'_>,
        changes: &mut EffectChanges<Self::Effect>,
    ) -> Result<(), IllegalEvent>;

    /// The content that an event refers to.
    fn blobs(_event: &Self::Event) -> Vec<BlobRef> {
        Vec::new()
    }

    /// All open effects. Asked once, after loading; from then on changes tell.
    fn open(&self) -> Vec<Self::Effect>;

    /// What it needs next, and of whom.
    fn attention(&self) -> Attention;

    /// Since when it is over, if it is. What never is need not say.
    fn ended_at(&self) -> Option<Timestamp> {
        None
    }

    /// Where it is, in a word for people, as in `running`.
    fn status(&self) -> &'static str;

    /// The command that a wake-up is, once its moment has come.
    fn due(effect: &Self::Effect) -> Option<Self::Command>;

    /// What an effect says to another stream, if that is what it is.
    fn message(&self, _effect: &Self::Effect) -> Option<Message> {
        None
    }

    /// The command that follows from the answer to what an effect said: the other stream's version after it was taken in, or
    /// why it was not. None if nothing does, or if it comes by itself.
    fn answered(_effect: &Self::Effect, _answer: Result<Version, Problem>) -> Option<Self::Command> {
        None
    }

    /// The command by which a process goes on that takes it over. Effects that last no longer than the process that performs
    /// them are lost, but for those that are in flight in this one.
    fn recover(in_flight: &mut dyn Iterator<Item = &<Self::Effect as Effect>::Id>) -> Self::Command;

    /// Whether a command may record effects as lost whose process is gone. What that left running is ended first.
    fn loses(command: &Self::Command) -> bool;

    /// What a command is called where it is recorded, as in `timer_due`.
    fn name(command: &Self::Command) -> &'static str;

    /// Who asks it, where somebody does.
    fn asked_by(_command: &Self::Command) -> Option<Arc<str>> {
        None
    }

    /// What is recorded of a command that made something happen: all that it said to [`Aggregate::decide`], but for what
    /// follows from its events, and who asked it. None where that is not recorded: then nobody can decide it again.
    ///
    /// # Errors
    /// When it cannot be encoded.
    fn record(
        _command: Self::Command,
        _recording: &mut Recording<'_, '_, Self>,
    ) -> Result<Option<Form>, CodecError> {
        Ok(None)
    }

    /// A command that says to [`Aggregate::decide`] what the recorded one said.
    ///
    /// # Errors
    /// When it is not recorded, or not understood.
    fn recall(recalling: &Recalling<'_, Self>) -> Result<Self::Command, NotRecalled> {
        Err(NotRecalled::NotRecorded(recalling.decision.command.name.to_string()))
    }

    /// What people are told of a rejection.
    fn problem(rejection: &Self::Rejection) -> Problem;

    /// Whether after that rejection it cannot go on.
    fn is_fatal(rejection: &Self::Rejection) -> bool;

    /// The number of the shape that [`Aggregate::snapshot`] writes and of the rules by which events make it true. When
    /// either changes, it is raised: snapshots of another number are dropped, and the events folded anew.
    const SNAPSHOT_SCHEMA: u16;

    /// The state as bytes: a cache of the fold, which may be thrown away.
    ///
    /// # Errors
    /// When it is too large to encode.
    fn snapshot(&self) -> Result<Vec<u8>, CodecError>;

    /// The state that [`Aggregate::snapshot`] wrote under the same schema number.
    ///
    /// # Errors
    /// When the bytes are none.
    fn restore(bytes: &[u8]) -> Result<Self, CodecError>;
}

/// Where in history an event stands.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// Its stream.
    pub stream: &'a StreamId,
    /// Its number in the stream.
    pub version: Version,
    /// When it was recorded.
    pub time: Timestamp,
}

/// An event that cannot follow what came before it: the stream is damaged, or was written by other rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("version {version} cannot follow what came before it: {why}")]
pub struct IllegalEvent {
    /// The event's version.
    pub version: Version,
    /// What it contradicts.
    pub why: String,
}
