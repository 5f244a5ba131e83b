//! Agents that use tools. A step of such an agent is a loop of turns: each is a step that grows in it, and so is, in its turn, each
//! call of a tool. A tool is an agent that a model may call: its call is a step which that agent does.

use globset::GlobBuilder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::definition::{Approval, Compensate, Does, OnError, Retry, Step, TOOL_EXECUTOR};
use super::handoff::literal;
use super::work::{ToolCall, Work};
use crate::events::ids::{AgentName, StepId};
use crate::events::json::Json;
use crate::events::run::{Gate, UndoWhen};
use crate::kernel::ReadBlob;

/// How many turns an agent has for a step where its definition does not say. Who needs more of them goes round in circles, or has
/// work that is better cut into steps.
pub const TURNS: u32 = 50;

/// How many tools an agent may want at once. Each becomes a step, all of them in one commit.
pub const CALLS_MAX: usize = 64;

/// How long the name of a tool may be that a provider takes, in characters.
const NAME_CHARS_MAX: usize = 64;

/// The tool by which an agent asks any other that its run knows.
pub const ASK_AGENT: &str = "ask_agent";

/// The tool by which an agent hands its work over.
pub const HANDOFF: &str = "handoff";

/// The tool by which an agent sends a message.
pub const SEND: &str = "send";

/// What is recorded as the output of a turn in which an agent wants tools to be used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TurnOutput {
    /// What it said beside that.
    pub text: String,
    /// The calls, in order.
    pub tool_calls: Vec<ToolCall>,
}

/// What a run asks of an agent's recorded definition before a step of it starts: whether it works in turns, and with which tools.
#[derive(Debug, Default, Deserialize)]
pub struct MayUse {
    #[serde(default)]
    executor: String,
    #[serde(default)]
    settings: Settings,
    #[serde(default)]
    approve: Vec<String>,
    #[serde(default)]
    max_turns: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
struct Settings {
    #[serde(default)]
    tools: Vec<String>,
}

impl ReadBlob for MayUse {
    fn read_blob(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}

impl MayUse {
    /// Whether a step of it may be a loop of turns: it asks a model, or a script in place of one, and names tools.
    pub fn may_work_in_turns(&self) -> bool {
        ["llm", "scripted"].contains(&&*self.executor) && !self.settings.tools.is_empty()
    }

    /// How many turns it has for a step.
    pub fn turns_max(&self) -> u32 {
        self.max_turns.unwrap_or(TURNS)
    }

    /// The tools that it may use, of those that a run knows, in the order in which it names them.
    pub fn of<'a>(&self, known: &[&'a AgentName]) -> Vec<&'a AgentName> {
        let named = self.settings.tools.iter().map(|name| AgentName::new(name).key());
        named.filter_map(|key| known.iter().copied().find(|known| known.key() == key)).collect()
    }

    /// Whether people have to allow a call of that tool.
    pub fn must_be_allowed(&self, tool: &str) -> bool {
        let glob = |glob: &String| GlobBuilder::new(glob).case_insensitive(true).build().ok();
        let mut globs = self.approve.iter().filter_map(glob);
        globs.any(|glob| glob.compile_matcher().is_match(tool))
    }
}

/// What a run asks of the recorded definition of a tool.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Tool {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// What it is good for.
    #[serde(default)]
    pub description: String,
    /// The shape of what it takes, as a JSON Schema; none where any object will do.
    #[serde(default)]
    pub input: Option<Value>,
    #[serde(default)]
    executor: String,
    /// Whether nothing of the run may be undone once it was called.
    #[serde(default)]
    irreversible: bool,
    /// The agent that undoes a call.
    #[serde(default)]
    compensate: Option<AgentName>,
}

impl Tool {
    /// Whether it comes with Reenact.
    pub fn is_built_in(&self) -> bool {
        self.executor == TOOL_EXECUTOR
    }
}

impl ReadBlob for Tool {
    fn read_blob(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}

/// The name under which a tool is offered: providers take letters, digits, `_` and `-`.
pub fn offered_as(tool: &AgentName) -> String {
    let may = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == '-';
    let chars = tool.as_str().chars().take(NAME_CHARS_MAX);
    chars.map(|char| if may(char) { char } else { '_' }).collect()
}

/// The step that every turn of an agent at a step does, by the id `turn` in a definition of its own: the work as it was rendered for
/// the first of them. What is asked of the whole, such as an approval, is no part of it; what is said of each attempt is.
pub fn turn(step: &Step, agent: &AgentName, work: &Work) -> Step {
    let text = |text: &str| literal(&Json::from(&Value::from(text)));
    Step {
        id: StepId::grown("turn"),
        does: Does::Agent {
            agent: agent.clone(),
            with: (!work.with.is_null()).then(|| literal(&work.with)),
            prompt: work.prompt.as_deref().map(text),
        },
        needs: Vec::new(),
        condition: None,
        for_each: None,
        repeat: None,
        env: work.env.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        cwd: work.cwd.as_deref().map(text),
        // The whole is undone at once. To think does nothing that would have to be undone.
        compensate: None,
        nothing_to_undo: true,
        // Who stands in for its agent may work in turns of its own.
        fallback: step.fallback.clone().filter(|fallback| fallback.agent != *agent),
        approval: None,
        cache: None,
        ..step.clone()
    }
}

/// The step that does a call, by the id `tool` in a definition of its own. It is made once; an agent that is told how it failed may
/// call again.
pub fn call(turn: &Step, agent: &AgentName, wanted: &ToolCall, tool: &Tool, is_asked: bool) -> Step {
    let does = |agent: &AgentName| Does::Agent {
        agent: agent.clone(),
        with: Some(literal(&wanted.arguments)),
        prompt: None,
    };
    let undo = tool.compensate.as_ref().map(|agent| Compensate {
        does: does(agent),
        timeout: turn.timeout,
        retry: Retry { attempts: Compensate::ATTEMPTS, ..Retry::default() },
        when: UndoWhen::Completed,
    });
    let asks = Approval {
        gate: Gate::Before,
        approvers: Vec::new(),
        needed: 1,
        expires: None,
        checklist: Vec::new(),
        require_checklist: false,
    };
    Step {
        id: StepId::grown("tool"),
        does: asked(agent, wanted).unwrap_or_else(|| does(agent)),
        retry: None,
        on_error: OnError::Continue,
        compensate: undo,
        nothing_to_undo: false,
        fallback: None,
        handoffs: None,
        plan: None,
        criticality: None,
        approval: is_asked.then_some(asks),
        output: None,
        schema: None,
        irreversible: tool.irreversible,
        at_most_once: false,
        // What a tool is given and answers is no word of the conversation.
        conversation: None,
        ..turn.clone()
    }
}

/// What is asked of another agent by [`ASK_AGENT`].
#[derive(Deserialize)]
struct Asked {
    prompt: String,
    #[serde(default)]
    input: Json,
}

/// What another agent is asked, where it is to answer a call of [`ASK_AGENT`]: that one's own arguments are for who asks.
fn asked(agent: &AgentName, wanted: &ToolCall) -> Option<Does> {
    let is_asked = AgentName::new(&wanted.name).key() == AgentName::new(ASK_AGENT).key();
    let is_other = agent.key() != AgentName::new(ASK_AGENT).key();
    let Asked { prompt, input } =
        serde_json::from_str(wanted.arguments.text()).ok().filter(|_| is_asked && is_other)?;
    let with = (!input.is_null()).then(|| literal(&input));
    let prompt = Some(literal(&Json::from(&Value::from(prompt))));
    Some(Does::Agent { agent: agent.clone(), with, prompt })
}

/// The agent that a call of [`ASK_AGENT`] names.
pub fn asks_whom(wanted: &ToolCall) -> Option<AgentName> {
    #[derive(Deserialize)]
    struct Whom {
        agent: AgentName,
    }
    let is_asked = AgentName::new(&wanted.name).key() == AgentName::new(ASK_AGENT).key();
    let whom = is_asked.then(|| serde_json::from_str::<Whom>(wanted.arguments.text()).ok()).flatten();
    whom.map(|whom| whom.agent)
}
