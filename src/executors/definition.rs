//! The definition of an agent: a Markdown file, with or without front matter. The body is the system prompt.

mod declared;
mod front_matter;
mod rehearse;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::events::agent::Rate;
use crate::events::ids::{AgentName, Hash};
use crate::events::json::Json;
use crate::events::problem::{Class, Code, Problem, nearest};
use crate::executors::rehearsal::Rehearsal;
use crate::workflow::definition::{Criticality, TOOL_EXECUTOR};
use crate::workflow::estimate::AttemptBudget;
use crate::workflow::script::Script;
use crate::workflow::topic::TopicPattern;

/// The name of the built-in agent that does steps with `run`.
pub const SHELL_AGENT: &str = "shell";

/// How many attempts an agent does at once if its definition does not say.
pub const CONCURRENCY: u32 = 16;

/// The executors that a definition may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutorKind {
    /// A Rust closure, registered by name.
    Function,
    /// A program of its own.
    Subprocess,
    /// A language model does the work.
    #[default]
    Llm,
    /// People or programs outside that fetch their work.
    External,
    /// Answers that were written down before.
    Scripted,
    /// A tool that is built in: see [`super::tools`]. No file is one.
    Tool,
}

impl ExecutorKind {
    /// Those that a file may name.
    const OF_FILES: [Self; 5] = [Self::Function, Self::Subprocess, Self::Llm, Self::External, Self::Scripted];

    /// The word for it in files.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Subprocess => "subprocess",
            Self::Llm => "llm",
            Self::External => "external",
            Self::Scripted => "scripted",
            Self::Tool => TOOL_EXECUTOR,
        }
    }
}

impl fmt::Display for ExecutorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// An agent as a file or the configuration defines it. It is recorded as JSON with each run that names it: a
/// field that is added here needs a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentDefinition {
    /// The agent's name, as its file says it.
    pub name: AgentName,
    /// What it is good for, in one line.
    pub description: String,
    /// The way in which it does work.
    pub executor: ExecutorKind,
    /// For a subprocess: the program and its arguments; the path of a relative program starts
    /// in the work folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// For a scripted agent: the file with its answers, until that file is read.
    #[serde(skip)]
    pub script_file: Option<String>,
    /// For a scripted agent: its answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Script>,
    /// How many attempts it does at once; none for [`CONCURRENCY`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// How many attempts it starts in a given time, where that is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// The agent that stands in for it in its steps, where they do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<AgentFallback>,
    /// How much its steps matter, for steps that do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criticality: Option<Criticality>,
    /// Whether its steps may be left out when they fail, for steps that do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
    /// The agents to which it may hand its work over; none for any that the run knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handoffs: Option<Vec<AgentName>>,
    /// The topics that it hears of: messages about those are for it, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscribes: Vec<TopicPattern>,
    /// The types of messages that it handles as soon as they come. No file says that: only agents of a program itself do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handles: Vec<MessageType>,
    /// For a subprocess: whether its program is given messages while it runs, and sends and handles them while it does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stream: bool,
    /// What one attempt of it uses at most, where that is known: so much is reserved before it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<AttemptBudget>,
    /// As a tool: the shape of what it takes, as a JSON Schema of an object; none where any object will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// As a tool: whether nothing can undo what it did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub irreversible: bool,
    /// As a tool: the agent that undoes a call of it, and is given what the call was given and what it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensate: Option<AgentName>,
    /// For a model: which of its tools people are asked about before each call, as globs of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approve: Vec<String>,
    /// For a model with tools: how many turns it has for a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_turns: Option<u32>,
    /// The body of its file: the system prompt.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub system_prompt: String,
    /// What its executor goes by, as a file says it: its model, and what that is told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, Value>,
    /// How its work is answered in place of itself, if it is. No file says that: who starts a run does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<Rehearsal>,
    /// Why it can do no step here, where that is not its own definition's fault: no model can be asked for it.
    #[serde(skip)]
    pub lacking: Option<Box<Problem>>,
    /// Keys that Reenact does not know: files of other tools have their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<String, Value>,
}

/// A type of messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageType {
    /// The stable name of the type.
    pub name: Arc<str>,
    /// The shape of what such a message says, as a JSON Schema; none where any will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
}

/// The agent that stands in for another that has failed for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentFallback {
    /// The name of that agent.
    pub agent: AgentName,
    /// What is added to the prompt of a step then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_suffix: Option<String>,
}

/// Keys that mean something to this version.
const KEYS: [&str; 20] = [
    "name",
    "description",
    "executor",
    "command",
    "script",
    "concurrency",
    "rate",
    "fallback",
    "criticality",
    "optional",
    "skip_if_unavailable",
    "handoffs",
    "subscribes",
    "stream",
    "budget",
    "input",
    "irreversible",
    "compensate",
    "approve",
    "max_turns",
];

/// Keys that are kept as they are: what executors go by, and programs are told.
const KEYS_KEPT: [&str; 6] = ["model", "provider", "temperature", "max_tokens", "tools", "expertise"];

/// The key under which a model's agent names the tools that the model may call.
const TOOLS: &str = "tools";

/// The key under which an agent says what it knows.
const EXPERTISE: &str = "expertise";

/// Every key that a definition may have, known or kept.
pub fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.into_iter().chain(KEYS_KEPT)
}

impl AgentDefinition {
    /// An agent of which only the name is set.
    pub fn named(name: AgentName) -> Self {
        Self {
            name,
            description: String::new(),
            executor: ExecutorKind::default(),
            command: Vec::new(),
            script_file: None,
            script: None,
            concurrency: None,
            rate: None,
            fallback: None,
            criticality: None,
            optional: None,
            handoffs: None,
            subscribes: Vec::new(),
            handles: Vec::new(),
            stream: false,
            budget: None,
            input: None,
            irreversible: false,
            compensate: None,
            approve: Vec::new(),
            max_turns: None,
            system_prompt: String::new(),
            settings: BTreeMap::new(),
            rehearsal: None,
            lacking: None,
            unknown: BTreeMap::new(),
        }
    }

    /// The definition of the built-in agent that does steps with `run`.
    pub fn shell() -> Self {
        Self {
            description: "Runs the programs of steps with `run`".to_owned(),
            executor: ExecutorKind::Subprocess,
            ..Self::named(AgentName::new(SHELL_AGENT))
        }
    }

    /// What it says that it knows, a word or a few each.
    pub fn expertise(&self) -> impl Iterator<Item = &str> {
        self.settings.get(EXPERTISE).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// The tools that it names, in its order: names of agents, and of what is built in.
    pub fn tools(&self) -> impl Iterator<Item = &str> {
        self.settings.get(TOOLS).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// Whether it calls the tools that it names: a model does, and a script in place of one.
    pub fn calls_tools(&self) -> bool {
        matches!(self.executor, ExecutorKind::Llm | ExecutorKind::Scripted)
    }

    /// Names its tools otherwise.
    pub(super) fn name_tools(&mut self, names: Vec<String>) {
        self.settings.insert(TOOLS.to_owned(), names.into());
    }

    /// The keys that it has and that mean nothing to its executor, each with the warning of that: only models call tools.
    pub(super) fn idle(&self) -> impl Iterator<Item = (&'static str, Problem)> {
        let has = [
            (TOOLS, self.settings.contains_key(TOOLS)),
            ("approve", !self.approve.is_empty()),
            ("max_turns", self.max_turns.is_some()),
        ];
        let (name, executor, calls) = (self.name.clone(), self.executor, self.calls_tools());
        let idle = has.into_iter().filter(move |(_, is_there)| *is_there && !calls);
        idle.map(move |(key, _)| {
            let message = format!(
                "`{key}` of agent `{name}` has no effect: only models call tools, and its executor is `{executor}`"
            );
            (key, Problem::new(Code::NoEffect, message))
        })
    }

    /// Reads an agent's file. `file` is its path as a person named it; a file without front matter is named
    /// after it. Also answers warnings about the file.
    ///
    /// # Errors
    /// [`Code::BadAgent`], with the place.
    pub fn parse(text: &str, file: &str) -> Result<(Self, Vec<Problem>), Problem> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match front_matter::split(text) {
            Some(parts) => front_matter::read(parts, file),
            None => Ok((Self::bare(text, file), Vec::new())),
        }
    }

    fn bare(text: &str, file: &str) -> Self {
        let stem = Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
        let name = AgentName::new(&stem);
        let mut declared = declared::handoffs(text);
        declared.retain(|other| other.key() != name.key());
        Self {
            description: first_heading(text).unwrap_or(&stem).to_owned(),
            // A body that declares nobody says nothing of it.
            handoffs: Some(declared).filter(|declared| !declared.is_empty()),
            system_prompt: text.trim().to_owned(),
            ..Self::named(name)
        }
    }

    /// Sets a key as a file or the configuration gives it; answers whether Reenact knows the key.
    ///
    /// # Errors
    /// What the key takes, in words that follow "`KEY` is …".
    pub fn set(&mut self, key: &str, value: Value) -> Result<bool, String> {
        match key {
            "name" => self.name = values::name(value)?,
            "description" => self.description = values::text(value)?,
            "executor" => self.executor = values::executor(value)?,
            "command" => self.command = values::command(value)?,
            "script" => self.script_file = Some(values::text(value)?),
            "concurrency" => self.concurrency = Some(values::concurrency(&value)?),
            "rate" => self.rate = Some(values::rate(value)?),
            "fallback" => self.fallback = Some(values::fallback(value)?),
            "criticality" => self.criticality = Some(values::criticality(value)?),
            // Other tools write `skip_if_unavailable`.
            "optional" | "skip_if_unavailable" => self.optional = Some(values::flag(&value)?),
            "handoffs" => self.handoffs = Some(values::handoffs(&value)?),
            // Files of other tools may leave it empty.
            _ if KEYS_KEPT.contains(&key) && value.is_null() => {}
            "tools" | "expertise" => drop(self.settings.insert(key.to_owned(), values::words(&value)?)),
            "subscribes" => self.subscribes = values::subscribes(&value)?,
            "budget" => self.budget = Some(values::budget(&value)?),
            "stream" => self.stream = values::flag(&value)?,
            "input" => self.input = Some(values::input(value)?),
            "irreversible" => self.irreversible = values::flag(&value)?,
            "compensate" => self.compensate = Some(values::compensate(value)?),
            "approve" => self.approve = values::globs(&value)?,
            "max_turns" => self.max_turns = Some(values::max_turns(&value)?),
            _ if KEYS_KEPT.contains(&key) => {
                drop(self.settings.insert(key.to_owned(), values::of_model(key, value)?))
            }
            _ => {
                self.unknown.insert(key.to_owned(), value);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Where nothing says how it works, what it has to work with does.
    pub(super) fn work_by_what_it_has(&mut self) {
        if !self.command.is_empty() {
            self.executor = ExecutorKind::Subprocess;
        } else if self.script_file.is_some() {
            self.executor = ExecutorKind::Scripted;
        }
    }

    /// What it says that its executor has no use for, if it says such a thing: two ways to work are one too many.
    fn contradiction(&self) -> Option<Problem> {
        let command = ("command", ExecutorKind::Subprocess, !self.command.is_empty());
        let has_script = self.script.is_some() || self.script_file.is_some();
        let script = ("script", ExecutorKind::Scripted, has_script);
        let stream = ("stream", ExecutorKind::Subprocess, self.stream);
        let is_idle =
            |(_, executor, is_there): &(_, ExecutorKind, bool)| *is_there && *executor != self.executor;
        if self.irreversible && self.compensate.is_some() {
            let message = format!("agent `{}` is `irreversible`, and has a `compensate`", self.name);
            return Some(Problem::new(Code::BadAgent, message).hint("take one of the two out"));
        }
        let (key, executor, _) = [command, script, stream].into_iter().find(is_idle)?;
        let message = format!(
            "agent `{}` has a `{key}`, and the executor `{}`, which has no use for it",
            self.name, self.executor
        );
        let hint = format!("take out the `{key}`, or set `executor: {executor}`");
        Some(Problem::new(Code::BadAgent, message).hint(hint))
    }

    /// Whether this version can have it do a step.
    ///
    /// # Errors
    /// [`Code::BadAgent`] for a program that is missing, or that its executor does not run; for a model that nobody has configured
    /// those of [`super::llm::models::Models::choose`].
    pub fn check_usable(&self) -> Result<(), Problem> {
        let name = &self.name;
        if let Some(contradiction) = self.contradiction() {
            return Err(contradiction);
        }
        if let Some(lacking) = &self.lacking {
            return Err((**lacking).clone());
        }
        if self.executor == ExecutorKind::Subprocess
            && self.command.is_empty()
            && *name.as_str() != *SHELL_AGENT
        {
            return Err(Problem::new(
                Code::BadAgent,
                format!("agent `{name}` is a subprocess without a `command`"),
            )
            .hint("give it one, as in `command: [\"bin/publish\", \"--quiet\"]`"));
        }
        if self.executor == ExecutorKind::Scripted && self.script.is_none() {
            let problem =
                Problem::new(Code::BadAgent, format!("agent `{name}` is scripted without a `script`"));
            return Err(problem.hint("name the file that its answers stand in, as in `script: answers.yaml`"));
        }
        Ok(())
    }

    /// It as it is recorded with a run. A definition always has a JSON form: it was made from one.
    pub fn recorded(&self) -> Json {
        Json::of(self).unwrap_or_default()
    }

    /// The hash by which runs name this definition.
    pub fn hash(&self) -> Hash {
        Hash::of(self.recorded().text().as_bytes())
    }

    /// How many attempts it does at once.
    pub fn slots(&self) -> u32 {
        self.concurrency.unwrap_or(CONCURRENCY)
    }
}

/// The problem with a key that does not exist, with the key that was probably meant.
pub(crate) fn unknown_key(code: Code, class: Class, key: &str) -> Problem {
    let problem = Problem::new(code, format!("unknown key `{key}`")).class(class);
    match nearest(key, keys()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem,
    }
}

/// The text of the first heading outside of fenced blocks.
fn first_heading(text: &str) -> Option<&str> {
    let mut fenced = false;
    text.lines().find_map(|line| {
        let line = line.trim();
        fenced ^= line.starts_with("```") || line.starts_with("~~~");
        let heading = line.trim_start_matches('#');
        let level = line.len() - heading.len();
        let found = !fenced && (1..=6).contains(&level) && heading.starts_with(' ');
        found.then(|| heading.trim()).filter(|heading| !heading.is_empty())
    })
}
