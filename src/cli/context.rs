//! `reenact context`: what is shared, by whom it was written, and who holds its locks.

use super::arguments::{ContextArguments, ContextVerb, SetContextArguments};
use super::see::{self, Exchange, Signals};
use super::text::terminal::fitted;
use super::text::{self, Text, name, terminal, values};
use super::{Exit, Scene};
use crate::api::facade::contexts::unknown_context;
use crate::api::folder::is_store;
use crate::api::new_command_id;
use crate::api::protocol::{
    ContextAnswer, ContextKnown, ContextWants, ContextWritten, Frame, KeyGiven, KeyKnown, KeyWritten,
    LockKnown, LocksKnown, Request, Response,
};
use crate::api::user::user;
use crate::api::wording::Worded;
use crate::events::ids::{ContextKey, ContextName, InvalidId, KeyVersion};
use crate::events::problem::{Code, Problem};
use crate::workflow::input::pair_from_argument;

/// How much of a value stands in a table, in characters; `--json` shows all of it.
const VALUE_CHARS: usize = 160;

/// What is between two columns.
const GAP: &str = "  ";

impl Worded for ContextKnown {}
impl Worded for ContextWritten {}
impl Worded for KeyKnown {}
impl Worded for KeyWritten {}
impl Worded for LocksKnown {}

pub(super) async fn context(scene: &Scene, arguments: ContextArguments) -> Result<Exit, Problem> {
    match arguments.verb {
        ContextVerb::Get(arguments) => {
            let context = parsed(&arguments.named.context)?;
            let key = arguments.key.map(|key| ContextKey::parse(&key)).transpose().map_err(bad_name)?;
            get(scene, context, key).await
        }
        ContextVerb::Set(arguments) => set(scene, arguments).await,
        ContextVerb::History(arguments) => {
            let context = parsed(&arguments.named.context)?;
            let key = ContextKey::parse(&arguments.key).map_err(bad_name)?;
            history(scene, context, key).await
        }
        ContextVerb::Locks(arguments) => locks(scene, parsed(&arguments.context)?).await,
    }
}

fn parsed(context: &str) -> Result<ContextName, Problem> {
    ContextName::parse(context).map_err(bad_name)
}

fn bad_name(error: InvalidId) -> Problem {
    Problem::new(Code::BadContextName, error.to_string())
}

async fn get(scene: &Scene, context: ContextName, key: Option<ContextKey>) -> Result<Exit, Problem> {
    let one = key.is_some();
    let known = match looked_at(scene, context, ContextWants::Get { key }, &mut |_| {}).await? {
        None => return Ok(Exit::Interrupted),
        Some(Response::Context(ContextAnswer::Known(known))) => known,
        Some(other) => return Err(other.mismatch()),
    };
    match known.keys.first().filter(|_| one) {
        // Whoever wants one value of a context reads nothing else.
        Some(key) => scene.say.result(key, |key| text::terminal::written(&values::read(key.value.text()))),
        None => {
            let columns = scene.say.columns();
            scene.say.result(&known, |known| keys(known, columns));
        }
    }
    Ok(Exit::Good)
}

async fn set(scene: &Scene, arguments: SetContextArguments) -> Result<Exit, Problem> {
    let context = parsed(&arguments.named.context)?;
    let expected = arguments.expect.map(KeyVersion);
    let given = |argument: &String| {
        let (key, value) = pair_from_argument(argument)?;
        let key = ContextKey::parse(&key).map_err(bad_name)?;
        Ok(KeyGiven { key, value, expected })
    };
    let keys = arguments.keys.iter().map(given).collect::<Result<Vec<_>, Problem>>()?;
    let by = arguments.who.by.unwrap_or_else(user).into();
    let wants = ContextWants::Set { keys, by, id: Some(new_command_id()) };
    let request = Request::Context { context, wants };
    let mut signals = Signals::listen()?;
    let door = scene.open().await?;
    match see::ask(scene, door, &request, &mut signals, &mut |_| {}).await? {
        Exchange::Interrupted => Ok(Exit::Interrupted),
        Exchange::Response(Response::Context(ContextAnswer::Written(written)), door) => {
            scene.say.result(&written, |written| {
                Text::lines(written.keys.iter().map(|key| match key.version {
                    KeyVersion(0) => terminal!("{}  removed", name(key.key.as_str())),
                    version => terminal!("{}  version {}", name(key.key.as_str()), version),
                }))
            });
            see::leave(door, &mut signals).await?;
            Ok(Exit::Good)
        }
        Exchange::Response(other, _) => Err(other.mismatch()),
    }
}

async fn history(scene: &Scene, context: ContextName, key: ContextKey) -> Result<Exit, Problem> {
    let columns = scene.say.columns();
    // If the holder goes in the middle, the next one is asked again and answers from the beginning.
    let mut shown = None;
    let mut show = |frame| {
        if let Frame::Key(written) = frame
            && shown.is_none_or(|shown| written.event > shown)
        {
            shown = Some(written.event);
            scene.say.result(&*written, |written| wrote(written, columns));
        }
    };
    match looked_at(scene, context, ContextWants::History { key }, &mut show).await? {
        None => Ok(Exit::Interrupted),
        Some(_) => Ok(Exit::Good),
    }
}

async fn locks(scene: &Scene, context: ContextName) -> Result<Exit, Problem> {
    let known = match looked_at(scene, context, ContextWants::Locks, &mut |_| {}).await? {
        None => return Ok(Exit::Interrupted),
        Some(Response::Context(ContextAnswer::Locks(known))) => known,
        Some(other) => return Err(other.mismatch()),
    };
    scene.say.result(&known, |known| match known.locks.is_empty() {
        true => terminal!("no locks"),
        false => Text::lines(known.locks.iter().flat_map(lock)),
    });
    Ok(Exit::Good)
}

/// The answer to a question about a context; none when a signal came.
async fn looked_at(
    scene: &Scene,
    context: ContextName,
    wants: ContextWants,
    show: &mut dyn FnMut(Frame),
) -> Result<Option<Response>, Problem> {
    if !is_store(&scene.house.data) {
        return Err(unknown_context(&context));
    }
    see::answer(scene, &Request::Context { context, wants }, show).await
}

/// All keys of a context, a line each below a line that says what stands where.
fn keys(known: &ContextKnown, columns: Option<usize>) -> Text {
    if known.keys.is_empty() {
        return terminal!("no keys");
    }
    let heads = ["KEY", "VERSION", "BY", "AT", "VALUE"].map(|head| terminal!("{}", head));
    let row = |key: &KeyKnown| {
        let (by, at) = (name(&key.by), terminal!("{}", text::moment(key.at)));
        [
            name(key.key.as_str()),
            terminal!("{}", key.version),
            by,
            at,
            values::short(key.value.text(), VALUE_CHARS),
        ]
    };
    let rows: Vec<[Text; 5]> = std::iter::once(heads).chain(known.keys.iter().map(row)).collect();
    let mut widths = [0; 5];
    for row in &rows {
        widths.iter_mut().zip(row).for_each(|(width, cell)| *width = (*width).max(cell.width()));
    }
    let line = |row: &[Text; 5]| {
        let line = Text::joined(row.iter().zip(widths).map(|(cell, width)| cell.clone().padded(width)), GAP)
            .trimmed();
        columns.map_or_else(|| line.clone(), |columns| fitted(&line, columns))
    };
    Text::lines(rows.iter().map(line))
}

/// A write of a key in a line.
fn wrote(written: &KeyWritten, columns: Option<usize>) -> Text {
    let KeyKnown { version, by, at, value, .. } = &written.key;
    let what = match version {
        KeyVersion(0) => terminal!("removed"),
        _ => values::short(value.text(), VALUE_CHARS),
    };
    let line = terminal!("{:>5}  {}  {}  {}", version.0, text::moment(*at), name(by), what);
    columns.map_or_else(|| line.clone(), |columns| fitted(&line, columns))
}

/// A lock in a line, and below it who waits for it.
fn lock(known: &LockKnown) -> Vec<Text> {
    let lock = name(known.lock.as_str());
    let first = match &known.holder {
        None => terminal!("{}  free, and about to be granted", lock),
        Some(holder) => {
            let (owner, until) = (name(&holder.owner), text::moment(holder.until));
            terminal!("{}  held by {} until {}, grant {}", lock, owner, until, holder.fence)
        }
    };
    let waits = known.waiting.iter();
    let waits =
        waits.map(|waits| terminal!("  {} waits until {}", name(&waits.owner), text::moment(waits.until)));
    std::iter::once(first).chain(waits).collect()
}
