//! Both formats, as providers write them.

use serde_json::{Value, json};

use super::http::Asked;
use super::{KEY, TOKENS};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Completions,
    Messages,
}

impl Format {
    pub(super) fn of(asked: &Asked) -> Self {
        if asked.path == COMPLETIONS { Self::Completions } else { Self::Messages }
    }
}

const COMPLETIONS: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";

/// What a model answers.
pub(super) struct Said {
    text: String,
    /// The tools that it wants to be used, and what each is given, as it writes it.
    tools: Vec<(String, String)>,
    /// Which answer of the provider it is: calls are named by that.
    number: usize,
    cut: bool,
}

impl Said {
    pub(super) fn text(text: &str) -> Self {
        Self { text: text.to_owned(), tools: Vec::new(), number: 0, cut: false }
    }

    pub(super) fn tools(text: &str, tools: Vec<(String, String)>, number: usize) -> Self {
        Self { tools, number, ..Self::text(text) }
    }

    /// The calls: the name of each, that of the tool, and what that is given.
    fn calls(&self, prefix: &str) -> Vec<(String, &str, &str)> {
        let calls = self.tools.iter().enumerate();
        calls
            .map(|(at, (name, input))| (format!("{prefix}_{}_{at}", self.number), &**name, &**input))
            .collect()
    }

    pub(super) fn cut(text: &str) -> Self {
        Self { cut: true, ..Self::text(text) }
    }

    /// Why it stopped, in both formats.
    fn stop(&self) -> (&'static str, &'static str) {
        match (self.tools.is_empty(), self.cut) {
            (false, _) => ("tool_calls", "tool_use"),
            (true, true) => ("length", "max_tokens"),
            (true, false) => ("stop", "end_turn"),
        }
    }

    fn pieces(&self) -> Vec<String> {
        pieces(&self.text)
    }
}

fn pieces(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(5).map(|chars| chars.iter().collect()).collect()
}

/// A refusal: its status, the kind of error, and a sentence.
type Refusal = (u16, &'static str, String);

/// Holds a request to what the providers document; answers its format.
pub(super) fn check(asked: &Asked) -> Result<Format, Refusal> {
    let body = &asked.body;
    let wrong = |what: &str| Err((400, "invalid_request_error", what.to_owned()));
    if asked.method != "POST" || ![COMPLETIONS, MESSAGES].contains(&asked.path.as_str()) {
        return Err((404, "not_found_error", format!("there is no {} {}", asked.method, asked.path)));
    }
    let format = Format::of(asked);
    // Clients of the newer version of Messages send it as the others do.
    let bearer = asked.header("authorization").and_then(|key| key.strip_prefix("Bearer "));
    let key = match format {
        Format::Completions => bearer,
        Format::Messages => asked.header("x-api-key").or(bearer),
    };
    if key != Some(KEY) {
        return Err((
            401,
            "authentication_error",
            format!("the key {} is not known", key.unwrap_or("(none)")),
        ));
    }
    if body["model"].as_str().is_none_or(str::is_empty) {
        return wrong("model: a text is required");
    }
    let Some(messages) = body["messages"].as_array().filter(|messages| !messages.is_empty()) else {
        return wrong("messages: at least one is required");
    };
    if format == Format::Messages {
        match asked.header("anthropic-version") {
            Some("2026-10-21") if !body["temperature"].is_null() => {
                return wrong("temperature: Extra inputs are not permitted");
            }
            Some("2026-10-21" | "2023-06-01") => {}
            _ => return wrong("anthropic-version: header is required"),
        }
        if body["max_tokens"].as_u64().is_none_or(|max| max == 0) {
            return wrong("max_tokens: field required");
        }
        let roles = messages.iter().map(|message| message["role"].as_str().unwrap_or_default());
        let all: Vec<_> = roles.collect();
        if all.first() != Some(&"user") || all.iter().any(|role| !["user", "assistant"].contains(role)) {
            return wrong("messages: roles have to be user and assistant, user first");
        }
    }
    if !is_answered(format, messages) {
        return wrong(
            "messages: each call of a tool has to be answered by what follows it, and nothing else",
        );
    }
    Ok(format)
}

/// Whether all calls of tools are answered, each once, by what follows them, and nothing is answered that was not called.
fn is_answered(format: Format, messages: &[Value]) -> bool {
    let ids = |list: &Value, of: &str, id: &str| -> Vec<String> {
        let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
        let of_kind = list.iter().filter(|item| item["type"] == of);
        of_kind.map(|item| item[id].as_str().unwrap_or_default().to_owned()).collect()
    };
    let mut open: Vec<String> = Vec::new();
    for message in messages {
        let (called, answered) = match format {
            Format::Completions if message["role"] == "tool" => {
                (Vec::new(), vec![message["tool_call_id"].as_str().unwrap_or_default().to_owned()])
            }
            Format::Completions => (ids(&message["tool_calls"], "function", "id"), Vec::new()),
            Format::Messages => (
                ids(&message["content"], "tool_use", "id"),
                ids(&message["content"], "tool_result", "tool_use_id"),
            ),
        };
        if answered.iter().any(|id| !open.contains(id)) {
            return false;
        }
        open.retain(|id| !answered.contains(id));
        // In one of the formats each answer is a message of its own.
        let goes_on = format == Format::Completions && message["role"] == "tool";
        if !open.is_empty() && !goes_on {
            return false;
        }
        open.extend(called);
    }
    open.is_empty()
}

const ID: [&str; 2] = ["chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG", "msg_01XFDUDYJgAACzvnptvVoYEL"];

fn usage(format: Format) -> Value {
    let (input, cached, output) = TOKENS;
    match format {
        Format::Completions => json!({
            "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
            "prompt_tokens_details": { "cached_tokens": cached, "audio_tokens": 0 },
            "completion_tokens_details": { "reasoning_tokens": 0, "audio_tokens": 0 },
        }),
        Format::Messages => json!({
            "input_tokens": input - cached, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": cached, "output_tokens": output, "service_tier": "standard",
        }),
    }
}

/// An answer as a whole.
pub(super) fn document(format: Format, said: &Said) -> Value {
    let (finish, stop) = said.stop();
    match format {
        Format::Completions => {
            let calls = said.calls("call").into_iter().map(|(id, name, input)| {
                json!({ "id": id, "type": "function", "function": { "name": name, "arguments": input } })
            });
            let calls: Vec<_> = calls.collect();
            let says_nothing = !calls.is_empty() && said.text.is_empty();
            let content = if says_nothing { Value::Null } else { json!(said.text) };
            let mut message =
                json!({ "role": "assistant", "content": content, "refusal": null, "annotations": [] });
            if !calls.is_empty() {
                message["tool_calls"] = calls.into();
            }
            json!({
                "id": ID[0], "object": "chat.completion", "created": 1_741_569_952, "model": "small-1",
                "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": finish }],
                "usage": usage(format), "service_tier": "default",
            })
        }
        Format::Messages => {
            let text = (!said.text.is_empty()).then(|| json!({ "type": "text", "text": said.text }));
            let calls = said.calls("toolu").into_iter().map(|(id, name, input)| {
                let input: Value = serde_json::from_str(input).unwrap();
                json!({ "type": "tool_use", "id": id, "name": name, "input": input })
            });
            let content: Vec<_> = text.into_iter().chain(calls).collect();
            json!({
                "id": ID[1], "type": "message", "role": "assistant", "model": "small-1", "content": content,
                "stop_reason": stop, "stop_sequence": null, "usage": usage(format),
            })
        }
    }
}

/// An answer in pieces: all of its events, in the bytes of the stream.
pub(super) fn events(format: Format, said: &Said) -> Vec<String> {
    let (finish, stop) = said.stop();
    let mut events = vec![head(format)];
    if !said.text.is_empty() || said.tools.is_empty() {
        events.extend(opening(format));
        events.extend(said.pieces().iter().map(|text| piece(format, text)));
        events.extend(closing(format, 0));
    }
    // In one of the formats blocks are counted with the text before them, in the other calls of tools alone.
    let before = usize::from(!said.text.is_empty());
    match format {
        Format::Completions => {
            for (at, (id, name, input)) in said.calls("call").into_iter().enumerate() {
                let call = json!([{ "index": at, "id": id, "type": "function", "function": { "name": name, "arguments": "" } }]);
                events.push(chunk(&json!({ "tool_calls": call }), None));
                for piece in pieces(input) {
                    let more = json!([{ "index": at, "function": { "arguments": piece } }]);
                    events.push(chunk(&json!({ "tool_calls": more }), None));
                }
            }
        }
        Format::Messages => {
            for (at, (id, name, input)) in (before..).zip(said.calls("toolu")) {
                let block = json!({ "type": "tool_use", "id": id, "name": name, "input": {} });
                events.push(event("content_block_start", &json!({ "index": at, "content_block": block })));
                for piece in pieces(input) {
                    let delta = json!({ "type": "input_json_delta", "partial_json": piece });
                    events.push(event("content_block_delta", &json!({ "index": at, "delta": delta })));
                }
                events.extend(closing(format, at));
            }
        }
    }
    events.extend(ending(format, (finish, stop)));
    events
}

/// How a block of an answer ends.
fn closing(format: Format, at: usize) -> Option<String> {
    (format == Format::Messages).then(|| event("content_block_stop", &json!({ "index": at })))
}

/// How an answer ends.
fn ending(format: Format, (finish, stop): (&str, &str)) -> Vec<String> {
    let mut events = Vec::new();
    match format {
        Format::Completions => {
            events.push(chunk(&json!({}), Some(finish)));
            events.push(data(&json!({
                "id": ID[0], "object": "chat.completion.chunk", "created": 1_741_569_952, "model": "small-1",
                "choices": [], "usage": usage(format),
            })));
            events.push("data: [DONE]\n\n".to_owned());
        }
        Format::Messages => {
            let delta = json!({ "stop_reason": stop, "stop_sequence": null });
            events.push(event(
                "message_delta",
                &json!({ "delta": delta, "usage": { "output_tokens": TOKENS.2 } }),
            ));
            events.push(event("message_stop", &json!({})));
        }
    }
    events
}

/// How an answer begins.
pub(super) fn beginning(format: Format, text: &str) -> Vec<String> {
    let pieces = Said::text(text).pieces();
    [head(format)]
        .into_iter()
        .chain(opening(format))
        .chain(pieces.iter().map(|text| piece(format, text)))
        .collect()
}

/// A few words.
pub(super) fn piece(format: Format, text: &str) -> String {
    match format {
        Format::Completions => chunk(&json!({ "content": text }), None),
        Format::Messages => {
            let delta = json!({ "type": "text_delta", "text": text });
            event("content_block_delta", &json!({ "index": 0, "delta": delta }))
        }
    }
}

/// The provider says that it has failed.
pub(super) fn failure(format: Format, kind: &str) -> String {
    let error = json!({ "type": kind, "message": "Overloaded" });
    match format {
        Format::Completions => data(&json!({ "error": error })),
        Format::Messages => event("error", &json!({ "error": error })),
    }
}

fn head(format: Format) -> String {
    match format {
        Format::Completions => chunk(&json!({ "role": "assistant", "content": "", "refusal": null }), None),
        Format::Messages => {
            let mut usage = usage(format);
            usage["output_tokens"] = 1.into();
            let message = json!({
                "id": ID[1], "type": "message", "role": "assistant", "model": "small-1", "content": [],
                "stop_reason": null, "stop_sequence": null, "usage": usage,
            });
            event("message_start", &json!({ "message": message }))
        }
    }
}

fn opening(format: Format) -> Vec<String> {
    match format {
        Format::Completions => Vec::new(),
        Format::Messages => {
            let block = json!({ "type": "text", "text": "" });
            let opened = event("content_block_start", &json!({ "index": 0, "content_block": block }));
            vec![opened, event("ping", &json!({}))]
        }
    }
}

fn chunk(delta: &Value, finish: Option<&str>) -> String {
    let choice = json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish });
    data(&json!({
        "id": ID[0], "object": "chat.completion.chunk", "created": 1_741_569_952, "model": "small-1",
        "service_tier": "default", "system_fingerprint": null, "choices": [choice], "usage": null,
    }))
}

fn event(name: &str, rest: &Value) -> String {
    let mut value = json!({ "type": name });
    for (key, member) in rest.as_object().unwrap() {
        value[key] = member.clone();
    }
    format!("event: {name}\n{}", data(&value))
}

fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}
