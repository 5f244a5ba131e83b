//! What was said with models, as a person reads it.

use super::colour::Tone;
use super::terminal::{Text, name, terminal, written};
use crate::events::money::Dollars;
use crate::executors::llm::conversation::{Block, Message, Role};
use crate::views::presenters::transcript::CallReport;

/// The turns of a conversation, each with all that it added.
pub(in crate::cli) fn turns(calls: &[CallReport]) -> Vec<Text> {
    calls.iter().flat_map(turn).collect()
}

fn turn(call: &CallReport) -> Vec<Text> {
    let head = terminal!(
        "── turn {}  {} ({} of {})",
        call.turn,
        name(&call.model),
        name(&call.id),
        name(&call.provider)
    );
    let tokens = call.tokens.map(|tokens| terminal!("  {} tokens in, {} out", tokens.input, tokens.output));
    let cost = Dollars(call.usd_nanos).to_string();
    let head = head
        .and(tokens)
        .and(terminal!("  {}  {} ms", cost, call.latency_ms))
        .and(call.stop.as_ref().map(|stop| terminal!("  {}", stop)))
        .and(call.error.map(|code| Tone::Bad.of(&terminal!("  {}", code))));
    let system = serde_json::from_str::<String>(call.system.text()).ok();
    let system = system.map(|text| part("system", &text));
    let messages = call.messages.iter().chain([&call.answer]);
    let messages = messages.filter_map(|json| serde_json::from_str::<Message>(json.text()).ok());
    [head].into_iter().chain(system).chain(messages.flat_map(|message| said(&message))).collect()
}

fn said(message: &Message) -> Vec<Text> {
    let who = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let block = |block: &Block| match block {
        Block::Text { text } => part(who, text),
        Block::ToolCall { name, arguments, .. } => part("tool call", &format!("{name} {arguments}")),
        Block::ToolResult { content, .. } => part("tool result", content),
    };
    message.content.iter().map(block).collect()
}

fn part(title: &'static str, text: &str) -> Text {
    Text::lines([terminal!("── {}", title), written(text.trim_end_matches('\n'))])
}
