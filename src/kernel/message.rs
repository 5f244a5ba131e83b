//! Messages from one stream to another. Nothing is ever stored in two streams at once: a state that wants
//! something from another stream has an open effect for it, which is a message; the answer comes back as a
//! command. After a crash both sides may get the same message again, and take it in once.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::moment::Blobs;
use crate::events::ids::{CommandId, StreamId};
use crate::events::problem::Problem;

/// A message from one stream to another.
#[derive(Clone)]
pub struct Message {
    /// The stream that it goes to.
    pub to: StreamId,
    /// The text that tells this effect from others of the stream; it is recorded with the
    /// decision on the message.
    pub effect: Arc<str>,
    /// The id of its command, where hearing it twice would make something happen twice: it follows from what the message is
    /// for. What a stream hears again is then answered as it was, as long as it remembers.
    pub id: Option<CommandId>,
    /// Whether it asks for something. A stream that is asked goes on by itself if the asking stream does, and
    /// sends again what it has to say to that stream.
    pub asks: bool,
    /// Makes the command for the other stream.
    pub write: Write,
    /// Whether it is said until it is heard, by every process that goes on with the stream: that it is heard comes back as a
    /// command, as what comes of something that is asked does. A stream cannot go on whose message nobody takes.
    pub insists: bool,
}

/// Makes the command of a message, once blobs can be read.
pub type Write = Arc<dyn Fn(&dyn Blobs) -> Result<Said, Problem> + Send + Sync>;

/// A command for streams of some kind.
pub struct Said(Box<dyn Any + Send>);

impl Said {
    /// A command for streams whose commands are of that type.
    pub fn new<C: Any + Send>(command: C) -> Self {
        Self(Box::new(command))
    }

    /// The command, if it is of that type.
    pub fn command<C: Any + Send>(self) -> Option<C> {
        self.command_or_other().ok()
    }

    /// The command if it is of that type, or what is said in another.
    ///
    /// # Errors
    /// What is said, as it was.
    pub fn command_or_other<C: Any + Send>(self) -> Result<C, Self> {
        self.0.downcast().map(|command| *command).map_err(Self)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("to", &self.to).field("asks", &self.asks).finish_non_exhaustive()
    }
}
