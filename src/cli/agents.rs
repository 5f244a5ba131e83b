//! `reenact agents`: which agents there are, whether they take work, and whether their files are good.

mod check;
mod handoffs;
mod tools;

use std::collections::BTreeMap;

use serde::Serialize;

use self::check::validate;
use self::handoffs::{Handoffs, handoffs};
use self::tools::Tools;
use super::arguments::{AgentArguments, AgentListArguments, AgentsArguments, AgentsVerb, OrderArguments};
use super::see::{self, Exchange, Signals};
use super::text::colour;
use super::text::{self, Text, name, terminal};
use super::{Exit, Scene};
use crate::aggregates::agent::{Turn, Word};
use crate::aggregates::run::Order;
use crate::api::folder::is_store;
use crate::api::new_command_id;
use crate::api::protocol::{AgentKnown, AgentTurned, Request, Response, SlotsKnown};
use crate::api::user::user;
use crate::api::wording::{Call, Worded};
use crate::events::agent::Rate;
use crate::events::ids::{AgentName, Hash, Version};
use crate::events::problem::{Code, Problem, nearest};
use crate::executors::definition::SHELL_AGENT;
use crate::executors::discovery::Catalog;
use crate::executors::tools::TOOLS;
use crate::executors::{AgentDefinition, ExecutorKind};

/// The JSON that `agents list --json` prints.
#[derive(Clone, Serialize)]
struct Listed {
    agents: Vec<Shown>,
    /// Who may hand work over to whom, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    handoffs: Option<Handoffs>,
}

/// An agent: what its file or the configuration says of it, and what is recorded.
#[derive(Clone, Serialize)]
struct Shown {
    name: String,
    description: Option<String>,
    executor: Option<ExecutorKind>,
    /// The origin of its definition: `file`, `configuration`, `built in`, or `recorded` only.
    source: &'static str,
    file: Option<String>,
    concurrency: Option<u32>,
    rate: Option<Rate>,
    /// The hash of its definition as files and the configuration say it now, by which runs that start now name it.
    hash: Option<Hash>,
    /// The agents to which it may hand its work over; none for any.
    handoffs: Option<Vec<String>>,
    /// The agents that name it among those to which they may hand over.
    handoffs_from: Vec<String>,
    #[serde(flatten)]
    tools: Tools,
    status: String,
    paused: Option<Word>,
    draining: Option<Word>,
    /// The hash of the definition whose limits hold, once a run has brought one.
    definition: Option<Hash>,
    version: Version,
    /// How much is asked of it, where another process holds the store.
    slots: Option<SlotsKnown>,
    /// What keeps its definition from being used; none of one that can be.
    error: Option<Problem>,
}

impl Worded for Listed {
    fn word(&mut self, call: &Call) {
        self.agents.iter_mut().for_each(|shown| shown.word(call));
    }
}

impl Worded for Shown {
    fn word(&mut self, call: &Call) {
        self.error.iter_mut().for_each(|error| error.word(call));
    }
}

pub(super) async fn agents(scene: &Scene, arguments: AgentsArguments) -> Result<Exit, Problem> {
    match arguments.verb.unwrap_or(AgentsVerb::List(AgentListArguments::default())) {
        AgentsVerb::List(AgentListArguments { handoffs }) => list(scene, handoffs).await,
        AgentsVerb::Show(AgentArguments { name }) => show(scene, &name).await,
        AgentsVerb::Validate(arguments) => validate(scene, &arguments.path),
        AgentsVerb::Pause(arguments) => {
            turn(scene, &arguments.agent.name, Turn::Pause, arguments.order).await
        }
        AgentsVerb::Unpause(arguments) => {
            turn(scene, &arguments.agent.name, Turn::Unpause, arguments.order).await
        }
        AgentsVerb::Drain(arguments) => {
            turn(scene, &arguments.agent.name, Turn::Drain, arguments.order).await
        }
    }
}

async fn list(scene: &Scene, with_handoffs: bool) -> Result<Exit, Problem> {
    let Some(agents) = all(scene).await? else { return Ok(Exit::Interrupted) };
    let handoffs = if with_handoffs {
        let Some(happened) = handoffs::happened(scene).await? else { return Ok(Exit::Interrupted) };
        Some(handoffs(&catalog(scene), happened))
    } else {
        None
    };
    scene.say.result(&Listed { agents, handoffs }, |listed| match &listed.handoffs {
        Some(handoffs) => handoffs.text(&listed.agents),
        None => Text::lines(listed.agents.iter().map(line)),
    });
    Ok(Exit::Good)
}

async fn show(scene: &Scene, agent: &str) -> Result<Exit, Problem> {
    let Some(agents) = all(scene).await? else { return Ok(Exit::Interrupted) };
    let wanted = AgentName::new(agent);
    let names: Vec<String> = agents.iter().map(|shown| shown.name.clone()).collect();
    let found = agents.into_iter().find(|shown| AgentName::new(&shown.name).key() == wanted.key());
    let found = found.ok_or_else(|| unknown(&wanted, names.iter().map(String::as_str)))?;
    scene.say.result(&found, |found| shown(found, &scene.call));
    Ok(Exit::Good)
}

/// The agents that the command line knows of.
fn catalog(scene: &Scene) -> Catalog {
    scene.house.config.catalog(&scene.cwd, &[])
}

fn unknown<'a>(agent: &AgentName, names: impl IntoIterator<Item = &'a str>) -> Problem {
    let problem = Problem::new(Code::UnknownAgent, format!("no agent is named `{agent}`"));
    match nearest(agent.as_str(), names) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem,
    }
}

/// All agents, by name. None when a signal came.
async fn all(scene: &Scene) -> Result<Option<Vec<Shown>>, Problem> {
    let catalog = catalog(scene);
    let named: Vec<AgentName> = catalog.names().map(AgentName::new).collect();
    let mut all: BTreeMap<String, Shown> =
        named.iter().map(|name| (name.key(), defined(&catalog, name))).collect();
    if is_store(&scene.house.data) {
        let mut signals = Signals::listen()?;
        let door = scene.open().await?;
        let request = Request::Agents { named };
        let (known, door) = match see::ask(scene, door, &request, &mut signals, &mut |_| {}).await? {
            Exchange::Interrupted => return Ok(None),
            Exchange::Response(Response::Agents(known), door) => (known, door),
            Exchange::Response(other, _) => return Err(other.mismatch()),
        };
        let is_held = door.holder().is_some();
        for known in known {
            if is_tool(&known) && !all.contains_key(&known.agent.key()) {
                continue;
            }
            let shown = all.entry(known.agent.key()).or_insert_with(|| recorded(&known));
            tell(shown, known, is_held);
        }
        see::leave(door, &mut signals).await?;
    }
    Ok(Some(all.into_values().collect()))
}

/// Whether it is a tool that is built in, which nobody has done anything to: a run knows it as an agent.
fn is_tool(known: &AgentKnown) -> bool {
    known.status == "active" && TOOLS.iter().any(|tool| *tool.name == *known.agent.as_str())
}

/// An agent as files and the configuration define it.
fn defined(catalog: &Catalog, name: &AgentName) -> Shown {
    let found = catalog.find(name);
    let (definition, file) = match &found {
        Ok(found) => (Some(&found.definition), found.file.as_ref()),
        Err(_) => (None, None),
    };
    let error = found.as_ref().err().cloned();
    let is_built_in = name.key() == AgentName::new(SHELL_AGENT).key();
    let source = match (file, &error) {
        (Some(_), _) => "file",
        (None, Some(error)) if error.at.is_some() => "file",
        (None, _) if is_built_in => "built in",
        (None, _) => "configuration",
    };
    let file = file.map(|file| file.display().to_string());
    let all = catalog.handoffs();
    let from = all.iter().filter(|handoff| handoff.to.key() == name.key());
    let to = |definition: &AgentDefinition| {
        catalog.handoffs_of(definition).map(|handoff| handoff.to.to_string()).collect()
    };
    Shown {
        name: name.to_string(),
        description: definition.map(|definition| definition.description.clone()),
        executor: definition.map(|definition| definition.executor),
        source,
        file: file.or_else(|| error.as_ref()?.at.as_ref().map(|at| at.file.clone())),
        concurrency: definition.map(|definition| definition.slots()),
        rate: definition.and_then(|definition| definition.rate),
        hash: definition.map(AgentDefinition::hash),
        handoffs: definition.filter(|definition| definition.handoffs.is_some()).map(to),
        handoffs_from: from.map(|handoff| handoff.from.to_string()).collect(),
        tools: definition.map(Tools::of).unwrap_or_default(),
        status: "active".to_owned(),
        paused: None,
        draining: None,
        definition: None,
        version: Version(0),
        slots: None,
        error,
    }
}

/// An agent of which only its own history tells.
fn recorded(known: &AgentKnown) -> Shown {
    Shown {
        name: known.agent.to_string(),
        description: None,
        executor: None,
        source: "recorded",
        file: None,
        concurrency: known.newest.as_ref().map(|newest| newest.concurrency),
        rate: known.newest.as_ref().and_then(|newest| newest.rate),
        hash: None,
        handoffs: None,
        handoffs_from: Vec::new(),
        tools: Tools::default(),
        status: String::new(),
        paused: None,
        draining: None,
        definition: None,
        version: Version(0),
        slots: None,
        error: None,
    }
}

fn tell(shown: &mut Shown, known: AgentKnown, is_held: bool) {
    (shown.status, shown.version) = (known.status, known.version);
    (shown.paused, shown.draining) = (known.paused, known.draining);
    shown.definition = known.newest.map(|newest| newest.definition.hash);
    shown.slots = is_held.then_some(known.slots);
}

async fn turn(scene: &Scene, agent: &str, to: Turn, order: OrderArguments) -> Result<Exit, Problem> {
    let agent = AgentName::new(agent);
    agent.check().map_err(|error| Problem::new(Code::Usage, error.to_string()))?;
    let catalog = catalog(scene);
    let known = catalog.names().any(|name| AgentName::new(name).key() == agent.key());
    // Nothing is made for an agent that nobody can know.
    if !known && !is_store(&scene.house.data) {
        return Err(unknown(&agent, catalog.names()));
    }
    let by = order.who.by.unwrap_or_else(user);
    let order = Order { by: by.into(), reason: order.reason };
    let request = Request::TurnAgent { agent, to, known, order, id: Some(new_command_id()) };
    let mut signals = Signals::listen()?;
    let door = scene.open().await?;
    match see::ask(scene, door, &request, &mut signals, &mut |_| {}).await? {
        Exchange::Interrupted => Ok(Exit::Interrupted),
        Exchange::Response(Response::AgentTurned(turned), door) => {
            scene.say.result(&turned, |AgentTurned { agent, version, status }| {
                terminal!("{}  {}  version {}", name(agent.as_str()), colour::status(status), version)
            });
            see::leave(door, &mut signals).await?;
            Ok(Exit::Good)
        }
        Exchange::Response(other, _) => Err(other.mismatch()),
    }
}

/// An agent in a line.
fn line(shown: &Shown) -> Text {
    let executor = shown.executor.map_or("", ExecutorKind::text);
    let description = shown.description.as_deref().unwrap_or_default();
    let status = colour::status(&shown.status);
    let line = terminal!("{}  {}  {}  {}", name(&shown.name).padded(20), status, executor, name(description));
    let error = shown.error.as_ref().map(|error| terminal!("  {}: {}", error.code, &error.message));
    line.and(error).trimmed()
}

fn shown(shown: &Shown, call: &Call) -> Text {
    let mut lines = vec![line(shown)];
    let file = shown.file.as_deref().map(|file| terminal!(" {}", file)).unwrap_or_default();
    lines.push(terminal!("definition: {}{}", shown.source, file));
    if let Some(hash) = &shown.hash {
        let recorded = shown.definition.as_ref().filter(|recorded| *recorded != hash);
        let other =
            recorded.map(|recorded| terminal!("; of the run that began last: {}", recorded.to_string()));
        lines.push(terminal!("hash: {}{}", hash.to_string(), other.unwrap_or_default()));
    }
    lines.extend(handoffs::of_one(shown));
    lines.extend(shown.tools.text());
    if let Some(concurrency) = shown.concurrency {
        let rate = shown.rate.map(|rate| terminal!(", {} of them started", rate.to_string()));
        lines.push(terminal!("attempts at once: {}{}", concurrency, rate.unwrap_or_default()));
    }
    if let Some(SlotsKnown { in_use, waiting }) = shown.slots {
        lines.push(terminal!("slots: {} in use, {} waited for", in_use, waiting));
    }
    let words = [("paused", &shown.paused), ("draining", &shown.draining)];
    for (what, word) in words.into_iter().filter_map(|(what, word)| Some((what, word.as_ref()?))) {
        let reason = word.reason.as_deref().map(|reason| terminal!(": {}", reason)).unwrap_or_default();
        lines.push(terminal!("{} by {} at {}{}", what, &*word.by, text::moment(word.at), reason));
    }
    lines.extend(shown.error.as_ref().map(|error| text::problem("error", error, call)));
    Text::lines(lines)
}
