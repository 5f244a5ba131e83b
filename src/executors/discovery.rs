//! The agents that exist: files in the folders for agents, and the configuration.
//!
//! - `check`: whether files are good, whoever may name them
//! - `handoffs`: who may hand work over to whom
//! - `tools`: what models may call

mod check;
mod handoffs;
#[cfg(test)]
mod tests;
mod tools;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::events::ids::AgentName;
use crate::events::problem::{Code, Problem, nearest};
use crate::text_file::{self, Kind};
use crate::workflow::definition::WORKFLOW_AGENT;
use crate::workflow::parse::script;

pub use check::{CheckedAgent, check_files};
pub use handoffs::Handoff;

use super::definition::{self, AgentDefinition, ExecutorKind, SHELL_AGENT};
use super::llm::models::Models;
use super::rehearsal::Answers;

/// The folders in the work folder where agents are looked for, nearest first. The last folder belongs to another tool.
const FOLDERS: [&str; 3] = ["agents", ".reenact/agents", ".claude/agents"];

/// The agents that can be named, with the built-in `shell` among them.
#[derive(Debug, Clone)]
pub struct Catalog {
    by_key: BTreeMap<String, Entry>,
    /// The tools that are built in and that some agent names, by the keys of their names.
    tools: BTreeMap<String, DiscoveredAgent>,
    /// Warnings about folders that cannot be read.
    warnings: Vec<Problem>,
    /// Errors about configured places that are neither files nor folders.
    errors: Vec<Problem>,
}

/// An agent that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscoveredAgent {
    /// Its definition, with the configuration's overrides applied.
    pub definition: AgentDefinition,
    /// Its file; none if it is built in, or defined by the configuration alone.
    pub file: Option<PathBuf>,
}

/// An agent, or why its definition cannot be used. That is a problem only for those who name it.
#[derive(Debug, Clone)]
struct Entry {
    name: AgentName,
    found: Result<DiscoveredAgent, Problem>,
    /// Warnings about its file and about files that it hides.
    warnings: Vec<Problem>,
}

/// Whether it is a function, with a file that says more of it or without.
fn is_function(found: &Result<DiscoveredAgent, Problem>, has_file: bool) -> bool {
    found.as_ref().is_ok_and(|found| {
        found.definition.executor == ExecutorKind::Function && found.file.is_some() == has_file
    })
}

impl Catalog {
    /// First come the agents that the program has `registered` itself. Then it looks in the work folder's `agents/`,
    /// `.reenact/agents/` and `.claude/agents/`, and then in `agent_paths` (folders or files; relative ones mean the work
    /// folder). The nearer file wins; one with `executor: function` says more of what is registered. `overrides` is the
    /// `[agents.NAME]` of the configuration: any key, also of an agent that has no file. Reads files, so it blocks for as long.
    pub fn discover(
        work_folder: &Path,
        registered: &[AgentDefinition],
        agent_paths: &[PathBuf],
        overrides: &BTreeMap<String, toml::Table>,
    ) -> Self {
        let mut catalog = Self::empty();
        let shell = DiscoveredAgent { definition: AgentDefinition::shell(), file: None };
        catalog.add(AgentName::new(SHELL_AGENT), Ok(shell), Vec::new());
        for definition in registered {
            let found = DiscoveredAgent { definition: definition.clone(), file: None };
            catalog.add(definition.name.clone(), Ok(found), Vec::new());
        }
        let folders = FOLDERS.iter().map(Path::new).chain(agent_paths.iter().map(PathBuf::as_path));
        for path in folders.map(|path| work_folder.join(path)) {
            for file in catalog.files(&path) {
                catalog.read(file);
            }
        }
        for (name, table) in overrides {
            catalog.override_with(&AgentName::new(name), table, work_folder);
        }
        catalog.equip();
        catalog
    }

    fn empty() -> Self {
        let (by_key, tools, warnings, errors) = Default::default();
        Self { by_key, tools, warnings, errors }
    }

    /// The same agents, whose work is answered in place of themselves. `take` names the recording or the replay.
    #[must_use]
    pub fn rehearsed(mut self, answers: &Answers, take: &str) -> Self {
        let found = self.by_key.values_mut().filter_map(|entry| entry.found.as_mut().ok());
        found.for_each(|found| found.definition.rehearse(answers, take));
        self
    }

    /// The same agents; those that ask a model name it as it is called, and where nothing says which is meant, it is known why they
    /// can do no step.
    #[must_use]
    pub fn for_models(mut self, models: &Models) -> Self {
        let found = self.by_key.values_mut().filter_map(|entry| entry.found.as_mut().ok());
        for agent in found.map(|found| &mut found.definition).filter(|agent| agent.asks_a_model()) {
            models.name_in(agent);
        }
        self
    }

    /// The agent with that name, in any spelling; or the tool that is built in, if some agent names it.
    ///
    /// # Errors
    /// [`Code::UnknownAgent`] with the nearest name, or what is wrong with its definition.
    pub fn find(&self, name: &AgentName) -> Result<&DiscoveredAgent, Problem> {
        if let Some(entry) = self.by_key.get(&name.key()) {
            return entry.found.as_ref().map_err(Clone::clone);
        }
        if let Some(tool) = self.tools.get(&name.key()) {
            return Ok(tool);
        }
        let problem = Problem::new(Code::UnknownAgent, format!("no agent is named `{name}`"));
        Err(match nearest(name.as_str(), self.names()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint(format!("add `agents/{name}.md`, or check the spelling")),
        })
    }

    /// Whether there is an agent of that name, in any spelling, be its definition good or not.
    pub fn has(&self, name: &AgentName) -> bool {
        let key = name.key();
        self.by_key.contains_key(&key) || self.tools.contains_key(&key)
    }

    /// The agents that can do steps, without the built-in ones.
    pub fn usable(&self) -> impl Iterator<Item = &AgentDefinition> {
        self.good().filter(|definition| definition.check_usable().is_ok())
    }

    /// The agents whose files are good, without the built-in ones, be it that they can do steps or not.
    pub fn good(&self) -> impl Iterator<Item = &AgentDefinition> {
        let built_in = [SHELL_AGENT, WORKFLOW_AGENT];
        let named = self.by_key.iter().filter(move |(key, _)| !built_in.contains(&key.as_str()));
        named.filter_map(|(_, entry)| entry.found.as_ref().ok()).map(|found| &found.definition)
    }

    /// The names of all agents, including those whose files cannot be used.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_key.values().map(|entry| entry.name.as_str())
    }

    /// All warnings about the files, including those of agents that nobody names.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        let broken = self.by_key.values().filter_map(|entry| entry.found.as_ref().err());
        let odd = self.by_key.values().flat_map(|entry| &entry.warnings);
        self.warnings.iter().chain(odd).chain(broken)
    }

    /// Warnings about the places where agents are looked for.
    pub fn warnings_of_places(&self) -> &[Problem] {
        &self.warnings
    }

    /// The warnings about one agent, in any spelling of its name.
    pub fn warnings_of(&self, name: &AgentName) -> &[Problem] {
        self.by_key.get(&name.key()).map_or(&[], |entry| &entry.warnings)
    }

    /// Errors about the places where agents are looked for: with such an error it is not
    /// known which agents exist.
    pub fn errors(&self) -> &[Problem] {
        &self.errors
    }

    /// The agent files of a folder, in the order of their names; or the path itself, if it is a file.
    fn files(&mut self, path: &Path) -> Vec<PathBuf> {
        if let Err(problem) = text_file::check_file_or_folder(path) {
            self.errors.push(problem.at(&path.display().to_string(), 1, 1));
            return Vec::new();
        }
        if path.is_file() {
            return vec![path.to_path_buf()];
        }
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                self.warnings.push(not_read(path, &error));
                return Vec::new();
            }
        };
        let mut files: Vec<_> =
            entries.flatten().map(|entry| entry.path()).filter(|file| is_agent_file(file)).collect();
        files.sort_unstable();
        files
    }

    fn read(&mut self, file: PathBuf) {
        match parse(&file, &file.display().to_string()) {
            Ok((definition, warnings)) => {
                let name = definition.name.clone();
                self.add(name, Ok(DiscoveredAgent { definition, file: Some(file) }), warnings);
            }
            // Its name is not known for sure; it is most likely called as its file is.
            Err(problem) => {
                let stem = file.file_stem().unwrap_or_default().to_string_lossy();
                self.add(AgentName::new(&stem), Err(problem), Vec::new());
            }
        }
    }

    /// Adds an agent. If there is one with that name already, that one stays.
    fn add(&mut self, name: AgentName, found: Result<DiscoveredAgent, Problem>, warnings: Vec<Problem>) {
        let file_of = |found: &Result<DiscoveredAgent, Problem>| match found {
            Ok(found) => found.file.as_ref().map(|file| file.display().to_string()),
            Err(problem) => problem.at.as_ref().map(|at| at.file.clone()),
        };
        match self.by_key.get_mut(&name.key()) {
            None => drop(self.by_key.insert(name.key(), Entry { name, found, warnings })),
            // A file says more of what the program has registered under that name.
            Some(nearer) if is_function(&nearer.found, false) && is_function(&found, true) => {
                *nearer = Entry { name, found, warnings };
            }
            Some(nearer) => {
                let hidden = file_of(&found).unwrap_or_default();
                let by = file_of(&nearer.found).unwrap_or_else(|| "what is built in".to_owned());
                let message = format!("agent `{name}` in `{hidden}` is hidden by `{}` ({by})", nearer.name);
                nearer.warnings.push(Problem::new(Code::AgentHidden, message).at(&hidden, 1, 1));
            }
        }
    }

    fn override_with(&mut self, name: &AgentName, table: &toml::Table, work_folder: &Path) {
        let entry = self.by_key.entry(name.key()).or_insert_with(|| {
            let definition =
                AgentDefinition { description: name.to_string(), ..AgentDefinition::named(name.clone()) };
            Entry {
                name: name.clone(),
                found: Ok(DiscoveredAgent { definition, file: None }),
                warnings: Vec::new(),
            }
        });
        let Ok(found) = &mut entry.found else { return };
        let says_how = ["executor", "command", "script"].map(|key| table.contains_key(key));
        if says_how.contains(&true) {
            // What the file gives it to work with is for the way in which the file means it to.
            let agent = &mut found.definition;
            (agent.command, agent.script, agent.script_file) = match says_how {
                [true, ..] => (Vec::new(), None, None),
                [false, true, _] => (std::mem::take(&mut agent.command), None, None),
                _ => (Vec::new(), agent.script.take(), agent.script_file.take()),
            };
            agent.stream &= matches!(says_how, [false, true, _]);
        }
        for (key, value) in table {
            if let Err(problem) = set_from_config(&mut found.definition, name, key, value) {
                entry.found = Err(problem);
                return;
            }
        }
        if let [false, true, _] | [false, _, true] = says_how {
            found.definition.work_by_what_it_has();
        }
        // What had no effect may have one now, and the other way round.
        let idle: Vec<Problem> = found.definition.idle().map(|(_, problem)| problem).collect();
        let is_still = |warning: &Problem| idle.iter().any(|idle| idle.message == warning.message);
        entry.warnings.retain(|warning| warning.code != Code::NoEffect || is_still(warning));
        let known: Vec<String> = entry.warnings.iter().map(|warning| warning.message.clone()).collect();
        entry.warnings.extend(idle.into_iter().filter(|idle| !known.contains(&idle.message)));
        if let Err(problem) = read_script(&mut found.definition, work_folder) {
            entry.found = Err(problem);
        }
    }
}

/// Reads an agent's file. Also answers what is odd about it.
fn parse(file: &Path, shown: &str) -> Result<(AgentDefinition, Vec<Problem>), Problem> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let text = read_text(file, shown, Kind::Agent)?;
    let (mut agent, mut warnings) = AgentDefinition::parse(&text, shown)?;
    let idle = agent.idle().map(|(key, problem)| {
        let (line, column) = place_of(&text, key);
        problem.at(shown, line, column)
    });
    warnings.extend(idle);
    read_script(&mut agent, folder).map(|()| (agent, warnings))
}

/// Sets one key of `[agents.NAME]`.
///
/// # Errors
/// [`Code::BadConfig`]: the key does not exist, cannot be set there, or does not take the value.
pub fn set_from_config(
    agent: &mut AgentDefinition,
    name: &AgentName,
    key: &str,
    value: &toml::Value,
) -> Result<(), Problem> {
    let bad = |why: String| Problem::new(Code::BadConfig, format!("`agents.{name}.{key}` {why}"));
    if key == "name" {
        return Err(bad("cannot be set: the name is that of the table".to_owned()));
    }
    if name.key() == AgentName::new(SHELL_AGENT).key() && !["concurrency", "rate"].contains(&key) {
        return Err(bad("cannot be set: of the built-in agent only `concurrency` and `rate` can".to_owned()));
    }
    if name.key() == WORKFLOW_AGENT {
        return Err(bad("cannot be set: the agent is built in".to_owned()));
    }
    let value = serde_json::to_value(value).map_err(|error| bad(format!("has no JSON form: {error}")))?;
    match agent.set(key, value) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let problem = bad("is no key of an agent".to_owned());
            Err(match nearest(key, definition::keys()) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem,
            })
        }
        Err(why) => Err(bad(format!("is {why}"))),
    }
}

/// Reads the answers of a scripted agent, if it names a file with them that is not read yet: they are
/// recorded with each run that is started.
fn read_script(agent: &mut AgentDefinition, folder: &Path) -> Result<(), Problem> {
    let Some(file) = agent.script_file.take() else { return Ok(()) };
    let file = folder.join(file);
    let text = read_text(&file, &file.display().to_string(), Kind::Script)?;
    let script = script(&text, &file.display().to_string());
    agent.script = Some(script.map_err(|problems| first(problems, &file))?);
    Ok(())
}

/// The first problem of a script: an agent has only one.
fn first(problems: Vec<Problem>, file: &Path) -> Problem {
    let unnamed = || Problem::new(Code::BadAgent, format!("`{}` is no script", file.display()));
    problems.into_iter().next().unwrap_or_else(unnamed)
}

/// Whether a file is Markdown, but not one that explains a folder to people. Other mistakes are told to those
/// who name the agent.
fn is_agent_file(file: &Path) -> bool {
    let is_markdown = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("md"));
    is_markdown && !file.file_stem().is_some_and(|stem| stem.eq_ignore_ascii_case("readme"))
}

/// The line and the column of a key in the front matter, from 1.
fn place_of(text: &str, key: &str) -> (u64, u64) {
    let is_key = |line: &&str| {
        line.split_once(':').is_some_and(|(name, _)| name.trim().trim_matches(['"', '\'']) == key)
    };
    let line = text.lines().position(|line| is_key(&line));
    line.map_or((1, 1), |line| (line as u64 + 1, 1))
}

/// A problem of a file stands in that file.
fn read_text(file: &Path, shown: &str, kind: Kind) -> Result<String, Problem> {
    text_file::read(file, shown, kind).map_err(|problem| match problem.at {
        Some(_) => problem,
        None => problem.at(shown, 1, 1),
    })
}

fn not_read(path: &Path, error: &io::Error) -> Problem {
    Problem::new(Code::FileNotRead, format!("`{}` cannot be read: {error}", path.display())).at(
        &path.display().to_string(),
        1,
        1,
    )
}
