//! Messages: <https://platform.claude.com/docs/en/api/messages>.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Broken, Outgoing, Piece, count, failed};
use crate::events::run::Tokens;
use crate::executors::ToolOffer;
use crate::executors::llm::conversation::{Answer, Block, Ended, Message, Request, Role};
use crate::executors::llm::models::{Chosen, Key};

/// The version of the format that is spoken, and the one before, which still takes a `temperature`: the newer one refuses it.
const VERSION: &str = "2026-10-21";
const VERSION_WITH_TEMPERATURE: &str = "2023-06-01";

/// How many tokens an answer may have where neither agent nor model say it: this format wants it said.
pub(in crate::executors::llm) const MAX_TOKENS: u32 = 4096;

pub(super) fn outgoing(chosen: &Chosen<'_>, key: Option<&Key>, request: &Request) -> Outgoing {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    put("model", chosen.id().into());
    put("max_tokens", request.max_tokens.unwrap_or(MAX_TOKENS).into());
    let system = system(request);
    if !system.is_empty() {
        put("system", system.into());
    }
    put("messages", request.messages.iter().map(message).collect());
    if let Some(temperature) = request.temperature {
        put("temperature", temperature.into());
    }
    if !request.tools.is_empty() {
        put("tools", request.tools.iter().map(tool).collect());
    }
    put("stream", true.into());
    let version = if request.temperature.is_some() { VERSION_WITH_TEMPERATURE } else { VERSION };
    // The provider's own clients send the first by now; what stands in between may only know the second.
    let keys = key.map(|key| {
        [("authorization", format!("Bearer {}", key.reveal())), ("x-api-key", key.reveal().to_owned())]
    });
    let headers = keys.into_iter().flatten().chain([("anthropic-version", version.to_owned())]).collect();
    let base = &chosen.provider.base_url;
    let below = if base.ends_with("/v1") { "messages" } else { "v1/messages" };
    Outgoing { url: format!("{base}/{below}"), headers, body: body.into() }
}

/// The format has no word for the shape of an answer: the model is told.
fn system(request: &Request) -> String {
    let Some(schema) = &request.schema else { return request.system.clone() };
    let when = if request.tools.is_empty() { "" } else { "When no tool has to be used any more: " };
    let told = format!(
        "{when}Answer with one JSON document and nothing else: no words around it, no code fence. It has to fit this JSON Schema:\n{schema}"
    );
    if request.system.is_empty() { told } else { format!("{}\n\n{told}", request.system) }
}

fn message(message: &Message) -> Value {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let content: Value = message.content.iter().map(block).collect();
    json!({ "role": role, "content": content })
}

fn block(block: &Block) -> Value {
    match block {
        Block::Text { text } => json!({ "type": "text", "text": text }),
        Block::ToolCall { id, name, arguments } => {
            // What is no JSON was answered by the model itself: it is told so, and sees it as a text.
            let input = serde_json::from_str::<Value>(arguments).ok().filter(Value::is_object);
            let input = input.unwrap_or_else(|| json!({ "arguments": arguments }));
            json!({ "type": "tool_use", "id": id, "name": name, "input": input })
        }
        Block::ToolResult { id, content, is_error } => {
            json!({ "type": "tool_result", "tool_use_id": id, "content": content, "is_error": is_error })
        }
    }
}

fn tool(tool: &ToolOffer) -> Value {
    json!({ "name": tool.name, "description": tool.description, "input_schema": tool.input })
}

/// An answer, as far as it has come.
#[derive(Debug, Default)]
pub(in crate::executors::llm) struct Reader {
    /// By their number in the answer. What the model thinks before it answers is no part of it.
    blocks: BTreeMap<u64, Block>,
    pub(super) id: Option<String>,
    stop: Option<Arc<str>>,
    tokens: Option<Tokens>,
    pub(super) is_over: bool,
}

impl Reader {
    pub(super) fn event(&mut self, data: &str) -> Result<Piece, Broken> {
        let event = super::json(data)?;
        failed(&event)?;
        let number = count(&event, "index");
        match event.get("type").and_then(Value::as_str) {
            Some("message_start") => {
                let message = event.get("message").unwrap_or(&Value::Null);
                self.take_in_head(message);
            }
            Some("content_block_start") => {
                return Ok(self.begin(number, event.get("content_block").unwrap_or(&Value::Null)));
            }
            Some("content_block_delta") => {
                return Ok(self.go_on(number, event.get("delta").unwrap_or(&Value::Null)));
            }
            Some("message_delta") => {
                self.take_in_stop(event.get("delta").unwrap_or(&Value::Null));
                self.take_in_usage(event.get("usage"));
            }
            Some("message_stop") => self.is_over = true,
            // `ping`, and what a newer version of the format may add.
            Some(_) => {}
            None => return Err(Broken::Garbage(data.chars().take(super::SHOWN_CHARS_MAX).collect())),
        }
        Ok(Piece::default())
    }

    pub(super) fn document(&mut self, document: &Value) -> Result<Piece, Broken> {
        let Some(blocks) = document.get("content").and_then(Value::as_array) else {
            return Err(Broken::Garbage(document.to_string().chars().take(super::SHOWN_CHARS_MAX).collect()));
        };
        self.take_in_head(document);
        self.take_in_stop(document);
        let mut piece = Piece { begun: true, ..Piece::default() };
        for (number, block) in (0..).zip(blocks) {
            piece.text.push_str(&self.begin(number, block).text);
        }
        self.is_over = true;
        Ok(piece)
    }

    fn take_in_head(&mut self, message: &Value) {
        self.id = message.get("id").and_then(Value::as_str).map(str::to_owned);
        self.take_in_usage(message.get("usage"));
    }

    fn take_in_stop(&mut self, within: &Value) {
        if let Some(stop) = within.get("stop_reason").and_then(Value::as_str) {
            self.stop = Some(stop.into());
        }
    }

    /// What the provider counts: first what went in, and with the end of the answer what came out. Input that was kept is
    /// counted apart.
    fn take_in_usage(&mut self, usage: Option<&Value>) {
        let Some(usage) = usage.filter(|usage| usage.is_object()) else { return };
        let tokens = self.tokens.get_or_insert_default();
        if usage.get("input_tokens").is_some_and(Value::is_u64) {
            tokens.cached = count(usage, "cache_read_input_tokens");
            let written = count(usage, "cache_creation_input_tokens");
            let input = count(usage, "input_tokens");
            tokens.input = input.saturating_add(written).saturating_add(tokens.cached);
        }
        tokens.output = tokens.output.max(count(usage, "output_tokens"));
    }

    fn begin(&mut self, number: u64, block: &Value) -> Piece {
        let words = |key: &str| block.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        match block.get("type").and_then(Value::as_str) {
            Some("text") => {
                let text = words("text");
                self.blocks.insert(number, Block::Text { text: text.clone() });
                Piece { begun: !text.is_empty(), text }
            }
            Some("tool_use") => {
                let input =
                    block.get("input").filter(|input| input.as_object().is_some_and(|all| !all.is_empty()));
                let arguments = input.map(Value::to_string).unwrap_or_default();
                self.blocks
                    .insert(number, Block::ToolCall { id: words("id"), name: words("name"), arguments });
                Piece { begun: true, ..Piece::default() }
            }
            _ => Piece { begun: true, ..Piece::default() },
        }
    }

    fn go_on(&mut self, number: u64, delta: &Value) -> Piece {
        let words = |key: &str| delta.get(key).and_then(Value::as_str).unwrap_or_default();
        let mut piece = Piece { begun: true, ..Piece::default() };
        match self.blocks.get_mut(&number) {
            Some(Block::Text { text }) => {
                piece.text = words("text").to_owned();
                text.push_str(&piece.text);
            }
            Some(Block::ToolCall { arguments, .. }) => arguments.push_str(words("partial_json")),
            Some(Block::ToolResult { .. }) | None => {}
        }
        piece
    }

    pub(super) fn answer(&self) -> Answer {
        let whole = |block: &Block| match block {
            Block::ToolCall { id, name, arguments } if arguments.is_empty() => {
                Block::ToolCall { id: id.clone(), name: name.clone(), arguments: "{}".to_owned() }
            }
            block => block.clone(),
        };
        let is_empty = |block: &&Block| matches!(block, Block::Text { text } if text.is_empty());
        let content = self.blocks.values().filter(|block| !is_empty(block)).map(whole).collect();
        let ended = match self.stop.as_deref() {
            Some("max_tokens" | "model_context_window_exceeded") => Ended::CutShort,
            Some("refusal") => Ended::Declined,
            Some("tool_use") => Ended::Tools,
            _ => Ended::Done,
        };
        Answer { content, stop: self.stop.clone(), ended, tokens: self.tokens }
    }
}
