//! What a model is told for an attempt: the system prompt of its agent, the conversation with which the step goes on, and one message with
//! all else that a program would find in its document.

use serde::Serialize;

use super::conversation::{Block, Message, Role};
use crate::events::conversation::Role as Speaker;
use crate::events::ids::AgentName;
use crate::events::run::Undoes;
use crate::executors::{AgentDefinition, Compensated, Task, TurnOver};
use crate::workflow::handoff::{self, said};

/// The system prompt of an agent: the body of its file; and where its file says to whom it may hand over, how it does.
pub(super) fn system(agent: &AgentDefinition) -> String {
    let body = agent.system_prompt.trim();
    let Some(others) = agent.handoffs.as_deref().filter(|others| !others.is_empty()) else {
        return body.to_owned();
    };
    let names: Vec<_> = others.iter().map(AgentName::as_str).collect();
    let how = format!(
        "If another agent has to go on with your work, end your answer with this block and nothing after it. The agents \
         that may are: {}.\n\n{}\nTo: NAME\nReason: why, in a sentence\nContext:\n  - Work completed: what you did\n  \
         - Next steps: what is left",
        names.join(", "),
        handoff::HEADER
    );
    if body.is_empty() { how } else { format!("{body}\n\n{how}") }
}

/// What system turns of the conversation with which the step goes on say, behind the system prompt of the agent.
pub(super) fn with_system_turns(system: String, task: &Task) -> String {
    let turns = task.conversation.iter().flat_map(|given| &given.turns);
    let said = turns.filter(|turn| turn.role == Speaker::System).map(|turn| turn.text.trim());
    let all: Vec<&str> = std::iter::once(&*system).filter(|system| !system.is_empty()).chain(said).collect();
    all.join("\n\n")
}

/// All that was said so far: the conversation with which the step goes on, what there is to say of the task, and for an agent that uses
/// tools the turns before.
pub(super) fn messages(task: &Task) -> Vec<Message> {
    let mut messages = conversation(task);
    messages.push(message(task));
    let before = task.turn.iter().flat_map(|turn| &turn.before).flat_map(over);
    messages.extend(before);
    // The message of the step says them where there is no turn before: what came later is told with the last of the answers.
    if !is_first(task)
        && let (Some(last), false) = (messages.last_mut(), task.messages.is_empty())
    {
        last.content.push(Block::Text { text: said_by_others(task) });
    }
    messages
}

/// Whether no turn came before.
pub(super) fn is_first(task: &Task) -> bool {
    task.turn.as_ref().is_none_or(|turn| turn.before.is_empty())
}

/// A turn that is over: what the model said and wanted, and what came of that.
fn over(turn: &TurnOver) -> [Message; 2] {
    let text =
        Some(&turn.text).filter(|text| !text.is_empty()).map(|text| Block::Text { text: text.clone() });
    let calls = turn.calls.iter().map(|(call, _)| Block::ToolCall {
        id: call.id.clone(),
        name: call.name.clone(),
        arguments: call.arguments.text().to_owned(),
    });
    let results = turn.calls.iter().map(|(call, result)| match result {
        Ok(output) => tool_result(&call.id, said(output), false),
        Err(why) => tool_result(&call.id, why.clone(), true),
    });
    [
        Message { role: Role::Assistant, content: text.into_iter().chain(calls).collect() },
        Message { role: Role::User, content: results.collect() },
    ]
}

/// What came of a call, as a model is told.
pub(super) fn tool_result(id: &str, content: String, is_error: bool) -> Block {
    Block::ToolResult { id: id.to_owned(), content, is_error }
}

/// The conversation with which the step goes on, before its own message: each turn is one, and so is the summary, in the place of the first
/// turn that it stands for.
fn conversation(task: &Task) -> Vec<Message> {
    let Some(given) = &task.conversation else { return Vec::new() };
    let mut summary = given.summary.as_ref();
    let mut messages = Vec::new();
    let said_before = |text: &str| Message::asks(format!("What was said before, in short:\n{text}"));
    for turn in &given.turns {
        if let Some(before) = summary.take_if(|summary| summary.turn < turn.turn) {
            messages.push(said_before(&before.text));
        }
        messages.extend(match turn.role {
            Speaker::System => None,
            Speaker::User => Some(Message::asks(turn.text.as_str())),
            Speaker::Assistant => Some(Message {
                role: Role::Assistant,
                content: vec![Block::Text { text: turn.text.trim_end().to_owned() }],
            }),
            Speaker::Tool => {
                let who = turn.name.as_ref().map(|name| format!(" `{name}`")).unwrap_or_default();
                Some(Message::asks(format!("A program{who} answered:\n{}", turn.text)))
            }
        });
    }
    messages.extend(summary.map(|summary| said_before(&summary.text)));
    // No provider lets a model begin.
    if messages.first().is_some_and(|first| first.role == Role::Assistant) {
        messages.insert(0, Message::asks("Here the conversation begins that you go on with."));
    }
    messages
}

/// The message of the step itself: a block of text for each thing that there is to say.
fn message(task: &Task) -> Message {
    let mut blocks = Vec::new();
    let mut say = |text: String| blocks.push(Block::Text { text });
    if let Some(compensated) = &task.compensates {
        say(undo(compensated));
    }
    let prompt = task.work.prompt.as_deref().map(str::trim).filter(|prompt| !prompt.is_empty());
    if let Some(prompt) = prompt {
        say(prompt.to_owned());
    }
    if !task.work.with.is_null() {
        say(titled("Input", task.work.with.text()));
    }
    if !task.context.is_empty() {
        say(titled("What the agents of this run share, by key", &json_of(&task.context)));
    }
    if !task.contexts.is_empty() {
        say(titled("What runs share, by context and key", &json_of(&task.contexts)));
    }
    if !task.messages.is_empty() && is_first(task) {
        say(said_by_others(task));
    }
    if blocks.is_empty() {
        blocks.push(Block::Text { text: format!("Do your part of this work: the step `{}`.", task.step) });
    }
    Message { role: Role::User, content: blocks }
}

fn said_by_others(task: &Task) -> String {
    titled("Messages from other agents", &json_of(&task.messages))
}

/// What is told of work that is to be undone.
fn undo(compensated: &Compensated) -> String {
    let known = match compensated.outcome {
        Undoes::Completed => "It was done.",
        Undoes::Unknown => "Nobody knows whether it was done: find out first, and cope with both.",
    };
    titled(
        &format!("Undo what was done before in this step. {known} What it answered"),
        compensated.output.text(),
    )
}

/// What an agent is asked whose answer does not fit.
pub(super) fn mend(why: &str) -> Message {
    Message::asks(format!(
        "That cannot be taken: {why}. Answer again: the whole answer, as one JSON document that fits the schema, and nothing else."
    ))
}

fn titled(title: &str, json: &str) -> String {
    format!("{title}:\n```json\n{json}\n```")
}

fn json_of<T: Serialize>(value: &T) -> String {
    // Keys are texts, and no number is a fraction that JSON has no form for.
    serde_json::to_string(value).unwrap_or_default()
}
