//! What an agent may call, and what it is when it is called itself.

use serde::Serialize;
use serde_json::Value;

use super::super::text::{Text, name, terminal};
use crate::executors::AgentDefinition;

/// What the definition of an agent says of tools.
#[derive(Clone, Default, Serialize)]
pub(super) struct Tools {
    /// The tools that its model may call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<String>,
    /// Which of them people are asked about, as globs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    approve: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_turns: Option<u32>,
    /// The shape of what it takes as a tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    irreversible: bool,
    /// The agent that undoes a call of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    compensate: Option<String>,
}

impl Tools {
    pub(super) fn of(agent: &AgentDefinition) -> Self {
        Self {
            tools: agent.tools().map(str::to_owned).collect(),
            approve: agent.approve.clone(),
            max_turns: agent.max_turns,
            input: agent.input.clone(),
            irreversible: agent.irreversible,
            compensate: agent.compensate.as_ref().map(ToString::to_string),
        }
    }

    /// The lines that tell of it.
    pub(super) fn text(&self) -> Vec<Text> {
        let names = |all: &[String]| Text::joined(all.iter().map(|one| name(one)), ", ");
        let tools = (!self.tools.is_empty()).then(|| terminal!("tools: {}", names(&self.tools)));
        let approve = (!self.approve.is_empty()).then(|| terminal!("asks before: {}", names(&self.approve)));
        let turns = self.max_turns.map(|turns| terminal!("turns of its model: at most {}", turns));
        let input = self.input.as_ref().map(|input| terminal!("takes as a tool: {}", input.to_string()));
        let irreversible = self.irreversible.then(|| terminal!("what it does cannot be undone"));
        let undone = self.compensate.as_ref().map(|by| terminal!("undone by: {}", name(by)));
        [tools, approve, turns, input, irreversible, undone].into_iter().flatten().collect()
    }
}
