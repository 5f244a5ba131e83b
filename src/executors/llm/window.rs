//! Whether a model can see all that it is told. Some providers refuse what is longer, others leave the beginning out and say nothing.

use super::conversation::{Block, Request};
use super::models::Chosen;
use crate::events::problem::Code;
use crate::executors::Failure;
use crate::workflow::conversation::tokens;

/// Checks that a conversation fits into the window of a model, if that is known.
///
/// # Errors
/// [`Code::PromptTooLong`]: by our count it is longer. The model has a table of tokens of its own.
pub(super) async fn check(request: &Request, chosen: &Chosen<'_>) -> Result<(), Failure> {
    let Some(window) = chosen.model.window else { return Ok(()) };
    let said = said(request);
    // No token is shorter than a byte: most is short enough without being counted.
    if said.iter().map(String::len).sum::<usize>() <= window as usize {
        return Ok(());
    }
    let count = move || said.iter().map(|text| tokens::of_turn(text)).fold(0, u32::saturating_add);
    // To count hundreds of kilobytes takes its time.
    let counted = tokio::task::spawn_blocking(count).await;
    let counted = counted.map_err(|error| Failure::new(Code::Internal, format!("tokens: {error}")))?;
    if counted <= window {
        return Ok(());
    }
    let message = format!(
        "what the model `{}` is told has about {counted} tokens, and it sees {window}: nothing was sent",
        chosen.name
    );
    Err(Failure::new(Code::PromptTooLong, message))
}

/// All that a model is told, in pieces.
fn said(request: &Request) -> Vec<String> {
    let blocks = request.messages.iter().flat_map(|message| &message.content);
    let texts = blocks.map(|block| match block {
        Block::Text { text } => text.clone(),
        Block::ToolCall { name, arguments, .. } => format!("{name} {arguments}"),
        Block::ToolResult { content, .. } => content.clone(),
    });
    // Names of fields and texts always have a JSON form.
    let tools = request.tools.iter().filter_map(|tool| serde_json::to_string(tool).ok());
    [request.system.clone()].into_iter().chain(tools).chain(texts).collect()
}
