use serde_json::json;

use super::*;
use crate::events::run::Tokens;
use crate::executors::ToolOffer;
use crate::executors::llm::conversation::{Block, Ended, Message, Role};
use crate::executors::llm::models::{Model, Provider};

fn asks(wire: WireFormat, base_url: &str, request: &Request) -> Outgoing {
    let (model, provider) =
        (Model::default(), Provider { wire: Some(wire), base_url: base_url.to_owned(), api_key_env: None });
    let chosen = Chosen { name: "m", model: &model, provider_name: "p", provider: &provider, wire };
    outgoing(&chosen, None, request)
}

/// A conversation with all that one may have.
fn request() -> Request {
    let call = Block::ToolCall { id: "c1".into(), name: "look".into(), arguments: "{\"at\":1}".into() };
    let text = |text: &str| Block::Text { text: text.to_owned() };
    let result = Block::ToolResult { id: "c1".into(), content: "found".into(), is_error: false };
    Request {
        system: "You look.".to_owned(),
        messages: vec![
            Message { role: Role::User, content: vec![text("one"), text("two")] },
            Message { role: Role::Assistant, content: vec![text("I look."), call] },
            Message { role: Role::User, content: vec![result, text("and?")] },
        ],
        tools: vec![ToolOffer {
            name: "look".into(),
            description: "looks".into(),
            input: json!({"type": "object"}),
            is_built_in: false,
        }],
        max_tokens: Some(9),
        temperature: Some(0.5),
        schema: Some(json!({"type": "object"})),
    }
}

#[test]
fn a_conversation_with_tools_is_written_as_each_provider_wants_it() {
    let sent = asks(WireFormat::OpenAi, "http://x/v1", &request());
    assert_eq!(sent.url, "http://x/v1/chat/completions");
    let called = json!({ "name": "look", "arguments": "{\"at\":1}" });
    let messages = json!([
        { "role": "system", "content": "You look." },
        { "role": "user", "content": "one\n\ntwo" },
        { "role": "assistant", "content": "I look.", "tool_calls": [{ "id": "c1", "type": "function", "function": called }] },
        { "role": "tool", "tool_call_id": "c1", "content": "found" },
        { "role": "user", "content": "and?" },
    ]);
    assert_eq!(sent.body["messages"], messages);
    assert_eq!((&sent.body["max_tokens"], &sent.body["tools"][0]["type"]), (&json!(9), &json!("function")));
    assert_eq!(sent.body["response_format"]["type"], "json_schema");
    let sent = asks(WireFormat::OpenAi, "https://api.openai.com/v1", &request());
    assert_eq!((&sent.body["max_completion_tokens"], &sent.body["max_tokens"]), (&json!(9), &Value::Null));
    let sent = asks(WireFormat::Anthropic, "http://x", &request());
    assert_eq!(sent.url, "http://x/v1/messages");
    let text = |text: &str| json!({ "type": "text", "text": text });
    let messages = json!([
        { "role": "user", "content": [text("one"), text("two")] },
        { "role": "assistant", "content": [text("I look."), { "type": "tool_use", "id": "c1", "name": "look", "input": { "at": 1 } }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "c1", "content": "found", "is_error": false }, text("and?")] },
    ]);
    assert_eq!(sent.body["messages"], messages);
    assert_eq!(sent.body["tools"][0]["input_schema"], json!({"type": "object"}));
    assert!(
        sent.body["system"]
            .as_str()
            .unwrap()
            .starts_with("You look.\n\nWhen no tool has to be used any more: Answer with one JSON document")
    );
    assert_eq!(asks(WireFormat::Anthropic, "http://x/v1", &request()).url, "http://x/v1/messages");
    let bare = asks(WireFormat::Anthropic, "http://x", &Request::default());
    assert_eq!((&bare.body["max_tokens"], bare.body.get("system")), (&json!(anthropic::MAX_TOKENS), None));
}

fn read(wire: WireFormat, events: &[Value]) -> (Reader, String) {
    let mut reader = Reader::new(wire);
    let said = events.iter().map(|event| reader.event(&event.to_string()).unwrap().text);
    let said = said.collect();
    (reader, said)
}

#[test]
fn tools_that_are_wanted_at_once_are_told_apart_however_their_pieces_come() {
    let call = |index: u64, rest: Value| json!({"choices": [{"delta": {"tool_calls": [{"index": index, "function": rest}]}}]});
    let (mut reader, _) = read(
        WireFormat::OpenAi,
        &[
            call(0, json!({"name": "a", "arguments": "{"})),
            call(1, json!({"name": "b", "arguments": ""})),
            call(0, json!({"arguments": "}"})),
            call(1, json!({"arguments": "{}"})),
        ],
    );
    assert!(!reader.is_whole());
    reader.event("[DONE]").unwrap();
    let names = |answer: &Answer| {
        let called = answer.content.iter().filter_map(|block| match block {
            Block::ToolCall { name, arguments, .. } => Some(format!("{name} {arguments}")),
            _ => None,
        });
        called.collect::<Vec<_>>()
    };
    assert_eq!(
        (names(&reader.answer()), reader.answer().ended),
        (vec!["a {}".into(), "b {}".into()], Ended::Tools)
    );
    let start = |index: u64, name: &str| {
        let block = json!({"type": "tool_use", "id": name, "name": name, "input": {}});
        json!({"type": "content_block_start", "index": index, "content_block": block})
    };
    let more = |index: u64, json: &str| json!({"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": json}});
    let (reader, _) =
        read(WireFormat::Anthropic, &[start(0, "a"), start(1, "b"), more(1, "{\"x\""), more(1, ":1}")]);
    assert_eq!(names(&reader.answer()), ["a {}", "b {\"x\":1}"]);
}

#[test]
fn what_a_model_thinks_is_no_part_of_its_answer_and_shows_that_it_is_there() {
    let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}});
    let thinks = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}});
    let mut reader = Reader::new(WireFormat::Anthropic);
    assert!(!reader.event("{\"type\":\"ping\"}").unwrap().begun);
    assert!(
        reader.event(&block.to_string()).unwrap().begun && reader.event(&thinks.to_string()).unwrap().begun
    );
    assert_eq!(reader.answer().content, []);
    let thinks = json!({"choices": [{"delta": {"content": null, "reasoning_content": "hm"}}]});
    let mut reader = Reader::new(WireFormat::OpenAi);
    assert!(reader.event(&thinks.to_string()).unwrap().begun);
    assert_eq!(reader.answer().content, []);
}

#[test]
fn what_is_counted_is_counted_alike() {
    let tokens = Some(Tokens { input: 12, output: 7, cached: 4 });
    let usage =
        json!({"prompt_tokens": 12, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 4}});
    let (reader, _) = read(WireFormat::OpenAi, &[json!({"choices": [], "usage": usage})]);
    assert_eq!(reader.answer().tokens, tokens);
    let usage = json!({"input_tokens": 6, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2, "output_tokens": 1});
    let events = [
        json!({"type": "message_start", "message": {"id": "m", "usage": usage}}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}),
    ];
    assert_eq!(read(WireFormat::Anthropic, &events).0.answer().tokens, tokens);
    assert_eq!(
        Reader::new(WireFormat::OpenAi).answer().tokens,
        None,
        "who reports nothing is not believed to"
    );
}

#[test]
fn what_is_nothing_of_the_format_is_no_answer() {
    for wire in WireFormat::ALL {
        for garbage in ["", "{", "[]", "7", "<html>"] {
            let read = Reader::new(wire).event(garbage);
            assert!(matches!(read, Err(Broken::Garbage(_))), "{wire:?} {garbage}: {read:?}");
        }
        for garbage in ["{}", "<html>", "{\"choices\": []}"] {
            let read = Reader::new(wire).document(garbage);
            assert!(matches!(read, Err(Broken::Garbage(_))), "{wire:?} {garbage}: {read:?}");
        }
        let failed =
            Reader::new(wire).document("{\"error\": {\"type\": \"api_error\", \"message\": \"no\"}}");
        assert_eq!(failed, Err(Broken::Failed { kind: "api_error".into(), message: "no".into() }));
        let failed = Reader::new(wire).event("{\"type\": \"error\", \"error\": \"out of memory\"}");
        assert_eq!(failed, Err(Broken::Failed { kind: String::new(), message: "out of memory".into() }));
    }
}
