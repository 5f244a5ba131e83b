//! A conversation with a model, in no provider's format. What is recorded of it is this: it can be shown, and asked again in
//! another format.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::events::json::Json;
use crate::events::run::Tokens;
use crate::executors::ToolOffer;

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Who asks.
    User,
    /// The model.
    Assistant,
}

/// What is said at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// Its parts, in order.
    pub content: Vec<Block>,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    /// A text.
    Text {
        /// The text itself.
        text: String,
    },
    /// The model wants a tool to be used.
    ToolCall {
        /// The provider's name for this use of the tool.
        id: String,
        /// The name of the tool.
        name: String,
        /// What it is given, as the model wrote it: JSON, or what should be.
        arguments: String,
    },
    /// What a tool answered.
    ToolResult {
        /// The name of the use that it answers.
        id: String,
        /// The answer.
        content: String,
        /// Whether the tool failed.
        is_error: bool,
    },
}

/// All that a model is asked at once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// The system prompt; empty for none.
    pub system: String,
    /// The conversation so far. The last message is not the model's.
    pub messages: Vec<Message>,
    /// The tools that it is offered.
    pub tools: Vec<ToolOffer>,
    /// How many tokens the answer may have; none to leave that to the provider.
    pub max_tokens: Option<u32>,
    /// How freely it chooses its words, if that is said.
    pub temperature: Option<f64>,
    /// The shape that the answer is to have, as a JSON Schema.
    pub schema: Option<Value>,
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Its parts, in order.
    pub content: Vec<Block>,
    /// Why it stopped, as the provider says it.
    pub stop: Option<Arc<str>>,
    /// What that means.
    pub ended: Ended,
    /// The tokens that the provider reports.
    pub tokens: Option<Tokens>,
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ended {
    /// It had said everything.
    #[default]
    Done,
    /// It wants tools to be used.
    Tools,
    /// Its answer became longer than it may be.
    CutShort,
    /// It does not want to answer, or somebody does not want that it does.
    Declined,
}

impl Message {
    /// A text that somebody asks.
    pub fn asks(text: impl Into<String>) -> Self {
        Self { role: Role::User, content: vec![Block::Text { text: text.into() }] }
    }

    /// It as it is recorded.
    pub fn recorded(&self) -> Json {
        // Names of fields and texts always have a JSON form.
        Json::of(self).unwrap_or_default()
    }
}

impl Answer {
    /// It as a message of the conversation.
    pub fn message(&self) -> Message {
        Message { role: Role::Assistant, content: self.content.clone() }
    }

    /// All that it says in words.
    pub fn text(&self) -> String {
        let texts = self.content.iter().filter_map(|block| match block {
            Block::Text { text } => Some(text.as_str()),
            Block::ToolCall { .. } | Block::ToolResult { .. } => None,
        });
        texts.collect()
    }

    /// The calls of tools that it wants, in order: the id of each, the name of the tool, and what that is given.
    pub fn tool_calls(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.content.iter().filter_map(|block| match block {
            Block::ToolCall { id, name, arguments } => Some((id.as_str(), name.as_str(), arguments.as_str())),
            Block::Text { .. } | Block::ToolResult { .. } => None,
        })
    }
}
