//! One conversation, in the hands of a program.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::link::Link;
use crate::api::new_command_id;
use crate::api::protocol::{
    ConversationAnswer, ConversationKnown, ConversationWants, Frame, Request, Response, TurnKnown,
    TurnsAdded, TurnsKnown,
};
pub use crate::api::protocol::{TurnGiven, WhichTurns};
pub use crate::events::conversation::{Role, Window};
use crate::events::ids::{AgentName, CommandId, ConversationName, TurnNumber};
use crate::events::problem::Problem;

/// How many turns are on their way at once.
const TURNS: usize = 256;

/// One conversation. Handles are cheap, and do not keep their engine alive.
#[derive(Clone)]
pub struct ConversationHandle {
    link: Link,
    conversation: ConversationName,
    by: Arc<str>,
    window: Option<Window>,
}

impl TurnGiven {
    /// A turn in which somebody says that.
    pub fn new(role: Role, content: impl Into<Arc<str>>) -> Self {
        Self { role, name: None, pinned: false, content: content.into() }
    }

    /// The same, said by whoever has that name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: Some(AgentName::new(name)), ..self }
    }

    /// The same, which stays in the window until it is unpinned.
    #[must_use]
    pub fn pinned(self) -> Self {
        Self { pinned: true, ..self }
    }
}

impl ConversationHandle {
    pub(super) fn new(link: Link, conversation: ConversationName, by: Arc<str>) -> Self {
        Self { link, conversation, by, window: None }
    }

    /// The same conversation, with another window from the next turn on. If nobody says so it keeps the one that it has, and begins with
    /// the one that is configured.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = Some(window);
        self
    }

    /// Adds turns: all of them, or none.
    ///
    /// # Errors
    /// What the conversation refuses: [`Code::BadTurn`](crate::Code::BadTurn), [`Code::TurnTooLarge`](crate::Code::TurnTooLarge),
    /// [`Code::ConversationFull`](crate::Code::ConversationFull), [`Code::TooLarge`](crate::Code::TooLarge).
    pub async fn add(&self, turns: Vec<TurnGiven>) -> Result<TurnsAdded, Problem> {
        self.add_under(new_command_id(), turns).await
    }

    /// The same, once: who adds the same turns under the same id again, also after a crash, is told how they were added. So many
    /// ids are remembered as [`ANSWERED_MAX`](crate::kernel::answered::ANSWERED_MAX).
    ///
    /// # Errors
    /// The same, and [`Code::TurnIdTaken`](crate::Code::TurnIdTaken) when something else was added under that id.
    pub async fn add_once(&self, id: &str, turns: Vec<TurnGiven>) -> Result<TurnsAdded, Problem> {
        let id = CommandId::derived(&["conversation", self.conversation.as_str(), id, "0"]);
        self.add_under(id, turns).await
    }

    async fn add_under(&self, id: CommandId, turns: Vec<TurnGiven>) -> Result<TurnsAdded, Problem> {
        let (window, by) = (self.window, Arc::clone(&self.by));
        match self.ask(ConversationWants::Add { turns, window, by, id: Some(id) }).await? {
            ConversationAnswer::Added(added) => Ok(added),
            other => Err(Response::Conversation(Box::new(other)).mismatch()),
        }
    }

    /// Keeps a turn in the window, or lets it leave again.
    ///
    /// # Errors
    /// [`Code::NoSuchTurn`](crate::Code::NoSuchTurn) of one that is not in the window.
    pub async fn pin(&self, turn: TurnNumber, pinned: bool) -> Result<ConversationKnown, Problem> {
        let (by, id) = (Arc::clone(&self.by), Some(new_command_id()));
        self.known(ConversationWants::Pin { turn, pinned, by, id }).await
    }

    /// How much was said, and how much of it is at hand.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn show(&self) -> Result<ConversationKnown, Problem> {
        self.known(ConversationWants::Show { archived: false }).await
    }

    async fn known(&self, wants: ConversationWants) -> Result<ConversationKnown, Problem> {
        match self.ask(wants).await? {
            ConversationAnswer::Known(known) => Ok(*known),
            other => Err(Response::Conversation(Box::new(other)).mismatch()),
        }
    }

    /// As many turns as `limit`, from that one on, in order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn turns(
        &self,
        which: WhichTurns,
        from: TurnNumber,
        limit: u32,
    ) -> Result<TurnsKnown, Problem> {
        self.some(ConversationWants::Turns { which, from, limit }).await
    }

    /// The turns that share most words with a query, in order, be they at hand or archived.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn search(&self, query: &str, limit: u32) -> Result<TurnsKnown, Problem> {
        self.some(ConversationWants::Search { query: query.to_owned(), limit }).await
    }

    async fn some(&self, wants: ConversationWants) -> Result<TurnsKnown, Problem> {
        match self.ask(wants).await? {
            ConversationAnswer::Turns(turns) => Ok(turns),
            other => Err(Response::Conversation(Box::new(other)).mismatch()),
        }
    }

    /// Every turn that there is now, in order, each given to `take` as it is read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn export(&self, mut take: impl FnMut(TurnKnown)) -> Result<(), Problem> {
        let last = TurnNumber(self.show().await?.turns);
        let (sender, mut frames) = mpsc::channel(TURNS);
        let wants = ConversationWants::Export { last };
        let asking = self.link.ask(self.request(wants), Some(sender));
        let reading = async {
            while let Some(frame) = frames.recv().await {
                if let Frame::Turn(turn) = frame {
                    take(*turn);
                }
            }
        };
        let (answer, ()) = tokio::join!(asking, reading);
        answer.map(drop)
    }

    fn request(&self, wants: ConversationWants) -> Request {
        Request::Conversation { conversation: self.conversation.clone(), wants }
    }

    async fn ask(&self, wants: ConversationWants) -> Result<ConversationAnswer, Problem> {
        match self.link.ask(self.request(wants), None).await? {
            Response::Conversation(answer) => Ok(*answer),
            other => Err(other.mismatch()),
        }
    }
}
