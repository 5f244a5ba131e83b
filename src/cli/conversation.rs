//! `reenact conversation`: what is said, how much of it is at hand, and where the rest is found.

mod given;
mod shown;

use serde::Serialize;

use super::arguments::{
    AddTurnArguments, ConversationArguments, ConversationVerb, PinTurnArguments, SearchTurnsArguments,
    TurnsArguments,
};
use super::see;
use super::text::terminal::written;
use super::text::{name, terminal};
use super::{Exit, Scene};
use crate::api::facade::conversations::unknown_conversation;
use crate::api::folder::is_store;
use crate::api::new_command_id;
use crate::api::protocol::{
    ConversationAnswer, ConversationKnown, ConversationWants, Frame, Request, Response, TurnGiven, TurnKnown,
    TurnsAdded, TurnsKnown, WhichTurns,
};
use crate::api::user::user;
use crate::api::wording::Worded;
use crate::events::ids::{CommandId, ConversationName, TurnNumber};
use crate::events::limits::TURNS_ADDED_MAX;
use crate::events::problem::{Code, Problem};
use crate::events::text::json_line;
use crate::views::projections::conversations::ConversationRow;

impl Worded for ConversationKnown {}
impl Worded for TurnsAdded {}
impl Worded for TurnsKnown {}
impl Worded for TurnKnown {}

/// The JSON that `conversation list` prints.
#[derive(Clone, Serialize)]
struct Listed {
    conversations: Vec<ConversationRow>,
}

impl Worded for Listed {}

/// The first line of an export.
#[derive(Clone, Serialize)]
struct Exported {
    format: &'static str,
    schema: u32,
    #[serde(flatten)]
    known: ConversationKnown,
}

impl Worded for Exported {}

pub(super) async fn conversation(scene: &Scene, arguments: ConversationArguments) -> Result<Exit, Problem> {
    match arguments.verb {
        ConversationVerb::Add(arguments) => add(scene, arguments).await,
        ConversationVerb::List => list(scene).await,
        ConversationVerb::Show(arguments) => {
            let named = parsed(&arguments.named.conversation)?;
            let wants = ConversationWants::Show { archived: arguments.archived };
            let Some(known) = known(scene, named, wants).await? else { return Ok(Exit::Interrupted) };
            scene.say.result(&known, shown::known);
            Ok(Exit::Good)
        }
        ConversationVerb::Turns(arguments) => turns(scene, arguments).await,
        ConversationVerb::Search(SearchTurnsArguments { named, query, limit }) => {
            let wants = ConversationWants::Search { query, limit };
            show_turns(scene, parsed(&named.conversation)?, wants).await
        }
        ConversationVerb::Pin(arguments) => pin(scene, arguments, true).await,
        ConversationVerb::Unpin(arguments) => pin(scene, arguments, false).await,
        ConversationVerb::Export(arguments) => export(scene, parsed(&arguments.conversation)?).await,
    }
}

fn parsed(conversation: &str) -> Result<ConversationName, Problem> {
    ConversationName::parse(conversation)
        .map_err(|error| Problem::new(Code::BadConversationName, error.to_string()))
}

/// Adds one turn; or those of a file, as many at once as are taken.
async fn add(scene: &Scene, arguments: AddTurnArguments) -> Result<Exit, Problem> {
    let conversation = parsed(&arguments.named.conversation)?;
    let (id, by) = (arguments.id.clone(), arguments.who.by.clone().unwrap_or_else(user));
    let turns = given::turns(arguments, scene)?;
    let (mut all, mut done) = (None::<TurnsAdded>, 0);
    for (number, some) in turns.chunks(TURNS_ADDED_MAX).enumerate() {
        let id = match &id {
            None => new_command_id(),
            Some(id) => CommandId::derived(&["conversation", conversation.as_str(), id, &number.to_string()]),
        };
        let added =
            add_some(scene, &conversation, some.to_vec(), &by, id).await.map_err(|problem| match done {
                0 => problem,
                done => problem.hint(format!("the first {done} turns are added")),
            })?;
        let Some(added) = added else { return Ok(Exit::Interrupted) };
        done += some.len();
        all = Some(match all {
            None => added,
            Some(before) => joined(before, added),
        });
    }
    if let Some(added) = all {
        scene.say.result(&added, shown::added);
    }
    Ok(Exit::Good)
}

fn joined(before: TurnsAdded, after: TurnsAdded) -> TurnsAdded {
    let turns = before.turns.into_iter().chain(after.turns).collect();
    let compressed = after.compressed.or(before.compressed);
    TurnsAdded { conversation: after.conversation, version: after.version, turns, compressed }
}

/// Adds turns at once; none when a signal came.
async fn add_some(
    scene: &Scene,
    conversation: &ConversationName,
    turns: Vec<TurnGiven>,
    by: &str,
    id: CommandId,
) -> Result<Option<TurnsAdded>, Problem> {
    let window = Some(scene.house.config.conversation.window());
    let wants = ConversationWants::Add { turns, window, by: by.into(), id: Some(id) };
    match asked(scene, conversation.clone(), wants, &mut |_| {}).await? {
        None => Ok(None),
        Some(ConversationAnswer::Added(added)) => Ok(Some(added)),
        Some(other) => Err(Response::Conversation(Box::new(other)).mismatch()),
    }
}

async fn pin(scene: &Scene, arguments: PinTurnArguments, pinned: bool) -> Result<Exit, Problem> {
    let PinTurnArguments { named, turn, who } = arguments;
    let (by, id) = (who.by.unwrap_or_else(user).into(), Some(new_command_id()));
    let wants = ConversationWants::Pin { turn: TurnNumber(turn), pinned, by, id };
    let Some(known) = known(scene, parsed(&named.conversation)?, wants).await? else {
        return Ok(Exit::Interrupted);
    };
    scene.say.result(&known, shown::known);
    Ok(Exit::Good)
}

async fn list(scene: &Scene) -> Result<Exit, Problem> {
    let mut conversations = Vec::new();
    if is_store(&scene.house.data) {
        conversations = match see::answer(scene, &Request::Conversations, &mut |_| {}).await? {
            None => return Ok(Exit::Interrupted),
            Some(Response::Conversations(rows)) => rows,
            Some(other) => return Err(other.mismatch()),
        };
    }
    if conversations.is_empty() && !scene.say.is_json() {
        scene.say.note(&terminal!("there are no conversations yet"));
        return Ok(Exit::Good);
    }
    scene.say.result(&Listed { conversations }, |listed| shown::list(&listed.conversations));
    Ok(Exit::Good)
}

async fn turns(scene: &Scene, arguments: TurnsArguments) -> Result<Exit, Problem> {
    let TurnsArguments { named, archived, all, from, limit } = arguments;
    let which = match (archived, all) {
        (true, _) => WhichTurns::Archived,
        (_, true) => WhichTurns::All,
        _ => WhichTurns::Window,
    };
    let wants = ConversationWants::Turns { which, from: TurnNumber(from), limit };
    show_turns(scene, parsed(&named.conversation)?, wants).await
}

async fn show_turns(
    scene: &Scene,
    conversation: ConversationName,
    wants: ConversationWants,
) -> Result<Exit, Problem> {
    let known = match looked_at(scene, conversation, wants, &mut |_| {}).await? {
        None => return Ok(Exit::Interrupted),
        Some(ConversationAnswer::Turns(known)) => known,
        Some(other) => return Err(Response::Conversation(Box::new(other)).mismatch()),
    };
    if known.turns.is_empty() && known.summary.is_none() && !scene.say.is_json() {
        scene.say.note(&terminal!("no such turns of conversation {}", name(known.conversation.as_str())));
        return Ok(Exit::Good);
    }
    scene.say.result(&known, shown::turns);
    if let Some(next) = known.next.filter(|_| !scene.say.is_json()) {
        scene.say.note(&terminal!("more: --from {}", next));
    }
    Ok(Exit::Good)
}

/// Prints what there was when it began; turns that are added meanwhile are not part of it.
async fn export(scene: &Scene, conversation: ConversationName) -> Result<Exit, Problem> {
    let wants = ConversationWants::Show { archived: false };
    let Some(known) = known(scene, conversation.clone(), wants).await? else { return Ok(Exit::Interrupted) };
    let last = TurnNumber(known.turns);
    // It is JSON for people too: what acts on a terminal is escaped as JSON has it.
    let line = |json: Result<String, serde_json::Error>| match json {
        Ok(json) => written(&json_line(&json)),
        Err(error) => terminal!("{}", error),
    };
    let first = Exported { format: "reenact.conversation", schema: 1, known };
    scene.say.result(&first, |first| line(serde_json::to_string(first)));
    // If the holder goes in the middle, the next one is asked again and answers from the beginning.
    let mut shown = TurnNumber(0);
    let mut show = |frame| {
        if let Frame::Turn(turn) = frame
            && turn.turn > shown
        {
            shown = turn.turn;
            scene.say.result(&*turn, |turn| line(serde_json::to_string(turn)));
        }
    };
    match looked_at(scene, conversation, ConversationWants::Export { last }, &mut show).await? {
        None => Ok(Exit::Interrupted),
        Some(_) => Ok(Exit::Good),
    }
}

/// How much was said, after what somebody wants; none when a signal came.
async fn known(
    scene: &Scene,
    conversation: ConversationName,
    wants: ConversationWants,
) -> Result<Option<ConversationKnown>, Problem> {
    match looked_at(scene, conversation, wants, &mut |_| {}).await? {
        None => Ok(None),
        Some(ConversationAnswer::Known(known)) => Ok(Some(*known)),
        Some(other) => Err(Response::Conversation(Box::new(other)).mismatch()),
    }
}

/// The answer of a conversation that must be there; none when a signal came.
async fn looked_at(
    scene: &Scene,
    conversation: ConversationName,
    wants: ConversationWants,
    show: &mut dyn FnMut(Frame),
) -> Result<Option<ConversationAnswer>, Problem> {
    if !is_store(&scene.house.data) {
        return Err(unknown_conversation(&conversation));
    }
    asked(scene, conversation, wants, show).await
}

async fn asked(
    scene: &Scene,
    conversation: ConversationName,
    wants: ConversationWants,
    show: &mut dyn FnMut(Frame),
) -> Result<Option<ConversationAnswer>, Problem> {
    match see::answer(scene, &Request::Conversation { conversation, wants }, show).await? {
        None => Ok(None),
        Some(Response::Conversation(answer)) => Ok(Some(*answer)),
        Some(other) => Err(other.mismatch()),
    }
}
