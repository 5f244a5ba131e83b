//! What an attempt is asked: everything that its answer may hang on, and nothing that is another each time.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::layout::{indented, sorted};
use super::portable::Portable;
use crate::events::conversation::Role;
use crate::events::ids::{AgentName, Hash};
use crate::events::json::Json;
use crate::events::run::{MessageKind, Purpose, Undoes};
use crate::executors::conversations::ConversationGiven;
use crate::executors::mask::Masks;
use crate::executors::{ContextEntry, Failure, MessageGiven, Task, ToolOffer, Turn, TurnOver};
use crate::workflow::work::Work;

/// What an attempt is asked. Those that are asked the same have the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// Compact, and sorted by names.
    pub(super) json: Json,
    pub(super) key: Hash,
}

/// What counts. Not the run and the step, numbers of attempts, and moments; what other agents are called by in messages neither.
#[derive(Serialize)]
struct Asked<'a> {
    agent: &'a Json,
    purpose: Purpose,
    work: &'a Work,
    #[serde(skip_serializing_if = "Option::is_none")]
    undoes: Option<(Undoes, &'a Json)>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    context: BTreeMap<&'a str, &'a Json>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    contexts: BTreeMap<&'a str, BTreeMap<&'a str, &'a Json>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<Said<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    turn: Option<OfTurn<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'a Value>,
}

#[derive(Serialize)]
struct Message<'a> {
    from: &'a str,
    kind: MessageKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    type_name: Option<&'a str>,
    body: &'a Json,
}

/// What is at hand of the conversation with which its step goes on.
#[derive(Serialize)]
struct Said<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    turns: Vec<(Role, Option<&'a str>, &'a str)>,
}

#[derive(Serialize)]
struct OfTurn<'a> {
    before: Vec<Over<'a>>,
    tools: Vec<Tool<'a>>,
}

#[derive(Serialize)]
struct Over<'a> {
    text: &'a str,
    calls: Vec<Call<'a>>,
}

#[derive(Serialize)]
struct Call<'a> {
    name: &'a str,
    arguments: &'a Json,
    result: Result<&'a Json, &'a str>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input: &'a Value,
}

impl Request {
    /// What this attempt is asked. `agent` is what of its agent's definition counts.
    ///
    /// # Errors
    /// When secrets cannot be kept out of it.
    pub(super) fn of(agent: &Json, task: &Task, portable: &Portable, masks: &Masks) -> Result<Self, Failure> {
        let asked = Asked {
            agent,
            purpose: task.purpose,
            work: &task.work,
            undoes: task.compensates.as_ref().map(|undone| (undone.outcome, &undone.output)),
            context: values(&task.context),
            contexts: task.contexts.iter().map(|(alias, read)| (alias.as_str(), values(read))).collect(),
            messages: task.messages.iter().map(message).collect(),
            conversation: task.conversation.as_ref().map(said),
            turn: task.turn.as_deref().map(turn),
            schema: task.schema.as_ref(),
        };
        let json = masks.json(&Json::of(&asked).unwrap_or_default())?;
        Ok(Self::read(&portable.stored(json.text())))
    }

    /// One that a cassette holds.
    pub(super) fn read(json: &str) -> Self {
        let sorted = sorted(json);
        let key = Hash::of(sorted.as_bytes());
        // It was put together here, or read as JSON.
        Self { json: Json::parse(&sorted).unwrap_or_default(), key }
    }

    /// The name of the agent that is asked.
    pub(super) fn agent(&self) -> String {
        let value = self.json.value();
        value.pointer("/agent/name").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// It on lines, those of long texts too, to be compared with another.
    pub(super) fn lines(&self) -> String {
        indented(self.json.text()).replace("\\n", "\n")
    }
}

fn values(entries: &BTreeMap<String, ContextEntry>) -> BTreeMap<&str, &Json> {
    entries.iter().map(|(key, entry)| (key.as_str(), &entry.value)).collect()
}

fn message(given: &MessageGiven) -> Message<'_> {
    let MessageGiven { from, kind, type_name, body, .. } = given;
    Message { from: from.as_str(), kind: *kind, type_name: type_name.as_deref(), body }
}

fn said(given: &ConversationGiven) -> Said<'_> {
    let turns = given.turns.iter();
    let turns = turns.map(|turn| (turn.role, turn.name.as_ref().map(AgentName::as_str), turn.text.as_str()));
    Said { summary: given.summary.as_ref().map(|summary| summary.text.as_str()), turns: turns.collect() }
}

fn turn(turn: &Turn) -> OfTurn<'_> {
    let tools =
        turn.tools.iter().map(|ToolOffer { name, description, input, .. }| Tool { name, description, input });
    OfTurn { before: turn.before.iter().map(over).collect(), tools: tools.collect() }
}

fn over(over: &TurnOver) -> Over<'_> {
    let calls = over.calls.iter().map(|(call, result)| Call {
        name: &call.name,
        arguments: &call.arguments,
        result: result.as_ref().map_err(String::as_str),
    });
    Over { text: &over.text, calls: calls.collect() }
}
