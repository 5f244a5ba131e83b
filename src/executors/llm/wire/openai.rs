//! Chat Completions: <https://platform.openai.com/docs/api-reference/chat>, as many other servers have them, too.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Broken, Outgoing, Piece, count, failed};
use crate::events::run::Tokens;
use crate::executors::ToolOffer;
use crate::executors::llm::conversation::{Answer, Block, Ended, Message, Request, Role};
use crate::executors::llm::models::{Chosen, Key};

/// The host whose newer models refuse `max_tokens`, by which every other server knows the bound of an answer.
const RENAMED_AT: &str = "://api.openai.com/";

pub(super) fn outgoing(chosen: &Chosen<'_>, key: Option<&Key>, request: &Request) -> Outgoing {
    let base = &chosen.provider.base_url;
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    put("model", chosen.id().into());
    put("messages", messages(request));
    if let Some(max) = request.max_tokens {
        let is_renamed = format!("{base}/").contains(RENAMED_AT);
        put(if is_renamed { "max_completion_tokens" } else { "max_tokens" }, max.into());
    }
    if let Some(temperature) = request.temperature {
        put("temperature", temperature.into());
    }
    if !request.tools.is_empty() {
        put("tools", request.tools.iter().map(tool).collect());
    }
    if let Some(schema) = &request.schema {
        let shape = json!({ "name": "answer", "schema": schema });
        put("response_format", json!({ "type": "json_schema", "json_schema": shape }));
    }
    put("stream", true.into());
    put("stream_options", json!({ "include_usage": true }));
    let headers = key.map(|key| ("authorization", format!("Bearer {}", key.reveal())));
    let url = format!("{base}/chat/completions");
    Outgoing { url, headers: headers.into_iter().collect(), body: body.into() }
}

fn messages(request: &Request) -> Value {
    let system = (!request.system.is_empty()).then(|| json!({ "role": "system", "content": request.system }));
    system.into_iter().chain(request.messages.iter().flat_map(message)).collect()
}

/// A message; what tools answered is a message of its own for each.
fn message(message: &Message) -> Vec<Value> {
    let (mut texts, mut calls, mut results) = (Vec::new(), Vec::new(), Vec::new());
    for block in &message.content {
        match block {
            Block::Text { text } => texts.push(text.as_str()),
            Block::ToolCall { id, name, arguments } => calls.push(json!({
                "id": id, "type": "function", "function": { "name": name, "arguments": arguments },
            })),
            Block::ToolResult { id, content, is_error } => {
                // The format has no word for what failed: the model is told.
                let content = if *is_error { format!("error: {content}") } else { content.clone() };
                results.push(json!({ "role": "tool", "tool_call_id": id, "content": content }));
            }
        }
    }
    // Many servers take a text only, and no list of them.
    let text = texts.join("\n\n");
    match message.role {
        Role::Assistant if !calls.is_empty() => {
            let content = if text.is_empty() { Value::Null } else { text.into() };
            vec![json!({ "role": "assistant", "content": content, "tool_calls": calls })]
        }
        Role::Assistant => vec![json!({ "role": "assistant", "content": text })],
        Role::User => {
            if !text.is_empty() || results.is_empty() {
                results.push(json!({ "role": "user", "content": text }));
            }
            results
        }
    }
}

fn tool(tool: &ToolOffer) -> Value {
    let ToolOffer { name, description, input, .. } = tool;
    json!({ "type": "function", "function": { "name": name, "description": description, "parameters": input } })
}

/// An answer, as far as it has come.
#[derive(Debug, Default)]
pub(in crate::executors::llm) struct Reader {
    text: String,
    refusal: String,
    /// By their number in the answer.
    calls: BTreeMap<u64, Call>,
    pub(super) id: Option<String>,
    pub(super) stop: Option<Arc<str>>,
    tokens: Option<Tokens>,
    pub(super) is_over: bool,
}

#[derive(Debug, Default)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

impl Reader {
    pub(super) fn event(&mut self, data: &str) -> Result<Piece, Broken> {
        if data.trim() == "[DONE]" {
            self.is_over = true;
            return Ok(Piece::default());
        }
        let chunk = super::json(data)?;
        failed(&chunk)?;
        self.take_in(&chunk, "delta")
    }

    pub(super) fn document(&mut self, document: &Value) -> Result<Piece, Broken> {
        let piece = self.take_in(document, "message")?;
        if self.stop.is_none() && piece == Piece::default() {
            return Err(Broken::Garbage(document.to_string().chars().take(super::SHOWN_CHARS_MAX).collect()));
        }
        self.is_over = true;
        Ok(piece)
    }

    fn take_in(&mut self, chunk: &Value, within: &str) -> Result<Piece, Broken> {
        if !chunk.is_object() {
            return Err(Broken::Garbage(chunk.to_string().chars().take(super::SHOWN_CHARS_MAX).collect()));
        }
        if let Some(id) = chunk.get("id").and_then(Value::as_str) {
            self.id.get_or_insert_with(|| id.to_owned());
        }
        if let Some(usage) = chunk.get("usage").filter(|usage| usage.is_object()) {
            let details = usage.get("prompt_tokens_details").unwrap_or(&Value::Null);
            let (input, output) = (count(usage, "prompt_tokens"), count(usage, "completion_tokens"));
            self.tokens = Some(Tokens { input, output, cached: count(details, "cached_tokens") });
        }
        let Some(choice) = chunk.pointer("/choices/0") else { return Ok(Piece::default()) };
        if let Some(stop) = choice.get("finish_reason").and_then(Value::as_str) {
            self.stop = Some(stop.into());
        }
        let said = choice.get(within).unwrap_or(&Value::Null);
        let words = |key: &str| said.get(key).and_then(Value::as_str).unwrap_or_default();
        let text = words("content").to_owned();
        self.text.push_str(&text);
        self.refusal.push_str(words("refusal"));
        let calls = said.get("tool_calls").and_then(Value::as_array).into_iter().flatten();
        let mut begun =
            !text.is_empty() || !words("refusal").is_empty() || !words("reasoning_content").is_empty();
        for (place, part) in calls.enumerate() {
            begun = true;
            let number = part.get("index").and_then(Value::as_u64).unwrap_or(place as u64);
            let call = self.calls.entry(number).or_default();
            let words = |pointer: &str| part.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            call.id.push_str(words("/id"));
            call.name.push_str(words("/function/name"));
            call.arguments.push_str(words("/function/arguments"));
        }
        Ok(Piece { text, begun })
    }

    pub(super) fn answer(&self) -> Answer {
        let text =
            Some(&self.text).filter(|text| !text.is_empty()).map(|text| Block::Text { text: text.clone() });
        let calls = self.calls.values().map(|call| Block::ToolCall {
            id: call.id.clone(),
            name: call.name.clone(),
            arguments: call.arguments.clone(),
        });
        let refusal = Some(&self.refusal).filter(|refusal| !refusal.is_empty());
        let refused = refusal.map(|text| Block::Text { text: text.clone() });
        let ended = match self.stop.as_deref() {
            _ if refusal.is_some() => Ended::Declined,
            Some("length") => Ended::CutShort,
            Some("content_filter") => Ended::Declined,
            Some("tool_calls" | "function_call") => Ended::Tools,
            _ if !self.calls.is_empty() => Ended::Tools,
            _ => Ended::Done,
        };
        let content = text.into_iter().chain(refused).chain(calls).collect();
        Answer { content, stop: self.stop.clone(), ended, tokens: self.tokens }
    }
}
