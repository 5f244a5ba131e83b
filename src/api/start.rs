//! Resolving what a run begins with: the file with those that its steps start, the agents, the input, the environment.
//! Nothing is recorded before all of it is sound.
//!
//! - `files`: workflows and those that their steps start, read and checked together
//! - `bind`: the agents that they name

mod bind;
mod files;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use files::{Checked, Family, Wrong};

use super::new_run_id;
use super::protocol::check_tags;
use super::spec::{BoundWorkflow, Resolved, RunSpec, Workflow};
use crate::config::{Config, Stuck};
use crate::events::ids::{AgentName, RunId};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem, nearest};
use crate::events::run::{GrowthLimits, StuckLimits};
use crate::events::text::{is_control, printable};
use crate::events::time::micros;
use crate::executors::llm::models::Key;
use crate::executors::rehearsal::Answers;
use crate::executors::{AgentDefinition, cassette};
use crate::workflow::definition::Definition;
use crate::workflow::input::{check_input, instead_of_input};
use crate::workflow::json_text::Level;

/// Resolves what runs are started with. It reads files, so it blocks for as long.
#[derive(Debug, Clone, Default)]
pub struct Resolver {
    /// What holds where a workflow says nothing.
    pub config: Config,
    /// The folder that relative paths mean, as the current one is for a command.
    pub cwd: PathBuf,
    /// The agents that this program has itself.
    pub registered: Vec<AgentDefinition>,
}

impl Resolver {
    /// Reads a workflow and checks all of it, the agents and the workflows that it names too.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn read(&self, spec: &RunSpec) -> Result<Family, Wrong> {
        let registered = [&*spec.agents, &*self.registered].concat();
        let take = spec.id.as_ref().map_or("", RunId::as_str);
        let answers = Answers { mode: spec.answers.mode.in_folder(&self.cwd), ..spec.answers.clone() };
        let (config, cwd, answers) = (&self.config, &*self.cwd, (&answers, take));
        let sources = files::Sources { config, cwd, registered: &registered, answers };
        match &spec.workflow {
            Workflow::File(path) => files::check(&sources, path, spec.work_folder.as_deref()),
            Workflow::Text(text) => files::check_text(&sources, text, self.folder(spec)),
            Workflow::Definition(json) => files::check_definition(&sources, json, self.folder(spec)),
            Workflow::Resolved(_) => Err(Wrong::of(Problem::new(Code::Internal, "this was read before"))),
        }
    }

    /// A Markdown chain as a workflow file in YAML that says the same, and what is odd about it. All of it is checked, the agents
    /// that it names too.
    ///
    /// # Errors
    /// Everything that is wrong; [`Code::NoChain`] for a file that is no chain.
    pub fn to_yaml(&self, path: &Path) -> Result<(String, Vec<Problem>), Vec<Problem>> {
        let (config, cwd, live) = (&self.config, &*self.cwd, Answers::default());
        let sources = files::Sources { config, cwd, registered: &self.registered, answers: (&live, "") };
        files::to_yaml(&sources, path)
    }

    fn folder(&self, spec: &RunSpec) -> PathBuf {
        spec.work_folder.as_ref().map_or_else(|| self.cwd.clone(), |folder| self.cwd.join(folder))
    }

    /// Reads and checks a workflow and what it is started with. Answers also what is odd about it.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn resolve(&self, spec: RunSpec) -> Result<(RunSpec, Vec<Problem>), Vec<Problem>> {
        if let Workflow::Resolved(_) = &spec.workflow {
            return Ok((spec, Vec::new()));
        }
        // A recording is named after its run.
        let id = spec.id.clone().or_else(|| spec.answers.are_taped().then(new_run_id));
        let spec = RunSpec { id, ..spec };
        let family = self.read(&spec).map_err(|wrong| wrong.errors)?;
        self.settle(spec, family)
    }

    /// The same, of a workflow that was read before.
    ///
    /// # Errors
    /// Everything that is wrong with what it is started with.
    pub fn settle(&self, spec: RunSpec, family: Family) -> Result<(RunSpec, Vec<Problem>), Vec<Problem>> {
        let Family { root, children, mut warnings, .. } = family;
        let definition = &root.definition;
        let input = check_input(definition.input.as_ref(), &spec.input)?;
        warnings.extend(undeclared(definition, &input));
        let until = spec.until.as_deref().map(|step| until(definition, step)).transpose();
        let until = until.map_err(|problem| vec![problem])?;
        check_labels(&spec).map_err(|problem| vec![problem])?;
        let answers = Answers { mode: spec.answers.mode.in_folder(&self.cwd), ..Answers::default() };
        cassette::check(&answers).map_err(|problem| vec![problem])?;
        let of_process = || {
            let allowed = self.config.expressions.env.iter();
            allowed.filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect()
        };
        let environment = spec.environment.unwrap_or_else(of_process);
        let of_children = children.iter().flat_map(|(_, child)| &child.agents);
        let all = std::iter::once(&root).chain(children.iter().map(|(_, child)| child));
        all.map(|checked| files::named(checked))
            .try_for_each(|agents| self.check_keys(agents))
            .map_err(|problem| vec![problem])?;
        let stuck = stuck(&self.config, root.agents.iter().chain(of_children));
        let children = children.into_iter().map(|(file, child)| self.bound(&file, &child));
        let resolved = Resolved {
            root: self.bound("", &root),
            children: children.collect(),
            growth: growth(&self.config),
            stuck,
        };
        let workflow = Workflow::Resolved(Arc::new(resolved));
        // They are among those of the workflow.
        let agents = Vec::new();
        // An answer from another run would stand in no cassette.
        let no_cache = spec.no_cache || spec.answers.are_taped();
        let environment = Some(environment);
        // How they are answered stands with the agents.
        let answers = Answers::default();
        Ok((RunSpec { workflow, input, until, environment, agents, no_cache, answers, ..spec }, warnings))
    }

    /// Checks that who asks a model in a step can be let in: that the key is there which its provider wants.
    fn check_keys(&self, agents: Vec<&AgentDefinition>) -> Result<(), Problem> {
        for agent in agents.into_iter().filter(|agent| agent.asks_a_model()) {
            let chosen = self.config.models.choose(agent)?;
            Key::of(chosen.provider_name, chosen.provider).map_err(|problem| {
                let message = format!("agent `{}`: {}", agent.name, problem.message);
                Problem { message, ..problem }
            })?;
        }
        Ok(())
    }

    /// A workflow with its limits; where it has none of its own, the configuration's hold.
    fn bound(&self, file: &str, checked: &Checked) -> BoundWorkflow {
        let limits = checked.definition.limits;
        BoundWorkflow {
            file: file.into(),
            definition: checked.definition.to_json(),
            work_folder: checked.work_folder.display().to_string(),
            agents: agents(checked),
            parallel: limits.parallel.unwrap_or(self.config.run.parallel),
            lost_limit: limits.lost.unwrap_or(self.config.run.lost),
            duration_limit: limits.duration,
        }
    }
}

/// Tags stand in lists, on one line.
fn check_labels(spec: &RunSpec) -> Result<(), Problem> {
    check_tags(&spec.tags)?;
    let mut tags = spec.tags.iter();
    match tags.find(|(key, value)| key.contains(is_control) || value.contains(is_control)) {
        Some((key, _)) => {
            let message = format!("the tag `{}` holds control characters", printable(key));
            Err(Problem::new(Code::Usage, message).hint("a tag is a text on one line"))
        }
        None => Ok(()),
    }
}

fn growth(config: &Config) -> GrowthLimits {
    GrowthLimits {
        depth: config.growth.depth,
        width: config.growth.width,
        total: config.growth.total,
        fallback_attempts: config.run.max_fallback_attempts,
        critical_fails: config.run.fail_if_critical_skipped,
        items: config.growth.items,
        handoffs: config.growth.handoffs_max,
    }
}

/// When agents are stuck; the manager as it calls itself, where it was found.
fn stuck<'a>(config: &Config, mut agents: impl Iterator<Item = &'a AgentDefinition>) -> StuckLimits {
    let Stuck { answers, handoffs, time, manager } = &config.stuck;
    let manager = manager.as_ref().and_then(|manager| {
        let found = agents.find(|agent| agent.name.key() == manager.key())?;
        Some(found.name.clone())
    });
    let time_us = (!time.is_zero()).then(|| micros(*time));
    StuckLimits { answers: *answers, handoffs: *handoffs, time_us, manager }
}

/// The agents as they are recorded.
fn agents(checked: &Checked) -> Vec<(AgentName, Json)> {
    checked.agents.iter().map(|agent| (agent.name.clone(), agent.recorded())).collect()
}

/// The step or the phase after which the run pauses.
fn until(definition: &Definition, text: &str) -> Result<Arc<str>, Problem> {
    let steps = || definition.steps.iter().map(|step| step.id.as_str());
    let phases = definition.steps.iter().filter_map(|step| step.phase.as_deref());
    let known = || steps().chain(phases.clone());
    if known().any(|name| name == text) {
        return Ok(text.into());
    }
    let message = format!("it cannot pause after `{text}`: the workflow has no such step or phase");
    let problem = Problem::new(Code::NoSuchStep, message);
    Err(match nearest(text, known()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(format!("its steps are {}", steps().collect::<Vec<_>>().join(", "))),
    })
}

/// Inputs that the schema has no word for. It may allow them, but no step can use them.
fn undeclared(definition: &Definition, input: &Json) -> Vec<Problem> {
    let declared = definition.input.as_ref().and_then(|schema| schema.value().get("properties")?.as_object());
    let (Some(declared), Ok(Level::Map(given))) = (declared, Level::of(input.text())) else {
        return Vec::new();
    };
    let known: Vec<&str> = declared.keys().map(String::as_str).collect();
    let unknown = given.iter().map(|(name, _)| name).filter(|name| !declared.contains_key(&***name));
    unknown
        .map(|name| {
            let problem = Problem::new(Code::BadInput, format!("no step can use the input `{name}`"));
            problem.hint(instead_of_input(name, &known))
        })
        .collect()
}
