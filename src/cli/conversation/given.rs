//! Turns as somebody gives them: as an argument, on stdin, or in a file; one, or one on each line.

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::super::Scene;
use super::super::arguments::AddTurnArguments;
use super::super::text::terminal;
use crate::api::protocol::TurnGiven;
use crate::events::conversation::Role;
use crate::events::ids::AgentName;
use crate::events::json::Json;
use crate::events::limits::TURN_BYTES_MAX;
use crate::events::problem::{Code, Problem};
use crate::text_file::{self, Kind};

/// What stands for stdin.
const STDIN: &str = "-";

/// A turn as a line of an export has it; what else stands there says where it was.
#[derive(Deserialize)]
struct Line {
    role: String,
    content: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    pinned: bool,
}

/// What is to be added; at least one turn. All of it is checked before anything is.
pub(super) fn turns(arguments: AddTurnArguments, scene: &Scene) -> Result<Vec<TurnGiven>, Problem> {
    let AddTurnArguments { text, role, name, pin, file, lines, .. } = arguments;
    if let Some(path) = lines {
        let shown = path.display().to_string();
        let text = match shown.as_str() {
            STDIN => from_stdin(scene, Kind::Turns.bytes_max())?,
            _ => text_file::read(&path, &shown, Kind::Turns)?,
        };
        return of_lines(&text, &shown);
    }
    let content = match (text, file) {
        (Some(text), _) if text == STDIN => without_last_break(from_stdin(scene, TURN_BYTES_MAX)?),
        (Some(text), _) => text,
        (None, Some(file)) => without_last_break(read(&file)?),
        (None, None) => String::new(),
    };
    let (role, name) = (role.map_or(Role::User, Role::from), name.as_deref().map(named).transpose()?);
    Ok(vec![TurnGiven { role, name, pinned: pin, content: checked(content)? }])
}

fn read(file: &Path) -> Result<String, Problem> {
    text_file::read(file, &file.display().to_string(), Kind::Turn)
}

fn from_stdin(scene: &Scene, bytes_max: usize) -> Result<String, Problem> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        scene.say.note(&terminal!("write what is said; end it with ctrl-d on a line of its own"));
    }
    let mut bytes = Vec::new();
    let read = stdin.lock().take(bytes_max as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| Problem::new(Code::FileNotRead, format!("stdin cannot be read: {error}")))?;
    if bytes.len() > bytes_max {
        let message = format!("stdin has more than the {bytes_max} bytes that are taken");
        return Err(Problem::new(Code::TooLarge, message));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        bad(format!("stdin is not UTF-8: byte {} is none of a text", at + 1))
    })
}

/// Editors and `echo` end a text with a line break that nobody says.
fn without_last_break(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

fn named(name: &str) -> Result<AgentName, Problem> {
    let name = AgentName::new(name);
    name.check().map_err(|error| bad(error.to_string()))?;
    Ok(name)
}

fn checked(content: String) -> Result<Arc<str>, Problem> {
    if content.trim().is_empty() {
        return Err(bad("a turn says nothing".to_owned()));
    }
    if content.contains('\0') {
        return Err(bad("a turn has a NUL character, which no text has".to_owned()));
    }
    if content.len() > TURN_BYTES_MAX {
        let message = format!("a turn has {} bytes, and at most {TURN_BYTES_MAX} are taken", content.len());
        return Err(Problem::new(Code::TooLarge, message));
    }
    Ok(content.into())
}

fn of_lines(text: &str, shown: &str) -> Result<Vec<TurnGiven>, Problem> {
    let mut turns = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let is_head = number == 1 && line.contains("\"format\":\"reenact.conversation\"");
        if is_head || line.trim().is_empty() {
            continue;
        }
        turns.push(of_line(line).map_err(|problem| problem.at(shown, number, 1))?);
    }
    if turns.is_empty() {
        return Err(bad(format!("`{shown}` holds no turns")));
    }
    Ok(turns)
}

fn of_line(line: &str) -> Result<TurnGiven, Problem> {
    let json = Json::read(line).map_err(|why| bad(format!("a line is no turn: {why}")))?;
    let Line { role, content, name, pinned } =
        serde_json::from_str(json.text()).map_err(|error| bad(format!("a line is no turn: {error}")))?;
    let Some(role) = Role::from_text(&role) else {
        let all = Role::ALL.map(Role::text).join(", ");
        return Err(bad(format!("`{}` is no role: it is one of {all}", role.escape_debug())));
    };
    let name = name.as_deref().map(named).transpose()?;
    Ok(TurnGiven { role, name, pinned, content: checked(content)? })
}

fn bad(message: String) -> Problem {
    Problem::new(Code::BadTurn, message)
}
