//! The streams of conversations, and what is done before a turn is added: its tokens are counted, and if there is too much in the
//! window, it is thought of what leaves it. Both come with the command, so that the stream's own decision reads and counts nothing.

use std::sync::Arc;

use super::blocking::blocking;
use super::hosting::Hosting;
use super::hosting::context::HostContext;
use super::hosting::kind::Kind;
use super::hosting::load::load;
use super::hosting::quiet::Quiet;
use crate::aggregates::conversation::{
    self, Add, Compression, Conversation, ConversationAsk, NewTurn, leaving,
};
use crate::events::conversation::{Role, Window};
use crate::events::ids::{AgentName, StreamId, Version};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::kernel::Blobs;
use crate::kernel::core::Envelope;
use crate::kernel::standing::KindFold;
use crate::workflow::conversation::tokens;

/// How often it is thought anew of what leaves a window, while others go on with the conversation meanwhile. Each time one of them
/// has got further.
const TRIES_MAX: usize = 1_000;

/// The kind of conversations.
pub struct ConversationKind;

impl Kind for ConversationKind {
    type Aggregate = Conversation;
    type Shell = Quiet<Conversation>;

    fn folds(&self) -> KindFold {
        conversation::FOLD
    }

    fn describe(&self, state: &Conversation) -> Json {
        let seen = serde_json::json!({
            "turns": state.last(),
            "tokens": state.tokens(),
            "window": state.window(),
            "in_window": state.turns(),
            "summary": state.summary(),
            "archive": state.archive(),
            "compressed": state.compressed(),
        });
        Json::of(&seen).unwrap_or_default()
    }

    fn shell(&self, stream: &StreamId, context: &HostContext) -> Option<Quiet<Conversation>> {
        stream.conversation().map(|_| Quiet::new(context))
    }
}

/// A turn that somebody wants to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// Who speaks.
    pub role: Role,
    /// The name of who speaks, if it is said.
    pub name: Option<AgentName>,
    /// Whether it is to stay in the window until it is unpinned.
    pub pinned: bool,
    /// The text.
    pub text: Arc<str>,
}

/// Turns that somebody wants to be added: all of them, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The turns, in order.
    pub turns: Vec<Spoken>,
    /// How much is to be in the window.
    pub window: Window,
    /// The name of the person or program that adds them.
    pub by: Arc<str>,
}

/// Adds turns to a conversation. Asked again under the same id, nothing is added again. Answers the version of its stream after them.
///
/// # Errors
/// What the conversation refuses, and what is wrong with its stream or the store.
pub async fn add(
    hosting: &Arc<Hosting>,
    stream: &StreamId,
    envelope: &Envelope,
    wanted: Wanted,
) -> Result<Version, Problem> {
    let Wanted { turns, window, by } = wanted;
    let turns = blocking(move || turns.into_iter().map(counted).collect::<Vec<_>>()).await?;
    let mut compression: Option<Compression> = None;
    for _ in 0..TRIES_MAX {
        let ask = || {
            let (turns, compression, by) = (turns.clone(), compression.clone(), Arc::clone(&by));
            ConversationAsk::Add(Box::new(Add { turns, window, compression, by }))
        };
        match hosting.order::<ConversationKind>(stream, envelope, ask).await {
            Err(problem) if problem.code == Code::ConversationChanged => {
                compression = compressed(hosting.book().context(), stream, &turns, window).await?;
            }
            answered => return answered,
        }
    }
    let message =
        format!("others went on with it {TRIES_MAX} times while it was thought of what leaves the window");
    Err(Problem::new(Code::ConversationChanged, message))
}

fn counted(Spoken { role, name, pinned, text }: Spoken) -> NewTurn {
    NewTurn { role, name, pinned, tokens: tokens::of_turn(&text), text }
}

/// What leaves the window of a conversation as it is now, with its own sentences in its place.
async fn compressed(
    context: &HostContext,
    stream: &StreamId,
    turns: &[NewTurn],
    window: Window,
) -> Result<Option<Compression>, Problem> {
    let (state, _) = load::<Conversation>(&*context.store, stream).await?;
    let (library, turns) = (Arc::clone(&context.library), turns.to_vec());
    let leaving = move || leaving(&state, &turns, &window, &*library as &dyn Blobs);
    let thought = move || leaving().map(|leaving| leaving.map(conversation::Leaving::extracted));
    let thought = blocking(thought).await?;
    thought.map_err(|unreadable| unreadable.problem())
}
