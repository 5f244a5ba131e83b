//! Who may hand work over to whom, as far as files and the configuration say it, looked at as a whole.

use std::path::Path;

use super::super::definition::AgentDefinition;
use super::{Catalog, DiscoveredAgent, Kind, text_file};
use crate::events::ids::AgentName;
use crate::events::problem::{Code, Problem, nearest};

/// That one agent may hand its work over to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handoff {
    /// The name of the agent that hands over.
    pub from: AgentName,
    /// The name of the agent that takes over, as that one calls itself if it is there.
    pub to: AgentName,
    /// Whether there is an agent of that name, be its definition good or not.
    pub is_known: bool,
}

impl Catalog {
    /// All handoffs that agents name, by the names of those that hand over. An agent that names none may hand over to
    /// anybody, and has no handoff here.
    pub fn handoffs(&self) -> Vec<Handoff> {
        self.agents().flat_map(|found| self.handoffs_of(&found.definition)).collect()
    }

    /// The handoffs that one agent names, in its order.
    pub fn handoffs_of<'a>(&'a self, agent: &'a AgentDefinition) -> impl Iterator<Item = Handoff> + 'a {
        agent.handoffs.iter().flatten().map(|to| {
            let known = self.by_key.get(&to.key());
            let name = known.map_or_else(|| to.clone(), |entry| entry.name.clone());
            Handoff { from: agent.name.clone(), to: name, is_known: known.is_some() }
        })
    }

    /// The warnings about an agent that may hand over to agents that are not there: what is not a mistake of its own, and shows
    /// only where all are looked at.
    pub fn unknown_handoffs_of(&self, agent: &AgentName) -> Vec<Problem> {
        let Some(Ok(found)) = self.by_key.get(&agent.key()).map(|entry| &entry.found) else {
            return Vec::new();
        };
        let file = found.file.as_deref().map(|file| (file, file.display().to_string()));
        let file = file.as_ref().map(|(file, shown)| (*file, shown.as_str()));
        let names: Vec<&str> = self.names().collect();
        unknown(&found.definition, file, &names, |to| self.has(to))
    }

    fn agents(&self) -> impl Iterator<Item = &DiscoveredAgent> {
        self.by_key.values().filter_map(|entry| entry.found.as_ref().ok())
    }
}

/// The warnings about handoffs to agents that are not there; `file` is that of the agent, with what a person calls it.
pub(super) fn unknown(
    agent: &AgentDefinition,
    file: Option<(&Path, &str)>,
    names: &[&str],
    is_there: impl Fn(&AgentName) -> bool,
) -> Vec<Problem> {
    let missing = agent.handoffs.iter().flatten().filter(|to| !is_there(to));
    missing
        .map(|to| {
            let message =
                format!("agent `{}` may hand over to `{to}`, and no agent has that name", agent.name);
            let problem = Problem::new(Code::HandoffToNobody, message);
            let problem = match nearest(to.as_str(), names.iter().copied()) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem,
            };
            match file {
                Some((path, shown)) => problem.at(shown, line_of(path, to.as_str()), 1),
                None => problem,
            }
        })
        .collect()
}

/// The first line of a file that has a name in it, from 1.
pub(super) fn line_of(file: &Path, name: &str) -> u64 {
    let text = text_file::read(file, "", Kind::Agent).unwrap_or_default();
    let line = text.lines().position(|line| line.contains(name));
    line.map_or(1, |line| line as u64 + 1)
}
