//! What of a conversation matters, in how many words. All of it is pure, and the same for the same texts.
//!
//! - [`tokens`]: how much of a window a text takes
//! - [`relevance`]: which texts have to do with others, and the words by which one is found again
//! - [`extract`]: what is said in texts, in a few of their own sentences

pub mod extract;
pub mod relevance;
pub mod tokens;

use serde_json::Value;

use super::work::Work;
use crate::events::conversation::Role;
use crate::events::ids::TurnNumber;
use crate::events::json::Json;

/// What somebody has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The number of the turn.
    pub turn: TurnNumber,
    /// Who said it.
    pub role: Role,
    /// The text.
    pub text: String,
}

/// A text that stands for turns, and what it takes of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The text.
    pub text: String,
    /// How many tokens it takes as a turn of its own.
    pub tokens: u32,
}

impl Summary {
    /// A text with what it takes.
    pub fn of(text: String) -> Self {
        let tokens = tokens::of_turn(&text);
        Self { text, tokens }
    }
}

/// What a step asks its agent, in words: its prompt, and behind it what it gives the agent as JSON. None where it asks nothing.
pub fn asked(work: &Work) -> Option<String> {
    let prompt = work.prompt.as_deref().filter(|prompt| !prompt.trim().is_empty());
    let with = Some(work.with.text()).filter(|_| !work.with.is_null());
    let asked: Vec<&str> = prompt.into_iter().chain(with).collect();
    (!asked.is_empty()).then(|| asked.join("\n\n"))
}

/// What an agent answered, in words: a text as it is, anything else as JSON. None where it answered nothing.
pub fn answered(answer: &Json) -> Option<String> {
    let text = match answer.value() {
        Value::Null => return None,
        Value::String(text) => text,
        // A program that says something that is no JSON.
        Value::Object(fields) if fields.len() == 1 => match fields.get("stdout").and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None => answer.text().to_owned(),
        },
        _ => answer.text().to_owned(),
    };
    (!text.trim().is_empty()).then_some(text)
}
