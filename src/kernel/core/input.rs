//! What goes into a core, what comes out of it, and what it borrows in between.

use std::sync::Arc;

use super::driving::Whose;
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

/// What comes with a command, and is recorded with its decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// What tells it from all others. With it, it can be asked again until it is answered: it is decided once.
    pub id: Option<CommandId>,
    /// What of another stream it is part of.
    pub causation: Option<Causation>,
    /// The root run that it is about, where the stream is not that run's own.
    pub correlation: Option<Arc<str>>,
    /// Whether the other stream asks for something: what is to be said to it is said again.
    pub asks: bool,
}

impl Envelope {
    /// The stream that asks, if one does.
    pub(super) fn asked_by(&self) -> Option<&StreamId> {
        self.causation.as_ref().filter(|_| self.asks).map(|causation| &causation.stream)
    }
}

/// What happened to an aggregate in a process.
pub enum Input<A: Aggregate, R> {
    /// The stream was folded up to its end, or cannot be.
    Loaded(Result<Box<Fold<A>>, Problem>),
    /// Somebody asks something.
    Command {
        /// What.
        command: A::Command,
        /// What comes with it.
        envelope: Envelope,
        /// Whether it goes on by itself from this command on, if the command begins it.
        drives: bool,
        /// Where the answer goes.
        reply: Option<R>,
    },
    /// What a process left open that is gone counts as lost first, so that it need not be awaited.
    Recover {
        /// Where the answer goes.
        reply: Option<R>,
    },
    /// The commit that was on its way is durable.
    Appended,
    /// The commit is not stored: somebody else wrote to the stream.
    Conflict(Problem),
    /// The commit is not stored, and it is not known what is.
    Failed(Problem),
    /// What a dead process left running is ended.
    Cleared,
    /// An effect that lasts is over.
    Settled {
        /// Which.
        effect: <A::Effect as Effect>::Id,
        /// The command that tells what came of it; none if this process let go of it.
        command: Option<A::Command>,
    },
    /// It cannot go on in this process: what it needs is not here, or what it waits for of another stream does not come.
    LeaveAlone(Problem),
    /// Somebody wants it to go on by itself.
    Drive {
        /// Who.
        whose: Whose,
        /// Since when they do, by the steady clock: longer than it is in memory, where all are driven.
        since: Timestamp,
    },
    /// It is to stay as it is: nothing more starts.
    LetGo,
    /// The process ends: nothing starts any more, whoever wants it.
    Close,
    /// Time has passed.
    Tick,
    /// A snapshot is saved, or could not be.
    Saved,
}

/// What is to be carried out for an aggregate, in order.
#[derive(Clone)]
pub enum Output<A: Aggregate, R> {
    /// Its stream is to be folded: answered by [`Input::Loaded`].
    Load,
    /// This is to be stored: answered by [`Input::Appended`], [`Input::Conflict`] or [`Input::Failed`].
    Append {
        /// The events.
        commit: Commit,
        /// What they refer to.
        blobs: Vec<Blob>,
    },
    /// What these effects left running, whose process is gone, is to be ended: answered by [`Input::Cleared`].
    Clear(Vec<A::Effect>),
    /// This is to be performed. What lasts is answered by [`Input::Settled`].
    Perform {
        /// What.
        effect: A::Effect,
        /// For whom the stream goes on by itself, if it does: it may have come to rest when this is carried out.
        whose: Option<Whose>,
    },
    /// This effect is not open any more.
    Close {
        /// Which.
        effect: <A::Effect as Effect>::Id,
        /// Whether it is performed here all the same, and is to be stopped.
        given_up: bool,
    },
    /// Somebody is answered: with the version after their command, or why it was refused.
    Reply {
        /// Who.
        to: R,
        /// What.
        result: Result<Version, Problem>,
    },
    /// What is seen of it has changed.
    Show,
    /// Whether it goes on by itself has changed.
    Driven(bool),
    /// It wants to be woken by [`Input::Tick`] then, and at no other moment.
    Wake(Due),
    /// The state, to be saved: answered by [`Input::Saved`].
    Snapshot {
        /// The last event of it.
        head: Head,
        /// The state as bytes.
        bytes: Vec<u8>,
    },
    /// It does not go on in this process, though somebody wants it to. What is asked of it is recorded.
    LeftAlone(Problem),
    /// It cannot go on.
    Parked(Problem),
    /// It is to be put away.
    Passivate,
}

impl<A: Aggregate, R> Output<A, R> {
    /// What it is called.
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

/// What a decision borrows from the world. The core asks for it between decisions; nothing of it waits.
pub trait Lender<A: Aggregate> {
    /// The time.
    fn now(&mut self) -> Now;

    /// What is stored by its hash.
    fn blobs(&self) -> Arc<dyn Blobs>;

    /// A number that was not given before in this process.
    fn seed(&mut self) -> u64;

    /// What a command may use: as much of what the state could use as there is. None if nothing may start any more.
    /// `opened` are the effects of this commit since this was last asked, which will use what was lent for them.
    fn lend(&mut self, state: &A, command: &A::Command, opened: &[A::Effect]) -> Option<A::Grants>;

    /// Why it cannot go on in this process from that state, if it cannot: it is left alone then. Asked once whenever it is to go
    /// on, before anything of it is recorded or begins.
    fn may_drive(&mut self, _state: &A) -> Result<(), Problem> {
        Ok(())
    }

    /// What was decided is not stored: what was lent for it is free.
    fn take_back(&mut self);
}

/// Something that waits to be decided.
#[derive(Clone)]
pub(super) enum Waiting<A: Aggregate, R> {
    Command {
        command: A::Command,
        envelope: Envelope,
        drives: bool,
        reply: Option<R>,
    },
    /// See [`Input::Recover`].
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
