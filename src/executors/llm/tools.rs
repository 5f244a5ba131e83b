//! The tools that a model is offered, and what it wants them to do.

use super::conversation::{Answer, Block, Message, Role};
use super::prompt;
use crate::events::problem::Code;
use crate::executors::turns::wants;
use crate::executors::{Failure, Output, ToolOffer, Turn};
use crate::workflow::turns::CALLS_MAX;
use crate::workflow::work::ToolCall;

/// What an answer comes to that wants tools to be used, and what its model is told where it wants what cannot be done; none of an
/// answer that wants no tool.
pub(super) fn wanted(
    answer: &Answer,
    tools: &[ToolOffer],
    model: &str,
) -> Option<(Result<Output, Failure>, Option<Message>)> {
    let of_model = |failure: Failure| Failure {
        message: format!("the answer of the model `{model}` cannot be taken: {}", failure.message),
        ..failure
    };
    let read = |(id, name, arguments)| (id, Turn::call(tools, id, name, arguments).map_err(of_model));
    let wanted: Vec<_> = answer.tool_calls().map(read).collect();
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
    let calls = wanted.iter().filter_map(|(_, call)| call.as_ref().ok().cloned()).collect();
    let came_to = match wrong {
        Some(wrong) => Err(wrong),
        None => wants(tools, Output::default(), answer.text(), calls),
    };
    let told = came_to.as_ref().err().filter(|_| !tools.is_empty()).map(|wrong| told(&wanted, wrong));
    Some((came_to, told))
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
