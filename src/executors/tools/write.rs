//! The tools `write` and `edit`: a whole file, and a place in one.

use std::io::Read;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Failure;
use super::call::{Call, refused, with_cut};
use super::folder::{For, check_plain, not_done};
use crate::events::ids::Hash;
use crate::events::problem::Code;

/// How many bytes a file has at most that is written or edited: what somebody wrote by hand is smaller by far, and all of it is held
/// in memory.
const BYTES_MAX: u64 = 8 * 1024 * 1024;

pub(super) fn input_of_write() -> Value {
    json!({
        "type": "object",
        "required": ["path", "content"],
        "additionalProperties": false,
        "properties": {
            "path": {"type": "string", "minLength": 1, "description": "The file, from the work folder; folders that are missing are made"},
            "content": {"type": "string", "description": "All that is in the file from then on"},
        },
    })
}

pub(super) fn input_of_edit() -> Value {
    json!({
        "type": "object",
        "required": ["path", "old", "new"],
        "additionalProperties": false,
        "properties": {
            "path": {"type": "string", "minLength": 1, "description": "The file, from the work folder"},
            "old": {"type": "string", "minLength": 1, "description": "The text to replace, exactly as it stands there, once in the file"},
            "new": {"type": "string", "description": "The text that takes its place"},
            "all": {"type": "boolean", "description": "Whether to replace it wherever it stands"},
        },
    })
}

#[derive(Deserialize)]
struct Write {
    path: String,
    content: String,
}

pub(super) fn write(call: &Call) -> Result<Value, Failure> {
    let Write { path, content } = call.arguments()?;
    if content.len() as u64 > BYTES_MAX {
        return Err(too_large(&path, content.len() as u64));
    }
    let place = call.folder.place(&path, For::Writing)?;
    let was = place.stat()?;
    if let Some(stat) = &was {
        check_plain(stat, &path)?;
    }
    place.replace(content.as_bytes(), &aside(call), was.as_ref())?;
    Ok(json!({"path": path, "bytes": content.len(), "made": was.is_none()}))
}

#[derive(Deserialize)]
struct Edit {
    path: String,
    old: String,
    new: String,
    #[serde(default)]
    all: bool,
}

pub(super) fn edit(call: &Call) -> Result<Value, Failure> {
    let Edit { path, old, new, all } = call.arguments()?;
    if old == new {
        return Err(refused("`old` and `new` are the same"));
    }
    let place = call.folder.place(&path, For::Writing)?;
    let (file, stat) = place.open_file()?;
    let (mut text, mut file) = (String::new(), file.take(BYTES_MAX + 1));
    if let Err(error) = file.read_to_string(&mut text) {
        return Err(match error.kind() {
            std::io::ErrorKind::InvalidData => {
                Failure::new(Code::ToolNotThere, format!("`{path}` is no UTF-8 text"))
            }
            _ => not_done(&path, &error),
        });
    }
    if text.len() as u64 > BYTES_MAX {
        return Err(too_large(&path, u64::try_from(stat.st_size).unwrap_or(u64::MAX)));
    }
    let count = text.matches(&old).count();
    if count == 0 || count > 1 && !all {
        return Err(no_match(&path, &text, &old, count));
    }
    let line = text.split(&old).next().map_or(1, |before| before.matches('\n').count() + 1);
    let edited = text.replace(&old, &new);
    if edited.len() as u64 > BYTES_MAX {
        return Err(too_large(&path, edited.len() as u64));
    }
    place.replace(edited.as_bytes(), &aside(call), Some(&stat))?;
    Ok(with_cut(json!({"path": path, "replaced": count, "line": line}), None))
}

fn no_match(path: &str, text: &str, old: &str, count: usize) -> Failure {
    let why = match count {
        0 if text.contains("\r\n") && !old.contains('\r') && old.contains('\n') => {
            "`old` does not stand there: the lines of the file end with CR LF".to_owned()
        }
        0 => "`old` does not stand there".to_owned(),
        count => {
            format!("`old` stands there {count} times: name more of what stands around it, or say `all`")
        }
    };
    Failure::new(Code::ToolNoMatch, format!("`{path}`: {why}"))
}

fn too_large(path: &str, bytes: u64) -> Failure {
    let message = format!("`{path}` has {bytes} bytes, and no more than {BYTES_MAX} are written");
    Failure::new(Code::ToolTooMuch, message)
}

/// The file in which new content is made: the same for all tries of a call, so that the next one takes away what a crash left.
fn aside(call: &Call) -> String {
    let hash = Hash::of(call.task.idempotency_key.as_bytes()).to_string();
    format!(".reenact-{}.new", hash.get(..16).unwrap_or_default())
}
