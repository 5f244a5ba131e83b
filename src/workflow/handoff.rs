//! Handoffs: an agent says in what it answers that another is to go on, and what that one has to know.
//!
//! - `block`: the declaration as agents write it, found in a text and read
//! - `chain`: the step that the next agent of a chain does, and what it is told

mod block;
mod chain;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::definition::TOOL_EXECUTOR;
use super::json_text::Level;
use crate::events::ids::AgentName;
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::kernel::ReadBlob;

pub use chain::{HandedWork, Link, WorkDone, said};
pub(super) use chain::{literal, task_of};

/// The line that a declaration begins with.
pub const HEADER: &str = "HANDOFF DECLARATION:";

/// The longest declaration, in bytes. What is longer belongs into a file, or into the context of the run.
pub const HANDOFF_BYTES_MAX: usize = 64 * 1024;

/// The longest reason, in characters: it is a sentence or two for people, and stands in the event itself.
pub const REASON_CHARS_MAX: usize = 2_000;

/// How many items the context of a handoff may have.
pub const ITEMS_MAX: usize = 100;

/// The key of the item of a context that may be any JSON.
const KEY_DATA: &str = "key_data";

/// The members of an answer whose texts are looked through for a declaration: those in which what an agent said stands.
const TEXTS: [&str; 4] = ["stdout", "text", "output", "answer"];

/// What an agent declares: who goes on, why, and what that one has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handoff {
    /// The agent that is to go on, as it was written.
    pub to: AgentName,
    /// Why, in a sentence for people.
    pub reason: String,
    /// An object with at least one member: what the other agent has to know.
    pub context: Json,
}

impl Handoff {
    /// Reads what an agent asked for: a declaration as [`HEADER`] begins it, or the JSON form of a handoff.
    ///
    /// # Errors
    /// [`Code::BadHandoff`], with the line of the declaration that is wrong.
    pub fn read(text: &str) -> Result<Self, Problem> {
        if text.len() > HANDOFF_BYTES_MAX {
            return Err(bad(format!("it has more than {HANDOFF_BYTES_MAX} bytes")));
        }
        let handoff = if text.starts_with('{') {
            serde_json::from_str(text).map_err(|error| bad(error.to_string()))?
        } else {
            block::read(text)?
        };
        handoff.checked()
    }

    /// The text of a request for this handoff, as [`Handoff::read`] takes it.
    pub fn request(&self) -> String {
        Json::of(self).unwrap_or_default().text().to_owned()
    }

    /// The items of the context, in order: each key, and its value as JSON.
    pub fn items(&self) -> Vec<(String, Json)> {
        items(&self.context)
    }

    fn checked(self) -> Result<Self, Problem> {
        if self.to.check().is_err() {
            return Err(bad(format!("`To:` names no agent, but `{}`", self.to.as_str().escape_debug())));
        }
        let reason = self.reason.trim();
        if reason.is_empty() {
            return Err(bad("it has no reason".to_owned()).hint("add a line `Reason: …` that says why"));
        }
        if reason.chars().count() > REASON_CHARS_MAX {
            return Err(bad(format!("its reason has more than {REASON_CHARS_MAX} characters")));
        }
        let items = self.items();
        let says_nothing = |(_, value): &(String, Json)| ["null", "\"\""].contains(&value.text());
        if items.iter().all(says_nothing) {
            let hint = "add `Context:` and below it lines such as `- Work completed: …`";
            return Err(bad("it has no context".to_owned()).hint(hint));
        }
        if items.len() > ITEMS_MAX {
            return Err(bad(format!("its context has {} items, and {ITEMS_MAX} may be", items.len())));
        }
        Ok(Self { reason: reason.to_owned(), ..self })
    }
}

/// The members of an object, in order, as JSON.
pub fn items(context: &Json) -> Vec<(String, Json)> {
    let Ok(Level::Map(members)) = Level::of(context.text()) else { return Vec::new() };
    let item = |(key, value): (Cow<'_, str>, &str)| Some((key.into_owned(), Json::parse(value).ok()?));
    members.into_iter().filter_map(item).collect()
}

fn bad(why: String) -> Problem {
    Problem::new(Code::BadHandoff, format!("its handoff cannot be read: {why}"))
}

/// Takes the declarations out of a text; answers what is left, and them. A code fence around nothing but a declaration goes
/// with it. Beyond the second nothing is looked for: no answer may have two.
pub fn take_out(text: &str) -> (Cow<'_, str>, Vec<String>) {
    block::take_out(text)
}

/// The declarations in what an agent answered, where that is a text, or an object that has it under `stdout`, `text`,
/// `output` or `answer`.
pub fn in_answer(answer: &Json) -> Vec<String> {
    let Some(level) = level_with_declaration(answer) else { return Vec::new() };
    match level {
        Level::Text(text) => take_out(&text).1,
        Level::Map(members) => members
            .into_iter()
            .filter(|(key, _)| TEXTS.contains(&&**key))
            .filter_map(
                |(_, value)| if let Ok(Level::Text(text)) = Level::of(value) { Some(text) } else { None },
            )
            .flat_map(|text| take_out(&text).1)
            .collect(),
        _ => Vec::new(),
    }
}

/// What an agent answered, without the declarations in it: what others are told of its work.
fn without_declarations(answer: &Json) -> Json {
    let left = |text: &str| Json::from(&serde_json::Value::from(&*take_out(text).0));
    match level_with_declaration(answer) {
        Some(Level::Text(text)) => left(&text),
        Some(Level::Map(members)) => {
            let member = |(key, value): &(Cow<'_, str>, &str)| {
                let text = match Level::of(value) {
                    Ok(Level::Text(text)) if TEXTS.contains(&&**key) => left(&text).text().to_owned(),
                    _ => (*value).to_owned(),
                };
                format!("{}:{text}", serde_json::Value::from(&**key))
            };
            let text: Vec<_> = members.iter().map(member).collect();
            Json::made(&format!("{{{}}}", text.join(","))).unwrap_or_else(|_| answer.clone())
        }
        _ => answer.clone(),
    }
}

/// The first level of an answer that may hold a declaration: most hold none, and are not parsed.
fn level_with_declaration(answer: &Json) -> Option<Level<'_>> {
    let may_hold = answer.text().contains(HEADER.trim_end_matches(':'));
    may_hold.then(|| Level::of(answer.text()).ok()).flatten()
}

/// What a run asks of an agent's recorded definition when that hands over: to whom it may.
#[derive(Debug, Default, Deserialize)]
pub struct MayHandOver {
    /// The only agents that may go on after it; none for any that the run knows.
    #[serde(default)]
    pub handoffs: Option<Vec<AgentName>>,
    #[serde(default)]
    executor: String,
}

impl MayHandOver {
    /// Whether it is a tool, to which nobody hands over.
    pub fn is_tool(&self) -> bool {
        self.executor == TOOL_EXECUTOR
    }
}

impl ReadBlob for MayHandOver {
    fn read_blob(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}
