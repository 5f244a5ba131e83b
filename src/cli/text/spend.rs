//! What models cost, and what was said with them.

use super::colour::Tone;
use super::terminal::{Text, name, terminal, written};
use crate::executors::llm::conversation::{Block, Message, Role};
use crate::views::presenters::report::UsageReport;
use crate::views::presenters::transcript::CallReport;

/// What was used up, in a line; none where no model was called.
pub(super) fn line(usage: &UsageReport) -> Option<Text> {
    let UsageReport { calls, input_tokens, output_tokens, usd } = usage;
    let times = if *calls == 1 { "call" } else { "calls" };
    let words = || {
        terminal!(
            "models: {} {}, {} tokens in, {} out, {}",
            calls,
            times,
            input_tokens,
            output_tokens,
            dollars(*usd)
        )
    };
    (*calls > 0).then(words)
}

/// An amount of money, to the billionth of a dollar where it has one.
fn dollars(usd: f64) -> String {
    let exact = format!("{usd:.9}");
    let short = exact.trim_end_matches('0');
    let decimals = short.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    format!("${short}{}", "0".repeat(2_usize.saturating_sub(decimals)))
}

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
    let cost = dollars(call.usd_nanos as f64 / 1e9);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_told_to_the_last_billionth_and_with_two_decimals_at_least() {
        for (usd, text) in [
            (0.0, "$0.00"),
            (1.5, "$1.50"),
            (0.000_018_2, "$0.0000182"),
            (0.000_000_001, "$0.000000001"),
            (12.0, "$12.00"),
        ] {
            assert_eq!(dollars(usd), text);
        }
    }
}
