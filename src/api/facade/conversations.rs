//! What was said in conversations, and going on with them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::recorded::understood;
use super::{Facade, Frames, view_problem};
use crate::actors::blocking::blocking;
use crate::actors::conversations::{self, ConversationKind, Spoken, Wanted};
use crate::actors::hosting::load::load;
use crate::aggregates::conversation::archive::{Archived, Content, pages};
use crate::aggregates::conversation::{Compressed, Conversation, ConversationAsk};
use crate::api::new_command_id;
use crate::api::protocol::{
    ArchiveKnown, CompressedKnown, ConversationAnswer, ConversationKnown, ConversationWants, Frame,
    PageKnown, Response, SummaryKnown, TurnCounted, TurnGiven, TurnKnown, TurnsAdded, TurnsKnown, WhichTurns,
    WindowKnown,
};
use crate::events::conversation::{ConversationCompressed, ConversationEvent, TurnAdded, Window};
use crate::events::ids::{CommandId, ConversationName, StreamId, TurnNumber, Version};
use crate::events::json::{Json, Payload};
use crate::events::problem::{Code, Problem};
use crate::events::time::Timestamp;
use crate::kernel::core::Envelope;
use crate::kernel::{Blobs, Unreadable};
use crate::workflow::conversation::relevance::Words;

/// How many events are read at once.
const EVENTS_PAGE: usize = 1_024;

impl Facade {
    /// The conversations that there are.
    pub(super) async fn conversations(&self) -> Result<Response, Problem> {
        let rows = self.system.conversations().list().await;
        rows.map(Response::Conversations).map_err(|error| view_problem(&error))
    }

    /// Answers what somebody wants of a conversation.
    pub(super) async fn talk(
        &self,
        conversation: ConversationName,
        wants: ConversationWants,
        frames: &Frames,
    ) -> Result<Response, Problem> {
        let answer = self.wanted_of(conversation, wants, frames).await;
        answer.map(|answer| Response::Conversation(Box::new(answer)))
    }

    async fn wanted_of(
        &self,
        conversation: ConversationName,
        wants: ConversationWants,
        frames: &Frames,
    ) -> Result<ConversationAnswer, Problem> {
        match wants {
            ConversationWants::Add { turns, window, by, id } => {
                let added = self.add_turns(conversation, turns, window, by, id).await;
                added.map(ConversationAnswer::Added)
            }
            ConversationWants::Pin { turn, pinned, by, id } => {
                let stream = StreamId::of_conversation(&conversation);
                // A conversation that there is not is not begun by that.
                self.folded_conversation(&conversation).await?;
                let envelope =
                    Envelope { id: Some(id.unwrap_or_else(new_command_id)), ..Envelope::default() };
                let ask = || ConversationAsk::Pin { turn, pinned, by: Arc::clone(&by) };
                self.system.hosting().order::<ConversationKind>(&stream, &envelope, ask).await?;
                self.conversation_known(conversation, false).await
            }
            ConversationWants::Show { archived } => self.conversation_known(conversation, archived).await,
            ConversationWants::Turns { which, from, limit } => {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                self.turns(conversation, which, from, limit).await.map(ConversationAnswer::Turns)
            }
            ConversationWants::Search { query, limit } => {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                self.search_turns(conversation, query, limit).await.map(ConversationAnswer::Turns)
            }
            ConversationWants::Export { last } => {
                self.export_turns(&conversation, last, frames).await.map(|()| ConversationAnswer::Told)
            }
        }
    }

    async fn add_turns(
        &self,
        conversation: ConversationName,
        given: Vec<TurnGiven>,
        window: Option<Window>,
        by: Arc<str>,
        id: Option<CommandId>,
    ) -> Result<TurnsAdded, Problem> {
        let id = id.unwrap_or_else(new_command_id);
        let stream = StreamId::of_conversation(&conversation);
        let envelope = Envelope { id: Some(id), ..Envelope::default() };
        let spoken = |TurnGiven { role, name, pinned, content }: TurnGiven| Spoken {
            role,
            name,
            pinned,
            text: content,
        };
        let window = match window {
            Some(window) => window,
            None => {
                let (state, _) = load::<Conversation>(&**self.system.store(), &stream).await?;
                state.window().copied().unwrap_or(self.system.window())
            }
        };
        let wanted = Wanted { turns: given.iter().cloned().map(spoken).collect(), window, by };
        let version = conversations::add(self.system.hosting(), &stream, &envelope, wanted).await?;
        let (mut turns, mut compressed) = (Vec::new(), None);
        for event in self.of_command(&stream, version, id).await? {
            match event {
                ConversationEvent::TurnAdded(added) => turns.push(added),
                ConversationEvent::ConversationCompressed(event) => compressed = Some(of_event(&event)),
                _ => {}
            }
        }
        let is_the_same =
            turns.len() == given.len() && turns.iter().zip(&given).all(|(is, given)| says(is, given));
        if !is_the_same {
            let message =
                format!("a turn with that id is in conversation `{conversation}`, and says something else");
            return Err(Problem::new(Code::TurnIdTaken, message));
        }
        let turns =
            turns.into_iter().map(|TurnAdded { turn, tokens, .. }| TurnCounted { turn, tokens }).collect();
        Ok(TurnsAdded { conversation, version, turns, compressed })
    }

    async fn conversation_known(
        &self,
        conversation: ConversationName,
        archived: bool,
    ) -> Result<ConversationAnswer, Problem> {
        let (state, version) = self.folded_conversation(&conversation).await?;
        let known = known(&state, conversation, version, &**self.system.library())
            .map_err(|unreadable| unreadable.problem())?;
        let pages = match archived {
            false => None,
            true => Some(self.reading(move |blobs| pages_of(&state, blobs)).await?),
        };
        Ok(ConversationAnswer::Known(Box::new(ConversationKnown { pages, ..known })))
    }

    /// Some turns: those of the window from the state, others from the history.
    async fn turns(
        &self,
        conversation: ConversationName,
        which: WhichTurns,
        from: TurnNumber,
        limit: usize,
    ) -> Result<TurnsKnown, Problem> {
        let (state, version) = self.folded_conversation(&conversation).await?;
        let summary = match which {
            WhichTurns::Window => {
                summary(&state, &**self.system.library()).map_err(|error| error.problem())?
            }
            WhichTurns::Archived | WhichTurns::All => None,
        };
        let stream = StreamId::of_conversation(&conversation);
        let (mut turns, mut next) = (Vec::new(), None);
        if which == WhichTurns::Window {
            let mut window = state.turns().range(from..).map(|(turn, _)| *turn);
            let some: Vec<TurnNumber> = window.by_ref().take(limit).collect();
            next = window.next();
            for turn in some {
                turns.extend(self.in_window(&state, turn)?);
            }
        } else {
            // A turn is no earlier event than the one with its number.
            let mut after = Version(from.0.saturating_sub(1));
            'read: loop {
                let page = self.events(&stream, after, EVENTS_PAGE).await?;
                let Some(last) = page.last() else { break };
                after = last.version;
                for recorded in &page {
                    let ConversationEvent::TurnAdded(added) = understood(recorded)? else { continue };
                    let is_archived = !state.turns().contains_key(&added.turn);
                    if added.turn < from
                        || added.turn > state.last()
                        || which == WhichTurns::Archived && !is_archived
                    {
                        continue;
                    }
                    if turns.len() >= limit {
                        next = Some(added.turn);
                        break 'read;
                    }
                    turns.push(self.turn(&state, &added, recorded.header.recorded_at)?);
                }
            }
        }
        Ok(TurnsKnown { conversation, version, summary, turns, next })
    }

    fn in_window(&self, state: &Conversation, turn: TurnNumber) -> Result<Option<TurnKnown>, Problem> {
        let Some(of) = state.turns().get(&turn) else { return Ok(None) };
        let content = self.said(&of.content)?;
        let (role, name, pinned, tokens, at) = (of.role, of.name.clone(), of.pinned, of.tokens, of.at);
        Ok(Some(TurnKnown { turn, at, role, name, pinned, archived: false, tokens, content }))
    }

    /// A turn as its event says, and as it is now.
    fn turn(&self, state: &Conversation, added: &TurnAdded, at: Timestamp) -> Result<TurnKnown, Problem> {
        let TurnAdded { turn, role, name, tokens, content, .. } = added.clone();
        let now = state.turns().get(&turn);
        let content = self.said(&content)?;
        let (pinned, archived) = (now.is_some_and(|now| now.pinned), now.is_none());
        Ok(TurnKnown { turn, at, role, name, pinned, archived, tokens, content })
    }

    fn said(&self, content: &Payload) -> Result<String, Problem> {
        self.system.library().json(content).map(|json| text(&json)).map_err(|error| error.problem())
    }

    /// The turns that have to do with a query: found by the index of the archive, and by what is in the window.
    async fn search_turns(
        &self,
        conversation: ConversationName,
        query: String,
        limit: usize,
    ) -> Result<TurnsKnown, Problem> {
        let (state, version) = self.folded_conversation(&conversation).await?;
        let turns = self.reading(move |blobs| search(&state, &query, limit, blobs)).await?;
        Ok(TurnsKnown { conversation, version, summary: None, turns, next: None })
    }

    async fn export_turns(
        &self,
        conversation: &ConversationName,
        upto: TurnNumber,
        frames: &Frames,
    ) -> Result<(), Problem> {
        let (state, _) = self.folded_conversation(conversation).await?;
        let (stream, mut after) = (StreamId::of_conversation(conversation), Version(0));
        loop {
            let page = self.events(&stream, after, EVENTS_PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.version;
            for recorded in &page {
                let ConversationEvent::TurnAdded(added) = understood(recorded)? else { continue };
                if added.turn > upto {
                    return Ok(());
                }
                let turn = self.turn(&state, &added, recorded.header.recorded_at)?;
                if frames.send(Frame::Turn(Box::new(turn))).await.is_err() {
                    return Ok(());
                }
            }
        }
    }

    /// The state of a conversation in which something was said.
    async fn folded_conversation(
        &self,
        conversation: &ConversationName,
    ) -> Result<(Conversation, Version), Problem> {
        let stream = StreamId::of_conversation(conversation);
        let (state, head) = load::<Conversation>(&**self.system.store(), &stream).await?;
        if head.version > Version(0) {
            return Ok((state, head.version));
        }
        Err(unknown_conversation(conversation))
    }

    /// Reads content on a thread that may block.
    async fn reading<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Blobs) -> Result<T, Unreadable> + Send + 'static,
    ) -> Result<T, Problem> {
        let library = Arc::clone(self.system.library());
        let read = blocking(move || read(&*library as &dyn Blobs)).await?;
        read.map_err(|unreadable| unreadable.problem())
    }
}

/// No conversation has that name.
pub fn unknown_conversation(conversation: &ConversationName) -> Problem {
    Problem::new(Code::UnknownConversation, format!("no conversation is named `{conversation}`"))
}

/// The text that a JSON text is.
fn text(json: &Json) -> String {
    serde_json::from_str(json.text()).unwrap_or_else(|_| json.text().to_owned())
}

/// Whether a turn says what somebody wants to be added.
fn says(is: &TurnAdded, given: &TurnGiven) -> bool {
    let content = Payload::new(Json::from(&serde_json::Value::String(given.content.to_string()))).0;
    let TurnAdded { role, name, pinned, content: said, .. } = is;
    (*role, name, *pinned, said) == (given.role, &given.name, given.pinned, &content)
}

fn known(
    state: &Conversation,
    conversation: ConversationName,
    version: Version,
    blobs: &dyn Blobs,
) -> Result<ConversationKnown, Unreadable> {
    let window = WindowKnown {
        turns: state.turns().len() as u64,
        pinned: state.turns().values().filter(|turn| turn.pinned).count() as u64,
        tokens: state.tokens(),
        summary_tokens: state.summary().map_or(0, |summary| summary.tokens),
        limits: state.window().copied().unwrap_or_default(),
    };
    let archive = state.archive();
    Ok(ConversationKnown {
        conversation,
        version,
        turns: state.last().0,
        tokens: state.tokens_ever(),
        window,
        archive: ArchiveKnown { turns: archive.turns, tokens: archive.tokens, pages: archive.pages },
        summary: summary(state, blobs)?.map(|summary| summary.content),
        compressed: state.compressed().map(of_state),
        pages: None,
    })
}

fn summary(state: &Conversation, blobs: &dyn Blobs) -> Result<Option<SummaryKnown>, Unreadable> {
    let Some(standing) = state.summary() else { return Ok(None) };
    let content = text(&blobs.json(&standing.content)?);
    let turn = state.archive().first.unwrap_or_default();
    Ok(Some(SummaryKnown { content, tokens: standing.tokens, turn }))
}

fn of_state(compressed: &Compressed) -> CompressedKnown {
    let Compressed { by, at: _, archived, summary_tokens, tokens_before, tokens_after } = compressed.clone();
    let ratio = ratio(tokens_before, tokens_after);
    CompressedKnown { by, tokens_before, tokens_after, ratio, archived, summary_tokens }
}

fn of_event(event: &ConversationCompressed) -> CompressedKnown {
    let ConversationCompressed { by, archived, summary_tokens, tokens_before, tokens_after, .. } =
        event.clone();
    let ratio = ratio(tokens_before, tokens_after);
    CompressedKnown {
        by,
        tokens_before,
        tokens_after,
        ratio,
        archived: archived.len() as u64,
        summary_tokens,
    }
}

/// What part is left, to three places.
fn ratio(before: u32, after: u32) -> f64 {
    (f64::from(after) / f64::from(before.max(1)) * 1_000.0).round() / 1_000.0
}

/// The pages of an archive, the oldest first.
fn pages_of(state: &Conversation, blobs: &dyn Blobs) -> Result<Vec<PageKnown>, Unreadable> {
    let known = pages(state.archive().head, blobs).map(|read| {
        let (page, content) = read?;
        let tokens = content.turns.iter().map(|archived| u64::from(archived.tokens)).sum();
        Ok(PageKnown {
            page,
            turns: content.turns.into_iter().map(|archived| archived.turn).collect(),
            tokens,
        })
    });
    let mut known = known.collect::<Result<Vec<_>, Unreadable>>()?;
    known.reverse();
    Ok(known)
}

/// The turns that share most words with a query; of those that share as many, the newest. At most so many are in memory.
fn search(
    state: &Conversation,
    query: &str,
    limit: usize,
    blobs: &dyn Blobs,
) -> Result<Vec<TurnKnown>, Unreadable> {
    let words = Words::default();
    let asked: BTreeSet<String> = words.of(query).into_iter().collect();
    let mut best = BTreeMap::<(usize, TurnNumber), TurnKnown>::new();
    let mut add = |shared: usize, turn: TurnNumber, known: &dyn Fn() -> Result<TurnKnown, Unreadable>| {
        let least = best.keys().next().copied();
        if shared > 0 && (best.len() < limit || least.is_some_and(|least| least < (shared, turn))) {
            best.insert((shared, turn), known()?);
            if best.len() > limit {
                best.pop_first();
            }
        }
        Ok::<_, Unreadable>(())
    };
    let shared = |said: &[String]| asked.iter().filter(|word| said.contains(word)).count();
    for read in pages(state.archive().head, blobs) {
        for archived in read?.1.turns {
            let turn = archived.turn;
            let said = match &archived.content {
                Content::Text(text) => words.of(text),
                Content::Blob(_) => archived.words.clone(),
            };
            add(shared(&said), turn, &|| known_archived(&archived, blobs))?;
        }
    }
    for (turn, of) in state.turns() {
        let content = text(&blobs.json(&of.content)?);
        let (role, name, pinned, tokens, at) = (of.role, of.name.clone(), of.pinned, of.tokens, of.at);
        let said = words.of(&content);
        let known = TurnKnown { turn: *turn, at, role, name, pinned, archived: false, tokens, content };
        add(shared(&said), *turn, &|| Ok(known.clone()))?;
    }
    let mut found: Vec<TurnKnown> = best.into_values().collect();
    found.sort_by_key(|known| known.turn);
    Ok(found)
}

fn known_archived(archived: &Archived, blobs: &dyn Blobs) -> Result<TurnKnown, Unreadable> {
    let content = text(&blobs.json(&archived.payload())?);
    let Archived { turn, role, name, at, tokens, .. } = archived.clone();
    Ok(TurnKnown { turn, at, role, name, pinned: false, archived: true, tokens, content })
}
