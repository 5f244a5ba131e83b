//! A workflow and those that its steps start, read and checked together: what runs never meets a file that is missing or
//! wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::bind;
use crate::config::Config;
use crate::events::ids::AgentName;
use crate::events::json::Json;
use crate::events::problem::{Code, Problem, SourceLocation};
use crate::executors::AgentDefinition;
use crate::executors::definition::SHELL_AGENT;
use crate::executors::discovery::Catalog;
use crate::executors::rehearsal::Answers;
use crate::text_file::{self, Kind};
use crate::workflow::chain;
use crate::workflow::definition::{AgentRole, Definition, Does, Integrate, Source, Step};
use crate::workflow::input::check_input;
use crate::workflow::parse::{self, Known, NamedAgent, NamedChild, Parsed, Partly, Subtask};

/// Workflows are not started deeper inside each other. Whoever needs more has most likely made a mistake, and each level
/// is a run of its own.
const DEPTH_MAX: usize = 32;

/// A workflow that can be run.
pub struct Checked {
    /// Its definition, read and checked.
    pub definition: Definition,
    /// The agents that its steps and compensations name, as the program, files and the configuration define them; and where
    /// it may grow, all that a plan could name.
    pub agents: Vec<AgentDefinition>,
    /// The folder of the file.
    pub work_folder: PathBuf,
}

/// What keeps a workflow from being run.
pub struct Wrong {
    /// Everything, file by file, in the order of their lines.
    pub errors: Vec<Problem>,
    /// What is odd about them, and keeps nothing from being run.
    pub warnings: Vec<Problem>,
    /// The subtasks of a Markdown chain, as far as it could be read; empty of other files.
    pub subtasks: Vec<Subtask>,
}

impl Wrong {
    pub(super) fn of(problem: Problem) -> Self {
        Self { errors: vec![problem], warnings: Vec::new(), subtasks: Vec::new() }
    }
}

/// A workflow with all that its steps start, directly or not.
pub struct Family {
    /// The workflow that was asked for.
    pub root: Checked,
    /// The workflows that are started, each with the absolute path by which definitions name it.
    pub children: Vec<(String, Checked)>,
    /// What is odd about them, and keeps nothing from being run.
    pub warnings: Vec<Problem>,
    /// The subtasks of a Markdown chain; empty of other files.
    pub subtasks: Vec<Subtask>,
}

/// The places where workflows and agents are looked for.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) config: &'a Config,
    pub(super) cwd: &'a Path,
    /// Agents that are nearer than files.
    pub(super) registered: &'a [AgentDefinition],
    /// How the work of agents is answered, with the name of the recording or the replay.
    pub(super) answers: (&'a Answers, &'a str),
}

/// Reads a workflow file and checks all of it, the agents and the workflows that it names too. Relative paths mean its
/// folder, unless another is named.
///
/// # Errors
/// Everything that is wrong.
pub(super) fn check(sources: &Sources<'_>, path: &Path, folder: Option<&Path>) -> Result<Family, Wrong> {
    let shown = path.display().to_string();
    let whole = text_file::whole_path(&sources.cwd.join(path), &shown).map_err(Wrong::of)?;
    let partly = read(sources, &whole, &shown).map_err(Wrong::of)?;
    let beside = || whole.parent().unwrap_or(sources.cwd).to_path_buf();
    let folder = folder.map_or_else(beside, |folder| sources.cwd.join(folder));
    Reader::new(sources).root(partly, &whole, &shown, folder)
}

/// A Markdown chain as YAML, with what is odd about it.
///
/// # Errors
/// Everything that is wrong; [`Code::NoChain`] for a file that is no chain.
pub(super) fn to_yaml(sources: &Sources<'_>, path: &Path) -> Result<(String, Vec<Problem>), Vec<Problem>> {
    let shown = path.display().to_string();
    let whole = text_file::whole_path(&sources.cwd.join(path), &shown).map_err(|problem| vec![problem])?;
    if !is_chain(&whole, &shown) {
        return Err(vec![Problem::new(Code::NoChain, format!("`{shown}` is no Markdown chain"))]);
    }
    let family = check(sources, path, None).map_err(|wrong| wrong.errors)?;
    let text = text_file::read(&whole, &shown, Kind::Workflow).map_err(|problem| vec![problem])?;
    let yaml = chain::to_yaml(&text, &shown, &known(sources.config), &family.root.definition)?;
    Ok((yaml, family.warnings))
}

/// The same of a text that could be a file.
pub(super) fn check_text(sources: &Sources<'_>, text: &str, folder: PathBuf) -> Result<Family, Wrong> {
    let partly = parse::read(text, UNNAMED, &known(sources.config));
    Reader::new(sources).root(partly, Path::new(""), UNNAMED, folder)
}

/// The same of a definition that was read before.
pub(super) fn check_definition(sources: &Sources<'_>, json: &Json, folder: PathBuf) -> Result<Family, Wrong> {
    let definition = Definition::from_json(json.text());
    let definition = definition
        .and_then(|definition| definition.check_names().map(|()| definition))
        .map_err(|problem| Wrong::of(Problem::new(Code::BadRequest, problem.message)))?;
    let name = definition.name.clone();
    let checked = Reader::new(sources).root(partly(definition), Path::new(""), &name, folder);
    checked.map_err(|wrong| {
        // It stands in no file, so nothing of it has a place.
        let nowhere = |problem: Problem| Problem { at: problem.at.filter(|at| *at != nowhere()), ..problem };
        Wrong { errors: wrong.errors.into_iter().map(nowhere).collect(), ..wrong }
    })
}

/// What problems of a workflow name that is no file.
const UNNAMED: &str = "workflow";

/// The place of what stands in no file.
fn nowhere() -> SourceLocation {
    SourceLocation { file: String::new(), line: 0, column: 0 }
}

/// What a definition names, as if it had just been read.
fn partly(definition: Definition) -> Partly {
    let agents: Vec<NamedAgent> = definition.steps.iter().flat_map(|step| named_agents(step)).collect();
    let child = |step: &Step| match &step.does {
        Does::Workflow { file, .. } => {
            Some(NamedChild { file: file.clone(), step: step.id.clone(), at: nowhere() })
        }
        _ => None,
    };
    let children: Vec<NamedChild> = definition.steps.iter().filter_map(|step| child(step)).collect();
    let parsed = Parsed {
        definition,
        warnings: Vec::new(),
        agents: agents.clone(),
        children: children.clone(),
        places: Vec::new(),
        text: None,
        undecided: BTreeSet::new(),
    };
    Partly { read: Some(parsed), agents, children, ..Partly::default() }
}

/// The agents that the steps of a workflow name: those that others may hand over to, or that a plan could name, are not
/// among them.
pub(super) fn named(checked: &Checked) -> Vec<&AgentDefinition> {
    let names: BTreeSet<String> = checked
        .definition
        .steps
        .iter()
        .flat_map(|step| named_agents(step))
        .map(|named| named.agent.key())
        .collect();
    checked.agents.iter().filter(|agent| names.contains(&agent.name.key())).collect()
}

fn named_agents(step: &Step) -> Vec<NamedAgent> {
    let of = |does: &Does| match does {
        Does::Agent { agent, .. } => Some(agent.clone()),
        _ => None,
    };
    let undoes = step.compensate.as_ref().and_then(|compensate| of(&compensate.does));
    let falls_back = step.fallback.as_ref().map(|fallback| fallback.agent.clone());
    let named =
        [(AgentRole::Does, of(&step.does)), (AgentRole::Undoes, undoes), (AgentRole::FallsBack, falls_back)];
    let taking_over = step.handoffs.iter().flatten().map(|name| (AgentRole::TakesOver, Some(name.clone())));
    let of_tasks = step.plan.iter().flat_map(|plan| &plan.agents);
    let of_tasks = of_tasks.map(|name| (AgentRole::DoesTasks, Some(name.clone())));
    let integrates = step.plan.iter().filter_map(|plan| match &plan.integrate {
        Integrate::By(agent) => Some((AgentRole::Integrates, Some(agent.clone()))),
        Integrate::Planner | Integrate::Nobody => None,
    });
    let of_plan = of_tasks.chain(integrates);
    let named = named.into_iter().chain(taking_over).chain(of_plan).filter_map(|(role, agent)| {
        Some(NamedAgent { agent: agent?, step: step.id.clone(), role, at: nowhere(), or_default: false })
    });
    named.collect()
}

struct Reader<'a> {
    sources: Sources<'a>,
    /// The current folder, as the system calls it.
    here: PathBuf,
    /// By the folder in which agents are looked for.
    catalogs: BTreeMap<PathBuf, Catalog>,
    /// The files that lead to the one that is being read, as people and as the system call them.
    above: Vec<(String, PathBuf)>,
    /// Files that were begun: each is read once, whoever names it.
    met: BTreeSet<String>,
    /// By their absolute paths; none for what is wrong.
    children: BTreeMap<String, Option<Checked>>,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn new(sources: &Sources<'a>) -> Self {
        Self {
            sources: *sources,
            here: fs::canonicalize(sources.cwd).unwrap_or_else(|_| sources.cwd.to_path_buf()),
            catalogs: BTreeMap::new(),
            above: Vec::new(),
            met: BTreeSet::new(),
            children: BTreeMap::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Checks what is run, and all that it names.
    fn root(
        mut self,
        mut partly: Partly,
        whole: &Path,
        shown: &str,
        folder: PathBuf,
    ) -> Result<Family, Wrong> {
        let subtasks = std::mem::take(&mut partly.subtasks);
        match self.workflow(partly, whole, shown, folder) {
            Some(root) if self.errors.is_empty() => {
                let children = self.children.into_iter().filter_map(|(file, child)| Some((file, child?)));
                Ok(Family { root, children: children.collect(), warnings: self.warnings, subtasks })
            }
            _ => Err(Wrong { errors: self.errors, warnings: self.warnings, subtasks }),
        }
    }

    /// Reads a file, and those that it names. What is wrong is among the errors.
    fn file(&mut self, whole: &Path, shown: &str) -> Option<Checked> {
        match read(&self.sources, whole, shown) {
            Ok(partly) => {
                let folder = whole.parent().unwrap_or(self.sources.cwd).to_path_buf();
                self.workflow(partly, whole, shown, folder)
            }
            Err(problem) => {
                self.errors.push(problem);
                None
            }
        }
    }

    /// Reads what a workflow names. What is wrong is among the errors.
    fn workflow(
        &mut self,
        mut partly: Partly,
        whole: &Path,
        shown: &str,
        folder: PathBuf,
    ) -> Option<Checked> {
        let mut own = std::mem::take(&mut partly.problems);
        let agents = self.agents(&mut partly, &folder, shown, &mut own);
        let mut found: Vec<_> =
            own.into_iter().map(|problem| (place_of(problem.at.as_ref()), problem)).collect();
        let before = self.errors.len();
        self.above.push((shown.to_owned(), whole.to_path_buf()));
        for child in std::mem::take(&mut partly.children) {
            let definition = partly.read.as_mut().map(|parsed| &mut parsed.definition);
            if let Err(problem) = self.child(definition, &folder, &child) {
                self.errors.push(placed(problem, &child.at).step(&child.step));
            }
            // What is wrong with another file is told where that is named.
            let there = place_of(Some(&child.at));
            found.extend(self.errors.drain(before..).map(|problem| (there, problem)));
        }
        self.above.pop();
        found.sort_by_key(|(place, _)| *place);
        self.errors.extend(found.into_iter().map(|(_, problem)| problem));
        let Parsed { mut definition, places, text, .. } = partly.read?;
        // A text that stands in no file has no path, and a definition that was read before has its own places.
        if let Some(file) = whole.to_str().filter(|file| !file.is_empty() && !places.is_empty()) {
            definition.source = Some(Source { file: file.to_owned(), places, text });
        }
        Some(Checked { definition, agents: agents?, work_folder: folder })
    }

    /// The agents of a file. What is wrong is added to its problems, and what is odd to the warnings.
    fn agents(
        &mut self,
        partly: &mut Partly,
        folder: &Path,
        shown: &str,
        own: &mut Vec<Problem>,
    ) -> Option<Vec<AgentDefinition>> {
        let Sources { config, registered, answers: (answers, take), .. } = self.sources;
        if !self.catalogs.contains_key(folder) {
            let catalog = config.rehearsed_catalog(folder, registered, answers, take);
            self.errors.extend_from_slice(catalog.errors());
            self.warnings.extend_from_slice(catalog.warnings_of_places());
            self.catalogs.insert(folder.to_path_buf(), catalog);
        }
        let catalog = self.catalogs.get(folder)?;
        self.warnings.append(&mut partly.warnings);
        let (agents, warnings) = match bind::agents(partly, shown, catalog, config) {
            Ok(mut bound) => {
                // A run whose programs are answered for has recorded how.
                let shell = catalog.find(&AgentName::new(SHELL_AGENT)).ok();
                let shell = shell.filter(|shell| shell.definition.rehearsal.is_some());
                bound.agents.extend(shell.map(|shell| shell.definition.clone()));
                (Some(bound.agents), bound.warnings)
            }
            Err((problems, warnings)) => {
                own.extend(problems);
                (None, warnings)
            }
        };
        // Workflows that name one agent are not told of it twice.
        let new = warnings.into_iter().filter(|warning| !self.warnings.contains(warning));
        let new: Vec<Problem> = new.collect();
        self.warnings.extend(new);
        agents
    }

    /// Reads a file that a step names, unless that was done, and gives the step its path.
    fn child(
        &mut self,
        definition: Option<&mut Definition>,
        folder: &Path,
        child: &NamedChild,
    ) -> Result<(), Problem> {
        let refused = |message: String| Problem::new(Code::ChildWorkflow, message);
        let whole = text_file::whole_path(&folder.join(&child.file), &child.file)
            .map_err(|problem| refused(format!("the workflow {}", problem.message)))?;
        let shown = self.shown(&whole);
        if let Some(at) = self.above.iter().position(|(_, above)| *above == whole) {
            let chain: Vec<&str> = self.above.iter().skip(at).map(|(shown, _)| shown.as_str()).collect();
            let message =
                format!("a workflow would start itself without end: {} → {shown}", chain.join(" → "));
            return Err(refused(message));
        }
        if self.above.len() > DEPTH_MAX {
            let first = self.above.first().map_or("", |(shown, _)| shown);
            let message =
                format!("`{shown}` would be started more than {DEPTH_MAX} workflows deep inside `{first}`");
            return Err(refused(message).hint("let fewer workflows start each other"));
        }
        let path = whole
            .to_str()
            .ok_or_else(|| refused(format!("the path of the workflow `{}` is not UTF-8", child.file)))?;
        if self.met.insert(path.to_owned()) {
            let before = self.errors.len();
            let checked = self.file(&whole, &shown);
            // What cannot even be read has no place of its own.
            for problem in self.errors.iter_mut().skip(before).filter(|problem| problem.at.is_none()) {
                let message = std::mem::take(&mut problem.message);
                // Links may lead to a file that is called otherwise.
                let message = match message.contains(&child.file) {
                    true => message,
                    false => format!("the workflow `{}`: {message}", child.file),
                };
                *problem = placed(refused(message), &child.at).step(&child.step);
            }
            self.children.insert(path.to_owned(), checked);
        }
        let Some(definition) = definition else { return Ok(()) };
        definition.set_child(&child.step, path);
        match self.children.get(path) {
            Some(Some(checked)) => takes(&checked.definition, definition, child, &shown),
            // What is wrong with it was told.
            _ => Ok(()),
        }
    }

    /// A file as people call it: from the current folder, if it is in there.
    fn shown(&self, whole: &Path) -> String {
        whole.strip_prefix(&self.here).unwrap_or(whole).display().to_string()
    }
}

/// Whether a child takes the input that it is given, as far as that is known before anything runs.
fn takes(child: &Definition, parent: &Definition, named: &NamedChild, shown: &str) -> Result<(), Problem> {
    let Some(Does::Workflow { with, .. }) = parent.step(&named.step).map(|step| &step.does) else {
        return Ok(());
    };
    let input = match with {
        Some(with) if with.is_constant() => Json::of(with).unwrap_or_default(),
        Some(_) => return Ok(()),
        None => Json::from(&serde_json::json!({})),
    };
    check_input(child.input.as_ref(), &input).map(drop).map_err(|problems| {
        let wrong: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
        Problem::new(Code::BadInput, format!("`{shown}` does not take its input: {}", wrong.join("; ")))
            .hint("`with` is its input: give it there what its `input` says")
    })
}

fn read(sources: &Sources<'_>, whole: &Path, shown: &str) -> Result<Partly, Problem> {
    let text = text_file::read(whole, shown, Kind::Workflow)?;
    let known = known(sources.config);
    Ok(match is_chain(whole, shown) {
        true => chain::read(&text, shown, &known),
        false => parse::read(&text, shown, &known),
    })
}

/// Whether a file is a Markdown chain. A link may be called otherwise than what it leads to.
fn is_chain(whole: &Path, shown: &str) -> bool {
    chain::is_chain(shown) || whole.to_str().is_some_and(chain::is_chain)
}

/// What a file may refer to outside of itself.
fn known(config: &Config) -> Known<'_> {
    Known {
        env: &config.expressions.env,
        fallback_attempts: config.run.max_fallback_attempts,
        defaults: Some(&config.defaults),
        default_agent: config.default_agent.as_ref(),
    }
}

/// Line and column, by which problems are ordered.
fn place_of(at: Option<&SourceLocation>) -> (u64, u64) {
    at.map_or((0, 0), |at| (at.line, at.column))
}

fn placed(problem: Problem, at: &SourceLocation) -> Problem {
    problem.at(&at.file, at.line, at.column)
}
