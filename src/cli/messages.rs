//! `reenact messages`: what agents say to each other, and what becomes of it; `messages resend` sends what is dead again.

use std::collections::HashSet;

use super::arguments::{MessagesArguments, MessagesVerb, ResendArguments};
use super::see::{self, Exchange, Signals};
use super::text::colour::Tone;
use super::text::terminal::fitted;
use super::text::{self, Text, name, terminal, values};
use super::{Exit, Scene, control};
use crate::api::facade::unknown_run;
use crate::api::folder::is_store;
use crate::api::protocol::{Control, Frame, MessageKnown, MessageState, Request, WhichMessages};
use crate::api::wording::Worded;
use crate::events::ids::{AgentName, MessageId};
use crate::events::problem::{Code, Problem};
use crate::events::time::{Timestamp, parse_duration};

/// How much of a body stands in a line, in characters; `--json` shows all of it.
const BODY_CHARS: usize = 160;

/// For how many receivers it is told why a message is dead; `--json` tells it for all.
const REASONS_MAX: usize = 8;

/// What is between two columns.
const GAP: &str = "  ";

const COLUMNS: usize = 7;

impl Worded for MessageKnown {}

pub(super) async fn messages(scene: &Scene, arguments: MessagesArguments) -> Result<Exit, Problem> {
    let MessagesArguments { run, agent, kind, since, correlation, dead, limit, verb } = arguments;
    if let Some(MessagesVerb::Resend(arguments)) = verb {
        return resend(scene, arguments).await;
    }
    let agent = agent.map(|agent| AgentName::new(&agent));
    let since = since.as_deref().map(moment).transpose()?;
    let which = WhichMessages { agent, kind, since, correlation, dead, limit };
    let mut found = Vec::new();
    match (&run, is_store(&scene.house.data)) {
        (Some(run), false) => return Err(unknown_run(run)),
        (None, false) => {}
        (_, true) => {
            // If the holder goes in the middle, the next one is asked again and answers from the beginning.
            let mut known = HashSet::new();
            let mut show = |frame| {
                if let Frame::Message(message) = frame
                    && known.insert(message.id.clone())
                {
                    found.push(*message);
                }
            };
            let mut signals = Signals::listen()?;
            let door = scene.open().await?;
            let request = Request::Messages { run, which };
            match see::ask(scene, door, &request, &mut signals, &mut show).await? {
                Exchange::Interrupted => return Ok(Exit::Interrupted),
                Exchange::Response(_, door) => see::leave(door, &mut signals).await?,
            }
        }
    }
    show(scene, &found);
    Ok(Exit::Good)
}

async fn resend(scene: &Scene, arguments: ResendArguments) -> Result<Exit, Problem> {
    let ResendArguments { id, who, then } = arguments;
    let MessageId { run, number } =
        MessageId::parse(&id).map_err(|error| Problem::new(Code::Usage, error.to_string()))?;
    control::answer(scene, run.to_string(), Control::Resend { number }, who, then.into()).await
}

/// A moment, or so long ago.
fn moment(text: &str) -> Result<Timestamp, Problem> {
    if let Some(moment) = Timestamp::parse(text) {
        return Ok(moment);
    }
    let length = parse_duration(text).map_err(|_| {
        let message = format!("`{}` is neither a moment nor a duration", text.escape_debug());
        Problem::new(Code::Usage, message)
            .hint("write it like `2026-11-21T09:00:00Z`, or like `2h`, which is so long ago")
    })?;
    let now = jiff::Timestamp::now().as_microsecond();
    Ok(Timestamp(now.saturating_sub(i64::try_from(length.as_micros()).unwrap_or(i64::MAX))))
}

/// Messages, a line each below a line that says what stands where.
fn show(scene: &Scene, found: &[MessageKnown]) {
    if scene.say.is_json() {
        found.iter().for_each(|message| scene.say.result(message, |_| Text::default()));
        return;
    }
    if found.is_empty() {
        return scene.say.note(&terminal!("no messages"));
    }
    let heads = ["MESSAGE", "AT", "FROM", "TO", "KIND", "STATE", "BODY"].map(|head| terminal!("{}", head));
    let rows: Vec<[Text; COLUMNS]> = std::iter::once(heads).chain(found.iter().map(row)).collect();
    let mut widths = [0; COLUMNS];
    for row in &rows {
        widths.iter_mut().zip(row).for_each(|(width, cell)| *width = (*width).max(cell.width()));
    }
    let columns = scene.say.columns();
    let line = |row: &[Text; COLUMNS]| {
        let line = Text::joined(row.iter().zip(widths).map(|(cell, width)| cell.clone().padded(width)), GAP)
            .trimmed();
        columns.map_or_else(|| line.clone(), |columns| fitted(&line, columns))
    };
    let mut lines: Vec<Text> = rows.iter().take(1).map(line).collect();
    for (row, message) in rows.iter().skip(1).zip(found) {
        lines.push(line(row));
        lines.extend(reasons(message));
    }
    let lines = Text::lines(lines);
    found.iter().take(1).for_each(|message| scene.say.result(message, |_| lines.clone()));
}

fn row(message: &MessageKnown) -> [Text; COLUMNS] {
    let to = message.to.to_string();
    let again = message.by.as_ref().map(|by| terminal!(" (again, by {})", name(by)));
    let kind = match message.priority.text() {
        "normal" => terminal!("{}", message.kind.text()),
        priority => terminal!("{} ({})", message.kind.text(), priority),
    };
    [
        name(&message.id),
        terminal!("{}", text::moment(message.at)),
        name(message.from.as_str()).and(again),
        name(&to),
        kind,
        state(message),
        values::short(message.body.text(), BODY_CHARS),
    ]
}

/// Why a message is dead for whom it is, below its line.
fn reasons(message: &MessageKnown) -> impl Iterator<Item = Text> {
    let dead = message.receivers.iter().filter_map(|receiver| Some((receiver, receiver.why.as_deref()?)));
    dead.take(REASONS_MAX).map(|(receiver, why)| terminal!("  {}: {}", name(receiver.agent.as_str()), why))
}

/// What has become of a message.
fn state(message: &MessageKnown) -> Text {
    let word = terminal!("{}", message.state.text());
    match message.state {
        MessageState::Dead | MessageState::Expired => Tone::Bad.of(&word),
        MessageState::Sent => Tone::Active.of(&word),
        MessageState::Handled => word,
    }
}
