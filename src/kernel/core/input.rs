//! What goes into a core, what comes out of it, and what it borrows in between.

use std::sync::Arc;

use super::driving::Residency;
use crate::events::commit::{Commit, Head};
use crate::events::decision::Causation;
use crate::events::ids::{CommandId, StreamId, Version};
use crate::events::json::Blob;
use crate::events::problem::Problem;
use crate::events::time::Timestamp;
use crate::kernel::aggregate::Aggregate;
use crate::kernel::clocks::{Due, Now};
use crate::kernel::effect::Effect;
use crate::kernel::fold::Fold;
use crate::kernel::moment::Blobs;

/// What comes with a command and is recorded with its decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The id that tells it from all others. A command with an id can be sent again until it is answered:
    /// it is decided once.
    pub id: Option<CommandId>,
    /// The effect of another stream that it is part of.
    pub causation: Option<Causation>,
    /// The root run that it is about; none where the stream belongs to the root run itself.
    pub correlation: Option<Arc<str>>,
    /// Whether the other stream asks for something: then messages for that stream are sent again.
    pub asks: bool,
}

impl Envelope {
    /// The stream that asks for something, if there is one.
    pub(super) fn asked_by(&self) -> Option<&StreamId> {
        self.causation.as_ref().filter(|_| self.asks).map(|causation| &causation.stream)
    }
}

/// Something that happened to an aggregate in a process.
pub enum Input<A: Aggregate, R> {
    /// The stream was folded up to its end, or why it cannot be.
    Loaded(Result<Box<Fold<A>>, Problem>),
    /// Somebody sends a command.
    Command {
        /// The command to decide.
        command: A::Command,
        /// Everything that is recorded with the command beside what it says.
        envelope: Envelope,
        /// Whether the aggregate goes on by itself from this command on, if it is the first of its stream.
        drives: bool,
        /// The receiver of the answer; none if nobody waits for it.
        reply: Option<R>,
    },
    /// What a dead process left open counts as lost at once, so that it need not be awaited.
    Recover {
        /// The receiver of the answer; none if nobody waits for it.
        reply: Option<R>,
    },
    /// The commit that was being stored is durable.
    Appended,
    /// The commit is not stored: somebody else wrote to the stream.
    Conflict(Problem),
    /// Storing the commit failed, and it is not known what is stored.
    Failed(Problem),
    /// What a dead process had left running is ended.
    Cleared,
    /// An effect that lasts is not performed any more.
    Settled {
        /// The id of the effect.
        effect: <A::Effect as Effect>::Id,
        /// The command that tells its result; none if this process let go of it.
        command: Option<A::Command>,
    },
    /// It cannot go on in this process: what it needs is not here, or what it waits for of another stream does not come.
    LeaveAlone(Problem),
    /// Somebody wants it to go on by itself.
    Drive {
        /// How long it is to go on by itself.
        residency: Residency,
        /// The time since which that holds, by the steady clock. Where all streams are driven, that is longer than
        /// it is in memory.
        since: Timestamp,
    },
    /// It is to stay as it is: nothing more starts.
    LetGo,
    /// The process is ending: nothing starts any more, whoever wants it.
    Close,
    /// Time has passed; timers may be due.
    Tick,
    /// A snapshot is saved, or could not be.
    Saved,
}

/// Something that is to be carried out for an aggregate, in order.
#[derive(Clone)]
pub enum Output<A: Aggregate, R> {
    /// Fold its stream; answered by [`Input::Loaded`].
    Load,
    /// Store this; answered by [`Input::Appended`], [`Input::Conflict`] or [`Input::Failed`].
    Append {
        /// The commit to store.
        commit: Commit,
        /// The blobs that its events refer to.
        blobs: Vec<Blob>,
    },
    /// End what these effects of a dead process left running; answered by [`Input::Cleared`].
    Clear(Vec<A::Effect>),
    /// Perform this effect. One that lasts is answered by [`Input::Settled`].
    Perform {
        /// The effect to perform.
        effect: A::Effect,
        /// How long the stream goes on by itself, if it does; it may be at rest by the time
        /// this is carried out.
        residency: Option<Residency>,
    },
    /// An effect is not open any more.
    Close {
        /// The id of the effect.
        effect: <A::Effect as Effect>::Id,
        /// Whether this process performs it all the same, and is to stop it.
        given_up: bool,
    },
    /// Answer a command: with the version after it, or why it was refused.
    Reply {
        /// The address of whoever asked.
        to: R,
        /// The version after the command, or why it was refused.
        result: Result<Version, Problem>,
    },
    /// What people see of it has changed.
    Show,
    /// Whether it goes on by itself has changed; the new value.
    Driven(bool),
    /// Wake it by [`Input::Tick`] then, and at no other moment.
    Wake(Due),
    /// Save the state; answered by [`Input::Saved`].
    Snapshot {
        /// The last event that the state holds.
        head: Head,
        /// The state as bytes.
        bytes: Vec<u8>,
    },
    /// It does not go on in this process, though somebody wants it to. What is asked of it is recorded.
    LeftAlone(Problem),
    /// It cannot go on.
    Parked(Problem),
    /// Put it away: drop it from memory.
    Passivate,
}

impl<A: Aggregate, R> Output<A, R> {
    /// The name of the output, in snake_case.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Append { .. } => "append",
            Self::Clear(_) => "clear",
            Self::Perform { .. } => "perform",
            Self::Close { .. } => "close",
            Self::Reply { .. } => "reply",
            Self::Show => "show",
            Self::Driven(_) => "driven",
            Self::Wake(_) => "wake",
            Self::Snapshot { .. } => "snapshot",
            Self::LeftAlone(_) => "left_alone",
            Self::Parked(_) => "parked",
            Self::Passivate => "passivate",
        }
    }
}

/// What a decision needs from the world around the core, which asks for it between decisions: no answer waits for anything.
pub trait Environment<A: Aggregate> {
    /// The time now, by both clocks.
    fn now(&mut self) -> Now;

    /// Reads blobs by their hashes.
    fn blobs(&self) -> Arc<dyn Blobs>;

    /// A seed that was not given before in this process.
    fn seed(&mut self) -> u64;

    /// The slots and the like that a command may use: as many as the state could use and as are free. None if
    /// nothing may start any more. `opened` are the effects opened in this commit since the last call, which
    /// will use what was granted for them.
    fn grant(&mut self, state: &A, command: &A::Command, opened: &[A::Effect]) -> Option<A::Grants>;

    /// Why it cannot go on in this process from that state, if it cannot: it is left alone then. Asked once whenever it is to
    /// go on, before anything of it is recorded or begins.
    fn may_drive(&mut self, _state: &A) -> Result<(), Problem> {
        Ok(())
    }

    /// Gives back what was granted for a decision that is not stored.
    fn take_back(&mut self);
}

/// An input that waits to be decided.
#[derive(Clone)]
pub(super) enum Waiting<A: Aggregate, R> {
    Command {
        command: A::Command,
        envelope: Envelope,
        drives: bool,
        reply: Option<R>,
    },
    /// The waiting form of [`Input::Recover`].
    Recover {
        reply: Option<R>,
    },
    /// The moment of a wake-up has come.
    Due(A::Effect),
}

impl<A: Aggregate, R> Waiting<A, R> {
    pub(super) fn reply(self) -> Option<R> {
        match self {
            Self::Command { reply, .. } | Self::Recover { reply } => reply,
            Self::Due(_) => None,
        }
    }

    pub(super) fn has_reply(&self) -> bool {
        matches!(self, Self::Command { reply: Some(_), .. } | Self::Recover { reply: Some(_) })
    }

    /// Whether it may record as lost what a dead process performed.
    pub(super) fn loses(&self) -> bool {
        match self {
            Self::Command { command, .. } => A::loses(command),
            Self::Recover { .. } => true,
            Self::Due(_) => false,
        }
    }
}
