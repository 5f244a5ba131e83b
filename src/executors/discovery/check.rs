//! Checking the files of agents, one or all of a folder, whoever may name them.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::definition::AgentDefinition;
use super::{Catalog, handoffs, parse, tools};
use crate::events::ids::AgentName;
use crate::events::problem::{Code, Problem};

/// An agent's file that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedAgent {
    /// Its path, as a person named it or the folder that it is in.
    pub file: String,
    /// The agent; none of a file that cannot be read.
    pub agent: Option<AgentName>,
    /// Everything that keeps it from being used.
    pub errors: Vec<Problem>,
    /// What is odd about it, and why this version cannot have it do a step that a later one may.
    pub warnings: Vec<Problem>,
}

/// Checks an agent's file, or all of a folder; `named` is what a person calls it. Agents of a folder are looked at as a whole:
/// they may hand over to each other, and to those of `others`.
pub fn check_files(path: &Path, named: &Path, others: &Catalog) -> Vec<CheckedAgent> {
    let mut catalog = Catalog::empty();
    let (files, mut names) = (catalog.files(path), BTreeMap::new());
    let mut checked: Vec<_> =
        files.iter().map(|file| (file, check_file(file, path, named, &mut names))).collect();
    if path.is_dir() {
        for (file, (checked, agent)) in &mut checked {
            let Some(agent) = agent else { continue };
            let all: Vec<&str> =
                names.values().map(|(name, _)| name.as_str()).chain(others.names()).collect();
            let is_there = |to: &AgentName| names.contains_key(&to.key()) || others.has(to);
            let at = Some((file.as_path(), checked.file.as_str()));
            let unknown = handoffs::unknown(agent, at, &all, is_there);
            let unknown = unknown.into_iter().chain(tools::unknown(agent, at, &all, is_there));
            checked.warnings.extend(unknown.collect::<Vec<_>>());
        }
    }
    let mut checked: Vec<_> = checked.into_iter().map(|(_, (checked, _))| checked).collect();
    let wrong: Vec<_> = catalog.errors.into_iter().chain(catalog.warnings).collect();
    if !wrong.is_empty() {
        let file = named.display().to_string();
        checked.push(CheckedAgent { file, agent: None, errors: wrong, warnings: Vec::new() });
    }
    checked
}

/// The agents of the files that were read before, each with its file, by the keys of their names.
type Names = BTreeMap<String, (AgentName, String)>;

fn check_file(
    file: &Path,
    path: &Path,
    named: &Path,
    names: &mut Names,
) -> (CheckedAgent, Option<AgentDefinition>) {
    let inside = file.strip_prefix(path).ok().filter(|inside| !inside.as_os_str().is_empty());
    let shown = inside.map_or_else(|| named.to_path_buf(), |inside| named.join(inside)).display().to_string();
    let (agent, mut warnings) = match parse(file, &shown) {
        Ok(parsed) => parsed,
        Err(problem) => {
            let (errors, warnings) = (vec![problem], Vec::new());
            return (CheckedAgent { file: shown, agent: None, errors, warnings }, None);
        }
    };
    let unusable = agent.check_usable().err().map(|problem| match problem.at {
        Some(_) => problem,
        None => problem.at(&shown, 1, 1),
    });
    let errors = unusable.into_iter().collect();
    if let Some((_, nearer)) = names.get(&agent.name.key()) {
        let message = format!("agent `{}` in `{shown}` is hidden by the one in `{nearer}`", agent.name);
        warnings.push(Problem::new(Code::AgentHidden, message).at(&shown, 1, 1));
    }
    names.entry(agent.name.key()).or_insert_with(|| (agent.name.clone(), shown.clone()));
    (CheckedAgent { file: shown, agent: Some(agent.name.clone()), errors, warnings }, Some(agent))
}
