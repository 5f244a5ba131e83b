//! What an agent that uses tools is told of its turns so far, and of its tools.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{AgentRequest, Failure, Output};
use crate::aggregates::run::{Run, turns};
use crate::events::ids::{AgentName, Hash};
use crate::events::json::{Json, Payload};
use crate::events::problem::{Code, Problem};
use crate::events::run::AttemptStarted;
use crate::events::text::shortened;
use crate::kernel::Blobs;
use crate::workflow::envelope::Envelope;
use crate::workflow::handoff::Handoff;
use crate::workflow::output;
use crate::workflow::turns::{HANDOFF, MayUse, SEND, Tool, TurnOutput, offered_as};
use crate::workflow::work::ToolCall;

/// How much of what an agent wrote an error holds, in characters.
const SHOWN_CHARS_MAX: usize = 120;

/// A turn of an agent that uses tools.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Its number, from 1.
    pub number: u32,
    /// The turns before it, in order.
    pub before: Vec<TurnOver>,
    /// The tools that the agent may use.
    pub tools: Vec<ToolOffer>,
}

/// A turn that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnOver {
    /// What the agent said, beside what it wanted to be done.
    pub text: String,
    /// The calls that it wanted, and what came of each: what the tool answered, or why there is no answer.
    pub calls: Vec<(ToolCall, Result<Json, String>)>,
}

/// A tool that an agent may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolOffer {
    /// The name by which it is called.
    pub name: String,
    /// What it is good for.
    pub description: String,
    /// The shape of what it takes, as a JSON Schema of an object.
    pub input: Value,
    /// Whether it comes with Reenact.
    #[serde(skip)]
    pub is_built_in: bool,
}

/// A turn, before the blobs that it refers to are read.
#[derive(Debug, Clone)]
pub(super) struct UnreadTurn {
    number: u32,
    before: Vec<turns::TurnOver>,
    /// The definition of its agent, and those of all that its run knows.
    agent: Hash,
    known: Vec<(AgentName, Hash)>,
}

impl UnreadTurn {
    /// The turn that an attempt makes, if its step is one.
    pub(super) fn of(run: &Run, started: &AttemptStarted) -> Option<Self> {
        let (number, before) = run.turn(&started.step)?;
        let agent = run.agent(&started.agent)?.hash;
        let bound = &run.about()?.started.agents;
        let known = bound.iter().map(|bound| (bound.name.clone(), bound.definition.hash)).collect();
        Some(Self { number, before, agent, known })
    }

    /// The blobs that it refers to, but for the definitions of agents: those are read as often as agents work.
    pub(super) fn content(&self) -> impl Iterator<Item = Hash> {
        let payloads = self.before.iter().flat_map(|over| {
            let results = over.results.iter().filter_map(|result| result.as_ref().ok());
            results.chain([&over.answer])
        });
        payloads.filter_map(Payload::blob).map(|blob| blob.hash)
    }

    pub(super) fn read(self, blobs: &dyn Blobs) -> Result<Turn, Problem> {
        let before = self.before.into_iter().map(|over| read(over, blobs)).collect::<Result<_, _>>()?;
        let may_use = blobs.value::<MayUse>(&self.agent).map_err(|unreadable| unreadable.problem())?;
        let names: Vec<&AgentName> = self.known.iter().map(|(name, _)| name).collect();
        let mut tools = Vec::new();
        for name in may_use.of(&names) {
            let known = self.known.iter().find(|(known, _)| known == name);
            let Some((_, hash)) = known else { continue };
            let tool = blobs.value::<Tool>(hash).map_err(|unreadable| unreadable.problem())?;
            tools.push(ToolOffer::of(name, &tool));
        }
        Ok(Turn { number: self.number, before, tools })
    }
}

impl ToolOffer {
    fn of(name: &AgentName, tool: &Tool) -> Self {
        let input = tool.input.clone().unwrap_or_else(|| json!({ "type": "object" }));
        let (name, description) = (offered_as(name), tool.description.clone());
        Self { name, description, input, is_built_in: tool.is_built_in() }
    }
}

impl Turn {
    /// A call, if it is one of a tool that the agent was offered, with what that takes.
    ///
    /// # Errors
    /// [`Code::UnknownTool`] and [`Code::BadToolCall`], in words that follow on who wants it.
    pub(super) fn call(
        tools: &[ToolOffer],
        id: &str,
        name: &str,
        arguments: &str,
    ) -> Result<ToolCall, Failure> {
        let Some(tool) = tools.iter().find(|tool| tool.name == name) else {
            let names: Vec<_> = tools.iter().map(|tool| format!("`{}`", tool.name)).collect();
            let offered =
                if names.is_empty() { "none".to_owned() } else { format!("only {}", names.join(", ")) };
            let name = shortened(name, SHOWN_CHARS_MAX);
            let message = format!("it wants to use the tool `{name}`, and was offered {offered}");
            return Err(Failure::new(Code::UnknownTool, message));
        };
        let wrong = |why: String| {
            let message = format!("it gives the tool `{name}` what that does not take: {why}");
            Failure::new(Code::BadToolCall, message)
        };
        let shown = || shortened(arguments, SHOWN_CHARS_MAX);
        let json = Json::read(arguments).map_err(|why| wrong(format!("{why}: {}", shown())))?;
        if !json.text().starts_with('{') {
            return Err(wrong(format!("it is no object: {}", shown())));
        }
        output::check(&tool.input, &json).map_err(wrong)?;
        if tool.is_built_in && tool.name == SEND {
            Envelope::read(&json).map_err(|failure| wrong(failure.message))?;
        }
        if tool.is_built_in && tool.name == HANDOFF {
            Handoff::read(json.text()).map_err(|problem| wrong(problem.message))?;
        }
        Ok(ToolCall { id: id.to_owned(), name: name.to_owned(), arguments: json })
    }

    /// What an agent answered in this turn, with the calls of tools that stand in it: an object with `tool_calls`, each with the
    /// `name` of a tool and its `arguments`, and with a `text` or without. Any other answer is the last.
    ///
    /// # Errors
    /// The same as those of a call.
    pub(super) fn answered(&self, output: Output) -> Result<Output, Failure> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            text: String,
            tool_calls: Vec<Wanted>,
        }
        #[derive(Deserialize)]
        struct Wanted {
            name: String,
            #[serde(default)]
            arguments: Json,
        }
        let Ok(Answer { text, tool_calls }) = serde_json::from_str(output.output.text()) else {
            return Ok(output);
        };
        let calls = (1..).zip(&tool_calls).map(|(number, Wanted { name, arguments })| {
            let arguments = if arguments.is_null() { "{}" } else { arguments.text() };
            Self::call(&self.tools, &format!("call_{}_{number}", self.number), name, arguments)
        });
        let calls = calls.collect::<Result<Vec<_>, _>>()?;
        if calls.is_empty() { Ok(output) } else { wants(&self.tools, output, text, calls) }
    }
}

/// An answer that wants these calls to be made. What is only said is said with it: a message is sent, and the work handed over,
/// which is the end of its turns.
///
/// # Errors
/// [`Code::BadToolCall`] for a handoff beside other calls.
pub(super) fn wants(
    tools: &[ToolOffer],
    answer: Output,
    text: String,
    tool_calls: Vec<ToolCall>,
) -> Result<Output, Failure> {
    let is = |call: &ToolCall, name: &str| {
        let tool = tools.iter().find(|tool| tool.name == call.name);
        tool.is_some_and(|tool| tool.is_built_in && tool.name == name)
    };
    let handoff = tool_calls.iter().find(|call| is(call, HANDOFF));
    if let Some(handoff) = handoff {
        if tool_calls.len() > 1 {
            let message = "it hands over and wants other tools to be used: a handoff is called alone";
            return Err(Failure::new(Code::BadToolCall, message));
        }
        let requests = vec![AgentRequest::Handoff(handoff.arguments.text().to_owned())];
        let output = Json::from(&json!({ "stdout": text }));
        return Ok(Output { output, requests, ..answer });
    }
    let sends = tool_calls.iter().filter(|call| is(call, SEND));
    let sends = sends.map(|call| AgentRequest::Send(call.arguments.clone()));
    let calls = tool_calls.iter().cloned().map(AgentRequest::Call);
    let requests = answer.requests.iter().cloned().chain(sends).chain(calls).collect();
    // Texts and JSON always have a JSON form.
    let output = Json::of(&TurnOutput { text, tool_calls }).unwrap_or_default();
    Ok(Output { output, requests, ..answer })
}

fn read(over: turns::TurnOver, blobs: &dyn Blobs) -> Result<TurnOver, Problem> {
    let json = |payload: &Payload| blobs.json(payload).map_err(|unreadable| unreadable.problem());
    let TurnOutput { text, tool_calls } = serde_json::from_str(json(&over.answer)?.text())
        .map_err(|error| Problem::new(Code::Internal, format!("an earlier turn: {error}")))?;
    let results = over.results.into_iter().map(|result| match result {
        Ok(output) => json(&output).map(Ok),
        Err(why) => Ok(Err(why)),
    });
    let results = results.collect::<Result<Vec<_>, Problem>>()?;
    Ok(TurnOver { text, calls: tool_calls.into_iter().zip(results).collect() })
}
