//! What an agent that uses tools is told of its turns so far, and of its tools.

use serde_json::{Value, json};

use crate::aggregates::run::{Run, turns};
use crate::events::ids::{AgentName, Hash};
use crate::events::json::{Json, Payload};
use crate::events::problem::{Code, Problem};
use crate::events::run::AttemptStarted;
use crate::kernel::Blobs;
use crate::workflow::turns::{MayUse, Tool, ToolCall, TurnOutput, offered_as};

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
#[derive(Debug, Clone, PartialEq)]
pub struct ToolOffer {
    /// The name by which it is called.
    pub name: String,
    /// What it is good for.
    pub description: String,
    /// The shape of what it takes, as a JSON Schema of an object.
    pub input: Value,
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
        Self { name: offered_as(name), description: tool.description.clone(), input }
    }
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
