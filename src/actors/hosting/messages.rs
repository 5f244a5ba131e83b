//! What the host of a stream is sent.

use actix::Message;
use tokio::sync::oneshot;

use crate::events::ids::Version;
use crate::events::problem::Problem;
use crate::events::time::Timestamp;
use crate::kernel::Aggregate;
use crate::kernel::core::{Envelope, Input, Residency};

/// Asks the aggregate something.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Submit<A: Aggregate> {
    /// The command, which it may refuse.
    pub command: A::Command,
    /// Everything that is recorded with the command beside what it says.
    pub envelope: Envelope,
    /// Whether it goes on by itself from this command on, if the command begins it.
    pub drives: bool,
    /// The receiver of the answer, once it is durable; none if nobody waits for it.
    pub reply: Option<Reply>,
}

/// Tells the shell something.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Tell<M: Send>(pub M);

/// What any stream is asked, whatever its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Control {
    /// To go on by itself.
    Drive {
        /// How long it is to be driven.
        residency: Residency,
        /// The time since which it is, by the steady clock.
        since: Timestamp,
    },
    /// To stay as it is: nothing starts any more, and what runs goes on.
    LetGo,
    /// The same, whoever asks it to go on after that: the process ends.
    Close,
    /// To look at the time.
    Tick,
}

impl<A: Aggregate, R> From<Control> for Input<A, R> {
    fn from(control: Control) -> Self {
        match control {
            Control::Drive { residency, since } => Self::Drive { residency, since },
            Control::LetGo => Self::LetGo,
            Control::Close => Self::Close,
            Control::Tick => Self::Tick,
        }
    }
}

/// The stream cannot go on in this process.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct LeaveAlone(pub Problem);

/// Asks to record as lost what a process left open that is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Recover(pub Reply);

/// The channel for the answer to a command: the version after it, or why it was refused.
pub type Reply = oneshot::Sender<Result<Version, Problem>>;
