//! The tools that a model is offered, and what it wants them to do.

use super::conversation::{Answer, Block, Message, Role, Tool};
use super::prompt;
use crate::events::json::Json;
use crate::events::problem::Code;
use crate::events::text::shortened;
use crate::executors::{AgentRequest, Failure, Output, Task, ToolOffer};
use crate::workflow::output;
use crate::workflow::turns::{CALLS_MAX, ToolCall, TurnOutput};

/// How much of what a model wrote an error holds, in characters.
const SHOWN_CHARS_MAX: usize = 120;

/// The tools that a model is offered for an attempt.
pub(super) fn offered(task: &Task) -> Vec<Tool> {
    let tools = task.turn.iter().flat_map(|turn| &turn.tools);
    let tool = |offer: &ToolOffer| Tool {
        name: offer.name.clone(),
        description: offer.description.clone(),
        parameters: offer.input.clone(),
    };
    tools.map(tool).collect()
}

/// What an answer comes to that wants tools to be used, and what its model is told where it wants what cannot be done; none of an
/// answer that wants no tool.
pub(super) fn wanted(
    answer: &Answer,
    tools: &[Tool],
    model: &str,
) -> Option<(Result<Output, Failure>, Option<Message>)> {
    let wanted: Vec<_> = answer.tool_calls().map(|call| (call.0, read(call, tools, model))).collect();
    if wanted.is_empty() {
        return None;
    }
    let wrong = wanted.iter().find_map(|(_, call)| call.as_ref().err()).cloned();
    let too_many = || {
        let message = format!(
            "the model `{model}` wants tools to be used {} times at once, and {CALLS_MAX} may be",
            wanted.len()
        );
        Failure::new(Code::BadToolCall, message)
    };
    let wrong = wrong.or_else(|| (wanted.len() > CALLS_MAX).then(too_many));
    Some(match wrong {
        Some(wrong) => {
            let told = (!tools.is_empty()).then(|| told(&wanted, &wrong));
            (Err(wrong), told)
        }
        None => {
            (Ok(turn(answer.text(), wanted.into_iter().filter_map(|(_, call)| call.ok()).collect())), None)
        }
    })
}

/// The output of a turn that wants these calls.
fn turn(text: String, tool_calls: Vec<ToolCall>) -> Output {
    let requests = tool_calls.iter().cloned().map(AgentRequest::Call).collect();
    // Texts and JSON always have a JSON form.
    let output = Json::of(&TurnOutput { text, tool_calls }).unwrap_or_default();
    Output { output, requests, ..Output::default() }
}

/// A call, if it is one of a tool that was offered, with what that takes.
fn read((id, name, arguments): (&str, &str, &str), tools: &[Tool], model: &str) -> Result<ToolCall, Failure> {
    let Some(tool) = tools.iter().find(|tool| tool.name == name) else {
        let names: Vec<_> = tools.iter().map(|tool| format!("`{}`", tool.name)).collect();
        let offered = if names.is_empty() { "none".to_owned() } else { format!("only {}", names.join(", ")) };
        let name = shortened(name, SHOWN_CHARS_MAX);
        let message =
            format!("the model `{model}` wants to use the tool `{name}`, and was offered {offered}");
        return Err(Failure::new(Code::UnknownTool, message));
    };
    let wrong = |why: String| {
        let message = format!("the model `{model}` gives the tool `{name}` what that does not take: {why}");
        Failure::new(Code::BadToolCall, message)
    };
    let shown = || shortened(arguments, SHOWN_CHARS_MAX);
    let json = Json::read(arguments).map_err(|why| wrong(format!("{why}: {}", shown())))?;
    if !json.text().starts_with('{') {
        return Err(wrong(format!("it is no object: {}", shown())));
    }
    output::check(&tool.parameters, &json).map_err(wrong)?;
    Ok(ToolCall { id: id.to_owned(), name: name.to_owned(), arguments: json })
}

/// What a model is told of calls of which one is wrong: none of them was made.
fn told(wanted: &[(&str, Result<ToolCall, Failure>)], wrong: &Failure) -> Message {
    let results = wanted.iter().map(|(id, call)| {
        let why = match call {
            Err(failure) => failure.message.clone(),
            Ok(_) => format!("this was not done, because of another call: {}", wrong.message),
        };
        prompt::tool_result(id, why, true)
    });
    let content: Vec<Block> = results.collect();
    Message { role: Role::User, content }
}
