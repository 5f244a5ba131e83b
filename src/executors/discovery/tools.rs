//! The tools that agents name for their models: other agents, and what is built in.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::definition::AgentDefinition;
use super::super::tools;
use super::{Catalog, DiscoveredAgent, handoffs};
use crate::events::ids::AgentName;
use crate::events::problem::{Code, Problem, nearest};

impl Catalog {
    /// Finds what is built in and some agent names: only that can do steps. From here on models know their tools by the names that
    /// these have themselves; an agent goes before what is built in and has its name.
    pub(super) fn equip(&mut self) {
        let names: BTreeMap<String, String> =
            self.by_key.iter().map(|(key, entry)| (key.clone(), entry.name.to_string())).collect();
        let found = self.by_key.values_mut().filter_map(|entry| entry.found.as_mut().ok());
        for agent in found.map(|found| &mut found.definition).filter(|agent| agent.calls_tools()) {
            let mut known: Vec<String> = Vec::new();
            for name in agent.tools() {
                let by_name = |name: &str| names.get(&AgentName::new(name).key()).cloned();
                let tool = tools::of(name);
                let name = by_name(name).or_else(|| by_name(tool?.name)).unwrap_or_else(|| {
                    let Some(tool) = tool else { return name.to_owned() };
                    let found = DiscoveredAgent { definition: tool.agent(), file: None };
                    self.tools.insert(found.definition.name.key(), found);
                    tool.name.to_owned()
                });
                if !known.contains(&name) {
                    known.push(name);
                }
            }
            if !agent.tools().eq(known.iter().map(String::as_str)) {
                agent.name_tools(known);
            }
        }
    }

    /// The warnings about tools that an agent names and that are not there: files of other tools name their own.
    pub fn unknown_tools_of(&self, agent: &AgentDefinition) -> Vec<Problem> {
        let found = self.by_key.get(&agent.name.key()).and_then(|entry| entry.found.as_ref().ok());
        let file = found.and_then(|found| found.file.as_deref());
        let file = file.map(|file| (file, file.display().to_string()));
        let names: Vec<&str> = self.names().collect();
        unknown(agent, file.as_ref().map(|(file, shown)| (*file, shown.as_str())), &names, |to| self.has(to))
    }
}

/// The warnings about tools that are neither agents nor built in; `file` is that of the agent, with what a person calls it.
pub(super) fn unknown(
    agent: &AgentDefinition,
    file: Option<(&Path, &str)>,
    names: &[&str],
    is_there: impl Fn(&AgentName) -> bool,
) -> Vec<Problem> {
    let known = || names.iter().copied().chain(tools::TOOLS.iter().map(|tool| tool.name));
    let missing = agent.tools().filter(|name| !is_there(&AgentName::new(name)) && tools::of(name).is_none());
    let missing = missing.filter(|_| agent.calls_tools()).map(|name| {
        let message =
            format!("agent `{}` names the tool `{name}`, which is no agent, and not built in", agent.name);
        let problem = Problem::new(Code::ToolOfNobody, message);
        let problem = match nearest(name, known()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem,
        };
        match file {
            Some((path, shown)) => problem.at(shown, handoffs::line_of(path, name), 1),
            None => problem,
        }
    });
    missing.collect()
}
